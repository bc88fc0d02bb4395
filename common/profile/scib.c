/* scib.c -- silhouettes, connectivity, LISI, agreement of clusters.
 * By cosine the distances of a row to a whole label add up to (count - row . sum of the label's rows), so a silhouette takes a product with
 * one vector a label and never all pairs. */
#include "micon/profile/scib.h"

#include "micon/base/mem.h"
#include "micon/base/rng.h"
#include "micon/profile/linear_algebra.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Vitter's selection sampling: one number a row, ascending by construction. */
int64_t scib_sample(int64_t n, int64_t m, uint32_t seed, int32_t *out)
{
    int64_t taken = 0, want = m < n ? m : n;
    rng r = rng_at(seed, STREAM_SAMPLE, 0, (uint64_t)n);
    for (int64_t i = 0; i < n && taken < want; i++)
        if (rng_below(&r, (uint64_t)(n - i)) < (uint64_t)(want - taken)) out[taken++] = (int32_t)i;
    return taken;
}

/* sums [d,n_label] of the rows of each label, and their number. */
static void label_sums(const float *x, int64_t n, int64_t d, const int32_t *label, int32_t n_label, double *sum, int64_t *count)
{
    for (int64_t i = 0; i < n; i++) {
        if (label[i] < 0) continue;
        count[label[i]]++;
        for (int64_t j = 0; j < d; j++) sum[j * n_label + label[i]] += x[i * d + j];
    }
}

static double silhouette_of(const float *x, int64_t d, const float *to_sum, const int64_t *count, int32_t own, int32_t n_label)
{
    if (count[own] < 2) return 0;
    double near = INFINITY, inside = (double)(count[own] - 1) - ((double)to_sum[own] - linear_dot(x, x, d));
    inside /= (double)(count[own] - 1);
    for (int32_t c = 0; c < n_label; c++)
        if (c != own && count[c] > 0) near = fmin(near, 1 - (double)to_sum[c] / (double)count[c]);
    if (isinf(near)) return NAN;
    double widest = fmax(near, inside);
    return widest > 0 ? (near - inside) / widest : 0;
}

status scib_silhouette(const float *x, int64_t n, int64_t d, const int32_t *label, int32_t n_label, int64_t first, int64_t n_range,
                       double *s)
{
    enum { ROWS = 256 };
    status st = OK;
    double *sum = NULL;
    int64_t *count = NULL, step;
    float *product = NULL;
    TRY(mem_alloc(&sum, (size_t)d, (size_t)n_label * sizeof *sum, "sums of labels"));
    TRY(mem_alloc(&count, (size_t)n_label, sizeof *count, "sums of labels"));
    TRY(mem_alloc(&product, ROWS, (size_t)n_label * sizeof *product, "a block of products"));
    label_sums(x, n, d, label, n_label, sum, count);
    for (int64_t at = first; at < first + n_range; at += step) { /* in step with the blocks of linear_project */
        step = (at / ROWS + 1) * ROWS - at;
        if (at + step > first + n_range) step = first + n_range - at;
        TRY(linear_project(x + at * d, at, step, d, NULL, sum, n_label, product));
        for (int64_t i = 0; i < step; i++) {
            int32_t own = label[at + i];
            s[at + i - first] = own < 0 ? NAN : silhouette_of(x + (at + i) * d, d, product + i * n_label, count, own, n_label);
        }
    }
done:
    free(sum);
    free(count);
    free(product);
    return st;
}

status scib_silhouette_label(const float *x, int64_t n, int64_t d, const int32_t *label, int32_t n_label, double *out)
{
    status st = OK;
    double *s = NULL, sum = 0;
    int64_t used = 0;
    TRY(mem_alloc(&s, (size_t)n, sizeof *s, "silhouettes"));
    TRY(scib_silhouette(x, n, d, label, n_label, 0, n, s));
    for (int64_t i = 0; i < n; i++)
        if (!isnan(s[i])) sum += s[i], used++;
    *out = used ? (sum / (double)used + 1) / 2 : NAN;
done:
    free(s);
    return st;
}

/* The rows of one label gathered; their batches renumbered from 0. Returns how many rows. */
static int64_t gather_label(const float *x, int64_t n, int64_t d, const int32_t *label, int32_t own, const int32_t *batch, int32_t *number,
                            int32_t n_batch, float *rows, int32_t *code, int32_t *n_code)
{
    int64_t m = 0;
    memset(number, -1, (size_t)n_batch * sizeof *number);
    *n_code = 0;
    for (int64_t i = 0; i < n; i++) {
        if (label[i] != own || batch[i] < 0) continue;
        if (number[batch[i]] < 0) number[batch[i]] = (*n_code)++;
        code[m] = number[batch[i]];
        memcpy(rows + m++ * d, x + i * d, (size_t)d * sizeof *rows);
    }
    return m;
}

status scib_silhouette_batch(const float *x, int64_t n, int64_t d, const int32_t *label, int32_t n_label, const int32_t *batch,
                             int32_t n_batch, double *out)
{
    status st = OK;
    int64_t *count = NULL, most = 0, used = 0;
    int32_t *code = NULL, *number = NULL;
    float *rows = NULL;
    double *s = NULL, total = 0;
    TRY(mem_alloc(&count, (size_t)n_label, sizeof *count, "labels"));
    for (int64_t i = 0; i < n; i++)
        if (label[i] >= 0 && ++count[label[i]] > most) most = count[label[i]];
    TRY(mem_alloc(&code, (size_t)most, sizeof *code, "rows of a label"));
    TRY(mem_alloc(&s, (size_t)most, sizeof *s, "silhouettes"));
    TRY(mem_alloc(&number, (size_t)n_batch, sizeof *number, "batches"));
    TRY(mem_alloc(&rows, (size_t)most, (size_t)d * sizeof *rows, "rows of a label"));
    for (int32_t c = 0; c < n_label; c++) {
        int32_t n_code;
        int64_t m = gather_label(x, n, d, label, c, batch, number, n_batch, rows, code, &n_code);
        if (n_code < 2 || n_code == m) continue;
        TRY(scib_silhouette(rows, m, d, code, n_code, 0, m, s));
        double sum = 0;
        for (int64_t i = 0; i < m; i++) sum += 1 - fabs(s[i]);
        total += sum / (double)m;
        used++;
    }
    *out = used ? total / (double)used : NAN;
done:
    free(count);
    free(code);
    free(number);
    free(rows);
    free(s);
    return st;
}

static int32_t root_of(int32_t *parent, int32_t i)
{
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
}

status scib_connectivity(const int32_t *neighbour, int64_t n, int k, const int32_t *label, int32_t n_label, double *out)
{
    status st = OK;
    int32_t *parent = NULL;
    int64_t *size = NULL, *largest = NULL, *count = NULL;
    TRY(mem_alloc(&parent, (size_t)n, sizeof *parent, "a neighbour graph"));
    TRY(mem_alloc(&size, (size_t)n, sizeof *size, "a neighbour graph"));
    TRY(mem_alloc(&largest, (size_t)n_label, sizeof *largest, "labels"));
    TRY(mem_alloc(&count, (size_t)n_label, sizeof *count, "labels"));
    for (int64_t i = 0; i < n; i++) parent[i] = (int32_t)i;
    for (int64_t i = 0; i < n; i++)
        for (int j = 0; j < k; j++) {
            int32_t to = neighbour[i * k + j];
            if (to >= 0 && label[i] >= 0 && label[to] == label[i]) parent[root_of(parent, (int32_t)i)] = root_of(parent, to);
        }
    for (int64_t i = 0; i < n; i++) {
        if (label[i] < 0) continue;
        count[label[i]]++;
        int64_t m = ++size[root_of(parent, (int32_t)i)];
        if (m > largest[label[i]]) largest[label[i]] = m;
    }
    double sum = 0;
    int64_t used = 0;
    for (int32_t c = 0; c < n_label; c++)
        if (count[c] > 0) sum += (double)largest[c] / (double)count[c], used++;
    *out = used ? sum / (double)used : NAN;
done:
    free(parent);
    free(size);
    free(largest);
    free(count);
    return st;
}

/* Weights exp(-beta dist) whose entropy is log(perplexity), by bisection, as harmonypy's; false where all weights vanish. */
static bool find_weights(const double *dist, int k, double perplexity, double *p)
{
    double beta = 1, low = -INFINITY, high = INFINITY, entropy = 0;
    bool some = false;
    for (int round = 0; round <= 50; round++) {
        double sum = 0, along = 0;
        for (int j = 0; j < k; j++) {
            p[j] = exp(-dist[j] * beta);
            sum += p[j];
            along += isinf(dist[j]) ? 0 : dist[j] * p[j];
        }
        some = sum > 0;
        entropy = some ? log(sum) + beta * along / sum : 0;
        for (int j = 0; j < k && some; j++) p[j] /= sum;
        double off = entropy - log(perplexity);
        if (fabs(off) < 1e-5) break;
        if (off > 0) {
            low = beta;
            beta = isinf(high) ? beta * 2 : (beta + high) / 2;
        } else {
            high = beta;
            beta = isinf(low) ? beta / 2 : (beta + low) / 2;
        }
    }
    return some;
}

void scib_lisi(const int32_t *neighbour, const double *dist, int64_t n_range, int k, const int32_t *code, int32_t n_code, double perplexity,
               double *lisi)
{
    double *p = xmalloc((size_t)k * sizeof *p), *sum = xcalloc((size_t)n_code, sizeof *sum);
    for (int64_t i = 0; i < n_range; i++) {
        const int32_t *row = neighbour + i * k;
        double simpson = 0;
        lisi[i] = NAN;
        if (!find_weights(dist + i * k, k, perplexity, p)) continue;
        for (int j = 0; j < k; j++)
            if (row[j] >= 0 && code[row[j]] >= 0) sum[code[row[j]]] += p[j];
        for (int j = 0; j < k; j++) {
            if (row[j] < 0 || code[row[j]] < 0) continue;
            double *s = &sum[code[row[j]]];
            simpson += *s * *s;
            *s = 0;
        }
        if (simpson > 0) lisi[i] = 1 / simpson;
    }
    free(p);
    free(sum);
}

static double median_known(double *v, int64_t n)
{
    int64_t m = 0;
    for (int64_t i = 0; i < n; i++)
        if (!isnan(v[i])) v[m++] = v[i];
    return linear_median(v, m);
}

double scib_lisi_batch(double *lisi, int64_t n, int32_t n_code)
{
    return n_code > 1 ? (median_known(lisi, n) - 1) / (n_code - 1) : NAN;
}

double scib_lisi_label(double *lisi, int64_t n, int32_t n_code)
{
    return n_code > 1 ? (n_code - median_known(lisi, n)) / (n_code - 1) : NAN;
}

static double pairs(double n)
{
    return n * (n - 1) / 2;
}

static double entropy(const double *count, int32_t n_count, double total)
{
    double h = 0;
    for (int32_t i = 0; i < n_count; i++)
        if (count[i] > 0) h -= count[i] / total * log(count[i] / total);
    return h;
}

status scib_agreement(const int32_t *a, int32_t n_a, const int32_t *b, int32_t n_b, int64_t n, double *nmi, double *ari)
{
    status st = OK;
    double *both = NULL, *ca = NULL, *cb = NULL, total = 0, mutual = 0, same = 0, pa = 0, pb = 0;
    TRY(mem_alloc(&both, (size_t)n_a, (size_t)n_b * sizeof *both, "a table of clusters"));
    TRY(mem_alloc(&ca, (size_t)n_a, sizeof *ca, "a table of clusters"));
    TRY(mem_alloc(&cb, (size_t)n_b, sizeof *cb, "a table of clusters"));
    for (int64_t i = 0; i < n; i++) {
        if (a[i] < 0 || b[i] < 0) continue;
        both[(int64_t)a[i] * n_b + b[i]]++, ca[a[i]]++, cb[b[i]]++, total++;
    }
    for (int32_t i = 0; i < n_a; i++)
        for (int32_t j = 0; j < n_b; j++) {
            double m = both[(int64_t)i * n_b + j];
            if (m > 0) mutual += m / total * log(m * total / (ca[i] * cb[j]));
            same += pairs(m);
        }
    for (int32_t i = 0; i < n_a; i++) pa += pairs(ca[i]);
    for (int32_t j = 0; j < n_b; j++) pb += pairs(cb[j]);
    double mean = (entropy(ca, n_a, total) + entropy(cb, n_b, total)) / 2, expected = pa * pb / pairs(total);
    *nmi = total < 1 ? NAN : mean > 0 ? fmax(0, mutual / mean) : 1;
    *ari = total < 2 ? NAN : (pa + pb) / 2 == expected ? 1 : (same - expected) / ((pa + pb) / 2 - expected);
done:
    free(both);
    free(ca);
    free(cb);
    return st;
}

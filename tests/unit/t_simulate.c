/* run: limit=150 nosan
 * The design numbers of the simulated screen: what gives the source away, what must not give the compound away, what the truth is
 * worth, how structure and effect hang together. Runs the release program. */
#include "../tap.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/base/rng.h"
#include "micon/compound/compound.h"
#include "micon/config/config.h"
#include "micon/formats/csv.h"
#include "micon/formats/image.h"
#include "micon/index/index.h"

#include <stdlib.h>

enum { SIDE = 16, CHANNELS = 5, THUMB = SIDE * SIDE * CHANNELS, SHAPES = 4, MARKS = SHAPES * CHANNELS, FACTORS = 12 };

static const char *work_dir;

static char *below(const char *name)
{
    return path_join(work_dir, name);
}

static bool run(const char *options)
{
    char *command = xasprintf("build/release/bin/micon-simulate --quiet %s", options);
    bool good = system(command) == 0;
    free(command);
    return good;
}

static double cell_number(const table *t, int64_t row, int col)
{
    return strtod(table_cell(t, row, col), NULL);
}

/* ---- a linear classifier: ridge regression on one-hot classes, in its dual form ---- */

/* x [n, d], every column made mean 0, sd 1. */
static void standardize(double *x, int n, int d)
{
    for (int j = 0; j < d; j++) {
        double mean = 0, var = 0;
        for (int i = 0; i < n; i++) mean += x[(size_t)i * (size_t)d + (size_t)j] / n;
        for (int i = 0; i < n; i++) var += pow(x[(size_t)i * (size_t)d + (size_t)j] - mean, 2) / n;
        double per = var > 0 ? 1 / sqrt(var) : 0;
        for (int i = 0; i < n; i++) x[(size_t)i * (size_t)d + (size_t)j] = (x[(size_t)i * (size_t)d + (size_t)j] - mean) * per;
    }
}

static double *products(const double *x, int n, int d) /* [n, n] */
{
    double *k = xmalloc(sizeof(double) * (size_t)n * (size_t)n);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j <= i; j++) {
            const double *a = x + (size_t)i * (size_t)d, *b = x + (size_t)j * (size_t)d;
            double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
            int m = 0;
            for (; m + 4 <= d; m += 4) s0 += a[m] * b[m], s1 += a[m + 1] * b[m + 1], s2 += a[m + 2] * b[m + 2], s3 += a[m + 3] * b[m + 3];
            for (; m < d; m++) s0 += a[m] * b[m];
            k[(size_t)i * (size_t)n + (size_t)j] = k[(size_t)j * (size_t)n + (size_t)i] = s0 + s1 + s2 + s3;
        }
    }
    return k;
}

/* a [m, m] positive definite; b [m, c] becomes the solution. */
static void solve(double *a, int m, double *b, int c)
{
    for (int i = 0; i < m; i++) {
        for (int j = 0; j <= i; j++) {
            double s = a[(size_t)i * (size_t)m + (size_t)j];
            const double *p = a + (size_t)i * (size_t)m, *q = a + (size_t)j * (size_t)m;
            for (int k = 0; k < j; k++) s -= p[k] * q[k];
            a[(size_t)i * (size_t)m + (size_t)j] = i == j ? sqrt(s) : s / q[j];
        }
    }
    for (int i = 0; i < m; i++) {
        for (int y = 0; y < c; y++) {
            double s = b[i * c + y];
            for (int k = 0; k < i; k++) s -= a[(size_t)i * (size_t)m + (size_t)k] * b[k * c + y];
            b[i * c + y] = s / a[(size_t)i * (size_t)m + (size_t)i];
        }
    }
    for (int i = m - 1; i >= 0; i--) {
        for (int y = 0; y < c; y++) {
            double s = b[i * c + y];
            for (int k = i + 1; k < m; k++) s -= a[(size_t)k * (size_t)m + (size_t)i] * b[k * c + y];
            b[i * c + y] = s / a[(size_t)i * (size_t)m + (size_t)i];
        }
    }
}

/* Share of the rows of `fold` that are named rightly by what was learnt on the others; label -1: left out. Adds to *hits and *asked. */
static void learn_and_ask(const double *k, int n, const int *label, int classes, const int *fold, int held, double lambda, int *hits,
                          int *asked)
{
    int *rows = xmalloc(sizeof(int) * (size_t)n), m = 0;
    for (int i = 0; i < n; i++)
        if (label[i] >= 0 && fold[i] != held) rows[m++] = i;
    double *a = xmalloc(sizeof(double) * (size_t)m * (size_t)m), *b = xcalloc((size_t)m * (size_t)classes, sizeof(double)), trace = 0;
    for (int i = 0; i < m; i++)
        for (int j = 0; j < m; j++)
            a[(size_t)i * (size_t)m + (size_t)j] = k[(size_t)rows[i] * (size_t)n + (size_t)rows[j]] + 1; /* + 1: a constant */
    for (int i = 0; i < m; i++) trace += a[(size_t)i * (size_t)m + (size_t)i] / m;
    for (int i = 0; i < m; i++) a[(size_t)i * (size_t)m + (size_t)i] += lambda * trace, b[i * classes + label[rows[i]]] = 1;
    solve(a, m, b, classes);
    for (int q = 0; q < n; q++) {
        if (label[q] < 0 || fold[q] != held) continue;
        int best = 0;
        double top = -1e300;
        for (int y = 0; y < classes; y++) {
            double s = 0;
            for (int i = 0; i < m; i++) s += b[i * classes + y] * (k[(size_t)q * (size_t)n + (size_t)rows[i]] + 1);
            if (s > top) top = s, best = y;
        }
        *hits += best == label[q];
        (*asked)++;
    }
    free(rows);
    free(a);
    free(b);
}

/* ---- the screen's fields: thumbnails, and a few numbers that say what cells look like ---- */
typedef struct {
    int n, n_compounds, n_batches, n_sources;
    double *thumb, *mark;                      /* [n, THUMB], [n, MARKS] */
    int *source, *batch, *compound;            /* compound: position in `ids`; -1 control, -2 empty */
    int kind[8], size_bits[8], compression[8]; /* by source */
    bool high[8];                              /* a value above 4095 was seen */
    names ids, sources, batches;
} screen;

static int intern(names *l, const char *s)
{
    long at = names_find(l, s);
    if (at >= 0) return (int)at;
    names_add(l, s);
    return (int)l->n - 1;
}

static int tiff_compression(const image_file *f) /* tag 259 of the first directory, little-endian files of ours */
{
    const uint8_t *b = f->bytes;
    uint32_t at = b[4] | (uint32_t)b[5] << 8 | (uint32_t)b[6] << 16 | (uint32_t)b[7] << 24;
    for (int i = 0; i < (b[at] | b[at + 1] << 8); i++) {
        const uint8_t *e = b + at + 2 + 12 * i;
        if ((e[0] | e[1] << 8) == 259) return e[8] | e[9] << 8;
    }
    return -1;
}

static void thumbnail(const image *im, double *out)
{
    int side = im->width_px < im->height_px ? im->width_px : im->height_px, x0 = (im->width_px - side) / 2, y0 = (im->height_px - side) / 2;
    for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++) {
            double sum = 0;
            int n = 0;
            for (int v = y0 + y * side / SIDE; v < y0 + (y + 1) * side / SIDE; v++)
                for (int u = x0 + x * side / SIDE; u < x0 + (x + 1) * side / SIDE; u++) sum += im->px[v * im->width_px + u], n++;
            out[y * SIDE + x] = sum / n;
        }
    }
}

/* What cells look like, free of gain and offset: roughness at one pixel and at two, spread against the mean's height, skew. */
static void marks(const image *im, double *out)
{
    double mean = 0, m2 = 0, m3 = 0, low = 65535, rough = 0, coarse = 0;
    int w = im->width_px, h = im->height_px, n = w * h;
    for (int i = 0; i < n; i++) mean += (double)im->px[i] / n;
    for (int i = 0; i < n; i++) {
        double d = im->px[i] - mean;
        m2 += d * d / n;
        m3 += d * d * d / n;
        low = fmin(low, im->px[i]);
    }
    for (int y = 2; y < h - 2; y++) {
        for (int x = 2; x < w - 2; x++) {
            const uint16_t *p = im->px + y * w + x;
            double a = 4.0 * p[0] - p[-1] - p[1] - p[-w] - p[w], b = 4.0 * p[0] - p[-2] - p[2] - p[-2 * w] - p[2 * w];
            rough += a * a / n;
            coarse += b * b / n;
        }
    }
    out[0] = log((coarse + 1e-9) / (rough + 1e-9));
    out[1] = log((rough + 1e-9) / (m2 + 1e-9));
    out[2] = log((m2 + 1e-9) / pow(mean - low + 1e-3, 2));
    out[3] = m3 / pow(m2 + 1e-9, 1.5);
}

static const char *const channel_names[CHANNELS] = {"DNA", "ER", "RNA", "AGP", "Mito"};

static bool read_field(screen *s, const char *dir, const table *t, int64_t row, int at)
{
    static image_file f;
    static image im;
    for (int c = 0; c < CHANNELS; c++) {
        char column[40];
        snprintf(column, sizeof column, "FileName_Orig%s", channel_names[c]);
        char *path = xasprintf("%s/Images/%s", dir, table_cell(t, row, table_col(t, column)));
        status st = image_file_read(&f, path);
        if (st == OK) st = image_decode(&im, &f, IMAGE_ONLY_PAGE, 1);
        free(path);
        if (st != OK) return printf("# %s\n", msg_get()) < 0;
        thumbnail(&im, s->thumb + (size_t)at * THUMB + c * SIDE * SIDE);
        marks(&im, s->mark + (size_t)at * MARKS + c * SHAPES);
        int source = s->source[at];
        s->kind[source] = (int)im.kind;
        s->compression[source] = tiff_compression(&f);
        for (int i = 0; i < im.width_px * im.height_px; i++) s->high[source] |= im.px[i] > 4095;
    }
    return true;
}

static bool read_screen(screen *s, const char *root, int most)
{
    names tables = {0};
    table *wells = NULL;
    char *name = path_join(root, "metadata/well.csv.gz");
    if (path_glob(&tables, root, "images/*/load_data.csv") != OK || table_read(&wells, name) != OK) return false;
    s->thumb = xmalloc(sizeof(double) * (size_t)most * THUMB);
    s->mark = xmalloc(sizeof(double) * (size_t)most * MARKS);
    s->source = xmalloc(sizeof(int) * (size_t)most);
    s->batch = xmalloc(sizeof(int) * (size_t)most);
    s->compound = xmalloc(sizeof(int) * (size_t)most);
    bool good = true;
    for (size_t i = 0; i < tables.n && good; i++) {
        table *t = NULL;
        char *dir = path_dir(tables.item[i]);
        good = table_read(&t, tables.item[i]) == OK;
        for (int64_t r = 0; good && r < table_n_rows(t) && s->n < most; r++) {
            const char *source = table_cell(t, r, table_col(t, "Metadata_Source")),
                       *plate = table_cell(t, r, table_col(t, "Metadata_Plate"));
            const char *well = table_cell(t, r, table_col(t, "Metadata_Well")), *id = "";
            for (int64_t w = 0; w < table_n_rows(wells); w++)
                if (!strcmp(table_cell(wells, w, 2), well) && !strcmp(table_cell(wells, w, 1), plate) &&
                    !strcmp(table_cell(wells, w, 0), source))
                    id = table_cell(wells, w, 3);
            s->source[s->n] = intern(&s->sources, source);
            s->batch[s->n] = (int)i; /* one plate a batch here */
            s->compound[s->n] = !strcmp(id, "JCP2022_033924") ? -1 : !strcmp(id, "JCP2022_999999") ? -2 : intern(&s->ids, id);
            good = id[0] && read_field(s, dir, t, r, s->n);
            s->n++;
        }
        free(dir);
        table_free(&t);
    }
    s->n_batches = (int)tables.n;
    table_free(&wells);
    names_free(&tables);
    free(name);
    return good;
}

/* ---- tests ---- */

static void test_pictures(screen *s)
{
    double *k = NULL, worst = 0, chance = 1.0 / (double)s->ids.n;
    int *third = xmalloc(sizeof(int) * (size_t)s->n), hits = 0, asked = 0;
    rng r = rng_at(1, 1, 0, 0);
    ok(s->sources.n == 3 && s->ids.n == 24 && s->n_batches == 6, "three sources, two batches each, 24 compounds");
    ok(s->kind[0] == IMAGE_U16 && s->kind[1] == IMAGE_U16 && s->kind[2] == IMAGE_U8, "two sources of 16 bits, one of 8");
    ok(s->compression[0] == 1 && s->compression[1] == 5 && (s->compression[2] == 8 || s->compression[2] == 32946),
       "uncompressed, LZW, deflate by source");
    ok(s->high[0] && !s->high[1], "one of the 16-bit cameras ends at 12 bits");

    standardize(s->thumb, s->n, THUMB);
    k = products(s->thumb, s->n, THUMB);
    for (int i = 0; i < s->n; i++) third[i] = (int)rng_below(&r, 3);
    learn_and_ask(k, s->n, s->source, 3, third, 0, 0.1, &hits, &asked);
    printf("# source by thumbnails: %.3f of %d\n", (double)hits / asked, asked);
    ok(hits > 0.9 * asked, "a linear classifier on thumbnails tells the source");
    static const double lambdas[] = {0.001, 0.1, 10};
    for (int l = 0; l < 3; l++) {
        hits = asked = 0;
        for (int b = 0; b < s->n_batches; b++) learn_and_ask(k, s->n, s->compound, (int)s->ids.n, s->batch, b, lambdas[l], &hits, &asked);
        printf("# compound of another batch by thumbnails, lambda %g: %.3f of %d, chance %.3f\n", lambdas[l], (double)hits / asked, asked,
               chance);
        worst = fmax(worst, (double)hits / asked);
    }
    ok(worst < 2 * chance, "thumbnails hardly tell the compound across batches");
    free(k);

    standardize(s->mark, s->n, MARKS);
    k = products(s->mark, s->n, MARKS);
    hits = asked = 0;
    for (int b = 0; b < s->n_batches; b++) learn_and_ask(k, s->n, s->compound, (int)s->ids.n, s->batch, b, 0.01, &hits, &asked);
    printf("# compound of another batch by 20 texture marks: %.3f of %d\n", (double)hits / asked, asked);
    ok(hits > 5 * chance * asked, "what cells look like does tell it");
    free(k);
    free(third);
}

/* Marks against the plate's controls: for a compound, the mean over its fields in units of what the controls' means would scatter. */
static void test_inactive(const screen *s, const table *truth)
{
    double sum[2] = {0};
    int count[2] = {0}, id_col = table_col(truth, "Metadata_JCP2022"), active_col = table_col(truth, "active");
    double *z = xmalloc(sizeof(double) * (size_t)s->n * MARKS);
    for (int b = 0; b < s->n_batches; b++) {
        for (int j = 0; j < MARKS; j++) {
            double mean = 0, var = 0;
            int n = 0;
            for (int i = 0; i < s->n; i++)
                if (s->batch[i] == b && s->compound[i] == -1) mean += s->mark[i * MARKS + j], n++;
            mean /= n;
            for (int i = 0; i < s->n; i++)
                if (s->batch[i] == b && s->compound[i] == -1) var += pow(s->mark[i * MARKS + j] - mean, 2) / (n - 1);
            for (int i = 0; i < s->n; i++)
                if (s->batch[i] == b) z[i * MARKS + j] = (s->mark[i * MARKS + j] - mean) / sqrt(var);
        }
    }
    for (int64_t t = 0; t < table_n_rows(truth); t++) {
        int c = (int)names_find(&s->ids, table_cell(truth, t, id_col)), active = !strcmp(table_cell(truth, t, active_col), "yes");
        for (int j = 0; j < MARKS; j++) {
            double mean = 0;
            int n = 0;
            for (int i = 0; i < s->n; i++)
                if (s->compound[i] == c) mean += z[i * MARKS + j], n++;
            sum[active] += mean * mean / n; /* (mean / (1 / sqrt n))^2 */
            count[active]++;
        }
    }
    double inactive = sum[0] / count[0], acting = sum[1] / count[1];
    printf("# squared deviation from the controls: inactive %.2f, active %.2f (1: none)\n", inactive, acting);
    ok(inactive < 2.5, "pictures of inactive compounds are those of controls");
    ok(acting > 10, "pictures of active compounds are not");
    free(z);
}

typedef struct {
    int n;
    int *compound, *batch;
    double *v; /* [n, FACTORS], length 1 */
} truth_wells;

static void read_truth_wells(truth_wells *out, const table *t, const names *ids)
{
    names batches = {0};
    int first = table_col(t, "count"), id = table_col(t, "Metadata_JCP2022");
    int64_t n = table_n_rows(t);
    *out = (truth_wells){.compound = xmalloc(sizeof(int) * (size_t)n), .batch = xmalloc(sizeof(int) * (size_t)n)};
    out->v = xmalloc(sizeof(double) * (size_t)n * FACTORS);
    for (int64_t i = 0; i < n; i++) {
        long c = names_find(ids, table_cell(t, i, id));
        if (c < 0) continue;
        char *batch = xasprintf("%s/%s", table_cell(t, i, 0), table_cell(t, i, 1));
        double *v = out->v + (size_t)out->n * FACTORS, length = 0;
        for (int k = 0; k < FACTORS; k++) v[k] = cell_number(t, i, first + k), length += v[k] * v[k];
        for (int k = 0; k < FACTORS; k++) v[k] /= sqrt(length);
        out->compound[out->n] = (int)c;
        out->batch[out->n++] = intern(&batches, batch);
        free(batch);
    }
    names_free(&batches);
}

static double oracle(const truth_wells *w)
{
    int hits = 0;
    for (int q = 0; q < w->n; q++) {
        double top = -2;
        int best = -1;
        for (int i = 0; i < w->n; i++) {
            if (w->batch[i] == w->batch[q]) continue;
            double s = 0;
            for (int k = 0; k < FACTORS; k++) s += w->v[q * FACTORS + k] * w->v[i * FACTORS + k];
            if (s > top) top = s, best = i;
        }
        hits += best >= 0 && w->compound[best] == w->compound[q];
    }
    return (double)hits / w->n;
}

static void test_oracle(const char *root, const table *truth, const char *what)
{
    names ids = {0};
    table *wells = NULL;
    char *path = path_join(root, "truth/wells.csv");
    if (!ok(table_read(&wells, path) == OK, "the wells' truth is there")) return;
    for (int64_t i = 0; i < table_n_rows(truth); i++) names_add(&ids, table_cell(truth, i, 0));
    truth_wells w;
    read_truth_wells(&w, wells, &ids);
    double got = oracle(&w);
    printf("# oracle, %s: %.3f of %d wells\n", what, got, w.n);
    ok(got > 0.6, "the true factors with their noise find a compound across batches");
    free(w.compound);
    free(w.batch);
    free(w.v);
    free(path);
    names_free(&ids);
    table_free(&wells);
}

static double correlation(const double *a, const double *b)
{
    double ma = 0, mb = 0, ab = 0, aa = 0, bb = 0;
    for (int k = 0; k < FACTORS; k++) ma += a[k] / FACTORS, mb += b[k] / FACTORS;
    for (int k = 0; k < FACTORS; k++) ab += (a[k] - ma) * (b[k] - mb), aa += (a[k] - ma) * (a[k] - ma), bb += (b[k] - mb) * (b[k] - mb);
    return ab / sqrt(aa * bb);
}

/* Structure and effect, over the whole list of compounds. How far similar ones act alike depends on --structure: least .. most. */
static void test_structure(const table *list, const table *truth, double least, double most)
{
    int n = (int)table_n_rows(truth), first = table_col(truth, "count"), smiles = table_col(list, "Metadata_SMILES"), n_active = 0,
        zero = 1, near = 0;
    int by_mechanism = 0, keys = 1;
    double *factor = xmalloc(sizeof(double) * (size_t)n * FACTORS), sum = 0, far_sum = 0;
    int far = 0;
    compound *c = xmalloc(sizeof(compound) * (size_t)n);
    bool *active = xmalloc((size_t)n);
    if (!ok(compound_init(COMPOUND_ECFP4) == OK && table_n_rows(list) == n + 1, "the list holds the compounds and the control")) return;
    for (int i = 0; i < n; i++) {
        const char *s = table_cell(list, i + 1, smiles);
        compound_read(&c[i], s, strlen(s), COMPOUND_ECFP4, 1024);
        keys &= !strcmp(c[i].key, table_cell(list, i + 1, table_col(list, "Metadata_InChIKey")));
        active[i] = !strcmp(table_cell(truth, i, table_col(truth, "active")), "yes");
        n_active += active[i];
        for (int k = 0; k < FACTORS; k++)
            factor[i * FACTORS + k] = cell_number(truth, i, first + k), zero &= active[i] || factor[i * FACTORS + k] == 0;
        int sharing = 0;
        const char *mine = table_cell(list, i + 1, table_col(list, "Metadata_target"));
        for (int j = 0; j < n; j++) sharing += !strcmp(mine, table_cell(list, j + 1, table_col(list, "Metadata_target")));
        by_mechanism += active[i] ? mine[0] && sharing >= 2 : !mine[0];
    }
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < i; j++) {
            if (!active[i] || !active[j]) continue;
            double t = compound_tanimoto(c[i].fingerprint, c[j].fingerprint, 1024),
                   r = correlation(factor + i * FACTORS, factor + j * FACTORS);
            if (t > 0.6) sum += r, near++;
            if (t < 0.2) far_sum += r, far++;
        }
    }
    printf("# %d compounds, %d active; effects of %d pairs with Tanimoto > 0.6 correlate %.3f, of %d below 0.2 %.3f\n", n, n_active, near,
           sum / near, far, far_sum / far);
    ok(n >= 320 && keys, "at least 320 compounds, with the InChIKeys of their SMILES");
    ok(n_active == n - n / 3 && zero, "a third is inactive, with no effect at all");
    ok(by_mechanism > 0.95 * n, "active compounds share a named mechanism");
    ok(near > 50 && sum / near > least && sum / near<most, least> 0 ? "similar structures act alike" : "nor do similar structures");
    ok(fabs(far_sum / far) < 0.3, "different ones do not");
    free(factor);
    free(active);
    free(c);
}

static void test_layout(const char *root)
{
    table *t = NULL;
    char *path = path_join(root, "metadata/well.csv.gz");
    int controls = 0, empty = 0, same_place = 0;
    if (!ok(table_read(&t, path) == OK, "the well table is there")) return;
    for (int64_t i = 0; i < 96; i++) {
        controls += !strcmp(table_cell(t, i, 3), "JCP2022_033924");
        empty += !strcmp(table_cell(t, i, 3), "JCP2022_999999");
        same_place += !strcmp(table_cell(t, i, 3), table_cell(t, i + 96, 3));
    }
    ok(table_n_rows(t) == 6 * 96 && controls == 16 && empty >= 4, "a sixth controls, some wells empty");
    ok(same_place < 40, "places change from plate to plate");
    free(path);
    table_free(&t);
}

/* The whole chain from tables to files, as the other stages see it. */
static void test_index(const config *cfg)
{
    screen_index *ix = NULL;
    findings found = {0};
    index_options o = index_options_of(cfg);
    if (!ok(index_build(&ix, &o) == OK && index_n_rows(ix) == 1152 && index_n_plates(ix) == 6, "the tables are joined")) return;
    index_check_files(ix, 0, 6, false, 0.05, &found);
    text t = {0};
    findings_show(index_findings(ix), &t);
    findings_show(&found, &t);
    same(text_str(&t), "", "nothing is found amiss in tables and files");
    text_free(&t);
    findings_free(&found);
    index_free(&ix);
}

int main(void)
{
    work_dir = tap_dir();
    setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
    setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
    char *small = below("small"), *wide = below("wide"), *options = xasprintf("--out '%s' --size 96", small);
    char *more = xasprintf("--out '%s' --size 32 --sites 1 --sources 1 --plates 2 --wells 384 --compounds 459", wide);
    table *truth = NULL, *list = NULL;
    screen s = {0};
    config cfg = {0};
    if (ok(run(options), "a small screen is made")) {
        char *yaml = path_join(small, "screen.yaml"), *name = path_join(small, "truth/compounds.csv");
        ok(config_read(&cfg, yaml, NULL) == OK, "its configuration is one");
        test_index(&cfg);
        ok(read_screen(&s, small, 1152) && s.n == 1152, "its pictures are read");
        ok(table_read(&truth, name) == OK, "its truth is there");
        test_layout(small);
        test_pictures(&s);
        test_inactive(&s, truth);
        test_oracle(small, truth, "24 compounds");
        table_free(&truth);
        free(yaml);
        free(name);
    }
    if (ok(run(more), "all compounds are possible")) {
        char *name = path_join(wide, "truth/compounds.csv"), *of = path_join(wide, "metadata/compound.csv.gz");
        ok(table_read(&truth, name) == OK && table_read(&list, of) == OK, "their tables are there");
        test_structure(list, truth, 0.5, 1);
        test_oracle(wide, truth, "all compounds");
        table_free(&truth);
        table_free(&list);
        free(name);
        free(of);
    }
    char *unrelated = below("unrelated");
    char *few = xasprintf("--out '%s' --size 32 --sites 1 --sources 1 --wells 384 --compounds 459 --structure 0", unrelated);
    if (ok(run(few), "effects that structures do not explain")) {
        char *name = path_join(unrelated, "truth/compounds.csv"), *of = path_join(unrelated, "metadata/compound.csv.gz");
        ok(table_read(&truth, name) == OK && table_read(&list, of) == OK, "their tables are there");
        test_structure(list, truth, -0.1, 0.1);
        table_free(&truth);
        table_free(&list);
        free(name);
        free(of);
    }
    return tap_done();
}

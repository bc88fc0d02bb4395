/* retrieval_score.c -- what is counted from the neighbours: hits, chance, votes. */
#include "micon/profile/retrieval.h"

#include "micon/base/mem.h"

#include <math.h>
#include <stdlib.h>

/* What a candidate is counted by: label, group, place, or fewer of them; sorted, so that counts are look-ups. */
typedef struct {
    int32_t code[3];
} count_key;

static int by_codes(const void *a, const void *b)
{
    const count_key *x = a, *y = b;
    for (int i = 0; i < 3; i++)
        if (x->code[i] != y->code[i]) return x->code[i] < y->code[i] ? -1 : 1;
    return 0;
}

/* How many of the sorted v begin with the first `depth` codes of key. */
static int64_t count_prefix(const count_key *v, int64_t n, count_key key, int depth)
{
    int64_t bound[2];
    for (int side = 0; side < 2; side++) {
        int64_t a = 0, b = n;
        for (int i = depth; i < 3; i++) key.code[i] = side == 0 ? INT32_MIN : INT32_MAX;
        while (a < b) {
            int64_t m = a + (b - a) / 2;
            int order = by_codes(&v[m], &key);
            if (side == 0 ? order < 0 : order <= 0)
                a = m + 1;
            else
                b = m;
        }
        bound[side] = a;
    }
    return bound[1] - bound[0];
}

/* The candidates in four orders: those that share one code or several with a query are together in one of them. */
enum { LABEL_GROUP_PLACE, LABEL_PLACE, GROUP_PLACE, PLACE, N_ORDERS };
typedef struct {
    count_key *key[N_ORDERS];
    int64_t n;
} counted;

static status counted_init(counted *c, const retrieval_setting *set, const int32_t *label, int64_t n)
{
    status st = OK;
    for (int k = 0; k < N_ORDERS; k++) TRY(mem_alloc(&c->key[k], (size_t)n, sizeof **c->key, "candidates"));
    for (int64_t i = 0; i < n; i++) {
        if (set->candidate_mask && !set->candidate_mask[i]) continue;
        int32_t group = set->query_group ? set->candidate_group[i] : 0, place = set->query_place ? set->candidate_place[i] : 0;
        c->key[LABEL_GROUP_PLACE][c->n] = (count_key){{label[i], group, place}};
        c->key[LABEL_PLACE][c->n] = (count_key){{label[i], place, 0}};
        c->key[GROUP_PLACE][c->n] = (count_key){{group, place, 0}};
        c->key[PLACE][c->n++] = (count_key){{place, 0, 0}};
    }
    for (int k = 0; k < N_ORDERS; k++) qsort(c->key[k], (size_t)c->n, sizeof **c->key, by_codes);
done:
    return st;
}

/* All less those of the query's group, less those of its place, and those of both, which were taken off twice. */
static int64_t count_others(const counted *c, const retrieval_setting *set, int64_t query, const int32_t *label)
{
    int64_t n = label ? count_prefix(c->key[LABEL_GROUP_PLACE], c->n, (count_key){{*label}}, 1) : c->n;
    int32_t group = set->query_group ? set->query_group[query] : 0, place = set->query_place ? set->query_place[query] : 0;
    if (set->query_group)
        n -= label ? count_prefix(c->key[LABEL_GROUP_PLACE], c->n, (count_key){{*label, group}}, 2)
                   : count_prefix(c->key[GROUP_PLACE], c->n, (count_key){{group}}, 1);
    if (set->query_place)
        n -= label ? count_prefix(c->key[LABEL_PLACE], c->n, (count_key){{*label, place}}, 2)
                   : count_prefix(c->key[PLACE], c->n, (count_key){{place}}, 1);
    if (set->query_group && set->query_place)
        n += label ? count_prefix(c->key[LABEL_GROUP_PLACE], c->n, (count_key){{*label, group, place}}, 3)
                   : count_prefix(c->key[GROUP_PLACE], c->n, (count_key){{group, place}}, 2);
    return n;
}

status retrieval_counts(const retrieval_setting *set, const int32_t *query_label, int64_t first, int64_t n, const int32_t *candidate_label,
                        int64_t n_candidate, int64_t *n_possible, int64_t *n_match)
{
    status st = OK;
    counted c = {0};
    TRY(counted_init(&c, set, candidate_label, n_candidate));
    for (int64_t i = 0; i < n; i++) {
        n_possible[i] = n_match[i] = -1;
        if (set->query_mask && !set->query_mask[first + i]) continue;
        const int32_t *label = &query_label[first + i];
        n_possible[i] = count_others(&c, set, first + i, NULL);
        n_match[i] = *label < 0 ? 0 : count_others(&c, set, first + i, label);
    }
done:
    for (int k = 0; k < N_ORDERS; k++) free(c.key[k]);
    return st;
}

void retrieval_first_match(const int32_t *row, int64_t n, int k, const int32_t *query_label, const int32_t *candidate_label, int32_t *rank)
{
    for (int64_t i = 0; i < n; i++) {
        rank[i] = 0;
        for (int j = 0; j < k && row[i * k + j] >= 0 && rank[i] == 0 && query_label[i] >= 0; j++)
            if (candidate_label[row[i * k + j]] == query_label[i]) rank[i] = j + 1;
    }
}

void retrieval_matches(const int32_t *row, int64_t n, int k, const int32_t *query_label, const int32_t *candidate_label, uint8_t *matches)
{
    for (int64_t i = 0; i < n; i++) {
        uint8_t found = 0;
        for (int j = 0; j < k; j++) {
            int32_t at = row[i * k + j];
            found = (uint8_t)(found + (at >= 0 && query_label[i] >= 0 && candidate_label[at] == query_label[i]));
            matches[i * k + j] = found;
        }
    }
}

double retrieval_precision_chance(const int64_t *n_possible, const int64_t *n_match, int64_t n, int k)
{
    double sum = 0;
    int64_t used = 0;
    for (int64_t i = 0; i < n; i++) {
        if (n_match[i] <= 0) continue;
        int64_t places = n_possible[i] < k ? n_possible[i] : k;
        sum += (double)places * (double)n_match[i] / ((double)n_possible[i] * k);
        used++;
    }
    return used ? sum / (double)used : NAN;
}

double retrieval_chance(int64_t n, int64_t m, int k)
{
    double miss = 1;
    for (int64_t i = 0; i < k && i < n; i++) {
        if (n - m - i <= 0) return 1;
        miss *= (double)(n - m - i) / (double)(n - i);
    }
    return 1 - miss;
}

void retrieval_by_label(const int32_t *rank, const int64_t *n_match, const int32_t *label, int64_t n, int32_t n_label, int k, double *hit,
                        double *asked)
{
    for (int32_t c = 0; c < n_label; c++) hit[c] = asked[c] = 0;
    for (int64_t i = 0; i < n; i++) {
        if (n_match[i] <= 0) continue; /* does not ask, or cannot be answered */
        asked[label[i]] += 1;
        hit[label[i]] += rank[i] > 0 && rank[i] <= k;
    }
}

void retrieval_summarize(const int32_t *rank, const int64_t *n_possible, const int64_t *n_match, const int32_t *label, int64_t n,
                         int32_t n_label, int k, retrieval_score *out)
{
    double *hit = xcalloc((size_t)n_label + 1, sizeof *hit), *asked = xcalloc((size_t)n_label + 1, sizeof *asked);
    *out = (retrieval_score){.k = k};
    for (int64_t i = 0; i < n; i++) {
        out->n_queries += n_match[i] > 0;
        out->n_impossible += n_match[i] == 0;
    }
    for (int at = 1; at <= k; at++) {
        double hits = 0, shares = 0, chance = 0;
        retrieval_by_label(rank, n_match, label, n, n_label, at, hit, asked);
        out->n_classes = 0;
        for (int32_t c = 0; c < n_label; c++) {
            if (asked[c] == 0) continue;
            out->n_classes++;
            hits += hit[c];
            shares += hit[c] / asked[c];
        }
        for (int64_t i = 0; i < n; i++)
            if (n_match[i] > 0) chance += retrieval_chance(n_possible[i], n_match[i], at);
        out->hits[at - 1] = out->n_queries ? hits / (double)out->n_queries : NAN;
        out->by_class[at - 1] = out->n_classes ? shares / (double)out->n_classes : NAN;
        out->chance[at - 1] = out->n_queries ? chance / (double)out->n_queries : NAN;
    }
    free(hit);
    free(asked);
}

void retrieval_vote(const int32_t *row, int64_t n, int k, const int32_t *candidate_label, int32_t *label)
{
    for (int64_t i = 0; i < n; i++) {
        const int32_t *r = row + i * k;
        int most = 0;
        label[i] = -1;
        for (int a = 0; a < k && r[a] >= 0; a++) { /* nearest first: a later label must have more votes to win */
            int votes = 0;
            int32_t l = candidate_label[r[a]];
            if (l < 0) continue;
            for (int b = 0; b < k && r[b] >= 0; b++) votes += candidate_label[r[b]] == l;
            if (votes > most) most = votes, label[i] = l;
        }
    }
}

double retrieval_accuracy(const int32_t *vote, const int32_t *label, int64_t n, int64_t *n_used)
{
    int64_t used = 0, right = 0;
    for (int64_t i = 0; i < n; i++) {
        if (vote[i] < 0 || label[i] < 0) continue;
        used++;
        right += vote[i] == label[i];
    }
    if (n_used) *n_used = used;
    return used ? (double)right / (double)used : NAN;
}

int retrieval_others(const int32_t *hit, int k, const uint8_t *sought, int32_t own, const int32_t *label)
{
    int found = 0;
    for (int j = 0; j < k && hit[j] >= 0; j++) {
        int32_t l = label[hit[j]];
        int before = 0;
        while (before < j && label[hit[before]] != l) before++;
        found += before == j && l != own && sought[l];
    }
    return found;
}

/* retrieval_score.c -- what is counted from the neighbours: hits, chance, votes. */
#include "micon/profile/retrieval.h"

#include "micon/base/mem.h"

#include <math.h>
#include <stdlib.h>

/* The candidates as sorted (label, group) pairs, so that both counts are look-ups. */
static int u64_cmp(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* How many of the sorted v lie in [low, high]. */
static int64_t count_between(const uint64_t *v, int64_t n, uint64_t low, uint64_t high)
{
    int64_t bound[2];
    for (int side = 0; side < 2; side++) {
        int64_t a = 0, b = n;
        while (a < b) {
            int64_t m = a + (b - a) / 2;
            if (side == 0 ? v[m] < low : v[m] <= high)
                a = m + 1;
            else
                b = m;
        }
        bound[side] = a;
    }
    return bound[1] - bound[0];
}

static uint64_t pair(int32_t label, int32_t group)
{
    return (uint64_t)(uint32_t)label << 32 | (uint32_t)group;
}

status retrieval_counts(const retrieval_setting *set, const int32_t *query_label, int64_t first, int64_t n, const int32_t *candidate_label,
                        int64_t n_candidate, int64_t *n_possible, int64_t *n_match)
{
    status st = OK;
    uint64_t *labels = NULL, *groups = NULL;
    int64_t m = 0;
    TRY(mem_alloc(&labels, (size_t)n_candidate, sizeof *labels, "candidates"));
    TRY(mem_alloc(&groups, (size_t)n_candidate, sizeof *groups, "candidates"));
    for (int64_t i = 0; i < n_candidate; i++) {
        if (set->candidate_mask && !set->candidate_mask[i]) continue;
        int32_t group = set->query_group ? set->candidate_group[i] : 0;
        labels[m] = pair(candidate_label[i], group);
        groups[m++] = pair(0, group);
    }
    qsort(labels, (size_t)m, sizeof *labels, u64_cmp);
    qsort(groups, (size_t)m, sizeof *groups, u64_cmp);
    for (int64_t i = 0; i < n; i++) {
        n_possible[i] = n_match[i] = -1;
        if (set->query_mask && !set->query_mask[first + i]) continue;
        int32_t label = query_label[first + i];
        n_possible[i] = m;
        n_match[i] = label < 0 ? 0 : count_between(labels, m, pair(label, 0), pair(label, -1));
        if (!set->query_group) continue;
        int32_t group = set->query_group[first + i];
        n_possible[i] -= count_between(groups, m, pair(0, group), pair(0, group));
        if (label >= 0) n_match[i] -= count_between(labels, m, pair(label, group), pair(label, group));
    }
done:
    free(labels);
    free(groups);
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

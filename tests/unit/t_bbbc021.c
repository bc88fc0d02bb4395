/* t_bbbc021.c -- real CellProfiler profiles: the published values after robust MAD, and the mechanism accuracy, where the files are. */
#include "../profile_data.h"
#include "micon/base/num.h"
#include "micon/base/text.h"
#include "micon/formats/csv.h"
#include "micon/profile/consensus.h"
#include "micon/profile/linear_algebra.h"
#include "micon/profile/normalize.h"
#include "micon/profile/retrieval.h"

#define FOLDER "bbbc021/"
enum { WELLS = 632, MAX_D = 520 };

typedef struct {
    table *raw, *done;
    float *x, *y;       /* raw features in the published order of wells; normalized */
    int32_t col[MAX_D]; /* of raw */
    int d;
} profiles;

/* The raw row of each published one, by plate and well. */
static int load(profiles *p)
{
    names keys = {0};
    text key = {0};
    int good = table_n_rows(p->raw) == WELLS && table_n_rows(p->done) == WELLS;
    p->x = calloc((size_t)WELLS * MAX_D, sizeof *p->x), p->y = calloc((size_t)WELLS * MAX_D, sizeof *p->y);
    for (int c = 0; c < table_n_cols(p->raw); c++)
        if (strncmp(table_col_name(p->raw, c), "Image_Metadata_", 15) != 0) p->col[p->d++] = c;
    for (int i = 0; good && i < WELLS; i++) {
        text_clear(&key);
        text_addf(&key, "%s/%s", table_cell(p->raw, i, 0), table_cell(p->raw, i, 1));
        names_add(&keys, text_str(&key));
    }
    for (int i = 0; good && i < WELLS; i++) {
        text_clear(&key);
        text_addf(&key, "%s/%s", table_cell(p->done, i, 0), table_cell(p->done, i, 1));
        long from = names_find(&keys, text_str(&key));
        good &= from >= 0;
        for (int j = 0; good && j < p->d; j++) {
            double v = NAN;
            good &= num_f64(table_cell(p->raw, from, p->col[j]), &v);
            p->x[i * p->d + j] = (float)v;
        }
    }
    names_free(&keys);
    text_free(&key);
    return good;
}

/* Every published column among ours, normalized. */
static void published(const profiles *p, const normalize_params *n)
{
    int32_t kept[MAX_D];
    int found = 0;
    double worst = 0;
    normalize_kept(n, kept);
    for (int c = 5; c < table_n_cols(p->done); c++)
        for (int64_t j = 0; j < n->d_kept; j++) {
            if (strcmp(table_col_name(p->done, c), table_col_name(p->raw, p->col[kept[j]])) != 0) continue;
            found++;
            for (int i = 0; i < WELLS; i++) {
                double want = NAN, got = p->y[i * n->d_kept + j];
                if (!num_f64(table_cell(p->done, i, c), &want)) want = NAN;
                double raw = fabs(p->x[i * p->d + kept[j]] / n->scale[kept[j]]); /* a float is off by 6e-8 of its size; */
                double off = fabs(got - want) / ((1 + fabs(want)) * (1 + raw));  /* and so are the median and the MAD */
                if (!(off <= worst)) worst = off;
            }
        }
    printf("# %d columns, largest difference %.1e of the value's scale\n", found, worst);
    ok(found == 189 && worst < 3e-7,
       "the 189 published columns after robust MAD over all wells: (x - median) / (1.4826 MAD), to float rounding");
}

static void mechanisms(const profiles *p, int64_t d)
{
    names treatment = {0}, compound = {0}, moa = {0};
    text key = {0};
    int32_t label[WELLS], comp[128], mech[128], row[128], vote[128];
    int64_t count[128];
    for (int i = 0; i < WELLS; i++) {
        const char *c = table_cell(p->done, i, 2), *m = table_cell(p->done, i, 4);
        label[i] = -1;
        if (!*m || strcmp(m, "DMSO") == 0) continue;
        text_clear(&key);
        text_addf(&key, "%s@%s", c, table_cell(p->done, i, 3));
        long at = names_find(&treatment, text_str(&key));
        if (names_find(&compound, c) < 0) names_add(&compound, c);
        if (names_find(&moa, m) < 0) names_add(&moa, m);
        if (at < 0) names_add(&treatment, text_str(&key)), at = (long)treatment.n - 1;
        label[i] = (int32_t)at, comp[at] = (int32_t)names_find(&compound, c), mech[at] = (int32_t)names_find(&moa, m);
    }
    int n = (int)treatment.n;
    ok(n == 103 && moa.n == 12, "103 treatments of 12 mechanisms");
    float *consensus = calloc((size_t)(n * d), sizeof *consensus);
    retrieval_setting set = {NULL, NULL, comp, comp, NULL, NULL};
    int st = (int)consensus_median(&(profile_rows){.x = p->y, .n = WELLS, .d = d, .label = label}, n, consensus, count);
    linear_unit_rows(consensus, n, d, consensus);
    st |= (int)retrieval_topk(&(profile_rows){.x = consensus, .d = d}, (row_range){0, n}, &(profile_rows){.x = consensus, .n = n, .d = d},
                              &(retrieval_search){.set = &set, .n_set = 1, .k = 1}, row, NULL);
    retrieval_vote(row, n, 1, mech, vote);
    double accuracy = retrieval_accuracy(vote, mech, n, NULL);
    printf("# mechanism accuracy, not same compound, nearest neighbour: %.3f\n", accuracy);
    ok(st == OK && accuracy >= 0.73 && accuracy <= 0.89, "mechanism accuracy lies in the published interval, 0.73 to 0.89");
    near(accuracy, 87 / 103.0, 1e-12, "and is numpy's on the same data: 87 of 103");
    free(consensus);
    names_free(&treatment);
    names_free(&compound);
    names_free(&moa);
    text_free(&key);
}

int main(void)
{
    profiles p = {0};
    FILE *f = fopen(tap_shared(FOLDER "BBBC021_feature_selected_mad_robustize.csv"), "r");
    if (!f) {
        tap_skip("BBBC021", tap_shared(FOLDER));
        return tap_done();
    }
    fclose(f);
    int st = (int)table_read(&p.raw, tap_shared(FOLDER "ljosa_jbiomolscreen_2013_per_well_mean.csv.gz")) |
             (int)table_read(&p.done, tap_shared(FOLDER "BBBC021_feature_selected_mad_robustize.csv"));
    if (ok(st == OK && load(&p), "both tables, matched by plate and well")) {
        int32_t group[WELLS] = {0};
        normalize_params n;
        normalize_rows rows = {.group = group, .n_group = 1, .min_controls = 4};
        ok(normalize_fit(&n, NORMALIZE_MAD, &(normalize_table){.x = p.x, .n = WELLS, .d = p.d}, &rows) == OK && n.d_kept == 513,
           "513 of 516 features vary");
        normalize_apply(&n, &(normalize_table){.x = p.x, .n = WELLS}, group, p.y, NULL);
        published(&p, &n);
        mechanisms(&p, n.d_kept);
        normalize_free(&n);
    }
    table_free(&p.raw);
    table_free(&p.done);
    free(p.x);
    free(p.y);
    return tap_done();
}

/* trust.c -- how far predictions of this screen and model can be trusted: measured on compounds that the screen holds and training never
 * saw, by how similar they are to what training saw. */
#include "predict.h"

#include "micon/base/mem.h"
#include "micon/mpi/comm.h"
#include "micon/profile/linear_algebra.h"
#include "micon/profile/retrieval.h"
#include "micon/stage/doses.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_COMPOUNDS = 10 }; /* for a statement */
const double trust_bounds[TRUST_BINS + 1] = {0, 0.3, 0.5, 1};

void pack_vector(const vectors *v, int64_t row, uint8_t *fingerprint)
{
    memset(fingerprint, 0, (size_t)v->d / 8);
    for (int64_t b = 0; b < v->d; b++)
        if (v->x[row * v->d + b] != 0) fingerprint[b / 8] = (uint8_t)(fingerprint[b / 8] | 1u << b % 8);
}

status training_compounds_find(training_compounds *t, const source *from)
{
    status st = OK;
    const names *seen = &from->m.compounds;
    t->bits = (int)from->v.d;
    TRY(mem_alloc(&t->fingerprint, seen->n, (size_t)t->bits / 8, "fingerprints"));
    TRY(mem_alloc(&t->key, seen->n, sizeof *t->key, "compounds"));
    for (size_t i = 0; i < seen->n; i++) {
        int64_t row = compound_vectors_find(&from->v, seen->item[i]);
        if (row < 0) continue; /* a model of another screen */
        t->key[t->n] = seen->item[i];
        pack_vector(&from->v, row, t->fingerprint + t->n++ * (t->bits / 8));
    }
done:
    return st;
}

void training_compounds_free(training_compounds *t)
{
    free(t->fingerprint);
    free(t->key);
}

int64_t training_compounds_nearest(const training_compounds *t, const uint8_t *fingerprint, double *similarity)
{
    int64_t best = -1;
    *similarity = NAN;
    for (int64_t i = 0; i < t->n; i++) {
        double s = compound_tanimoto(fingerprint, t->fingerprint + i * (t->bits / 8), t->bits);
        if (best < 0 || s > *similarity) best = i, *similarity = s;
    }
    return best;
}

/* ---- compounds that training never saw ---- */

/* A held-out compound: its vector, its treatments (one a dose) are those with its name. A model with doses predicts it at the highest. */
typedef struct {
    int64_t row;
    const char *name;
    double similarity, dose;
} held_out;

static double highest_dose(const known_treatments *k, const char *name, const double *dose)
{
    double most = NAN;
    for (int64_t i = 0; i < k->n; i++)
        if (strcmp(k->compound[i], name) == 0) most = fmax(most, dose[k->class[i]]);
    return most;
}

static status list_held_out(const source *from, const known_treatments *k, const training_compounds *t, held_out **out, int64_t *n)
{
    status st = OK;
    uint8_t *fingerprint = NULL;
    double *dose = NULL;
    if (from->m.has_dose) TRY(doses_of_classes(from->ix, &dose));
    TRY(mem_alloc(out, (size_t)k->n, sizeof **out, "compounds"));
    TRY(mem_alloc(&fingerprint, (size_t)t->bits / 8, 1, "fingerprints"));
    for (int64_t i = 0; i < k->n; i++) {
        if (i > 0 && strcmp(k->compound[i], k->compound[i - 1]) == 0) continue; /* another dose: treatments are in order */
        int64_t row = compound_vectors_find(&from->v, k->compound[i]);
        if (row < 0 || names_find(&from->m.compounds, compound_vectors_key(&from->v, row)) >= 0) continue;
        double at = dose ? highest_dose(k, k->compound[i], dose) : 0;
        if (isnan(at)) continue; /* wells without a dose, which the model cannot predict */
        held_out *h = &(*out)[(*n)++];
        *h = (held_out){.row = row, .name = k->compound[i], .dose = at};
        pack_vector(&from->v, row, fingerprint);
        training_compounds_nearest(t, fingerprint, &h->similarity);
    }
done:
    free(fingerprint);
    free(dose);
    return st;
}

static int bin_of(double similarity)
{
    int bin = 0;
    while (bin < TRUST_BINS - 1 && similarity >= trust_bounds[bin + 1]) bin++;
    return bin;
}

/* Is a treatment of the compound among the nearest `tenth` to the profile? */
static bool is_found(const known_treatments *k, const char *name, const float *x, int64_t d, int64_t tenth, int64_t *n_own)
{
    double own = -2;
    int64_t nearer = 0;
    *n_own = 0;
    for (int64_t i = 0; i < k->n; i++) {
        if (strcmp(k->compound[i], name) != 0) continue;
        double s = linear_dot(x, k->x + i * d, d);
        if (s > own) own = s;
        ++*n_own;
    }
    for (int64_t i = 0; i < k->n; i++) nearer += strcmp(k->compound[i], name) != 0 && linear_dot(x, k->x + i * d, d) >= own;
    return nearer < tenth;
}

static status measure(trust *t, const source *from, const known_treatments *k, const held_out *h, int64_t n)
{
    status st = OK;
    predicted p = {0};
    float *x = NULL;
    double *dose = NULL;
    int64_t d = from->m.projection, bits = from->v.d;
    TRY(mem_alloc(&x, (size_t)(n * bits), sizeof *x, "compound vectors"));
    TRY(mem_alloc(&dose, (size_t)n, sizeof *dose, "doses"));
    for (int64_t i = 0; i < n; i++) memcpy(x + i * bits, from->v.x + h[i].row * bits, (size_t)bits * sizeof *x), dose[i] = h[i].dose;
    TRY(predicted_make(&p, from, k, &(compound_rows){.x = x, .dose = dose}, n));
    for (int64_t i = 0; i < n; i++) {
        int64_t own;
        bool found = is_found(k, h[i].name, p.normalized + i * d, d, t->tenth, &own);
        int at[2] = {TRUST_BINS, isnan(h[i].similarity) ? -1 : bin_of(h[i].similarity)};
        for (int b = 0; b < 2; b++) {
            if (at[b] < 0) continue;
            t->n[at[b]]++;
            t->found[at[b]] += found;
            t->chance[at[b]] += retrieval_chance(k->n, own, (int)t->tenth);
        }
    }
done:
    predicted_free(&p);
    free(x);
    free(dose);
    return st;
}

status trust_measure_all(trust *t, const source *from, const known_treatments *k, const training_compounds *training)
{
    status st = OK;
    held_out *h = NULL;
    int64_t n = 0;
    MPI_Comm comm = from->g->comm;
    t->treatments = k->n;
    t->tenth = k->n > 10 ? k->n / 10 : 1;
    TRY_ALL(comm, list_held_out(from, k, training, &h, &n));
    TRY_ALL(comm, from->g->rank == 0 ? measure(t, from, k, h, n) : OK);
    MPI_Bcast(t, (int)sizeof *t, MPI_BYTE, 0, comm);
done:
    free(h);
    return st;
}

int trust_bin(const trust *t, double similarity)
{
    int bin = isnan(similarity) ? TRUST_BINS : bin_of(similarity);
    if (t->n[bin] >= LEAST_COMPOUNDS) return bin;
    return t->n[TRUST_BINS] >= LEAST_COMPOUNDS ? TRUST_BINS : -1;
}

/* Wilson's 95 % interval of a share. */
static void interval(double k, double n, double *low, double *high)
{
    const double z = 1.959963984540054;
    double p = k / n, middle = p + z * z / (2 * n), half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)), by = 1 + z * z / n;
    *low = (middle - half) / by, *high = (middle + half) / by;
}

void trust_words(const trust *t, int bin, text *out)
{
    char among[60] = "held-out compounds";
    double low, high;
    if (bin < 0) {
        text_addf(out, "unknown: the screen has %lld compounds that training did not see (split.unseen_compounds), at least %d are needed",
                  (long long)t->n[TRUST_BINS], LEAST_COMPOUNDS);
        return;
    }
    double n = (double)t->n[bin], share = (double)t->found[bin] / n, chance = t->chance[bin] / n;
    interval((double)t->found[bin], n, &low, &high);
    if (bin < TRUST_BINS)
        snprintf(among, sizeof among, "held-out compounds of similarity %.1f to %.1f", trust_bounds[bin], trust_bounds[bin + 1]);
    text_addf(out, "%s: of %lld %s %.2f (%.2f to %.2f) have their own wells among the nearest %lld of %lld treatments, by chance %.2f",
              low > chance    ? "better than chance"
              : high < chance ? "worse than chance"
                              : "not shown to be better than chance",
              (long long)t->n[bin], among, share, low, high, (long long)t->tenth, (long long)t->treatments, chance);
}

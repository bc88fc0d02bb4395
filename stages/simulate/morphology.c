/* morphology.c -- what a compound does to cells.
 *
 * The fingerprint's set bits pull in fixed random directions of the factor space; their sum, divided by the root of their number,
 * is a smooth function of the structure: two molecules that share bits share directions. Added to it are a direction of the mechanism
 * and one of the compound alone, which no structure tells; --structure says how the variance is shared out between the three. The sum is
 * bounded by tanh, times the compound's strength. None of this depends on the seed; the seed chooses the compounds, their strengths, and
 * the third of them that does nothing. Inactive ones come mostly in families (nothing of that mechanism shows in these cells), some alone
 * (an analogue that does not bind). */
#include "micon/base/digest.h"
#include "micon/base/mem.h"
#include "micon/compound/compound.h"
#include "simulate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REACH 1.45 /* typical size of a factor at strength 1 */
#define BOUND 2.6

enum { FIXED_SEED = 19970812, AT_ONCE = 4 };

uint32_t sim_seed(const sim_options *o)
{
    return (uint32_t)o->seed;
}

static void add_direction(double out[FACTORS], rng r, double weight)
{
    for (int k = 0; k < FACTORS; k++) out[k] += weight * rng_normal(&r);
}

/* Members of a mechanism have similar structures, so what a mechanism does can be told from structures too: without a share of structure
 * it has none either, and all is the compound's own. 0.6: 0.25 and 0.15 are left for the other two. */
static void factors_of(sim_compound *c, double structure)
{
    double mechanism = fmin(structure / 2.4, (1 - structure) / 1.6), own = 1 - structure - mechanism;
    double sum[FACTORS] = {0}, d[FACTORS] = {0};
    int set = 0;
    for (int bit = 0; bit < SIM_BITS; bit++) {
        if (!(c->fingerprint[bit / 8] >> bit % 8 & 1)) continue;
        add_direction(sum, rng_at(FIXED_SEED, SIM_STRUCTURE, 0, (uint64_t)bit), 1);
        set++;
    }
    for (int k = 0; k < FACTORS; k++) d[k] = sqrt(structure / fmax(set, 1)) * sum[k];
    add_direction(d, rng_at(FIXED_SEED, SIM_MECHANISM, 0, digest_text(c->mechanism)), sqrt(mechanism));
    add_direction(d, rng_at(FIXED_SEED, SIM_MECHANISM, 1, digest_text(c->key)), sqrt(own));
    for (int k = 0; k < FACTORS; k++) c->factor[k] = c->active ? BOUND * tanh(c->strength * REACH * d[k] / BOUND) : 0;
}

double morphology_dose(int number)
{
    return -2 - 0.5 * number; /* 10 uM, 3.16 uM, 1 uM, ... */
}

double morphology_share(const sim_compound *c, int number)
{
    enum { SLOPE = 2 }; /* Hill's */
    return 1 / (1 + pow(10, SLOPE * (c->half - morphology_dose(number))));
}

typedef struct {
    int of, member, id;
} pick;

/* Families in the seed's order; the first members of each before the others, so that mechanisms are shared by a few. */
static void choose(pick *out, const sim_options *o)
{
    int n_families = list_families(), base = 0;
    int64_t *order = xmalloc(sizeof *order * (size_t)n_families);
    int *first_id = xmalloc(sizeof *first_id * (size_t)n_families);
    for (int i = 0; i < n_families; i++) order[i] = i, first_id[i] = base, base += list_members(i);
    rng r = rng_at(sim_seed(o), SIM_CHOICE, 0, 0);
    rng_shuffle(&r, order, n_families);
    int64_t n = 0;
    for (int round = 0; n < o->compounds; round++) {
        for (int i = 0; i < n_families && n < o->compounds; i++) {
            int of = (int)order[i], size = list_members(of);
            /* A family's members in an order of its own: drugs and variants mixed. */
            int64_t turn[16];
            for (int m = 0; m < size; m++) turn[m] = m;
            rng t = rng_at(sim_seed(o), SIM_CHOICE, 1, (uint64_t)of);
            rng_shuffle(&t, turn, size);
            for (int m = round * AT_ONCE; m < size && m < (round + 1) * AT_ONCE && n < o->compounds; m++)
                out[n++] = (pick){of, (int)turn[m], first_id[of] + (int)turn[m]};
        }
    }
    free(order);
    free(first_id);
}

static int by_id(const void *a, const void *b)
{
    return ((const pick *)a)->id - ((const pick *)b)->id;
}

typedef struct {
    double score;
    int at;
} ranked;

static int by_score(const void *a, const void *b)
{
    double x = ((const ranked *)a)->score, y = ((const ranked *)b)->score;
    return x < y ? -1 : x > y ? 1 : ((const ranked *)a)->at - ((const ranked *)b)->at;
}

static void choose_inactive(sim_compound *out, const pick *picks, const sim_options *o)
{
    ranked *rank = xmalloc(sizeof *rank * (size_t)o->compounds);
    for (int i = 0; i < o->compounds; i++) {
        rng family = rng_at(sim_seed(o), SIM_CHOICE, 2, (uint64_t)picks[i].of),
            own = rng_at(sim_seed(o), SIM_CHOICE, 3, (uint64_t)picks[i].id);
        rank[i] = (ranked){sqrt(0.75) * rng_normal(&family) + sqrt(0.25) * rng_normal(&own), i};
        out[i].strength = 0.85 + 0.45 * rng_uniform(&own);
    }
    qsort(rank, (size_t)o->compounds, sizeof *rank, by_score);
    for (int i = 0; i < o->compounds; i++) out[rank[i].at].active = i >= o->compounds / 3;
    for (int i = 0; i < o->compounds; i++)
        if (!out[i].active) out[i].strength = 0;
    free(rank);
}

status morphology_compounds(sim_compound *out, const sim_options *o)
{
    status st = OK;
    pick *picks = xcalloc((size_t)o->compounds, sizeof *picks);
    compound *molecule = xmalloc(sizeof *molecule);
    text name = {0}, smiles = {0};
    TRY(compound_init(COMPOUND_ECFP4));
    choose(picks, o);
    qsort(picks, (size_t)o->compounds, sizeof *picks, by_id);
    memset(out, 0, sizeof *out * (size_t)o->compounds);
    choose_inactive(out, picks, o);
    for (int i = 0; i < o->compounds; i++) {
        sim_compound *c = &out[i];
        list_member(picks[i].of, picks[i].member, &name, &smiles);
        compound_read(molecule, smiles.s, smiles.n, COMPOUND_ECFP4, SIM_BITS);
        if (molecule->state != COMPOUND_OK) TRY(fail(E_FAILED, "%s (%s): Open Babel says %s", name.s, smiles.s, molecule->reason));
        if (name.n >= SIM_NAME || smiles.n >= SIM_SMILES) TRY(fail(E_INTERNAL, "%s: too long for its table", name.s));
        snprintf(c->id, sizeof c->id, "JCP2022_%06d", 200001 + picks[i].id);
        snprintf(c->name, sizeof c->name, "%s", name.s);
        snprintf(c->smiles, sizeof c->smiles, "%s", smiles.s);
        snprintf(c->mechanism, sizeof c->mechanism, "%s", list_mechanism(picks[i].of));
        snprintf(c->key, sizeof c->key, "%s", molecule->key);
        memcpy(c->fingerprint, molecule->fingerprint, sizeof c->fingerprint);
        rng r = rng_at(sim_seed(o), SIM_CHOICE, 4, (uint64_t)picks[i].id);
        c->half = (morphology_dose(0) + morphology_dose((int)o->doses - 1)) / 2 + 0.8 * (rng_uniform(&r) - 0.5);
        factors_of(c, o->structure);
    }
done:
    text_free(&name);
    text_free(&smiles);
    free(picks);
    free(molecule);
    return st;
}

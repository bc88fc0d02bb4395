/* corrections.c -- the table of corrections tried one after the other, and the choice (corrections.h). */
#include "corrections.h"

#include "advice.h"
#include "micon/base/mem.h"
#include "micon/mpi/comm.h"

#include <math.h>
#include <stdlib.h>

#define TRIED_ROW(reshape, sphere, ridge, batch) {reshape, sphere, batch, ridge},
static const struct {
    int reshape, sphere, batch_correction;
    double ridge;
} table[N_TRIALS] = {CORRECTION_TABLE(TRIED_ROW)};
static const metric_id judged[TRIAL_FIGURES] = {METRIC_NSB, METRIC_NSS, METRIC_NSP, METRIC_MAP_ACTIVITY};

void trials_free(trials *t)
{
    for (int i = 0; i < N_TRIALS; i++) results_free(&t->item[i].measured);
    text_free(&t->sentence);
}

/* A correction's profiles, and its figures, on all ranks. */
static status measure_all(MPI_Comm comm, const wells *w, trial *t)
{
    status st = OK;
    transformed c = {0};
    crossfit cross;
    bool root = comm_rank(comm) == 0;
    TRY_ALL(comm, root ? transform_correct(&c, w, &t->how, NULL, NULL) : OK);
    TRY(control_folds_share_all(comm, w, &c.cross, &cross));
    int fitted = c.has_sphere && cross.n_fold == 0;
    t->made =
        (t->how.sphere == SPHERING_NONE || (c.has_sphere && !fitted)) && (t->how.batch_correction == CORRECTION_NONE || c.final == c.pca);
    MPI_Bcast(&t->made, 1, MPI_C_BOOL, 0, comm);
    metric_input in = {.x = c.final, .d = c.d_final, .corrected = true, .cross = cross.n_fold > 0 ? &cross : NULL};
    if (!t->made) goto done;
    TRY(wells_share_matrix_all(comm, &in.x, w->n, &in.d));
    TRY(metrics_of_trial_all(comm, w, &in, &t->how, &t->measured));
done:
    if (!root) free(in.x);
    transformed_free(&c);
    return st;
}

static const result *find(const trial *t, metric_id metric, metric_setting setting)
{
    return results_find(&t->measured, profiles_form[1], metric, setting, metric_table[metric].properties & BY_K ? 1 : 0);
}

/* The own position is barred where half of the queries have a replicate at another one. */
static void take_figures(trial *t, const trial *none)
{
    for (int f = 0; f < TRIAL_FIGURES; f++) {
        const result *all = find(t, judged[f], ALL_WELLS), *other = find(t, judged[f], OTHER_POSITIONS);
        t->figure[f] = all && other && 2 * other->n >= all->n ? other : all;
    }
    const result *mine = find(t, METRIC_MAP_CONTROLS, ALL_WELLS), *theirs = find(none, METRIC_MAP_CONTROLS, ALL_WELLS);
    t->bias = mine && theirs ? mine->v.value - theirs->v.value : NAN;
    t->biased = mine && advice_biased(t->bias, mine);
}

/* The mean of the figures. */
static double score(const trial *t)
{
    double sum = 0;
    int n = 0;
    for (int f = 0; f < TRIAL_FIGURES; f++)
        if (t->figure[f]) sum += t->figure[f]->v.value, n++;
    return sum / n;
}

/* Is a figure of `a` above that of `b`, beyond the interval of their difference over the same compounds? */
static status beats(const trial *a, const trial *b, int32_t n_compound, bool *out)
{
    status st = OK;
    *out = false;
    for (int f = 0; f < TRIAL_FIGURES; f++) {
        const result *x = a->figure[f], *y = b->figure[f];
        interval more;
        if (!x || !y) continue;
        TRY(bootstrap_difference(BOOTSTRAP_RATIO, x->num, x->den, y->num, y->den, n_compound, a->how.bootstrap, (uint32_t)a->how.seed,
                                 &more));
        *out |= more.low > 0;
    }
done:
    return st;
}

/* Of those that are allowed and not beaten by the one with the best score, the simplest. */
static status choose(trials *t, int32_t n_compound)
{
    status st = OK;
    int best = 0;
    bool worse;
    for (int i = 0; i < N_TRIALS; i++) {
        trial *one = &t->item[i];
        if (!one->made) continue;
        take_figures(one, &t->item[0]);
        TRY(beats(&t->item[0], one, n_compound, &worse));
        one->allowed = i == 0 || (!worse && !one->biased);
        if (one->allowed && score(one) > score(&t->item[best])) best = i;
    }
    for (t->chosen = 0; t->chosen < best; t->chosen++) {
        if (!t->item[t->chosen].allowed) continue;
        TRY(beats(&t->item[best], &t->item[t->chosen], n_compound, &worse));
        if (!worse) break;
    }
done:
    return st;
}

/* "NSB .., mAP ..": the figures that there are. */
static void show_figures(const trial *t, text *out)
{
    static const char *const name[TRIAL_FIGURES] = {"retrieval across batches", "across sources", "across plates", "mAP"};
    for (int f = 0, said = 0; f < TRIAL_FIGURES; f++)
        if (t->figure[f]) text_addf(out, "%s%s %.3f", said++ ? ", " : "", name[f], t->figure[f]->v.value);
}

static void say_choice(trials *t, names *notes)
{
    const trial *chosen = &t->item[t->chosen];
    int tried = 0, allowed = 0;
    for (int i = 0; i < N_TRIALS; i++) tried += t->item[i].made, allowed += t->item[i].allowed;
    text_add(&t->sentence, "Correction chosen: ");
    correction_name(&chosen->how, &t->sentence);
    text_addf(&t->sentence,
              ", the simplest that none is better than beyond noise, of %d tried (%d of them without loss or bias) on %lld %s wells and "
              "%lld controls: ",
              tried, allowed, (long long)t->treated, t->lent ? "lent" : "training", (long long)t->controls);
    show_figures(chosen, &t->sentence);
    if (t->chosen > 0) {
        text_add(&t->sentence, "; without correction ");
        show_figures(&t->item[0], &t->sentence);
    }
    if (t->lent) text_add(&t->sentence, ". No well was used for training: a third of the compounds was lent, and is not evaluated");
    text_add(&t->sentence, ".");
    names_add(notes, text_str(&t->sentence));
}

status corrections_choose_all(MPI_Comm comm, wells *w, evaluate_options *o, trials *t, names *notes)
{
    status st = OK;
    uint8_t *use = NULL;
    wells some = {0};
    bool root = comm_rank(comm) == 0;
    TRY_ALL(comm, root ? mem_alloc(&use, (size_t)w->n, 1, "wells") : OK);
    TRY_ALL(comm, root ? trial_rows(w, o, use, &t->lent) : OK);
    TRY_ALL(comm, root ? trial_wells(w, use, &some) : OK);
    TRY(wells_share_all(&some, comm));
    for (int64_t i = 0; i < some.n; i++) t->controls += some.control[i], t->treated += some.evaluated[i];
    for (int i = 0; i < N_TRIALS; i++) {
        trial *one = &t->item[i];
        one->how = *o;
        one->how.reshape = table[i].reshape, one->how.sphere = table[i].sphere, one->how.ridge = table[i].ridge;
        one->how.batch_correction = table[i].batch_correction;
        TRY(measure_all(comm, &some, one));
    }
    TRY_ALL(comm, root ? choose(t, some.n_compound) : OK);
    MPI_Bcast(&t->chosen, 1, MPI_INT, 0, comm);
    const evaluate_options *how = &t->item[t->chosen].how;
    o->reshape = how->reshape, o->sphere = how->sphere, o->ridge = how->ridge, o->batch_correction = how->batch_correction;
    if (root) say_choice(t, notes);
done:
    free(use);
    wells_free(&some);
    return st;
}

void trials_json(const trials *t, text *out)
{
    text_add(out, ",\n\"corrections_tried\":");
    if (t->sentence.n == 0) {
        text_add(out, "null");
        return;
    }
    for (int i = 0; i < N_TRIALS; i++) {
        const trial *one = &t->item[i];
        text name = {0};
        correction_name(&one->how, &name);
        text_add(out, i ? ",\n{\"correction\":" : "[\n{\"correction\":");
        text_add_json(out, text_str(&name));
        text_free(&name);
        for (int f = 0; f < TRIAL_FIGURES; f++) {
            text_addf(out, ",\"%s\":", metric_table[judged[f]].name);
            text_add_number(out, one->figure[f] ? one->figure[f]->v.value : NAN, "null");
        }
        text_add(out, ",\"bias\":");
        text_add_number(out, one->made ? one->bias : NAN, "null");
        text_addf(out, ",\"tried\":%s,\"allowed\":%s,\"chosen\":%s}", one->made ? "true" : "false", one->allowed ? "true" : "false",
                  i == t->chosen ? "true" : "false");
    }
    text_add(out, "]");
}

/* metrics_retrieval.c -- retrieval of compounds in other batches and sources, votes of neighbours (docs/method.md 8). */
#include "found.h"

#include "micon/base/fault.h"
#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/mpi/comm.h"

#include <stdlib.h>
#include <string.h>

enum { K = FOUND_K, K_VOTE = 5 };

/* Lists of k hits, as MPI reduces them. */
static void merge_lists(void *from, void *to, int *n, MPI_Datatype *list)
{
    int size;
    MPI_Type_size(*list, &size);
    size_t k = (size_t)size / sizeof(retrieval_hit);
    for (size_t i = 0; i < (size_t)*n; i++) retrieval_merge((retrieval_hit *)to + i * k, (const retrieval_hit *)from + i * k, (int)k);
}

static status agree_peers(void *with, status mine)
{
    status st = OK;
    const evaluation_set *e = with;
    TRY_ALL(e->comm, mine);
done:
    return st;
}

static void raise_bars_all(void *with, float *bar, int64_t n)
{
    const evaluation_set *e = with;
    MPI_Allreduce(MPI_IN_PLACE, bar, (int)n, MPI_FLOAT, MPI_MAX, e->comm);
}

/* Every well of E queries the others. Each rank computes its share of the products; the lists of all ranks are merged. */
static status search_each_other_all(evaluation_set *e, retrieval_question *ask, int n_ask)
{
    status st = OK;
    const profile_rows rows = {.x = e->x, .n = e->n, .d = e->d};
    const retrieval_peers peers = {agree_peers, raise_bars_all, e};
    int n;
    MPI_Op merge;
    TRY_ALL(e->comm, int_from_i64(e->n, &n));
    TRY_ALL(e->comm, fault("search"));
    TRY_ALL(e->comm, retrieval_among(RETRIEVAL_AUTO, &rows, ask, n_ask, e->rank, e->size, &peers));
    MPI_Op_create(merge_lists, 1, &merge);
    for (int q = 0; q < n_ask; q++) {
        MPI_Datatype list;
        MPI_Type_contiguous(ask[q].k * (int)sizeof *ask[q].hit, MPI_BYTE, &list);
        MPI_Type_commit(&list);
        MPI_Allreduce(MPI_IN_PLACE, ask[q].hit, n, list, merge, e->comm);
        MPI_Type_free(&list);
    }
    MPI_Op_free(&merge);
done:
    return st;
}

/* The results of one question, for all wells of E. */
static status take_found(const evaluation_set *e, const retrieval_question *ask, found *out)
{
    status st = OK;
    TRY(found_alloc(out, e->n));
    out->rule = ask->rule;
    for (int64_t i = 0; i < e->n * K; i++) out->hit[i] = (int32_t)ask->hit[i].row;
    TRY(retrieval_counts(&ask->rule, e->label, 0, e->n, e->label, e->n, out->possible, out->match));
    retrieval_first_match(out->hit, e->n, K, e->label, e->label, out->rank);
    retrieval_matches(out->hit, e->n, K, e->label, e->label, out->matches);
done:
    return st;
}

/* Marks the queries of a setting; returns how many there are. */
static int64_t mark_setting(const evaluation_set *e, metric_setting s, uint8_t *ask)
{
    static const int set[N_QUERY_SETTINGS] = {-1, SET_TEST, SET_UNSEEN_SOURCE, SET_UNSEEN_COMPOUND}; /* -1: all of E */
    int64_t n = 0;
    for (int64_t i = 0; i < e->n; i++) n += ask[i] = set[s] < 0 || e->set[i] == set[s];
    return n;
}

/* The share of queries whose commonest code among neighbours is their own. match [n]: queries with 0 are left out; NULL: none are. */
static status add_vote(const evaluation_set *e, metric_id metric, metric_setting setting, const found *f, const int32_t *code,
                       const int64_t *match)
{
    status st = OK;
    int32_t *vote = NULL, *five = NULL;
    double *num = NULL, *den = NULL;
    result one = evaluation_result_in(e, metric, setting);
    TRY(mem_alloc(&vote, (size_t)e->n, sizeof *vote, "votes"));
    TRY(mem_alloc(&five, (size_t)e->n * K_VOTE, sizeof *five, "votes"));
    TRY(mem_alloc(&num, (size_t)e->w->n_compound, sizeof *num, "compounds"));
    TRY(mem_alloc(&den, (size_t)e->w->n_compound, sizeof *den, "compounds"));
    for (int64_t i = 0; i < e->n; i++) memcpy(five + i * K_VOTE, f->hit + i * K, K_VOTE * sizeof *five);
    retrieval_vote(five, e->n, K_VOTE, code, vote);
    one.n = one.left_out = 0;
    for (int64_t i = 0; i < e->n; i++) {
        if (vote[i] < 0 || code[i] < 0 || (match && match[i] <= 0)) {
            one.left_out++;
            continue;
        }
        num[e->compound[i]] += vote[i] == code[i];
        den[e->compound[i]] += 1;
        one.n++;
    }
    TRY(results_ratio(e->r, one, num, den, e->w->n_compound));
done:
    free(vote);
    free(five);
    free(num);
    free(den);
    return st;
}

/* A code for each distinct set of mechanisms: a label's first one decides. */
static status mechanism_codes(const evaluation_set *e, int32_t **out)
{
    status st = OK;
    TRY(mem_alloc(out, (size_t)e->n, sizeof **out, "mechanisms"));
    for (int64_t i = 0; i < e->n; i++) {
        int64_t at = e->w->target_start[e->label[i]];
        (*out)[i] = at < e->w->target_start[e->label[i] + 1] ? e->w->target[at] : -1;
    }
done:
    return st;
}

/* The rules: which candidates each excludes. Wells of the query's batch, source or plate; the same or at its position (_PLACE); of its
 * compound, at any dose; the query itself. */
enum { BATCH, SOURCE, PLATE, BATCH_PLACE, SOURCE_PLACE, PLATE_PLACE, COMPOUND, ITSELF, N_RULES, PLACE = BATCH_PLACE - BATCH };

/* Rules that are searched have k > 0. With one batch or one source no candidates would remain; with one batch, other plates are searched
 * instead. */
static status choose_rules(const evaluation_set *e, const int32_t *own, retrieval_question ask[N_RULES])
{
    status st = OK;
    const int32_t *code[N_RULES] = {[BATCH] = e->batch, [SOURCE] = e->source, [PLATE] = e->plate, [COMPOUND] = e->compound, [ITSELF] = own};
    int32_t batches = 2, sources = 2;
    if (e->o->recipe != RECIPE_0_1) {
        TRY(evaluation_count_present(e, e->batch, e->w->n_batch, &batches));
        TRY(evaluation_count_present(e, e->source, e->w->n_source, &sources));
    }
    bool asked[N_RULES] = {[BATCH] = batches > 1, [SOURCE] = sources > 1, [PLATE] = batches < 2};
    for (int q = BATCH; q <= PLATE; q++) asked[q + PLACE] = asked[q] && e->by_position, code[q + PLACE] = code[q];
    asked[COMPOUND] = asked[ITSELF] = !e->setting;
    for (int q = 0; q < N_RULES; q++) {
        ask[q] = (retrieval_question){.rule = {.query_group = code[q], .candidate_group = code[q]}};
        if (!asked[q]) continue;
        ask[q].k = q == ITSELF ? N_LISI : K;
        if (q >= BATCH_PLACE && q <= PLATE_PLACE) ask[q].rule.query_place = ask[q].rule.candidate_place = e->position;
        TRY(mem_alloc(&ask[q].hit, (size_t)(e->n * ask[q].k), sizeof *ask[q].hit, "neighbours"));
    }
done:
    return st;
}

/* f [N_RULES]: the results under each rule that is searched; also sets e->near. */
static status search_rules_all(evaluation_set *e, found *f)
{
    status st = OK;
    int32_t *own = NULL;
    retrieval_question ask[N_RULES] = {{.k = 0}}, asked[N_RULES];
    int n = 0;
    TRY_ALL(e->comm, mem_alloc(&own, (size_t)e->n, sizeof *own, "row numbers"));
    for (int64_t i = 0; i < e->n; i++) own[i] = (int32_t)i;
    TRY_ALL(e->comm, choose_rules(e, own, ask));
    for (int q = 0; q < N_RULES; q++)
        if (ask[q].k > 0) asked[n++] = ask[q];
    TRY(search_each_other_all(e, asked, n));
    for (int q = 0; q < ITSELF; q++)
        if (ask[q].k > 0) TRY_ALL(e->comm, take_found(e, &ask[q], &f[q]));
    if (!e->setting) e->near = ask[ITSELF].hit, ask[ITSELF].hit = NULL;
done:
    free(own);
    for (int q = 0; q < N_RULES; q++) free(ask[q].hit);
    return st;
}

/* The shares of hits under the rules BATCH to PLATE; with place = PLACE, of those with other positions. */
static status add_rules_all(const evaluation_set *e, metric_setting setting, const found *f, int place, const uint8_t *ask)
{
    static const found_metrics add[] = {{METRIC_NSB, METRIC_NSB_BY_COMPOUND, METRIC_NSB_PRECISION},
                                        {METRIC_NSS, METRIC_NSS_BY_COMPOUND, METRIC_NSS_PRECISION},
                                        {METRIC_NSP, METRIC_NSP_BY_COMPOUND, METRIC_NSP_PRECISION}};
    status st = OK;
    for (int q = BATCH; q <= PLATE; q++)
        if (f[q + place].hit) TRY_ALL(e->comm, found_add_metrics(e, add[q], setting, &f[q + place], e->n, ask, e->compound));
done:
    return st;
}

/* Votes for compounds and mechanisms, by wells of other batches, or of other plates where there is one batch. */
static status add_votes_all(const evaluation_set *e, metric_setting setting, const found *f, int place, const int32_t *mechanism)
{
    status st = OK;
    const found *others = &f[(f[BATCH].hit ? BATCH : PLATE) + place];
    int64_t *possible = NULL, *match = NULL;
    if (place) { /* many compounds may have no well at another position: their queries are left out */
        TRY_ALL(e->comm, mem_alloc(&possible, (size_t)e->n, sizeof *possible, "candidates"));
        TRY_ALL(e->comm, mem_alloc(&match, (size_t)e->n, sizeof *match, "candidates"));
        TRY_ALL(e->comm, retrieval_counts(&others->rule, e->compound, 0, e->n, e->compound, e->n, possible, match));
    }
    TRY_ALL(e->comm, add_vote(e, METRIC_KNN_COMPOUND, setting, others, e->compound, match));
    if (e->w->n_target > 0) TRY_ALL(e->comm, add_vote(e, METRIC_KNN_MECHANISM, setting, others, mechanism, NULL));
done:
    free(possible);
    free(match);
    return st;
}

status retrieval_metrics_all(evaluation_set *e)
{
    status st = OK;
    found f[N_RULES] = {{.hit = NULL}};
    uint8_t *ask = NULL;
    int32_t *mechanism = NULL;
    TRY(search_rules_all(e, f));
    TRY_ALL(e->comm, mem_alloc(&ask, (size_t)e->n, 1, "queries"));
    for (int s = 0; s < (e->setting ? 1 : N_QUERY_SETTINGS); s++)
        if (mark_setting(e, (metric_setting)s, ask) > 0) TRY(add_rules_all(e, (metric_setting)s, f, 0, ask));
    if (e->by_position) TRY(add_rules_all(e, OTHER_POSITIONS, f, PLACE, NULL));
    if (e->w->n_target > 0) TRY_ALL(e->comm, mechanism_codes(e, &mechanism));
    TRY(add_votes_all(e, ALL_WELLS, f, 0, mechanism));
    if (e->by_position) TRY(add_votes_all(e, OTHER_POSITIONS, f, PLACE, mechanism));
    if (e->setting) goto done;
    TRY_ALL(e->comm, add_vote(e, METRIC_KNN_SOURCE, ALL_WELLS, &f[COMPOUND], e->source, NULL));
    TRY_ALL(e->comm, add_vote(e, METRIC_KNN_PLATE, ALL_WELLS, &f[COMPOUND], e->plate, NULL));
done:
    for (int q = 0; q < N_RULES; q++) found_free(&f[q]);
    free(ask);
    free(mechanism);
    return st;
}

/* metrics_retrieval.c -- retrieval of compounds in other batches and sources, votes of neighbours, retrieval with predicted profiles
 * (docs/method.md 8). */
#include "evaluation_set.h"

#include "micon/base/fault.h"
#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/mpi/comm.h"
#include "micon/profile/consensus.h"
#include "micon/profile/linear_algebra.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { K = RETRIEVAL_MAX_K, K_VOTE = 5 };

/* The results of a search under one rule, for all queries; match counts candidates with the query's label. */
typedef struct {
    retrieval_setting rule;
    int32_t *hit;     /* [n,K] */
    uint8_t *matches; /* [n,K] of the first 1..K hits, how many have the query's label */
    int32_t *rank;
    int64_t *possible, *match;
} found;

static void found_free(found *f)
{
    free(f->hit);
    free(f->matches);
    free(f->rank);
    free(f->possible);
    free(f->match);
}

static status found_alloc(found *f, int64_t n)
{
    status st = OK;
    TRY(mem_alloc(&f->hit, (size_t)n * K, sizeof *f->hit, "neighbours"));
    TRY(mem_alloc(&f->matches, (size_t)n * K, 1, "neighbours"));
    TRY(mem_alloc(&f->rank, (size_t)n, sizeof *f->rank, "ranks"));
    TRY(mem_alloc(&f->possible, (size_t)n, sizeof *f->possible, "candidates"));
    TRY(mem_alloc(&f->match, (size_t)n, sizeof *f->match, "candidates"));
done:
    return st;
}

/* Search the wells of E for the queries q [n_q,d] under a rule; equal labels make a hit. */
static status search_all(const evaluation_set *e, const float *q, int64_t n_q, const retrieval_setting *rule, const int32_t *query_label,
                         const int32_t *label, found *out)
{
    status st = OK;
    int64_t first, n;
    int32_t *hit = NULL;
    partition(n_q, e->size, e->rank, &first, &n);
    TRY_ALL(e->comm, mem_alloc(&hit, (size_t)n * K, sizeof *hit, "neighbours"));
    TRY_ALL(e->comm, found_alloc(out, n_q));
    TRY_ALL(e->comm, n > 0 ? retrieval_topk(&(profile_rows){.x = q, .d = e->d}, (row_range){first, n},
                                            &(profile_rows){.x = e->x, .n = e->n, .d = e->d},
                                            &(retrieval_search){.set = rule, .n_set = 1, .k = K}, hit, NULL)
                           : OK);
    TRY(evaluation_gather_all(e, hit, n, K * sizeof *hit, n_q, out->hit));
    TRY_ALL(e->comm, retrieval_counts(rule, query_label, 0, n_q, label, e->n, out->possible, out->match));
    retrieval_first_match(out->hit, n_q, K, query_label, label, out->rank);
    retrieval_matches(out->hit, n_q, K, query_label, label, out->matches);
done:
    free(hit);
    return st;
}

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

/* The metrics that a search gives; precision N_METRICS: not wanted. */
typedef struct {
    metric_id hits, by_compound, precision;
} search_metrics;

/* The queries that count: those with ask[i] = 1. */
typedef struct {
    int64_t n, *possible, *match;
    int32_t *rank, *compound;
    uint8_t *matches; /* [n,K] */
} queries;

static void queries_free(queries *q)
{
    free(q->possible);
    free(q->match);
    free(q->rank);
    free(q->compound);
    free(q->matches);
}

/* compound [n]: of all of them; ask NULL: all count. */
static status queries_take(queries *q, const found *f, int64_t n, const uint8_t *ask, const int32_t *compound)
{
    status st = OK;
    TRY(mem_alloc(&q->rank, (size_t)n, sizeof *q->rank, "queries"));
    TRY(mem_alloc(&q->compound, (size_t)n, sizeof *q->compound, "queries"));
    TRY(mem_alloc(&q->possible, (size_t)n, sizeof *q->possible, "queries"));
    TRY(mem_alloc(&q->match, (size_t)n, sizeof *q->match, "queries"));
    TRY(mem_alloc(&q->matches, (size_t)n * K, 1, "queries"));
    for (int64_t i = 0; i < n; i++) {
        int64_t m = q->n;
        if (ask && !ask[i]) continue;
        q->rank[m] = f->rank[i], q->compound[m] = compound[i], q->possible[m] = f->possible[i], q->match[m] = f->match[i];
        memcpy(q->matches + m * K, f->matches + i * K, K);
        q->n++;
    }
done:
    return st;
}

/* The figures of the queries with ask[i] = 1; compound [n]: of the queries. */
static status add_retrieval(const evaluation_set *e, search_metrics add, metric_setting setting, const found *f, int64_t n,
                            const uint8_t *ask, const int32_t *compound)
{
    status st = OK;
    int32_t n_compound = e->w->n_compound;
    double *hit = NULL, *asked = NULL;
    queries q = {0};
    retrieval_score s;
    TRY(queries_take(&q, f, n, ask, compound));
    TRY(mem_alloc(&hit, (size_t)n_compound, sizeof *hit, "compounds"));
    TRY(mem_alloc(&asked, (size_t)n_compound, sizeof *asked, "compounds"));
    retrieval_summarize(q.rank, q.possible, q.match, q.compound, q.n, n_compound, K, &s);
    for (int k = 1; k <= K; k++) {
        result one = evaluation_result_in(e, add.hits, setting);
        one.k = k;
        one.n = s.n_queries, one.left_out = s.n_impossible, one.chance = s.chance[k - 1];
        retrieval_by_label(q.rank, q.match, q.compound, q.n, n_compound, k, hit, asked);
        TRY(results_ratio(e->r, one, hit, asked, n_compound));
        one.metric = add.by_compound, one.n = s.n_classes;
        if (!(metric_table[add.by_compound].properties & CHANCE)) one.chance = NAN;
        TRY(results_ratio(e->r, one, hit, asked, n_compound));
        if (add.precision == N_METRICS || e->o->recipe == RECIPE_0_1) continue;
        for (int32_t c = 0; c < n_compound; c++) hit[c] = 0;
        for (int64_t i = 0; i < q.n; i++)
            if (q.match[i] > 0) hit[q.compound[i]] += (double)q.matches[i * K + k - 1] / k;
        one.metric = add.precision, one.n = s.n_queries, one.chance = retrieval_precision_chance(q.possible, q.match, q.n, k);
        TRY(results_ratio(e->r, one, hit, asked, n_compound));
    }
done:
    queries_free(&q);
    free(hit);
    free(asked);
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
    static const search_metrics add[] = {{METRIC_NSB, METRIC_NSB_BY_COMPOUND, METRIC_NSB_PRECISION},
                                         {METRIC_NSS, METRIC_NSS_BY_COMPOUND, METRIC_NSS_PRECISION},
                                         {METRIC_NSP, METRIC_NSP_BY_COMPOUND, METRIC_NSP_PRECISION}};
    status st = OK;
    for (int q = BATCH; q <= PLATE; q++)
        if (f[q + place].hit) TRY_ALL(e->comm, add_retrieval(e, add[q], setting, &f[q + place], e->n, ask, e->compound));
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

/* ---- predicted profiles ---- */

/* Predicted profiles as queries: each seeks the wells of one class. */
typedef struct {
    int64_t n;
    float *x;          /* [n, e->d] */
    int32_t *class;    /* [n] of those that candidates have */
    int32_t *compound; /* [n] */
    int32_t *batch;    /* [n] whose wells are no candidates; NULL: all are */
    const int32_t *of; /* [e->n] classes of the candidates: compounds or, of a model with doses, treatments */
    int32_t n_class;
} predictions;

static void predictions_free(predictions *p)
{
    free(p->x);
    free(p->class);
    free(p->compound);
    free(p->batch);
}

static status predictions_alloc(predictions *p, const evaluation_set *e, int64_t n, bool by_batch)
{
    status st = OK;
    bool by_label = e->w->cf_by_label;
    p->of = by_label ? e->label : e->compound;
    p->n_class = by_label ? e->w->n_label : e->w->n_compound;
    TRY(mem_alloc(&p->x, (size_t)(n * e->d), sizeof *p->x, "predicted profiles"));
    TRY(mem_alloc(&p->class, (size_t)n, sizeof *p->class, "predicted profiles"));
    TRY(mem_alloc(&p->compound, (size_t)n, sizeof *p->compound, "predicted profiles"));
    if (by_batch) TRY(mem_alloc(&p->batch, (size_t)n, sizeof *p->batch, "predicted profiles"));
done:
    return st;
}

/* Median rank of the first hit, over queries with a possible match. */
static status add_median_rank_all(const evaluation_set *e, metric_id metric, const predictions *p, const retrieval_setting *rule)
{
    status st = OK;
    int64_t first, mine, *rank = NULL, *all = NULL, m = 0;
    double *v = NULL;
    result one = evaluation_result(e, metric);
    partition(p->n, e->size, e->rank, &first, &mine);
    TRY_ALL(e->comm, mem_alloc(&rank, (size_t)mine, sizeof *rank, "ranks"));
    TRY_ALL(e->comm, mem_alloc(&all, (size_t)p->n, sizeof *all, "ranks"));
    TRY_ALL(e->comm, mem_alloc(&v, (size_t)p->n, sizeof *v, "ranks"));
    TRY_ALL(e->comm, mine > 0 ? retrieval_match_rank(&(profile_rows){.x = p->x, .d = e->d, .label = p->class}, (row_range){first, mine},
                                                     &(profile_rows){.x = e->x, .n = e->n, .d = e->d, .label = p->of}, rule, rank)
                              : OK);
    TRY(evaluation_gather_all(e, rank, mine, sizeof *rank, p->n, all));
    for (int64_t i = 0; i < p->n; i++)
        if (all[i] > 0) v[m++] = (double)all[i];
    one.n = m, one.left_out = p->n - m;
    TRY_ALL(e->comm, results_value(e->r, one, linear_median(v, m)));
done:
    free(rank);
    free(all);
    free(v);
    return st;
}

/* others [n_batch + 1]: of how many sought classes there are wells outside a batch, last: any wells. sought [n_class]. */
static status count_sought(const evaluation_set *e, const predictions *p, const uint8_t *sought, int64_t *others)
{
    status st = OK;
    int64_t n_batch = e->w->n_batch, *of = NULL; /* of [class][batch], last: all of them */
    TRY(mem_alloc(&of, (size_t)(p->n_class * (n_batch + 1)), sizeof *of, "predicted profiles"));
    for (int64_t i = 0; i < e->n; i++) of[p->of[i] * (n_batch + 1) + e->batch[i]]++, of[p->of[i] * (n_batch + 1) + n_batch]++;
    for (int64_t b = 0; b <= n_batch; b++) others[b] = 0;
    for (int32_t c = 0; c < p->n_class; c++) {
        const int64_t *in = of + c * (n_batch + 1);
        for (int64_t b = 0; b <= n_batch && sought[c]; b++) others[b] += in[n_batch] > (b < n_batch ? in[b] : 0);
    }
done:
    free(of);
    return st;
}

/* What the queries find of each other's classes: of those that another query seeks, the share with a well among the first k, for queries
 * that can find their own. */
static status add_shuffled(const evaluation_set *e, metric_id metric, const found *f, const predictions *p)
{
    status st = OK;
    int32_t n_compound = e->w->n_compound;
    double *num = NULL, *den = NULL;
    uint8_t *sought = NULL;
    int64_t *others = NULL;
    result one = evaluation_result(e, metric);
    TRY(mem_alloc(&num, (size_t)n_compound, sizeof *num, "compounds"));
    TRY(mem_alloc(&den, (size_t)n_compound, sizeof *den, "compounds"));
    TRY(mem_alloc(&sought, (size_t)p->n_class, 1, "compounds"));
    TRY(mem_alloc(&others, (size_t)e->w->n_batch + 1, sizeof *others, "batches"));
    for (int64_t i = 0; i < p->n; i++) sought[p->class[i]] = 1;
    TRY(count_sought(e, p, sought, others));
    for (one.k = 1; one.k <= K; one.k++) {
        one.n = one.left_out = 0;
        for (int32_t c = 0; c < n_compound; c++) num[c] = den[c] = 0;
        for (int64_t i = 0; i < p->n; i++) {
            int64_t there = others[p->batch ? p->batch[i] : e->w->n_batch] - 1;
            if (f->match[i] == 0 || there == 0) {
                one.left_out++;
                continue;
            }
            num[p->compound[i]] += (double)retrieval_others(f->hit + i * K, one.k, sought, p->class[i], p -> of) / (double)there;
            den[p->compound[i]] += 1, one.n++;
        }
        TRY(results_ratio(e->r, one, num, den, n_compound));
    }
done:
    free(num);
    free(den);
    free(sought);
    free(others);
    return st;
}

/* Rows of p become of length 1. */
static status ask_predictions_all(const evaluation_set *e, const metric_id metric[4], predictions *p)
{
    status st = OK;
    found f = {0};
    const retrieval_setting rule = {.query_group = p->batch, .candidate_group = p->batch ? e->batch : NULL};
    linear_unit_rows(p->x, p->n, e->d, p->x);
    TRY(search_all(e, p->x, p->n, &rule, p->class, p->of, &f));
    TRY_ALL(e->comm, add_retrieval(e, (search_metrics){metric[0], metric[1], N_METRICS}, UNSEEN_COMPOUNDS, &f, p->n, NULL, p->compound));
    if (e->o->recipe != RECIPE_0_1) TRY_ALL(e->comm, add_shuffled(e, metric[2], &f, p));
    TRY(add_median_rank_all(e, metric[3], p, &rule));
done:
    found_free(&f);
    return st;
}

/* The predictions of plates with wells of E, for classes that have wells somewhere. */
static status take_predictions(const evaluation_set *e, const float *cf, predictions *p)
{
    status st = OK;
    const wells *w = e->w;
    const int32_t *class = w->cf_by_label ? w->cf_label : w->cf_compound;
    uint8_t *plate_in = NULL;
    TRY(predictions_alloc(p, e, w->n_cf, true));
    TRY(mem_alloc(&plate_in, (size_t)w->n_plate, 1, "plates"));
    for (int64_t i = 0; i < e->n; i++) plate_in[e->plate[i]] = 1;
    for (int64_t i = 0; i < w->n_cf; i++) {
        if (w->cf_plate[i] < 0 || !plate_in[w->cf_plate[i]] || class[i] < 0) continue;
        p->class[p->n] = class[i], p->compound[p->n] = w->cf_compound[i], p->batch[p->n] = w->cf_batch[i];
        memcpy(p->x + p->n++ * e->d, cf + i * e->d, (size_t)e->d * sizeof *p->x);
    }
done:
    free(plate_in);
    return st;
}

/* One of each class: the mean over its plates. */
static status average_predictions(const evaluation_set *e, const predictions *all, predictions *p)
{
    status st = OK;
    int64_t *count = NULL;
    TRY(predictions_alloc(p, e, all->n_class, false));
    TRY(mem_alloc(&count, (size_t)all->n_class, sizeof *count, "predicted profiles"));
    TRY(consensus_mean(&(profile_rows){.x = all->x, .n = all->n, .d = e->d, .label = all->class}, all->n_class, p->x, count));
    for (int32_t c = 0; c < all->n_class; c++) {
        if (count[c] == 0) continue;
        memmove(p->x + p->n * e->d, p->x + c * e->d, (size_t)e->d * sizeof *p->x);
        p->compound[p->n] = e->w->cf_by_label ? e->w->label_compound[c] : c;
        p->class[p->n++] = c;
    }
done:
    free(count);
    return st;
}

status prediction_metrics_all(const evaluation_set *e, const float *cf)
{
    static const metric_id single[] = {METRIC_COUNTERFACTUAL, METRIC_COUNTERFACTUAL_BY_COMPOUND, METRIC_COUNTERFACTUAL_SHUFFLED,
                                       METRIC_COUNTERFACTUAL_MEDIAN_RANK};
    static const metric_id averaged[] = {METRIC_COUNTERFACTUAL_MEAN, METRIC_COUNTERFACTUAL_MEAN_BY_COMPOUND,
                                         METRIC_COUNTERFACTUAL_MEAN_SHUFFLED, METRIC_COUNTERFACTUAL_MEAN_MEDIAN_RANK};
    status st = OK;
    predictions all = {0}, mean = {0};
    if (!cf || e->w->n_cf == 0) return OK;
    TRY_ALL(e->comm, take_predictions(e, cf, &all));
    if (all.n == 0) goto done;
    TRY_ALL(e->comm, average_predictions(e, &all, &mean));
    TRY(ask_predictions_all(e, single, &all));
    TRY(ask_predictions_all(e, averaged, &mean));
done:
    predictions_free(&all);
    predictions_free(&mean);
    return st;
}

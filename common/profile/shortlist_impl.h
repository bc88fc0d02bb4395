/* shortlist_impl.h -- who can still be among the k best of each query, kept while approximate similarities come in blocks. Local.
 *
 * Per query a short list is kept of every candidate seen so far whose approximate similarity is not more than a margin below the k-th best
 * one. A product is off by less than half of that, so nobody who belongs is lost. At the end (or when a list gets long) the list is
 * multiplied again in double and cut to the k best; the k best of what was seen are all that later steps need, so this cannot change the
 * outcome. */
#ifndef PROFILE_SHORTLIST_H
#define PROFILE_SHORTLIST_H
#include "micon/base/status.h"
#include "micon/profile/retrieval.h"

#include <stdbool.h>
#include <stdint.h>

enum { SHORTLIST_MOST_K = 128 };

typedef struct {
    int32_t row;
    float sim;
} shortlist_item;

/* Exact products of the query that was last asked about, kept for other lists of the same queries. */
typedef struct {
    double *sim;    /* [candidates] */
    int64_t *query; /* [candidates] of which query sim is */
} shortlist_known;

typedef struct {
    int64_t n, d;       /* queries */
    int k, cap;         /* cap: room of a list */
    float margin;       /* twice what a similarity can be off by */
    const float *q, *c; /* [n,d], and all candidates; borrowed */
    float *need;        /* [n] an approximate similarity below that cannot matter */
    shortlist_item *item;
    int *count, *full;      /* [n]; a list is tidied when count reaches full */
    shortlist_known *known; /* borrowed; may be NULL */
} shortlists;

/* q may be set, and changed, later. room: items a list has room for, at least 2 k. */
status shortlists_init(shortlists *l, int64_t n, int k, int room, const float *q, const float *c, int64_t d) MUST_USE;
void shortlists_free(shortlists *l);
void shortlists_clear(shortlists *l, float margin); /* empty again; the margin of what comes now */

/* The candidate c[row] for query i, whose approximate similarity is at least need[i]. */
void shortlists_add(shortlists *l, int64_t i, int32_t row, float sim);

/* bar [n]: a similarity that the k-th best of each query reaches for sure; a higher one that is known from elsewhere may be set. */
void shortlists_get_bars(const shortlists *l, float *bar);
void shortlists_set_bars(shortlists *l, const float *bar);

/* The k best of query i, or those of them that reach the bar, exactly: best first, row -1 and similarity NaN where there are no more. */
void shortlists_finish(shortlists *l, int64_t i, retrieval_hit *out);

/* Is any of the SHORTLIST_CHUNK similarities at least need, or at least the one of its own column? Bits 1 and 2; NaN never is. columns may
 * be NULL. */
enum { SHORTLIST_CHUNK = 64 };
int shortlists_any(const float *s, float need, const float *columns);

/* May candidate row answer query i under the rule? */
static inline bool shortlists_may(const retrieval_setting *rule, int64_t i, int64_t row)
{
    if (rule->candidate_mask && !rule->candidate_mask[row]) return false;
    if (rule->query_group && rule->candidate_group[row] == rule->query_group[i]) return false;
    return !rule->query_place || rule->candidate_place[row] != rule->query_place[i];
}

#endif

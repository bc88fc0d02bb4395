/* found.h -- the results of a search for neighbours under one rule, and the metrics they give. */
#ifndef MICON_EVALUATE_FOUND_H
#define MICON_EVALUATE_FOUND_H

#include "evaluation_set.h"

enum { FOUND_K = RETRIEVAL_MAX_K };

/* For all queries; match counts candidates with the query's label. */
typedef struct {
    retrieval_setting rule;
    int32_t *hit;     /* [n,K] */
    uint8_t *matches; /* [n,K] of the first 1..K hits, how many have the query's label */
    int32_t *rank;
    int64_t *possible, *match;
} found;

status found_alloc(found *f, int64_t n) MUST_USE;
void found_free(found *f);

/* The metrics that a search gives; precision N_METRICS: not wanted. */
typedef struct {
    metric_id hits, by_compound, precision;
} found_metrics;

/* The figures of the queries with ask[i] = 1 (NULL: of all); compound [n]: of the queries. */
status found_add_metrics(const evaluation_set *e, found_metrics add, metric_setting setting, const found *f, int64_t n, const uint8_t *ask,
                         const int32_t *compound) MUST_USE;

#endif

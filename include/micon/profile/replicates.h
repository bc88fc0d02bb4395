/* replicates.h -- percent replicating: how many compounds' wells correlate with each other more than wells of different compounds do.
 * Local. A compound's score is the median Pearson correlation over the pairs of its wells. Its threshold is the 95th percentile (linear
 * between values) of the same median over null sets: as many wells as the compound has, each of another compound. Sets are of 32 wells at
 * most (and of as many as there are compounds): a smaller set's median varies more, so the threshold of a compound with more wells is, if
 * anything, too strict. */
#ifndef MICON_PROFILE_REPLICATES_H
#define MICON_PROFILE_REPLICATES_H
#include "micon/base/status.h"
#include "micon/profile/profile_rows.h"

#include <stdint.h>

enum { REPLICATE_MAX_SET = 32 };

/* score [labels.n]: of the labels of the range; NaN for a label without a pair. Rows from linear_pearson_rows; those with label < 0 are
 * left out. place [n]: pairs of wells at one position are left out; NULL: none is. */
status replicate_scores(const profile_rows *r, const int32_t *place, int32_t n_label, row_range labels, double *score) MUST_USE;

/* known [n (n-1) / 2]: room for the correlations of n wells, so that the null sets, which draw the same pairs again and again, compute each
 * once; NULL for more than 4,096 wells (67 MB). */
status replicate_known(int64_t n, double **known) MUST_USE;

/* null [draws.n]: medians of the null sets of the range, of `set` wells each (2..REPLICATE_MAX_SET). E_FAILED with fewer labels than
 * that. known: from replicate_known, or NULL. */
status replicate_null(const profile_rows *r, double *known, int32_t n_label, int set, uint32_t seed, row_range draws,
                      double *null) MUST_USE;

/* Wells in the null sets of a compound with `count` wells where `filled` compounds have any; 0: it is not scored. */
int replicate_set(int64_t count, int64_t filled);

/* ---- null sets that stand on the plates as a compound's wells do (replicates_matched.c) ---- */

/* How a compound's wells stand: so many wells at so many positions, both at most REPLICATE_MAX_SET, as evenly as they go. */
typedef struct {
    int wells, places;
} replicate_shape;

/* From which sets are drawn: wells with labels, untreated ones each with a label of its own, and their positions. */
typedef struct {
    profile_rows rows; /* from linear_pearson_rows; label >= 0 */
    const int32_t *place;
    int32_t n_place;
    double *known; /* from replicate_known, or NULL */
} replicate_pool;

/* The shape with as many wells of it as there are positions for: at least 8, and at least shape.places, must have so many wells of
 * different labels as the fullest position of the shape. wells 0: there are none. */
status replicate_fit(const replicate_pool *pool, replicate_shape shape, replicate_shape *fit) MUST_USE;

/* Null sets of a shape that replicate_fit gave, of wells of different labels: all [draws.n] medians over their pairs, across over those at
 * different positions. NaN where a draw found no set (positions share labels) or no pair. */
status replicate_matched_null(const replicate_pool *pool, replicate_shape shape, uint32_t seed, row_range draws, double *all,
                              double *across) MUST_USE;

#endif

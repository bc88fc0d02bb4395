/* rng.h -- Philox4x32-10 random numbers. Local, no state but the counter: a draw is a pure function of
 * (seed, stream, step, position, draw), so that nothing depends on ranks or threads. */
#ifndef MICON_BASE_RNG_H
#define MICON_BASE_RNG_H
#include <stdint.h>

typedef struct {
    uint32_t key[2]; /* seed, stream */
    uint32_t ctr[4]; /* step, position low, position high, draw */
    uint32_t out[4];
    int left;     /* words of `out` not yet used */
    double spare; /* second normal of a pair */
    int has_spare;
} rng;

void philox4x32(const uint32_t ctr[4], const uint32_t key[2], uint32_t out[4]);

rng rng_at(uint32_t seed, uint32_t stream, uint32_t step, uint64_t position);
uint32_t rng_u32(rng *r);
double rng_uniform(rng *r);                      /* [0, 1), 53 bits */
double rng_normal(rng *r);                       /* mean 0, sd 1 (Box-Muller) */
uint64_t rng_below(rng *r, uint64_t n);          /* 0..n-1, unbiased; n >= 1 */
void rng_shuffle(rng *r, int64_t *v, int64_t n); /* Fisher-Yates, from the last element down */

/* Streams in use, so that no two purposes share numbers. */
enum {
    STREAM_SPLIT = 1,
    STREAM_INIT,
    STREAM_ITEMS,
    STREAM_AUGMENT,
    STREAM_NULL,
    STREAM_BOOTSTRAP,
    STREAM_KMEANS,
    STREAM_UMAP,
    STREAM_SAMPLE,
    STREAM_HARMONY,
    STREAM_REPLICATE,
    STREAM_CELLS,
    STREAM_MATCHED,        /* null sets matched by position */
    STREAM_POSED,          /* which untreated positions are posed as treatments */
    STREAM_RELATIONS,      /* pairs of compounds whose similarities are looked at */
    STREAM_HELD_OUT,       /* which untreated wells are, in which sets */
    STREAM_SIMULATE = 1000 /* the simulator uses 1000..1999 */
};

#endif

/* similarity_impl.h -- blocks of approximate products of queries with candidates, for sieves that multiply again exactly what comes near.
 * Local. In float by OpenBLAS; or, where the machine multiplies bf16 matrices in hardware, in bf16 by oneDNN: several times faster, and off
 * by more. */
#ifndef PROFILE_SIMILARITY_H
#define PROFILE_SIMILARITY_H
#include "micon/base/status.h"
#include "micon/profile/retrieval.h"

#include <stdbool.h>
#include <stdint.h>

enum { SIMILARITY_QUERIES = 512, SIMILARITY_CANDIDATES = 512 }; /* a block of floats stays in the second or third cache */

typedef struct similarity similarity;

/* c [n_candidate,d] is borrowed. way: RETRIEVAL_AUTO takes bf16 where it pays: the hardware is there, the n queries q [n,d] make it worth
 * it, and among the k best and who is near them it does not let so many through that float would be faster (a few queries are tried). */
status similarity_create(similarity **out, retrieval_way way, const float *q, int64_t n, const float *c, int64_t n_candidate, int64_t d,
                         int k) MUST_USE;
void similarity_destroy(similarity **s); /* NULL-safe, sets NULL */

/* How far below the k-th best product one must look so as to miss nobody: twice what a product can be off by. */
float similarity_margin(const similarity *s);

bool similarity_is_coarse(const similarity *s); /* bf16 */
void similarity_refine(similarity *s);          /* float from now on */

/* Products of the nq <= SIMILARITY_QUERIES rows of q with the candidates [at, at + SIMILARITY_CANDIDATES), `at` a multiple of that:
 * out [nq][SIMILARITY_CANDIDATES], columns past the last candidate -inf. fresh: q differs from the call before. */
status similarity_block(similarity *s, const float *q, int64_t nq, bool fresh, int64_t at, float *out) MUST_USE;

#endif

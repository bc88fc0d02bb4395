/* conv_autotune.h -- one direction of one convolution, by the implementation measured to be the fastest here. Local. Implementations: those
 * of oneDNN ("direct/...", "winograd/..."); "gather": the pixels under the kernel are gathered into a matrix, which is multiplied (NHWC
 * only); and kernels of our own: "amx", "amx/stream" (results stored past the caches) on a CPU with AMX, "avx512_bf16" on one without.
 * The choice is made once a shape, can be written and read as text, and be dictated by another process: the same choices give the same
 * bits. */
#ifndef MICON_NN_CONV_AUTOTUNE_H
#define MICON_NN_CONV_AUTOTUNE_H
#include "micon/nn/onednn.h"

/* Choices by shape. {0} is valid and empty. */
typedef struct {
    names key, how;
    double *gflops; /* as measured: here, or where the choice was read from */
    size_t cap;
    int measured; /* how many were measured in this process */
    bool by_rule; /* new choices are the first implementation of the list, in oneDNN's order: nothing is measured */
} conv_choices;
void conv_choices_free(conv_choices *c);
void conv_choices_write(const conv_choices *c, text *out);                                /* lines "key<TAB>how<TAB>GFLOP/s" */
status conv_choices_read(conv_choices *c, const char *lines, const char *where) MUST_USE; /* adds; where: for messages */

typedef struct conv_op conv_op;
status conv_list(dnn *d, const conv_spec *s, names *out) MUST_USE;
status conv_create(conv_op **out, dnn *d, const conv_spec *s, const char *how) MUST_USE;
void conv_destroy(conv_op **op); /* NULL-safe, sets NULL */

/* Use the choice kept in `c`; where there is none (and c->by_rule is not set), or this CPU cannot run it, measure all implementations on
 * random numbers and keep the best (takes a second or so). */
status conv_choose(conv_op **out, dnn *d, const conv_spec *s, conv_choices *c) MUST_USE;

const char *conv_how(const conv_op *op);
double conv_flop(const conv_spec *s);  /* of one run: 2 n ho wo co ci k k */
double conv_gflops(const conv_op *op); /* run alone, as measured when it was chosen by conv_choose; else 0 */

/* Seconds. With one thread, its CPU time, so that other processes do not count; with several, wall-clock time. */
double conv_clock(void);

/* As dnn_op_packed_bytes and so on. Packing needs scratch as well. */
size_t conv_packed_bytes(const conv_op *op);
size_t conv_scratch_bytes(const conv_op *op);
status conv_pack(conv_op *op, const float *oihw, void *packed, void *scratch) MUST_USE;
status conv_run(conv_op *op, const void *a, const void *b, const float *bias, void *out, void *scratch) MUST_USE;
/* Sums of each channel over the last result of a forward convolution without bias, as it is stored, and of the squares: [2, co], where the
 * way makes them on its way; NULL: it does not, see kernels_stats. They depend on the number of threads. */
const double *conv_sums(const conv_op *op);

#endif

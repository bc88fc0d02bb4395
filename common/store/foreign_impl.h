/* foreign_impl.h -- messages between the rank (foreign.c) and the worker (foreign_worker.c) that reads a foreign file. */
#ifndef MICON_STORE_FOREIGN_IMPL_H
#define MICON_STORE_FOREIGN_IMPL_H
#include "micon/base/worker.h"

#include <stdint.h>

enum { FOREIGN_MAX_COLUMNS = 1 << 20, FOREIGN_MAX_PATH = 4096, FOREIGN_ROWS = 3000 };

typedef enum { ASK_OPEN, ASK_OBS, ASK_VAR, ASK_ROWS, ASK_VERIFY, ASK_CLOSE } foreign_ask;

/* Shared memory, made before the worker. The rank checks everything that it takes out of it. */
typedef struct {
    char object[512];               /* what the worker is reading, for the message about its death */
    unsigned char bytes[4ul << 20]; /* a block of rows, or a part of a packed table */
} foreign_window;

typedef struct {
    int32_t what;
    int32_t n;       /* rows that are asked for */
    uint64_t offset; /* in the packed table */
    char path[FOREIGN_MAX_PATH];
    int64_t row[FOREIGN_ROWS];
} foreign_request;

typedef struct {
    int32_t code; /* a status; its text follows */
    int32_t has_var;
    int64_t n, d;           /* of X */
    uint64_t obs, var;      /* bytes of the packed tables */
    uint64_t bytes, digest; /* in the window; of ASK_VERIFY */
    char message[2000];
} foreign_answer;

_Static_assert(sizeof(foreign_request) <= WORKER_MAX_BYTES && sizeof(foreign_answer) <= WORKER_MAX_BYTES, "one record each");
_Static_assert(FOREIGN_MAX_COLUMNS * sizeof(float) <= sizeof(((foreign_window *)0)->bytes), "a row fits into the window");

/* The worker's side: foreign_serve is its worker_fn. */
typedef struct foreign_state foreign_state;
foreign_state *foreign_state_new(foreign_window *w); /* before the fork; the worker uses it */
size_t foreign_serve(void *state, const void *request, size_t size, void *answer);

#endif

/* remote_impl.h -- what remote.c, transfer.c and cache.c share. */
#ifndef MICON_REMOTE_IMPL_H
#define MICON_REMOTE_IMPL_H
#include "micon/remote/remote.h"

#include <curl/curl.h>

enum { REMOTE_REDIRECTS = 5, REMOTE_VALIDATOR = 256 };

/* An object that was asked for. The thread has it from RUNNING to READY; the lock of remote.c guards what comes first. */
typedef enum { REMOTE_WAITING, REMOTE_RUNNING, REMOTE_READY } object_state;
typedef struct object {
    object_state state;
    bool dropped;        /* nobody will read it */
    size_t charge;       /* bytes that count against the memory */
    struct object *next; /* in the order in which they were asked for */
    char *path;          /* as the table has it */
    bool size_only;

    CURL *easy; /* NULL between transfers */
    struct curl_slist *headers;
    int tries;
    double not_before; /* clock_s */
    uint8_t *bytes;    /* n of them are here */
    size_t n, cap;
    int64_t length;                   /* of the whole; -1: not known */
    char validator[REMOTE_VALIDATOR]; /* ETag or date of what is here; "": a transfer that broke begins again */
    int64_t mtime_ns;
    status st; /* of a READY one, with its message: */
    char *why;

    /* The answer to the current request. */
    struct {
        int64_t from, whole; /* of Content-Range; -1: not said */
        size_t page;         /* bytes of an error page */
        char etag[REMOTE_VALIDATOR], date[REMOTE_VALIDATOR];
        bool chunked, begun;
        bool changed; /* the object is no longer the one whose first bytes are here */
        bool too_large, no_memory;
    } answer;
    char error[CURL_ERROR_SIZE];
} object;

/* ---- transfer.c: one object's transfers; in the thread ---- */
typedef enum { TRANSFER_DONE, TRANSFER_AGAIN } transfer_end_kind;
/* Sets up o->easy for the whole object or for the bytes that are missing. NULL: no memory. */
CURL *transfer_begin(object *o, const remote_options *options);
/* Judges an ended transfer. DONE: o->st and o->why are set; AGAIN: it may be tried again after *wait_s. *lost: the server did not answer,
 * or not as one that works. Frees o->easy, which must not be in a multi handle. */
transfer_end_kind transfer_end(object *o, CURLcode code, const remote_options *options, double *wait_s, bool *lost);
void transfer_free(object *o);
void object_fail(object *o, status st, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* ---- cache.c: objects kept in a folder; in the thread ---- */
typedef struct cache cache;
cache *cache_open(const char *folder, int64_t most_bytes); /* NULL where folder is "" */
void cache_close(cache **c);
bool cache_get(cache *c, object *o); /* o is complete */
void cache_put(cache *c, const object *o);

#endif

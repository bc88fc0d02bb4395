/* status.h -- how a function says that it failed, and why.
 *
 * Every fallible function returns a `status` that must be looked at; results go through out-parameters. The text of the
 * first failure is kept per thread until it is taken or cleared. All of this is local; agreement over ranks is comm.h.
 */
#ifndef MICON_BASE_STATUS_H
#define MICON_BASE_STATUS_H
#include <stddef.h>

typedef enum {
    OK = 0,
    E_FAILED,   /* an input or a computation is bad; the message says which            -> exit 1 */
    E_IO,       /* the system refused: open, read, write, space                         -> exit 1 */
    E_FORMAT,   /* a file's contents are not what they should be                        -> exit 1 */
    E_NOMEM,    /* data-sized memory was not to be had                                  -> exit 1 */
    E_INTERNAL, /* a broken invariant of ours                                           -> exit 1 */
    E_AGAIN,    /* stopped on request with everything saved: run again to go on         -> exit 75 */
    E_USAGE     /* wrong command line or configuration                                  -> exit 2 */
} status;

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

/* Keep the message unless one is kept already, and return `code`. */
status fail(status code, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Put "text: " before the kept message (nothing happens where st is OK), and return st. */
status fail_within(status st, const char *fmt, ...) PRINTF_LIKE(2, 3);

const char *msg_get(void);             /* the kept message, "" when there is none; borrowed until the next call here */
void msg_clear(void);                  /* a failure was dealt with: forget its text */
void msg_take(char *buf, size_t size); /* copy (cut to size, always terminated) and clear */
void msg_set(const char *text);        /* replace the kept message: for a text that came from another rank or thread */

int status_exit(status st);         /* the exit status of a program that ends with st: 0, 1, 2 or 75 */
const char *status_name(status st); /* "ok", "failed", "io", ... */

/* Inside a function with `status st` and one exit `done:`. */
#define TRY(expr)                                                                                                                          \
    do {                                                                                                                                   \
        if ((st = (expr)) != OK) goto done;                                                                                                \
    } while (0)

#endif

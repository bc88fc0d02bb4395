/* input_digests.h -- the files an output was made from: size, mtime and digest of each. Local.
 * Kept beside the output, in work/status/<stage>/<name>.inputs, by absolute paths: an input whose size and mtime are unchanged is not read
 * again, wherever the command is given. What is behind a URL (base/url.h) counts as unchanged: asking for each would cost a round trip. */
#ifndef MICON_PROVENANCE_INPUT_DIGESTS_H
#define MICON_PROVENANCE_INPUT_DIGESTS_H
#include "micon/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Inputs in a fixed order. {0} is valid and empty. A missing or unreadable input has size -1 and digest 0. */
typedef struct {
    char *path;
    int64_t size, mtime_ns;
    uint64_t digest;
    bool known; /* digest was taken, or remembered */
} input;
typedef struct {
    input *item;
    size_t n, cap;
} input_digests;
status input_digests_add(input_digests *in, const char *path) MUST_USE; /* stats the file, no URL; the digest comes later */
void input_digests_free(input_digests *in);
uint64_t input_digests_digest(const input_digests *in); /* over the digests, in order; all must be known */

/* Fill in the digests of those whose size and mtime are as in the memory file. No such file, or a damaged one: nothing is known. */
void input_digests_recall(input_digests *in, const char *memory_file);
/* That file against the digest at its end; *digest is 0 where it has none. */
status input_digests_check(const char *memory_file, uint64_t *digest) MUST_USE;
status input_digests_remember(const input_digests *in, const char *memory_file) MUST_USE;

#endif

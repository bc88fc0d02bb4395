/* digest.h -- XXH3-64 of bytes. Local. Written as 16 hexadecimal digits wherever a person or a file sees one. */
#ifndef MICON_BASE_DIGEST_H
#define MICON_BASE_DIGEST_H
#include "micon/base/status.h"
#include "micon/base/text.h"

#include <stddef.h>
#include <stdint.h>

enum { DIGEST_TEXT = 17 };

uint64_t digest_bytes(const void *data, size_t size);
uint64_t digest_text(const char *s);                 /* the bytes of s, and its end: "ab","c" differs from "a","bc" */
uint64_t digest_mix(uint64_t so_far, uint64_t next); /* order matters; start from 0 */
status digest_file(const char *path, uint64_t *out) MUST_USE;
char *digest_show(uint64_t d, char text[DIGEST_TEXT]);

/* The end of a small text file: a line with the digest of all bytes before it, between two words that suit the file's format. Check:
 * E_FORMAT where the file is not what was written; *digest is 0 where it has no such end (what 0.1 wrote). */
typedef struct {
    const char *before, *after; /* `after` ends the file */
} digest_end;
void digest_end_add(text *t, const digest_end *e);
status digest_end_check(const char *data, size_t size, const digest_end *e, uint64_t *digest) MUST_USE;

#endif

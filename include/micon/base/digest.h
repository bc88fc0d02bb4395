/* digest.h -- XXH3-64 of bytes. Local. Written as 16 hexadecimal digits wherever a person or a file sees one. */
#ifndef MICON_BASE_DIGEST_H
#define MICON_BASE_DIGEST_H
#include "micon/base/status.h"

#include <stdint.h>

enum { DIGEST_TEXT = 17 };

uint64_t digest_bytes(const void *data, size_t size);
uint64_t digest_text(const char *s);                 /* the bytes of s, and its end: "ab","c" differs from "a","bc" */
uint64_t digest_mix(uint64_t so_far, uint64_t next); /* order matters; start from 0 */
status digest_file(const char *path, uint64_t *out) MUST_USE;
char *digest_show(uint64_t d, char text[DIGEST_TEXT]);

#endif

/* digest.c -- XXH3-64 through Debian's libxxhash. */
#include "micon/base/digest.h"

#include "micon/base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

uint64_t digest_bytes(const void *data, size_t size)
{
    return XXH3_64bits(data, size);
}

uint64_t digest_text(const char *s)
{
    return XXH3_64bits(s, strlen(s) + 1);
}

uint64_t digest_mix(uint64_t so_far, uint64_t next)
{
    uint64_t both[2] = {so_far, next};
    return XXH3_64bits(both, sizeof both);
}

char *digest_show(uint64_t d, char text[DIGEST_TEXT])
{
    snprintf(text, DIGEST_TEXT, "%016llx", (unsigned long long)d);
    return text;
}

status digest_file(const char *path, uint64_t *out)
{
    enum { BLOCK = 1 << 18 };
    status st = OK;
    unsigned char *block = xmalloc(BLOCK);
    XXH3_state_t *state = XXH3_createState();
    FILE *f = fopen(path, "rb");
    if (!state) TRY(fail(E_NOMEM, "%s: no memory for a digest", path));
    if (!f) TRY(fail(E_IO, "%s: %s", path, strerror(errno)));
    XXH3_64bits_reset(state);
    for (size_t n; (n = fread(block, 1, BLOCK, f)) > 0;) XXH3_64bits_update(state, block, n);
    if (ferror(f)) TRY(fail(E_IO, "%s: reading failed: %s", path, strerror(errno)));
    *out = XXH3_64bits_digest(state);
done:
    if (f) fclose(f);
    XXH3_freeState(state);
    free(block);
    return st;
}

/* digest.c -- XXH3-64 through Debian's libxxhash. */
#define _GNU_SOURCE /* memmem */
#include "micon/base/digest.h"

#include "micon/base/mem.h"
#include "micon/base/path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
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

char *digest_show(uint64_t d, char out[DIGEST_TEXT])
{
    snprintf(out, DIGEST_TEXT, "%016llx", (unsigned long long)d);
    return out;
}

status digest_file(const char *path, uint64_t *out)
{
    enum { BLOCK = 1 << 18 };
    status st = OK;
    unsigned char *block = xmalloc(BLOCK);
    XXH3_state_t *state = XXH3_createState();
    int fd = -1;
    if (!state) TRY(fail(E_NOMEM, "%s: no memory for a digest", path));
    TRY(path_open_regular(path, &fd));
    XXH3_64bits_reset(state);
    for (ssize_t n; (n = read(fd, block, BLOCK)) != 0;) {
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) TRY(fail(E_IO, "%s: reading failed: %s", path, strerror(errno)));
        XXH3_64bits_update(state, block, (size_t)n);
    }
    *out = XXH3_64bits_digest(state);
done:
    if (fd >= 0) close(fd);
    XXH3_freeState(state);
    free(block);
    return st;
}

void digest_end_add(text *t, const digest_end *e)
{
    char d[DIGEST_TEXT];
    digest_show(digest_bytes(text_str(t), t->n), d);
    text_addf(t, "%s%s%s", e->before, d, e->after);
}

status digest_end_check(const char *data, size_t size, const digest_end *e, uint64_t *digest)
{
    size_t before = strlen(e->before), after = strlen(e->after), end = before + DIGEST_TEXT - 1 + after;
    char d[DIGEST_TEXT];
    bool said = memmem(data, size, e->before, before) != NULL, right = false;
    *digest = 0;
    if (size >= end) {
        const char *last = data + size - end;
        uint64_t found = digest_bytes(data, size - end);
        digest_show(found, d);
        right = memcmp(last + before, d, DIGEST_TEXT - 1) == 0;
        if (right && memcmp(last, e->before, before) == 0 && memcmp(last + end - after, e->after, after) == 0) {
            *digest = found;
            return OK;
        }
    }
    if (!said && !right) return OK; /* where the digest is right, the words around it are damaged */
    return fail(E_FORMAT, "is not what was written: it was changed or damaged since");
}

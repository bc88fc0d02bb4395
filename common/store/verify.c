/* verify.c -- checks a finished file as a whole: its bytes by the digests of the blocks, its content by the content digest. */
#include "store_impl.h"

status store_verify(const char *path, uint64_t *digest)
{
    status st = OK;
    store_file *f = NULL;
    TRY(store_open_ours(&f, path));
    TRY(blocks_verify(path));
    TRY(content_check(f));
    *digest = store_digest(f);
done:
    store_close(&f);
    return st;
}

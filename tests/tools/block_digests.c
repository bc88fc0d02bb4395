/* block_digests.c -- block_digests FILE... : computes the block digests at the end of finished HDF5 files again (common/store/blocks.c),
 * for tests that edit a stored text in place. */
#include "micon/base/digest.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { BLOCK = 65536, FOOT = 4 * 8 + 16 };

static int renew(const char *path)
{
    FILE *f = fopen(path, "r+b");
    uint64_t foot[4]; /* size of the HDF5 part, bytes of a block, blocks, digest; little-endian, as this machine is */
    if (!f || fseek(f, -FOOT, SEEK_END) != 0 || fread(foot, sizeof foot, 1, f) != 1 || foot[1] != BLOCK) return 1;
    uint64_t *digest = calloc(foot[2], sizeof *digest);
    unsigned char *block = malloc(BLOCK);
    rewind(f);
    for (uint64_t b = 0; b < foot[2]; b++) {
        uint64_t left = foot[0] - b * BLOCK;
        size_t n = left < BLOCK ? (size_t)left : BLOCK;
        if (fread(block, 1, n, f) != n) return 1;
        digest[b] = digest_bytes(block, n);
    }
    foot[3] = digest_mix(digest_mix(digest_mix(digest_bytes(digest, foot[2] * sizeof *digest), foot[0]), BLOCK), foot[2]);
    bool good = fseek(f, (long)foot[0], SEEK_SET) == 0 && fwrite(digest, sizeof *digest, foot[2], f) == foot[2] &&
                fwrite(foot, sizeof foot, 1, f) == 1;
    free(digest);
    free(block);
    return fclose(f) != 0 || !good;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (renew(argv[i]) != 0) return fprintf(stderr, "%s: no file with block digests\n", argv[i]), 1;
    return argc < 2;
}

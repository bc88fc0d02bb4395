/* hurt.c -- damages a file in place, for tests/campaign.
 *   hurt flip FILE SEED     one bit, size and time of the file kept
 *   hurt mutate FILE SEED   one to eight random changes: bits, bytes, blocks moved, cut off, repeated, telling numbers */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t state;

static uint64_t draw(uint64_t below)
{
    state += 0x9E3779B97F4A7C15u;
    uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (z ^ (z >> 31)) % below;
}

/* data has room for twice n and 64 more. */
static size_t mutate(unsigned char *data, size_t n)
{
    static const uint64_t telling[] = {0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000u, 0xFFFFFFFFu, UINT64_MAX, INT64_MAX};
    size_t at = draw(n), from = draw(n), length = 1 + draw(64);
    if (at + length > n) length = n - at;
    switch (draw(7)) {
    case 0: data[at] ^= (unsigned char)(1u << draw(8)); break;
    case 1: data[at] = (unsigned char)draw(256); break;
    case 2:
        for (size_t i = 0, wide = (size_t)1 << draw(4), value = (size_t)telling[draw(sizeof telling / sizeof *telling)]; i < wide; i++)
            if (at + i < n) data[at + i] = (unsigned char)(value >> 8 * i);
        break;
    case 3: memmove(data + at, data + (from + length > n ? 0 : from), length); break;
    case 4: n = at + 1; break;
    case 5:
        memmove(data + at + length, data + at, n - at);
        n += length;
        break;
    default: memmove(data + at, data + at + length, n - at - length); n -= length;
    }
    return n ? n : 1;
}

static int flip(const char *path, const struct stat *sb)
{
    const struct timespec times[] = {sb->st_atim, sb->st_mtim};
    int fd = open(path, O_RDWR | O_CLOEXEC);
    off_t at = (off_t)draw((uint64_t)sb->st_size);
    unsigned char c;
    if (fd < 0 || pread(fd, &c, 1, at) != 1) return 1;
    int bit = (int)draw(8);
    c ^= (unsigned char)(1u << bit);
    if (pwrite(fd, &c, 1, at) != 1 || futimens(fd, times) != 0) return 1;
    printf("byte %lld bit %d\n", (long long)at, bit);
    return close(fd) != 0;
}

static int rewrite(const char *path, const struct stat *sb)
{
    size_t n = (size_t)sb->st_size, changes = 1 + draw(8);
    unsigned char *data = malloc(16 * n + 1024);
    FILE *f = fopen(path, "rb");
    if (!data || !f || fread(data, 1, n, f) != n) return 1;
    fclose(f);
    for (size_t i = 0; i < changes; i++) n = mutate(data, n);
    f = fopen(path, "wb");
    if (!f || fwrite(data, 1, n, f) != n || fclose(f) != 0) return 1;
    free(data);
    return 0;
}

int main(int argc, char **argv)
{
    struct stat sb;
    if (argc != 4 || stat(argv[2], &sb) != 0 || sb.st_size == 0) return fputs("usage: hurt flip|mutate FILE SEED\n", stderr), 2;
    state = strtoull(argv[3], NULL, 10);
    return strcmp(argv[1], "flip") == 0 ? flip(argv[2], &sb) : rewrite(argv[2], &sb);
}

/* t_csv_big.c -- a table of 5 GB in bounded memory: many gzip members, one file.
 * run: long nosan limit=300 */
#include "../tap.h"
#include "micon/formats/csv.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zlib.h>

enum { ROWS = 40000, MEMBERS = 1350 }; /* rows of about 100 bytes a member */

static void add_member(FILE *f, const text *t, unsigned char *out, size_t cap)
{
    z_stream z = {0};
    ok(deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK, "zlib");
    z.next_in = (unsigned char *)t->s, z.avail_in = (uInt)t->n;
    z.next_out = out, z.avail_out = (uInt)cap;
    ok(deflate(&z, Z_FINISH) == Z_STREAM_END && fwrite(out, 1, cap - z.avail_out, f) == cap - z.avail_out, "a member");
    deflateEnd(&z);
}

int main(void)
{
    const char *dir = tap_dir();
    char path[600];
    text t = {0};
    size_t cap = 8 << 20;
    unsigned char *out = malloc(cap);
    snprintf(path, sizeof path, "%s/big.csv.gz", dir);
    FILE *f = fopen(path, "wb");
    if (!f || !out) return 1;
    text_add(&t, "n,quoted,filler\n");
    add_member(f, &t, out, cap);
    text_clear(&t);
    for (int i = 0; i < ROWS; i++) text_addf(&t, "%d,\"a \"\"%d\"\",\nb\",%070d\n", i, i, i);
    long start = ftell(f);
    add_member(f, &t, out, cap);
    size_t n = (size_t)(ftell(f) - start);
    int written = 1;
    for (int i = 1; i < MEMBERS; i++) written &= fwrite(out, 1, n, f) == n;
    ok(fclose(f) == 0 && written, "a file of 1,351 members");
    double bytes = (double)t.n * MEMBERS;
    text_free(&t);
    free(out);

    csv *c = NULL;
    char **field, want[64];
    bool more = true;
    int64_t rows = 0, wrong = 0;
    status st = csv_open(&c, path);
    for (; st == OK && (st = csv_next(c, &field, &more)) == OK && more; rows++) {
        snprintf(want, sizeof want, "a \"%d\",\nb", (int)(rows % ROWS));
        wrong += strcmp(field[1], want) != 0 || csv_line(c) != 2 + 2 * rows;
    }
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    printf("# %.1f GB, %lld rows, peak %.0f MB\n", bytes / 1e9, (long long)rows, (double)u.ru_maxrss / 1e3);
    ok(st == OK && rows == (int64_t)ROWS * MEMBERS && wrong == 0 && bytes > 4.9e9, "5 GB of rows, each right, each with its line");
    ok(u.ru_maxrss < 40000, "in less than 40 MB");
    csv_close(&c);
    unlink(path);
    return tap_done();
}

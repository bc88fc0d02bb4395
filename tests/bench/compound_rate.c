/* compound_rate.c FILE -- rows a second of the worker (standardization included) over a file of a SMILES a line; prints rows and
 * seconds. */
#include "micon/base/path.h"
#include "micon/base/text.h"
#include "micon/compound/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int64_t kept, n_rows;
static names rows;

static const char *smiles(void *ctx, int64_t i)
{
    (void)ctx;
    return rows.item[i];
}

static void take(void *ctx, int64_t i, const compound *c)
{
    (void)ctx, (void)i;
    n_rows++;
    kept += compound_is_kept(c->state);
}

int main(int argc, char **argv)
{
    worker *w = NULL;
    char *data = NULL;
    size_t size = 0;
    struct timespec a, b;
    if (argc != 2) return 2;
    status st = compound_worker_start(&w);
    if (st == OK) st = path_read(argv[1], &data, &size, (size_t)1 << 30);
    if (st == OK) names_split(&rows, data, '\n');
    if (rows.n && !rows.item[rows.n - 1][0]) rows.n--; /* after the last line's end */
    clock_gettime(CLOCK_MONOTONIC, &a);
    compound_job job = {.n = (int64_t)rows.n, .smiles = smiles, .take = take, .kind = COMPOUND_ECFP4, .bits = 1024, .limit_s = 10};
    if (st == OK) st = compound_worker_run(w, &job);
    clock_gettime(CLOCK_MONOTONIC, &b);
    if (st == OK) printf("%lld %.6f\n", (long long)kept, (double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec));
    if (st != OK) fprintf(stderr, "compound_rate: %s\n", msg_get());
    worker_stop(&w);
    free(data);
    return st != OK;
}

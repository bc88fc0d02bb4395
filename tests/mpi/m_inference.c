/* m_inference.c -- micon-embed's engine in fp32: what comes out for a tile depends neither on how many tiles a pass has left nor on the
 * size of a pass.   run: n=1,2 limit=120 nosan */
#include "../../stages/embed/embed.h"
#include "../tap_mpi.h"
#include "micon/base/mem.h"
#include "micon/base/rng.h"
#include "micon/mpi/comm.h"

#include <stdlib.h>

enum { SIZE = 33, CHANNELS = 5, DIM = 100, P = 32, TILES = 33, TILE = CHANNELS * SIZE * SIZE };

static status make_model(model *m)
{
    status st = OK;
    *m = (model){.depth = 18, .size_px = SIZE, .dim = DIM, .projection = P};
    for (int i = 0; i < CHANNELS; i++) names_add(&m->channels, (const char *[]){"DNA", "ER", "RNA", "AGP", "Mito"}[i]);
    m->mean = xcalloc(CHANNELS, sizeof *m->mean);
    m->sd = xcalloc(CHANNELS, sizeof *m->sd);
    for (int c = 0; c < CHANNELS; c++) m->mean[c] = 0.5, m->sd[c] = 0.3;
    TRY(model_build(m, false));
    model_init(m, 1);
done:
    return st;
}

/* Passes of tiles_per_site's whole sites; h and u of all tiles, the last pass as it falls. */
static status run_all_tiles(stage *g, const model *m, int per_site, const uint8_t *tiles, float *h, float *u, int *pass)
{
    status st = OK;
    inference e = {0};
    TRY(inference_create_all(&e, g, m, NN_F32, per_site));
    *pass = e.n_tiles;
    for (int at = 0; at < TILES; at += e.n_tiles) {
        int n = TILES - at < e.n_tiles ? TILES - at : e.n_tiles;
        TRY_ALL(g->comm, inference_run(&e, tiles + (size_t)at * TILE, n, h + at * DIM, u + at * P));
    }
done:
    inference_free(&e);
    return st;
}

static double largest(const float *a, const float *b, size_t n)
{
    double d = 0;
    for (size_t i = 0; i < n; i++) d = fmax(d, fabs((double)a[i] - b[i]));
    return d;
}

static status test_engine(stage *g, const model *m, const uint8_t *tiles)
{
    status st = OK;
    static float h[4][TILES * DIM], u[4][TILES * P];
    int pass[4];
    const int per_site[] = {1, 7, 33};
    for (int i = 0; i < 3; i++) TRY(run_all_tiles(g, m, per_site[i], tiles, h[i], u[i], &pass[i]));
    ok_all(pass[0] == 16 && pass[1] == 14 && pass[2] == 33, "passes of 16, 14 and 33 tiles");
    double d = fmax(fmax(largest(h[0], h[1], TILES * DIM), largest(h[0], h[2], TILES * DIM)),
                    fmax(largest(u[0], u[1], TILES * P), largest(u[0], u[2], TILES * P)));
    if (g->rank == 0) printf("# passes of other sizes: largest difference %.1e\n", d);
    ok_all(d <= 1e-6, "the same to 1e-6 in passes of any size");
    ok_all(largest(h[0], h[0] + DIM, DIM) > 1e-3, "tiles differ by more");
    inference e = {0};
    TRY(inference_create_all(&e, g, m, NN_F32, 1));
    int bad = 0;
    for (int n = 1; n <= 16; n += n == 1 ? 6 : n == 7 ? 8 : 1) { /* 1, 7, 15, 16 */
        TRY_ALL(g->comm, inference_run(&e, tiles, n, h[3], u[3]));
        bad += memcmp(h[3], h[0], sizeof(float) * (size_t)n * DIM) != 0 || memcmp(u[3], u[0], sizeof(float) * (size_t)n * P) != 0;
    }
    ok_all(bad == 0, "a pass of 1, 7, 15 or 16 tiles: the same bytes");
done:
    inference_free(&e);
    return st;
}

int main(int argc, char **argv)
{
    status st = OK;
    char here[] = ".", work[512];
    stage g = {.comm = MPI_COMM_WORLD, .cfg = {.dir = here}};
    model m = {0};
    static uint8_t tiles[TILES * TILE];
    MPI_Init(&argc, &argv);
    snprintf(work, sizeof work, "%s", tap_dir_all());
    g.cfg.screen.work = work; /* choices of primitives are kept below it */
    MPI_Comm_rank(g.comm, &g.rank);
    MPI_Comm_size(g.comm, &g.size);
    kernels_set_threads(1);
    rng r = rng_at(1, STREAM_SAMPLE, 0, 0);
    for (int i = 0; i < TILES; i++) {
        double fy = rng_uniform(&r), fx = rng_uniform(&r);
        for (int k = 0; k < TILE; k++)
            tiles[i * TILE + k] = (uint8_t)(127 + 60 * sin(fy * (k / SIZE) + fx * (k % SIZE)) + 60 * rng_uniform(&r));
    }
    TRY_ALL(g.comm, make_model(&m));
    TRY(test_engine(&g, &m, tiles));
done:
    if (st != OK) printf("# %s\n", msg_get());
    ok_all(st == OK, "the test ran to its end");
    model_free(&m);
    int rc = tap_done_all();
    MPI_Finalize();
    return rc;
}

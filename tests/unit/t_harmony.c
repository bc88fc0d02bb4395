/* t_harmony.c -- Harmony against harmonypy 0.0.10 from the same first centres and the same shuffles; mixing; odd input. */
#include "micon/profile/harmony.h"

#include "../profile_data.h"

enum { H = 12 };

static void columns(const screen *s, float *x)
{
    for (int i = 0; i < N; i++) memcpy(x + i * H, s->x + i * D, H * sizeof *x);
}

static void against_harmonypy(const screen *s, const float *x)
{
    double start[8 * H], mark[N];
    float *y = malloc(N * H * sizeof *y);
    harmony_result r;
    harmony_options o = harmony_defaults();
    o.clusters = 8;
    o.start = start;
    for (int c = 0; c < 8; c++) {
        double sum = 0;
        for (int j = 0; j < H; j++) sum += (double)x[c * 60 * H + j] * x[c * 60 * H + j];
        for (int j = 0; j < H; j++) start[c * H + j] = x[c * 60 * H + j] / sqrt(sum);
    }
    ok(harmony_correct(x, N, H, s->batch, BATCHES, &o, y, &r) == OK, "eight clusters, six batches");
    row_marks(y, N, H, mark);
    ref_check(mark, N, "harmony", 1e-4, 1e-4, "the corrected rows are harmonypy's");
    double rounds = r.rounds;
    ref_check(&rounds, 1, "harmony_rounds", 0, 1e-9, "after as many rounds");
    free(y);
}

/* The spread of batch means, per feature. */
static double batch_spread(const float *x, const screen *s)
{
    double total = 0;
    for (int j = 0; j < H; j++) {
        double mean[BATCHES] = {0}, all = 0;
        for (int i = 0; i < N; i++) mean[s->batch[i]] += x[i * H + j] / 80.0;
        for (int b = 0; b < BATCHES; b++) all += mean[b] / BATCHES;
        for (int b = 0; b < BATCHES; b++) total += (mean[b] - all) * (mean[b] - all);
    }
    return sqrt(total);
}

static void own_start(const screen *s, const float *x)
{
    float *y = malloc(N * H * sizeof *y), *z = malloc(N * H * sizeof *z);
    harmony_result r;
    harmony_options o = harmony_defaults();
    ok(harmony_correct(x, N, H, s->batch, BATCHES, &o, y, &r) == OK && r.clusters == 16, "its own start: 480 / 30 clusters");
    ok(batch_spread(y, s) < 0.4 * batch_spread(x, s), "batch means come closer");
    ok(harmony_correct(x, N, H, s->batch, BATCHES, &o, z, &r) == OK && memcmp(y, z, N * H * sizeof *y) == 0, "twice the same bytes");
    o.seed = 2;
    ok(harmony_correct(x, N, H, s->batch, BATCHES, &o, z, &r) == OK && memcmp(y, z, N * H * sizeof *y) != 0,
       "another seed, another outcome");
    int32_t renamed[N], one[N] = {0};
    for (int i = 0; i < N; i++) renamed[i] = BATCHES - 1 - s->batch[i];
    o.seed = 1;
    ok(harmony_correct(x, N, H, renamed, BATCHES, &o, z, &r) == OK, "batches numbered the other way");
    double worst = 0;
    for (int i = 0; i < N * H; i++) worst = fmax(worst, fabs(y[i] - z[i]));
    printf("# off by %.1e\n", worst);
    ok(worst < 1e-4, "give the same to 1e-4");
    ok(harmony_correct(x, N, H, one, 1, &o, z, &r) == OK && r.rounds == 0 && memcmp(x, z, N * H * sizeof *z) == 0, "one batch: untouched");
    ok(harmony_correct(x, 10, H, renamed, BATCHES, &o, z, &r) == E_INTERNAL, "a batch without rows is refused");
    msg_clear();
    free(y);
    free(z);
}

int main(void)
{
    screen *s = screen_make();
    float *x = malloc(N * H * sizeof *x);
    columns(s, x);
    against_harmonypy(s, x);
    own_start(s, x);
    free(x);
    free(s);
    return tap_done();
}

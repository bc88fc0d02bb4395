/* t_nn_amx_long.c -- run: long limit=900 nosan : the AMX kernels on emulated tiles (or the CPU's unit, where there is one) against
 * naive loops: all pairs of size and picture count, channels from 16 to 512, 640 pictures. */
#include "../amx_reference.h"

#include <omp.h>

static int run, bad;

static status all_ways(int n, int ci, int co, int size, int k, int stride)
{
    status st = OK;
    for (int direction = 0; direction < 3; direction++) {
        if (direction == CONV_BACK_DATA && ci == 1) continue;
        amx_case c = amx_case_create((conv_direction)direction, n, ci, co, size, size, k, stride);
        st = amx_case_run(&c, run % 2 == 1 && direction != CONV_BACK_WEIGHTS);
        run++;
        if (st == OK && !amx_case_good(&c)) bad++;
        amx_case_free(&c);
        if (st != OK) break;
    }
    return st;
}

int main(void)
{
    static const int size[] = {1, 3, 7, 15, 17, 31, 33}, pictures[] = {1, 5, 31, 32, 33}, kind[][2] = {{3, 1}, {3, 2}, {1, 1}, {1, 2}};
    static const int channels[][2] = {{16, 512}, {48, 80}, {112, 16}, {128, 256}, {240, 48}, {256, 128}, {272, 304}, {512, 512}};
    static const int many[][5] = {
        {64, 64, 3, 3, 1}, {32, 48, 7, 3, 2}, {1, 32, 9, 7, 2}, {64, 32, 4, 1, 2}}; /* channels, size, kernel, stride */
    status st = OK;
    if (amx_unit_here() != AMX_CPU) amx_use(AMX_EMULATED);
    omp_set_num_threads(1);
    for (size_t s = 0; s < sizeof size / sizeof *size; s++)
        for (size_t p = 0; p < sizeof pictures / sizeof *pictures; p++) {
            for (size_t k = 0; k < sizeof kind / sizeof *kind; k++) TRY(all_ways(pictures[p], 32, 48, size[s], kind[k][0], kind[k][1]));
            TRY(all_ways(pictures[p], 1, 64, size[s], 7, 2));
        }
    ok(bad == 0, "sizes from 1 to 33 pixels, 1 to 33 pictures");
    for (size_t c = 0; c < sizeof channels / sizeof *channels; c++)
        for (size_t k = 0; k < sizeof kind / sizeof *kind; k++)
            TRY(all_ways(33, channels[c][0], channels[c][1], 5, kind[k][0], kind[k][1]));
    ok(bad == 0, "channels from 16 to 512");
    for (size_t i = 0; i < sizeof many / sizeof *many; i++) TRY(all_ways(640, many[i][0], many[i][1], many[i][2], many[i][3], many[i][4]));
    ok(bad == 0, "640 pictures");
    printf("# %d convolutions\n", run);
done:
    if (st != OK) printf("# %s\n", msg_get());
    ok(st == OK && run > 500, "the test ran to its end");
    return tap_done();
}

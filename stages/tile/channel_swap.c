/* channel_swap.c -- warns if a plate's channels look exchanged. Each channel of a finished plate is described by a few medians over its
 * tiles, relative to the plate's other channels, and compared with the channels of the other finished plates of its batch. Where another
 * naming of the plate's channels fits these clearly better than the one it has, someone should look: one channel alone being near to
 * another is common. Only a warning, and not kept in the tile file: it depends on which other plates are there. */
#include "tile.h"

#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_TRAITS = 3, CHANNELS_MAX = 8 };
#define CLEARLY 0.25 /* of the sum of squared distances: half the distance */
static const char *const traits[N_TRAITS] = {"Mean", "SD", "Focus"};

/* Logarithms of the medians, [channels, N_TRAITS]. */
static status describe(const char *path, const names *channels, double *out)
{
    status st = OK;
    store_file *f = NULL;
    frame obs = {0};
    double *v = NULL;
    char name[300];
    TRY(store_open(&f, path, TILES_KIND, TILES_FORMAT));
    TRY(store_read_frame(f, "obs", &obs));
    TRY(mem_alloc(&v, (size_t)obs.n_rows, sizeof *v, "quality"));
    for (size_t c = 0; c < channels->n; c++)
        for (int t = 0; t < N_TRAITS; t++) {
            snprintf(name, sizeof name, "QC_%s_%s", traits[t], channels->item[c]);
            int col = frame_col(&obs, name);
            if (col < 0) TRY(fail(E_FORMAT, "%s: has no %s", path, name));
            for (int64_t i = 0; i < obs.n_rows; i++) v[i] = frame_real(&obs, i, col);
            out[c * N_TRAITS + (size_t)t] = log(tiling_median(v, (size_t)obs.n_rows) + 1);
        }
done:
    store_close(&f);
    frame_free(&obs);
    free(v);
    return st;
}

static double distance(const double *a, const double *b)
{
    double sum = 0;
    for (int t = 0; t < N_TRAITS; t++) sum += (a[t] - b[t]) * (a[t] - b[t]);
    return sum;
}

/* A plate's exposure moves all of its channels: take the mean over them off each trait. */
static void centre(double *one, size_t channels)
{
    for (int t = 0; t < N_TRAITS; t++) {
        double mean = 0;
        for (size_t c = 0; c < channels; c++) mean += one[c * N_TRAITS + (size_t)t] / (double)channels;
        for (size_t c = 0; c < channels; c++) one[c * N_TRAITS + (size_t)t] -= mean;
    }
}

/* The naming with the least sum of distances, by trying all: name[c] is what channel c looks like. */
typedef struct {
    const double *one, *others;
    size_t n, try[CHANNELS_MAX], name[CHANNELS_MAX];
    bool used[CHANNELS_MAX];
    double best;
} naming;

static void try_names(naming *m, size_t c, double so_far)
{
    if (so_far >= m->best) return;
    if (c == m->n) {
        m->best = so_far;
        memcpy(m->name, m->try, sizeof m->name);
        return;
    }
    for (size_t k = 0; k < m->n; k++) {
        if (m->used[k]) continue;
        m->used[k] = true;
        m->try[c] = k;
        try_names(m, c + 1, so_far + distance(m->one + c * N_TRAITS, m->others + k * N_TRAITS));
        m->used[k] = false;
    }
}

/* one, others: [channels, N_TRAITS], others the mean of the batch's other plates. */
static void compare(const char *label, const names *channels, const double *one, const double *others)
{
    naming m = {.one = one, .others = others, .n = channels->n, .best = INFINITY};
    double as_named = 0;
    if (channels->n > CHANNELS_MAX) return;
    for (size_t c = 0; c < channels->n; c++) as_named += distance(one + c * N_TRAITS, others + c * N_TRAITS);
    try_names(&m, 0, 0);
    if (m.best >= CLEARLY * as_named) return;
    for (size_t c = 0; c < channels->n; c++)
        if (m.name[c] != c)
            log_warn("%s: channel %s looks like %s of the other plates of its batch: were files or columns exchanged?", label,
                     channels->item[c], channels->item[m.name[c]]);
}

/* Plates [first, end) are one batch. */
static status check_batch(const screen_index *ix, const config *cfg, int64_t first, int64_t end, const bool *made)
{
    status st = OK;
    const names *channels = &cfg->screen.channels;
    size_t n = channels->n * N_TRAITS, plates = 0, *known = xcalloc((size_t)(end - first), sizeof *known);
    double *all = NULL, *others = xcalloc(n, sizeof *others);
    TRY(mem_alloc(&all, (size_t)(end - first) * n, sizeof *all, "statistics of a batch"));
    for (int64_t p = first; p < end; p++) {
        index_plate at = index_plate_at(ix, p);
        char *path = config_plate_file(cfg, WORK_TILES, at.source, at.batch, at.plate);
        if (path_exists(path) && describe(path, channels, all + plates * n) == OK) {
            centre(all + plates * n, channels->n);
            known[plates++] = (size_t)p;
        }
        msg_clear(); /* an unreadable file of another plate is reported elsewhere */
        free(path);
    }
    for (size_t i = 0; i < plates && plates > 1; i++) {
        if (!made[known[i]]) continue;
        char label[300];
        index_plate at = index_plate_at(ix, (int64_t)known[i]);
        memset(others, 0, n * sizeof *others);
        for (size_t j = 0; j < plates; j++)
            for (size_t k = 0; k < n && j != i; k++) others[k] += all[j * n + k] / (double)(plates - 1);
        snprintf(label, sizeof label, "%s/%s/%s", at.source, at.batch, at.plate);
        compare(label, channels, all + i * n, others);
    }
done:
    free(known);
    free(all);
    free(others);
    return st;
}

status channel_swap_check(const screen_index *ix, const config *cfg, const bool *made)
{
    status st = OK;
    int64_t n = index_n_plates(ix);
    for (int64_t first = 0, end; first < n; first = end) {
        index_plate a = index_plate_at(ix, first);
        bool any = false;
        for (end = first; end < n; end++) {
            index_plate b = index_plate_at(ix, end);
            if (strcmp(a.source, b.source) != 0 || strcmp(a.batch, b.batch) != 0) break;
            any |= made[end];
        }
        if (any) TRY(check_batch(ix, cfg, first, end, made));
    }
done:
    return st;
}

/* main.c -- micon-tile: every TIFF of a plate once, to tiles that fit a network (METHOD 2), one HDF5 file a plate. */
#include "tile.h"

#include "micon/findings.h"
#include "micon/log.h"
#include "micon/mem.h"
#include "micon/path.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct {
    char *preview;
} tile_arguments;

static const opt tile_own_options[] = {
    {NULL, "preview", OPT_TEXT, offsetof(tile_arguments, preview), "", 0, 0, NULL, 0,
     "write a contact sheet of the one plate's wells to this PNG file, its first three channels as blue, green, red"},
    {.name = NULL},
};

/* Rank 0 first, which joins the tables where that is needed; the others map what it has cached. */
static status open_index_all(stage *s, screen_index **ix)
{
    status st = OK;
    index_options o = index_options_of(&s->cfg);
    char *cache = index_cache_name(&s->cfg);
    text t = {0};
    TRY_ALL(s->comm, s->rank == 0 ? index_open(ix, &o, cache) : OK);
    TRY_ALL(s->comm, s->rank != 0 ? index_open(ix, &o, cache) : OK);
    const findings *found = index_findings(*ix);
    if (found->n > 0 && s->rank == 0) {
        findings_show(found, &t);
        log_warn("the tables:\n%s", text_str(&t));
    }
    TRY_ALL(s->comm, findings_verdict(found));
done:
    text_free(&t);
    free(cache);
    return st;
}

static status select_plates(const stage *s, const screen_index *ix, int64_t **chosen, int64_t *n)
{
    status st = OK;
    *n = s->plates.n ? (int64_t)s->plates.n : index_n_plates(ix);
    *chosen = xcalloc((size_t)*n, sizeof **chosen);
    for (int64_t i = 0; i < *n; i++) {
        if (s->plates.n)
            TRY(index_find_plate(ix, s->plates.item[i], &(*chosen)[i]));
        else
            (*chosen)[i] = i;
    }
done:
    return st;
}

/* A plate that is bad does not stop the others; a full disk, no memory, or a wrong call does. */
static bool goes_on_after(status st)
{
    return st == E_FAILED || st == E_FORMAT;
}

/* made [all plates]: set where a file was written. */
static status run_plates_all(stage *s, const screen_index *ix, const int64_t *chosen, int64_t n, bool *made)
{
    status st = OK;
    int64_t failed = 0;
    char first[1000] = "";
    for (int64_t i = 0; i < n; i++) {
        st = plate_run_all(s, ix, chosen[i], &made[chosen[i]]);
        if (st == OK) continue;
        if (!goes_on_after(st)) return st;
        if (failed++ == 0)
            msg_take(first, sizeof first);
        else if (s->rank == 0)
            log_warn("%s", msg_get());
        msg_clear();
    }
    if (failed == 0) return OK;
    if (n == 1) return fail(E_FAILED, "%s", first);
    return fail(E_FAILED, "%lld of %lld plates failed, the others are done; the first: %s", (long long)failed, (long long)n, first);
}

static status write_preview(const stage *s, const screen_index *ix, int64_t plate, const char *png)
{
    index_plate at = index_plate_at(ix, plate);
    char label[300], *path = config_plate_file(&s->cfg, "tiles", at.source, at.batch, at.plate);
    snprintf(label, sizeof label, "%s/%s/%s", at.source, at.batch, at.plate);
    status st = preview_write(path, label, png);
    free(path);
    return st;
}

static status run_all(stage *s)
{
    status st = OK;
    const tile_arguments *own = s->options;
    screen_index *ix = NULL;
    int64_t *chosen = NULL, n = 0;
    bool *made = NULL;
    char *folder = config_work(&s->cfg, "tiles");
    TRY(open_index_all(s, &ix));
    TRY_ALL(s->comm, select_plates(s, ix, &chosen, &n));
    if (*own->preview && n != 1) TRY(fail(E_USAGE, "--preview shows one plate, and there are %lld: choose with --plate", (long long)n));
    if (s->rank == 0) path_sweep_parts(folder, false);
    made = xcalloc((size_t)index_n_plates(ix), sizeof *made);
    TRY(run_plates_all(s, ix, chosen, n, made));
    TRY_ALL(s->comm, s->rank == 0 ? swaps_check(ix, &s->cfg, made) : OK);
    if (*own->preview) TRY_ALL(s->comm, s->rank == 0 ? write_preview(s, ix, chosen[0], own->preview) : OK);
done:
    free(made);
    index_free(&ix);
    free(chosen);
    free(folder);
    return st;
}

int main(int argc, char **argv)
{
    static const stage_def def = {
        .name = "tile",
        .summary = "resample, correct and cut the images of a screen's plates into tiles, one HDF5 file a plate",
        .sections = "screen tile",
        .affects = AFFECTS_TILES,
        .options = tile_own_options,
        .options_size = sizeof(tile_arguments),
        .run_all = run_all,
    };
    return stage_main(argc, argv, &def);
}

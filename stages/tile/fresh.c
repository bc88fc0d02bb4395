/* fresh.c -- may a finished tile file be left alone? It records what it was made with and one digest over all inputs; size, time and
 * digest of each input stand in work/status/tile/NAME.inputs, so that only what has changed since is read again. */
#include "tile.h"

#include "micon/digest.h"
#include "micon/inputs.h"
#include "micon/mem.h"
#include "micon/path.h"
#include "micon/provenance.h"

#include <stdlib.h>
#include <string.h>

/* work/tiles/NAME.h5 -> work/status/tile/NAME.inputs */
static char *memory_file(const plate_work *w, const char *path)
{
    const char *base = path_base(path);
    char *below = xasprintf("status/tile/%.*s.inputs", (int)(strlen(base) - strlen(".h5")), base), *name = config_work(w->cfg, below);
    free(below);
    return name;
}

void fresh_made_from(const plate_work *w, text *out)
{
    char d[DIGEST_TEXT];
    provenance_config(w->g, out);
    text_addf(out, "index: %s\n", digest_show(index_plate_digest(w->ix, w->number, INDEX_OF_ALL), d));
}

/* Is this image in the file of the channel before? Then it is no input of its own. */
static bool shares_file(const plate_work *w, int64_t row, int channel, text *path, text *before)
{
    return channel > 0 && strcmp(index_path(w->ix, row, channel, path), index_path(w->ix, row, channel - 1, before)) == 0;
}

/* The digests of all inputs in their order: images by item, then illumination functions. */
static uint64_t chain(const uint64_t *digest, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) sum = digest_mix(sum, digest[i]);
    return sum;
}

status fresh_inputs_sum(const plate_work *w, uint64_t *sum)
{
    status st = OK;
    text path = {0}, before = {0};
    size_t n = 0;
    uint64_t *digest = NULL;
    TRY(mem_alloc(&digest, (size_t)(w->plate.n * w->n_channels + w->n_channels), sizeof *digest, "digests of inputs"));
    for (int64_t s = 0; s < w->plate.n; s++)
        for (int c = 0; c < w->n_channels; c++)
            if (!shares_file(w, w->plate.first + s, c, &path, &before)) digest[n++] = w->note[s * w->n_channels + c].digest;
    for (int c = 0; c < w->n_channels && w->cfg->tile.illumination == ILLUMINATION_FILE; c++) digest[n++] = w->function_digest[c];
    *sum = chain(digest, n);
done:
    text_free(&path);
    text_free(&before);
    free(digest);
    return st;
}

/* Like inputs_add, from what was seen while reading: the file may have changed since. */
static status add_noted(inputs *in, const char *path, const image_note *note)
{
    status st = mem_grow(&in->item, &in->cap, in->n + 1, sizeof *in->item, "inputs");
    if (st != OK) return st;
    in->item[in->n++] =
        (input){.path = xstrdup(path), .size = note->size, .mtime_ns = note->mtime_ns, .digest = note->digest, .known = true};
    return OK;
}

status fresh_remember(const plate_work *w, const char *path)
{
    status st = OK;
    inputs in = {0};
    text name = {0}, before = {0};
    char *memory = memory_file(w, path);
    for (int64_t s = 0; s < w->plate.n; s++)
        for (int c = 0; c < w->n_channels; c++)
            if (!shares_file(w, w->plate.first + s, c, &name, &before))
                TRY(add_noted(&in, index_path(w->ix, w->plate.first + s, c, &name), &w->note[s * w->n_channels + c]));
    TRY(inputs_remember(&in, memory));
done:
    inputs_free(&in);
    text_free(&name);
    text_free(&before);
    free(memory);
    return st;
}

/* This rank's share of the inputs, with digests. */
static status look_at_inputs(const plate_work *w, const char *memory, bool verify, inputs *in)
{
    status st = OK;
    text path = {0}, before = {0};
    for (int64_t s = w->first; s < w->first + w->n; s++)
        for (int c = 0; c < w->n_channels; c++)
            if (!shares_file(w, w->plate.first + s, c, &path, &before))
                TRY(inputs_add(in, index_path(w->ix, w->plate.first + s, c, &path)));
    if (!verify) inputs_recall(in, memory);
    if (w->rank == w->size - 1 && w->cfg->tile.illumination == ILLUMINATION_FILE)
        for (int c = 0; c < w->n_channels; c++) TRY(inputs_add(in, index_illumination(w->ix, w->plate.first, c, &path)));
    for (size_t i = 0; i < in->n; i++) {
        if (in->item[i].known) continue;
        if (digest_file(in->item[i].path, &in->item[i].digest) != OK) in->item[i].digest = 0; /* as when it was read */
        msg_clear();
    }
done:
    text_free(&path);
    text_free(&before);
    return st;
}

/* Rank 0: made with this configuration from these rows? What the inputs hold is looked at only then. */
static bool same_recipe(const char *path, const char *made_from)
{
    store_file *f = NULL;
    char *got = NULL;
    bool same = path_exists(path) && store_open(&f, path, TILE_KIND, TILE_FORMAT) == OK &&
                store_read_text(f, "uns/micon/made_from", &got) == OK && strcmp(got, made_from) == 0;
    store_close(&f);
    free(got);
    msg_clear(); /* a file that cannot be read is made anew */
    return same;
}

status fresh_check_all(plate_work *w, const char *path, bool verify, bool *fresh)
{
    status st = OK;
    inputs in = {0};
    text made_from = {0};
    uint64_t *mine = NULL;
    char *all = NULL, *memory = memory_file(w, path);
    size_t n_all = 0;
    fresh_made_from(w, &made_from);
    int answer = w->rank == 0 && same_recipe(path, text_str(&made_from));
    MPI_Bcast(&answer, 1, MPI_INT, 0, w->comm);
    *fresh = false;
    if (!answer) goto done;
    TRY_ALL(w->comm, look_at_inputs(w, memory, verify, &in));
    mine = xcalloc(in.n, sizeof *mine);
    for (size_t i = 0; i < in.n; i++) mine[i] = in.item[i].digest;
    TRY(comm_gather_all(w->comm, 0, mine, in.n * sizeof *mine, &all, &n_all));
    if (w->rank == 0) {
        uint64_t sum = chain((const uint64_t *)(const void *)all, n_all / sizeof *mine);
        answer = provenance_current(path, TILE_KIND, TILE_FORMAT, w->g, text_str(&made_from), sum);
    }
    MPI_Bcast(&answer, 1, MPI_INT, 0, w->comm);
    *fresh = answer;
done:
    inputs_free(&in);
    text_free(&made_from);
    free(mine);
    free(all);
    free(memory);
    return st;
}

/* up_to_date.c -- tells whether a finished tile file is up to date. The file records its options and one digest over all inputs;
 * work/status/tile/NAME.inputs holds size, time and digest of each input, so that only changed inputs are read again. */
#include "tile.h"

#include "micon/base/digest.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/base/url.h"
#include "micon/provenance/input_digests.h"
#include "micon/provenance/output_record.h"
#include "micon/stage/provenance.h"

#include <stdlib.h>
#include <string.h>

/* work/tiles/NAME.h5 -> work/status/tile/NAME.inputs */
static char *memory_file(const plate_work *w, const char *path)
{
    char *plate = plate_record_name(path), *name = config_status_file(w->cfg, "tile", plate, "inputs");
    free(plate);
    return name;
}

void up_to_date_made_from(const plate_work *w, text *out)
{
    char d[DIGEST_TEXT];
    provenance_config(w->g, out);
    text_addf(out, "index rows: %s\n", digest_show(index_plate_digest(w->own, w->number, INDEX_OF_ALL), d));
    if (w->ix != w->own) text_addf(out, "label images: %s\n", digest_show(index_plate_digest(w->ix, w->number, INDEX_OF_IMAGES), d));
}

/* Is this image in the same file as the channel before? Then it is not a further input. */
static bool shares_file(const plate_work *w, int64_t row, int channel, text *path, text *before)
{
    return channel > 0 && strcmp(index_path(w->ix, row, channel, path), index_path(w->ix, row, channel - 1, before)) == 0;
}

static bool uses_functions(const plate_work *w)
{
    return w->cfg->tile.illumination == ILLUMINATION_FILE;
}

/* A further input as it was seen when it was read: the file may have changed since. */
static status add_seen(input_digests *in, const char *path, const image_seen *seen)
{
    status st = mem_grow(&in->item, &in->cap, in->n + 1, sizeof *in->item, "inputs");
    if (st != OK) return st;
    in->item[in->n++] =
        (input){.path = xstrdup(path), .size = seen->size, .mtime_ns = seen->mtime_ns, .digest = seen->digest, .known = true};
    return OK;
}

static image_seen seen_of(const image_note *note)
{
    return (image_seen){note->digest, note->size, note->mtime_ns};
}

/* All inputs in their order: by site images, those in one file once, and files of further planes; then illumination functions. */
static status list_inputs(const plate_work *w, input_digests *in)
{
    status st = OK;
    text path = {0}, before = {0};
    for (int64_t s = 0; s < w->plate.n; s++) {
        for (int c = 0; c < w->n_files; c++) {
            image_seen seen = seen_of(&w->note[s * w->n_files + c]);
            if (!shares_file(w, w->plate.first + s, c, &path, &before))
                TRY(add_seen(in, index_path(w->ix, w->plate.first + s, c, &path), &seen));
        }
        int64_t plane;
        for (int64_t left = planes_of_sites(w, s, 1, &plane); left > 0; left--, plane++)
            TRY(add_seen(in, index_plane_path(w->ix, w->first_plane + plane, &path), &w->plane_seen[plane]));
    }
    for (int c = 0; c < w->n_channels && uses_functions(w); c++) {
        image_seen seen = seen_of(&w->function_note[c]);
        TRY(add_seen(in, index_illumination(w->ix, w->plate.first, c, &path), &seen));
    }
done:
    text_free(&path);
    text_free(&before);
    return st;
}

status up_to_date_inputs_sum(const plate_work *w, uint64_t *sum)
{
    input_digests in = {0};
    status st = list_inputs(w, &in);
    *sum = input_digests_digest(&in);
    input_digests_free(&in);
    return st;
}

/* What the next run, and the driver, need to know of a finished file. */
static status remember(const plate_work *w, const char *path, const input_digests *in)
{
    status st = OK;
    store_file *f = NULL;
    text made_from = {0};
    char *name = plate_record_name(path), *memory = memory_file(w, path);
    up_to_date_made_from(w, &made_from);
    TRY(input_digests_remember(in, memory));
    TRY(store_open(&f, path, TILES_KIND, TILES_FORMAT));
    TRY(provenance_record(w->g, name, path, text_str(&made_from), input_digests_digest(in), store_digest(f)));
done:
    store_close(&f);
    text_free(&made_from);
    free(name);
    free(memory);
    return st;
}

status up_to_date_remember(const plate_work *w, const char *path)
{
    input_digests in = {0};
    status st = list_inputs(w, &in);
    if (st == OK) st = remember(w, path, &in);
    input_digests_free(&in);
    return st;
}

/* One behind a URL; nothing is noted of one that cannot be fetched. */
static void look_at_remote(remote *net, input *in, image_file *file)
{
    bool got = remote_read(net, file, in->path) == OK;
    in->size = got ? (int64_t)file->size : -1;
    in->mtime_ns = got ? file->mtime_ns : 0;
    in->digest = got ? file->digest : 0;
}

/* This rank's share of the inputs as they are now, with digests. The last rank has the functions. */
static status look_at_inputs(const plate_work *w, const char *memory, bool verify, input_digests *in)
{
    status st = OK;
    text path = {0}, before = {0};
    image_file file = {0};
    size_t asked = 0;
    for (int64_t s = w->first; s < w->first + w->n; s++) {
        int64_t plane;
        for (int c = 0; c < w->n_files; c++)
            if (!shares_file(w, w->plate.first + s, c, &path, &before))
                TRY(input_digests_add(in, index_path(w->ix, w->plate.first + s, c, &path)));
        for (int64_t left = planes_of_sites(w, s, 1, &plane); left > 0; left--, plane++)
            TRY(input_digests_add(in, index_plane_path(w->ix, w->first_plane + plane, &path)));
    }
    for (int c = 0; c < w->n_channels && w->rank == w->size - 1 && uses_functions(w); c++)
        TRY(input_digests_add(in, index_illumination(w->ix, w->plate.first, c, &path)));
    if (!verify) input_digests_recall(in, memory);
    for (size_t i = 0; i < in->n; i++) {
        if (in->item[i].known) continue;
        for (; asked < in->n && remote_has_room(w->net); asked++)
            if (!in->item[asked].known) TRY(remote_ask(w->net, in->item[asked].path));
        if (url_is_remote(in->item[i].path))
            look_at_remote(w->net, &in->item[i], &file);
        else if (digest_file(in->item[i].path, &in->item[i].digest) != OK)
            in->item[i].digest = 0; /* as when it was read */
        in->item[i].known = true;
        msg_clear();
    }
done:
    image_file_free(&file);
    text_free(&path);
    text_free(&before);
    return st;
}

static status add_got(input_digests *all, const char *path, const image_seen *got, size_t n, size_t *k)
{
    return *k < n ? add_seen(all, path, &got[(*k)++]) : fail(E_INTERNAL, "inputs went missing");
}

/* Everyone's shares on rank 0, in order: what the others send has no names, but the names follow from the index. */
static status gather_inputs_all(plate_work *w, const input_digests *mine, input_digests *all)
{
    status st = OK;
    image_seen *send = NULL, *got = NULL;
    char *bytes = NULL;
    size_t n = 0;
    TRY_ALL(w->comm, mem_alloc(&send, mine->n, sizeof *send, "inputs"));
    for (size_t i = 0; i < mine->n; i++) send[i] = (image_seen){mine->item[i].digest, mine->item[i].size, mine->item[i].mtime_ns};
    TRY(comm_gather_all(w->comm, 0, send, mine->n * sizeof *send, &bytes, &n));
    got = (image_seen *)(void *)bytes;
    n /= sizeof *got;
    if (w->rank == 0) {
        text path = {0}, before = {0};
        size_t k = 0;
        int64_t plane;
        for (int64_t s = 0; s < w->plate.n; s++) {
            for (int c = 0; c < w->n_files && st == OK; c++)
                if (!shares_file(w, w->plate.first + s, c, &path, &before))
                    st = add_got(all, index_path(w->ix, w->plate.first + s, c, &path), got, n, &k);
            for (int64_t left = planes_of_sites(w, s, 1, &plane); left > 0 && st == OK; left--, plane++)
                st = add_got(all, index_plane_path(w->ix, w->first_plane + plane, &path), got, n, &k);
        }
        for (int c = 0; c < w->n_channels && st == OK && uses_functions(w); c++)
            st = add_got(all, index_illumination(w->ix, w->plate.first, c, &path), got, n, &k);
        text_free(&path);
        text_free(&before);
    }
    TRY_ALL(w->comm, st);
done:
    free(send);
    free(bytes);
    return st;
}

/* Rank 0: made with this configuration from these rows? What the inputs hold is looked at only then. */
static bool same_recipe(const char *path, const char *made_from)
{
    store_file *f = NULL;
    char *got = NULL;
    bool same = path_exists(path) && store_open(&f, path, TILES_KIND, TILES_FORMAT) == OK && store_read_text(f, MADE_FROM, &got) == OK &&
                output_record_same(got, made_from);
    store_close(&f);
    free(got);
    msg_clear(); /* a file that cannot be read is computed again */
    return same;
}

/* Rank 0: is the file what these inputs give? The record is then written again: it is younger than what a killed try left in the status. */
static bool is_current(const plate_work *w, const char *path, const char *made_from, const input_digests *in)
{
    bool current = provenance_current(path, TILES_KIND, TILES_FORMAT, w->g, made_from, input_digests_digest(in));
    if (current && remember(w, path, in) != OK) msg_clear();
    return current;
}

status up_to_date_check_all(plate_work *w, const char *path, bool verify, bool *fresh)
{
    status st = OK;
    input_digests mine = {0}, in = {0};
    text made_from = {0};
    char *memory = memory_file(w, path);
    up_to_date_made_from(w, &made_from);
    int answer = w->rank == 0 && same_recipe(path, text_str(&made_from));
    MPI_Bcast(&answer, 1, MPI_INT, 0, w->comm);
    *fresh = false;
    if (!answer) goto done;
    TRY_ALL(w->comm, look_at_inputs(w, memory, verify, &mine));
    TRY(gather_inputs_all(w, &mine, &in));
    if (w->rank == 0) answer = is_current(w, path, text_str(&made_from), &in);
    MPI_Bcast(&answer, 1, MPI_INT, 0, w->comm);
    *fresh = answer;
done:
    input_digests_free(&mine);
    input_digests_free(&in);
    text_free(&made_from);
    free(memory);
    return st;
}

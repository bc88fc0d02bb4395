/* inputs.c -- the files that a plate's features are made from, and whether the finished file is what they would give. All ranks know their
 * order from the index: items, then illumination functions, then files of further planes. Of each: size, time and digest, [inputs, 3]. */
#include "measure_stage.h"

#include "micon/base/digest.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/base/url.h"
#include "micon/provenance/input_digests.h"
#include "micon/provenance/output_record.h"
#include "micon/stage/provenance.h"

#include <stdlib.h>
#include <string.h>

static int64_t n_items(const plate_work *w)
{
    return w->plate.n * w->site->n_files;
}

static int64_t n_functions(const plate_work *w)
{
    return w->cfg->measure.illumination == BRIGHTNESS_FILE ? w->site->n_channels : 0;
}

static int64_t n_inputs(const plate_work *w)
{
    int64_t first;
    return n_items(w) + n_functions(w) + index_planes_of_rows(w->ix, w->plate.first, w->plate.n, &first);
}

static const char *input_path(const plate_work *w, int64_t i, text *path)
{
    int files = w->site->n_files;
    int64_t first, further = i - n_items(w) - n_functions(w);
    if (i < n_items(w)) return index_path(w->ix, w->plate.first + i / files, (int)(i % files), path);
    if (further < 0) return index_illumination(w->ix, w->plate.first, (int)(i - n_items(w)), path);
    index_planes_of_rows(w->ix, w->plate.first, w->plate.n, &first);
    return index_plane_path(w->ix, first + further, path);
}

static char *record_name(const plate_work *w)
{
    char *path = plate_output(w, false), *run = text_encode_name(w->cfg->train.run);
    const char *base = path_base(path);
    char *plate = xstrndup(base, strlen(base) - strlen(".h5")), *name = xasprintf("%s/%s", run, plate);
    free(path);
    free(run);
    free(plate);
    return name;
}

void inputs_made_from(const plate_work *w, text *out)
{
    char d[DIGEST_TEXT];
    provenance_config(w->g, out);
    text_addf(out, "index rows: %s\n", digest_show(index_plate_digest(w->own, w->number, INDEX_OF_ALL), d));
    if (w->ix != w->own) text_addf(out, "label images: %s\n", digest_show(index_plate_digest(w->ix, w->number, INDEX_OF_IMAGES), d));
}

static void note(remote *net, int64_t seen[3], const char *path)
{
    uint64_t digest = 0;
    if (url_is_remote(path)) {
        image_file f = {0};
        bool got = remote_read(net, &f, path) == OK;
        seen[0] = got ? (int64_t)f.size : -1;
        seen[1] = got ? f.mtime_ns : 0;
        seen[2] = got ? (int64_t)f.digest : 0;
        image_file_free(&f);
        msg_clear();
        return;
    }
    if (path_stat(path, &seen[0], &seen[1]) != OK) seen[0] = -1;
    if (seen[0] < 0 || digest_file(path, &digest) != OK) digest = 0;
    seen[2] = (int64_t)digest;
    msg_clear();
}

status inputs_open(plate_work *w)
{
    return mem_alloc(&w->seen, 3 * (size_t)n_inputs(w), sizeof *w->seen, "inputs");
}

static void saw(plate_work *w, int64_t number, const image_seen *seen)
{
    int64_t *to = w->seen + 3 * number;
    text path = {0};
    if (seen->size == -2) {
        note(w->site->net, to, input_path(w, number, &path)); /* the site was given up before */
    } else {
        to[0] = seen->size;
        to[1] = seen->mtime_ns;
        to[2] = (int64_t)seen->digest;
    }
    text_free(&path);
}

void inputs_saw(plate_work *w, int64_t site)
{
    const site_reader *s = w->site;
    char message[1000];
    int64_t plate, first, n = index_planes_of_rows(w->ix, w->plate.first + site, 1, &first);
    index_planes_of_rows(w->ix, w->plate.first, w->plate.n, &plate);
    msg_take(message, sizeof message);
    for (int f = 0; f < s->n_files; f++) saw(w, site * s->n_files + f, &s->seen[f]);
    for (int64_t k = 0; k < n; k++) saw(w, n_items(w) + n_functions(w) + first - plate + k, &s->plane_seen[k]);
    msg_set(message);
}

status inputs_gather_all(plate_work *w)
{
    text path = {0};
    for (int64_t i = n_items(w); w->g->rank == 0 && i < n_items(w) + n_functions(w); i++)
        note(w->site->net, w->seen + 3 * i, input_path(w, i, &path));
    text_free(&path);
    comm_sum_i64_all(w->comm, w->seen, (size_t)(3 * n_inputs(w)));
    return OK;
}

static status list(const plate_work *w, const int64_t *seen, input_digests *in)
{
    status st = OK;
    text path = {0};
    for (int64_t i = 0; i < n_inputs(w); i++, seen += 3) {
        TRY(mem_grow(&in->item, &in->cap, in->n + 1, sizeof *in->item, "inputs"));
        in->item[in->n++] = (input){
            .path = xstrdup(input_path(w, i, &path)), .size = seen[0], .mtime_ns = seen[1], .digest = (uint64_t)seen[2], .known = true};
    }
done:
    text_free(&path);
    return st;
}

status inputs_sum(const plate_work *w, uint64_t *sum)
{
    input_digests in = {0};
    status st = list(w, w->seen, &in);
    *sum = input_digests_digest(&in);
    input_digests_free(&in);
    return st;
}

/* What the next run, and the driver, need to know of a finished file. */
static status remember(const plate_work *w, const input_digests *in)
{
    status st = OK;
    store_file *f = NULL;
    text made_from = {0};
    char *name = record_name(w), *path = plate_output(w, false), *memory = provenance_inputs_file(w->g, name);
    inputs_made_from(w, &made_from);
    TRY(input_digests_remember(in, memory));
    TRY(store_open(&f, path, FEATURES_KIND, FEATURES_FORMAT));
    TRY(provenance_record(w->g, name, path, text_str(&made_from), input_digests_digest(in), store_digest(f)));
done:
    store_close(&f);
    text_free(&made_from);
    free(name);
    free(path);
    free(memory);
    return st;
}

status inputs_remember(const plate_work *w)
{
    input_digests in = {0};
    status st = list(w, w->seen, &in);
    if (st == OK) st = remember(w, &in);
    input_digests_free(&in);
    return st;
}

/* ---- the check ---- */

/* This rank's share of the inputs as they are now; what was read before and has not changed is not read again. */
static status look(const plate_work *w, const char *memory, bool verify, int64_t *seen)
{
    status st = OK;
    int64_t first, n, asked = 0;
    input_digests in = {0};
    text path = {0};
    partition(n_inputs(w), w->g->size, w->g->rank, &first, &n);
    for (int64_t i = first; i < first + n; i++) TRY(input_digests_add(&in, input_path(w, i, &path)));
    if (!verify) input_digests_recall(&in, memory);
    for (int64_t i = 0; i < n; i++) {
        int64_t *s = seen + 3 * (first + i);
        const input *it = &in.item[i];
        s[0] = it->size;
        s[1] = it->mtime_ns;
        s[2] = (int64_t)it->digest;
        if (it->known) continue;
        for (; asked < n && remote_has_room(w->site->net); asked++)
            if (!in.item[asked].known) TRY(remote_ask(w->site->net, in.item[asked].path));
        note(w->site->net, s, it->path);
    }
done:
    input_digests_free(&in);
    text_free(&path);
    return st;
}

/* Rank 0: both files are there and were made by this recipe; what the inputs hold is looked at only then. */
static bool same_recipe(const plate_work *w, const char *made_from)
{
    store_file *f = NULL;
    char *got = NULL, *path = plate_output(w, false), *cells = plate_output(w, true);
    bool same = path_exists(path) && store_open(&f, path, FEATURES_KIND, FEATURES_FORMAT) == OK &&
                store_read_text(f, MADE_FROM, &got) == OK && output_record_same(got, made_from) &&
                (!w->cfg->measure.cells || path_exists(cells));
    store_close(&f);
    free(got);
    free(path);
    free(cells);
    msg_clear();
    return same;
}

/* Rank 0. The record of a current file is written again: it is younger than what a killed try left in the status. */
static bool is_current(const plate_work *w, const char *made_from, const int64_t *seen, bool verify)
{
    input_digests in = {0};
    char *path = plate_output(w, false), *cells = plate_output(w, true);
    uint64_t digest;
    bool current = list(w, seen, &in) == OK &&
                   provenance_current(path, FEATURES_KIND, FEATURES_FORMAT, w->g, made_from, input_digests_digest(&in)) &&
                   (!verify || (store_verify(path, &digest) == OK && (!w->cfg->measure.cells || store_verify(cells, &digest) == OK)));
    if (current && remember(w, &in) != OK) msg_clear();
    input_digests_free(&in);
    msg_clear();
    free(path);
    free(cells);
    return current;
}

status inputs_current_all(plate_work *w, bool verify, bool *current)
{
    status st = OK;
    text made_from = {0};
    int64_t *seen = NULL;
    char *name = record_name(w), *memory = provenance_inputs_file(w->g, name);
    inputs_made_from(w, &made_from);
    int answer = w->g->rank == 0 && same_recipe(w, text_str(&made_from));
    MPI_Bcast(&answer, 1, MPI_INT, 0, w->comm);
    *current = false;
    if (!answer) goto done;
    TRY_ALL(w->comm, mem_alloc(&seen, 3 * (size_t)n_inputs(w), sizeof *seen, "inputs"));
    TRY_ALL(w->comm, look(w, memory, verify, seen));
    comm_sum_i64_all(w->comm, seen, 3 * (size_t)n_inputs(w));
    if (w->g->rank == 0) answer = is_current(w, text_str(&made_from), seen, verify);
    MPI_Bcast(&answer, 1, MPI_INT, 0, w->comm);
    *current = answer;
done:
    text_free(&made_from);
    free(seen);
    free(name);
    free(memory);
    return st;
}

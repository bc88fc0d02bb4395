/* plate.c -- one plate: its tiles through the network by all ranks, means over sites, predictions, one file. */
#include "embed.h"

#include "micon/base/clock.h"
#include "micon/base/digest.h"
#include "micon/base/fault.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/base/path.h"
#include "micon/mpi/comm.h"
#include "micon/mpi/progress.h"
#include "micon/nn/counterfactual.h"
#include "micon/stage/provenance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A plate in progress. Every rank knows all of `obs`; h and u are this rank's tiles, x and projected this rank's sites. */
typedef struct {
    embedder *b;
    const char *tiles_path, *label;
    frame obs; /* of the tiles */
    int64_t n_tiles, n_sites;
    int64_t *first; /* [n_sites + 1] a site's tiles are first[s] to first[s + 1] - 1 */
    int flag_col;
    uint64_t digest;                /* of the tiles */
    int64_t first_site, n_mine;     /* this rank's */
    int64_t first_tile, n_my_tiles; /* of these sites */
    int64_t first_pass, n_passes;   /* that hold them */
    float *h, *u, *x, *projected;
    float *controls; /* [n_controls, dim], on every rank */
    int64_t n_controls;
    double wait_s;
} plate;

static void plate_free(plate *p)
{
    frame_free(&p->obs);
    free(p->first);
    free(p->h);
    free(p->u);
    free(p->x);
    free(p->projected);
    free(p->controls);
}

/* ---- check the tiles against the model ---- */

static status same_channels(const plate *p, const names *have)
{
    const names *want = &p->b->m.channels;
    text a = {0}, c = {0};
    bool same = have->n == want->n;
    for (size_t i = 0; i < have->n; i++) {
        same = same && strcmp(have->item[i], want->item[i]) == 0;
        text_addf(&a, "%s%s", i ? ", " : "", have->item[i]);
    }
    for (size_t i = 0; i < want->n; i++) text_addf(&c, "%s%s", i ? ", " : "", want->item[i]);
    status st = same ? OK
                     : fail(E_FAILED, "%s has channels %s, but the model was trained on %s: set screen.channels and tile again",
                            p->tiles_path, text_str(&a), text_str(&c));
    text_free(&a);
    text_free(&c);
    return st;
}

/* Rows of obs: a site's tiles are consecutive, in the order of Tile. */
static status check_sites(plate *p)
{
    status st = OK;
    int tile = frame_col(&p->obs, "Tile"), well = frame_col(&p->obs, "Metadata_Well"), site = frame_col(&p->obs, "Metadata_Site");
    p->flag_col = frame_col(&p->obs, "QC_Flag");
    if (tile < 0 || p->flag_col < 0 || p->obs.col[tile].type != FRAME_I64 || p->obs.col[p->flag_col].type != FRAME_I64)
        TRY(fail(E_FORMAT, "%s: obs has no Tile or QC_Flag", p->tiles_path));
    if (well < 0 || site < 0) TRY(fail(E_FORMAT, "%s: obs has no Metadata_Well or Metadata_Site", p->tiles_path));
    const int64_t *at = p->obs.col[tile].v.i64;
    TRY(mem_alloc(&p->first, (size_t)p->n_tiles + 1, sizeof *p->first, "sites"));
    for (int64_t i = 0; i < p->n_tiles; i++) {
        bool same = i > 0 && strcmp(frame_text(&p->obs, i, site), frame_text(&p->obs, i - 1, site)) == 0 &&
                    strcmp(frame_text(&p->obs, i, well), frame_text(&p->obs, i - 1, well)) == 0;
        if (same && at[i] <= at[i - 1])
            TRY(fail(E_FORMAT, "%s: row %lld of obs: tile %lld out of order", p->tiles_path, (long long)i, (long long)at[i]));
        if (!same) p->first[p->n_sites++] = i;
    }
    p->first[p->n_sites] = p->n_tiles;
done:
    return st;
}

static status read_tiles_info(plate *p)
{
    status st = OK;
    store_file *f = NULL;
    names channels = {0};
    const model *m = &p->b->m;
    int n_dims;
    int64_t dims[4];
    if (!path_exists(p->tiles_path)) TRY(fail(E_FAILED, "%s is not there: run micon-tile first", p->tiles_path));
    TRY(store_open(&f, p->tiles_path, TILES_KIND, TILES_FORMAT));
    TRY(store_dims(f, TILES_DATA, &n_dims, dims));
    TRY(store_read_frame(f, "obs", &p->obs));
    TRY(store_read_texts(f, TILES_CHANNELS, &channels));
    p->digest = store_digest(f);
    p->n_tiles = dims[0];
    if (n_dims != 4 || p->obs.n_rows != p->n_tiles) TRY(fail(E_FORMAT, "%s: obs and tiles have different numbers of rows", p->tiles_path));
    TRY(same_channels(p, &channels));
    if (dims[1] != (int64_t)m->channels.n) TRY(fail(E_FORMAT, "%s: its channels and tiles do not match", p->tiles_path));
    if (dims[2] != m->size_px || dims[3] != m->size_px)
        TRY(fail(E_FAILED, "%s has tiles of %lld px, but the model was trained on %d px: set tile.size to %d and tile again", p->tiles_path,
                 (long long)dims[2], m->size_px, m->size_px));
    TRY(check_sites(p));
done:
    store_close(&f);
    names_free(&channels);
    return st;
}

/* ---- computing ---- */

/* Sites are dealt in chunks of X. A pass has the same tiles on whichever rank it is computed, so that a tile's bits do not depend on the
 * number of ranks; one that holds tiles of two ranks' sites is computed by both. */
static void share_sites(plate *p)
{
    const inference *e = &p->b->net;
    int64_t chunk = e->sites, n, end;
    partition((p->n_sites + chunk - 1) / chunk, p->b->g->size, p->b->g->rank, &p->first_site, &n);
    if (n == 0) {
        p->first_site = 0;
        return;
    }
    p->first_site *= chunk;
    end = p->first_site + n * chunk < p->n_sites ? p->first_site + n * chunk : p->n_sites;
    p->n_mine = end - p->first_site;
    p->first_tile = p->first[p->first_site];
    p->n_my_tiles = p->first[end] - p->first_tile;
    p->first_pass = p->first_tile / e->n_tiles;
    p->n_passes = (p->first[end] + e->n_tiles - 1) / e->n_tiles - p->first_pass;
}

/* Tiles [from, from + n) of a pass were computed: those of this rank's sites are kept. */
static void keep_rows(const plate *p, int64_t from, int64_t n, const float *rows, size_t d, float *to)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t at = from + i - p->first_tile;
        if (at >= 0 && at < p->n_my_tiles) memcpy(to + (size_t)at * d, rows + (size_t)i * d, d * sizeof *to);
    }
}

static status embed_passes(plate *p, progress *bar)
{
    status st = OK;
    const model *m = &p->b->m;
    size_t n = (size_t)p->n_my_tiles, d = (size_t)m->dim, q = (size_t)m->projection;
    int64_t pass_tiles = p->b->net.n_tiles, seen = 0;
    float *h = NULL, *u = NULL;
    tile_reader *r = NULL;
    TRY(mem_alloc(&p->h, n * d, sizeof *p->h, "representations"));
    TRY(mem_alloc(&p->u, n * q, sizeof *p->u, "projections"));
    TRY(mem_alloc(&h, (size_t)pass_tiles * d, sizeof *h, "representations"));
    TRY(mem_alloc(&u, (size_t)pass_tiles * q, sizeof *u, "projections"));
    size_t tile_bytes = m->channels.n * (size_t)m->size_px * (size_t)m->size_px;
    TRY(tile_reader_start(&r, p->tiles_path, p->n_tiles, tile_bytes, p->b->net.n_tiles, p->first_pass, p->n_passes));
    for (int64_t k = 0; k < p->n_passes; k++) {
        const uint8_t *tiles;
        int got;
        TRY(fault("embed a pass"));
        TRY(tile_reader_next(r, &tiles, &got, &p->wait_s));
        TRY(inference_run(&p->b->net, tiles, got, h, q ? u : NULL));
        int64_t from = (p->first_pass + k) * pass_tiles, done = seen;
        keep_rows(p, from, got, h, d, p->h);
        keep_rows(p, from, got, u, q, p->u);
        while (seen < p->n_mine && p->first[p->first_site + seen + 1] <= from + got) seen++;
        progress_add(bar, seen - done);
    }
done:
    free(h);
    free(u);
    tile_reader_stop(&r);
    return st;
}

/* out [n_mine, d] = mean over the unflagged tiles of each site; over all of them if every one is flagged. */
static void site_means(const plate *p, const float *tiles, size_t d, float *out)
{
    const int64_t *flag = p->obs.col[p->flag_col].v.i64;
    double *sum = xcalloc(d, sizeof *sum);
    for (int64_t s = 0; s < p->n_mine; s++) {
        int64_t row = p->first[p->first_site + s], end = p->first[p->first_site + s + 1], good = 0, n = 0;
        for (int64_t t = row; t < end; t++) good += flag[t] == 0;
        memset(sum, 0, d * sizeof *sum);
        for (int64_t t = row; t < end; t++) {
            if (good > 0 && flag[t] != 0) continue;
            const float *x = tiles + (size_t)(t - p->first_tile) * d;
            for (size_t k = 0; k < d; k++) sum[k] += x[k];
            n++;
        }
        for (size_t k = 0; k < d; k++) out[(size_t)s * d + k] = (float)(sum[k] / (double)n);
    }
    free(sum);
}

static status average(plate *p)
{
    status st = OK;
    size_t n = (size_t)p->n_mine, d = (size_t)p->b->m.dim, q = (size_t)p->b->m.projection;
    TRY(mem_alloc(&p->x, n * d, sizeof *p->x, "sites"));
    TRY(mem_alloc(&p->projected, n * q, sizeof *p->projected, "sites"));
    site_means(p, p->h, d, p->x);
    if (q) site_means(p, p->u, q, p->projected);
done:
    return st;
}

/* The h of all unflagged control tiles of the plate, on every rank. */
static status gather_controls_all(plate *p)
{
    status st = OK;
    MPI_Comm comm = p->b->g->comm;
    const int64_t *flag = p->obs.col[p->flag_col].v.i64;
    int type = frame_col(&p->obs, "Metadata_pert_type");
    size_t d = (size_t)p->b->m.dim, n = 0, bytes = 0;
    float *mine = NULL;
    TRY_ALL(comm, type < 0 ? fail(E_FORMAT, "%s: obs has no Metadata_pert_type", p->tiles_path) : OK);
    TRY_ALL(comm, mem_alloc(&mine, (size_t)p->n_my_tiles * d, sizeof *mine, "controls"));
    for (int64_t i = 0; i < p->n_my_tiles; i++) {
        int64_t row = p->first_tile + i;
        if (flag[row] != 0 || strcmp(frame_text(&p->obs, row, type), "negcon") != 0) continue;
        memcpy(mine + n++ * d, p->h + (size_t)i * d, d * sizeof *mine);
    }
    char *all = NULL;
    TRY(comm_gather_all(comm, -1, mine, n * d * sizeof *mine, &all, &bytes));
    p->controls = (float *)(void *)all;
    p->n_controls = (int64_t)(bytes / (d * sizeof *mine));
done:
    free(mine);
    return st;
}

/* ---- the file ---- */

/* One row per site: the first tile's metadata; quality averaged over its tiles; QC_Flag: all their bits; QC_Tiles: how many are
 * unflagged. */
static status sites_frame(const plate *p, frame *out)
{
    status st = OK;
    frame all = {0};
    int good;
    TRY(frame_take(&all, &p->obs, p->first, p->n_sites));
    for (int c = 0; c < p->obs.n_cols; c++) {
        const frame_column *from = &p->obs.col[c];
        if (strncmp(from->name, "QC_", 3) != 0) continue;
        for (int64_t s = 0; s < p->n_sites; s++) {
            double sum = 0;
            int64_t bits = 0;
            for (int64_t t = p->first[s]; t < p->first[s + 1]; t++) {
                if (from->type == FRAME_F64)
                    sum += from->v.f64[t];
                else if (from->type == FRAME_I64)
                    bits |= from->v.i64[t];
            }
            if (from->type == FRAME_F64)
                all.col[c].v.f64[s] = sum / (double)(p->first[s + 1] - p->first[s]);
            else if (from->type == FRAME_I64)
                all.col[c].v.i64[s] = bits;
        }
    }
    TRY(frame_add_col(&all, "QC_Tiles", FRAME_I64, &good));
    for (int64_t s = 0; s < p->n_sites; s++)
        for (int64_t t = p->first[s]; t < p->first[s + 1]; t++) all.col[good].v.i64[s] += p->obs.col[p->flag_col].v.i64[t] == 0;
    frame_drop_col(&all, "Tile"); /* a row is a site now */
    frame_drop_col(&all, TILES_CELL_X);
    frame_drop_col(&all, TILES_CELL_Y);
    *out = all;
    all = (frame){0};
done:
    frame_free(&all);
    return st;
}

/* Rows of compounds in this plate's file. */
static int64_t n_predicted(const plate *p)
{
    const embedder *b = p->b;
    return b->compounds && (p->n_controls > 0 || !b->m.has_generator) ? b->n_wanted : 0;
}

static status put_small(const plate *p, store *out, const char *made_from, uint64_t inputs_sum)
{
    status st = OK;
    frame obs = {0}, var = {0};
    const embedder *b = p->b;
    names compounds = {0}, treatments = {0};
    int name;
    char label[40];
    TRY(sites_frame(p, &obs));
    store_put_frame(out, "obs", &obs);
    TRY(frame_add_col(&var, "name", FRAME_TEXT, &name));
    TRY(frame_add_rows(&var, b->m.dim));
    for (int i = 0; i < b->m.dim; i++) {
        snprintf(label, sizeof label, "micon_%d", i);
        TRY(frame_set_text(&var, i, name, label));
    }
    store_put_frame(out, "var", &var);
    if (b->compounds) {
        for (int64_t i = 0; i < n_predicted(p); i++) names_add(&compounds, b->wanted_names.item[i]);
        store_put_texts(out, b->m.has_generator ? COUNTERFACTUAL_COMPOUND : "uns/compound/compound", &compounds);
        for (int64_t i = 0; b->m.has_dose && i < n_predicted(p); i++) names_add(&treatments, b->wanted_treatment.item[i]);
        if (b->m.has_dose) store_put_texts(out, b->m.has_generator ? COUNTERFACTUAL_TREATMENT : "uns/compound/treatment", &treatments);
    }
    provenance_put(out, b->g, made_from, inputs_sum);
done:
    names_free(&compounds);
    names_free(&treatments);
    frame_free(&obs);
    frame_free(&var);
    return st;
}

/* This rank's share of the predictions, in whole chunks. */
static status predict_all(plate *p, store *out)
{
    enum { CHUNK = 64 };
    status st = OK;
    const embedder *b = p->b;
    int64_t n = n_predicted(p), first, mine, chunks = (n + CHUNK - 1) / CHUNK;
    float *x = NULL, *u = NULL;
    bool generated = b->m.has_generator;
    if (!b->compounds) return OK;
    partition(chunks, b->g->size, b->g->rank, &first, &mine);
    first *= CHUNK;
    mine = first + mine * CHUNK < n ? mine * CHUNK : n > first ? n - first : 0;
    const compound_rows rows = {b->compounds->x, b->wanted + first, b->wanted_dose ? b->wanted_dose + first : NULL};
    TRY_ALL(b->g->comm, mem_alloc(&x, (size_t)mine * (size_t)b->m.dim, sizeof *x, "predictions"));
    TRY_ALL(b->g->comm, mem_alloc(&u, (size_t)mine * (size_t)b->m.projection, sizeof *u, "predictions"));
    if (mine > 0 && generated)
        st = counterfactual_predict(&b->m, p->controls, p->n_controls, &rows, mine, x, u);
    else if (mine > 0)
        st = counterfactual_embed_compounds(&b->m, &rows, mine, x);
    TRY_ALL(b->g->comm, st);
    TRY(store_write_rows_all(out, generated ? COUNTERFACTUAL_X : "uns/compound/X", first, mine, mine > 0 ? x : NULL));
    if (generated) TRY(store_write_rows_all(out, COUNTERFACTUAL_PROJECTED, first, mine, mine > 0 ? u : NULL));
done:
    free(x);
    free(u);
    return st;
}

static status write_all(plate *p, const char *path, const char *made_from, uint64_t inputs_sum)
{
    status st = OK;
    store *out = NULL;
    const embedder *b = p->b;
    int64_t sites = b->net.sites, d = b->m.dim, q = b->m.projection, n = n_predicted(p);
    const store_info info = {.kind = EMBEDDINGS_KIND,
                             .format = EMBEDDINGS_FORMAT,
                             .bytes = (p->n_sites + n) * (d + q) * 4 + p->n_sites * 1000 + (1 << 20),
                             .anndata = true};
    TRY(store_create_all(&out, b->g->comm, path, &info));
    TRY(store_array_all(out, "X", STORE_F32, 2, (int64_t[]){p->n_sites, d}, sites));
    if (q) TRY(store_array_all(out, EMBEDDINGS_PROJECTED, STORE_F32, 2, (int64_t[]){p->n_sites, q}, sites));
    if (b->compounds && !b->m.has_generator) TRY(store_array_all(out, "uns/compound/X", STORE_F32, 2, (int64_t[]){n, d}, 64));
    if (b->compounds && b->m.has_generator) {
        TRY(store_array_all(out, COUNTERFACTUAL_X, STORE_F32, 2, (int64_t[]){n, d}, 64));
        TRY(store_array_all(out, COUNTERFACTUAL_PROJECTED, STORE_F32, 2, (int64_t[]){n, q}, 64));
    }
    TRY(store_write_rows_all(out, "X", p->first_site, p->n_mine, p->n_mine > 0 ? p->x : NULL));
    if (q) TRY(store_write_rows_all(out, EMBEDDINGS_PROJECTED, p->first_site, p->n_mine, p->n_mine > 0 ? p->projected : NULL));
    TRY(predict_all(p, out));
    TRY_ALL(b->g->comm, b->g->rank == 0 ? put_small(p, out, made_from, inputs_sum) : OK);
    TRY_ALL(b->g->comm, fault("before commit"));
    TRY(store_commit_all(&out));
done:
    store_abandon_all(&out);
    return st;
}

/* What the file is made from: the model, the tiles, the compounds. */
static status list_inputs(const plate *p, input_digests *in)
{
    status st = OK;
    const embedder *b = p->b;
    TRY(input_digests_add(in, b->model_path));
    TRY(input_digests_add(in, p->tiles_path));
    in->item[0].digest = b->model_digest;
    in->item[1].digest = p->digest;
    if (b->compounds) {
        TRY(input_digests_add(in, b->compounds_path));
        in->item[2].digest = b->compounds->digest;
    }
    for (size_t i = 0; i < in->n; i++) in->item[i].known = true;
done:
    return st;
}

/* RUN/PLATE, of the files under work/status/embed. */
static char *record_name(const plate *p, const char *path)
{
    const char *base = path_base(path);
    char *run = text_encode_name(p->b->g->cfg.train.run), *name = xasprintf("%s/%.*s", run, (int)(strlen(base) - strlen(".h5")), base);
    free(run);
    return name;
}

/* Rank 0, when the file is complete: the record that the driver and the next run read. */
static status record(const plate *p, const input_digests *in, const char *path, const char *made_from)
{
    status st = OK;
    store_file *f = NULL;
    char *name = record_name(p, path), *memory = provenance_inputs_file(p->b->g, name);
    TRY(store_open(&f, path, EMBEDDINGS_KIND, EMBEDDINGS_FORMAT));
    TRY(input_digests_remember(in, memory));
    TRY(provenance_record(p->b->g, name, path, made_from, input_digests_digest(in), store_digest(f)));
done:
    store_close(&f);
    free(name);
    free(memory);
    return st;
}

static status compute_all(plate *p, progress *bar)
{
    status st = OK;
    const embedder *b = p->b;
    MPI_Comm comm = b->g->comm;
    share_sites(p);
    TRY_ALL(comm, embed_passes(p, bar));
    TRY_ALL(comm, average(p));
    bool predicts = b->compounds && b->m.has_generator;
    if (predicts) TRY(gather_controls_all(p));
    if (predicts && p->n_controls == 0) log_warn("%s: no unflagged control tiles: no predicted profiles for this plate", p->label);
done:
    return st;
}

/* compute_all and write_all, with work/status/embed/RUN/PLATE.json and a progress bar. */
static status make_shown_all(plate *p, const char *path, const char *made_from, uint64_t sum)
{
    char *name = record_name(p, path), *file = config_status_file(&p->b->g->cfg, "embed", name, "json");
    const progress_info info = {.file = file, .stage = "embed", .name = name, .unit = "sites", .total = p->n_sites};
    progress *bar = progress_start_all(p->b->g->comm, &info);
    status st = compute_all(p, bar);
    progress_say(bar, "writing");
    if (st == OK) st = write_all(p, path, made_from, sum);
    progress_end_all(&bar, st);
    free(file);
    free(name);
    return st;
}

status plate_embed_all(embedder *b, const char *tiles_path, const char *out_path, const char *label, bool *made)
{
    status st = OK;
    plate p = {.b = b, .tiles_path = tiles_path, .label = label};
    text made_from = {0};
    input_digests in = {0};
    int fresh = 0;
    double from = clock_s();
    *made = false;
    TRY_ALL(b->g->comm, read_tiles_info(&p));
    TRY_ALL(b->g->comm, list_inputs(&p, &in));
    uint64_t sum = input_digests_digest(&in);
    text_add(&made_from, text_str(&b->made_from));
    if (b->g->rank == 0 && !b->g->force)
        fresh = provenance_current(out_path, EMBEDDINGS_KIND, EMBEDDINGS_FORMAT, b->g, text_str(&made_from), sum);
    MPI_Bcast(&fresh, 1, MPI_INT, 0, b->g->comm);
    if (fresh) {
        log_info("%s: up to date", label);
    } else {
        TRY(make_shown_all(&p, out_path, text_str(&made_from), sum));
        double took = clock_s() - from, pictures = (double)p.n_tiles * (double)b->m.channels.n;
        log_info("%s: %lld sites in %.1f s, %.0f pictures/s, %.1f %% of the time waiting for tiles", label, (long long)p.n_sites, took,
                 pictures / took, 100 * p.wait_s / took);
        *made = true;
    }
    TRY_ALL(b->g->comm, b->g->rank == 0 ? record(&p, &in, out_path, text_str(&made_from)) : OK);
done:
    plate_free(&p);
    input_digests_free(&in);
    text_free(&made_from);
    return st;
}

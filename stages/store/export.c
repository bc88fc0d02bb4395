/* export.c -- finished stores as tables in pycytominer's form: Metadata_ columns, then the features; CSV in gzip, or Parquet. What was
 * written is read again before it gets its name: the checksums of gzip and of Parquet's pages tell what the disk lost. */
#include "store_commands.h"

#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/formats/csv.h"
#include "micon/formats/parquet.h"
#include "micon/stage/transform_params.h"
#include "micon/store/store.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum { ROWS = 256, BLOCK = 1 << 20 }; /* rows read at once; bytes read back at once */

static status put(gzFile z, text *t, const char *path)
{
    int n = t->n ? gzwrite(z, t->s, (unsigned)t->n) : 1;
    text_clear(t);
    return n > 0 ? OK : fail(E_IO, "%s cannot be written", path);
}

static char *metadata_name(const frame *obs, int col)
{
    const char *name = obs->col[col].name;
    return xasprintf("%s%s", strncmp(name, "Metadata_", 9) == 0 ? "" : "Metadata_", name);
}

/* Rows of `what` behind their metadata. columns: their names. */
static status write_rows(gzFile z, const char *path, const store_file *f, const char *what, const frame *obs, const names *columns)
{
    status st = OK;
    float *x = NULL;
    text line = {0}, cell = {0};
    int64_t d = (int64_t)columns->n;
    TRY(mem_alloc(&x, (size_t)(ROWS * d), sizeof *x, "profiles"));
    for (int c = 0; c < obs->n_cols; c++) {
        if (c) text_add(&line, ",");
        char *name = metadata_name(obs, c);
        csv_quote(&line, name);
        free(name);
    }
    for (int64_t j = 0; j < d; j++) {
        text_add(&line, ",");
        csv_quote_text(&line, columns->item[j]);
    }
    text_add(&line, "\n");
    for (int64_t i = 0; i < obs->n_rows; i++) {
        int64_t left = obs->n_rows - i;
        if (i % ROWS == 0) TRY(store_read_rows(f, what, STORE_F32, i, left < ROWS ? left : ROWS, x));
        for (int c = 0; c < obs->n_cols; c++) {
            text_clear(&cell);
            frame_show(obs, i, c, &cell);
            if (c) text_add(&line, ",");
            if (obs->col[c].type == FRAME_TEXT || obs->col[c].type == FRAME_CATEGORY)
                csv_quote_text(&line, text_str(&cell));
            else
                text_add(&line, text_str(&cell));
        }
        for (int64_t j = 0; j < d; j++) {
            text_add(&line, ",");
            if (isfinite(x[i % ROWS * d + j])) text_addf(&line, "%.9g", (double)x[i % ROWS * d + j]);
        }
        text_add(&line, "\n");
        TRY(put(z, &line, path));
    }
    TRY(put(z, &line, path));
done:
    free(x);
    text_free(&line);
    text_free(&cell);
    return st;
}

/* Does the file decompress to `size` bytes, with the right checksum? */
static status read_again(const char *part, const char *path, int64_t size)
{
    status st = OK;
    int64_t seen = 0;
    int n;
    char *block = xmalloc(BLOCK);
    gzFile z = gzopen(part, "rb");
    if (!z) TRY(fail(E_IO, "%s cannot be read back", path));
    while ((n = gzread(z, block, BLOCK)) > 0) seen += n;
    if (n < 0 || seen != size) st = fail(E_IO, "%s differs when read back (is the disk full, or failing?)", path);
    if (gzclose(z) != Z_OK && st == OK) st = fail(E_IO, "%s differs when read back", path);
done:
    free(block);
    return st;
}

static status write_csv(const char *path, const store_file *f, const char *what, const frame *obs, const names *columns)
{
    status st = OK;
    char *part = path_part(path);
    gzFile z = gzopen(part, "wb6");
    if (!z) TRY(fail(E_IO, "%s cannot be written: %s", path, strerror(errno)));
    TRY(write_rows(z, path, f, what, obs, columns));
    int64_t size = gztell(z);
    int closed = gzclose(z);
    z = NULL;
    if (closed != Z_OK) TRY(fail(E_IO, "%s cannot be written: %s", path, closed == Z_ERRNO ? strerror(errno) : "zlib failed"));
    TRY(read_again(part, path, size));
    TRY(path_publish(part, path));
    log_info("%s", path);
done:
    if (z) gzclose(z);
    if (st != OK) unlink(part);
    free(part);
    return st;
}

/* ---- Parquet ---- */

typedef struct {
    const frame *obs;
    int64_t first; /* row of the group */
    text cell;
} group_cells;

static const char *cell_of(void *user, int64_t row, int col)
{
    group_cells *g = user;
    text_clear(&g->cell);
    frame_show(g->obs, g->first + row, col, &g->cell);
    return g->cell.n ? g->cell.s : NULL;
}

static status write_groups(parquet_writer *w, const store_file *f, const char *what, const frame *obs, int64_t d)
{
    status st = OK;
    float *x = NULL;
    group_cells g = {.obs = obs};
    int64_t most = obs->n_rows < PARQUET_GROUP_ROWS ? obs->n_rows : PARQUET_GROUP_ROWS;
    TRY(mem_alloc(&x, (size_t)(most * d), sizeof *x, "profiles"));
    for (; g.first < obs->n_rows; g.first += most) {
        int64_t left = obs->n_rows - g.first, n = left < most ? left : most;
        TRY(store_read_rows(f, what, STORE_F32, g.first, n, x));
        TRY(parquet_write_group(w, n, cell_of, &g, x, (size_t)d));
    }
done:
    free(x);
    text_free(&g.cell);
    return st;
}

static status read_parquet_again(const char *part, int64_t n_rows)
{
    status st = OK;
    parquet *p = NULL;
    parquet_cursor *c = NULL;
    text cell = {0};
    TRY(parquet_open(&p, part));
    for (int i = 0; i < parquet_n_cols(p); i++) {
        TRY(parquet_cursor_open(&c, p, i));
        for (int64_t r = 0; r < n_rows; r++) {
            text_clear(&cell);
            TRY(parquet_read_text(c, &cell));
        }
    }
done:
    parquet_cursor_close(&c);
    parquet_close(&p);
    text_free(&cell);
    return st;
}

static status write_parquet(const char *path, const store_file *f, const char *what, const frame *obs, const names *columns)
{
    status st = OK;
    parquet_writer *w = NULL;
    names metadata = {0};
    char *part = path_part(path);
    for (int c = 0; c < obs->n_cols; c++) {
        char *name = metadata_name(obs, c);
        names_add(&metadata, name);
        free(name);
    }
    TRY(parquet_create(&w, part, (const char *const *)metadata.item, (int)metadata.n, (const char *const *)columns->item, (int)columns->n));
    TRY(write_groups(w, f, what, obs, (int64_t)columns->n));
    TRY(parquet_finish(&w));
    TRY(fail_within(read_parquet_again(part, obs->n_rows), "%s reads back otherwise than it was written", path));
    TRY(path_publish(part, path));
    log_info("%s", path);
done:
    parquet_abandon(&w);
    if (st != OK) unlink(part);
    names_free(&metadata);
    free(part);
    return st;
}

/* ---- stores ---- */

/* Names of the d columns of a matrix: the features where it has as many, else components. */
static void name_columns(const frame *var, int64_t d, bool features, names *out)
{
    int index = frame_col(var, "_index");
    for (int64_t j = 0; j < d; j++) {
        char *name = features && index >= 0 ? xstrdup(frame_text(var, j, index)) : xasprintf("component_%lld", (long long)j);
        names_add(out, name);
        free(name);
    }
}

/* One store's matrices to STEM.{raw,normalized,corrected}.csv.gz or .parquet. */
static status export_store(const char *path, const char *stem, export_format format)
{
    static const struct {
        const char *what, *name;
    } form[] = {{"layers/raw", "raw"}, {"X", "normalized"}, {"obsm/X_corrected", "corrected"}};
    status st = OK;
    store_file *f = NULL;
    frame obs = {0}, var = {0};
    TRY(store_open(&f, path, PROFILES_KIND, PROFILES_FORMAT));
    TRY(store_read_frame(f, "obs", &obs));
    TRY(store_read_frame(f, "var", &var));
    for (size_t k = 0; k < sizeof form / sizeof *form; k++) {
        names columns = {0};
        int n_dims;
        int64_t dims[4];
        if (!store_has(f, form[k].what)) continue;
        TRY(store_dims(f, form[k].what, &n_dims, dims));
        if (n_dims != 2 || dims[0] != obs.n_rows) TRY(fail(E_FORMAT, "%s: obs and %s differ in their number of rows", path, form[k].what));
        name_columns(&var, dims[1], dims[1] == var.n_rows, &columns);
        char *name = xasprintf("%s.%s.%s", stem, form[k].name, format == EXPORT_PARQUET ? "parquet" : "csv.gz");
        st = (format == EXPORT_PARQUET ? write_parquet : write_csv)(name, f, form[k].what, &obs, &columns);
        free(name);
        names_free(&columns);
        if (st != OK) goto done;
    }
done:
    store_close(&f);
    frame_free(&obs);
    frame_free(&var);
    return st;
}

status export_tables(const config *c, const char *dir, export_format format)
{
    status st = OK;
    char *run = text_encode_name(c->train.run), *stem = NULL, *path = NULL;
    for (int k = 0; k < 2; k++) {
        path = profiles_path(c, k == 1);
        if (!path_exists(path)) TRY(fail(E_FAILED, "%s does not exist: run micon-evaluate first", path));
        FREE(path);
    }
    TRY(path_make_dirs(dir));
    path_sweep_parts(dir, NULL);
    for (int k = 0; k < 2; k++) {
        path = profiles_path(c, k == 1);
        stem = xasprintf("%s/%s%s", dir, run, k == 1 ? ".consensus" : "");
        TRY(export_store(path, stem, format));
        FREE(path);
        FREE(stem);
    }
done:
    free(run);
    free(path);
    free(stem);
    return st;
}

/* export.c -- finished stores as tables in pycytominer's form: Metadata_ columns, then the features; gzip. What was written is read again
 * before it gets its name: gzip's own checksum tells what the disk lost. */
#include "store_commands.h"

#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/formats/csv.h"
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
        if (strncmp(obs->col[c].name, "Metadata_", 9) != 0) text_add(&line, "Metadata_");
        csv_quote(&line, obs->col[c].name);
    }
    for (int64_t j = 0; j < d; j++) {
        text_add(&line, ",");
        csv_quote(&line, columns->item[j]);
    }
    text_add(&line, "\n");
    for (int64_t i = 0; i < obs->n_rows; i++) {
        int64_t left = obs->n_rows - i;
        if (i % ROWS == 0) TRY(store_read_rows(f, what, STORE_F32, i, left < ROWS ? left : ROWS, x));
        for (int c = 0; c < obs->n_cols; c++) {
            text_clear(&cell);
            frame_show(obs, i, c, &cell);
            if (c) text_add(&line, ",");
            csv_quote(&line, text_str(&cell));
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
    if (n < 0 || seen != size) st = fail(E_IO, "%s reads back otherwise than it was written (is the disk full, or failing?)", path);
    if (gzclose(z) != Z_OK && st == OK) st = fail(E_IO, "%s reads back otherwise than it was written", path);
done:
    free(block);
    return st;
}

static status write_table(const char *path, const store_file *f, const char *what, const frame *obs, const names *columns)
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

/* One store's matrices to STEM.{raw,normalized,corrected}.csv.gz. */
static status export_store(const char *path, const char *stem)
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
        if (n_dims != 2 || dims[0] != obs.n_rows) TRY(fail(E_FORMAT, "%s: obs and %s do not fit together", path, form[k].what));
        name_columns(&var, dims[1], dims[1] == var.n_rows, &columns);
        char *name = xasprintf("%s.%s.csv.gz", stem, form[k].name);
        st = write_table(name, f, form[k].what, &obs, &columns);
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

status export_tables(const config *c, const char *dir)
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
        TRY(export_store(path, stem));
        FREE(path);
        FREE(stem);
    }
done:
    free(run);
    free(path);
    free(stem);
    return st;
}

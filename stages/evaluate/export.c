/* export.c -- a finished profile store as tables in pycytominer's form: Metadata_ columns, then the features; gzip. */
#include "evaluate.h"

#include "micon/csv.h"
#include "micon/log.h"
#include "micon/mem.h"
#include "micon/path.h"
#include "micon/store.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum { ROWS = 256 }; /* read at once */

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

static status write_table(const char *path, const store_file *f, const char *what, const frame *obs, const names *columns)
{
    status st = OK;
    char *part = path_part(path);
    gzFile z = gzopen(part, "wb6");
    if (!z) TRY(fail(E_IO, "%s cannot be written", part));
    TRY(write_rows(z, path, f, what, obs, columns));
    int closed = gzclose(z);
    z = NULL;
    if (closed != Z_OK) TRY(fail(E_IO, "%s cannot be written", path));
    TRY(path_publish(part, path));
    log_info("%s", path);
done:
    if (z) gzclose(z);
    if (st != OK) unlink(part);
    free(part);
    return st;
}

status export_csv(const char *profiles)
{
    static const struct {
        const char *what, *name;
    } form[] = {{"layers/raw", "raw"}, {"X", "normalized"}, {"obsm/X_corrected", "corrected"}};
    status st = OK;
    store_file *f = NULL;
    frame obs = {0}, var = {0};
    names columns = {0};
    char *stem = xstrndup(profiles, strlen(profiles) - strlen(".h5ad"));
    TRY(store_open(&f, profiles, PROFILES_KIND, PROFILES_FORMAT));
    TRY(store_read_frame(f, "obs", &obs));
    TRY(store_read_frame(f, "var", &var));
    for (size_t k = 0; k < sizeof form / sizeof *form; k++) {
        int n_dims, index = frame_col(&var, "_index");
        int64_t dims[4];
        if (!store_has(f, form[k].what)) continue;
        TRY(store_dims(f, form[k].what, &n_dims, dims));
        for (int64_t j = 0; j < dims[1]; j++) {
            char *name =
                dims[1] == var.n_rows && index >= 0 ? xstrdup(frame_text(&var, j, index)) : xasprintf("component_%lld", (long long)j);
            names_add(&columns, name);
            free(name);
        }
        char *path = xasprintf("%s.%s.csv.gz", stem, form[k].name);
        st = write_table(path, f, form[k].what, &obs, &columns);
        free(path);
        names_free(&columns);
        columns = (names){0};
        if (st != OK) goto done;
    }
done:
    store_close(&f);
    frame_free(&obs);
    frame_free(&var);
    names_free(&columns);
    free(stem);
    return st;
}

/* report_wells.c -- the wells in the page's data: their places on the maps, what they hold, every column of their metadata, quality. */
#include "report_data.h"

#include "micon/base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Texts of a column beyond this are no use as colours, and would make the page too large. */
enum { WORDS_MOST = 2 << 20 };

/* {"names":[..],"code":{..}} of the rows' texts in `col`, joined by '/'. Nothing is added where the texts are too many. */
static status add_texts(text *t, const char *name, const frame *f, const int *col, int n_cols, bool *first)
{
    status st = OK;
    intern_table seen = {0};
    text one = {0}, words = {0};
    int32_t *code = NULL;
    TRY(mem_alloc(&code, (size_t)f->n_rows, sizeof *code, "the report"));
    for (int64_t i = 0; i < f->n_rows; i++) {
        uint32_t id = 0;
        bool any = false;
        text_clear(&one);
        for (int k = 0; k < n_cols; k++) {
            size_t before = one.n;
            frame_show(f, i, col[k], &one);
            any |= one.n > before;
            if (k + 1 < n_cols) text_add(&one, "/");
        }
        if (any) TRY(intern_add(&seen, text_str(&one), &id));
        code[i] = any ? (int32_t)id : -1;
    }
    for (size_t i = 0; i < seen.n; i++) {
        if (i) text_add(&words, ",");
        text_add_json(&words, intern_at(&seen, i));
    }
    if (words.n <= WORDS_MOST && seen.n > 0) {
        if (!*first) text_add(t, ",\n");
        *first = false;
        text_add_json(t, name);
        text_add(t, ":{\"names\":[");
        text_add(t, text_str(&words));
        text_add(t, "],\"code\":");
        TRY(pack_codes(t, code, f->n_rows, (int64_t)seen.n));
        text_add(t, "}");
    }
done:
    free(code);
    intern_free(&seen);
    text_free(&one);
    text_free(&words);
    return st;
}

static status add_metadata(text *t, const wells *w)
{
    status st = OK;
    int place[3] = {frame_col(&w->obs, "Metadata_Source"), frame_col(&w->obs, "Metadata_Batch"), frame_col(&w->obs, "Metadata_Plate")};
    bool first = true;
    text_add(t, "\"text\":{");
    for (int c = 0; c < w->obs.n_cols; c++) {
        const char *name = w->obs.col[c].name;
        if (strncmp(name, "Metadata_", 9) != 0) continue;
        if (c == place[1]) /* names of batches and plates may repeat */
            TRY(add_texts(t, "Batch", &w->obs, place, 2, &first));
        else if (c == place[2])
            TRY(add_texts(t, "Plate", &w->obs, place, 3, &first));
        else
            TRY(add_texts(t, name + 9, &w->obs, &c, 1, &first));
    }
    text_add(t, "}");
done:
    return st;
}

static status add_places(text *t, const wells *w, const transformed *c)
{
    status st = OK;
    double *v = NULL;
    TRY(mem_alloc(&v, (size_t)w->n, sizeof *v, "the report"));
    for (int map = 0; map < 2; map++) {
        const float *x = map ? c->pca : c->umap;
        int64_t d = map ? c->d_pca : 2;
        if (!x || d < 2) continue;
        for (int k = 0; k < 2; k++) {
            for (int64_t i = 0; i < w->n; i++) v[i] = x[i * d + k];
            text_add(t, k ? "," : map ? "\"pca\":[" : "\"umap\":[");
            TRY(pack_reals(t, v, w->n));
        }
        text_add(t, "],\n");
    }
done:
    free(v);
    return st;
}

status report_wells(text *t, const wells *w, const transformed *c)
{
    status st = OK;
    int32_t *kind = NULL;
    text_addf(t, "\"wells\":{\"n\":%lld,\n", (long long)w->n);
    TRY(add_places(t, w, c));
    TRY(mem_alloc(&kind, (size_t)w->n, sizeof *kind, "the report"));
    for (int64_t i = 0; i < w->n; i++) kind[i] = w->evaluated[i] ? 3 : w->control[i] ? 1 : w->label[i] < 0 ? 2 : 0;
    text_add(t, "\"kind\":");
    TRY(pack_codes(t, kind, w->n, 4));
    text_add(t, ",\n\"treatment\":");
    TRY(pack_codes(t, w->label, w->n, w->n_label));
    text_add(t, ",\n");
    TRY(add_metadata(t, w));
    text_add(t, "}");
done:
    free(kind);
    return st;
}

/* What a feature counts: "Cells" of Cells_Count, Count_Cells, Image_Count_Cells and Metadata_Count_Cells; NULL: nothing. Caller frees. */
static char *counted(const char *feature)
{
    static const char *const before[] = {"Count_", "Image_Count_", "Metadata_Count_"};
    size_t n = strlen(feature);
    for (size_t k = 0; k < sizeof before / sizeof *before; k++)
        if (strncmp(feature, before[k], strlen(before[k])) == 0) return xstrdup(feature + strlen(before[k]));
    const char *end = n > 6 ? feature + n - 6 : "";
    return strcmp(end, "_Count") == 0 && !memchr(feature, '_', n - 6) ? xasprintf("%.*s", (int)(n - 6), feature) : NULL;
}

static status add_count(text *t, const char *what, const double *v, int64_t n, bool *first)
{
    text name = {0};
    text_addf(&name, "Count_%s", what);
    if (!*first) text_add(t, ",\n");
    *first = false;
    text_add_json(t, text_str(&name));
    text_add(t, ":");
    text_free(&name);
    return pack_reals(t, v, n);
}

/* Numbers of cells or nuclei, as features or as columns of the tables have them. */
static status add_counts(text *t, const wells *w, double *v, bool *first)
{
    status st = OK;
    char *what = NULL;
    for (int64_t f = 0; f < w->d && f < (int64_t)w->var.n; f++) {
        FREE(what);
        what = counted(w->var.item[f]);
        if (!what) continue;
        for (int64_t i = 0; i < w->n; i++) v[i] = w->x[i * w->d + f];
        TRY(add_count(t, what, v, w->n, first));
    }
    for (int c = 0; c < w->obs.n_cols; c++) {
        const frame_column *q = &w->obs.col[c];
        if (q->type != FRAME_F64 && q->type != FRAME_I64) continue;
        FREE(what);
        what = counted(q->name);
        if (!what) continue;
        for (int64_t i = 0; i < w->n; i++) v[i] = q->type == FRAME_F64 ? q->v.f64[i] : (double)q->v.i64[i];
        TRY(add_count(t, what, v, w->n, first));
    }
done:
    free(what);
    return st;
}

status report_quality(text *t, const wells *w)
{
    status st = OK;
    double *v = NULL;
    bool first = true;
    TRY(mem_alloc(&v, (size_t)w->n, sizeof *v, "the report"));
    text_add(t, "\"quality\":{");
    for (int c = w->obs.n_cols - 1; c >= 0; c--) { /* QC_Flagged first */
        const frame_column *q = &w->obs.col[c];
        if (strncmp(q->name, "QC_", 3) != 0 || (q->type != FRAME_F64 && q->type != FRAME_I64)) continue;
        for (int64_t i = 0; i < w->n; i++) v[i] = q->type == FRAME_F64 ? q->v.f64[i] : (double)q->v.i64[i];
        if (!first) text_add(t, ",\n");
        first = false;
        text_add_json(t, q->name);
        text_add(t, ":");
        TRY(pack_reals(t, v, w->n));
    }
    TRY(add_counts(t, w, v, &first));
    text_add(t, "}");
done:
    free(v);
    return st;
}

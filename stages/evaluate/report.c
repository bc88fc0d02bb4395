/* report.c -- report.html: the page with the data that it draws: metrics.json as it is, the wells, their quality, similarity of
 * replicates, the training's log. */
#include "evaluate.h"

#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/profile/linear_algebra.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { HEAT_MOST = 40 };

static void number(text *t, double v, int digits)
{
    if (isfinite(v))
        text_addf(t, "%.*g", digits, v);
    else
        text_add(t, "null");
}

/* "name":{"names":[..],"code":[..]} of texts of the rows. */
static status add_texts(text *t, const char *name, const names *of_row)
{
    status st = OK;
    intern_table seen = {0};
    text_add_json(t, name);
    text_add(t, ":{\"code\":[");
    for (size_t i = 0; i < of_row->n; i++) {
        uint32_t id = 0;
        if (*of_row->item[i]) TRY(intern_add(&seen, of_row->item[i], &id));
        text_addf(t, "%s%d", i ? "," : "", *of_row->item[i] ? (int)id : -1);
    }
    text_add(t, "],\"names\":[");
    for (size_t i = 0; i < seen.n; i++) {
        if (i) text_add(t, ",");
        text_add_json(t, intern_at(&seen, i));
    }
    text_add(t, "]}");
done:
    intern_free(&seen);
    return st;
}

static status add_wells(text *t, const wells *w, const transformed *c)
{
    status st = OK;
    const struct {
        const char *name, *col;
    } field[] = {{"compound", "Metadata_Compound"}, {"source", "Metadata_Source"},   {"batch", "Metadata_Batch"},
                 {"plate", "Metadata_Plate"},       {"mechanism", w->target_column}, {"well", "Metadata_Well"}};
    names of_row = {0};
    text one = {0};
    text_add(t, "\"wells\":{");
    for (int k = 0; k < 2; k++) {
        text_add(t, k ? "],\"y\":[" : "\"x\":[");
        for (int64_t i = 0; i < w->n; i++) {
            if (i) text_add(t, ",");
            number(t, c->umap[2 * i + k], 5);
        }
    }
    text_add(t, "],\"kind\":[");
    for (int64_t i = 0; i < w->n; i++) text_addf(t, "%s%d", i ? "," : "", w->control[i] ? 1 : w->label[i] < 0 ? 2 : 0);
    text_add(t, "],\"text\":{");
    for (size_t k = 0; k < sizeof field / sizeof *field; k++) {
        int col = field[k].col ? frame_col(&w->obs, field[k].col) : -1, source = frame_col(&w->obs, "Metadata_Source"),
            batch = frame_col(&w->obs, "Metadata_Batch");
        if (col < 0) continue;
        for (int64_t i = 0; i < w->n; i++) {
            text_clear(&one);
            if (k == 2 || k == 3) { /* names of batches and plates may repeat */
                frame_show(&w->obs, i, source, &one);
                text_add(&one, "/");
            }
            if (k == 3) {
                frame_show(&w->obs, i, batch, &one);
                text_add(&one, "/");
            }
            frame_show(&w->obs, i, col, &one);
            names_add(&of_row, text_str(&one));
        }
        if (k) text_add(t, ",");
        TRY(add_texts(t, field[k].name, &of_row));
        names_free(&of_row);
        of_row = (names){0};
    }
    text_add(t, "}},\n");
done:
    names_free(&of_row);
    text_free(&one);
    return st;
}

static void add_quality(text *t, const wells *w)
{
    bool first = true;
    text_add(t, "\"quality\":{");
    for (int c = w->obs.n_cols - 1; c >= 0; c--) { /* QC_Flagged first */
        const frame_column *q = &w->obs.col[c];
        if (strncmp(q->name, "QC_", 3) != 0 || (q->type != FRAME_F64 && q->type != FRAME_I64)) continue;
        if (!first) text_add(t, ",");
        first = false;
        text_add_json(t, q->name);
        text_add(t, ":[");
        for (int64_t i = 0; i < w->n; i++) {
            if (i) text_add(t, ",");
            number(t, q->type == FRAME_F64 ? q->v.f64[i] : (double)q->v.i64[i], 4);
        }
        text_add(t, "]");
    }
    text_add(t, "},\n");
}

static void add_activity(text *t, const wells *w, const results *r)
{
    bool first = true;
    text_add(t, "\"treatments\":[");
    for (int32_t l = 0; l < w->n_label; l++) {
        if (l) text_add(t, ",");
        text_add_json(t, intern_at(&w->label_name, (size_t)l));
    }
    text_add(t, "],\n\"activity\":{");
    for (int which = 0; which < 2; which++) {
        if (!r->activity[which]) continue;
        if (!first) text_add(t, ",");
        first = false;
        text_add(t, which ? "\"corrected\":{" : "\"uncorrected\":{");
        for (int k = 0; k < 2; k++) {
            const double *v = k ? r->activity_q[which] : r->activity[which];
            text_add(t, k ? ",\"q\":[" : "\"map\":[");
            for (int32_t l = 0; l < w->n_label; l++) {
                if (l) text_add(t, ",");
                number_add(t, v[l], "null");
            }
            text_add(t, "]");
        }
        text_add(t, "}");
    }
    text_add(t, "},\n");
}

/* ---- similarity of replicates ---- */

typedef struct {
    double key;
    int32_t label, target;
} ranked;

static int by_key(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->key != y->key) return x->key > y->key ? -1 : 1;
    return (x->label > y->label) - (x->label < y->label);
}

static int by_target(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->target != y->target) return x->target < y->target ? -1 : 1;
    return (x->label > y->label) - (x->label < y->label);
}

/* The treatments with the largest mAP, those of a mechanism together. Returns how many. */
static status choose(const wells *w, const results *r, ranked **out, int *n)
{
    status st = OK;
    const double *map = r->activity[1] ? r->activity[1] : r->activity[0];
    int64_t *wells_of = NULL;
    int m = 0;
    TRY(mem_alloc(&wells_of, (size_t)w->n_label, sizeof *wells_of, "treatments"));
    TRY(mem_alloc(out, (size_t)w->n_label, sizeof **out, "treatments"));
    for (int64_t i = 0; i < w->n; i++)
        if (w->evaluated[i]) wells_of[w->label[i]]++;
    for (int32_t l = 0; l < w->n_label; l++) {
        bool has = w->target_start[l] < w->target_start[l + 1];
        if (wells_of[l] < 2) continue;
        (*out)[m++] = (ranked){map && !isnan(map[l]) ? map[l] : 0, l, has ? w->target[w->target_start[l]] : w->n_target};
    }
    qsort(*out, (size_t)m, sizeof **out, by_key);
    *n = m < HEAT_MOST ? m : HEAT_MOST;
    qsort(*out, (size_t)*n, sizeof **out, by_target);
done:
    free(wells_of);
    return st;
}

/* The mean cosine between wells of two treatments is the product of their sums of unit rows, over the number of pairs. */
static status add_heat(text *t, const wells *w, const transformed *c, const results *r)
{
    status st = OK;
    ranked *chosen = NULL;
    int n = 0, *at = NULL;
    int64_t d = c->d_final, *count = NULL;
    double *sum = NULL;
    float *unit = NULL;
    TRY(choose(w, r, &chosen, &n));
    TRY(mem_alloc(&at, (size_t)w->n_label, sizeof *at, "treatments"));
    TRY(mem_alloc(&count, (size_t)n, sizeof *count, "treatments"));
    TRY(mem_alloc(&sum, (size_t)(n * d), sizeof *sum, "treatments"));
    TRY(mem_alloc(&unit, (size_t)d, sizeof *unit, "a profile"));
    for (int32_t l = 0; l < w->n_label; l++) at[l] = -1;
    for (int k = 0; k < n; k++) at[chosen[k].label] = k;
    for (int64_t i = 0; i < w->n; i++) {
        int k = w->evaluated[i] ? at[w->label[i]] : -1;
        if (k < 0) continue;
        linear_unit_rows(c->final + i * d, 1, d, unit);
        for (int64_t j = 0; j < d; j++) sum[k * d + j] += unit[j];
        count[k]++;
    }
    text_add(t, "\"heat\":{\"names\":[");
    for (int k = 0; k < n; k++) {
        if (k) text_add(t, ",");
        text_add_json(t, intern_at(&w->label_name, (size_t)chosen[k].label));
    }
    text_add(t, "],\"v\":[");
    for (int a = 0; a < n; a++) {
        text_add(t, a ? ",[" : "[");
        for (int b = 0; b < n; b++) {
            double dot = 0, na = (double)count[a], nb = (double)count[b];
            for (int64_t j = 0; j < d; j++) dot += sum[a * d + j] * sum[b * d + j];
            if (b) text_add(t, ",");
            number(t, a == b ? (dot - na) / (na * (na - 1)) : dot / (na * nb), 4);
        }
        text_add(t, "]");
    }
    text_add(t, "]},\n");
done:
    free(chosen);
    free(at);
    free(count);
    free(sum);
    free(unit);
    return st;
}

/* What the training computed, of a line of its log; how long it took, and with which memory, differs between two runs that are the same.
 * Only what JSON.parse accepts: one malformed line would leave the whole page blank. False: not an object. */
static bool add_step(text *t, const char *line, size_t n, bool first)
{
    static const char *const key[] = {"step", "loss"};
    json_t *value = json_loadb(line, n, JSON_DECODE_INT_AS_REAL, NULL);
    bool is = json_is_object(value), any = false;
    if (is) text_add(t, first ? "{" : ",{");
    for (size_t k = 0; is && k < sizeof key / sizeof *key; k++) {
        const json_t *v = json_object_get(value, key[k]);
        if (!json_is_real(v)) continue;
        text_addf(t, "%s\"%s\":%.9g", any ? "," : "", key[k], json_real_value(v));
        any = true;
    }
    if (is) text_add(t, "}");
    json_decref(value);
    return is;
}

/* The log's lines that are objects; the others are counted. */
static void add_log(text *t, const char *path)
{
    enum { MOST = 64 << 20 };
    char *data = NULL;
    size_t size = 0;
    int64_t taken = 0, lost = 0;
    text_add(t, "\"log\":[");
    if (path_exists(path) && path_read(path, &data, &size, MOST) != OK) {
        log_warn("no training curve: %s", msg_get());
        msg_clear();
    }
    for (char *line = data, *end; line && (end = strchr(line, '\n')); line = end + 1) {
        if (end == line) continue;
        if (add_step(t, line, (size_t)(end - line), taken == 0))
            taken++;
        else
            lost++;
    }
    text_add(t, "]");
    if (lost) log_warn("%s: %lld lines are not JSON objects: the training curve leaves them out", path, (long long)lost);
    free(data);
}

status report_write(const char *path, const wells *w, const transformed *c, const results *r, const char *json, const char *log_jsonl)
{
    status st = OK;
    text data = {0}, page = {0};
    text_add(&data, "{\"about\":");
    metric_table_json(&data);
    text_add(&data, ",\n\"metrics\":");
    text_add(&data, json);
    text_add(&data, ",\n");
    TRY(add_wells(&data, w, c));
    add_quality(&data, w);
    add_activity(&data, w, r);
    TRY(add_heat(&data, w, c, r));
    add_log(&data, log_jsonl);
    text_add(&data, "}");
    report_page(&page, text_str(&data), report_js);
    TRY(path_write(path, text_str(&page), page.n));
done:
    text_free(&data);
    text_free(&page);
    return st;
}

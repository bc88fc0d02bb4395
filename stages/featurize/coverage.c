/* coverage.c -- which compounds the wells hold, and whether all of them have a vector. */
#include "featurize.h"

#include "micon/base/digest.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/index/index.h"
#include "micon/table/intern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void to_names(names *out, const intern_table *w)
{
    for (size_t i = 0; i < w->n; i++) names_add(out, intern_at(w, i));
    if (out->n) qsort(out->item, out->n, sizeof *out->item, by_bytes);
}

/* The distinct compounds of the wells. The index has one row per site, so most rows repeat the compound of the row before. */
static status collect(const screen_index *ix, intern_table *treated, intern_table *control)
{
    status st = OK;
    const char *last = NULL;
    for (int64_t r = 0; r < index_n_rows(ix) && st == OK; r++) {
        const char *id = index_cell(ix, r, INDEX_COMPOUND);
        well_kind kind = index_kind(ix, r);
        uint32_t at;
        if (kind == WELL_EMPTY || id == last || !id[0]) continue; /* interned: equal names are one pointer */
        last = id;
        st = intern_add(kind == WELL_CONTROL ? control : treated, id, &at);
    }
    return st;
}

status coverage_read(screen_coverage *out, const config *c)
{
    status st = OK;
    screen_index *ix = NULL;
    intern_table treated = {0}, control = {0};
    char *cache = index_cache_name(c);
    index_options o = index_options_of(c);
    for (size_t i = 0; i < c->screen.control.n && st == OK; i++) st = intern_add(&control, c->screen.control.item[i], &(uint32_t){0});
    if (st != OK) goto done;
    if (c->screen.index.n) {
        TRY(index_open(&ix, &o, cache));
        TRY(findings_verdict(index_findings(ix)));
        TRY(collect(ix, &treated, &control));
        for (int64_t p = 0; p < index_n_plates(ix); p++) out->rows = digest_mix(out->rows, index_plate_digest(ix, p, INDEX_OF_ALL));
    }
    to_names(&out->treated, &treated);
    to_names(&out->control, &control);
done:
    index_free(&ix);
    intern_free(&treated);
    intern_free(&control);
    free(cache);
    return st;
}

void coverage_free(screen_coverage *n)
{
    names_free(&n->treated);
    names_free(&n->control);
    *n = (screen_coverage){0};
}

static bool has_vector(const features *f, const char *id)
{
    int64_t low = 0, high = f->identifiers.n_rows;
    while (low < high) {
        int64_t mid = low + (high - low) / 2;
        int c = strcmp(frame_text(&f->identifiers, mid, 0), id);
        if (c == 0) return true;
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return false;
}

static void say_why(const features *f, const char *id, char *why, size_t size)
{
    int id_col = frame_col(&f->rejects, "Metadata_Compound"), code = frame_col(&f->rejects, "Code"), line = frame_col(&f->rejects, "Line");
    snprintf(why, size, "not in the table");
    for (int64_t r = 0; r < f->rejects.n_rows; r++)
        if (strcmp(frame_text(&f->rejects, r, id_col), id) == 0) {
            snprintf(why, size, "rejected in line %lld: %s", (long long)f->rejects.col[line].v.i64[r], frame_text(&f->rejects, r, code));
            return;
        }
}

static status check_control(const screen_coverage *n, const features *f, const char *where)
{
    text t = {0};
    char why[120];
    size_t found = 0;
    for (size_t i = 0; i < n->control.n; i++) {
        if (has_vector(f, n->control.item[i])) {
            found++;
            continue;
        }
        say_why(f, n->control.item[i], why, sizeof why);
        text_addf(&t, "%s%s (%s)", t.n ? ", " : "", n->control.item[i], why);
    }
    status st = OK;
    if (found == 0)
        st =
            fail(E_FAILED, "%s: the negative control has no vector: %s; set screen.control to its identifier in this table, or add its row",
                 where, t.n ? text_str(&t) : "none is named");
    else if (t.n)
        log_warn("%s: negative controls without a vector: %s", where, text_str(&t));
    text_free(&t);
    return st;
}

status coverage_check(const screen_coverage *n, features *f, const config *c)
{
    enum { SHOWN = 5 };
    status st = OK;
    text t = {0};
    char why[120];
    const char *key = c->featurize.vectors[0] ? "featurize.vectors" : "screen.compound";
    TRY(check_control(n, f, key));
    TRY(output_add_missing(&f->missing, NULL, NULL));
    for (size_t i = 0; i < n->treated.n; i++) {
        if (has_vector(f, n->treated.item[i])) continue;
        say_why(f, n->treated.item[i], why, sizeof why);
        if (f->missing.n_rows < SHOWN) text_addf(&t, "%s%s (%s)", t.n ? ", " : "", n->treated.item[i], why);
        TRY(output_add_missing(&f->missing, n->treated.item[i], why));
    }
    features_set_count(f, "wells_compounds", (int64_t)n->treated.n);
    features_set_count(f, "wells_missing", f->missing.n_rows);
    if (f->missing.n_rows == 0) goto done;
    const char *more = f->missing.n_rows > SHOWN ? ", ..." : "";
    if (c->featurize.on_missing == ON_MISSING_FAIL)
        st = fail(E_FAILED,
                  "%s: %lld of the wells' %zu compounds have no vector: %s%s; complete the table, or set featurize.on_missing: drop", key,
                  (long long)f->missing.n_rows, n->treated.n, text_str(&t), more);
    else
        log_warn("%s: %lld of the wells' %zu compounds have no vector and are dropped: %s%s", key, (long long)f->missing.n_rows,
                 n->treated.n, text_str(&t), more);
done:
    text_free(&t);
    return st;
}

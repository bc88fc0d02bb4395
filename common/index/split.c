/* split.c -- the sets of the wells. */
#include "micon/index/split.h"

#include "build_impl.h"

#include "micon/base/digest.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/base/path.h"
#include "micon/base/rng.h"
#include "micon/formats/csv.h"
#include "micon/table/intern.h"

#include <stdlib.h>
#include <string.h>

static const char *const set_names[SET_COUNT] = {"train", "valid", "test", "unseen_source", "unseen_compound", "empty"};

const char *split_set_name(split_set s)
{
    return set_names[s];
}

void screen_split_free(screen_split *s)
{
    free(s->of_row);
    names_free(&s->unseen_compounds);
    *s = (screen_split){0};
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_names(names *l)
{
    if (l->n) qsort(l->item, l->n, sizeof *l->item, by_text);
}

/* v = a random order of 0..n-1. */
static status shuffled(rng *r, size_t n, int64_t **v)
{
    status st = OK;
    int64_t *p = NULL;
    TRY(mem_alloc(&p, n, sizeof *p, "the split"));
    for (size_t i = 0; i < n; i++) p[i] = (int64_t)i;
    rng_shuffle(r, p, (int64_t)n);
    *v = p;
done:
    return st;
}

/* ---- sources and batches ---- */

/* The plates are sorted, so those of a source, and of a batch, are neighbours. Returns the first plate after `p` with another value. */
static int64_t behind(const screen_index *ix, int64_t p, bool batch)
{
    index_plate a = index_plate_at(ix, p);
    int64_t i = p + 1;
    for (; i < index_n_plates(ix); i++) {
        index_plate b = index_plate_at(ix, i);
        if (strcmp(a.source, b.source) != 0 || (batch && strcmp(a.batch, b.batch) != 0)) break;
    }
    return i;
}

static void set_plates(screen_split *s, const screen_index *ix, int64_t first, int64_t end, split_set set)
{
    for (int64_t p = first; p < end; p++) {
        index_plate at = index_plate_at(ix, p);
        memset(s->of_row + at.first, (int)set, (size_t)at.n);
    }
}

static status split_source(screen_split *s, const screen_index *ix, const split_options *o, int64_t first, int64_t end, findings *notes)
{
    status st = OK;
    const char *source = index_plate_at(ix, first).source;
    int64_t n = 0, *order = NULL, held = o->test_batches + o->valid_batches;
    set_plates(s, ix, first, end, SET_TRAIN);
    for (int64_t p = first; p < end; p = behind(ix, p, true)) n++;
    if (held == 0) goto done;
    if (n <= held) {
        findings_add(notes, FINDING_WARNING, "sources used for training only", "source '%s' has %lld batch%s: none can be held out", source,
                     (long long)n, n == 1 ? "" : "es");
        goto done;
    }
    rng r = rng_at((uint32_t)o->seed, STREAM_SPLIT, 0, digest_text(source));
    TRY(shuffled(&r, (size_t)n, &order));
    for (int64_t k = 0; k < held; k++) {
        int64_t p = first;
        for (int64_t i = 0; i < order[k]; i++) p = behind(ix, p, true);
        set_plates(s, ix, p, behind(ix, p, true), k < o->test_batches ? SET_TEST : SET_VALID);
    }
done:
    free(order);
    return st;
}

static status split_sources(screen_split *s, const screen_index *ix, const split_options *o, findings *notes)
{
    status st = OK;
    names known = {0};
    bool left = false;
    for (int64_t p = 0, end; p < index_n_plates(ix); p = end) {
        const char *source = index_plate_at(ix, p).source;
        end = behind(ix, p, false);
        names_add(&known, source);
        bool unseen = names_find(&o->unseen_sources, source) >= 0;
        if (unseen)
            set_plates(s, ix, p, end, SET_UNSEEN_SOURCE);
        else
            TRY(split_source(s, ix, o, p, end, notes));
        left = left || !unseen;
    }
    for (size_t i = 0; i < o->unseen_sources.n; i++) {
        const char *name = o->unseen_sources.item[i], *near = names_nearest(name, (const char *const *)known.item, known.n);
        if (names_find(&known, name) >= 0) continue;
        TRY(fail(E_USAGE, "split.unseen_sources: no source '%s' in this screen%s%s%s", name, near ? "; did you mean '" : "",
                 near ? near : "", near ? "'?" : ""));
    }
    if (known.n && !left) TRY(fail(E_USAGE, "split.unseen_sources: names every source: none is left to train on"));
done:
    names_free(&known);
    return st;
}

/* ---- compounds ---- */

/* The treated compounds of the screen, sorted. */
static status list_compounds(const screen_index *ix, names *out)
{
    status st = OK;
    intern_table seen = {0};
    uint32_t id;
    for (int64_t i = 0; i < index_n_rows(ix); i = index_well_end(ix, i))
        if (index_kind(ix, i) == WELL_TREATED) TRY(intern_add(&seen, index_cell(ix, i, INDEX_COMPOUND), &id));
    for (size_t i = 0; i < seen.n; i++) names_add(out, intern_at(&seen, i));
    sort_names(out);
done:
    intern_free(&seen);
    return st;
}

static status draw_compounds(screen_split *s, const names *all, const split_options *o, double wanted)
{
    status st = OK;
    int64_t *order = NULL;
    double n = wanted < 1 ? (double)(int64_t)(wanted * (double)all->n + 0.5) : wanted;
    if (n > 0 && n >= (double)all->n)
        TRY(fail(E_USAGE, "split.unseen_compounds: %s of %zu compounds leaves none to train on", o->unseen_compounds, all->n));
    rng r = rng_at((uint32_t)o->seed, STREAM_SPLIT, 1, 0);
    TRY(shuffled(&r, all->n, &order));
    for (int64_t i = 0; i < (int64_t)n; i++) names_add(&s->unseen_compounds, all->item[order[i]]);
done:
    free(order);
    return st;
}

/* Identifiers of a file: the column with one of these names, or the only column, whose header may be an identifier itself. */
static status read_identifiers(const char *path, intern_table *out)
{
    status st = OK;
    csv *c = NULL;
    char **field;
    bool more;
    uint32_t id;
    TRY(csv_open(&c, path));
    int col = csv_col_any(c, compound_names);
    if (col < 0) col = csv_col(c, "CompoundID");
    if (col < 0 && csv_n_cols(c) == 1) {
        TRY(intern_add(out, csv_col_name(c, 0), &id));
        col = 0;
    }
    if (col < 0) TRY(fail(E_FORMAT, "%s:1: no column 'Metadata_JCP2022'", path));
    for (;;) {
        TRY(csv_next(c, &field, &more));
        if (!more) break;
        if (*field[col]) TRY(intern_add(out, field[col], &id));
    }
done:
    csv_close(&c);
    return st;
}

static status named_compounds(screen_split *s, const names *all, const split_options *o, const char *dir, findings *notes)
{
    status st = OK;
    intern_table wanted = {0};
    char *path = path_join(strcmp(dir, ".") == 0 ? "" : dir, o->unseen_compounds);
    if (!path_exists(path))
        TRY(fail(E_USAGE, "split.unseen_compounds: '%s' is neither a number nor an existing file: %s", o->unseen_compounds, path));
    TRY(read_identifiers(path, &wanted));
    for (size_t i = 0; i < wanted.n; i++) {
        const char *id = intern_at(&wanted, i);
        if (all->n && bsearch(&id, all->item, all->n, sizeof *all->item, by_text))
            names_add(&s->unseen_compounds, id);
        else
            findings_add(notes, FINDING_WARNING, "unseen compounds without a treated well", "%s: '%s'", path, id);
    }
    if (s->unseen_compounds.n && s->unseen_compounds.n == all->n)
        TRY(fail(E_USAGE, "%s: names every compound: none is left to train on", path));
done:
    intern_free(&wanted);
    free(path);
    return st;
}

static status split_compounds(screen_split *s, const screen_index *ix, const split_options *o, const char *dir, findings *notes)
{
    status st = OK;
    names all = {0};
    double wanted;
    int64_t count;
    TRY(list_compounds(ix, &all));
    if (num_f64(o->unseen_compounds, &wanted)) {
        if (wanted < 0 || (wanted >= 1 && !num_i64(o->unseen_compounds, &count)))
            TRY(fail(E_USAGE, "split.unseen_compounds: '%s' is not a share below 1, a count, or a file", o->unseen_compounds));
        TRY(draw_compounds(s, &all, o, wanted));
    } else if (*o->unseen_compounds) {
        TRY(named_compounds(s, &all, o, dir, notes));
    }
    sort_names(&s->unseen_compounds);
    const names *u = &s->unseen_compounds;
    for (int64_t i = 0; u->n && i < s->n_rows; i++) {
        const char *id = index_cell(ix, i, INDEX_COMPOUND);
        if (index_kind(ix, i) == WELL_TREATED && bsearch(&id, u->item, u->n, sizeof *u->item, by_text)) s->of_row[i] = SET_UNSEEN_COMPOUND;
    }
done:
    names_free(&all);
    return st;
}

/* ---- all of it ---- */

static void count_wells(screen_split *s, const screen_index *ix)
{
    memset(s->n_wells, 0, sizeof s->n_wells);
    for (int64_t i = 0; i < s->n_rows; i = index_well_end(ix, i)) s->n_wells[s->of_row[i]]++;
}

status split_make(screen_split *out, const screen_index *ix, const split_options *o, const char *dir, findings *notes)
{
    status st = OK;
    out->n_rows = index_n_rows(ix);
    TRY(mem_alloc(&out->of_row, (size_t)out->n_rows, 1, "the split"));
    TRY(split_sources(out, ix, o, notes));
    TRY(split_compounds(out, ix, o, dir, notes));
    for (int64_t i = 0; i < out->n_rows; i++)
        if (index_kind(ix, i) == WELL_EMPTY) out->of_row[i] = SET_EMPTY;
    count_wells(out, ix);
done:
    return st;
}

uint64_t split_digest(const screen_split *s, const screen_index *ix)
{
    uint64_t d = 0;
    for (int64_t i = 0; i < s->n_rows; i = index_well_end(ix, i)) {
        for (int k = INDEX_SOURCE; k <= INDEX_WELL; k++) d = digest_mix(d, digest_text(index_cell(ix, i, k)));
        d = digest_mix(d, digest_text(set_names[s->of_row[i]]));
    }
    return d;
}

/* ---- the file ---- */

status split_write(const screen_split *s, const screen_index *ix, const char *path)
{
    text t = {0};
    text_add(&t, "Source,Batch,Plate,Well,set\n");
    for (int64_t i = 0; i < s->n_rows; i = index_well_end(ix, i)) {
        for (int k = INDEX_SOURCE; k <= INDEX_WELL; k++) {
            csv_quote(&t, index_cell(ix, i, k));
            text_add(&t, ",");
        }
        text_addf(&t, "%s\n", set_names[s->of_row[i]]);
    }
    char *dir = path_dir(path);
    status st = path_make_dirs(dir);
    if (st == OK) st = path_write(path, t.s, t.n);
    free(dir);
    text_free(&t);
    return st;
}

static const char *well_key(text *t, const char *const part[4])
{
    text_clear(t);
    for (int k = 0; k < 4; k++) text_addf(t, "%zu:%s", strlen(part[k]), part[k]); /* lengths keep "a","bc" and "ab","c" apart */
    return t->s;
}

typedef struct {
    intern_table key;
    int64_t *row; /* first row of each well */
    bool *seen;
} well_list;

static status list_wells(const screen_index *ix, well_list *w)
{
    status st = OK;
    text t = {0};
    uint32_t id;
    int64_t n = 0;
    for (int64_t i = 0; i < index_n_rows(ix); i = index_well_end(ix, i)) n++;
    TRY(mem_alloc(&w->row, (size_t)n, sizeof *w->row, "wells"));
    TRY(mem_alloc(&w->seen, (size_t)n, sizeof *w->seen, "wells"));
    for (int64_t i = 0; i < index_n_rows(ix); i = index_well_end(ix, i)) {
        const char *part[4];
        for (int k = 0; k < 4; k++) part[k] = index_cell(ix, i, k);
        TRY(intern_add(&w->key, well_key(&t, part), &id));
        w->row[id] = i;
    }
done:
    text_free(&t);
    return st;
}

static status take_line(screen_split *s, const screen_index *ix, well_list *w, const csv *c, const int col[5], char **field, text *t)
{
    char shown[100];
    const char *part[4], *path = csv_path(c);
    long long line = (long long)csv_line(c);
    int set = 0;
    for (int k = 0; k < 4; k++) part[k] = field[col[k]];
    while (set < SET_COUNT && strcmp(field[col[4]], set_names[set]) != 0) set++;
    if (set == SET_COUNT)
        return fail(E_FORMAT, "%s:%lld: no set is called '%s'", path, line, text_show(shown, sizeof shown, field[col[4]]));
    int64_t id = intern_find(&w->key, well_key(t, part));
    if (id < 0) return fail(E_FORMAT, "%s:%lld: the screen has no such well", path, line);
    if (w->seen[id]) return fail(E_FORMAT, "%s:%lld: duplicate well", path, line);
    w->seen[id] = true;
    for (int64_t i = w->row[id], end = index_well_end(ix, i); i < end; i++) s->of_row[i] = (uint8_t)set;
    return OK;
}

static void list_unseen(screen_split *s, const screen_index *ix)
{
    names *u = &s->unseen_compounds;
    size_t kept = 0;
    for (int64_t i = 0; i < s->n_rows; i = index_well_end(ix, i))
        if (s->of_row[i] == SET_UNSEEN_COMPOUND) names_add(u, index_cell(ix, i, INDEX_COMPOUND));
    sort_names(u);
    for (size_t i = 0; i < u->n; i++) {
        if (kept && strcmp(u->item[i], u->item[kept - 1]) == 0)
            free(u->item[i]);
        else
            u->item[kept++] = u->item[i];
    }
    u->n = kept;
}

status split_read(screen_split *out, const screen_index *ix, const char *path)
{
    static const char *const cols[] = {"Source", "Batch", "Plate", "Well", "set"};
    status st = OK;
    csv *c = NULL;
    char **field;
    bool more;
    int col[5];
    well_list w = {0};
    text t = {0};
    out->n_rows = index_n_rows(ix);
    TRY(mem_alloc(&out->of_row, (size_t)out->n_rows, 1, "the split"));
    TRY(list_wells(ix, &w));
    TRY(csv_open(&c, path));
    for (int k = 0; k < 5; k++)
        if ((col[k] = csv_col(c, cols[k])) < 0) TRY(fail(E_FORMAT, "%s:1: no column '%s'", path, cols[k]));
    for (;;) {
        TRY(csv_next(c, &field, &more));
        if (!more) break;
        TRY(take_line(out, ix, &w, c, col, field, &t));
    }
    for (size_t i = 0; i < w.key.n; i++)
        if (!w.seen[i])
            TRY(fail(E_FORMAT, "%s: well %s of %s/%s/%s is missing", path, index_cell(ix, w.row[i], INDEX_WELL),
                     index_cell(ix, w.row[i], INDEX_SOURCE), index_cell(ix, w.row[i], INDEX_BATCH), index_cell(ix, w.row[i], INDEX_PLATE)));
    list_unseen(out, ix);
    count_wells(out, ix);
done:
    csv_close(&c);
    intern_free(&w.key);
    free(w.row);
    free(w.seen);
    text_free(&t);
    return st;
}

status split_of_rows(screen_split *out, const screen_index *ix, uint8_t *of_row, int64_t n)
{
    *out = (screen_split){.of_row = of_row, .n_rows = n};
    if (n != index_n_rows(ix)) return fail(E_FORMAT, "the split has %lld rows, the index %lld", (long long)n, (long long)index_n_rows(ix));
    list_unseen(out, ix);
    count_wells(out, ix);
    return OK;
}

status split_sync(screen_split *out, const screen_index *ix, const split_options *o, const char *dir, const char *path, findings *notes)
{
    status st = OK;
    screen_split was = {0};
    TRY(split_make(out, ix, o, dir, notes));
    if (path_exists(path)) {
        if (split_read(&was, ix, path) == OK && split_digest(&was, ix) == split_digest(out, ix)) goto done;
        msg_clear();
        log_warn("%s: the screen or its split has changed: rewritten", path);
    }
    TRY(split_write(out, ix, path));
done:
    screen_split_free(&was);
    return st;
}

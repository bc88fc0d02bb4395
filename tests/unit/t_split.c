/* t_split.c -- the split: what is held out, that it is a pure function, and its file. */
#include "../tap.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/index/split.h"

#include <stdlib.h>
#include <unistd.h>

static char *base;

/* 3 sources with 4, 3 and 1 batches of 2 plates; wells: 2 sites each; compounds C00..C19, a control, an empty well. */
static screen_index *make_index(bool reversed)
{
    text t = {0};
    names images = {0}, channels = {0}, control = {0};
    char *path = path_join(base, "t.csv");
    static const int batches[] = {4, 3, 1};
    text_add(&t, "DNA,Source,Batch,Plate,Well,Site,JCP2022,Metadata_pert_type\n");
    for (int i = 0; i < 3 * 4 * 2 * 22 * 2; i++) {
        int k = reversed ? 3 * 4 * 2 * 22 * 2 - 1 - i : i, site = k % 2, w = k / 2 % 22, p = k / 44 % 2, b = k / 88 % 4, s = k / 352;
        if (b >= batches[s]) continue;
        text_addf(&t, "x,S%d,b%d,P%d,A%02d,%d,", s, b, p, w + 1, site);
        if (w < 20) text_addf(&t, "C%02d,trt\n", w);
        if (w == 20) text_add(&t, "DMSO,\n");
        if (w == 21) text_add(&t, ",\n");
    }
    if (path_write(path, t.s, t.n) != OK) printf("# %s\n", msg_get());
    names_add(&images, "t.csv"), names_add(&channels, "DNA"), names_add(&control, "DMSO");
    index_options o = {.dir = base, .images = &images, .channels = &channels, .control = &control};
    screen_index *ix = NULL;
    ok(index_build(&ix, &o) == OK && index_n_rows(ix) == 8 * 2 * 22 * 2 && index_findings(ix)->n == 0, "a screen of 704 sites");
    text_free(&t), names_free(&images), names_free(&channels), names_free(&control);
    free(path);
    return ix;
}

static split_options options(int64_t seed, int64_t test, int64_t valid, const char *source, const char *compounds)
{
    split_options o = {.seed = seed, .test_batches = test, .valid_batches = valid, .unseen_compounds = xstrdup(compounds)};
    if (source) names_split(&o.unseen_sources, source, '|');
    return o;
}

static void options_free(split_options *o)
{
    names_free(&o->unseen_sources);
    free(o->unseen_compounds);
}

/* "S0: b0=train b1=test ..." of the controls' wells. */
static char *batches(const screen_split *s, const screen_index *ix, text *t)
{
    text_clear(t);
    for (int64_t p = 0; p < index_n_plates(ix); p += 2) {
        index_plate at = index_plate_at(ix, p);
        text_addf(t, "%s%s=%s ", at.source, at.batch, split_set_name((split_set)s->of_row[at.first + 40]));
    }
    return t->s;
}

/* A batch is whole; empty wells are empty; unseen compounds are unseen wherever they are. */
static int consistent(const screen_split *s, const screen_index *ix)
{
    int64_t wells = 0;
    for (int k = 0; k < SET_COUNT; k++) wells += s->n_wells[k];
    int good = s->n_rows == index_n_rows(ix) && wells * 2 == s->n_rows;
    for (int64_t p = 0; p < index_n_plates(ix); p++) {
        index_plate at = index_plate_at(ix, p), pair = index_plate_at(ix, p - p % 2);
        for (int64_t i = 0; i < at.n; i++) {
            int set = s->of_row[at.first + i], of_batch = s->of_row[pair.first + 40];
            well_kind kind = index_kind(ix, at.first + i);
            bool unseen = names_find(&s->unseen_compounds, index_cell(ix, at.first + i, INDEX_COMPOUND)) >= 0;
            int want = kind == WELL_EMPTY ? SET_EMPTY : unseen ? SET_UNSEEN_COMPOUND : of_batch;
            good = good && set == want && !(kind == WELL_CONTROL && unseen);
        }
    }
    return good;
}

static void sets(const screen_index *ix)
{
    text t = {0};
    findings notes = {0};
    screen_split a = {0}, b = {0}, c = {0};
    split_options o = options(1, 1, 1, NULL, "0");
    ok(split_make(&a, ix, &o, base, &notes) == OK && consistent(&a, ix), "one test batch, one for validation");
    printf("# %s\n", batches(&a, ix, &t));
    ok(a.n_wells[SET_TEST] == 2 * 42 * 2 / 2 && a.n_wells[SET_VALID] == a.n_wells[SET_TEST] && a.n_wells[SET_EMPTY] == 16,
       "of each source that has more");
    ok(notes.n == 1 && notes.item[0].count == 1, "the other source is listed");
    same(notes.item[0].example.item[0], "source 'S2' has 1 batch: none can be held out", "its text");
    screen_index *other = make_index(true);
    ok(split_make(&b, other, &o, base, &notes) == OK && split_digest(&a, ix) == split_digest(&b, other),
       "the order of the table does not matter");
    index_free(&other);
    options_free(&o);
    int differ = 0;
    for (int64_t seed = 2; seed < 12; seed++) {
        o = options(seed, 1, 1, NULL, "0");
        ok(split_make(&c, ix, &o, base, &notes) == OK && consistent(&c, ix), "another seed");
        differ += split_digest(&c, ix) != split_digest(&a, ix);
        screen_split_free(&c), options_free(&o);
    }
    ok(differ >= 7, "seeds differ");
    screen_split_free(&b);
    o = options(1, 1, 1, "S1", "0.3");
    ok(split_make(&b, ix, &o, base, &notes) == OK && consistent(&b, ix), "an unseen source and unseen compounds");
    ok(b.unseen_compounds.n == 6 && b.n_wells[SET_UNSEEN_COMPOUND] == 6 * 16, "6 of 20 compounds, everywhere");
    ok(b.n_wells[SET_UNSEEN_SOURCE] == 3 * 2 * 15, "the source's other wells");
    int same_batches = 1;
    for (int64_t p = 0; p < index_n_plates(ix); p++) {
        index_plate at = index_plate_at(ix, p);
        if (strcmp(at.source, "S0") == 0) same_batches &= a.of_row[at.first + 40] == b.of_row[at.first + 40];
    }
    ok(same_batches, "the other sources' batches are held out as before");
    options_free(&o), screen_split_free(&a), screen_split_free(&b), findings_free(&notes), text_free(&t);
}

static void lists(const screen_index *ix)
{
    static const struct {
        const char *what, *file;
        size_t n;
        int64_t unknown;
    } c[] = {{"a list", "C03\nC01\nC03\n", 2, 0},
             {"a table", "CompoundID\tx\nC05\t1\nDMSO\t2\nno\t3\n", 1, 2},
             {"a table of another kind", "Metadata_JCP2022\nC07\n", 1, 0}};
    char *path = path_join(base, "unseen.txt");
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        findings notes = {0};
        screen_split s = {0};
        split_options o = options(1, 0, 0, NULL, "unseen.txt");
        ok(path_write(path, c[i].file, strlen(c[i].file)) == OK && split_make(&s, ix, &o, base, &notes) == OK && consistent(&s, ix),
           c[i].what);
        ok(s.unseen_compounds.n == c[i].n && findings_count(&notes, FINDING_WARNING) == c[i].unknown,
           "its compounds; controls are never unseen");
        screen_split_free(&s), options_free(&o), findings_free(&notes);
    }
    free(path);
}

static void refused(const screen_index *ix)
{
    char no_file[1400];
    const struct {
        const char *source, *compounds, *message;
    } c[] = {{"S1|S3", "0", "split.unseen_sources: no source 'S3' in this screen; did you mean 'S0'?"},
             {"S0|S1|S2", "0", "split.unseen_sources: names every source: none is left to train on"},
             {NULL, "20", "split.unseen_compounds: 20 of 20 compounds leaves none to train on"},
             {NULL, "-1", "split.unseen_compounds: '-1' is not a share below 1, a count, or a file"},
             {NULL, "1.5", "split.unseen_compounds: '1.5' is not a share below 1, a count, or a file"},
             {NULL, tap_absent("x.csv"), no_file}};
    snprintf(no_file, sizeof no_file, "split.unseen_compounds: '%s' is neither a number nor an existing file: %s", tap_absent("x.csv"),
             tap_absent("x.csv"));
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        findings notes = {0};
        screen_split s = {0};
        split_options o = options(1, 1, 0, c[i].source, c[i].compounds);
        ok(split_make(&s, ix, &o, base, &notes) == E_USAGE, "refused:");
        same(msg_get(), c[i].message, c[i].message);
        msg_clear();
        screen_split_free(&s), options_free(&o), findings_free(&notes);
    }
}

static void file(const screen_index *ix)
{
    static const struct {
        const char *from, *to, *message;
    } c[] = {{"S0,b0,P0,A01,", "S0,b0,P9,A01,", "split.csv:2: the screen has no such well"},
             {"S0,b0,P0,A02,", "S0,b0,P0,A01,", "split.csv:3: duplicate well"},
             {"A22,empty\n", "A22,nothing\n", "split.csv:23: no set is called 'nothing'"},
             {",set\n", ",sets\n", "split.csv:1: no column 'set'"}};
    findings notes = {0};
    screen_split s = {0}, r = {0};
    char *path = path_join(base, "work/split.csv"), *data = NULL;
    size_t n;
    int64_t size, t1 = 0, t2 = 1;
    split_options o = options(3, 1, 0, "S2", "2");
    ok(split_sync(&s, ix, &o, base, path, &notes) == OK && split_read(&r, ix, path) == OK, "written and read");
    ok(memcmp(s.of_row, r.of_row, (size_t)s.n_rows) == 0 && memcmp(s.n_wells, r.n_wells, sizeof s.n_wells) == 0 &&
           r.unseen_compounds.n == 2 && strcmp(s.unseen_compounds.item[1], r.unseen_compounds.item[1]) == 0,
       "the same");
    ok(path_read(path, &data, &n, 1 << 20) == OK && strncmp(data, "Source,Batch,Plate,Well,set\nS0,b0,P0,A01,", 40) == 0, "as CSV");
    screen_split_free(&s);
    ok(path_stat(path, &size, &t1) == OK && split_sync(&s, ix, &o, base, path, &notes) == OK && path_stat(path, &size, &t2) == OK &&
           t1 == t2,
       "left alone where it is right");
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        text t = {0};
        char *at = strstr(data, c[i].from);
        if (!ok(at != NULL, "a line to change")) continue;
        text_addn(&t, data, (size_t)(at - data)), text_add(&t, c[i].to), text_add(&t, at + strlen(c[i].from));
        screen_split_free(&r);
        ok(path_write(path, t.s, t.n) == OK && split_read(&r, ix, path) == E_FORMAT, "refused:");
        same(path_base(msg_get()), c[i].message, c[i].message);
        msg_clear();
        text_free(&t);
    }
    *strrchr(data, 'S') = '\0'; /* the last line */
    screen_split_free(&r);
    ok(path_write(path, data, strlen(data)) == OK && split_read(&r, ix, path) == E_FORMAT, "refused: a well is missing");
    msg_clear();
    screen_split_free(&s), screen_split_free(&r);
    ok(split_sync(&s, ix, &o, base, path, &notes) == OK && split_read(&r, ix, path) == OK && split_digest(&s, ix) == split_digest(&r, ix),
       "written again where it is wrong");
    screen_split_free(&s), screen_split_free(&r), options_free(&o), findings_free(&notes);
    free(data), free(path);
}

int main(void)
{
    base = xstrdup(tap_dir());
    screen_index *ix = make_index(false);
    sets(ix);
    lists(ix);
    refused(ix);
    file(ix);
    index_free(&ix);
    free(base);
    return tap_done();
}

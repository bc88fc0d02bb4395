/* t_frame.c -- the table in memory, and interned text. */
#include "../tap.h"
#include "micon/base/rng.h"
#include "micon/table/frame.h"

#include <stdlib.h>

static void interned(void)
{
    intern_table w = {0};
    uint32_t id;
    char s[32];
    int wrong = 0;
    ok(intern_find(&w, "x") == -1, "nothing in an empty set");
    for (int round = 0; round < 2; round++)
        for (uint32_t i = 0; i < 5000; i++) {
            snprintf(s, sizeof s, "name %u", i * 7919u);
            wrong += intern_add(&w, s, &id) != OK || id != i;
        }
    for (uint32_t i = 0; i < 5000; i++) {
        snprintf(s, sizeof s, "name %u", i * 7919u);
        wrong += intern_find(&w, s) != i || strcmp(intern_at(&w, i), s) != 0;
    }
    ok(wrong == 0 && w.n == 5000, "5,000 names, twice, keep their numbers");
    ok(intern_find(&w, "name") == -1 && intern_add(&w, "", &id) == OK && id == 5000 && intern_find(&w, "") == 5000, "unknown, and empty");
    intern_free(&w);
}

/* site, text, number, real, single, flag */
static frame example(void)
{
    static const char *const site[] = {"10", "2", "1", "10", ""}, *const word[] = {"b", "a,\"", "", "b", "\xC3\xA4"};
    static const double real[] = {0.1, NAN, -1e300, 3, -0.0};
    frame f = {0};
    int c, bad = frame_add_col(&f, "Site", FRAME_CATEGORY, &c) != OK || frame_add_col(&f, "t", FRAME_TEXT, &c) != OK ||
                 frame_add_rows(&f, 5) != OK || frame_add_col(&f, "i", FRAME_I64, &c) != OK ||
                 frame_add_col(&f, "d", FRAME_F64, &c) != OK || frame_add_col(&f, "s", FRAME_F32, &c) != OK ||
                 frame_add_col(&f, "yes", FRAME_BOOL, &c) != OK;
    for (int64_t i = 0; i < 5; i++) {
        bad += frame_set_text(&f, i, 0, site[i]) != OK || frame_set_text(&f, i, 1, word[i]) != OK;
        f.col[2].v.i64[i] = i == 1 ? INT64_MIN : 10 - i;
        frame_set_real(&f, i, 3, real[i]);
        frame_set_real(&f, i, 4, real[i] / 10);
        f.col[5].v.yes[i] = i == 3;
    }
    ok(bad == 0 && f.n_rows == 5 && f.n_cols == 6, "a frame");
    return f;
}

static void cells(void)
{
    frame f = example();
    text t = {0};
    int c;
    frame_show_csv(&f, &t);
    same(text_str(&t),
         "Site,t,i,d,s,yes\n10,b,10,0.1,0.01,False\n2,\"a,\"\"\",-9223372036854775808,,,False\n1,,8,-1e+300,-inf,False\n"
         "10,b,7,3,0.3,True\n,\xC3\xA4,6,-0,-0,False\n",
         "as CSV");
    ok(frame_add_col(&f, "t", FRAME_I64, &c) == E_FORMAT, "a column twice");
    same(msg_get(), "duplicate column 't'", "its message");
    msg_clear();
    ok(frame_add_col(&f, "", FRAME_I64, &c) == E_FORMAT, "a column without a name");
    msg_clear();
    ok(f.n_cols == 6 && frame_col(&f, "yes") == 5 && frame_col(&f, "no") == -1, "columns by name");
    ok(frame_add_rows(&f, 1) == OK && frame_text(&f, 5, 1)[0] == '\0' && isnan(frame_real(&f, 5, 4)) && f.col[2].v.i64[5] == 0,
       "a new row is empty");
    text_free(&t);
    frame_free(&f);
}

static void sorted(void)
{
    frame f = example();
    int64_t *order = NULL;
    const frame_key number[] = {{"Site", true}, {"i", false}}, bytes[] = {{"Site", false}}, real[] = {{"d", false}},
                    other[] = {{"x", false}};
    ok(frame_order(&f, number, 2, &order) == OK && order[0] == 4 && order[1] == 2 && order[2] == 1 && order[3] == 3 && order[4] == 0,
       "sites as numbers, then a number");
    free(order), order = NULL;
    ok(frame_order(&f, bytes, 1, &order) == OK && order[0] == 4 && order[1] == 2 && order[2] == 0 && order[3] == 3 && order[4] == 1,
       "by bytes; equal rows stay in order");
    free(order), order = NULL;
    ok(frame_order(&f, real, 1, &order) == OK && order[0] == 2 && order[1] == 4 && order[2] == 0 && order[3] == 3 && order[4] == 1,
       "reals, NaN last");
    free(order), order = NULL;
    ok(frame_order(&f, other, 1, &order) == E_FORMAT, "no such column");
    msg_clear();
    ok(frame_set_text(&f, 0, 0, "x") == OK && frame_sort(&f, number, 1) == OK, "sorted in place");
    same(frame_text(&f, 1, 0), "1", "not all are numbers: by bytes (1)");
    same(frame_text(&f, 2, 0), "10", "not all are numbers: by bytes (2)");
    frame_free(&f);
}

static void joined(void)
{
    frame f = example(), g = {0}, part = {0}, back = {0};
    int c;
    uint64_t before = frame_digest(&f);
    ok(frame_add_col(&g, "new", FRAME_TEXT, &c) == OK && frame_add_col(&g, "Site", FRAME_CATEGORY, &c) == OK &&
           frame_add_rows(&g, 2) == OK && frame_set_text(&g, 0, 0, "n") == OK && frame_set_text(&g, 1, 1, "2") == OK,
       "another frame");
    ok(frame_append(&f, &g) == OK && f.n_rows == 7 && f.n_cols == 7, "appended");
    same(frame_text(&f, 5, 6), "n", "a new column");
    same(frame_text(&f, 0, 6), "", "is empty above");
    same(frame_text(&f, 6, 0), "2", "a known column");
    ok(f.col[0].v.code[6] == f.col[0].v.code[1], "keeps its codes");
    const int64_t first[] = {0, 1, 2, 3, 4}, some[] = {6, 0, 0};
    ok(frame_take(&part, &f, some, 3) == OK && part.n_rows == 3 && strcmp(frame_text(&part, 0, 0), "2") == 0 &&
           frame_real(&part, 2, 3) == 0.1,
       "rows taken");
    ok(frame_take(&back, &f, first, 5) == OK && frame_digest(&back) != before, "another column: another digest");
    frame_free(&g);
    ok(frame_add_col(&g, "Site", FRAME_I64, &c) == OK && frame_append(&f, &g) == E_FORMAT, "a column of two types");
    same(msg_get(), "column 'Site' is of two types", "its message");
    msg_clear();
    frame_free(&f), frame_free(&g), frame_free(&part), frame_free(&back);
}

static void settled(void)
{
    frame f = example(), g = {0};
    uint64_t d = frame_digest(&f);
    ok(frame_set_text(&f, 0, 1, "unused") == OK && frame_set_text(&f, 0, 1, "b") == OK && frame_digest(&f) == d, "the digest is of values");
    ok(frame_canonicalize(&f) == OK && frame_digest(&f) == d && f.col[1].word.n == 3, "settled: only what is used");
    int ordered = 1;
    for (size_t i = 1; i < f.col[1].word.n; i++) ordered &= strcmp(intern_at(&f.col[1].word, i - 1), intern_at(&f.col[1].word, i)) < 0;
    ok(ordered, "in order");
    frame_set_real(&f, 0, 3, 0.2);
    ok(frame_digest(&f) != d, "a value changes the digest");
    const frame_key key = {"Site", true};
    ok(frame_canonicalize(&g) == OK && frame_sort(&g, &key, 0) == OK && g.n_rows == 0, "an empty frame");
    frame_free(&f), frame_free(&g);
}

static void packed(void)
{
    frame f = example(), g = {0};
    uint8_t *data = NULL, *copy;
    size_t size;
    ok(frame_pack(&f, &data, &size) == OK && frame_unpack(&g, data, size) == OK && frame_digest(&g) == frame_digest(&f), "bytes and back");
    frame_free(&g);
    int accepted = 0;
    for (size_t cut = 0; cut < size; cut++) { /* a block of its own: the sanitizer sees a byte read behind it */
        copy = malloc(cut + 1);
        if (copy) memcpy(copy, data, cut);
        accepted += copy && frame_unpack(&g, copy, cut) == OK;
        frame_free(&g), free(copy), msg_clear();
    }
    ok(accepted == 0, "bytes that end early");
    rng r = rng_at(1, 9000, 0, 0);
    for (int i = 0; i < 20000; i++) { /* any damage: refused or read, never a crash */
        size_t at = (size_t)rng_below(&r, size);
        uint8_t was = data[at];
        data[at] = (uint8_t)rng_u32(&r);
        if (frame_unpack(&g, data, size) == OK) accepted += g.n_rows != 5;
        frame_free(&g), msg_clear();
        data[at] = was;
    }
    ok(accepted == 0, "damaged bytes");
    free(data);
    frame_free(&f);
    ok(frame_pack(&f, &data, &size) == OK && frame_unpack(&g, data, size) == OK && g.n_cols == 0, "an empty frame");
    free(data);
}

int main(void)
{
    interned();
    cells();
    sorted();
    joined();
    settled();
    packed();
    return tap_done();
}

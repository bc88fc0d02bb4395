/* screen.c -- the plates of the screen, from the cached index. */
#include "driver.h"

#include "micon/base/mem.h"
#include "micon/index/index.h"

#include <stdlib.h>
#include <string.h>

status screen_index_open(screen_index **ix, const config *c)
{
    index_options o = index_options_of(c);
    char *cache = index_cache_name(c);
    status st = index_open(ix, &o, cache);
    free(cache);
    return st;
}

static void add_plate(screen *s, const screen_index *ix, int64_t i)
{
    index_plate from = index_plate_at(ix, i);
    screen_plate *p = &s->plate[s->n++];
    char *so = text_encode_name(from.source), *b = text_encode_name(from.batch), *pl = text_encode_name(from.plate);
    *p = (screen_plate){.source = xstrdup(from.source), .batch = xstrdup(from.batch), .plate = xstrdup(from.plate), .sites = from.n};
    p->label = xasprintf("%s/%s/%s", from.source, from.batch, from.plate);
    p->name = xasprintf("%s__%s__%s", so, b, pl);
    p->images = from.n * index_n_channels(ix);
    p->rows[0] = index_plate_digest(ix, i, INDEX_OF_IMAGES);
    p->rows[1] = index_plate_digest(ix, i, INDEX_OF_ALL);
    free(so);
    free(b);
    free(pl);
}

status screen_load(screen *s, const config *c)
{
    status st = OK;
    screen_index *ix = NULL;
    TRY(screen_index_open(&ix, c));
    if (findings_verdict(index_findings(ix)) != OK)
        TRY(fail_within(E_FAILED, "%s: the tables cannot be used; 'micon check' lists everything. The first", c->path));
    if (index_n_plates(ix) == 0) TRY(fail(E_FAILED, "%s: the tables name no plate", c->path));
    TRY(mem_alloc(&s->plate, (size_t)index_n_plates(ix) + 1, sizeof *s->plate, "plates"));
    for (int64_t i = 0; i < index_n_plates(ix); i++) add_plate(s, ix, i);
    s->compounds = index_n_classes(ix);
done:
    index_free(&ix);
    return st;
}

void screen_free(screen *s)
{
    for (size_t i = 0; i < s->n; i++) {
        screen_plate *p = &s->plate[i];
        free(p->source);
        free(p->batch);
        free(p->plate);
        free(p->label);
        free(p->name);
    }
    free(s->plate);
    *s = (screen){0};
}

/* The plate that --plate means: PLATE or SOURCE/BATCH/PLATE. */
static status find_plate(const screen *s, const char *name, size_t *at)
{
    size_t hits = 0;
    const char **known = xcalloc(s->n + 1, sizeof *known);
    char shown[200];
    text which = {0};
    for (size_t i = 0; i < s->n; i++) {
        known[i] = s->plate[i].plate;
        if (strcmp(s->plate[i].label, name) != 0 && strcmp(s->plate[i].plate, name) != 0) continue;
        *at = i;
        text_addf(&which, "%s%s", hits++ ? ", " : "", s->plate[i].label);
    }
    const char *near = names_nearest(name, known, s->n);
    text_show(shown, sizeof shown, name);
    status st = OK;
    if (hits == 0)
        st = fail(E_USAGE, "--plate: no plate '%s' in the screen%s%s%s", shown, near ? "; did you mean " : "; the first plate is ",
                  near       ? near
                  : s->n > 0 ? s->plate[0].label
                             : "none",
                  near ? "?" : "");
    else if (hits > 1)
        st = fail(E_USAGE, "--plate: '%s' is ambiguous: %s", shown, text_str(&which));
    free(known);
    text_free(&which);
    return st;
}

status screen_choose(const screen *s, const names *given, bool *chosen)
{
    for (size_t i = 0; i < s->n; i++) chosen[i] = given->n == 0;
    for (size_t i = 0; i < given->n; i++) {
        size_t at = 0;
        status st = find_plate(s, given->item[i], &at);
        if (st != OK) return st;
        chosen[at] = true;
    }
    return OK;
}

/* index_screen.h -- for tests of the index: screens in folders of their own, and what their index says. */
#ifndef TEST_INDEX_SCREEN_H
#define TEST_INDEX_SCREEN_H
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/index/index.h"
#include "tap.h"

#include <stdlib.h>

#define HEAD "DNA,ER,Source,Batch,Plate,Well,Site,JCP2022\n"

static char *base;   /* of all of them */
static char *folder; /* of the one at hand */
static int n_screens;

static inline void put(const char *rel, const char *content)
{
    char *path = path_join(folder, rel), *dir = path_dir(path);
    if (path_make_dirs(dir) != OK || path_write(path, content, strlen(content)) != OK) printf("# cannot write %s\n", path);
    free(path);
    free(dir);
}

typedef struct {
    names images, plate, well, compound, channels, control, treatment;
    index_options o;
} screen;

static inline void list(names *l, const char *s)
{
    if (s && *s) names_split(l, s, '|');
}

/* Lists as "a|b". The tables are written afterwards, into `folder`. */
static inline void begin(screen *s, const char *images, const char *plate, const char *well, const char *compound)
{
    free(folder);
    folder = xasprintf("%s/%d", base, n_screens++);
    if (path_make_dirs(folder) != OK) printf("# cannot make %s\n", folder);
    *s = (screen){0};
    list(&s->images, images), list(&s->plate, plate), list(&s->well, well), list(&s->compound, compound);
    list(&s->channels, "DNA|ER"), list(&s->control, "DMSO");
    s->o = (index_options){.dir = folder};
}

static inline screen_index *build(screen *s)
{
    screen_index *ix = NULL;
    s->o.images = &s->images, s->o.plate = &s->plate, s->o.well = &s->well, s->o.compound = &s->compound;
    s->o.channels = &s->channels, s->o.control = &s->control, s->o.treatment = &s->treatment;
    if (index_build(&ix, &s->o) != OK) {
        printf("# %s\n", msg_get());
        msg_clear();
    }
    return ix;
}

static inline void end(screen *s)
{
    names_free(&s->images), names_free(&s->plate), names_free(&s->well), names_free(&s->compound);
    names_free(&s->channels), names_free(&s->control), names_free(&s->treatment);
}

/* Text with the folder taken out wherever it stands. */
static inline void strip(text *t)
{
    size_t n = strlen(folder);
    for (char *p; t->s && (p = strstr(t->s, folder)) != NULL;) memmove(p, p + n + 1, strlen(p + n + 1) + 1);
    t->n = t->s ? strlen(t->s) : 0;
}

/* "S1/B1/P1 A01 1 X 2: a.tif b.tif" a row: keys, compound, class, paths. */
static inline char *show(const screen_index *ix, text *t)
{
    text p = {0};
    text_clear(t);
    text_add(t, "");
    for (int64_t i = 0; ix && i < index_n_rows(ix); i++) {
        text_addf(t, "%s/%s/%s %s %s %s %d:", index_cell(ix, i, INDEX_SOURCE), index_cell(ix, i, INDEX_BATCH),
                  index_cell(ix, i, INDEX_PLATE), index_cell(ix, i, INDEX_WELL), index_cell(ix, i, INDEX_SITE),
                  index_cell(ix, i, INDEX_COMPOUND), index_class(ix, i));
        for (int k = 0; k < index_n_channels(ix); k++) text_addf(t, " %s", index_path(ix, i, k, &p));
        text_add(t, "\n");
    }
    text_free(&p);
    strip(t);
    return t->s;
}

static inline char *found(const screen_index *ix, text *t)
{
    text_clear(t);
    text_add(t, "");
    if (ix) findings_show(index_findings(ix), t);
    strip(t);
    return t->s;
}

#endif

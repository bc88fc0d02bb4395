/* structures.c -- work/structures.jsonl: the structures of the compounds in the wells, laid out in the plane, for the report's cards. What
 * cannot be drawn is left out: a picture is no reason to fail. */
#include "featurize.h"

#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const features *f;
    int64_t *row; /* [n] of f->identifiers */
    char **drawn; /* [n] JSON, or NULL */
    int smiles_col;
    int64_t n;
} structures;

static const char *smiles_of(void *ctx, int64_t i)
{
    const structures *s = ctx;
    const frame *ids = &s->f->identifiers;
    return frame_text(&s->f->obs, ids->col[frame_col(ids, "Row")].v.i64[s->row[i]], s->smiles_col);
}

/* A worker whose memory was overwritten may answer anything: only JSON is taken. */
static void take(void *ctx, int64_t i, const char *drawing, size_t size)
{
    structures *s = ctx;
    json_t *value = size ? json_loadb(drawing, size, 0, NULL) : NULL;
    if (json_is_object(value)) s->drawn[i] = json_dumps(value, JSON_COMPACT | JSON_ENSURE_ASCII);
    json_decref(value);
}

status structures_write(const screen_coverage *coverage, const features *f, worker *w, const char *path, double limit_s)
{
    status st = OK;
    text t = {0};
    structures s = {.f = f, .smiles_col = frame_col(&f->obs, "SMILES")};
    int id = frame_col(&f->identifiers, "Metadata_Compound");
    TRY(mem_alloc(&s.row, (size_t)f->identifiers.n_rows, sizeof *s.row, "structures"));
    TRY(mem_alloc(&s.drawn, (size_t)f->identifiers.n_rows, sizeof *s.drawn, "structures"));
    size_t wanted = 0;
    for (int64_t r = 0; r < f->identifiers.n_rows; r++) { /* both lists are sorted by their bytes */
        const char *name = frame_text(&f->identifiers, r, id);
        while (wanted < coverage->treated.n && strcmp(coverage->treated.item[wanted], name) < 0) wanted++;
        if (wanted < coverage->treated.n && strcmp(coverage->treated.item[wanted], name) == 0) s.row[s.n++] = r;
    }
    const compound_drawings job = {.n = s.n, .smiles = smiles_of, .take = take, .ctx = &s, .limit_s = limit_s};
    if (s.n > 0) TRY(compound_worker_draw(w, &job));
    int64_t drawn = 0;
    for (int64_t i = 0; i < s.n; i++) {
        if (!s.drawn[i]) continue;
        text_add(&t, "[");
        text_add_json(&t, frame_text(&f->identifiers, s.row[i], id));
        text_addf(&t, ",%s]\n", s.drawn[i]);
        drawn++;
    }
    if (drawn < s.n) log_info("%lld of %lld structures cannot be drawn", (long long)(s.n - drawn), (long long)s.n);
    TRY(path_write(path, text_str(&t), t.n));
done:
    for (int64_t i = 0; s.drawn && i < s.n; i++) free(s.drawn[i]);
    free(s.drawn);
    free(s.row);
    text_free(&t);
    return st;
}

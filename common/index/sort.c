/* sort.c -- rows in order: Source, Batch, Plate, Well by bytes, Site as a number where all of the plate's are. Finds duplicate sites; the
 * later row is left out. */
#include "build_impl.h"

#include "micon/base/mem.h"
#include "micon/base/num.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *s;
    uint32_t id;
} ranked;

static int by_text(const void *a, const void *b)
{
    return strcmp(((const ranked *)a)->s, ((const ranked *)b)->s);
}

/* rank[id] for the words of these columns. */
static status rank_words(const index_builder *b, uint32_t *rank)
{
    static const int cols[] = {R_SOURCE, R_BATCH, R_PLATE, R_WELL, R_SITE};
    status st = OK;
    ranked *v = NULL;
    size_t n = 0, cap = 0;
    for (size_t k = 0; k < sizeof cols / sizeof *cols; k++)
        for (size_t i = 0; i < b->rows.n; i++) {
            uint32_t id = b->rows.col[cols[k]].v[i];
            if (rank[id]) continue;
            rank[id] = 1; /* seen */
            TRY(mem_grow(&v, &cap, n + 1, sizeof *v, "names to sort"));
            v[n++] = (ranked){builder_text(b, id), id};
        }
    if (n) qsort(v, n, sizeof *v, by_text);
    for (size_t i = 0; i < n; i++) rank[v[i].id] = (uint32_t)i;
done:
    free(v);
    return st;
}

typedef struct {
    uint32_t source, batch, plate, well, site_rank, row;
    double site; /* 0 where the plate's sites are not all numbers */
    double z;
} sort_row;

#define COMPARE(field)                                                                                                                     \
    if (x->field != y->field) return x->field < y->field ? -1 : 1

static int by_plate(const void *a, const void *b)
{
    const sort_row *x = a, *y = b;
    COMPARE(source);
    COMPARE(batch);
    COMPARE(plate);
    COMPARE(row);
    return 0;
}

static int by_site(const void *a, const void *b)
{
    const sort_row *x = a, *y = b;
    COMPARE(well);
    COMPARE(site);
    COMPARE(site_rank);
    COMPARE(z);
    COMPARE(row);
    return 0;
}

static void number_sites(const index_builder *b, sort_row *v, size_t n)
{
    bool all = true;
    for (size_t i = 0; i < n; i++) all = num_f64(builder_text(b, b->rows.col[R_SITE].v[v[i].row]), &v[i].site) && all;
    for (size_t i = 0; !all && i < n; i++) v[i].site = 0;
}

static void report_duplicate(index_builder *b, uint32_t row, uint32_t before)
{
    const grid_col *c = b->rows.col;
    const table_file *t = &b->table.item[c[R_TABLE].v[row]];
    findings_add(b->found, FINDING_ERROR, "duplicate sites", "%s:%u: %s site %s of %s/%s/%s is already in %s:%u%s", t->opened,
                 c[R_LINE].v[row], builder_text(b, c[R_WELL].v[row]), builder_text(b, c[R_SITE].v[row]),
                 builder_text(b, c[R_SOURCE].v[row]), builder_text(b, c[R_BATCH].v[row]), builder_text(b, c[R_PLATE].v[row]),
                 b->table.item[c[R_TABLE].v[before]].opened, c[R_LINE].v[before],
                 t->no_site             ? "; the table has no column Metadata_Site, so each row is site 1"
                 : t->has_z && !b->o->z ? "; tile.z makes one image of the planes of Z"
                                        : "");
}

/* One plate's rows, sorted, into the order. */
static status add_plate(index_builder *b, const sort_row *v, size_t n)
{
    status st = OK;
    const grid_col *c = b->rows.col;
    uint32_t row = v[0].row;
    TRY(mem_grow(&b->span, &b->spans_cap, b->n_spans + 1, sizeof *b->span, "plates"));
    plate_span *p = &b->span[b->n_spans++];
    *p = (plate_span){c[R_SOURCE].v[row], c[R_BATCH].v[row], c[R_PLATE].v[row], (int64_t)b->n_order, 0};
    for (size_t i = 0; i < n; i++) {
        uint32_t before = i == 0 ? 0 : b->o->z ? b->member[b->n_members - 1] : b->order[b->n_order - 1]; /* the row kept last */
        bool same_site = i && v[i].well == v[i - 1].well && v[i].site_rank == v[i - 1].site_rank;
        if (same_site && (!b->o->z || v[i].z == v[i - 1].z)) {
            report_duplicate(b, v[i].row, before);
            continue;
        }
        if (!same_site) b->order[b->n_order++] = v[i].row;
        if (!b->o->z) continue;
        b->member[b->n_members++] = v[i].row;
        b->member_of[b->n_order] = b->n_members;
    }
    p->n = (int64_t)b->n_order - p->first;
done:
    return st;
}

status sort_rows(index_builder *b)
{
    status st = OK;
    uint32_t *rank = NULL;
    sort_row *v = NULL;
    size_t n = b->rows.n;
    const grid_col *c = b->rows.col;
    TRY(mem_alloc(&rank, b->pool.n, sizeof *rank, "names to sort"));
    TRY(mem_alloc(&v, n, sizeof *v, "rows to sort"));
    TRY(mem_alloc(&b->order, n, sizeof *b->order, "rows to sort"));
    if (b->o->z) TRY(mem_alloc(&b->member, n, sizeof *b->member, "rows to sort"));
    if (b->o->z) TRY(mem_alloc(&b->member_of, n + 1, sizeof *b->member_of, "rows to sort"));
    TRY(rank_words(b, rank));
    for (size_t i = 0; i < n; i++)
        v[i] = (sort_row){rank[c[R_SOURCE].v[i]],
                          rank[c[R_BATCH].v[i]],
                          rank[c[R_PLATE].v[i]],
                          rank[c[R_WELL].v[i]],
                          rank[c[R_SITE].v[i]],
                          (uint32_t)i,
                          0,
                          0};
    for (size_t i = 0; i < n && b->o->z; i++)
        if (!num_f64(builder_text(b, c[R_Z].v[i]), &v[i].z)) v[i].z = 0; /* a table without Z */
    qsort(v, n, sizeof *v, by_plate);
    for (size_t first = 0, end; first < n; first = end) {
        for (end = first + 1;
             end < n && v[end].source == v[first].source && v[end].batch == v[first].batch && v[end].plate == v[first].plate;)
            end++;
        number_sites(b, v + first, end - first);
        qsort(v + first, end - first, sizeof *v, by_site);
        TRY(add_plate(b, v + first, end - first));
    }
done:
    free(rank);
    free(v);
    return st;
}

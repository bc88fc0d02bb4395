/* planes.c -- with tile.z: rows of a site that differ in Z are planes of its channels. For the middle or the N-th plane the file is chosen
 * here; for a projection all are kept. Channels may have different numbers of planes, and name one file in several rows. */
#include "build_impl.h"

#include "micon/base/mem.h"
#include "micon/formats/image.h"

#include <string.h>

static struct plane_file plane_at(const index_builder *b, uint32_t row, int channel)
{
    const grid_col *c = b->rows.col;
    return (struct plane_file){c[channel_col(channel, CH_FOLDER)].v[row], c[channel_col(channel, CH_FILE)].v[row],
                               c[channel_col(channel, CH_PAGE)].v[row]};
}

/* The planes of a channel of a site, appended to b->plane. */
static status list_planes(index_builder *b, size_t site, int channel)
{
    status st = OK;
    size_t first = b->n_planes;
    for (size_t i = b->member_of[site]; i < b->member_of[site + 1]; i++) {
        struct plane_file p = plane_at(b, b->member[i], channel);
        if (!p.file || (b->n_planes > first && memcmp(&p, &b->plane[b->n_planes - 1], sizeof p) == 0)) continue;
        TRY(mem_grow(&b->plane, &b->planes_cap, b->n_planes + 1, sizeof *b->plane, "planes"));
        b->plane[b->n_planes++] = p;
    }
done:
    return st;
}

static void no_such_plane(index_builder *b, uint32_t row, int channel, size_t n)
{
    const grid_col *c = b->rows.col;
    findings_add(b->found, FINDING_WARNING, "sites without the plane that tile.z asks for", "%s:%u: %s site %s: %s has %zu",
                 b->table.item[c[R_TABLE].v[row]].opened, c[R_LINE].v[row], builder_text(b, c[R_WELL].v[row]),
                 builder_text(b, c[R_SITE].v[row]), b->o->channels->item[channel], n);
}

/* The first of n planes from `first` on, or the one that tile.z asks for, becomes the row's file; further ones stay for a projection. */
static void take_planes(index_builder *b, uint32_t row, int channel, size_t first)
{
    size_t n = b->n_planes - first, chosen = 0;
    bool one = b->o->z == IMAGE_Z_MIDDLE || b->o->z > 0;
    if (n == 0) return;
    if (b->o->z == IMAGE_Z_MIDDLE) chosen = (n - 1) / 2;
    if (b->o->z > 0) chosen = (size_t)b->o->z - 1;
    struct plane_file p = {0};
    if (chosen < n) p = b->plane[first + chosen];
    if (chosen >= n) no_such_plane(b, row, channel, n);
    b->rows.col[channel_col(channel, CH_FOLDER)].v[row] = p.folder;
    b->rows.col[channel_col(channel, CH_FILE)].v[row] = p.file;
    b->rows.col[channel_col(channel, CH_PAGE)].v[row] = p.page;
    if (!one) {
        memmove(&b->plane[first], &b->plane[first + 1], (n - 1) * sizeof *b->plane);
        b->n_planes = first + n - 1;
    } else {
        b->n_planes = first;
    }
}

status choose_planes(index_builder *b)
{
    status st = OK;
    size_t n = b->n_order * (size_t)b->n_ch;
    if (!b->o->z || b->n_members == b->n_order) return OK;
    TRY(mem_alloc(&b->plane_of, n + 1, sizeof *b->plane_of, "planes"));
    for (size_t i = 0; i < b->n_order; i++)
        for (int k = 0; k < b->n_ch; k++) {
            size_t first = b->n_planes;
            TRY(list_planes(b, i, k));
            take_planes(b, b->order[i], k, first);
            if (b->n_planes > UINT32_MAX) TRY(fail(E_FAILED, "more than 4294967295 planes"));
            b->plane_of[i * (size_t)b->n_ch + (size_t)k + 1] = (uint32_t)b->n_planes;
        }
done:
    return st;
}

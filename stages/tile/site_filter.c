/* site_filter.c -- after the first pass: decides which sites of the plate are good. All notes go to all ranks, and each rank derives the
 * same decision from them. */
#include "tile.h"

#include "micon/base/log.h"
#include "micon/base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    int32_t a, b;
    int64_t n;
} tally;

static const image_note *note_of(const plate_work *w, int64_t site, int channel)
{
    return &w->note[site * w->n_files + channel];
}

/* The most frequent kind of a channel's good images, or (channel -1) the most frequent size of all; the one met first where several are. */
static tally most_frequent(const plate_work *w, int channel)
{
    bool sizes = channel < 0;
    tally *seen = NULL, best = {0};
    size_t n = 0, cap = 0;
    for (int64_t i = 0; i < w->plate.n * (sizes ? w->n_channels : 1); i++) {
        const image_note *note = sizes ? note_of(w, i / w->n_channels, (int)(i % w->n_channels)) : note_of(w, i, channel);
        if (note->bad) continue;
        int32_t a = sizes ? note->width_px : note->kind, b = sizes ? note->height_px : 0;
        size_t k = 0;
        while (k < n && (seen[k].a != a || seen[k].b != b)) k++;
        if (k == n) {
            if (n == cap) seen = xrealloc(seen, (cap = cap ? 2 * cap : 16) * sizeof *seen);
            seen[n++] = (tally){a, b, 0};
        }
        seen[k].n++;
    }
    for (size_t k = 0; k < n; k++)
        if (seen[k].n > best.n) best = seen[k];
    free(seen);
    return best;
}

static status refuse(plate_work *w, int64_t item, const char *code, const char *says)
{
    w->note[item].bad = E_FORMAT;
    return w->rank == 0 ? rejects_add(&w->bad, item, code, says) : OK;
}

/* An image of another size than the plate's, or with other samples than the channel's, is refused. */
static status check_sizes(plate_work *w)
{
    status st = OK;
    char says[300];
    tally size = most_frequent(w, -1);
    w->width_px = size.a;
    w->height_px = size.b;
    for (int64_t i = 0; i < w->plate.n * w->n_channels; i++) {
        int64_t item = i / w->n_channels * w->n_files + i % w->n_channels;
        const image_note *note = &w->note[item];
        if (note->bad || (note->width_px == size.a && note->height_px == size.b)) continue;
        snprintf(says, sizeof says, "is %d x %d pixels; the plate's images are %d x %d", note->width_px, note->height_px, size.a, size.b);
        TRY(refuse(w, item, "size", says));
    }
    for (int c = 0; c < w->n_channels; c++) {
        tally kind = most_frequent(w, c);
        for (int64_t i = c; i < w->plate.n * w->n_files; i += w->n_files) {
            const image_note *note = &w->note[i];
            if (note->bad || note->kind == kind.a) continue;
            snprintf(says, sizeof says, "holds %s samples; the plate's images of this channel hold %s",
                     image_kind_name((image_kind)note->kind), image_kind_name((image_kind)kind.a));
            TRY(refuse(w, i, "depth", says));
        }
    }
done:
    return st;
}

static const image_remark *remark_at(const void *ctx, int64_t site, int channel)
{
    const plate_work *w = ctx;
    return w->site_bad[site] ? NULL : &note_of(w, site, channel)->remark;
}

/* The largest scale that clips nothing, with two digits; values of 0 to 1 are taken as fractions of 65535. */
static double fitting_scale(double high)
{
    double fit = 65535 / high, step = pow(10, floor(log10(fit)) - 1);
    return high <= 1 ? 65535 : floor(fit / step) * step;
}

/* Rank 0: channels of 32-bit or float samples that tile.input_scale makes black or white. */
static void say_scale(plate_work *w)
{
    double most = 0, scale = w->cfg->tile.input_scale;
    for (int64_t i = 0; i < w->plate.n * w->n_files; i++)
        if (!w->site_bad[i / w->n_files] && w->note[i].high > most) most = w->note[i].high;
    for (int c = 0; c < w->n_channels; c++) {
        double high = 0, clipped = 0;
        bool real = false;
        for (int64_t i = c; i < w->plate.n * w->n_files; i += w->n_files) {
            const image_note *note = &w->note[i];
            if (w->site_bad[i / w->n_files] || !image_kind_scaled((image_kind)note->kind)) continue;
            real = note->kind >= IMAGE_F16;
            high = note->high > high ? note->high : high;
            clipped += note->clipped / (double)w->n_good;
        }
        text t = {0};
        const char *channel = w->cfg->screen.channels.item[c];
        if (clipped > 0.5)
            text_addf(&t, "%s: %.0f %% of the pixels are above 65535 with tile.input_scale %g; tile.input_scale: %g would fit", channel,
                      100 * clipped, scale, fitting_scale(most));
        else if (real && high > 0 && high * scale <= 2)
            text_addf(&t, "%s: values of at most %.3g become at most %.0f with tile.input_scale %g; tile.input_scale: %g would fit",
                      channel, high, floor(high * scale + 0.5), scale, fitting_scale(most));
        if (t.n) names_add(&w->warnings, t.s);
        text_free(&t);
    }
}

/* Rank 0: channels that are copies of each other, all-zero images; counted, with the first example. */
static void say_odd(plate_work *w)
{
    int64_t same = 0, zero = 0, first_same = -1, first_zero = -1;
    char name[200];
    for (int64_t i = 0; i < w->plate.n * w->n_files; i++) {
        if (w->site_bad[i / w->n_files] || i % w->n_files >= w->n_channels) continue;
        if (w->note[i].same_as >= 0 && same++ == 0) first_same = i;
        if (w->note[i].all_zero && zero++ == 0) first_zero = i;
    }
    const names *channels = &w->cfg->screen.channels;
    text t = {0};
    if (same > 0) {
        index_site_name(w->ix, w->plate.first + first_same / w->n_files, name, sizeof name);
        text_addf(&t, "images identical to another channel of their site: %lld, the first: %s, %s and %s", (long long)same, name,
                  channels->item[w->note[first_same].same_as], channels->item[first_same % w->n_files]);
        names_add(&w->warnings, t.s);
        text_clear(&t);
    }
    if (zero > 0) {
        index_site_name(w->ix, w->plate.first + first_zero / w->n_files, name, sizeof name);
        text_addf(&t, "images that are all zero: %lld, the first: %s, %s", (long long)zero, name, channels->item[first_zero % w->n_files]);
        names_add(&w->warnings, t.s);
    }
    text_free(&t);
}

status reject_all(plate_work *w)
{
    status st = OK;
    char *all = NULL;
    size_t n_all = 0;
    int64_t bad_sites = 0, n_sites = w->plate.n;
    TRY(comm_gather_all(w->comm, -1, w->note + w->first * w->n_files, (size_t)(w->n * w->n_files) * sizeof *w->note, &all, &n_all));
    memcpy(w->note, all, n_all);
    FREE(all);
    int64_t plane, n_planes = planes_of_sites(w, w->first, w->n, &plane);
    TRY(comm_gather_all(w->comm, -1, w->plane_seen + plane, (size_t)n_planes * sizeof *w->plane_seen, &all, &n_all));
    if (n_all) memcpy(w->plane_seen, all, n_all);
    FREE(all);
    TRY(comm_gather_all(w->comm, -1, w->site + w->first, (size_t)w->n * sizeof *w->site, &all, &n_all));
    memcpy(w->site, all, n_all);
    TRY(rejects_gather_all(w->comm, &w->bad));
    TRY_ALL(w->comm, check_sizes(w));
    for (int64_t i = 0; i < n_sites * w->n_files; i++)
        if (w->note[i].bad) w->site_bad[i / w->n_files] = 1;
    for (int64_t s = 0; s < n_sites; s++) {
        if (w->site_bad[s]) w->site[s] = (site_note){0};
        bad_sites += w->site_bad[s];
        w->n_tiles += w->site[s].n_tiles;
    }
    w->n_good = n_sites - bad_sites;
    const rejects_of of = plate_rejects_of(w);
    TRY_ALL(w->comm, w->rank == 0 ? rejects_say(&w->bad, &of, "images") : OK);
    if (w->rank == 0 && w->n_good > 0) {
        say_odd(w);
        image_remarks_say(remark_at, w, w->ix, w->plate.first, n_sites, &w->cfg->screen.channels, &w->warnings);
        say_scale(w);
    }
    if (w->n_good == 0) TRY(fail(E_FAILED, "%s: none of its %lld sites can be read", w->label, (long long)n_sites));
    if ((double)bad_sites > w->cfg->tile.max_bad * (double)n_sites)
        TRY(fail(E_FAILED, "%s: %lld of %lld sites have a bad image, more than tile.max_bad = %g allows", w->label, (long long)bad_sites,
                 (long long)n_sites, w->cfg->tile.max_bad));
done:
    free(all);
    return st;
}

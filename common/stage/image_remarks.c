/* image_remarks.c -- what is said of images that were read, but not as their neighbours may be. */
#include "micon/stage/image_remarks.h"

#include <string.h>

_Static_assert(sizeof(image_remark) % sizeof(int64_t) == 0, "remarks are added up as integers");
_Static_assert(sizeof((image_remark *)0)->called == sizeof((image *)0)->called, "names as image.h has them");

void image_remark_of(image_remark *out, const image *im)
{
    *out = (image_remark){.inverted = im->inverted, .orientation = im->orientation};
    memcpy(out->called, im->called, sizeof out->called);
}

enum { WHITE, TURNED, CALLED, N_KINDS };

static bool is_of(const image_remark *r, int kind)
{
    return kind == WHITE ? r->inverted != 0 : kind == TURNED ? r->orientation > 1 : *r->called != 0;
}

/* "<what>: 12, the first: A01 site 1, DNA<more>" */
static void say(text *line, int kind, int64_t n, const char *site, const char *channel, const image_remark *first)
{
    static const char *const what[] = {
        "images that were inverted, because 0 is white in them (MinIsWhite)",
        "images with an orientation tag, read as stored",
        "images whose channels have other names in their OME-XML, read by the order of pages",
    };
    text_addf(line, "%s: %lld, the first: %s, %s", what[kind], (long long)n, site, channel);
    if (kind == TURNED) text_addf(line, ", orientation %d", first->orientation);
    if (kind == CALLED) text_addf(line, " is %s there", first->called);
}

void image_remarks_say(image_remark_at *at, const void *ctx, const screen_index *ix, int64_t first_row, int64_t n_sites,
                       const names *channels, names *warnings)
{
    text line = {0};
    char site[200];
    for (int kind = 0; kind < N_KINDS; kind++) {
        int64_t n = 0, first = 0;
        for (int64_t i = 0; i < n_sites * (int64_t)channels->n; i++) {
            const image_remark *r = at(ctx, i / (int64_t)channels->n, (int)(i % (int64_t)channels->n));
            if (r && is_of(r, kind) && n++ == 0) first = i;
        }
        if (n == 0) continue;
        int channel = (int)(first % (int64_t)channels->n);
        index_site_name(ix, first_row + first / (int64_t)channels->n, site, sizeof site);
        text_clear(&line);
        say(&line, kind, n, site, channels->item[channel], at(ctx, first / (int64_t)channels->n, channel));
        names_add(warnings, text_str(&line));
    }
    text_free(&line);
}

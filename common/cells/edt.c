/* edt.c -- exact squared distances to the background: columns first, then each row's lower envelope of parabolas (Meijster and others,
 * 2000). Whole numbers: sides up to 16384 keep (w + h)^2 below 2^31. */
#include "measure_impl.h"

#include "micon/base/simd_clones.h"

/* Distance to the nearest background of the column, w + h where it has none. */
HOT static void column_distances(const uint8_t *fg, int w, int h, int stride, int32_t *out)
{
    int32_t none = w + h;
    for (int x = 0; x < w; x++) out[x] = fg[x] ? none : 0;
    for (int y = 1; y < h; y++) {
        const uint8_t *f = fg + (int64_t)y * stride;
        const int32_t *above = out + (int64_t)(y - 1) * stride;
        int32_t *d = out + (int64_t)y * stride;
        for (int x = 0; x < w; x++) {
            int32_t next = above[x] < none ? above[x] + 1 : none;
            d[x] = f[x] ? next : 0;
        }
    }
    for (int y = h - 2; y >= 0; y--) {
        const int32_t *below = out + (int64_t)(y + 1) * stride;
        int32_t *d = out + (int64_t)y * stride;
        for (int x = 0; x < w; x++) {
            int32_t next = below[x] + 1;
            d[x] = d[x] < next ? d[x] : next;
        }
    }
}

/* from, where it is wanted: [w] the row of the nearest background in each column, becomes the pixel of the nearest. */
static void row_envelope(int32_t *d, int w, int32_t *line, int cap, int32_t *from)
{
    int32_t *g2 = line, *s = line + cap, *t = line + 2 * (size_t)cap, *row = line + 3 * (size_t)cap;
    int q = 0;
    for (int u = 0; u < w; u++) g2[u] = d[u] * d[u];
    for (int u = 0; from && u < w; u++) row[u] = from[u];
    s[0] = t[0] = 0;
    for (int u = 1; u < w; u++) {
        while (q >= 0 && (t[q] - s[q]) * (t[q] - s[q]) + g2[s[q]] > (t[q] - u) * (t[q] - u) + g2[u]) q--;
        if (q < 0) {
            q = 0;
            s[0] = u;
        } else {
            int32_t i = s[q], begin = 1 + (u * u - i * i + g2[u] - g2[i]) / (2 * (u - i));
            if (begin < w) {
                q++;
                s[q] = u;
                t[q] = begin;
            }
        }
    }
    for (int u = w - 1; u >= 0; u--) {
        d[u] = (u - s[q]) * (u - s[q]) + g2[s[q]];
        if (from) from[u] = row[s[q]] < 0 ? -1 : row[s[q]] * w + s[q];
        if (u == t[q]) q--;
    }
}

void edt_squared(const uint8_t *fg, int w, int h, int stride, int32_t *out, int32_t *line)
{
    int cap = (w > h ? w : h) + 2;
    column_distances(fg, w, h, stride, out);
    for (int y = 0; y < h; y++) row_envelope(out + (int64_t)y * stride, w, line, cap, NULL);
}

void edt_nearest(const uint8_t *fg, int w, int h, int32_t *out, int32_t *from, int32_t *line)
{
    int cap = (w > h ? w : h) + 2;
    column_distances(fg, w, h, w, out);
    for (int x = 0; x < w; x++) {
        int32_t last = -1;
        for (int y = 0; y < h; y++) { /* a distance that grows downward leads up, any other down */
            int64_t i = (int64_t)y * w + x;
            if (!fg[i]) last = y;
            from[i] = !fg[i] ? y : last >= 0 && y - last == out[i] ? last : out[i] < w + h ? y + out[i] : -1;
        }
    }
    for (int y = 0; y < h; y++) row_envelope(out + (int64_t)y * w, w, line, cap, from + (int64_t)y * w);
}

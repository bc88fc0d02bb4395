/* component_tree.c -- which connected parts of an image lie above which value, and reconstructions by dilation under that image, which
 * many markers share: the tree is built once, a reconstruction is two passes over it.
 *
 * A part at value t is a component (4-neighbours) of the pixels that are at least t. Pixels are nodes; a pixel's ancestors are the parts
 * that it lies in, down to the whole image. Reconstruction of a marker under the image gives a pixel the highest t such that its part at t
 * has a marker of at least t: the largest min(v, m) over the pixel and its ancestors, v being a part's value and m its largest marker. */
#include "measure_impl.h"

#include "micon/base/mem.h"
#include "micon/base/simd_clones.h"

#include <stdlib.h>
#include <string.h>

void component_tree_free(component_tree *t)
{
    free(t->order);
    free(t->parent);
    free(t->rank);
    free(t->root);
    free(t->value);
    free(t->most);
    free(t->key);
    free(t->key2);
    *t = (component_tree){0};
}

status component_tree_reserve(component_tree *t, size_t n)
{
    status st = OK;
    component_tree_free(t);
    TRY(mem_alloc(&t->order, n, sizeof *t->order, "a tree of pixels"));
    TRY(mem_alloc(&t->parent, n, sizeof *t->parent, "a tree of pixels"));
    TRY(mem_alloc(&t->rank, n, sizeof *t->rank, "a tree of pixels"));
    TRY(mem_alloc(&t->root, n, sizeof *t->root, "a tree of pixels"));
    TRY(mem_alloc(&t->value, n, sizeof *t->value, "a tree of pixels"));
    TRY(mem_alloc(&t->most, n, sizeof *t->most, "a tree of pixels"));
    TRY(mem_alloc(&t->key, n, sizeof *t->key, "pixels in order"));
    TRY(mem_alloc(&t->key2, n, sizeof *t->key2, "pixels in order"));
done:
    if (st != OK) component_tree_free(t);
    return st;
}

/* order: pixels by falling value. The bits of reals that are not negative rise with them. */
static void sort_pixels(component_tree *t, const double *image, int width, int height)
{
    enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS };
    int stride = width + 2;
    int32_t *from = t->order, *to = t->root, n = 0, count[DIGITS];
    uint64_t *key = t->key, *key2 = t->key2;
    for (int y = 1; y <= height; y++)
        for (int x = 1; x <= width; x++) {
            from[n] = y * stride + x;
            memcpy(&key[n], &image[from[n]], sizeof *key);
            key[n] = ~key[n];
            n++;
        }
    for (int shift = 0; shift < 64; shift += DIGIT_BITS) {
        memset(count, 0, sizeof count);
        for (int32_t i = 0; i < n; i++) count[key[i] >> shift & (DIGITS - 1)]++;
        for (int32_t d = 0, at = 0; d < DIGITS; d++) {
            int32_t c = count[d];
            count[d] = at;
            at += c;
        }
        for (int32_t i = 0; i < n; i++) {
            int32_t at = count[key[i] >> shift & (DIGITS - 1)]++;
            to[at] = from[i];
            key2[at] = key[i];
        }
        int32_t *pixels = from;
        uint64_t *keys = key;
        from = to;
        to = pixels;
        key = key2;
        key2 = keys;
    }
    t->n = n;
    t->order = from;
    t->root = to;
}

static inline int32_t root_of(int32_t *root, int32_t i)
{
    while (root[i] != i) i = root[i] = root[root[i]];
    return i;
}

void component_tree_build(component_tree *t, const double *image, int width, int height)
{
    int stride = width + 2;
    const int step[4] = {-stride, -1, 1, stride};
    int32_t pixels = stride * (height + 2);
    sort_pixels(t, image, width, height);
    for (int32_t i = 0; i < pixels; i++) t->rank[i] = INT32_MAX;
    for (int32_t k = 0; k < t->n; k++) t->rank[t->order[k]] = k;
    for (int32_t k = 0; k < t->n; k++) {
        int32_t p = t->order[k];
        t->parent[k] = t->root[k] = k;
        t->value[k] = image[p];
        for (int d = 0; d < 4; d++) { /* parts of brighter pixels beside this one become one with it */
            int32_t beside = t->rank[p + step[d]];
            if (beside > k) continue;
            int32_t r = root_of(t->root, beside);
            t->parent[r] = t->root[r] = k;
        }
    }
}

HOT static void take(const double *from, const int32_t *order, double *restrict to, int32_t n)
{
    for (int32_t k = 0; k < n; k++) to[k] = from[order[k]];
}

void component_tree_reconstruct(component_tree *t, const double *marker, double *out)
{
    double *restrict most = t->most;
    const int32_t *parent = t->parent;
    int32_t last = t->n - 1;
    take(marker, t->order, most, t->n);
    for (int32_t k = 0; k < last; k++) { /* a parent comes after all of its part */
        double own = most[k], below = most[parent[k]];
        most[parent[k]] = own > below ? own : below;
    }
    if (most[last] > t->value[last]) most[last] = t->value[last];
    out[t->order[last]] = most[last];
    for (int32_t k = last - 1; k >= 0; k--) {
        double own = most[k] < t->value[k] ? most[k] : t->value[k], below = most[parent[k]];
        out[t->order[k]] = most[k] = own > below ? own : below;
    }
}

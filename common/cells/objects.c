/* objects.c -- label images: pixel lists by a counting sort, connected components, subsets. */
#include "micon/cells/objects.h"

#include "micon/base/mem.h"

#include <stdlib.h>
#include <string.h>

status objects_reserve(objects *o, int width_px, int height_px)
{
    size_t n = (size_t)width_px * (size_t)height_px;
    o->width_px = width_px;
    o->height_px = height_px;
    o->n = 0;
    return mem_grow(&o->label, &o->px_cap, n, sizeof *o->label, "a label image");
}

void objects_free(objects *o)
{
    free(o->label);
    free(o->first);
    free(o->pixel);
    free(o->box);
    free(o->border);
    *o = (objects){0};
}

static status reserve_objects(objects *o)
{
    status st = OK;
    size_t want = (size_t)o->n + 1;
    if (want <= o->n_cap) return OK;
    size_t cap = want > 2 * o->n_cap ? want : 2 * o->n_cap;
    FREE(o->first);
    FREE(o->box);
    FREE(o->border);
    o->n_cap = 0;
    TRY(mem_alloc(&o->first, cap + 1, sizeof *o->first, "objects of an image"));
    TRY(mem_alloc(&o->box, 4 * cap, sizeof *o->box, "objects of an image"));
    TRY(mem_alloc(&o->border, cap, 1, "objects of an image"));
    o->n_cap = cap;
done:
    return st;
}

static void widen_box(objects *o, int32_t l, int y, int x, bool edge)
{
    int32_t *b = o->box + 4 * (size_t)(l - 1);
    if (b[2] == 0) {
        b[0] = y;
        b[1] = x;
        b[3] = x + 1;
    }
    if (x < b[1]) b[1] = x;
    if (x >= b[3]) b[3] = x + 1;
    b[2] = y + 1;
    if (edge) o->border[l - 1] = 1;
}

status objects_index(objects *o)
{
    status st = OK;
    int64_t n_px = (int64_t)o->width_px * o->height_px;
    TRY(reserve_objects(o));
    memset(o->first, 0, ((size_t)o->n + 1) * sizeof *o->first);
    memset(o->box, 0, 4 * (size_t)o->n * sizeof *o->box);
    memset(o->border, 0, (size_t)o->n);
    for (int64_t i = 0; i < n_px; i++) o->first[o->label[i]]++; /* counts; those of the background at 0 are overwritten */
    o->first[0] = 0;
    for (int32_t i = 1; i <= o->n; i++) o->first[i] += o->first[i - 1];
    TRY(mem_grow(&o->pixel, &o->pixel_cap, (size_t)o->first[o->n] + 1, sizeof *o->pixel, "objects' pixels"));
    /* first[l - 1] is moved on while the pixels of l are written, and put back after. */
    const int32_t *label = o->label;
    for (int y = 0; y < o->height_px; y++)
        for (int x = 0; x < o->width_px; x++, label++) {
            int32_t l = *label;
            if (l == 0) continue;
            o->pixel[o->first[l - 1]++] = (int32_t)(y * (int64_t)o->width_px + x);
            widen_box(o, l, y, x, x == 0 || y == 0 || x == o->width_px - 1 || y == o->height_px - 1);
        }
    for (int32_t i = o->n; i > 0; i--) o->first[i] = o->first[i - 1];
    o->first[0] = 0;
done:
    return st;
}

status objects_subtract(objects *cytoplasm, const objects *cells, const objects *nuclei)
{
    status st = OK;
    int64_t n_px = (int64_t)cells->width_px * cells->height_px;
    TRY(objects_reserve(cytoplasm, cells->width_px, cells->height_px));
    for (int64_t i = 0; i < n_px; i++) cytoplasm->label[i] = nuclei->label[i] > 0 ? 0 : cells->label[i];
    cytoplasm->n = cells->n;
    TRY(objects_index(cytoplasm));
done:
    return st;
}

/* ---- connected components: labels of runs, joined by their smallest ---- */

static int32_t root_of(int32_t *parent, int32_t i)
{
    while (parent[i] != i) {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    return i;
}

/* Provisional labels from 1 in `label`; parents in `parent`. Returns the greatest. */
static int32_t label_runs(int32_t *label, const uint8_t *mask, int w, int h, int32_t *parent)
{
    int32_t n = 0;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            int64_t i = (int64_t)y * w + x;
            label[i] = 0;
            if (!mask[i]) continue;
            int32_t left = x > 0 ? label[i - 1] : 0, above = y > 0 ? label[i - w] : 0;
            if (!left && !above) {
                n++;
                parent[n] = n;
                label[i] = n;
            } else if (left && above) {
                int32_t a = root_of(parent, left), b = root_of(parent, above);
                int32_t low = a < b ? a : b, high = a < b ? b : a;
                parent[high] = low;
                label[i] = low;
            } else {
                label[i] = left ? left : above;
            }
        }
    return n;
}

status objects_from_mask(objects *o, const uint8_t *mask, int width_px, int height_px, int32_t *scratch)
{
    status st = OK;
    int64_t n_px = (int64_t)width_px * height_px;
    int32_t *parent = scratch, next = 0;
    TRY(objects_reserve(o, width_px, height_px));
    int32_t n = label_runs(o->label, mask, width_px, height_px, parent);
    for (int32_t i = 1; i <= n; i++) /* a parent is smaller than its children: its number is known already */
        parent[i] = parent[i] == i ? -++next : parent[parent[i]];
    for (int64_t i = 0; i < n_px; i++)
        if (o->label[i]) o->label[i] = -parent[o->label[i]];
    o->n = next;
    TRY(objects_index(o));
done:
    return st;
}

/* ---- label images of others ---- */

static int by_label(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return x < y ? -1 : x > y;
}

/* The labels that occur, each once, in rising order: first where they change along a row, which leaves few to sort. */
static status labels_that_occur(const int32_t *label, int64_t n_px, int32_t **number, size_t *cap, int32_t *n)
{
    status st = OK;
    size_t m = 0, kept = 0;
    for (int64_t i = 0; i < n_px; i++) {
        if (label[i] == 0 || (i > 0 && label[i] == label[i - 1])) continue;
        TRY(mem_grow(number, cap, m + 1, sizeof **number, "labels"));
        (*number)[m++] = label[i];
    }
    if (m > 0) qsort(*number, m, sizeof **number, by_label);
    for (size_t i = 0; i < m; i++)
        if (i == 0 || (*number)[i] != (*number)[i - 1]) (*number)[kept++] = (*number)[i];
    *n = (int32_t)kept;
done:
    return st;
}

static int32_t place_of(const int32_t *number, int32_t n, int32_t label)
{
    int32_t low = 0, high = n - 1;
    while (low < high) {
        int32_t mid = low + (high - low) / 2;
        if (number[mid] < label)
            low = mid + 1;
        else
            high = mid;
    }
    return low + 1;
}

status objects_from_labels(objects *o, const int32_t *label, int width_px, int height_px, int32_t **number, size_t *number_cap)
{
    status st = OK;
    int64_t n_px = (int64_t)width_px * height_px;
    int32_t n, last = 0, place = 0;
    TRY(objects_reserve(o, width_px, height_px));
    TRY(labels_that_occur(label, n_px, number, number_cap, &n));
    for (int64_t i = 0; i < n_px; i++) {
        if (label[i] != last) {
            last = label[i];
            place = last ? place_of(*number, n, last) : 0;
        }
        o->label[i] = place;
    }
    o->n = n;
    TRY(objects_index(o));
done:
    return st;
}

/* The nucleus with the most pixels in a cell, 0: none. count: [nuclei->n + 1], zeros before and after. */
static int32_t main_nucleus(const objects *nuclei, const objects *cells, int32_t cell, int32_t *count)
{
    int32_t best = 0;
    for (int64_t k = cells->first[cell]; k < cells->first[cell + 1]; k++) count[nuclei->label[cells->pixel[k]]]++;
    for (int64_t k = cells->first[cell]; k < cells->first[cell + 1]; k++) {
        int32_t l = nuclei->label[cells->pixel[k]];
        if (l > 0 && (best == 0 || count[l] > count[best] || (l < best && count[l] == count[best]))) best = l;
    }
    for (int64_t k = cells->first[cell]; k < cells->first[cell + 1]; k++) count[nuclei->label[cells->pixel[k]]] = 0;
    return best;
}

status objects_pair(objects *nuclei, const objects *cells, int32_t *scratch)
{
    int64_t n_px = (int64_t)cells->width_px * cells->height_px;
    for (int32_t i = 0; i <= nuclei->n; i++) scratch[i] = 0;
    /* A cell's own nucleus is marked by a negative number where it lies in the cell, the rest is cleared. */
    for (int32_t i = 0; i < cells->n; i++) {
        int32_t best = main_nucleus(nuclei, cells, i, scratch);
        for (int64_t k = cells->first[i]; k < cells->first[i + 1]; k++) {
            int32_t *l = &nuclei->label[cells->pixel[k]];
            *l = *l == best && best > 0 ? -(i + 1) : 0;
        }
    }
    for (int64_t i = 0; i < n_px; i++) nuclei->label[i] = nuclei->label[i] < 0 ? -nuclei->label[i] : 0;
    nuclei->n = cells->n;
    return objects_index(nuclei);
}

status objects_filter(objects *o, const uint8_t *keep)
{
    int32_t next = 0;
    for (int32_t i = 0; i < o->n; i++) {
        int32_t to = keep[i] ? ++next : 0;
        for (int64_t k = o->first[i]; k < o->first[i + 1]; k++) o->label[o->pixel[k]] = to;
    }
    o->n = next;
    return objects_index(o);
}

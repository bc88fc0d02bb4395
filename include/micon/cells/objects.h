/* objects.h -- label images and the objects in them: which pixels, what box, which touch the image's edge. Local.
 * All memory is sized per image and grows to the largest image met; nothing is allocated per object. {0} is valid and empty. */
#ifndef MICON_CELLS_OBJECTS_H
#define MICON_CELLS_OBJECTS_H
#include "micon/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    int width_px, height_px;
    int32_t n;       /* objects are 1..n; one may have no pixels (a cytoplasm of a cell that is all nucleus) */
    int32_t *label;  /* [height_px, width_px], 0 is background */
    int64_t *first;  /* [n + 1] an object's pixels are pixel[first[i - 1]] to pixel[first[i] - 1] */
    int32_t *pixel;  /* row * width_px + column, in rising order */
    int32_t *box;    /* [n, 4] top, left, bottom, right; the last two exclusive; zeros where there are no pixels */
    uint8_t *border; /* [n] 1: a pixel lies at the image's edge */
    size_t px_cap, n_cap, pixel_cap;
} objects;

/* Room for an image of this size; `label` is then written by the caller, who sets n. Fails with E_NOMEM. */
status objects_reserve(objects *o, int width_px, int height_px) MUST_USE;
/* first, pixel, box and border from label and n. */
status objects_index(objects *o) MUST_USE;
void objects_free(objects *o);

static inline int64_t objects_area(const objects *o, int32_t object) /* from 0 */
{
    return o->first[object + 1] - o->first[object];
}

/* cytoplasm = cell without nucleus, under the cell's number; indexed. Both are of one size. */
status objects_subtract(objects *cytoplasm, const objects *cells, const objects *nuclei) MUST_USE;

/* 4-connected components of the pixels where mask is not 0 become labels 1..n by their first pixels; indexed.
 * scratch: [width_px * height_px + 1]. */
status objects_from_mask(objects *o, const uint8_t *mask, int width_px, int height_px, int32_t *scratch) MUST_USE;

/* Any label image: its labels become 1..n in rising order; *number, [n], says what they were; it grows, caller frees. Indexed. */
status objects_from_labels(objects *o, const int32_t *label, int width_px, int height_px, int32_t **number, size_t *number_cap) MUST_USE;

/* Give nuclei the numbers of the cells they lie in: cell i's nucleus is the one with the most pixels in it (of equal ones the first),
 * others go. A cell may then have a nucleus without pixels. scratch: [nuclei->n + 1]. Indexed. */
status objects_pair(objects *nuclei, const objects *cells, int32_t *scratch) MUST_USE;

/* Keep the objects whose `keep` is not 0, [n], and number them 1.. in their order; indexed. */
status objects_filter(objects *o, const uint8_t *keep) MUST_USE;

#endif

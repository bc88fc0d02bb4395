/* measure.h -- CellProfiler's features of cells, under CellProfiler's names (docs/method.md 11.2). Local, serial; the same bits on any
 * machine.
 *
 *     measure *m = NULL;
 *     TRY(measure_create(&m, &channels));
 *     TRY(measure_site(m, parts, px, unit, out));     out: [cells, measure_features(m)->n]
 *
 * Values are NaN where CellProfiler has none: an object without pixels, a correlation of a constant. */
#ifndef MICON_CELLS_MEASURE_H
#define MICON_CELLS_MEASURE_H
#include "micon/base/text.h"
#include "micon/cells/objects.h"

enum { PART_NUCLEI, PART_CELLS, PART_CYTOPLASM, N_PARTS };
const char *measure_part_name(int part); /* "Nuclei" */

typedef struct measure measure;

/* parts: bit p set: part p is measured. Channels are named as they should stand in the names of features. */
status measure_create(measure **m, const names *channels, unsigned parts) MUST_USE;
void measure_free(measure **m); /* NULL-safe, sets NULL */

/* "Nuclei_AreaShape_Area", ...; borrowed. */
const names *measure_features(const measure *m);

/* part [N_PARTS]: label images of one size, with the same n; those not measured may be NULL. px [channels] of [height, width]; unit
 * [channels]: the largest value of the channel's samples (255, 65535), which CellProfiler divides by. out [n, features]. */
status measure_site(measure *m, const objects *const *part, const uint16_t *const *px, const double *unit, float *out) MUST_USE;

/* Seconds spent in each family since measure_create, for the benchmark. */
enum {
    FAMILY_VIEW,
    FAMILY_SHAPE,
    FAMILY_INTENSITY,
    FAMILY_RADIAL,
    FAMILY_TEXTURE,
    FAMILY_GRANULARITY,
    FAMILY_CORRELATION,
    FAMILY_NEIGHBORS,
    N_FAMILIES
};
const char *measure_family_name(int family);
double measure_family_seconds(const measure *m, int family);

#endif

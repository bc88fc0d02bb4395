/* recognize_wells.h -- what the columns of outside tables mean: places, treatments, controls; and the screen's split. Rank 0, local. */
#ifndef RECOGNIZE_WELLS_H
#define RECOGNIZE_WELLS_H
#include "evaluate.h"

/* Add Metadata_Source, _Batch, _Plate, _Well, _Compound and _pert_type (negcon, empty, trt), made from the columns there are
 * (docs/evaluation.md); notes tell how. */
status recognize_wells(frame *f, const config *cfg, names *notes) MUST_USE;
/* Metadata_Set from the screen's split, where there is one that has all of the wells. */
status recognize_split(frame *f, const config *cfg, names *notes) MUST_USE;
/* "source|batch|plate|well|" of a row; col: the four columns. */
void recognize_place(const frame *f, int64_t row, const int col[4], text *out);

#endif

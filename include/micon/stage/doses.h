/* doses.h -- doses as a model with doses takes them: log10 of the number in the one column of screen.treatment. Local. */
#ifndef MICON_STAGE_DOSES_H
#define MICON_STAGE_DOSES_H
#include "micon/base/status.h"
#include "micon/config/config.h"
#include "micon/formats/csv.h"
#include "micon/index/index.h"

double dose_log10(const char *cell); /* NaN where it is not a number above 0 */
/* Of each class [index_n_classes]: NaN of the control and of those without a dose. */
status doses_of_classes(const screen_index *ix, double **out) MUST_USE;
/* Of a model with doses: does the screen name one column of doses? */
status doses_check(const config *c, const char *model) MUST_USE;
/* The column of doses in a table of the user's, by its name with or without Metadata_. */
status doses_column(const config *c, const table *t, const char *path, int *col) MUST_USE;

#endif

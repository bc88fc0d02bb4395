/* foreign_helper.h -- .before_mpi and .after_mpi of a stage that reads HDF5 files of others and nothing else in a worker: s->keep is then
 * the foreign_reader (store/foreign.h). */
#ifndef MICON_STAGE_FOREIGN_HELPER_H
#define MICON_STAGE_FOREIGN_HELPER_H
#include "micon/stage/stage.h"

status foreign_helper_start(stage *s) MUST_USE;
void foreign_helper_stop(stage *s);

#endif

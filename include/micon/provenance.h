/* provenance.h -- what an output was made from, and whether it still is what the same call would make today.
 *
 * In the HDF5 file (uns/micon): program, its version (for people), the configuration of the keys that matter, and one digest over the digests of
 * the inputs in their order. It holds no times, hosts or paths; those
 * of the inputs stand beside it (inputs.h). */
#ifndef MICON_PROVENANCE_H
#define MICON_PROVENANCE_H
#include "micon/inputs.h"
#include "micon/stage.h"
#include "micon/store.h"

/* Rank 0 puts it into the file being written. `made_from`: config_show(.., def->affects) plus what else decides the content
 * (index rows' digest, library versions ...), a line each. */
void provenance_put(store *s, const stage *g, const char *made_from, uint64_t inputs_sum);

/* Is there a complete file of that kind and format at `path`, made by the same program from the same? Local. */
bool provenance_current(const char *path, const char *kind, int format, const stage *g, const char *made_from, uint64_t inputs_sum);

/* config_show of the keys that affect this stage, appended. */
void provenance_config(const stage *g, text *made_from);

#endif

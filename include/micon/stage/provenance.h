/* provenance.h -- records what an output was made from, and tells whether it is up to date.
 *
 * In the HDF5 file (uns/micon): program, its version (for people), the configuration of the keys that matter, and one digest over the
 * digests of the inputs in their order. It holds no times, hosts or paths; those of the inputs are kept in a file of their own
 * (provenance/input_digests.h). */
#ifndef MICON_STAGE_PROVENANCE_H
#define MICON_STAGE_PROVENANCE_H
#include "micon/provenance/input_digests.h"
#include "micon/stage/stage.h"
#include "micon/store/store.h"

/* Rank 0 puts it into the file being written. `made_from`: config_show(.., def->affects) plus what else decides the content
 * (index rows' digest, library versions ...), a line each. */
void provenance_put(store *s, const stage *g, const char *made_from, uint64_t inputs_sum);

/* Is there a complete file of that kind and format at `path`, made by the same program from the same? Local. */
bool provenance_current(const char *path, const char *kind, int format, const stage *g, const char *made_from, uint64_t inputs_sum);

/* On rank 0, when the output is complete (made now, or found current without a record), write work/status/<stage>/<name>.made, so that the
 * driver, which links no HDF5, can tell whether it is up to date (provenance/output_record.h). The plate's index_plate_digest (a stage
 * over the screen: all plates' mixed in order with digest_mix from 0) goes into made_from as "index rows: <16 digits>". content:
 * store_digest, or of the file's bytes where it is no HDF5; it is also what a later stage gives as its input's digest in <name>.inputs.
 * Local. */
status provenance_record(const stage *g, const char *name, const char *output, const char *made_from, uint64_t inputs_sum,
                         uint64_t content) MUST_USE;

/* Rank 0, when work/split.csv is the split of today (split_sync): its digest, which `micon verify` asks for. Local. */
status provenance_split(const stage *g) MUST_USE;

/* work/status/<stage>/<name>.inputs; caller frees. */
char *provenance_inputs_file(const stage *g, const char *name);

/* config_show of the keys that affect this stage, appended. */
void provenance_config(const stage *g, text *made_from);

#endif

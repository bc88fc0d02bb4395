/* report_data.h -- shared by the files that make the data of report.html. Each function appends one member of the page's JSON, with its
 * name and without a comma; all are local, on rank 0. docs/file-formats.md, "The report's data", describes what they write. */
#ifndef REPORT_DATA_H
#define REPORT_DATA_H
#include "evaluate.h"

/* ---- report_pack.c: columns as base64 of small whole numbers: a tenth of the bytes of decimals, and read at once ---- */
/* {"lo":a,"hi":b,"u16":".."}: value = a + (b - a) * code / 65534; 65535: missing. */
status pack_reals(text *t, const double *v, int64_t n) MUST_USE;
/* {"u8":".."}, u16 or u32, whichever holds n_names; the type's largest number: missing. All 0 is "". */
void pack_bytes(text *t, const void *bytes, size_t n); /* base64 alone */
status pack_codes(text *t, const int32_t *code, int64_t n, int64_t n_names) MUST_USE;

/* ---- report_wells.c ---- */
status report_wells(text *t, const wells *w, const transformed *c) MUST_USE; /* "wells": place on the maps, kind, treatment, metadata */
status report_quality(text *t, const wells *w) MUST_USE;                     /* "quality": QC_ columns */

/* ---- report_treatments.c ---- */
status report_treatments(text *t, const wells *w, const transformed *c, const results *r) MUST_USE; /* "treatments" */

/* ---- report_agreement.c ---- */
/* ",agreement": how alike a treatment's wells of one source are to those of the others; nothing without a second source or batch. */
status report_agreement(text *t, const wells *w, const transformed *c) MUST_USE;

/* ---- report_structures.c ---- */
void report_structures(text *t, const config *cfg, const wells *w); /* "structures": as micon-featurize laid them out */

/* ---- report_images.c ---- */
/* "images": wells of the most active treatments beside controls of their plates, drawn from the tiles; the pictures go to `folder`, or
 * into the page, as evaluate.images says. Nothing, not even the name, where there are no tiles. */
status report_images(text *t, const config *cfg, const char *folder, const wells *w, const transformed *c, const results *r) MUST_USE;

/* ---- report_heat.c ---- */
status report_heat(text *t, const wells *w, const transformed *c, const results *r) MUST_USE; /* "heat": the most active treatments */

#endif

/* transform_params.h -- a finished profile store: its place, and how its profiles were made, so that other wells can be transformed alike
 * and runs that share a store compared. Local. */
#ifndef MICON_STAGE_TRANSFORM_PARAMS_H
#define MICON_STAGE_TRANSFORM_PARAMS_H
#include "micon/config/config.h"
#include "micon/config/file_formats.h"
#include "micon/profile/normalize.h"
#include "micon/profile/sphering.h"
#include "micon/store/store.h"

#include <stdbool.h>

/* work/profiles/RUN.h5ad, or RUN.consensus.h5ad, of train.run; caller frees. */
char *profiles_path(const config *c, bool consensus);

typedef struct {
    bool borrows;
    names features, var; /* of the table that it was made from; the remaining ones, in the same order */
    int normalize, normalize_on;
    char *normalize_by;
    int64_t min_controls;
    names group; /* names of the groups that `normal` holds; a shared store keeps them only for normalize_by: none */
    normalize_params normal;
    int reshape;                        /* RESHAPE_*; ranks are made again among the wells that are transformed */
    sphering_params sphere, components; /* k 0: no sphering */
    bool harmony;
    char *model, *representation;
} transform_params;
/* {0} before; free in any case. Messages begin with path. */
status transform_params_read(transform_params *p, const store_file *f, const char *path) MUST_USE;
void transform_params_free(transform_params *p);
void transform_params_put(store *s, const transform_params *p);
/* As a shared store keeps them: what only the one run needs is dropped. */
void transform_params_narrow(transform_params *p);
/* Are the groups' centers and scales carried over too (one group of all wells), or learned again on the wells that are transformed? */
bool transform_params_one_group(const transform_params *p);
/* Equal where profiles of two stores may be compared. */
uint64_t transform_params_features_digest(const transform_params *p);
uint64_t transform_params_normal_digest(const transform_params *p);
uint64_t transform_params_sphere_digest(const transform_params *p);
uint64_t transform_params_digest(const transform_params *p); /* of these and the model */

#endif

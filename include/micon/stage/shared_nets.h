/* shared_nets.h -- networks that compute in the same way on all ranks, and from one run of a screen to the next. Collective where the name
 * ends in _all. */
#ifndef MICON_STAGE_SHARED_NETS_H
#define MICON_STAGE_SHARED_NETS_H
#include "micon/config/config.h"
#include "micon/nn/resnet.h"

#include <mpi.h>

/* The folder of choices below work; NULL where train.deterministic wants them by rule. Caller frees. */
char *shared_nets_folder(const config *c);

/* A file of that folder against the digest at its end; *digest is 0 where it has none. Local. */
status shared_nets_check(const char *file, uint64_t *digest) MUST_USE;

/* What networks compute in: bf16 where train.precision or embed.precision (`precision`) says so, or leaves it open and every rank's CPU has
 * it. */
nn_type shared_nets_type_all(MPI_Comm comm, int precision);

/* A net (names begin with MODEL_PREFIX) on every rank by the same choices, though their numbers of pictures may differ: those that
 * `choices` has, else those kept in `folder` for this kind of CPU, else what rank 0 measures now. Measured ones are kept in the folder;
 * where another job kept its own meanwhile, those are taken, so that the tasks of an array give the same bits. A folder that cannot be
 * read or written is a warning.
 * choices: in and out, the same on every rank afterwards. folder: looked at by rank 0 only; NULL: by rule (conv_choices), and nothing is
 * kept. */
status shared_nets_create_all(MPI_Comm comm, resnet **net, dnn *dn, const resnet_config *wanted, nn_params *p, conv_choices *choices,
                              const char *folder) MUST_USE;

#endif

# shellcheck shell=bash disable=SC2034
# env.sh -- sourced by the job scripts, from the MICON folder: where the programs are, modules, how MPI is started.
# `make site.env` writes what site.mk and site.local.mk say; MICON_BIN and MPIRUN from the environment win over it.
given_bin=${MICON_BIN-} given_mpirun=${MPIRUN-}
# shellcheck disable=SC1091
[ -r site.env ] && . ./site.env
MICON_BIN=${given_bin:-${MICON_BIN:-$PWD/build/release/bin}}
MPIRUN=${given_mpirun:-${MPIRUN:-mpirun}}
export MICON_BIN MPIRUN OPENBLAS_NUM_THREADS="${OPENBLAS_NUM_THREADS:-1}" OMP_NUM_THREADS=1
if [ -n "${MODULES-}" ] && type module >/dev/null 2>&1; then
    for m in $MODULES; do module load "$m"; done
fi
# The processes of a job may sit on any of its cores; in a container root may start MPI.
export OMPI_MCA_hwloc_base_binding_policy=none HWLOC_HIDE_ERRORS=2 HWLOC_COMPONENTS="${HWLOC_COMPONENTS:--gl}"
[ "$(id -u)" = 0 ] && export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
read -r -a mpirun <<<"$MPIRUN"

# read_args FILE -- the arguments of a step as `micon submit` wrote them, a NUL after each, into the array `args`. The shell never
# interprets them.
read_args() { mapfile -d "" -t args <"$1"; }

# shellcheck shell=bash disable=SC2034
# env.sh -- sourced by the job scripts, from the MICON folder: where the programs are, modules, how MPI is started.
# `make site.env` writes what site.mk and site.local.mk say; MICON_BIN and MPIRUN from the environment win over it. The MICON folder is
# the clone, or share/micon of an installed MICON: then the programs are in ../../bin.
given_bin=${MICON_BIN-} given_mpirun=${MPIRUN-}
# shellcheck disable=SC1091
[ -r site.env ] && . ./site.env
[ -n "${MICON_BIN-}" ] || { [ -x ../../bin/micon ] && MICON_BIN=$(cd ../../bin && pwd); }
MICON_BIN=${given_bin:-${MICON_BIN:-$PWD/build/release/bin}}
MPIRUN=${given_mpirun:-${MPIRUN:-mpirun}}
export MICON_BIN MPIRUN OPENBLAS_NUM_THREADS="${OPENBLAS_NUM_THREADS:-1}" OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-1}"
if [ -n "${MODULES-}" ] && type module >/dev/null 2>&1; then
    for m in $MODULES; do module load "$m"; done
fi
# The processes of a job may sit on any of its cores; in a container root may start MPI.
export OMPI_MCA_hwloc_base_binding_policy=none HWLOC_HIDE_ERRORS=2 HWLOC_COMPONENTS="${HWLOC_COMPONENTS:--gl}"
[ "$(id -u)" = 0 ] && export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
read -r -a mpirun <<<"$MPIRUN"

# choose_launcher FOLDER -- what starts the ranks: MICON_LAUNCHER, or the file `launcher` among a job's arguments (slurm.launcher), or
# what is there.
choose_launcher() {
    local how=${MICON_LAUNCHER-}
    [ -n "$how" ] || [ ! -r "$1/launcher" ] || how=$(cat "$1/launcher")
    [ "${how:-auto}" != auto ] || { how=mpirun; command -v "${mpirun[0]}" >/dev/null || how=srun; }
    if [ "$how" = srun ]; then
        mpirun=(srun --kill-on-bad-exit=1)
        srun --mpi=list 2>&1 | grep -qw pmix && mpirun+=(--mpi=pmix)
        [ -z "${SLURM_CPUS_PER_TASK-}" ] || mpirun+=("--cpus-per-task=$SLURM_CPUS_PER_TASK")
    fi
    command -v "${mpirun[0]}" >/dev/null && return
    echo "$(basename "$0"): ${mpirun[0]} is not here: MODULES in site.local.mk has to load an MPI (make site.env), or set slurm.launcher" \
        >&2
    return 1
}

# read_args FILE -- the arguments of a step as `micon submit` wrote them, a NUL after each, into the array `args`. The shell never
# interprets them.
read_args() { mapfile -d "" -t args <"$1"; }

# launch PROGRAM ARGUMENT... -- the program under mpirun. Each launch has a folder of its own for what Open MPI keeps of a run: all runs of
# a user share one otherwise, and take it from each other. One that failed before the program ran is tried again, three times in all.
start() { "$@"; } # train.sh has another, which passes signals on
launch() {
    local try rc folder
    for try in 1 2 3; do
        folder=$(mktemp -d "${TMPDIR:-/tmp}/micon-launch-XXXXXX") || return 1
        OMPI_MCA_orte_tmpdir_base=$folder PRTE_MCA_prte_tmpdir_base=$folder MICON_STARTED=$folder/started start "${mpirun[@]}" "$@"
        rc=$?
        [ $rc = 0 ] || [ $rc = 2 ] || [ $rc = 75 ] || [ $rc -gt 128 ] || [ -e "$folder/started" ] && try=3
        rm -rf "$folder"
        [ $try = 3 ] && return $rc
        echo "$(basename "$0"): mpirun failed before $(basename "$1") started (exit $rc); trying again" >&2
        sleep $((try * 2))
    done
}

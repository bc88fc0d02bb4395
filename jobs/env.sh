# shellcheck shell=bash
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

# steps PROGRAM [--args FOLDER | screen.yaml ...] -- by hand: the arguments as they are; `micon submit` gives a folder with a file a
# step, TASK.NUMBER, that holds its arguments with a NUL after each. Nothing in them is ever looked at by the shell.
# One step that fails does not stop those behind it; the exit status is the worst.
steps() {
    local program=$1 worst=0 rc file args
    shift
    if [ "${1-}" != --args ]; then
        "${mpirun[@]}" "$MICON_BIN/$program" "$@"
        return
    fi
    for file in "$2/${SLURM_ARRAY_TASK_ID:-0}".*; do
        mapfile -d '' -t args <"$file" || return 1
        "${mpirun[@]}" "$MICON_BIN/$program" "${args[@]}"
        rc=$?
        [ $rc -gt $worst ] && worst=$rc
    done
    return $worst
}

#!/usr/bin/env bash
# gate.sh -- after a job array over plates: are enough of them complete (slurm.max_bad_plates) for the next stage? It fails if not, and
# SLURM then cancels the jobs that depend on it.
#   by hand, from the MICON folder:  sbatch --dependency=afterany:JOB jobs/gate.sh /path/to/screen.yaml --stage tile
#SBATCH --job-name=micon-gate
#SBATCH --open-mode=append
#SBATCH --ntasks=1
. jobs/env.sh || exit 1
args=("$@")
if [ "${1-}" = --args ]; then read_args "$2/0.0" || exit 1; fi
exec "$MICON_BIN/micon" gate "${args[@]}"

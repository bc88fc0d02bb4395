#!/usr/bin/env bash
# gate.sh -- after an array over plates: do enough of them stand (slurm.max_bad_plates) for what comes next? Fails if not, which ends
# the jobs behind it.
#   by hand, from the MICON folder:  sbatch --dependency=afterany:JOB jobs/gate.sh /path/to/screen.yaml --stage tile
#SBATCH --job-name=micon-gate
#SBATCH --open-mode=append
#SBATCH --ntasks=1
. jobs/env.sh || exit 1
if [ "${1-}" = --args ]; then
    mapfile -d '' -t args <"$2/0.0" || exit 1
    set -- "${args[@]}"
fi
"$MICON_BIN/micon" gate "$@"

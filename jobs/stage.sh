#!/usr/bin/env bash
# stage.sh STAGE -- runs featurize, tile, embed, measure or evaluate (train.sh runs training). In a job array each task has its own plates.
#   by hand, from the MICON folder:  sbatch --ntasks=4 --mem=8G --time=120 jobs/stage.sh tile /path/to/screen.yaml --plate PLATE
# `micon submit` gives a folder with one file per step, TASK.NUMBER. A step that fails does not stop the ones after it; the exit status is
# the highest of theirs.
#SBATCH --job-name=micon-stage
#SBATCH --open-mode=append
. jobs/env.sh || exit 1
program=$MICON_BIN/micon-$1
shift
choose_launcher "${2-}" || exit 1
if [ "${1-}" != --args ]; then launch "$program" "$@"; exit; fi
worst=0
for file in "$2/${SLURM_ARRAY_TASK_ID:-0}".*; do
    read_args "$file" || exit 1
    launch "$program" "${args[@]}"
    rc=$?
    [ $rc -gt $worst ] && worst=$rc
done
exit $worst

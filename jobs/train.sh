#!/usr/bin/env bash
# train.sh -- the model. Some minutes before its time is up the job is told so (USR1): training saves itself, ends with 75, and the job
# puts itself back into the queue, to go on from there.
#   by hand, from the MICON folder:  sbatch --nodes=1 --ntasks-per-node=2 --mem=16G --time=480 jobs/train.sh /path/to/screen.yaml
#SBATCH --job-name=micon-train
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --signal=B:USR1@300
. jobs/env.sh || exit 1
child='' told=''
trap 'told=yes; [ -n "$child" ] && kill -USR1 "$child"' USR1
# launch (env.sh) calls this. A signal ends `wait`, not the training.
# shellcheck disable=SC2317
start() {
    local rc
    "$@" &
    child=$!
    while :; do
        told=''
        wait "$child"
        rc=$?
        [ -z "$told" ] && break
    done
    child=''
    return "$rc"
}
args=("$@")
if [ "${1-}" = --args ]; then read_args "$2/0.0" || exit 1; fi
choose_launcher "${2-}" || exit 1
launch "$MICON_BIN/micon-train" "${args[@]}"
rc=$?
[ "$rc" = 75 ] || exit "$rc"
echo "train.sh: stopped with everything saved (start $((${SLURM_RESTART_COUNT:-0} + 1))); back into the queue" >&2
scontrol requeue "$SLURM_JOB_ID" && exit 75
echo "train.sh: the job cannot be put back into the queue: submit again to go on" >&2
exit 75

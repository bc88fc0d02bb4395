#!/usr/bin/env bash
# run: long limit=600
# micon-train on two virtual nodes of a real SLURM, over TCP, started by jobs/train.sh: the same run as on one node; told to stop, the job
# goes back into the queue and ends with the bytes of a run that was left alone.
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
. tests/slurm/cluster.sh
slurm_or_skip "$0"
# mpirun says which nodes its ranks are on.
export MICON_BIN=$BIN MPIRUN=mpirun OMPI_MCA_rmaps_base_display_map=1
TENSOR=$ROOT/build/release/tests/tools/tensor_tool
less() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a != "" && a + 0 <= b + 0) }'; }
losses() { sed 's/.*"loss": \([^,]*\),.*/\1/' "$W/models/$1/log.jsonl"; }
apart() { # A B LINES: the largest relative difference of losses
    paste <(losses "$1") <(losses "$2") | head -n "$3" | awk \
        '{ d = ($1 - $2) / $1; if (d < 0) d = -d; if (d > m) m = d } END { print NR ? m + 0 : "none" }'
}

ok "SLURM is up" slurm_up 2 2
quiet mpi 2 "$BIN/micon-simulate" --out "$T/screen" --sources 2 --batches 2 --wells 12 --sites 2 --compounds 4 --size 96
W=$T/screen/work
# The settings of train.sh, and why: there.
S="$T/screen/screen.yaml --set tile.size=32 --set featurize.bits=64 --set train.batch=8 --set train.precision=fp32 --set train.dim=40
   --set train.projection=16 --set train.temperature=0.1 --set train.lr=5e-5"
quiet mpi 2 "$BIN/micon-tile" $S
quiet "$BIN/micon-featurize" $S

# job RUN NODES RANKS OPTIONS... : a training as a user submits it; its number to $id
job() {
    local run=$1 nodes=$2 ranks=$3
    shift 3
    id=$(sbatch --parsable --nodes="$nodes" --ntasks-per-node="$ranks" --mem=1G --time=10 --output="$T/$run.log" jobs/train.sh $S --set \
        train.run="$run" "$@")
}
ended() { # WHAT RUN NODES : the job that was submitted last
    ok "$1: ends" slurm_idle 240
    ok "$1: has its model" test -s "$W/models/$2/model.safetensors"
    same "$1: had its nodes, and ended well" "$(scontrol -o show job "$id" | grep -o 'NumNodes=[0-9]*\|ExitCode=[0-9:]*' | sort | xargs)" \
        "ExitCode=0:0 NumNodes=$3"
    same "$1: ranks on each of them" "$(grep -o 'Data for node: n[0-9]*' "$T/$2.log" | sort -u | wc -l)" "$3"
    [ -s "$W/models/$2/model.safetensors" ] || tail -n 20 "$T/$2.log" >&2
}
grad() { far=$("$TENSOR" far "$W/models/$1-grad/$one" "$W/models/$2-grad/$one" moment1); echo "${far%% *}"; }
one=checkpoints/step-0000000001.safetensors
G="--set train.steps=2 --set train.checkpoint_steps=1"

for layout in "one 1 2" "two 2 1" "four 2 2"; do
    read -r run nodes ranks <<<"$layout"
    job "$run" "$nodes" "$ranks" --set train.steps=20
    ended "$nodes nodes, $ranks ranks each" "$run" "$nodes"
    job "$run-grad" "$nodes" "$ranks" $G
    ended "$nodes nodes, $ranks ranks each, two steps" "$run-grad" "$nodes"
done
for run in two four; do
    same "$run: 20 steps" "$(wc -l <"$W/models/$run/log.jsonl")" 20
    echo "# $run against one node: first loss $(apart one $run 1), 20 losses $(apart one $run 20), gradients $(grad one $run)"
    ok "$run: first loss within 1e-5 of that on one node" less "$(apart one $run 1)" 1e-5
    ok "$run: 20 losses within 1e-3" less "$(apart one $run 20)" 1e-3
    ok "$run: every gradient within 1e-4" less "$(grad one $run)" 1e-4
    ok "$run: the ranks did talk" awk -F'"comm_bytes": ' 'NR == 1 { exit !($2 + 0 > 1e6) }' "$W/models/$run/log.jsonl"
done

# ---- told to stop on two nodes ----
C="--set train.steps=60 --set train.checkpoint_steps=1000"
job whole 2 1 $C
ended "60 steps" whole 2
job stopped 2 1 $C
slurm_wait 120 '[ "$(wc -l <"$W/models/stopped/log.jsonl")" -ge 5 ]'
scancel --signal=USR1 --batch "$id"
ok "USR1 to the job: back into the queue" slurm_wait 60 'grep -q "back into the queue" "$T/stopped.log"'
ended "the same job" stopped 2
has "went on where it was" "$T/stopped.log" "resuming after step"
ok "to the same bytes as the run that was left alone" cmp "$W/models/whole/model.safetensors" "$W/models/stopped/model.safetensors"

# ---- the same by srun ----
export MICON_LAUNCHER=srun
job by_srun 2 1 $C
slurm_wait 120 '[ "$(wc -l <"$W/models/by_srun/log.jsonl")" -ge 5 ]'
scancel --signal=USR1 --batch "$id"
ok "by srun, USR1 to the job: back into the queue" slurm_wait 60 'grep -q "back into the queue" "$T/by_srun.log"'
ok "by srun: ends" slurm_idle 240
has "by srun: went on where it was" "$T/by_srun.log" "resuming after step"
ok "by srun: the same bytes" cmp "$W/models/whole/model.safetensors" "$W/models/by_srun/model.safetensors"
tap_done

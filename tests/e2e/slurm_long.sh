#!/usr/bin/env bash
# run: long limit=420
# A real SLURM, the slow cases: training requeued at its time limit, or preempted, goes on to the same result; a node lost in the middle.
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
. tests/slurm/cluster.sh
slurm_or_skip "$0"
. tests/driver.sh
PATH=${PATH#"$ROOT/tests/fakebin:"}
cd "$SCREEN" || exit 1
table s1/b1/P1 s1/b1/P2 s2/b1/P1 >load_data.csv
stages featurize tile embed evaluate
# A training that can be stopped: 90 steps of a second, its state in a checkpoint (SAVE: after each step).
cat >"$MICON_BIN/micon-train" <<'X'
#!/usr/bin/env bash
[ "${1-}" = --version ] && exit
dir=$SCREEN/work/models/micon state=$SCREEN/work/models/micon/state stop=''
mkdir -p "$dir"
read -r n sum <"$state" 2>/dev/null || { n=0 sum=1; }
echo "train from step $n, start ${SLURM_RESTART_COUNT:-0}" >>"$FAKE/calls"
trap 'stop=yes' USR1
while [ $n -lt ${TRAIN_STEPS:-90} ]; do
    sleep "${STEP_S:-1}" & wait $!
    n=$((n + 1)) sum=$(((sum * 1103515245 + n) % 2147483648))
    if [ -n "$stop" ] || [ -n "${SAVE-}" ]; then echo "$n $sum" >"$state.part" && mv "$state.part" "$state"; [ -z "$stop" ] || exit 75; fi
done
echo "$sum" >"$dir/model.safetensors"
X
chmod +x "$MICON_BIN/micon-train"
screen <<<'slurm: {plates_per_task: 1, mem: 1GiB, time: 5, train: {nodes: 1, ntasks_per_node: 1}}'
export SLURM_MORE="PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=urgent Nodes=ALL PriorityTier=10 MaxTime=INFINITE State=UP"
ok "SLURM is up" slurm_up 2 2
submit() { micon submit screen.yaml -n 1 "$@"; }

# ---- a training that outlives its limit ----
STEP_S=0 "$MICON_BIN/micon-train" && mv work/models/micon/model.safetensors "$T/uninterrupted"; rm -rf work "$FAKE/calls"
exits "submit with a limit of one minute" 0 submit --stage train --set slurm.time=1
ok "the job ends" slurm_idle 240
ok "it was started more than once" [ "$(grep -c '^train from' "$FAKE/calls")" -gt 1 ]
not_ok "and went on where it was" sh -c "sed 1d '$FAKE/calls' | grep -q 'from step 0,'"
same "to the same weights as an uninterrupted one" "$(cat work/models/micon/model.safetensors)" "$(cat "$T/uninterrupted")"
rm -rf work "$FAKE/calls"

# ---- a training is preempted: it gets no time to save itself ----
export TRAIN_STEPS=20
STEP_S=0 "$MICON_BIN/micon-train" && mv work/models/micon/model.safetensors "$T/uninterrupted"; rm -rf work "$FAKE/calls"
SAVE=yes exits "submit" 0 submit --stage train
state=work/models/micon/state
ok "it has checkpoints" slurm_wait 60 '[ -s '$state' ] && [ "$(cut -d" " -f1 '$state')" -ge 3 ]'
ok "a job of more right takes its node" sbatch --quiet --partition=urgent --nodes=2 --exclusive --output=/dev/null --wrap "sleep 2"
ok "all jobs end" slurm_idle 180
same "training was started twice" "$(grep -c '^train from' "$FAKE/calls")" 2
has "by SLURM" "$FAKE/calls" ", start 1"
not_ok "and went on from a checkpoint" sh -c "sed 1d '$FAKE/calls' | grep -q 'from step 0,'"
same "to the weights of an uninterrupted one" "$(cat work/models/micon/model.safetensors)" "$(cat "$T/uninterrupted")"
rm -rf work "$FAKE/calls"

# ---- a node is lost in the middle ----
export TRAIN_STEPS=2
echo 8 >"$FAKE/sleep"
exits "submit" 0 submit --stage tile,featurize
slurm_wait 30 'squeue -h -t R -o %N | grep -q n2 && grep -q tile "$FAKE/calls"'
slurm_node_kill 2
ok "the controller sees it" slurm_wait 60 'sinfo -h -N -n n2 -o %T | grep -q down'
rm "$FAKE/sleep"
ok "what ran there is done elsewhere" slurm_idle 120
same "all tiles are there" "$(ls work/tiles | wc -l)" 3
exits "nothing is left to do" 0 submit --stage tile,featurize
has "says so" "$T/err" "nothing to submit"
tap_done

#!/usr/bin/env bash
# run: long limit=900
# The real stages on a real SLURM: a plate's task killed -9 and made again, a plate with damaged images, training that outlives its limit
# with the controller restarted in the middle, training on a node that is lost: in both the weights of an uninterrupted one, bit for bit.
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
. tests/slurm/cluster.sh
slurm_or_skip "$0"
unset MICON_BIN MICON_HOME SLURM_JOB_ID SLURM_RESTART_COUNT
micon() { "$BIN/micon" "$@"; }
status_of() { micon status screen.yaml --json 2>/dev/null | sed -n \
    "s/.*\"stage\": \"$1\", \"plate\": \"*\([^\",]*\)\"*, \"state\": \"\([a-z ]*\)\".*/\1 \2/p"; }
log_of() { echo "work/models/$1/log.jsonl"; }
steps_of() { local n; n=$(wc -l <"$(log_of "$1")" 2>/dev/null); echo "${n:-0}"; }
model() { echo "work/models/$1/model.safetensors"; }

ok "SLURM is up" slurm_up 2 2
mpi 2 "$BIN/micon-simulate" --out "$T/s" --sources 3 --batches 2 --wells 12 --sites 2 --compounds 4 --size 96 --quiet
cd "$T/s" || exit 1
cat >screen.yaml <<'Y'
screen: {index: images/*/load_data.csv, well: metadata/well.csv.gz, compound: metadata/compound.csv.gz, control: JCP2022_033924}
tile: {size: 32}
featurize: {bits: 64}
train: {batch: 8, dim: 40, projection: 16, temperature: 0.1, lr: 0.001, checkpoint_steps: 5}
slurm: {plates_per_task: 1, mem: 2GiB, time: 5, max_bad_plates: 0.2, train: {nodes: 1, ntasks_per_node: 2}}
Y
bad=source_2/Batch1/000201001 killed=source_3/Batch1/S3B01P001
for f in images/source_2__Batch1__*/Images/*.tif; do head -c 100 "$f" >"$f.cut" && mv "$f.cut" "$f"; done

# ---- a task killed -9 while it writes, a plate with damaged images ----
exits "submit tiles" 0 micon submit screen.yaml -n 2 --stage featurize,tile
# A small plate is written in a moment: looked for without a pause, once a rank (not its mpirun) is there.
end=$((SECONDS + 60)) victim=
until [ -n "$victim" ] || [ $SECONDS -ge $end ]; do victim=$(pgrep -f "^[^ ]*bin/micon-tile .*--plate $killed" | tail -n 1); done
until compgen -G "work/tiles/source_3__Batch1__*.part.*" >/dev/null || ! kill -0 "${victim:-x}" 2>/dev/null; do :; done
ok "a rank of a task is killed" kill -KILL "$victim"
ok "all jobs end" slurm_idle 90
same "the other plates stand" "$(status_of tile | awk '{print $2}' | sort | uniq -c | xargs)" "4 done 2 failed"
not_ok "the killed plate has no file" compgen -G "work/tiles/source_3__Batch1__*.h5"
exits "submit again" 0 micon submit screen.yaml -n 2 --stage featurize,tile
has "only the two" "$T/err" "tile: job"
has "are tried" "$T/err" "2 tasks, 2 steps"
ok "all jobs end" slurm_idle 90
same "now only the damaged one is missing" "$(status_of tile | grep -v ' done')" "$bad failed"
not_ok "nothing of the killed one is left" compgen -G "work/tiles/*.part.*"

# ---- the same training, uninterrupted: long enough to meet a limit of a minute ----
train() { mpi 2 "$BIN/micon-train" screen.yaml "$@" >"$T/out" 2>"$T/err" </dev/null; }
train --set train.run=rate --set train.steps=40
rate=$(sed -n 's/.*"seconds": \([0-9.e+-]*\).*/\1/p' "$(log_of rate)" | tail -n 20 | awk '{s += $1} END {print NR ? s / NR : 1}')
steps=$(awk -v r="$rate" 'BEGIN {n = int(66 / r); print (n < 24 ? 24 : n > 6000 ? 6000 : n)}') few=$((steps < 48 ? 12 : steps / 4))
echo "# $rate s a step: $steps steps, then $few"
t0=$SECONDS
train --set train.run=whole --set "train.steps=$steps"; ok "$steps steps in one go" test -e "$(model whole)"
echo "# $((SECONDS - t0)) s"
train --set train.run=short --set "train.steps=$few"; ok "$few steps in one go" test -e "$(model short)"

# ---- a limit of a minute, everything to the report; the controller restarted in the middle ----
exits "submit the rest, with a limit of a minute" 0 micon submit screen.yaml -n 1 --set "train.steps=$steps" --set slurm.time=1
slurm_wait 90 '[ "$(steps_of micon)" -gt 5 ]'
exits "submit again, while it trains" 0 micon submit screen.yaml -n 1 --set "train.steps=$steps" --set slurm.time=1
has "nothing of it is doubled" "$T/err" "train: 1 step is already in the queue"
hasnt "no second training" "$T/err" "train: job"
ok "the controller comes back" slurm_controller_restart
ok "all jobs end" slurm_idle 240
ok "training was put back into the queue" grep -q "back into the queue" work/status/slurm/train-*.log
ok "and went on from where it was" grep -q "resuming after step" work/status/slurm/train-*.log
same "each step once" "$(sed 's/.*"step": \([0-9]*\),.*/\1/' "$(log_of micon)" | sort -n | uniq | wc -l) $(steps_of micon)" "$steps $steps"
ok "the same weights as uninterrupted, bit for bit" cmp "$(model micon)" "$(model whole)"
ok "the report is there" test -s work/reports/micon/report.html
[ -s work/reports/micon/report.html ] || tail -n 8 work/status/slurm/{train,embed,evaluate,gate}*.log | sed 's/^/#   /'


# ---- the node is lost in the middle of training ----
exits "submit a training" 0 micon submit screen.yaml --stage train --set train.run=lost --set "train.steps=$few"
slurm_wait 90 '[ "$(steps_of lost)" -ge 6 ]'
node=$(squeue -h -t R -o %N | head -n 1)
slurm_node_kill "${node#n}"
ok "the controller sees it" slurm_wait 60 "sinfo -h -N -n $node -o %T | grep -q down"
ok "it is done on the other node" slurm_idle 200
ok "from where it was" grep -q "resuming after step" work/status/slurm/train-*.log
ok "with the same weights, bit for bit" cmp "$(model lost)" "$(model short)"
cmp -s "$(model lost)" "$(model short)" || { tail -n 30 "$(ls -t work/status/slurm/train-*.log | head -n 1)"; paste "$(log_of short)" \
    "$(log_of lost)"; } | cut -c1-300 | sed 's/^/#   /'
tap_done

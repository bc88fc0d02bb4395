#!/usr/bin/env bash
# train_memory.sh -- 200 steps: memory stands still, and nothing is allocated inside a step.   run: long limit=900
. "$(dirname "$0")/../tap.sh"
cd "$T" || exit 1
export OMP_NUM_THREADS=1
quiet mpi 2 "$BIN/micon-simulate" --out screen --sources 2 --batches 2 --wells 12 --sites 2 --compounds 4 --size 96
cd screen || exit 1
S="screen.yaml --set tile.size=32 --set featurize.bits=64 --set train.batch=4 --set train.dim=40 --set train.projection=16
   --set train.steps=200 --set train.valid_every=10 --set split.valid_batches=1 --set split.test_batches=0"
quiet mpi 2 "$BIN/micon-tile" $S
quiet "$BIN/micon-featurize" $S
exits "200 steps" 0 mpi 2 "$BIN/micon-train" $S
log=work/models/micon/log.jsonl
memory() { sed -n "s/.*\"step\": $1,.*\"memory_mb\": \([^,]*\),.*/\1/p" $log; }
echo "# resident: step 20 $(memory 20) MB, step 200 $(memory 200) MB"
ok "memory at step 200 within 1 % of step 20" awk -v a="$(memory 20)" -v b="$(memory 200)" \
    'BEGIN { exit !(a > 0 && b > 0 && b <= 1.01 * a) }'
same "no allocation by our own code inside a step, the optimizer's included" "$(grep -c '"allocations": 0[,}]' $log)" 200
tap_done

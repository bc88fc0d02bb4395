#!/usr/bin/env bash
# train_tiles.sh -- tiles beyond train.tiles_memory: the same model as with all in memory; damage on the way; a request to stop.
# run: long limit=400
. "$(dirname "$0")/../tap.sh"
cd "$T" || exit 1
export OMP_NUM_THREADS=1
TRAIN=$BIN/micon-train
quiet mpi 2 "$BIN/micon-simulate" --out screen --sources 2 --batches 2 --wells 12 --sites 4 --compounds 4 --size 64
cd screen || exit 1
# 192 tiles of 5 KiB, 960 KiB in all; a step's tiles are 16, and three steps' 240 KiB.
S="screen.yaml --set tile.size=32 --set featurize.bits=64 --set train.batch=4 --set train.precision=fp32 --set train.dim=40
   --set train.projection=16 --set train.temperature=0.1 --set split.valid_batches=1 --set split.test_batches=0"
quiet mpi 2 "$BIN/micon-tile" $S
quiet "$BIN/micon-featurize" $S
model() { echo "work/models/$1/model.safetensors"; }
figures() { sed 's/"items_per_s".*"comm_bytes"/"comm_bytes"/; s/"memory_mb": [^,]*, //' "work/models/$1/log.jsonl"; }
R="--set train.steps=6 --set train.valid_every=3"
for n in 1 2; do
    exits "$n ranks, all tiles in memory" 0 mpi $n "$TRAIN" $S $R --set train.run=all$n
    hasnt "and none read ahead" "$T/err" "are read ahead"
    exits "$n ranks, a third in memory" 0 mpi $n "$TRAIN" $S $R --set train.run=some$n --set train.tiles_memory=400KiB
    has "the others are read ahead" "$T/err" "beyond train.tiles_memory are read ahead of the computation"
    ok "the same model, byte for byte" cmp "$(model all$n)" "$(model some$n)"
    same "the same losses and validations" "$(figures some$n)" "$(figures all$n)"
done
ok "validation took place" grep -q valid_top1 work/models/some2/log.jsonl
exits "simclr, where a tile is asked for twice" 0 \
    mpi 2 "$TRAIN" $S $R --set train.method=simclr --set train.run=two --set train.tiles_memory=250KiB
exits "simclr with all" 0 mpi 2 "$TRAIN" $S $R --set train.method=simclr --set train.run=simclr
ok "the same model" cmp "$(model two)" "$(model simclr)"
exits "too little for the next steps: exit 2" 2 mpi 2 "$TRAIN" $S $R --set train.run=none --set train.tiles_memory=200KiB
has "said" "$T/err" "cannot hold the tiles of the next steps"

# ---- on the way ----
plate=$(ls work/tiles/*.h5 | head -n 1)
cp "$plate" kept.h5
# begun NAME LINES ARGS...: a run of 100,000 steps on 2 ranks in the background, once LINES of them are logged; its process to $pid
begun() {
    "$MPIRUN" --oversubscribe -n 2 "$TRAIN" $S --set train.steps=100000 --set train.run="$1" --set train.tiles_memory=250KiB "${@:3}" \
        >"$T/out" 2>"$T/err" </dev/null &
    pid=$!
    for _ in $(seq 600); do
        [ -e "work/models/$1/log.jsonl" ] && [ "$(wc -l <"work/models/$1/log.jsonl")" -ge "$2" ] && return
        kill -0 $pid 2>/dev/null || return
        sleep 0.05
    done
}
ended() { # waits for $pid, a minute at most: its exit status
    ( sleep 60; kill -9 $pid ) 2>/dev/null &
    local watch=$!
    wait $pid
    echo $? >"$T/rc"
    kill $watch 2>/dev/null
}
begun cut 2 --set train.valid_every=3
truncate -s 30000 "$plate"
ended
same "a file that is cut while it is read: exit 1" "$(cat "$T/rc")" 1
has "is named" "$T/err" "$(basename "$plate")"
same "once" "$(grep -c 'micon-train: error' "$T/err")" 1
cp kept.h5 "$plate"
begun zeros 2 --set train.valid_every=3
size=$(stat -c %s "$plate")
dd if=/dev/zero of="$plate" bs=1024 seek=$((size * 4 / 10240)) count=$((size * 2 / 10240)) conv=notrunc status=none
ended
same "tiles that change while they are read: exit 1" "$(cat "$T/rc")" 1
has "said" "$T/err" "changed or damaged"
cp kept.h5 "$plate"
begun asked 2
kill -TERM "$(pgrep -P $pid | tail -n 1)" # mpirun itself would end the job
ended
same "SIGTERM: exit 75" "$(cat "$T/rc")" 75
has "and said" "$T/err" "stopped on request after step"
ok "with a checkpoint" ls work/models/asked/checkpoints/step-*.safetensors
tap_done

#!/usr/bin/env bash
# train_stopped.sh -- micon-train stopped by signals and started again: the same bytes as of a run in one go.   run: long limit=240
. "$(dirname "$0")/../tap.sh"
. "$(dirname "$0")/../train_stop.sh"
cd "$T" || exit 1
export OMP_NUM_THREADS=1
TRAIN=$BIN/micon-train
quiet mpi 2 "$BIN/micon-simulate" --out screen --sources 2 --batches 2 --wells 8 --sites 2 --compounds 3 --size 48
cd screen || exit 1
S="screen.yaml --set tile.size=32 --set featurize.bits=64 --set train.batch=4 --set train.precision=fp32 --set train.dim=10
   --set train.projection=8"
C="--set train.steps=8 --set train.checkpoint_steps=2"
quiet mpi 2 "$BIN/micon-tile" $S
quiet "$BIN/micon-featurize" $S
model() { echo "work/models/$1/model.safetensors"; }
bytes() { cmp "$(model "$1")" "$(model whole)"; }
exits "8 steps in one go" 0 mpi 2 "$TRAIN" $S $C --set train.run=whole
stopped asked 3 USR1 mpirun
same "SIGUSR1: exit 75" "$(cat "$T/rc")" 75
has "and said" "$T/err" "stopped on request after step"
exits "the same command again" 0 mpi 2 "$TRAIN" $S $C --set train.run=asked
ok "SIGUSR1 to the job: the same bytes in the end" bytes asked
stopped term 3 TERM rank
same "SIGTERM: exit 75" "$(cat "$T/rc")" 75
exits "the same command again" 0 mpi 2 "$TRAIN" $S $C --set train.run=term
ok "SIGTERM: the same bytes in the end" bytes term
stopped job 3 TERM mpirun # mpirun passes it on, and kills what has not ended a second later
not_ok "SIGTERM to the job ends it" test "$(cat "$T/rc")" = 0
ok "no model yet" test ! -e "$(model job)"
exits "the same command again" 0 mpi 2 "$TRAIN" $S $C --set train.run=job
has "goes on" "$T/err" "resuming after step"
ok "SIGTERM to the job: the same bytes in the end" bytes job
stopped damaged 5 KILL rank
cp -r work/models/damaged work/models/more
newest=$(ls work/models/damaged/checkpoints/*.safetensors | tail -n 1)
same "two checkpoints are kept" "$(ls work/models/damaged/checkpoints | wc -l)" 2
printf '\252\125' | dd of="$newest" bs=1 seek=$(($(stat -c %s "$newest") / 2)) conv=notrunc status=none
exits "a damaged checkpoint" 0 mpi 2 "$TRAIN" $S $C --set train.run=damaged
has "is named" "$T/err" "$(basename "$newest")"
has "and the one before it used" "$T/err" "using the checkpoint before it"
ok "with the same bytes in the end" bytes damaged
exits "another number of ranks goes on" 0 mpi 3 "$TRAIN" $S $C --set train.run=more
has "from where it was" "$T/err" "resuming after step"
exits "--force" 0 mpi 2 "$TRAIN" $S $C --set train.run=more --force
hasnt "begins anew" "$T/err" "resuming after step"
ok "with the same bytes in the end" bytes more
tap_done

#!/usr/bin/env bash
# run: long limit=150
# A real SLURM: a screen submitted with arrays, submitted twice, a task killed, a bad plate, the controller restarted.
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
. tests/slurm/cluster.sh
slurm_or_skip "$0"
. tests/driver.sh
real_bin() { PATH=${PATH#"$ROOT/tests/fakebin:"}; }
real_bin
cd "$SCREEN" || exit 1
table s1/b1/P1 s1/b1/P2 s2/b1/P1 >load_data.csv
stages featurize tile train embed evaluate
screen <<<'slurm: {plates_per_task: 1, mem: 1GiB, time: 5}'
export SLURM_MORE=MaxArraySize=2
ok "SLURM is up" slurm_up 2 2
submit() { micon submit screen.yaml -n 1 "$@"; }
outputs() { (cd work && ls tiles/*.h5 compounds.h5 models/*/*.safetensors embeddings/*/*.h5 profiles/*.h5ad 2>/dev/null | wc -l); }

# ---- all of it ----
exits "a partition that is not there" 1 submit --set slurm.partition=gpu
has "is named" "$T/err" "this cluster has no partition 'gpu'; it has: main"
exits "more memory than every node has" 1 submit --set slurm.mem=80GiB
has "says how much that is" "$T/err" "the largest node of the partition has 67.1 GB"
same "nothing was queued" "$(squeue -h | wc -l)" 0
exits "submit" 0 submit
same "MaxArraySize: two arrays for three plates" "$(grep -c '^\[micon\] tile: job' "$T/err")" 2
exits "submit again, while it runs" 0 submit
has "nothing is doubled" "$T/err" "nothing to submit"
micon status screen.yaml >"$T/status"
has "status shows jobs" "$T/status" "  job "
ok "all jobs end" slurm_idle 60
same "all outputs are there" "$(outputs)" 9
same "each step was done once" "$(wc -l <"$FAKE/calls")" 9
exits "now nothing is to do" 0 submit
has "says so" "$T/err" "nothing to submit"
rm -f "$FAKE/calls"

# ---- a task killed, a plate with damaged images; the night goes on within max_bad_plates ----
rm -rf work
echo "tile s1/b1/P2" >"$FAKE/fail"
exits "submit" 0 submit --set slurm.max_bad_plates=0.4
ok "all jobs end" slurm_idle 60
same "all but the bad plate, of tiles and embeddings" "$(outputs)" 7
ok "to the profiles" test -e work/profiles/micon.h5ad
ok "its log is there" grep -rqF "the images are damaged" work/status/slurm
micon status screen.yaml --json >"$T/json"
same "the tiles and embeddings of the bad plate are to do, nothing else" \
    "$(grep -cE '"state": "(failed|to do)"' "$T/json") $(grep -c '"state": "done"' "$T/json")" "2 7"
rm -rf work "$FAKE/fail" "$FAKE/calls"
echo 20 >"$FAKE/sleep"
exits "the gate is closed without that" 0 submit --set slurm.max_bad_plates=0 --stage featurize,tile,train
slurm_wait 20 'grep -q tile "$FAKE/calls"'
victim=$(pgrep -f "bash $MICON_BIN/micon-tile " | head -n 1)
rm "$FAKE/sleep"
# No step sleeps longer than it has to: those that began earlier are told to end.
kill -KILL "$victim" 2>/dev/null; pkill -TERM -x sleep
ok "one was killed" test -n "$victim"
ok "all jobs end" slurm_idle 60
same "the other plates stand" "$(ls work/tiles | wc -l)" 2
not_ok "what was held back was not started" test -e work/models/micon/model.safetensors

# ---- the controller restarted in the middle ----
rm -rf work "$FAKE/calls"
exits "submit" 0 submit
slurm_wait 20 'grep -q tile "$FAKE/calls"'
ok "the controller comes back" slurm_controller_restart
ok "all jobs end" slurm_idle 60
same "all outputs are there" "$(outputs)" 9

# ---- a real stage on two ranks ----
if [ -x "$BIN/micon-tile" ]; then
    . "$ROOT/tests/tile_screen.sh"
    tile_screen "$T/real" 2 1 64 64
    cd "$T/real" || exit 1
    export MICON_BIN=$BIN MPIRUN=mpirun
    exits "submit real tiles" 0 "$BIN/micon" submit screen.yaml -n 2 --stage tile --set slurm.mem=1GiB --set slurm.time=5
    ok "the job ends" slurm_idle 60
    exits "the tiles stand" 0 "$BIN/micon" verify work/tiles/S1__*__P1.h5
    exits "and are up to date" 0 "$BIN/micon" submit screen.yaml --stage tile
    has "says the plan" "$T/err" "nothing to submit"
    exits "by srun" 0 "$BIN/micon" submit screen.yaml -n 2 --stage tile --force --set slurm.mem=1GiB --set slurm.time=5 \
        --set slurm.launcher=srun
    ok "the job ends" slurm_idle 60
    exits "the tiles are whole" 0 "$BIN/micon" verify work/tiles/S1__*__P1.h5
    hasnt "none was alone" "$(ls -t work/status/slurm/tile-*.log | head -n 1)" "this one is alone"
    ok "the status file knows the job" grep -q '"job": "[0-9]' work/status/tile/*.json
else
    skip "a real stage on SLURM" "micon-tile is not built"
fi
tap_done

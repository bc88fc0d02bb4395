#!/usr/bin/env bash
# run: limit=200
# What a step is, told the same way by status, plan, run and rerun: after Ctrl-C in each stage, after SIGKILL of the driver, of mpirun and
# of a program, and while SLURM jobs wait, run and are killed. status exits with 1 where a step has failed.
. tests/tap.sh
. tests/driver.sh
cd "$SCREEN" || exit 1
screen </dev/null
table s1/b1/P1 s1/b1/P2 s2/b1/P1 >load_data.csv
stages featurize tile train embed evaluate
run() { micon run screen.yaml -n 2 "$@"; }
: >"$FAKE/reports"
status_of() { micon status screen.yaml --json 2>"$T/err" | sed -n \
    "s/.*\"stage\": \"$1\", \"plate\": \([^,]*\), \"state\": \"\([a-z ]*\)\".*/\2/p" | sort -u | xargs; }
# begin STAGE ARGS: a run, up to where a program of that stage runs (and would for long)
begin() {
    local stage=$1
    shift
    rm -f "$FAKE/calls"
    echo 30 >"$FAKE/sleep"
    set -m
    "$MICON_BIN/micon" run screen.yaml -n 2 --stage "$stage" "$@" >"$T/out" 2>"$T/run.err" &
    pid=$!
    set +m
    for _ in $(seq 200); do grep -q "^$stage" "$FAKE/calls" 2>/dev/null && break; sleep 0.05; done
    rm -f "$FAKE/sleep"
}
rank_of() { pgrep -P "$pid" -f "micon-$1" | head -n 1; }
gone() { for _ in $(seq 200); do pgrep -f "$MICON_BIN/micon-" >/dev/null || return 0; sleep 0.05; done; return 1; }
stories() { # WHAT STATE STATUS_EXIT FAILED_EXIT: status, its exit, and whether rerun --failed finds something
    local stage=$3
    same "$1: status says $2" "$(status_of "$stage" | grep -ow "$2")" "$2"
    exits "$1: status exits with $4" "$4" micon status screen.yaml
    micon plan screen.yaml --stage "$stage" >"$T/plan"
    not_ok "$1: the plan has it to do" grep -q "Nothing to do" "$T/plan"
    if [ "$4" = 1 ]; then
        has "$1: how it is run again" "$T/err" "failed; to run"
        exits "$1: rerun --failed runs it" 0 micon rerun screen.yaml --failed -n 2
        hasnt "$1: and did something" "$T/err" "nothing to do"
    else
        exits "$1: rerun --failed has nothing" 1 micon rerun screen.yaml --failed -n 2
        has "$1: and says so" "$T/err" "no step has failed"
        exits "$1: run goes on" 0 run --stage "$stage"
        hasnt "$1: with something" "$T/err" "nothing to do"
    fi
    same "$1: then it is done" "$(status_of "$stage")" "done"
    exits "$1: and status is content" 0 micon status screen.yaml
}

# ---- Ctrl-C during each stage ----
for stage in featurize tile train embed evaluate; do
    begin $stage
    kill -INT $pid; wait $pid 2>/dev/null; gone
    stories "Ctrl-C in $stage" stopped $stage 0
done
begin tile --force
kill -INT $pid; wait $pid 2>/dev/null; gone
same "Ctrl-C of --force: what was there is up to date" "$(status_of tile)" "done"
exits "for run too" 0 run --stage tile
has "which has nothing to do" "$T/err" "nothing to do"

# ---- SIGKILL ----
rm -rf work/models work/status/train
begin train
kill -KILL $pid; wait $pid 2>/dev/null; gone
stories "SIGKILL of the driver" failed train 1
rm -rf work/models work/status/train
begin train
kill -KILL "$(rank_of train)"; wait $pid 2>/dev/null; same "SIGKILL of a program: run exits with 1" $? 1
micon status screen.yaml >"$T/status" 2>/dev/null
has "status says by what, and where the log is" "$T/status" \
    "failed train whole screen: killed by signal 9 (log: work/status/train/micon.log)"
micon status screen.yaml --json >"$T/json" 2>/dev/null
has "--json has the log" "$T/json" '"log": "work/status/train/micon.log"'
has "and the count" "$T/json" '"failed": 1,'
micon status screen.yaml --html "$T/status.html" >/dev/null 2>&1
has "--html: the page says what failed" "$T/status.html" "train whole screen: killed by signal 9"
has "in its cell too" "$T/status.html" '<td class="failed" title="killed by signal 9'
hasnt "it refreshes itself only with --watch" "$T/status.html" http-equiv
stories "SIGKILL of a program" failed train 1
begin train --force
kill -KILL "$(rank_of train)"; wait $pid 2>/dev/null
has "with an earlier output: the plan lets the stage look" <(micon plan screen.yaml --stage train) "the last try failed; see micon status"
stories "SIGKILL of a program with --force" failed train 1
mv "$MICON_BIN/micon-train" "$T/train"; printf '#!/bin/sh\nexit 5\n' >"$MICON_BIN/micon-train"; chmod +x "$MICON_BIN/micon-train"
exits "a program that cannot start" 1 run --stage train --force
mv "$T/train" "$MICON_BIN/micon-train"
stories "a program that cannot start" failed train 1

# ---- a process of the same number, which is another ----
mkdir -p work/status/train; rm -rf work/models work/status/train/*
claim() { echo "{\"state\": \"running\", \"host\": \"$(hostname)\", \"space\": \"$1\", \"birth\": \"$2\", \"pid\": $$}" \
    >work/status/train/micon.json; }
claim "" ""
same "a program that runs is running" "$(status_of train)" running
claim "" 17
same "a later process of its number is not it" "$(status_of train)" failed
claim 00000000000000aa 17
same "in another container nobody can tell" "$(status_of train)" running
rm -rf work/status/train

for f in "status/tile/s1__b1__P1.json" "status/slurm.json" "status/rates.json"; do
    mkdir -p work/status/tile; rm -f "work/$f"; mkfifo "work/$f"
done
exits "named pipes in the place of records: status does not wait" 0 timeout 20 "$MICON_BIN/micon" status screen.yaml
rm -f work/status/*.json work/status/tile/*.json

# ---- SLURM: queued, running, a serial task's waiting plates, killed ----
rm -rf work "$FAKE"/queue "$FAKE"/job "$FAKE"/sbatch.* "$FAKE/calls"
run --stage featurize >/dev/null 2>&1
exits "submit, three plates a task" 0 micon submit screen.yaml --set slurm.plates_per_task=3
micon status screen.yaml >"$T/status"
hasnt "status with jobs: somebody is active" "$T/status" "no run is active"
has "the jobs" "$T/status" "jobs of SLURM queued or running"
same "all plates are queued" "$(status_of tile)" queued
has "the plan knows" <(micon plan screen.yaml) "queued now"
tile=$(sed -n 's/.*"stage": "tile", "gate": false, "job": "\([0-9]*\)".*/\1/p' work/status/slurm.json)
sed -i "s/^\(${tile}_0\)|PENDING|.*/\1|RUNNING|None/" "$FAKE/queue"
same "a task runs: its first plate does, the others wait" "$(status_of tile)" "queued running"
same "one of three" "$(micon status screen.yaml --json | grep -c '"stage": "tile".*"state": "running"')" 1
report() { mkdir -p work/status/tile; echo \
    "{\"state\": \"$2\", \"message\": \"$3\", \"job\": \"$tile\", \"task\": \"0\", \"host\": \"n7\", \"pid\": 5}" \
    >"work/status/tile/$1.json"; }
state() { micon status screen.yaml --json 2>"$T/err" | sed -n \
    "s|.*\"stage\": \"tile\", \"plate\": \"$1\", \"state\": \"\([a-z ]*\)\".*|\1|p"; }
report s1__b1__P1 failed "all images are damaged"
mkdir -p work/status/slurm; echo "micon-tile: error: all images are damaged" >"work/status/slurm/tile-${tile}_0.log"
same "the first has failed: the second runs, the third waits" "$(state s1/b1/P1) $(state s1/b1/P2) $(state s2/b1/P1)" \
    "failed running queued"
micon status screen.yaml >"$T/status" 2>"$T/err"; same "status exits with 1" $? 1
has "the failed plate's log is the job's" "$T/status" "all images are damaged (log: work/status/slurm/tile-${tile}_0.log)"
report s1__b1__P2 running ""
same "the second reports: no other runs" "$(state s1/b1/P1) $(state s1/b1/P2) $(state s2/b1/P1)" "failed running queued"
grep -v "^${tile}_" "$FAKE/queue" >"$T/queue"; cp "$T/queue" "$FAKE/queue"
same "the job was killed: so was the plate that ran" "$(state s1/b1/P2) $(state s2/b1/P1)" "failed to do"
rm -f work/status/tile/*.json
same "a job that ended in silence" "$(state s1/b1/P1)" failed
has "is named, with its log" <(micon status screen.yaml 2>/dev/null) \
    "job ${tile}_0 ended before the program reported anything (log: work/status/slurm/tile-${tile}_0.log)"
rm -rf work/status/slurm*; : >"$FAKE/queue"
run >/dev/null 2>&1
exits "training again, as a job" 0 micon submit screen.yaml --stage train --force
train=$(sed -n 's/.*"stage": "train", "gate": false, "job": "\([0-9]*\)".*/\1/p' work/status/slurm.json)
sed -i "s/^$train|.*/$train|RUNNING|None/" "$FAKE/queue"
same "its job runs: training is not done, whatever an earlier one left" "$(status_of train)" running
: >"$FAKE/queue"
same "the job is gone: it is" "$(status_of train)" "done"
exits "no failure: exit 0" 0 micon status screen.yaml --json
tap_done

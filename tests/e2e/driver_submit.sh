#!/usr/bin/env bash
# run: limit=60
# micon submit against a stand-in for SLURM: the exact sbatch lines, arguments as data, no doubling; the job scripts without SLURM.
. tests/tap.sh
. tests/driver.sh
cd "$SCREEN" || exit 1
table s1/b1/P1 s1/b1/P2 s2/b1/P1 >load_data.csv
stages featurize tile train embed evaluate
screen <<'Y'
slurm: {partition: cpu, account: "my lab", extra: --qos=night --comment=x, throttle: 2, plates_per_task: 2, mem: 3GiB, time: 90}
Y
submit() { micon submit screen.yaml "$@"; }
lines() { local n; for n in "$FAKE"/sbatch.[0-9]*; do tr '\0' ' ' <"$n"; echo; done; }

submit --dry-run >"$T/dry" 2>"$T/err"; same "--dry-run ends with 0" $? 0
golden "--dry-run prints the sbatch lines" "$T/dry" submit-dry.txt
not_ok "and does nothing" test -e "$FAKE/job" -o -e work
screen </dev/null
submit --dry-run -n 8 >"$T/dry" 2>"$T/err"
golden "time and memory from the estimate, short plates packed" "$T/dry" submit-auto.txt

# ---- the memory of the nodes, not of the machine where this is typed ----
mem_of() { sed -n "s/.*job-name=micon-$1 .*--mem=\([0-9]*\)M .*/\1/p" "$T/dry"; }
printf 'cpu*|3000\nbig|1000000\nbig|500000\nbigger|2000000+\n' >"$FAKE/nodes"
submit --dry-run -n 8 >"$T/dry" 2>"$T/err"
same "no job asks for more than a node of the default partition has" "$(mem_of train)" 3000
table $(seq -f s1/b1/P%g 200) >load_data.csv
many=(--dry-run --set tile.tiles_per_site=64 --set tile.size=512)
submit "${many[@]}" --set slurm.partition=big >"$T/dry" 2>"$T/err"
ok "training may keep in memory what a node of the partition holds" test "$(mem_of train)" -gt 50000 -a "$(mem_of train)" -le 1000000
submit "${many[@]}" --set slurm.partition=cpu >"$T/dry" 2>"$T/err"
same "and no more than that" "$(mem_of train)" 3000
rm "$FAKE/nodes"
for n in 1 4; do
    submit --dry-run -n 8 --set slurm.train.ntasks_per_node=$n --set train.memory=1GiB >"$T/dry" 2>"$T/err"
    mem_of train
done >"$T/mem"
ok "train.memory is of a rank: of the ranks of a node, whatever -n is" test "$(($(tail -n 1 "$T/mem") - $(head -n 1 "$T/mem")))" -gt 4600 \
    -a "$(($(tail -n 1 "$T/mem") - $(head -n 1 "$T/mem")))" -lt 5600
truncate -s 700M table.csv.gz
submit --dry-run --set evaluate.profiles=table.csv.gz >"$T/dry" 2>"$T/err"
ok "an outside table takes memory by its size" test "$(mem_of evaluate)" -gt 12000
rm table.csv.gz
table s1/b1/P1 s1/b1/P2 s2/b1/P1 >load_data.csv

screen <<<'slurm: {throttle: 2, plates_per_task: 2}'
exits "submit" 0 submit
lines >"$T/lines"; golden "what sbatch was given" "$T/lines" submit-lines.txt
mapfile -d '' -t args <work/status/slurm/tile-1/0.1
same "arguments of the second plate of the first task" "${args[*]}" "$SCREEN/screen.yaml --plate s1/b1/P2"
same "two tasks" "$(ls work/status/slurm/tile-1 | tr '\n' ' ')" "0.0 0.1 1.0 "
ok "the jobs are recorded" test -e work/status/slurm.json

# ---- twice ----
rm "$FAKE"/sbatch.[0-9]*; : >"$FAKE/sbatch.101"
exits "a second submit while all is queued" 0 submit
has "says that it is" "$T/err" "tile: 3 steps are already in the queue"
has "and submits nothing" "$T/err" "nothing to submit"
same "indeed" "$(ls "$FAKE"/sbatch.* | wc -l)" 1
exits "run while jobs are queued" 1 micon run screen.yaml
has "says which" "$T/err" "SLURM jobs are using this work folder; wait for them, or: scancel 10"
micon status screen.yaml --json >"$T/json"
same "status shows them as queued" "$(grep -c '"state": "queued"' "$T/json")" 9
micon status screen.yaml >"$T/status"
has "and the jobs" "$T/status" "gate of tile"
printf '102_1|RUNNING|None|501\n103|PENDING|Dependency|103\n' >"$FAKE/queue"
mkdir -p work/tiles
for j in 500.0 501.1 103.0; do echo half >"work/tiles/x.h5.part.$j"; done
for j in 101 102 103 104 105 106 107; do : >"$FAKE/sbatch.$j"; done
"$MICON_BIN/micon-tile" screen.yaml --plate s1/b1/P1
exits "some tasks are still queued, others ended badly" 0 submit
has "only the missing plate of an ended task" "$T/err" "tile: job 109, 1 task, 1 step"
same "what an ended job left half-written is removed, of others not" "$(cd work/tiles && echo *.part.*)" "x.h5.part.103.0 x.h5.part.501.1"
has "the running one is not submitted again" "$T/err" "tile: 1 step is already in the queue"
has "the new gate waits for the old array too" <(tr '\0' ' ' <"$FAKE/sbatch.110") "--dependency=afterany:102:109 "

# ---- a second run in the same work folder: it waits for the tiles of the first, not for its training ----
rm -rf work "$FAKE"/queue
after() { local n; for n in $(seq "$1" "$(cat "$FAKE/job")"); do tr '\0' '\n' <"$FAKE/sbatch.$n" |
    sed -n -e 's/^--job-name=micon-//p' -e 's/^--dependency=/ /p'; done | tr -d '\n'; }
jobs() { sed -n "s/.*\"stage\": \"$1\", \"gate\": $2, \"job\": \"\([0-9]*\)\".*/\1/p" work/status/slurm.json | xargs; }
exits "one run" 0 submit --set train.run=A
first=$(($(cat "$FAKE/job") + 1)) gate=$(jobs tile true) table=$(jobs featurize false)
exits "and another" 0 submit --set train.run=B
has "the tiles are its own already" "$T/err" "tile: 3 steps are already in the queue"
hasnt "the training is not" "$T/err" "train: 1 step is already"
same "its jobs wait for tiles and for its own" "$(after "$first")" \
    "train afterok:$table:${gate}embed afterok:$table:$gate:${first}gate-embed afterany:$((first + 1))evaluate afterok:$((first + 2))"
rm "$FAKE/queue"; sed 's/$/|1/' >"$FAKE/queue" <<<"$(for j in $(jobs '[a-z]*' '[a-z]*'); do echo "$j|PENDING|None"; done)"
exits "both are in the queue" 0 submit --set train.run=A
has "all of it" "$T/err" "nothing to submit"
same "and both recorded" "$(jobs train false | wc -w) $(jobs embed true | wc -w)" "2 2"
sed -i 's/\("gate": true, .*"tasks": \)\[[^]]*\]/\1[]/' work/status/slurm.json
exits "a record of before gates told what they wait for" 0 submit --set train.run=A
has "counts" "$T/err" "nothing to submit"

# ---- what SLURM may say ----
rm -rf work "$FAKE"/queue; touch "$FAKE/sbatch.refuse"
exits "sbatch refuses" 1 submit
has "its words are shown" "$T/err" "sbatch refused (exit 1): sbatch: error: Batch job submission failed: Invalid account"
rm "$FAKE/sbatch.refuse"; touch "$FAKE/squeue.down"
exits "the controller is down" 1 submit
has "its words are shown" "$T/err" "Unable to contact slurm controller"
rm "$FAKE/squeue.down"
PATH=$T/absent exits "no SLURM here" 1 "$MICON_BIN/micon" submit screen.yaml
has "says what to do" "$T/err" "micon submit needs SLURM ('micon run' does the same on this machine): sbatch is not installed"
MICON_HOME=$T/absent exits "no job scripts" 1 submit
has "says what to do" "$T/err" "set MICON_HOME"
exits "nothing to do" 0 submit --stage featurize --set evaluate.profiles=x.csv
has "says so" "$T/err" "nothing to submit"

# ---- site.env, and a home with a blank ----
home="$T/a home"; mkdir "$home"; cp -r "$ROOT/jobs" "$home/jobs"
printf "MICON_BIN='/opt/x'\nSLURM_ACCOUNT='of site'\nSLURM_PARTITION='part'\n" >"$home/site.env"
MICON_HOME=$home micon submit screen.yaml --dry-run >"$T/dry" 2>"$T/err"
has "account of the site" "$T/dry" "'--account=of site'"
has "partition of the site" "$T/dry" "--partition=part "
MICON_HOME=$home micon submit screen.yaml --dry-run --set slurm.partition=mine >"$T/dry" 2>"$T/err"
has "the configuration wins" "$T/dry" "--partition=mine "

# ---- the job scripts themselves: what submit wrote, run as SLURM would ----
nasty='$(touch hacked);`touch hacked`'" 'x\" &
b"
table "s 1/b1/$nasty" s1/b1/P1 >load_data.csv
rm -rf work "$FAKE"/queue "$FAKE"/args.*
exits "submit plates with names that a shell would act upon" 0 submit --set slurm.plates_per_task=2
job() { (cd "$ROOT" && SLURM_ARRAY_TASK_ID=${2-} bash jobs/stage.sh "$1" --args "$SCREEN/work/status/slurm/$1-1"); }
job tile 0 >"$T/out" 2>"$T/err"; same "jobs/stage.sh tile, of task 0" $? 0
ok "the name arrives as it is" grep -qzF -- "s 1/b1/\$(touch hacked)" "$FAKE"/args.tile.*
ok "the second plate of the task was done" test -e work/tiles/s1__b1__P1.h5
not_ok "nothing of the name was run" test -e hacked -o -e "$ROOT/hacked" -o -e work/hacked
echo "tile s1/b1/P1" >"$FAKE/fail"; rm -f "$FAKE/calls" work/tiles/*
job tile 0 >"$T/out" 2>"$T/err"; same "a plate fails: so does the task" $? 1
same "but all its plates were tried" "$(grep -c '^tile' "$FAKE/calls")" "$(ls work/status/slurm/tile-1 | wc -l)"
rm "$FAKE/fail"
(cd "$ROOT" && bash jobs/gate.sh --args "$SCREEN/work/status/slurm/gate-tile-1") >"$T/out" 2>"$T/err"; same "the gate is closed" $? 1
has "and says why" "$T/err" "more than slurm.max_bad_plates allows"

# ---- the gate ----
table s1/b1/P1 s1/b1/P2 s2/b1/P1 >load_data.csv
for p in s1/b1/P1 s2/b1/P1; do "$MICON_BIN/micon-tile" screen.yaml --plate $p; done
exits "one of three plates is missing" 1 micon gate screen.yaml --stage tile
has "names it" "$T/out" "tile: s1/b1/P2 is not complete: not made yet"
exits "of one plate that stands" 0 micon gate screen.yaml --stage tile --plate s2/b1/P1
has "that one counts" "$T/out" "1 of 1 plates complete"
rm -rf "$FAKE/queue" work/status/slurm*
exits "submit of plates" 0 submit --plate s2/b1/P1 --plate P2 --force
mapfile -d '' -t args <work/status/slurm/gate-tile-1/0.0
same "the gate is asked for these" "${args[*]}" "$SCREEN/screen.yaml --stage tile --plate s2/b1/P1 --plate P2"
exits "half may be" 0 micon gate screen.yaml --stage tile --set slurm.max_bad_plates=0.5
for p in s1/b1/P1 s2/b1/P1; do "$MICON_BIN/micon-embed" screen.yaml --plate $p; done
exits "embeddings stand though a plate has no tiles" 0 micon gate screen.yaml --stage embed --set slurm.max_bad_plates=0.5
has "two of three" "$T/out" "2 of 3 plates complete"
printf 'digest,size,mtime_ns,path\n%s,12,13,%s\n' 00000000000000aa work/tiles/s1__b1__P1.h5 >work/status/embed/micon/s1__b1__P1.inputs
exits "not those of tiles that were computed again" 1 micon gate screen.yaml --stage embed --set slurm.max_bad_plates=0.5
has "says why" "$T/out" "embed: s1/b1/P1 is not complete: s1__b1__P1.h5 was changed"
exits "a gate wants one stage" 2 micon gate screen.yaml

# ---- a job that SLURM killed: it says for ever that it runs ----
says() { echo '{"state": "running", "host": "elsewhere", "pid": 1, "job": "900", "task": "1", "done": 0, "total": 4}' \
    >work/status/tile/s1__b1__P2.json; }
state() { micon status screen.yaml --json 2>"$T/err" | sed -n \
    "s/.*\"stage\": \"tile\", \"plate\": \"s1.b1.P2\", \"state\": \"\([a-z ]*\)\".*/\1/p"; }
rm -rf "$FAKE/queue" work/status/slurm* work/tiles/s1__b1__P2.h5; says
echo '900_1|RUNNING|None|901' >"$FAKE/queue"
same "in the queue it runs" "$(state)" running
exits "nothing has failed" 1 micon rerun screen.yaml --failed --dry-run
: >"$FAKE/queue"
touch "$FAKE/squeue.down"
same "SLURM is silent: that is what is known" "$(state)" running
has "and it is said" "$T/err" "cannot query the SLURM queue"
rm "$FAKE/squeue.down"
same "it is in the queue no more" "$(state)" failed
exits "rerun --failed" 0 micon rerun screen.yaml --failed --dry-run
has "makes it again" "$T/out" "--plate s1/b1/P2"
same "and nothing else" "$(wc -l <"$T/out")" 1

# ---- a folder that a group shares: jobs of others are asked for ----
other=$(getent passwd daemon | cut -d: -f3)
if [ -n "$other" ] && [ "$other" != "$(id -u)" ]; then
    rm work/status/tile/s1__b1__P2.json
    exits "submit" 0 submit
    has "says whose job it is" work/status/slurm.json "\"uid\": $(id -u), "
    sed -i "2s/\"uid\": [0-9]*/\"uid\": $other/; 3s/\"uid\": [0-9]*/\"uid\": 4000000000/; 4s/\"uid\": [0-9]*, //" work/status/slurm.json
    rm "$FAKE/squeue.args"
    exits "run" 1 micon run screen.yaml
    has "theirs are asked for, not of who is gone" "$FAKE/squeue.args" "--user=$(id -u),$other "
    exits "submit again" 0 submit
    same "whose each is stays" "$(grep -c "\"uid\": $other," work/status/slurm.json) $(grep -c "\"uid\": $(id -u)," \
        work/status/slurm.json)" "1 $(($(grep -c uid work/status/slurm.json) - 2))"
    rm -rf work/status/slurm* "$FAKE/queue"; says
    if chown "$other" work/status/tile/s1__b1__P2.json 2>/dev/null; then
        same "a job of another, started by hand" "$(state)" failed
        has "was asked for too" <(tail -n 1 "$FAKE/squeue.args") "--user=$(id -u),$other "
    else
        skip "a job of another, started by hand" "chown wants root"
    fi
    rm -f work/status/tile/s1__b1__P2.json
else
    skip "jobs of others" "there is no other user"
fi

# ---- train.sh: told that its time is up, it saves itself and goes back into the queue ----
echo 30 >"$FAKE/sleep"; : >"$FAKE/stop"; rm -f "$FAKE/calls"
(cd "$ROOT" && SLURM_JOB_ID=77 exec bash jobs/train.sh "$SCREEN/screen.yaml") >"$T/out" 2>"$T/err" &
pid=$!
for _ in $(seq 100); do grep -q train "$FAKE/calls" 2>/dev/null && break; sleep 0.05; done
sleep 0.2; kill -USR1 $pid; wait $pid; same "exit 75" $? 75
has "training was asked to save itself" "$FAKE/calls" "train - stopped"
same "and the job requeued" "$(cat "$FAKE/scontrol")" "requeue 77"
rm -f "$FAKE/sleep" "$FAKE/stop"
(cd "$ROOT" && SLURM_JOB_ID=77 bash jobs/train.sh "$SCREEN/screen.yaml"); same "uninterrupted: exit 0" $? 0
tap_done

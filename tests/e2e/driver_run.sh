#!/usr/bin/env bash
# run: limit=120
# micon run, rerun, status, clean, and the lock of the work folder.
. tests/tap.sh
. tests/driver.sh
cd "$SCREEN" || exit 1
screen </dev/null
table s1/b1/P1 s1/b1/P2 s2/b1/P1 >load_data.csv
stages featurize tile train embed evaluate
run() { micon run screen.yaml -n 2 "$@"; }
calls() { sort "$FAKE/calls" 2>/dev/null | tr '\n' ';'; rm -f "$FAKE/calls"; }
state() { micon status screen.yaml --json "${@:3}" | /usr/bin/env sed -n \
    "s/.*\"stage\": \"$1\", \"plate\": $2, \"state\": \"\([a-z ]*\)\".*/\1/p"; }

# ---- all of it ----
run --dry-run >"$T/dry" 2>"$T/err"; same "--dry-run ends with 0" $? 0
golden "--dry-run prints the commands" "$T/dry" run-dry.txt
not_ok "and does nothing" test -e work
exits "a run" 0 run
same "each step once, plates side by side" "$(calls)" \
    "embed s1/b1/P1 ranks=1;embed s1/b1/P2 ranks=1;embed s2/b1/P1 ranks=1;evaluate - ranks=2;featurize - ranks=2;\
tile s1/b1/P1 ranks=1;tile s1/b1/P2 ranks=1;tile s2/b1/P1 ranks=1;train - ranks=2;"
has "a line a stage" "$T/err" "tile: 3 of 3 plates done"
not_ok "the lock is gone" test -e work/status/lock
exits "again: nothing to do" 0 run
has "says so" "$T/err" "nothing to do"
same "and nothing was started" "$(calls)" ""
exits "--force on a stage" 0 run --stage tile --plate P2 --force
same "just that, with all ranks" "$(calls)" "tile s1/b1/P2 ranks=2 force;"
not_ok "never world-writable" sh -c 'find work -perm -002 ! -type l | grep .'

# ---- two runs in one work folder ----
calls >/dev/null
exits "another run" 0 run --set train.run=other
same "makes what is its own" "$(calls)" \
    "embed s1/b1/P1 ranks=1;embed s1/b1/P2 ranks=1;embed s2/b1/P1 ranks=1;evaluate - ranks=2;train - ranks=2;"
for r in micon other; do
    micon plan screen.yaml --set train.run=$r >"$T/plan"
    has "$r: nothing to do" "$T/plan" "Nothing to do"
done
echo "embed s1/b1/P2" >"$FAKE/fail"
exits "a plate of one fails" 1 run --set train.run=other --stage embed --plate P2 --force
same "status of that run knows" "$(state embed '"s1\/b1\/P2"' --set train.run=other)" failed
same "of the other it stays done" "$(state embed '"s1\/b1\/P2"')" "done"
rm "$FAKE/fail" "$FAKE/calls"
exits "clean removes what is of one run" 0 micon clean screen.yaml --set train.run=other --stage embed --yes
not_ok "its records" test -e work/status/embed/other
same "of the other it stays" "$(echo work/status/embed/*/*.made | wc -w)" 3
exits "of all stages of a run" 0 micon clean screen.yaml --set train.run=other --stage train --stage evaluate --yes
same "the records of train and evaluate are that run's only" "$(cd work/status && echo train/*.made evaluate/*.made)" \
    "train/micon.made evaluate/micon.made"

# ---- a record of another file than the one that stands ----
f=work/embeddings/micon/s1__b1__P1.h5
touch -d 2001-01-01 $f
{ echo digest,size,mtime_ns,path; for g in work/embeddings/micon/*.h5; do echo \
    "00000000000000$([ "$g" = $f ] && echo ff || echo aa),$(stat -c %s "$g"),$(date -r "$g" +%s%N),$g"; done; } \
    >work/status/evaluate/micon.inputs
same "does not make the report stale" "$(state evaluate null)" "done"

# ---- a stage of the whole screen that fails ----
echo "train -" >"$FAKE/fail"
exits "training fails" 1 run --set train.run=third
has "the stage's last line says so" "$T/err" "train: 1 failed, "
rm "$FAKE/calls"

# ---- a plate that fails ----
rm -rf work
echo "tile s1/b1/P2" >"$FAKE/fail"
exits "a plate fails, and is too much of a screen of three" 1 run
has "what" "$T/err" \
    "failed: tile s1/b1/P2: micon-tile: error: rank 0: s1/b1/P2: the images are damaged (log: work/status/tile/s1__b1__P2.log)"
has "how again" "$T/err" "to run only these again: micon run screen.yaml --stage tile --plate s1/b1/P2"
has "why nothing else came" "$T/err" "1 of 3 plates failed, more than slurm.max_bad_plates allows"
same "the other plates were done" "$(calls)" "featurize - ranks=2;tile s1/b1/P1 ranks=1;tile s1/b1/P2 ranks=1;tile s2/b1/P1 ranks=1;"
same "status knows" "$(state tile '"s1\/b1\/P2"')" failed
has "the plan too" <(micon plan screen.yaml) "failed before; see micon status"
same "of the others too" "$(state tile '"s1\/b1\/P1"')" "done"
micon status screen.yaml >"$T/status"; golden "micon status" "$T/status" status-failed.txt
exits "with max_bad_plates the rest goes on" 1 run --set slurm.max_bad_plates=0.5
same "all but what the bad plate feeds" "$(calls)" \
    "embed s1/b1/P1 ranks=1;embed s2/b1/P1 ranks=1;evaluate - ranks=2;tile s1/b1/P2 ranks=2;train - ranks=2;"
rm "$FAKE/fail"
exits "rerun --failed" 0 micon rerun screen.yaml --failed -n 2
same "just the failed one" "$(calls)" "tile s1/b1/P2 ranks=2;"
has "says what is out of date now" "$T/err" "these stages may now be out of date: train, embed, evaluate"
exits "rerun of nothing" 2 micon rerun screen.yaml
exits "rerun of what failed, where nothing did" 1 micon rerun screen.yaml --failed
has "says so" "$T/err" "none of the chosen steps can run here: no step has failed"
exits "rerun a plate of a stage" 0 micon rerun screen.yaml --stage tile --plate s2/b1/P1
has "computed again" "$FAKE/calls" "tile s2/b1/P1 "
has "with --force" "$FAKE/calls" " force"
rm "$FAKE/calls"

# ---- stopping, and going on ----
rm -rf work
echo 30 >"$FAKE/sleep"
set -m # else bash has its background ignore SIGINT
"$MICON_BIN/micon" run screen.yaml -n 2 >"$T/out" 2>"$T/run.err" &
pid=$!
set +m
for _ in $(seq 100); do grep -q featurize "$FAKE/calls" 2>/dev/null && break; sleep 0.05; done
exits "a second run at the same time" 1 run
has "says who" "$T/err" "another run is active in this work folder: $(id -un) on $(hostname)"
has "and what to do" "$T/err" "If it has ended, remove work/status/lock"
micon status screen.yaml >"$T/status"
has "status says who" "$T/status" "micon run screen.yaml"
has "a step that has said nothing yet is running" "$T/status" "running featurize whole screen: started, no progress reported yet"
t0=$SECONDS
kill -INT $pid; wait $pid; same "Ctrl-C: exit 75" $? 75
has "the stage's last line says so" "$T/run.err" "featurize: 1 stopped, "
same "a stop is no error" "$(grep -c "stopped on request" "$T/run.err") $(grep -c "error" "$T/run.err")" "1 0"
ok "at once" [ $((SECONDS - t0)) -lt 5 ]
not_ok "nothing is left running" pgrep -f "$MICON_BIN/micon-featurize"
not_ok "no lock is left" test -e work/status/lock
rm -f "$FAKE/sleep" "$FAKE/calls"
exits "the next run goes on" 0 run
run --force --stage tile >"$T/out" 2>"$T/err"
echo 30 >"$FAKE/sleep"; : >"$FAKE/stop"; rm -f work/models/micon/* "$FAKE/calls"
nohup "$MICON_BIN/micon" run screen.yaml -n 2 >"$T/out" 2>"$T/err" &
pid=$!
for _ in $(seq 100); do grep -q train "$FAKE/calls" 2>/dev/null && break; sleep 0.05; done
kill -HUP $pid; sleep 0.3
hasnt "under nohup it does not mind that its terminal goes" "$T/err" "stopping"
kill -TERM $pid; wait $pid; same "stopped while training: exit 75" $? 75
has "training was asked to save itself" "$FAKE/calls" "train - stopped"
has "and has all the time it wants" "$T/err" \
    "stopping after training has finished its step and saved a checkpoint (a second request kills it); finished"
has "then the same command goes on" "$T/err" "stopped on request; to resume: micon run screen.yaml"
rm -f "$FAKE/sleep" "$FAKE/stop" "$FAKE/calls"

# ---- a stop asked for again: ranks that do not listen, in groups of their own as Open MPI's are, and what they have started, are killed
# ----
mkdir -p deaf
long=$((100000 + $$)) # seconds, and a name that no other test has
printf '%s\n' '#!/usr/bin/env bash' 'trap "" INT TERM USR1' "setsid bash -c 'trap \"\" INT TERM; sleep $long & wait' &" 'wait' >deaf/mpirun
chmod +x deaf/mpirun
deaf() { PATH="$PWD/deaf:$PATH" MPIRUN=mpirun "$MICON_BIN/micon" run screen.yaml -n 2 --force --stage featurize >"$T/out" 2>"$T/run.err"; }
set -m
deaf &
pid=$!
set +m
for _ in $(seq 100); do pgrep -f "sleep $long" >/dev/null && break; sleep 0.05; done
ok "a rank that does not listen runs" pgrep -f "sleep $long"
driver=$(pgrep -f -o "$MICON_BIN/micon run screen.yaml -n 2 --force --stage featurize")
kill -INT "$driver"; sleep 0.5
ok "asked once: it runs on" pgrep -f "sleep $long"
kill -INT "$driver"; wait $pid; same "asked twice: exit 75" $? 75
not_ok "and nothing is left running" pgrep -f "sleep $long"
has "with --force the same command would begin again" "$T/run.err" "The same command starts over; micon run screen.yaml resumes"
not_ok "nor locked" test -e work/status/lock

# ---- status while a run is active ----
echo 1 >"$FAKE/sleep"
"$MICON_BIN/micon" run screen.yaml -n 2 --force --stage tile >"$T/out" 2>"$T/err" &
pid=$!
for _ in $(seq 100); do grep -q tile "$FAKE/calls" 2>/dev/null && break; sleep 0.05; done
micon status screen.yaml --json >"$T/json"
has "--json: a run is active" "$T/json" '"active": true'
has "who" "$T/json" '"run": "'"$(id -un) on $(hostname)"
if /usr/bin/python3 -c '' 2>/dev/null; then ok "it is JSON" /usr/bin/python3 -c \
    'import json, sys; assert len(json.load(open(sys.argv[1]))["steps"]) == 9' "$T/json"; else skip "it is JSON" "no python3"; fi
exits "--watch ends with the run" 0 timeout 30 "$MICON_BIN/micon" status screen.yaml --watch --interval 1
ok "after several looks" [ "$(grep -c '^screen ' "$T/out")" -ge 2 ]
has "the last one: nothing runs" <(tail -n 12 "$T/out") "no run is active here"
wait $pid
rm -f "$FAKE/sleep" "$FAKE/calls"

# ---- kill -9, and the lock of a dead run ----
echo 30 >"$FAKE/sleep"
"$MICON_BIN/micon" run screen.yaml -n 2 >"$T/out" 2>"$T/err" &
pid=$!
for _ in $(seq 100); do grep -q train "$FAKE/calls" 2>/dev/null && break; sleep 0.05; done
kill -KILL $pid; wait $pid 2>/dev/null
ok "the lock stays" test -e work/status/lock
for _ in $(seq 100); do pgrep -f "$MICON_BIN/micon-train" >/dev/null || break; sleep 0.05; done
not_ok "but nothing runs on" pgrep -f "$MICON_BIN/micon-train"
rm -f "$FAKE/sleep" "$FAKE/calls"
part=work/models/micon/model.safetensors.part
echo half >"$part.$(hostname)-4194305"; echo half >"$part.elsewhere-1"; echo half >"$part.12.0"
small=(work/status/rates.json work/status/tile/s1__b1__P1.made work/status/embed/micon/s1__b1__P1.made work/choices/x.txt
    work/reports/micon/report/a.png)
for f in "${small[@]}"; do mkdir -p "${f%/*}"; echo half >"$f.part.$(hostname)-4194305"; done
exits "the next run takes it over" 0 run
same "nor is anything left of small files" "$(find work -name "*.part.$(hostname)-4194305")" ""
same "what the dead one left half-written is removed, of others not" "$(ls "$part".* | sed 's/.*part.//' | xargs)" "12.0 elsewhere-1"
rm "$part".*
has "and says so" "$T/err" "removed the stale lock of dead process"
printf 'elsewhere\n1\n77\nsomeone\n2026-01-01 00:00\nmicon run x.yaml\n' >work/status/lock
exits "a lock of another host is kept" 1 run --force
has "who" "$T/err" "someone on elsewhere (process 1) since 2026-01-01 00:00: micon run x.yaml"
: >work/status/lock
exits "an unreadable lock" 1 run --force
has "what to do" "$T/err" "work/status/lock cannot be read; if no run is active here, remove it"
rm work/status/lock

# ---- what cannot be ----
mv work kept
exits "a stage whose inputs are not made" 1 run --stage train
has "names the stages and what to do" "$T/err" \
    "1 step could not start: the output of featurize, tile is missing; make it first: micon run screen.yaml"
rm -rf work "$FAKE/calls"; mv kept work
mv "$MICON_BIN/micon-evaluate" "$T/away"
exits "only a stage that is not built" 1 run --stage evaluate
has "is an error" "$T/err" "none of the chosen steps can run here: program micon-evaluate is not built"
mv "$T/away" "$MICON_BIN/micon-evaluate"
exits "a folder for the configuration" 2 micon run .
has "says which file" "$T/err" ". is a folder; the configuration is a file in it: ./screen.yaml?"
MPIRUN=no-such-mpirun exits "no mpirun" 1 run --force
has "says what to do" "$T/err" "load an MPI module, or set MPIRUN"
if [ "$(id -u)" = 0 ] && unshare --mount true 2>/dev/null; then
    unshare --mount bash -c 'mount -t tmpfs none work && mount -o remount,ro work && exec "$@"' - "$MICON_BIN/micon" run screen.yaml \
        >"$T/out" 2>"$T/err"
    same "a work folder that cannot be written: exit 1" $? 1
    has "says so" "$T/err" "Read-only file system"
else
    skip "a work folder that cannot be written" "mounting wants root"
fi
exits "an unknown group" 2 run --force --set screen.group=no-such-group
has "names it" "$T/err" "no group 'no-such-group'"
group=$(id -Gn | tr ' ' '\n' | grep -vx "$(id -gn)" | head -n 1)
[ "$(id -u)" = 0 ] && group=daemon
if [ -n "$group" ]; then
    (umask 000; run --set screen.group="$group" --set screen.work=shared) >"$T/out" 2>"$T/err"; same \
        "a group, and a umask that forbids nothing" $? 0
    same "every output is the group's" "$(find shared ! -group "$group" | wc -l) $(find shared -type f -group "$group" | grep -c h5)" "0 8"
    not_ok "which may write all of it" sh -c 'find shared ! -perm -020 | grep .'
    not_ok "and nobody else" sh -c 'find shared -perm -002 | grep .'
    (umask 077; run --set screen.group="$group" --set screen.work=shared2) >"$T/out" 2>"$T/err"
    not_ok "a umask that forbids all makes way for the group" sh -c 'find shared2 ! -perm -020 | grep .'
    rm -rf shared shared2
else
    skip "files of a group" "$(id -un) is in one group only"
fi
rm -f "$FAKE/calls"

# ---- names that a shell would act upon ----
nasty='$(touch hacked);`touch hacked`'" 'x\" &"
table "s 1/b1/$nasty" >load_data.csv
rm -rf work; rm -f "$FAKE"/args.*
run --stage tile >"$T/out" 2>"$T/err"
ok "the name arrives as it is" grep -qzxF -- "s 1/b1/$nasty" "$FAKE"/args.tile.*
not_ok "and nothing of it was run" test -e hacked
echo "tile s 1/b1/$nasty" >"$FAKE/fail"
run --stage tile --force >"$T/out" 2>"$T/err"
again=$(sed -n 's/.*to run only these again: //p' "$T/err")
rm -f "$FAKE"/args.* "$FAKE/fail"
(eval "micon() { '$MICON_BIN/micon' \"\$@\"; }; $again") >"$T/out" 2>"$T/err"
ok "the command to do it again can be pasted into a shell" grep -qzxF -- "s 1/b1/$nasty" "$FAKE"/args.tile.*
not_ok "and nothing of the name was run" test -e hacked

# ---- calibrate ----
table s1/b1/P1 s1/b1/P2 s2/b1/P1 >load_data.csv
rm -rf work "$FAKE/calls"; echo "train -" >"$FAKE/fail"
exits "plan --calibrate" 0 micon plan screen.yaml -n 2 --calibrate
same "a stage over plates is measured on one rank" "$(grep -c '^tile - ranks=1$' "$FAKE/calls")" 2
has "what fails is said, and keeps its rate" "$T/err" "train could not be measured (micon-train: error: rank 0"
hasnt "what needs it is not tried" "$FAKE/calls" "embed"
ok "the rates are kept" grep -q '"factor": {"featurize": ' work/status/rates.json
not_ok "the sample is gone" test -e work/status/calibrate
not_ok "and no output was made" test -e work/tiles
hasnt "the plan uses them" "$T/out" "built in"
rm "$FAKE/fail"

# ---- clean ----
table s1/b1/P1 s1/b1/P2 s2/b1/P1 >load_data.csv
rm -rf work; run >"$T/out" 2>"$T/err"
echo mine >work/tiles/notes.txt; echo image >work/tiles/a.tif; mkdir elsewhere; echo x >elsewhere/y.h5; ln -s ../../elsewhere \
    work/tiles/link
exits "clean asks" 1 micon clean screen.yaml
has "nothing was removed" "$T/err" "nothing was removed"
ok "indeed" test -e work/tiles/s1__b1__P1.h5
exits "clean --dry-run" 0 micon clean screen.yaml --dry-run --stage tile
ok "removes nothing" test -e work/tiles/s1__b1__P1.h5
exits "clean --yes of a stage" 0 micon clean screen.yaml --stage tile --yes
not_ok "its outputs are gone" test -e work/tiles/s1__b1__P1.h5
ok "others' are not" test -e work/compounds.h5
ok "what is not ours stays" test -e work/tiles/notes.txt -a -e work/tiles/a.tif
ok "links are not followed" test -e elsewhere/y.h5
echo yes | micon clean screen.yaml >"$T/out" 2>"$T/err"; same "answered with yes" $? 0
not_ok "all outputs are gone" test -e work/compounds.h5
ok "inputs are there" test -e load_data.csv -a -e screen.yaml

# ---- check ----
exits "check finds what is missing" 1 micon check screen.yaml
has "the images" "$T/out" "P1"
exits "a file that is not there" 1 micon check screen.yaml --set embed.model=none.safetensors
has "names key and file" "$T/out" "embed.model: none.safetensors: No such file"
has "how controls and treatments are known" "$T/out" "wells: 3 treated; 3 control (3: screen.control 'JCP2022_033924'); 0 empty"
printf 'PK\3\4......................' >w.pth
exits "weights of PyTorch" 1 micon check screen.yaml --set train.weights=w.pth --set train.method=pretrained
has "how to convert them" "$T/out" "torch.load('w.pth', map_location='cpu', weights_only=True)"
exits "a method without what it needs" 1 micon check screen.yaml --set train.method=pretrained
has "says so" "$T/out" "train.method: pretrained needs train.weights"
exits "no structures" 1 micon check screen.yaml
has "says who needs them" "$T/out" "train.method: micon learns from structures"
printf 'JCP2022,SMILES\nJCP2022_033924,\n' >few.csv
exits "too few structures" 1 micon check screen.yaml --set screen.compound=few.csv
has "a treatment without" "$T/out" "'JCP2022_000001' has no SMILES in screen.compound; complete the table"
has "the control without" "$T/out" "'JCP2022_033924' has no SMILES in screen.compound: add its row"
mkdir -p images/P1 && echo no image >images/P1/A01_1_d.tif
exits "a file that is no image" 1 micon check screen.yaml
has "is opened" "$T/out" "channel DNA: images/P1/A01_1_d.tif: "
exits "an outside table that is not there" 1 micon check screen.yaml --set 'evaluate.profiles=tabel*.csv'
has "names key and pattern" "$T/out" "evaluate.profiles: no file matches tabel*.csv"
ln -s nowhere table.csv
exits "or cannot be read" 1 micon check screen.yaml --set 'evaluate.profiles=t*le.csv'
has "names it" "$T/out" "evaluate.profiles: table.csv: No such file"
rm table.csv; : >table.csv
exits "one that is there" 0 micon check screen.yaml --set evaluate.profiles=table.csv
tap_done

#!/usr/bin/env bash
# run: long limit=500
# micon run with the real stages: names that a shell would act upon, from the tables to the report; stopped while it tiles and while it
# trains, and going on from there; a full disk, a disk that cannot be written.
. tests/tap.sh
unset MICON_BIN MICON_HOME SLURM_JOB_ID SLURM_RESTART_COUNT
micon() { "$BIN/micon" "$@"; }
bad='$(touch "$T/hacked"); `touch hacked` && x'"'"' "y" | *
end'
dir="$T/a screen"; mkdir -p "$dir"
mpi 2 "$BIN/micon-simulate" --out "$dir/$bad" --sources 2 --batches 2 --wells 12 --sites 4 --compounds 4 --size 128 --quiet; same \
    "a screen in such a folder" $? 0
cd "$dir/$bad" || exit 1
# Plate, batch, compound: the cells of the tables, quoted as CSV wants it.
cell="\"${bad//\"/\"\"}\""
shopt -u patsub_replacement 2>/dev/null   # bash 5.2: & is a letter
rename() { local t; t=$(cat "$1"); t=${t//,S1B01P001,/,$cell,}; t=${t//,Batch1,/,$cell,}; printf '%s\n' \
    "${t//JCP2022_2/JCP \$(touch hacked)\' 2}" >"$1"; }
for f in images/*/load_data.csv; do rename "$f"; done
for f in metadata/*.csv.gz; do gunzip "$f"; rename "${f%.gz}"; done
cat >screen.yaml <<'Y'
screen: {name: "$(touch hacked)' \"x", index: images/*/load_data.csv, plate: metadata/plate.csv, well: metadata/well.csv,
         compound: metadata/compound.csv, control: JCP2022_033924, work: "w ork'$(touch hacked)"}
tile: {size: 32}
featurize: {bits: 64}
train: {run: "run $(touch hacked)' x", steps: 30, batch: 8, dim: 40, projection: 16, checkpoint_steps: 2}
Y
work="w ork'\$(touch hacked)"
find "$T" -path "$T/a screen/*" -type f -newermt 1990-01-01 ! -path "*/w ork*" | sort >"$T/before"
exits "micon check" 0 micon check screen.yaml
exits "micon plan" 0 micon plan screen.yaml

# ---- stopped while it tiles ----
left() { pgrep -f "$BIN/micon-$1 .*screen.yaml" | while read -r p; do [ "$(readlink "/proc/$p/cwd")" = "$PWD" ] && echo "$p"; done; }
set -m # else bash has its background ignore SIGINT
"$BIN/micon" run screen.yaml -n 2 >"$T/out" 2>"$T/err" </dev/null &
pid=$!
set +m
for _ in $(seq 2000); do ls "$work"/tiles/*.part.* >/dev/null 2>&1 && break; sleep 0.01; done
kill -INT $pid; wait $pid; same "Ctrl-C while tiling: exit 75" $? 75
has "says how to go on" "$T/err" "stopped on request; to resume: micon run"
same "no stage is left running" "$(left tile)" ""

# ---- and while it trains ----
log="$work/models/run%20%24%28touch%20hacked%29%27%20x/log.jsonl"
"$BIN/micon" run screen.yaml -n 2 >"$T/out" 2>"$T/err" </dev/null &
pid=$!
for _ in $(seq 1500); do [ -e "$log" ] && [ "$(wc -l <"$log")" -ge 3 ] && break; sleep 0.05; done
not_ok "nothing half-written is left of the stopped tiling" ls "$work"/tiles/*.part.*
kill -TERM $pid; wait $pid; same "SIGTERM while training: exit 75" $? 75
same "no stage is left running" "$(left train)" ""
steps=$(wc -l <"$log")
micon status screen.yaml >"$T/status"
has "status shows it as stopped" "$T/status" "stopped train whole screen"
exits "the same command goes on" 0 micon run screen.yaml -n 2
ok "with what was trained" grep -q "resuming after step" "$work"/status/train/*.log
grep -o "train: [0-9]* of [0-9]* steps" "$T/err" | head -n 1 | sed 's/^/# /'
same "each step once" "$(sed 's/.*"step": \([0-9]*\),.*/\1/' "$log" | xargs)" "$(seq 30 | xargs)"
echo "# stopped after $steps steps"

# ---- what is done ----
ok "the report is there" test -s "$work"/reports/run*/report.html
same "a file a plate" "$(ls "$work"/tiles/*.h5 | wc -l) $(ls "$work"/embeddings/*/*.h5 | wc -l)" "4 4"
exits "and nothing is left to do" 0 micon run screen.yaml
has "says so" "$T/err" "nothing to do"
exits "the plate by its name" 0 micon plan screen.yaml --plate "source_1/$bad/$bad"
exits "computed again" 0 micon rerun screen.yaml --stage tile --plate "source_1/$bad/$bad"
not_ok "nothing of a name was ever run" sh -c "find '$T' / -maxdepth 1 -name hacked | grep . || find '$dir' -name hacked | grep ."
find "$T" -path "$T/a screen/*" -type f ! -path "*/w ork*" | sort >"$T/after"
ok "outside the work folder nothing was made" diff "$T/before" "$T/after"
not_ok "never world-writable" sh -c 'find "$1" -perm -002 ! -type l | grep .' - "$work"

# ---- disks ----
if [ "$(id -u)" = 0 ] && unshare --mount true 2>/dev/null; then
    cd "$T" || exit 1
    mkdir full
    printf 'screen: {index: %s/images/*/load_data.csv, well: %s/metadata/well.csv.gz, compound: %s/metadata/compound.csv.gz, %s}\n' \
        plain plain plain 'control: JCP2022_033924, work: full/work' >full.yaml
    mpi 2 "$BIN/micon-simulate" --out plain --sources 1 --batches 1 --wells 6 --sites 1 --compounds 2 --size 96 --quiet
    on() { unshare --mount bash -c 'mount -t tmpfs -o "$1" none full && shift && "$@"' - "$@" >"$T/out" 2>"$T/err" </dev/null; }
    on size=64k "$BIN/micon" run full.yaml --stage tile --set tile.size=96; same "a full disk: exit 1" $? 1
    ok "is named as such" grep -qiE "no space|only .* left" "$T/err"
    on size=4k sh -c 'head -c 9999 /dev/zero >full/zero; exec "$@"' - "$BIN/micon" run full.yaml --stage tile; same \
        "not a byte is left: exit 1" $? 1
    has "says so" "$T/err" "No space left on device"
    on size=1m sh -c 'mount -o remount,ro full; exec "$@"' - "$BIN/micon" plan full.yaml; same \
        "micon plan on a disk that cannot be written" $? 0
    on size=1m sh -c 'mount -o remount,ro full; exec "$@"' - "$BIN/micon" check full.yaml; same "micon check: exit 1" $? 1
    has "says what cannot be written" "$T/out" "the work folder cannot be written"
    on size=1m sh -c 'mount -o remount,ro full; exec "$@"' - "$BIN/micon" run full.yaml; same "micon run: exit 1" $? 1
    has "says why" "$T/err" "Read-only file system"
else
    skip "full and read-only disks" "mounting wants root"
fi
tap_done

#!/usr/bin/env bash
# run: long limit=120
# micon-simulate from outside: the same bytes from any number of ranks, reruns, refusals, options, a killed run.
. "$(dirname "$0")/../tap.sh"
P=$BIN/micon-simulate
SMALL=(--size 64 --wells 24 --sites 1 --compounds 5 --sources 3 --batches 1)

# print a digest of all files below a folder and their names
digest() { (cd "$1" && find . -type f | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum | cut -d' ' -f1); }
parts() { find "$1" -name '*.part.*' | wc -l; }

exits "one rank" 0 "$P" --out "$T/one" "${SMALL[@]}"
want=$(digest "$T/one")
for n in 2 3; do
    exits "$n ranks" 0 mpi $n "$P" --out "$T/n$n" "${SMALL[@]}"
    same "the same bytes from $n ranks" "$(digest "$T/n$n")" "$want"
done
exits "without the vector levels (the sanitized build has none)" 0 env ASAN_OPTIONS=detect_leaks=0 \
    "$ROOT/build/debug-address/bin/micon-simulate" --out "$T/plain" "${SMALL[@]}"
same "the same bytes" "$(digest "$T/plain")" "$want"
same "five files a well and source" "$(find "$T/one" -name '*.tif' | wc -l)" $((24 * 3 * 5))
exits "another seed" 0 "$P" --out "$T/seed" "${SMALL[@]}" --seed 2
not_ok "is another screen" cmp -s "$T/one/images/source_1__Batch1__S1B01P001/Images/A01_s1_DNA.tif" \
    "$T/seed/images/source_1__Batch1__S1B01P001/Images/A01_s1_DNA.tif"

# ---- again ----
victim=$T/one/images/source_3__Batch1__S3B01P001/Images/B02_s1_ER.tif
before=$(stat -c %Y.%i "$T/one/images/source_1__Batch1__S1B01P001/Images/A01_s1_DNA.tif")
rm "$victim"; : > "${victim/ER/RNA}"
exits "a rerun finishes what is missing or empty" 0 "$P" --out "$T/one" "${SMALL[@]}"
same "with the same bytes" "$(digest "$T/one")" "$want"
has "and says how much" "$T/err" "1 fields of view drawn, 71 already present"
same "and leaves the rest alone" "$(stat -c %Y.%i "$T/one/images/source_1__Batch1__S1B01P001/Images/A01_s1_DNA.tif")" "$before"
printf garbage > "$victim"
exits "--force draws all anew" 0 "$P" --out "$T/one" "${SMALL[@]}" --force --quiet
same "to the same bytes" "$(digest "$T/one")" "$want"
same "--quiet is" "$(wc -c < "$T/err")" 0

# ---- folders that are not ours ----
exits "a folder with another screen" 2 "$P" --out "$T/one" "${SMALL[@]}" --seed 3
has "is refused" "$T/err" "holds a screen of other options"
same "and untouched" "$(digest "$T/one")" "$want"
mkdir "$T/other"; echo mine > "$T/other/notes"
exits "a folder with something else" 2 "$P" --out "$T/other" "${SMALL[@]}"
has "is refused too" "$T/err" "holds something else"
same "nothing was added" "$(ls "$T/other")" notes
exits "--force writes there" 0 "$P" --out "$T/other" --size 32 --wells 6 --sites 1 --compounds 2 --sources 1 --batches 2 --force
same "what was there stays" "$(cat "$T/other/notes")" mine
exits "--force replaces another screen" 0 "$P" --out "$T/other" --size 32 --wells 6 --sites 1 --compounds 2 --sources 1 --batches 1 --force
same "no plate of the old one stays" "$(ls "$T/other/images")" source_1__Batch1__S1B01P001
echo > "$T/file"
exits "a file is no folder" 2 "$P" --out "$T/file"
has "and that is said" "$T/err" "not a folder"
exits "a name with spaces, quotes, UTF-8" 0 "$P" --out "$T/a 'b' \"c\" ü" --size 32 --wells 6 --sites 1 --compounds 2 --sources 1 \
    --batches 1
ok "is a name" test -s "$T/a 'b' \"c\" ü/screen.yaml"

# ---- options ----
exits "--help" 0 env OMPI_MCA_btl=nosuch "$P" --help
has "lists the options" "$T/out" "--compounds N"
exits "no --out" 2 "$P"
has "is asked for" "$T/err" "--out"
for bad in "--size 3" "--size big" "--sites 0" "--wells 5" "--wells 1537" "--compounds 460" "--seed -1" "--sources 0" "--colour red" \
    "stray"; do
    # shellcheck disable=SC2086
    exits "$bad" 2 "$P" --out "$T/bad" $bad
    ok "$bad: one line says what" test "$(wc -l < "$T/err")" = 1
done
exits "more compounds than wells" 2 "$P" --out "$T/bad" --wells 24 --compounds 400
has "says what to change" "$T/err" "more --wells, --plates or --batches"
not_ok "a wrong option leaves nothing" test -e "$T/bad"
exits "a folder that cannot be made" 1 "$P" --out /proc/nowhere/x
has "is named" "$T/err" "/proc/nowhere"

# ---- killed, and again ----
BIG=(--size 128 --wells 24 --sites 2 --compounds 5 --sources 3 --batches 1 --quiet)
exits "the screen, undisturbed" 0 "$P" --out "$T/whole" "${BIG[@]}"
for wait in 0.5 0.9; do
    "$P" --out "$T/killed" "${BIG[@]}" 2> /dev/null &
    pid=$!
    sleep $wait
    kill -9 $pid 2> /dev/null
    wait $pid 2> /dev/null
done
same "no plate is listed before it is whole" "$(find "$T/killed" -name load_data.csv | wc -l)" 0
exits "after SIGKILL" 0 "$P" --out "$T/killed" "${BIG[@]}"
same "the same bytes" "$(digest "$T/killed")" "$(digest "$T/whole")"
same "nothing half-done stays" "$(parts "$T/killed")" 0

# ---- a disk that takes no more: a limit on a file's size, above what Open MPI's own files need, below an image's ----
full() { (trap '' XFSZ; ulimit -f 20000; "$@"); }
exits "a full disk" 1 full "$P" --out "$T/full" --size 3300 --wells 6 --sites 1 --compounds 2 --sources 1 --batches 1
has "is said" "$T/err" "_s1_DNA.tif"
same "and leaves no image" "$(find "$T/full" -name '*.tif*' | wc -l)" 0
tap_done

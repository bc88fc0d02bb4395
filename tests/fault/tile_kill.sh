#!/usr/bin/env bash
# run: long limit=200
# micon-tile and micon-measure killed: SIGKILL of a rank at fault points, and of all at any time, leaves no file under a final name, and the
# next run makes the right bytes; so does a full disk. (tile_fault.sh, among the long tests, goes through all fault points of tiles.)
. "$(dirname "$0")/../tap.sh"
. "$ROOT/tests/tile_screen.sh"
tile_screen "$T/s" 2 2 70 64
S=$T/s OUT=$T/s/work/tiles/S1__s__P1.h5
exits "the plate without faults" 0 mpi 1 "$BIN/micon-tile" "$S/screen.yaml" --set tile.memory=1MiB
want=$(sha256sum < "$OUT")
rm -r "$S/work"
final() { find "$S/work/tiles" -name '*.h5' -printf '%f\n' 2>/dev/null; }

# SIGKILL at some fault points: what is left is no final file, and the next run cleans up and finishes.
kill_loop() {
    local n rc bad=0
    for n in 1 3 6 9 12 15; do
        rm -rf "$S/work"
        timeout 60 "$MPIRUN" --oversubscribe -n 2 -x MICON_FAULT="kill:$n:1" "$DEBUG_BIN/micon-tile" "$S/screen.yaml" --quiet > "$T/out" \
            2> "$T/err"
        rc=$?
        [ $rc = 0 ] && continue
        [ -z "$(final)" ] || { bad=1; echo "#   killed at point $n: $(final)"; }
        "$DEBUG_BIN/micon-tile" "$S/screen.yaml" --quiet 2> "$T/err" || { bad=1; cat "$T/err"; }
        [ "$(sha256sum < "$OUT")" = "$want" ] || { bad=1; echo "#   other bytes after point $n"; }
        [ -z "$(find "$S/work" -name '*.part.*')" ] || { bad=1; echo "#   left after point $n: $(find "$S/work" -name '*.part.*')"; }
    done
    [ $bad = 0 ]
}
ok "SIGKILL of a rank at a fault point: no final file, the next run gives the same bytes and leaves nothing" kill_loop

# SIGKILL of everything at any time.
kill_any_time() {
    local ms bad=0 pid
    for ms in 0.05 0.1 0.15 0.2 0.3 0.4; do
        rm -rf "$S/work"
        setsid "$BIN/micon-tile" "$S/screen.yaml" --quiet --set tile.size=256 > /dev/null 2>&1 &
        pid=$!
        sleep $ms
        kill -9 -- -$pid 2>/dev/null
        wait $pid 2>/dev/null
        if [ -n "$(final)" ]; then "$ROOT/build/release/tests/tools/tile_show" "$S/work/tiles/$(final | head -n 1)" > /dev/null ||
            { bad=1; echo "#   after $ms s a file that is not whole"; }; fi
        "$BIN/micon-tile" "$S/screen.yaml" --quiet 2> "$T/err" || { bad=1; cat "$T/err"; }
        [ "$(sha256sum < "$OUT")" = "$want" ] || { bad=1; echo "#   other bytes after $ms s"; }
    done
    [ $bad = 0 ]
}
ok "SIGKILL at any time: no half file, the next run gives the same bytes" kill_any_time

# ---- micon-measure ----
M=$T/m FEATURES=features/micon/source_1__Batch1__S1B01P001 RANK=1
"$BIN/micon-simulate" --out "$M" --sources 1 --batches 1 --wells 6 --sites 1 --size 64 --compounds 1 --quiet
measure() { "$@" "$M/screen.yaml" --set measure.cells=yes --quiet >"$T/out" 2>"$T/err"; }
sums() { sha256sum < "$M/work/$FEATURES.h5" && sha256sum < "$M/work/$FEATURES.cells.h5"; }
left() { find "$M/work" \( -name '*.part.*' -o -name '.micon-rows*' \) -printf '%f '; }
ok "a plate measured without faults" measure "$BIN/micon-measure"
whole=$(sums)
measure_kill() { # POINT... : of rank 1 of 2
    local n bad=0
    for n; do
        rm -rf "$M/work"
        measure timeout 60 "$MPIRUN" --oversubscribe -n 2 -x MICON_FAULT="kill:$n:$RANK" "$DEBUG_BIN/micon-measure" && { bad=1; echo \
            "#   point $n was not reached"; }
        [ ! -e "$M/work/$FEATURES.h5" ] || { bad=1; echo "#   killed at point $n: a final file"; }
        measure "$DEBUG_BIN/micon-measure" || { bad=1; cat "$T/err"; }
        [ "$(sums)" = "$whole" ] || { bad=1; echo "#   other bytes after point $n"; }
        [ -z "$(left)" ] || { bad=1; echo "#   left after point $n: $(left)"; }
    done
    [ $bad = 0 ]
}
ok "measure: SIGKILL of a rank among its sites, and while rows are written: no final file, the next run gives the same bytes" measure_kill \
    1 3 4 5
# Tiles of cells of the same screen.
cells_kill() {
    local ms bad=0 pid want tiles=$M/work/tiles/source_1__Batch1__S1B01P001.h5
    set -- "$BIN/micon-tile" "$M/screen.yaml" --quiet --set tile.crop=cells --set tile.size=32 --set tile.tiles_per_site=4
    "$@" 2>"$T/err" || { cat "$T/err"; return 1; }
    want=$(sha256sum < "$tiles")
    for ms in 0.08 0.15 0.25; do
        rm -rf "$M/work"
        setsid "$@" >/dev/null 2>&1 &
        pid=$!
        sleep $ms
        kill -9 -- -$pid 2>/dev/null
        wait $pid 2>/dev/null
        [ ! -e "$tiles" ] || [ "$(sha256sum < "$tiles")" = "$want" ] || { bad=1; echo "#   after $ms s a file that is not whole"; }
        "$@" 2>"$T/err" || { bad=1; cat "$T/err"; }
        [ "$(sha256sum < "$tiles")" = "$want" ] || { bad=1; echo "#   other bytes after $ms s"; }
        [ -z "$(left)" ] || { bad=1; echo "#   left after $ms s: $(left)"; }
    done
    [ $bad = 0 ]
}
ok "tiles of cells: SIGKILL at any time, the next run gives the same bytes and leaves nothing" cells_kill
rm -rf "$M/work" && mkdir "$M/work"
if ! unshare -m mount -t tmpfs -o size=64k none "$M/work" 2>/dev/null; then
    skip "measure on a full disk" "mounting a tmpfs is not allowed here"
else
    # full K : exit status and files on a disk of K KiB, then with room
    full() {
        unshare -m bash -c 'mount -t tmpfs -o size='"$1"'k none "$1" || exit 99
            "$2" "$3" --set measure.cells=yes --quiet 2>"$4"; echo "$? $(find "$1" -name "*.h5" | wc -l)"
            mount -o remount,size=64m "$1"; "$2" "$3" --set measure.cells=yes --quiet || exit 98
            sha256sum < "$1/$5.h5"; sha256sum < "$1/$5.cells.h5"' - "$M/work" "$BIN/micon-measure" "$M/screen.yaml" "$T/err" "$FEATURES"
    }
    for k in 100 800; do
        same "measure on a disk of $k KiB: exit 1, no file; with room the same bytes" "$(full $k)" "1 0
$whole"
        ok "it says what there is no room for" grep -qE "space|left|reserve" "$T/err"
    done
fi
tap_done

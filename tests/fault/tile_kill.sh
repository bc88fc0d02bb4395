#!/usr/bin/env bash
# run: limit=200
# micon-tile killed: SIGKILL of a rank at fault points, and of all at any time, leaves no file under a final name, and the next run makes
# the right bytes. (tile_fault.sh, among the long tests, goes through all fault points.)
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
tap_done

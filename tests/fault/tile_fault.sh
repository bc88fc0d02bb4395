#!/usr/bin/env bash
# run: long limit=600
# micon-tile under faults: every fault point on either rank fails the stage with that rank's name, no file under a final name, and the next
# run makes the right bytes.
. "$(dirname "$0")/../tap.sh"
. "$ROOT/tests/tile_screen.sh"
tile_screen "$T/s" 2 2 70 64
S=$T/s OUT=$T/s/work/tiles/S1__s__P1.h5
exits "the plate without faults" 0 mpi 1 "$BIN/micon-tile" "$S/screen.yaml" --set tile.memory=1MiB
want=$(sha256sum < "$OUT")
rm -r "$S/work"
final() { find "$S/work/tiles" -name '*.h5' -printf '%f\n' 2>/dev/null; }

# Until the stage finishes because there are no more points.
fault_loop() { # RANKS RANK
    local n=1 rc bad=0
    while [ $n -lt 200 ]; do
        rm -rf "$S/work"
        timeout 60 "$MPIRUN" --oversubscribe -n "$1" -x MICON_FAULT="$n:$2" "$DEBUG_BIN/micon-tile" "$S/screen.yaml" --quiet > "$T/out" \
            2> "$T/err"
        rc=$?
        [ $rc = 0 ] && break
        if [ $rc != 1 ] || [ -n "$(final)" ] || [ "$(grep -c 'error:' "$T/err")" != 1 ]; then
            bad=1
            echo "#   point $n of rank $2: exit $rc, files '$(final)'"
            sed 's/^/#   | /' "$T/err" | head -n 5
        fi
        n=$((n + 1))
    done
    echo "# $((n - 1)) fault points of rank $2 of $1"
    [ $bad = 0 ] && [ $n -gt 5 ] && [ $n -lt 200 ] && [ "$(sha256sum < "$OUT")" = "$want" ]
}
ok "one rank: every fault point is exit 1, one message, no file; then the right file" fault_loop 1 0
ok "two ranks, faults on rank 1" fault_loop 2 1

tap_done

#!/usr/bin/env bash
# run: limit=120
# Real images of four microscopes through micon-tile, compared with what tests/ref/tile_ref.py computed from them
# (tests/ref/tile_real_NAME.txt).
. "$(dirname "$0")/../tap.sh"
. "$ROOT/tests/ref/tile_real.sh"
if [ ! -d "$SHARED_DATA" ]; then
    skip "real images" "no $SHARED_DATA"
    tap_done
fi
for name in cpjump1 imagexpress faim nf1; do
    tile_real "$name" "$SHARED_DATA" "$T/$name"
    exits "$name: runs" 0 mpi 2 "$BIN/micon-tile" "$T/$name/screen.yaml" --quiet --set tile.size=112
    "$ROOT/build/release/tests/tools/tile_show" "$T/$name"/work/tiles/*.h5 > "$T/got.txt"
    ok "$name: every value as in tile_ref.py" diff "$ROOT/tests/ref/tile_real_$name.txt" "$T/got.txt"
done
tap_done

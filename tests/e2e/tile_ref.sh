#!/usr/bin/env bash
# run: limit=120
# micon-tile against tests/ref/tile_ref.py (docs/method.md 2 in numpy, written apart), value for value, on files of every kind; and where
# Python is there, the stored results against the script as it is.
. "$(dirname "$0")/../tap.sh"
SHOW=$ROOT/build/release/tests/tools/tile_show
cp -r "$ROOT/tests/ref/tile_screen" "$T/screen"
while read -r name size tiles illumination low high; do
    exits "$name: runs" 0 mpi 2 "$BIN/micon-tile" "$T/screen/screen.yaml" --quiet --set "screen.work=work_$name" --set "tile.size=$size" \
        --set "tile.tiles_per_site=$tiles" --set "tile.illumination=$illumination" --set "tile.percentile_low=$low" --set \
        "tile.percentile_high=$high"
    "$SHOW" "$T"/screen/work_"$name"/tiles/*.h5 > "$T/got.txt"
    ok "$name: every value as in tile_ref.py" diff "$ROOT/tests/ref/tile_ref_$name.txt" "$T/got.txt"
    if /usr/bin/python3 -c 'import numpy, tifffile, PIL' 2>/dev/null; then
        /usr/bin/python3 "$ROOT/tests/ref/tile_ref.py" "$ROOT/tests/ref/tile_screen/load_data.csv" --channels DNA,ER,Mito --size "$size" \
            --tiles "$tiles" \
            --illumination "$illumination" --low "$low" --high "$high" > "$T/ref.txt"
        ok "$name: the stored result is the script's" diff "$ROOT/tests/ref/tile_ref_$name.txt" "$T/ref.txt"
    else
        skip "$name: the stored result is the script's" "no python3 with numpy, tifffile, PIL"
    fi
done < <(grep -v '^#' "$ROOT/tests/ref/tile_ref.txt")
tap_done

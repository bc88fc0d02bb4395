#!/usr/bin/env bash
# The reference results of tile_ref.txt, by tile_ref.py.
cd "$(dirname "$0")" || exit 1
grep -v '^#' tile_ref.txt | while read -r name size tiles illumination low high; do
    /usr/bin/python3 tile_ref.py tile_screen/load_data.csv --channels DNA,ER,Mito --size "$size" --tiles "$tiles" --illumination \
        "$illumination" \
        --low "$low" --high "$high" > "tile_ref_$name.txt" || exit 1
done

#!/usr/bin/env bash
# run: limit=200
# Real images of five data sets: as many nuclei as a scikit-image pipeline of the same steps finds (tests/ref/cells_counts.txt, made by
# cells_counts.py), within 5 %; and micon-measure on whole screens of them, one of which is not square.
. "$(dirname "$0")/../tap.sh"
. "$ROOT/tests/ref/tile_real.sh"
if [ ! -d "$SHARED_DATA" ]; then
    skip "real images" "no $SHARED_DATA"
    tap_done
fi
while read -r file want option; do
    got=$("$ROOT/build/release/tests/tools/cells_tool" count "$SHARED_DATA/$file" ${option:+"$option"})
    ok "$file: $got nuclei, scikit-image finds $want" awk "BEGIN {d = $got - $want; exit !(d * d <= 0.0025 * $want * $want)}"
done < "$ROOT/tests/ref/cells_counts.txt"
measure() { # NAME KEY=VALUE...
    local name=$1 set=() k; shift
    for k in "$@"; do set+=(--set "$k"); done
    tile_real "$name" "$SHARED_DATA" "$T/$name"
    exits "$name: measured" 0 mpi 2 "$BIN/micon-measure" "$T/$name/screen.yaml" "${set[@]}"
    has "$name: all sites" "$T/err" "$(($(wc -l < "$T/$name/load_data.csv") - 1)) of $(($(wc -l < "$T/$name/load_data.csv") - 1)) sites"
    ok "$name: the file is complete" "$BIN/micon-store" verify "$T/$name"/work/features/micon/*.h5
}
measure cpjump1
measure nf1 cells.nuclei_channel=DAPI cells.cell_channel=RFP
# Windows around cells of an image that is not square are its own pixels.
exits "nf1: tiles of cells" 0 "$BIN/micon-tile" "$T/nf1/screen.yaml" --set tile.crop=cells --set tile.size=96 --set tile.tiles_per_site=8 \
    --set tile.illumination=none --set cells.nuclei_channel=DAPI
"$ROOT/build/release/tests/tools/tile_show" "$T"/nf1/work/tiles/*.h5 > "$T/show"
window() { # WELL X Y: of the first channel, stretched
    local low high file
    read -r _ low _ < <(grep '^low ' "$T/show"); read -r _ high _ < <(grep '^high ' "$T/show")
    file=$(awk -F, -v w="$1" '$2 == w {print $5 "/" $4}' "$T/nf1/load_data.csv")
    "$ROOT/build/release/tests/tools/cells_tool" window "$file" "$2" "$3" 96 "$low" "$high"
}
windows() {
    local well site cell flag at x y channel crc rest n=0
    while read -r well site cell flag at x y; do
        read -r channel crc rest; read -r _; read -r _
        n=$((n + 1))
        [ "$crc" = "$(window "$well" "$x" "$y")" ] || { echo "#   $well $cell at $x $y"; return 1; }
    done < <(grep -v -E '^(low|high|reject)' "$T/show")
    [ $n = 16 ]
}
ok "nf1: sixteen windows hold the image's pixels" windows
measure faim cells.nuclei_channel=w1 cells.cell_channel=w2 cells.split_distance=5
tap_done

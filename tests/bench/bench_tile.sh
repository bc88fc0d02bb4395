#!/usr/bin/env bash
# bench_tile.sh -- micon-tile on 1080 px images: milliseconds an image, against a Python pipeline, against only decoding, and 2 ranks
# against 1. Figures of one core are CPU seconds (user and system), which other programs disturb less than time on the clock; 2 ranks
# against 1 is wall time. The time of a small plate is taken off, so that starting MPI does not count; each figure is the best of three.
. "$(dirname "$0")/../tap.sh"
TOOLS=$ROOT/build/release/tests
BIG=${BENCH_SITES:-200} SMALL=4 C=(DNA ER RNA AGP Mito) bad=0
now() { date +%s.%N; }

# plate DIR SITES KIND: links to 50 different images
plate() {
    local dir=$1 sites=$2 kind=$3 i c n=0 line
    mkdir -p "$dir/images"
    line="Metadata_Plate,Metadata_Well,Metadata_Site"
    for c in "${C[@]}"; do line="$line,FileName_Orig$c,PathName_Orig$c"; done
    echo "$line" > "$dir/load_data.csv"
    echo "Metadata_Plate,Metadata_Well,Metadata_JCP2022" > "$dir/well.csv"
    for i in $(seq 1 "$sites"); do
        line="P1,A01,$i"
        for c in "${C[@]}"; do
            ln -f "$T/pool/$kind$((n % 50)).tif" "$dir/images/$i$c.tif"
            line="$line,$i$c.tif,images"
            n=$((n + 1))
        done
        echo "$line" >> "$dir/load_data.csv"
    done
    echo "P1,A01,DMSO" >> "$dir/well.csv"
    printf 'screen: {name: bench, index: load_data.csv, well: well.csv, control: DMSO}\n' > "$dir/screen.yaml"
}
# least COMMAND... : the least of three numbers that it prints
least() { for _ in 1 2 3; do "$@" || exit 1; done | sort -g | head -n 1; }
# cpu COMMAND... : its CPU seconds
cpu() {
    local t
    t=$( { TIMEFORMAT='%U + %S'; time "$@" >/dev/null 2>"$T/err"; } 2>&1) || { cat "$T/err"; exit 1; }
    echo "$t" | bc -l
}
clock() {
    local t0; t0=$(now)
    "$@" >/dev/null 2>"$T/err" || { cat "$T/err"; exit 1; }
    echo "$(now) - $t0" | bc -l
}
tile() { "$BIN/micon-tile" "$1/screen.yaml" --force --quiet; }
tile_on() { mpi "$1" "$BIN/micon-tile" "$2/screen.yaml" --force --quiet; }
decode() { "$TOOLS/bench/tiff_decode" < "$T/list"; }
# mark NAME FIGURE OP WANTED
mark() {
    printf '%s: %.2f (wanted %s %s)\n' "$1" "$2" "$3" "$4"
    [ "$(echo "$2 $3 $4" | bc -l)" = 1 ] || { echo "    missed"; bad=1; }
}
command -v bc >/dev/null || { echo "bench_tile: bc is not installed"; exit 0; }
mkdir -p "$T/pool"
images=$(( (BIG - SMALL) * 5 ))
for kind in u16 deflate lzw; do
    for n in $(seq 0 49); do "$TOOLS/tools/tiff_make" "$T/pool/$kind$n.tif" 1080 1080 "$n" "$kind"; done
    plate "$T/big" "$BIG" "$kind"; plate "$T/small" "$SMALL" "$kind"
    ls "$T"/big/images/*.tif > "$T/list"; cat $(cat "$T/list") > /dev/null
    each=$(echo "($(least cpu tile "$T/big") - $(least cpu tile "$T/small")) * 1000 / $images" | bc -l)
    decode=$(echo "$(least cpu decode) * 1000 / ($BIG * 5)" | bc -l)
    printf '%s: %.2f ms an image; only decoding %.2f ms\n' "$kind" "$each" "$decode"
    if [ $kind = u16 ]; then
        mark "$kind, ms an image" "$each" '<=' 1.5
        one=$(echo "$(least clock tile_on 1 "$T/big") - $(least clock tile_on 1 "$T/small")" | bc -l)
        two=$(echo "$(least clock tile_on 2 "$T/big") - $(least clock tile_on 2 "$T/small")" | bc -l)
        mark "$kind, 2 ranks against 1, wall time" "$(echo "$one / $two" | bc -l)" '>=' 1.8
    else
        mark "$kind, speed of only decoding" "$(echo "$decode / $each" | bc -l)" '>=' 0.75
    fi
    if [ $kind = lzw ]; then continue; fi   # Debian's tifffile has no LZW
    if peer=$(/usr/bin/python3 "$ROOT/tests/bench/peers/tile_peer.py" "$T/big/load_data.csv" "$T/peer.h5" "${C[@]}" 2>"$T/peer.err"); then
        mark "$kind, against tifffile + numpy + skimage + h5py" "$(echo "$peer * 1000 / ($BIG * 5) / $each" | bc -l)" '>=' \
            "$([ $kind = u16 ] && echo 8 || echo 4)"
    else
        echo "$kind: no comparison with Python: $(tail -n 1 "$T/peer.err")"
    fi
done
rm -rf "$T"
exit $bad

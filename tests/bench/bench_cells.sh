#!/usr/bin/env bash
# bench_cells.sh -- micon-measure on 1080 px, five-channel drawn sites: CPU seconds a site against the PyPI package cp_measure on the same
# label images, images a core-hour against CellProfiler's published 58, and 2 ranks against 1 in wall time. The peer needs a Python with
# cp_measure: MICON_CELLS_PYTHON names it (default: /usr/bin/python3). BENCH_CELL_SITES: sites of the plate (72: with 24, a rank's wait for
# the other's last site, half a site on average, and the start, which does not depend on ranks, are several per cent of two ranks' time).
. "$(dirname "$0")/../tap.sh"
. "$(dirname "$0")/marks.sh"
TOOLS=$ROOT/build/release/tests/tools PYTHON=${MICON_CELLS_PYTHON:-/usr/bin/python3} SITES=${BENCH_CELL_SITES:-72} S=$T/s
timed() { # COMMAND... : its CPU seconds and its wall time
    local t
    t=$( { TIMEFORMAT='%U %S %R'; time "$@" >"$T/out" 2>"$T/err"; } 2>&1) || { cat "$T/err" >&2; exit 1; }
    awk '{ print $1 + $2, $3 }' <<<"$t"
}
cpu() { timed "$@" | cut -d' ' -f1; }
"$BIN/micon-simulate" --out "$S" --sources 1 --batches 1 --wells 12 --sites $(((SITES + 11) / 12)) --size 1080 --compounds 4 --masks yes \
    --quiet
plate=$(echo "$S"/images/*) line=Images
head -n $((SITES + 1)) "$plate/load_data.csv" > "$T/rows" && cp "$T/rows" "$plate/load_data.csv"
cell() { local s=$plate/$line/A01_s1; "$TOOLS/cells_tool" pack "$T/in" "${s}_NucleiObjects.tif" "${s}_CellsObjects.tif" \
    DNA="${s}_DNA.tif" ER="${s}_ER.tif" RNA="${s}_RNA.tif" AGP="${s}_AGP.tif" Mito="${s}_Mito.tif"; }
cell || exit 1
ours=$(least "$(cpu "$TOOLS/cells_tool" measure "$T/in" "$T/ours")" "$(cpu "$TOOLS/cells_tool" measure "$T/in" "$T/ours")")
sed 's/^/    /' "$T/out"
printf 'features of one site: %.2f s of CPU\n' "$ours"
if "$PYTHON" -c 'import cp_measure' 2>/dev/null; then
    export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
    theirs=$(cpu "$PYTHON" "$ROOT/tests/ref/cells_ref.py" measure "$T/in" "$T/theirs")
    printf 'cp_measure: %.1f s\n' "$theirs"
    mark "features, times as fast as cp_measure on the same label images" "$(ratio "$theirs" "$ours")" 40
else
    echo "no comparison: $PYTHON has no cp_measure (pip install cp_measure; MICON_CELLS_PYTHON names another Python)"
fi
measure() { mpi "$1" "$BIN/micon-measure" "$S/screen.yaml" --force --quiet; }
read -r all alone < <(timed measure 1)
read -r both pair < <(timed measure 2)
printf 'cells found and measured: %.2f s of CPU a site; with 2 ranks %.2f\n' "$(ratio "$all" "$SITES")" "$(ratio "$both" "$SITES")"
mark "cells found and measured, times CellProfiler's published 58 images a core-hour" \
    "$(ratio "$(ratio $((SITES * 5 * 3600)) "$all")" 58)" 200
mark "2 ranks against 1, wall time" "$(ratio "$alone" "$pair")" 1.9
rm -rf "$T"
exit $bad

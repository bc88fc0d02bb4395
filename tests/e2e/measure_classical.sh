#!/usr/bin/env bash
# run: long limit=300
# train.method: classical: micon run measures and evaluates, and nothing else; the profiles find compounds again in another batch; stages of
# networks refuse; wells without cells are left out.
. "$(dirname "$0")/../tap.sh"
S=$T/s
classical=(--set train.method=classical --set train.run=classical --set evaluate.select=pycytominer --set "screen.channels=DNA,RNA"
    --set evaluate.null_size=100 --set evaluate.bootstrap=100)
exits "a drawn screen" 0 "$BIN/micon-simulate" --out "$S" --sources 1 --batches 2 --wells 12 --sites 1 --size 256 --compounds 8
sed -i 's/test_batches: 1/test_batches: 0/' "$S/screen.yaml"
exits "micon plan" 0 "$BIN/micon" plan "$S/screen.yaml" "${classical[@]}"
has "measures" "$T/out" "measure    run        2 plates"
hasnt "and tiles nothing" "$T/out" "tile"
exits "micon run" 0 "$BIN/micon" run "$S/screen.yaml" -n 2 "${classical[@]}"
exits "again" 0 "$BIN/micon" run "$S/screen.yaml" -n 2 "${classical[@]}"
has "finds all up to date" "$T/err" "nothing to do"
awk -F, '$1 == "uncorrected" && $2 == "nsb" && $3 == "all" && $4 == 1 {print $5, $8}' "$S/work/reports/classical/metrics.csv" > "$T/nsb"
ok "the first wells elsewhere are of the same compound at least twice as often as by chance" awk '{print "# " $0; exit !($1 >= 2 * $2)}' \
    "$T/nsb"
exits "as tables" 0 "$BIN/micon" export "$S/screen.yaml" "$T/tables" "${classical[@]}"
zcat "$T/tables/classical.raw.csv.gz" | head -1 | tr , '\n' > "$T/columns"
has "features are called as CellProfiler calls them" "$T/columns" "Nuclei_RadialDistribution_FracAtD_DNA_1of4"
has "with their deviations" "$T/columns" "Cells_AreaShape_Solidity_MAD"
exits "micon-train" 2 mpi 1 "$BIN/micon-train" "$S/screen.yaml" "${classical[@]}"
has "has nothing to train" "$T/err" "train.method: classical has no network to train: micon-measure makes its profiles"
exits "micon-embed" 2 mpi 1 "$BIN/micon-embed" "$S/screen.yaml" "${classical[@]}"
has "has nothing to embed with" "$T/err" "train.method: classical has no network to embed with: micon-measure makes its profiles"

# A well whose cells are gone: black pictures.
for f in "$S"/images/source_1__Batch1__S1B01P001/Images/A02_s1_*.tif; do "$ROOT/build/release/tests/tools/tiff_make" "$f" 256 256 1 zero; \
    done
rm "$S"/images/source_1__Batch1__S1B01P001/Images/A02_s1_RNA.tif && cp "$S"/images/source_1__Batch1__S1B01P001/Images/A02_s1_DNA.tif \
    "$S"/images/source_1__Batch1__S1B01P001/Images/A02_s1_RNA.tif
exits "with a well of no cells" 0 "$BIN/micon" run "$S/screen.yaml" -n 1 --stage measure --force --plate S1B01P001 "${classical[@]}"
exits "the others are evaluated" 0 "$BIN/micon" run "$S/screen.yaml" -n 2 "${classical[@]}"
ok "and that is said in the report" grep -q "1 wells of the index have no profile: none of their sites has cells that could be measured" \
    "$S/work/reports/classical/metrics.json"
tap_done

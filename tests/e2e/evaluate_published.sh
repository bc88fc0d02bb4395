#!/usr/bin/env bash
# run: limit=240
# micon-evaluate on the profiles of CPJUMP1 as they are: positive controls are treatments, and all 306 published average precisions of
# compounds (U2OS, 48 h) come out. Without the data: skipped.
. "$(dirname "$0")/../tap.sh"
D=$SHARED_DATA/cpjump1_profiles
if [ ! -e "$D/cellprofiler_replicability_ap.csv" ]; then
    skip "published average precisions" "$D is not here"
    tap_done
fi
cd "$T" || exit 1
cat > screen.yaml <<EOP
screen: {name: cpjump1, work: work}
train: {run: r}
evaluate:
  profiles: "$D/BR0011701*.csv.gz"
  normalize: none
  sphere: none
  negatives: all
  null_size: 1000
  bootstrap: 100
  columns: {batch: Plate}
EOP
exits "four plates, as published" 0 mpi 2 "$BIN/micon-evaluate" screen.yaml
has "positive controls are treated wells" work/reports/r/metrics.json \
    "256 negative controls (Metadata_control_type = negcon: 256), 1280 treated wells"
has "each kind with its count" work/reports/r/metrics.json "Metadata_control_type = poscon_diverse: 112"
has "one plate map: said, with the share" work/reports/r/metrics.json \
    "292 of 306 replicated treatments (95 %) are at one well position on all plates"
# The published values are mean AP minus 3/259, the chance of 3 replicates among 256 controls, in the order of the compounds' names.
awk -F, 'NR > 1 && $1 == "uncorrected" { print $2, $3 }' work/reports/r/compounds.csv | LC_ALL=C sort |
    awk '{ printf "%.12f\n", $2 - 3 / 259 }' > ours
awk -F, '$1 == "compound" && $2 == "U2OS" && $3 == "long" { print $4 }' "$D/cellprofiler_replicability_ap.csv" > published
same "306 compounds" "$(wc -l < ours) $(wc -l < published)" "306 306"
paste -d' ' ours published | awk \
    '{ d = $1 - $2; if (d < 0) d = -d; if (d > worst) worst = d } END { printf "%.2e\n", worst + 0; exit !(NR == 306 && worst <= 1e-9) }' \
    > worst
ok "all published average precisions within 1e-9 ($(cat worst))" test "${PIPESTATUS[1]}" = 0
exits "sphered without ridge" 0 mpi 2 "$BIN/micon-evaluate" screen.yaml --set evaluate.sphere=ZCA --set evaluate.ridge=0
map=$(awk -F, '$1 == "corrected" && $2 == "map_activity" && $3 == "all" { print $5 }' work/reports/r/metrics.csv)
ok "cross-fitted: sphering makes no treatment active that is not (mAP $map; by fitted controls 0.75)" awk "BEGIN { exit !($map < 0.6) }"
exits "the rules of 0.1" 0 "$BIN/micon-evaluate" screen.yaml --set evaluate.recipe=0.1 --force
ok "the rules of 0.1: positive controls among the negatives" grep -q '"controls":496' work/reports/r/metrics.json
tap_done

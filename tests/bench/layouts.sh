#!/usr/bin/env bash
# layouts.sh -- the table "Both layouts, with the truth" of docs/evaluation.md: screens of 72 compounds, a third of them without effect, on
# 6 plates of 6 batches, in fixed and in random layout, without and with effects of positions. Profiles are the drawn cells' factors. Run:
# bash tests/bench/layouts.sh after make programs. tests/e2e/evaluate_layouts.sh reads the functions.

# layout_screen LAYOUT POSITION RANKS: drawn and evaluated below the current folder
layout_screen() {
    local at="$1_$2"
    mpirun -n "$3" --oversubscribe "$BIN/micon-simulate" --out "$at" --sources 1 --batches 6 --plates 1 --wells 96 --sites 1 --size 32 \
        --compounds 72 --layout "$1" --position "$2" --seed 3 --quiet || return 1
    printf 'screen: {name: l, work: work_%s}\ntrain: {run: r}\n' "$at" > "$at.yaml"
    printf 'evaluate: {profiles: "%s/truth/wells.csv", reshape: none, bootstrap: 500, null_size: 5000}\n' "$at" >> "$at.yaml"
    "$BIN/micon-evaluate" "$at.yaml"
}
layout_report() { printf 'work_%s_%s/reports/r' "$1" "$2"; }
# layout_figure LAYOUT POSITION METRIC SETTING K COLUMN
layout_figure() { awk -F, -v m="$3" -v s="$4" -v k="$5" -v c="$6" '$1 == "uncorrected" && $2 == m && $3 == s && $4 == k { print $c }' \
    "$(layout_report "$1" "$2")/metrics.csv"; }
# layout_false LAYOUT POSITION: of the compounds without effect, which the truth names, the share that is called active
layout_false() { /usr/bin/python3 -c 'import csv, sys
quiet = {r["Metadata_JCP2022"] for r in csv.DictReader(open(sys.argv[1])) if r["active"] == "no"}
q = [float(r["activity_q"]) for r in csv.DictReader(open(sys.argv[2])) if r["profiles"] == "uncorrected" and r["treatment"] in quiet]
print("%.3f" % (sum(v < 0.05 for v in q) / len(q)))' "$1_$2/truth/compounds.csv" "$(layout_report "$1" "$2")/compounds.csv"; }
# layout_claim LAYOUT POSITION METRIC: True, False, None
layout_claim() { /usr/bin/python3 -c 'import json, sys
print([c["holds"] for c in json.load(open(sys.argv[1]))["claims"] if c["metric"] == sys.argv[2]][0])' \
    "$(layout_report "$1" "$2")/metrics.json" "$3"; }

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    cd "$(dirname "$0")/../.." || exit 1
    . tests/mpi.env
    BIN=$PWD/build/release/bin folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    cd "$folder" || exit 1
    echo "| layout | positions | NSB top 1 | at other positions | untreated positions | NSB holds | mAP holds | inactive called active |"
    echo "|---|---|---|---|---|---|---|---|"
    for position in 0 0.8; do
        for layout in fixed random; do
            layout_screen $layout $position 2 2> log || { cat log; exit 1; }
            f() { layout_figure $layout $position nsb "$1" 1 5 | awk '{ printf "%.3f", $1 }'; }
            echo "| $layout | $position | $(f all) | $(f other_positions) | $(f position_control) |" \
                "$(layout_claim $layout $position nsb) | $(layout_claim $layout $position map_activity) |" \
                "$(layout_false $layout $position) |"
        done
    done
fi

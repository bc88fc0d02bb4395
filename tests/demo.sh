#!/usr/bin/env bash
# demo.sh [FOLDER] -- make demo: a drawn screen of three centres, one of them never trained on, through all stages on two ranks; then the
# same with a network that was not trained (its learning rate is next to nothing), to compare with. Prints the table and the reports.
set -eu
cd "$(dirname "$0")/.."
PATH=$PWD/build/release/bin:$PATH
demo=${1:-build/demo}
mkdir -p "$(dirname "$demo")"
micon-simulate --out "$demo" --sources 3 --batches 3 --wells 48 --sites 2 --compounds 12 --size 96 --quiet
cat >"$demo/screen.yaml" <<'END'
screen:
  name: demo
  index: images/*/load_data.csv
  plate: metadata/plate.csv.gz
  well: metadata/well.csv.gz
  compound: metadata/compound.csv.gz
  channels: [DNA, ER, RNA, AGP, Mito]
  control: JCP2022_033924
  work: work
tile:
  size: 64
split:
  test_batches: 1
  unseen_sources: [source_3]
train:
  steps: 150
  batch: 24
  lr: 0.001
  temperature: 0.1
END
micon run "$demo/screen.yaml" -n 2
micon run "$demo/screen.yaml" -n 2 --set train.run=untrained --set train.steps=30 --set train.lr=1e-12

# METRIC SETTING K: "value low high chance" of each run
row() { awk -F, -v want="$3,$4,$5" '$1 == "uncorrected" && $2 "," $3 "," $4 == want {printf "%.3f  (%.3f to %.3f)  %s", $5, $6, $7, $8 == "" ? "" : sprintf("%.3f", $8)}' \
    "$1/work/reports/$2/metrics.csv"; }
printf '\nRetrieval of the same compound, no correction      %-33s %s\n' "trained  (95 %)         chance" untrained
while IFS='|' read -r what metric setting k; do
    trained=$(row "$demo" micon "$metric" "$setting" "$k")
    [ -z "$trained" ] || printf '%-50s %s    %s\n' "$what" "$trained" "$(row "$demo" untrained "$metric" "$setting" "$k")"
done <<'END'
in another batch, first hit, seen sources|nsb|seen_sources|1
in another batch, one of five, seen sources|nsb|seen_sources|5
in another batch, first hit, unseen source|nsb|unseen_source|1
in another batch, one of five, unseen source|nsb|unseen_source|5
in another source, one of five, all test wells|nss|all|5
END
printf '\nThe reports: %s %s\n' "$demo/work/reports/micon/report.html" "$demo/work/reports/untrained/report.html"

#!/usr/bin/env bash
# demo.sh [FOLDER] -- make demo: a drawn screen of three centres, one of them never trained on, through all stages on two ranks; then the
# same with a network that was not trained (its learning rate is next to nothing), with classical features of cells, and with the drawn
# truth of each well as its profile, to compare with. Prints the table and the reports.
set -eu
cd "$(dirname "$0")/.."
PATH=$PWD/build/release/bin:$PATH
demo=${1:-build/demo}
. tests/drawn_screen.sh
mkdir -p "$(dirname "$demo")"
echo "The demo: a drawn screen of 3 centres, 9 plates and 864 wells; two networks are trained, cells are measured." \
    "It takes some minutes on two cores." >&2
demo_screen "$demo" demo
micon run "$demo/screen.yaml" -n 2
micon run "$demo/screen.yaml" -n 2 --set train.run=untrained --set train.steps=30 --set train.lr=1e-12
micon run "$demo/screen.yaml" -n 2 --set train.run=classical --set train.method=classical --set evaluate.select=pycytominer \
    --set evaluate.sphere=none
# What was drawn in each well, with the sets of the split: columns Source, Batch, Plate, Well first in both.
awk -F, -v OFS=, 'NR == FNR {set[$1, $2, $3, $4] = $5; next} {$5 = $5 OFS (FNR == 1 ? "Metadata_Set" : set[$1, $2, $3, $4]); print}' \
    "$demo/work/split.csv" "$demo/truth/wells.csv" >"$demo/oracle.csv"
micon run "$demo/screen.yaml" -n 2 --set train.run=oracle --set evaluate.profiles=oracle.csv

# RUN METRIC SETTING K: "value (low to high)", or with a fifth word that column alone
figure() {
    awk -F, -v want="$2,$3,$4" -v alone="${5-}" '$1 == "uncorrected" && $2 "," $3 "," $4 == want {
        if (alone) printf "%.2f", $alone; else printf "%.2f (%.2f to %.2f)", $5, $6, $7 }' "$demo/work/reports/$1/metrics.csv"
}
printf '\nRetrieval on held-out wells: how often is a near neighbour from another batch or source a well of the same compound?\n'
printf '%-38s %-21s %-21s %-9s %-9s %s\n' "fraction of wells, 95 % interval" trained "classical features" untrained "the truth" "by chance"
while IFS='|' read -r what metric setting k; do
    printf '%-38s' "$what"
    for run in micon classical; do printf ' %-21s' "$(figure $run "$metric" "$setting" "$k")"; done
    for run in untrained oracle; do printf ' %-9s' "$(figure $run "$metric" "$setting" "$k" 5)"; done
    printf ' %s\n' "$(figure micon "$metric" "$setting" "$k" 8)"
done <<'END'
seen sources: top 1, in another batch|nsb|seen_sources|1
seen sources: top 5, in another batch|nsb|seen_sources|5
unseen source: top 1, in another batch|nsb|unseen_source|1
unseen source: top 5, in another batch|nsb|unseen_source|5
all: top 5, in another source|nss|all|5
END
cat <<END

Open the report in a browser:        $demo/work/reports/micon/report.html
Report of classical features:        $demo/work/reports/classical/report.html
Report of the untrained network:     $demo/work/reports/untrained/report.html
This took $(((SECONDS + 30) / 60)) minutes. To see its parts: build/release/bin/micon status $demo/screen.yaml
END

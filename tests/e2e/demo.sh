#!/usr/bin/env bash
# run: long limit=1500
# make demo: the whole pipeline; a trained network finds compounds again above chance and above an untrained one, at a source it never saw too.
. tests/tap.sh
unset MICON_BIN MICON_HOME
exits "the demo" 0 bash tests/demo.sh "$T/demo"
has "prints a table" "$T/out" "Retrieval of the same compound"
has "and the path of the report" "$T/out" "$T/demo/work/reports/micon/report.html"
ok "which is there" test -s "$T/demo/work/reports/micon/report.html"
value() { awk -F, -v want="uncorrected,nsb,$2,5" -v col="$3" '$1 "," $2 "," $3 "," $4 == want {print $col}' "$T/demo/work/reports/$1/metrics.csv"; }
for setting in seen_sources unseen_source; do
    trained=$(value micon $setting 5) low=$(value micon $setting 6) chance=$(value micon $setting 8) untrained=$(value untrained $setting 5)
    echo "# $setting, one of five in another batch: $trained (from $low), chance $chance, untrained $untrained"
    ok "$setting: above chance, with its interval" awk "BEGIN {exit !($low > $chance)}"
    ok "$setting: above the untrained network" awk "BEGIN {exit !($trained > $untrained)}"
done
tap_done

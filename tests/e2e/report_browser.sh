#!/usr/bin/env bash
# run: long limit=300
# report.html and compare.html in Chromium: numbers of the page against metrics.json, search, sort, cards, map, theme, no error, no request,
# nothing to scroll sideways; names that break pages; poor screens; a page of 60,000 wells and 10,000 treatments, and its times.
. "$(dirname "$0")/../tap.sh"
. "$ROOT/tests/profile_tables.sh"
page() { /usr/bin/python3 "$ROOT/tests/ref/report_browser.py" "$@"; }
if ! page available; then
    skip "the report in a browser" "no chromium, or no python3, is installed"
    tap_done
fi
cd "$T" || exit 1
exits "a screen" 0 "$ROOT/build/release/tests/tools/evaluate_make" "$T/s" perfect
mkdir -p s/work/models/micon
for i in $(seq 0 20); do echo "{\"step\":$i,\"loss\":$((40 - i)).5}"; done > s/work/models/micon/log.jsonl
run() { mpi 2 "$BIN/micon-evaluate" "$1/screen.yaml" --set evaluate.bootstrap=50 --set evaluate.null_size=1000 "${@:2}"; }
exits "evaluated" 0 run s
cp -r s/work/reports/micon s/work/reports/other
exits "side by side" 0 run s --compare micon other

ok "the report's tables, parts, widths, themes" page report s/work/reports/micon
ok "search, sort, columns, CSV, keyboard, cards" page use s/work/reports/micon
ok "the comparison" page compare s/work/reports/compare/micon__other
# The check itself must be able to fail.
mkdir broken
cp s/work/reports/micon/* broken
sed 's#</main>#<div style="width:2000px">wide</div></main>#; s#const M = D.metrics#nothing(); const M = D.metrics#' \
    s/work/reports/micon/report.html > broken/report.html
page report broken > broken.txt
same "a broken page is noticed" "$?" 1
has "a broken page: its error" broken.txt "nothing is not defined"

# Names of every kind; one compound, one plate; none active; no treatment's metadata. Tables of others: no images, no structures.
outside() { # NAME: the table from standard input
    mkdir -p "$1"
    cat > "$1/t.csv"
    printf 'screen: {name: "%s", control: DMSO, work: work}\nevaluate: {profiles: "t.csv", min_controls: 1}\n' "$1" > "$1/screen.yaml"
}
/usr/bin/python3 "$ROOT/tests/ref/report_browser.py" hostile | outside hostile
exits "names of every kind" 0 run hostile
ok "names of every kind: as text, and nowhere else" page names hostile/work/reports/micon
table 1 B1 1 8 | grep -E "Metadata_|DMSO|é0," | outside one
exits "one compound on one plate" 0 run one
ok "one compound on one plate" page poor one/work/reports/micon
/usr/bin/python3 "$ROOT/tests/ref/report_browser.py" noise | outside noise
exits "none active" 0 run noise
ok "none active" page poor noise/work/reports/micon
/usr/bin/python3 "$ROOT/tests/ref/report_browser.py" noise | sed 's/,B2,/,B1,/' | outside batch
exits "one batch" 0 run batch
ok "one batch: retrieval across plates" page poor batch/work/reports/micon
ok "one batch: it is there" grep -q ",nsp,all," batch/work/reports/micon/metrics.csv
ok "pictures and structures on cards" page pictures s/work/reports/micon/report.html
ok "60,000 wells, 10,000 treatments" page large s/work/reports/micon/report.html
tap_done

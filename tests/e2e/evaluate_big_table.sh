#!/usr/bin/env bash
# run: long limit=900
# A table of 5 GB (as gzip members, 500 features, the sites of 24 wells over and over) through micon-evaluate: numbers are held as 4-byte
# floats, so that memory stays below the table's size. MB=... makes it smaller.
. "$(dirname "$0")/../tap.sh"
. "$ROOT/tests/profile_tables.sh"
cd "$T" || exit 1
table 1 B1 4 500 > one.csv
head -n 1 one.csv | gzip -1 > big.csv.gz
tail -n +2 one.csv > rows.csv
gzip -1 -c rows.csv > rows.gz
times=$((${MB:-5000} * 1000000 / $(stat -c %s rows.csv) + 1))
yes rows.gz | head -n $times | xargs cat >> big.csv.gz
table_screen big big.csv.gz
peak=$("$ROOT/build/release/tests/tools/peak" "$BIN/micon-evaluate" big.yaml 2>err)
ok "a big table is evaluated" test -s work_big/reports/r/metrics.json
same "every row was read" \
    "$(awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "QC_Sites") c = i } NR > 1 { n += $c } END { print n }' \
    work_big/reports/r/wells.csv)" "$((96 * times))"
echo "# $((times * $(stat -c %s rows.csv) / 1000000)) MB of table, peak $((peak / 1000)) MB"
ok "in less memory than the table's size" test $((peak * 1024)) -lt $((times * $(stat -c %s rows.csv) + 200000000))
tap_done

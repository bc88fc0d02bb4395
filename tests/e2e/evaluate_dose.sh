#!/usr/bin/env bash
# run: limit=120
# micon-evaluate where a treatment is a compound and its dose: what docs/method.md 8 says of compounds is the same as without doses,
# retrieval and activity are by treatment, intervals by compound.
. "$(dirname "$0")/../tap.sh"
. "$ROOT/tests/profile_tables.sh"
cd "$T" || exit 1
R=work_d/reports/r
mkdir in
table_screen d 'in/*.csv'
# Two wells of a compound on each plate: one of each dose, which is half the effect for the lower one.
for p in 1 2 3 4; do
    table $p B$((1 + (p - 1) / 2)) 1 12 | awk -F, -v OFS=, 'NR == 1 { print $0, "Metadata_Dose"; next } { dose = seen[$6]++ % 2 ? "10" : "2"
        for (i = 8; i <= NF; i++) if (dose == 2 && $i + 0 == $i) $i = $i * 0.7; print $0, dose }' > in/$p.csv
done
figures() { awk -F, -v m="$1" '$1 == "uncorrected" && $2 ~ m && $3 ~ /^(all|other_positions)$/' $R/metrics.csv; }
n() { awk -F, -v m="$1" '$1 == "uncorrected" && $2 == m && $3 == "all" && ($4 == "" || $4 == 1) { print $9 }' $R/metrics.csv; }
by='^(knn_(compound|mechanism|source|plate)|map_consistency|consistent_share)$'
exits "by compound" 0 evaluate d
figures "$by" > compound
same "by compound: six figures with intervals, four with other positions" \
    "$(awk -F, '$5 != "" && $6 != "" && $7 != "" { n[$3]++ } END { print n["all"], n["other_positions"] }' compound)" "6 4"
same "by compound: 8 of them" "$(n map_activity) $(n nsb_by_compound) $(n map_consistency)" "8 8 8"
exits "by dose" 0 evaluate d --set 'screen.treatment=[Metadata_Dose]'
figures "$by" > dose
same "by dose: what is said of compounds stays" "$(cat dose)" "$(cat compound)"
same "by dose: 16 treatments of 8 compounds" "$(n map_activity) $(n nsb_by_compound) $(n map_consistency)" "16 8 8"
same "by dose: a table of compounds" "$(awk -F, 'NR == 1 || !seen[$6]++ { print $6 }' $R/by_compound.csv | wc -l)" 9
same "by dose: their numbers are all of their treatments'" "$(awk -F, '$1 == "uncorrected" && $2 == "map_activity" { print $8 }' \
    $R/by_compound.csv | sort -u)" 2
same "by dose: consistency is the compound's for both" "$(awk -F, \
    'NR > 1 && $1 == "uncorrected" { split($2, part, "|"); print part[1], $6, $7, $8 }' $R/compounds.csv | sort | uniq -c |
    awk '{ print $1 }' | sort -u)" 2
for p in 1 2 3 4; do awk -F, 'NR == 1 || $6 == "DMSO" || $6 ~ /1$/' in/$p.csv > x && mv x in/$p.csv; done
exits "two doses of one compound" 0 evaluate d --set 'screen.treatment=[Metadata_Dose]'
same "two doses of one compound: no null of different compounds" "$(n percent_replicating)" ""
tap_done

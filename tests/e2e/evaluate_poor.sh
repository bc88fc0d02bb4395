#!/usr/bin/env bash
# run: limit=120
# micon-evaluate on tables that are poor in other ways than evaluate_outside.sh's: a plate that does not vary, one without controls, no
# replicates, one source.
. "$(dirname "$0")/../tap.sh"
. "$ROOT/tests/profile_tables.sh"
cd "$T" || exit 1
R=work_p/reports/r
mkdir in
table_screen p 'in/*.csv'
flat() { awk -F, -v OFS=, 'NR > 1 && $6 == "DMSO" { for (i = 8; i <= NF; i++) $i = 1 } 1' "$1" > flat.csv && mv flat.csv "$1"; }

for p in 1 2 3 4; do table $p B$((1 + (p - 1) / 2)) 1 12 > in/p$p.csv; done
flat in/p1.csv
exits "a plate of four whose MADs are all 0" 1 evaluate p
has "a plate of four: said, and which" "$T/err" \
    "none of 12 features varies in 90 % of the groups (most in 'S2|B1|P1'); leave those out, group by something larger"
exits "by batch there is enough" 0 evaluate p --set evaluate.normalize_by=Metadata_Batch
# One plate of ten is just few enough; feature 3 does not vary on a second one.
for p in 5 6 7 8 9 10; do table $p B$((1 + (p - 1) / 2)) 1 12 > in/p$p.csv; done
awk -F, -v OFS=, 'NR > 1 && $6 == "DMSO" { $10 = 1 } 1' in/p3.csv > x && mv x in/p3.csv
exits "a plate of ten whose MADs are all 0" 0 evaluate p
has "a plate of ten: said in the report" $R/report.html \
    "normalization: 9 features are 0 in the few groups where they do not vary (most in 'S2|B1|P1')"
has "a plate of ten: said in the log" "$T/err" \
    "normalization: 9 features are 0 in the few groups where they do not vary (most in 'S2|B1|P1')"
has "a feature that does not vary on two of ten" $R/metrics.json \
    "3 of 12 features were dropped: they do not vary in over 10 % of the groups"

awk -F, 'NR == 1 || $6 != "DMSO"' in/p2.csv > x && mv x in/p2.csv
exits "a plate without controls" 0 evaluate p
has "without controls: on whose it was normalized" $R/metrics.json \
    "'S1|B1|P2' has too few controls: fitted on the controls of its source"
hasnt "without controls: the others on their own" $R/metrics.json "'S2|B2|P3'"

rm in/*
# One compound of 31 has two wells, which are of one batch.
for p in 1 2; do table $p B$p 1 12 | awk -F, -v p=$p -v OFS=, 'NR > 1 && $6 != "DMSO" { $6 = "c" p (p == 1 && NR == 4 ? 3 : NR) } 1' > \
    in/p$p.csv; done
exits "one well a compound" 0 evaluate p
has "one well a compound: said" $R/metrics.json "30 of 31 evaluated treatments have a single well"
same "one well a compound: no query, no row" "$(awk -F, \
    '$1 == "uncorrected" && $2 ~ /^nsb|^nss/ && $3 == "all"' $R/metrics.csv)" ""
exits "one well a compound, by recipe 0.1" 0 evaluate p --set evaluate.recipe=0.1
same "one well a compound, by recipe 0.1: no query, all counted" "$(awk -F, \
    '$1 == "uncorrected" && $2 == "nsb" && $3 == "all" && $4 == 1 { print $5 "|" $9 "|" $10 }' $R/metrics.csv)" "|0|32"
hasnt "two sources, two batches: nothing said" $R/metrics.json "there is only one"
for p in 1 2; do awk -F, -v p=$p -v OFS=, '{ print $0, NR == 1 ? "Metadata_Set" : p == 1 ? "train" : "test" }' in/p$p.csv > x &&
    mv x in/p$p.csv; done
exits "one of two plates was trained on" 0 evaluate p
has "one of two plates: only the other is evaluated" $R/metrics.json "16 of 16 evaluated treatments have a single well"

# Of four batches and ten compounds three and eight are evaluated. What training had beside them changes no figure of how they mix.
mixing() { awk -F, '$1 == "uncorrected" && ($2 ~ /^lisi|^silhouette/ || $2 == "connectivity" || $2 == "nmi") { print $2, $5 }' \
    $R/metrics.csv; }
for p in 1 2 3 4; do
    table $p B$((1 + (p - 1) / 2)) 1 12 | awk -F, -v p=$p -v OFS=, 'NR > 1 && $6 != "DMSO" && p == 1 && NR < 8 { $6 = "seen" NR % 2 }
        { print $0, NR == 1 ? "Metadata_Set" : p == 1 ? "train" : "test" }' > in/$p.csv
done
rm in/p?.csv
exits "three of four plates are evaluated" 0 evaluate p
mixing > with
rm in/1.csv
exits "the three alone" 0 evaluate p
same "the three alone: as well mixed" "$(mixing)" "$(cat with)"
same "the three alone: six figures" "$(grep -c ' [0-9.]*[1-9]' with)" 6
rm in/*

for p in 1 2; do table $p B$p 1 12 | awk -F, -v OFS=, 'NR > 1 { $1 = "S1" } 1' > in/p$p.csv; done
exits "one source" 0 evaluate p
has "one source: said" $R/metrics.json "there is only one source: retrieval across sources has no possible match"
same "one source: no NSS, but NSB" \
    "$(awk -F, '$1 == "uncorrected" && $3 == "all" && $4 == 1 && ($2 == "nss" || $2 == "nsb") { print $2, $9 }' $R/metrics.csv |
    tr '\n' ' ')" "nsb 32 "
exits "Harmony over one source" 0 evaluate p --set evaluate.batch_correction=harmony --set evaluate.harmony_by=source
has "Harmony over one source: said" $R/metrics.json "no Harmony: there is only one source"
tap_done

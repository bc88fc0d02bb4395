#!/usr/bin/env bash
# run: limit=120
# micon-evaluate on tables that are poor in other ways than evaluate_outside.sh's: a plate that does not vary, one without controls, no replicates, one source.
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
has "a plate of four: said, and which" "$T/err" "none of 10 features varies in 90 % of the groups (most in 'S2|B1|P1'); leave those out, group by something larger"
exits "by batch there is enough" 0 evaluate p --set evaluate.normalize_by=Metadata_Batch
for p in 5 6 7 8 9 10 11; do table $p B$((1 + (p - 1) / 2)) 1 12 > in/p$p.csv; done
exits "a plate of eleven whose MADs are all 0" 0 evaluate p
has "a plate of eleven: said in the report" $R/report.html "10 features are 0 in the few groups where they do not vary (most in 'S2|B1|P1')"
has "a plate of eleven: said in the log" "$T/err" "10 features are 0 in the few groups where they do not vary (most in 'S2|B1|P1')"

awk -F, 'NR == 1 || $6 != "DMSO"' in/p2.csv > x && mv x in/p2.csv
exits "a plate without controls" 0 evaluate p
has "without controls: on whose it was normalized" $R/metrics.json "'S1|B1|P2' has too few controls and was learned on the controls of its source"
hasnt "without controls: the others on their own" $R/metrics.json "'S2|B2|P3'"

rm in/*
for p in 1 2; do table $p B$p 1 12 | awk -F, -v p=$p -v OFS=, 'NR > 1 && $6 != "DMSO" { $6 = "c" p NR } 1' > in/p$p.csv; done
exits "one well a compound" 0 evaluate p
has "one well a compound: said" $R/metrics.json "32 of 32 judged treatments have one well only"
same "one well a compound: no query, all counted" "$(awk -F, '$1 == "uncorrected" && $2 == "nsb" && $3 == "all" && $4 == 1 { print $5 "|" $9 "|" $10 }' $R/metrics.csv)" "|0|32"

for p in 1 2; do table $p B$p 1 12 | awk -F, -v OFS=, 'NR > 1 { $1 = "S1" } 1' > in/p$p.csv; done
exits "one source" 0 evaluate p
has "one source: said" $R/metrics.json "there is only one source: retrieval across sources has no possible match"
same "one source: NSS has no query, NSB has" "$(awk -F, '$1 == "uncorrected" && $3 == "all" && $4 == 1 && ($2 == "nss" || $2 == "nsb") { print $2, $9 }' $R/metrics.csv | tr '\n' ' ')" "nsb 32 nss 0 "
exits "Harmony over one source" 0 evaluate p --set evaluate.correct=harmony --set evaluate.harmony_by=source
has "Harmony over one source: said" $R/metrics.json "no Harmony: there is only one source"
tap_done

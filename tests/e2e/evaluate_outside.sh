#!/usr/bin/env bash
# run: limit=240
# micon-evaluate on tables of others: CSV, gzip, several files, h5ad; sites averaged, features cleaned; bad tables are refused with the
# place, poor ones are evaluated with a note.
. "$(dirname "$0")/../tap.sh"
. "$ROOT/tests/profile_tables.sh"
cd "$T" || exit 1
R=work/reports/r
cat > screen.yaml <<'EOP'
screen: {name: tables, control: DMSO, work: work}
train: {run: r}
evaluate: {profiles: "in/*.csv*"}
EOP
run() { mpi "${N:-1}" "$BIN/micon-evaluate" screen.yaml "$@"; }
# What is written as float and read again has other last digits.
rounded() { awk -F, -v OFS=, '{ for (i = 5; i <= 8; i++) if ($i != "" && NR > 1) $i = sprintf("%.4f", $i) } 1' "$1"; }
value() { awk -F, -v p="$1" -v m="$2" -v k="$3" '$1 == p && $2 == m && $3 == "all" && $4 == k { print $5 }' $R/metrics.csv; }
mkdir in
for p in 1 2 3 4; do table $p B$((1 + (p - 1) / 2)) 3 12 > in/p$p.csv; done
exits "four tables" 0 run
has "four tables: what was cleaned" "$T/err" "1 features were dropped: all_nan"
ok "four tables: known compounds are found again" awk -v v="$(value uncorrected nsb 1)" 'BEGIN { exit !(v > 0.9) }'
same "sites are averaged" \
    "$(awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "QC_Sites") c = i } NR > 1 { print $c }' $R/wells.csv | sort | uniq -c |
        tr -s ' ')" " 96 3"
plain=$(cat $R/metrics.csv)
one=$(cat work/profiles/* $R/* | sha256sum)
exits "again" 0 run
has "again: up to date" "$T/err" "up to date"
for N in 2 3 4; do
    exits "$N ranks" 0 run --force
    same "$N ranks: the same bytes" "$(cat work/profiles/* $R/* | sha256sum)" "$one"
done
N=1
# Numbers of cells are on the page, by well.
awk -F, -v OFS=, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "Metadata_Well") w = i; print $0, "Cells_Count", "Cells_Count_Local"; next }
    { print $0, 10 + substr($w, 2), NR }' in/p1.csv >counts.csv
exits "a table with numbers of cells" 0 run --set evaluate.profiles=counts.csv --set train.run=counts
ok "they are on the page" grep -qE '^"Count_Cells":\{"lo":11,"hi":16,' work/reports/counts/report.html
hasnt "what only begins so is not" work/reports/counts/report.html '"Count_Cells_Count'
# CellProfiler's features of whole images are left out, and named, or used.
table 1 B1 1 6 | sed '1s/,f/,Cells_f/g; 1s/Cells_f6/Image_f6/' >image.csv
exits "features of images, by default" 0 run --set evaluate.profiles=image.csv --set train.run=image
has "... are left out: said" "$T/err" "1 columns are neither metadata nor features and were left out ('Image_f6'; evaluate.image_features"
has "... 4 features of cells remain" "$T/err" "24 wells, 4 features"
exits "features of images, asked for" 0 run --set evaluate.profiles=image.csv --set train.run=image --set evaluate.image_features=yes
hasnt "... nothing is left out" "$T/err" "left out"
has "... are used too" "$T/err" "24 wells, 5 features"
gzip in/p2.csv
exits "one of them gzip" 0 run
first=$(cat $R/metrics.csv)
same "one of them gzip: the same figures" "$first" "$plain"
cp work/profiles/r.h5ad in.h5ad
exits "an h5ad, already normalized" 0 run --set evaluate.profiles=in.h5ad --set evaluate.normalize=none
same "an h5ad: the same figures" "$(cat $R/metrics.csv)" "$first"

# Side by side, and as tables.
exits "the first tables again" 0 run
exits "as CSV" 0 "$BIN/micon-store" export screen.yaml work/profiles
same "as CSV: a row a well" "$(zcat work/profiles/r.normalized.csv.gz | wc -l)" 97
same "as CSV: the first columns" \
    "$(zcat work/profiles/r.raw.csv.gz | head -n 1 | cut -d, -f1-3)" "Metadata_Source,Metadata_Batch,Metadata_Plate"
exits "the CSV evaluated" 0 run --set evaluate.profiles=work/profiles/r.raw.csv.gz --set train.run=again
same "the CSV evaluated: the same figures" "$(rounded work/reports/again/metrics.csv)" "$(rounded $R/metrics.csv)"
exits "another run, worse" 0 run --set train.run=worse --set evaluate.sphere=none
exits "side by side" 0 run --compare r worse again
C=work/reports/compare/r__worse__again/compare.csv
same "a run with itself: no difference" \
    "$(awk -F, '$5 == "again" && ($9 * $9 > 1e-8 || $10 * $10 > 1e-8 || $11 * $11 > 1e-8)' $C | wc -l)" 0
same "a run against itself: as many figures" "$(awk -F, '$5 == "again"' $C | wc -l)" "$(awk -F, '$5 == "r"' $C | wc -l)"
same "the figures are those of the runs" \
    "$(awk -F, '$1 == "uncorrected" && $2 == "nsb" && $3 == "all" && $4 == 1 && $5 == "r" { print $6, $7, $8 }' $C)" \
    "$(awk -F, '$1 == "uncorrected" && $2 == "nsb" && $3 == "all" && $4 == 1 { print $5, $6, $7 }' $R/metrics.csv)"
hasnt "the page loads nothing" "${C%csv}html" "://"
cp -r work/reports/r work/reports/seed@1 && cp -r work/reports/worse work/reports/seed@2
exits "two runs of a method" 0 run --compare r seed@1 worse seed@2
SEEDS=work/reports/compare/r__seed@2_runs__worse/compare.csv
same "a method's figure is the mean of its runs'" "$(awk -F, '$1 $2 $3 $4 == "uncorrectednsball1" { v[$5] += $6; n++ }
    END { d = v["seed"] - (v["r"] + v["worse"]) / 2
    print (n > 0) " " (d * d < 1e-10) }' $SEEDS)" "1 1"
same "and says how many there are" "$(awk -F, 'NR > 1 { print $5, $14 }' $SEEDS | sort -u | paste -sd,)" "r 1,seed 2,worse 1"
exits "one run alone" 2 run --compare r
exits "an unknown run" 1 run --compare r nothing
has "an unknown run: said" "$T/err" "run micon-evaluate"
sed '1s/compound/treatment/' work/reports/worse/by_compound.csv > x && mv x work/reports/worse/by_compound.csv
rm work/status/evaluate/worse.files # older versions wrote none
exits "a run of an older version" 1 run --compare r worse
has "a run of an older version: what to do" "$T/err" "run micon-evaluate --force with train.run set to worse"
exits "a stray argument" 2 run r
cp -r in good

bad() { # WHAT TEXT SED: one table spoiled
    rm -rf in; cp -r good in
    sed -i "$3" in/p1.csv
    exits "$1" 1 run
    has "$1: said" "$T/err" "$2"
}
bad "a ragged row" "p1.csv:3" '3s/$/,7/'
bad "text in a feature" "p1.csv:4: feature 'f12': 'abc' is not a number" '4s/,[^,]*$/,abc/'
bad "a column twice" "f11" '1s/f12/f11/'
bad "another feature" "feature 'f12' is not in the first table" '1s/f12/g/'
bad "no plate" "has no Metadata_Plate" '1s/Metadata_Plate/plat/;1s/,plat/,Metadata_X/'
rm -rf in; cp -r good in
exits "no such file" 1 run --set evaluate.profiles=nothing.csv
has "no such file: said" "$T/err" "no file matches"

# Names that a spreadsheet would run.
rm -rf in; cp -r good in
rm -f in/*.gz; table 2 B1 3 12 > in/p2.csv
sed -i $'s/,c\303\2511,/,=1+1,/; s/,c\303\2512,/,-cmd|x,/; s/,c\303\2513,/,@q,/; s/,c\303\2514,/,\'\'=q,/' in/*.csv
exits "names that begin as formulas" 0 run --set train.run=names --set evaluate.recipe=0.1
exits "... exported" 0 "$BIN/micon-store" export screen.yaml names --set train.run=names
formulas() { awk -F, '{ for (i = 1; i <= NF; i++) if ($i ~ /^[=+@-]/ && $i !~ /^-[0-9.]/) n++ } END { print n + 0 }'; }
same "... no cell of a table is a formula" "$(cat work/reports/names/*.csv | formulas) $(zcat names/*.csv.gz | formulas)" "0 0"
same "... but a text" "$(grep -c "'=1+1" work/reports/names/wells.csv) $(grep -c "''=q" work/reports/names/wells.csv)" "8 8"
exits "... and read again" 0 run --set train.run=again --set evaluate.recipe=0.1 --set evaluate.profiles=names/names.raw.csv.gz
ok "... the same names" cmp work/reports/names/by_compound.csv work/reports/again/by_compound.csv
rm -rf in; cp -r good in

# Poor, but not wrong.
sed -i 's/,inf$/,inf/; 5s/,[^,]*$/,inf/; 6s/,[^,]*$/,NA/' in/p1.csv
exits "infinities and missing values" 0 run
has "infinities: counted" "$R/metrics.json" "cells are empty, NaN or infinite"
exits "no controls at all" 0 run --set screen.control=none --set evaluate.sphere=ZCA
has "no controls: normalization says what it did" "$R/metrics.json" "all of its wells"
hasnt "no controls: none of others is said to be used instead" "$R/metrics.json" "fitted on the controls of its"
has "no controls: no sphering" "$R/metrics.json" "no sphering: 0 controls"
has "no controls: no activity" "$R/metrics.json" "no activity"
rm -rf in; mkdir in
table 1 B1 1 12 > in/p1.csv
exits "one batch" 0 run
has "one batch: said" "$R/metrics.json" "there is only one batch"
has "24 wells a plate: ranks" "$R/metrics.json" '"evaluate.reshape":"rank_plate"'
table 1 B1 1 12 | awk -F, 'NR == 1 || $6 == "DMSO" || !seen[$6]++' > in/p1.csv
exits "one well a compound" 0 run
has "few wells a plate: no ranks" "$R/metrics.json" '"evaluate.reshape":"none"'
has "few wells a plate: said" "$T/err" "no ranks within plates: half of the plates hold 16 wells or fewer"
table 1 B1 1 40 > in/p1.csv
exits "fewer controls than features" 0 run --set evaluate.sphere=ZCA --set evaluate.ridge=0
has "fewer controls than features: said" "$R/metrics.json" "the others are scaled as the weakest"
exits "fewer controls than features, shrunk" 0 run --set evaluate.sphere=ZCA --set evaluate.ridge=ledoit_wolf
has "by how much: said" "$R/metrics.json" "controls was shrunk by 0."
cp "$R/metrics.csv" "$R/compounds.csv" "$T"
N=3
exits "sphered, on three ranks" 0 run --set evaluate.sphere=ZCA --set evaluate.ridge=ledoit_wolf --force
same "sphered, on three ranks: the same figures" "$(cat "$R/metrics.csv" "$R/compounds.csv" | sha256sum)" \
    "$(cat "$T/metrics.csv" "$T/compounds.csv" | sha256sum)"
N=1
table 1 B1 1 12 | awk -F, -v OFS=, 'NR > 1 { for (i = 8; i <= NF; i++) $i = 1 } 1' > in/p1.csv
exits "nothing varies" 1 run
has "nothing varies: said" "$T/err" "none of 12 features varies"
exits "nothing varies, by recipe 0.1" 1 run --set evaluate.recipe=0.1
has "nothing varies, by recipe 0.1: said" "$T/err" "no feature can be used"
tap_done

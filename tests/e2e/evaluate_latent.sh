#!/usr/bin/env bash
# run: limit=240
# Retrieval on embeddings drawn from known latent effects, 300 compounds, 60 unseen: real wells find their compound; the predictions of a
# perfect generator do, those of a random one are at chance, and so is a screen whose compounds are shuffled.
. "$(dirname "$0")/../tap.sh"
make=$ROOT/build/release/tests/tools/evaluate_make
field() { awk -F, -v m="$2" -v s="$3" -v k="$4" -v f="$5" '$1 == "uncorrected" && $2 == m && $3 == s && $4 == k { print $f }' \
    "$T/$1/work/reports/micon/metrics.csv"; }
above() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a != "" && b != "" && a > b) }'; }
for g in perfect random; do
    exits "$g: made" 0 "$make" "$T/$g" "$g"
    exits "$g: evaluated" 0 mpi 2 "$BIN/micon-evaluate" "$T/$g/screen.yaml" --set evaluate.bootstrap=200
    above "$(field $g nsb seen_sources 1 5)" 0.8; _tap $? "$g: wells of held-out batches find their compound"
    above "$(field $g nsb unseen_compounds 1 5)" 0.8; _tap $? "$g: wells of unseen compounds find theirs"
    same "$g: predictions of 60 compounds on 4 plates" "$(field $g counterfactual unseen_compounds 1 9)" 240
done
above "$(field perfect counterfactual unseen_compounds 1 6)" 0.8; _tap $? "perfect: top 1 above 0.8, lower end of the interval"
same "perfect: the median rank is 1" "$(field perfect counterfactual_median_rank unseen_compounds "" 5)" 1
above "$(field random counterfactual unseen_compounds 10 8)" "$(field random counterfactual unseen_compounds 10 6)"; _tap $? \
    "random: top 10 is not above chance, lower end"
above "$(field random counterfactual_median_rank unseen_compounds "" 5)" 30; _tap $? "random: the median rank is far"
above 0.15 "$(field random counterfactual unseen_compounds 10 5)"; _tap $? "random: top 10 below 0.15"
above "$(field perfect counterfactual unseen_compounds 1 6)" "$(field perfect counterfactual_shuffled unseen_compounds 1 7)"; _tap $? \
    "perfect: above what predictions find of each other's compounds"
above "$(field random counterfactual_shuffled unseen_compounds 10 7)" 0 && above "$(field random counterfactual unseen_compounds 10 7)" \
    "$(field random counterfactual_shuffled unseen_compounds 10 6)"; _tap $? "random: not above it"
# As many sphered dimensions as Harmony has components: predictions are not corrected by it, and are not ranked among what is.
H="--set evaluate.batch_correction=harmony --set evaluate.harmony_by=batch --set evaluate.bootstrap=20 --set evaluate.null_size=100"
exits "Harmony: evaluated" 0 mpi 2 "$BIN/micon-evaluate" "$T/perfect/screen.yaml" $H
same "Harmony: predictions without correction only" "$(awk -F, '$2 == "counterfactual" && $4 == 1 { print $1 }' \
    "$T/perfect/work/reports/micon/metrics.csv")" uncorrected
has "Harmony: wells with correction" "$T/perfect/work/reports/micon/metrics.csv" "corrected,nsb,all,1,"
has "Harmony: said in the report" "$T/perfect/work/reports/micon/report.html" \
    "predicted profiles have no corrected figures: Harmony cannot correct single profiles"
# Labels shuffled within plates: nothing can be found.
awk -F, -v OFS=, 'NR == 1 { print; next } { row[NR] = $0; c[NR] = $6 }
    END { srand(3); for (i = NR; i > 2; i--) { j = 2 + int(rand() * (i - 1)); t = c[i]; c[i] = c[j]; c[j] = t }
    for (i = 2; i <= NR; i++) { $0 = row[i]; $6 = c[i]; print } }' "$T/random/load_data.csv" > "$T/shuffled.csv"
mv "$T/shuffled.csv" "$T/random/load_data.csv"
exits "shuffled: evaluated" 0 mpi 1 "$BIN/micon-evaluate" "$T/random/screen.yaml" --set evaluate.bootstrap=200
above "$(field random nsb all 1 8)" "$(field random nsb all 1 6)"; _tap $? "shuffled: not above chance, lower end"
above 0.05 "$(field random active_share all "" 5)"; _tap $? "shuffled: hardly a compound is active"
tap_done

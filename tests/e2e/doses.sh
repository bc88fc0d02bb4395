#!/usr/bin/env bash
# run: long limit=600
# Doses as an input of the generator: from drawn wells to predictions of compounds at doses, one dose and a fifth of the compounds never
# trained on, to the report. What is predicted must follow the dose: nearer to the wells at that dose than predictions at other doses of
# the same compound are, and an effect that grows with it.
#
# Images are gratings as strong as the drawn factors (tests/tools/pattern_images.c), so that a linear layer on a network of first weights
# learns in seconds. Structures are given vectors: the compounds' drawn effects.
. "$(dirname "$0")/../tap.sh"
cd "$T" || exit 1
export OMP_NUM_THREADS=1

exits "a screen of four doses" 0 "$BIN/micon-simulate" --out screen --sources 2 --batches 2 --wells 192 --sites 1 --size 32 \
    --compounds 36 --doses 4 --structure 0.9 --seed 5 --quiet
ok "gratings" "$BIN/../tests/tools/pattern_images" screen 32
cd screen || exit 1
has "the screen names its doses" screen.yaml "treatment: Metadata_mmoles_per_liter"
same "doses, half a decade apart" "$(zcat metadata/well.csv.gz | awk -F, 'NR > 1 && $5 { print $5 }' | sort -g | uniq | xargs)" \
    "0.0003162 0.001 0.003162 0.01"
same "untreated wells have none" "$(zcat metadata/well.csv.gz | awk -F, '$4 == "JCP2022_033924" && $5' | wc -l)" 0
awk -F, '{ printf "%s", $1; for (i = NF - 11; i <= NF; i++) printf ",%s", $i; print "" }
    END { printf "JCP2022_033924"; for (i = 1; i <= 12; i++) printf ",0"; print "" }' truth/compounds.csv >vectors.csv
{ echo Metadata_JCP2022; awk -F, '$(NF - 14) == "yes" && ++n % 4 == 1 { print $1 }' truth/compounds.csv; } >unseen.csv
# Trained without the third dose: its wells have no compound there.
zcat metadata/well.csv.gz | awk -F, -v OFS=, '$5 == "0.003162" { $4 = "JCP2022_999999"; $5 = "" } { print }' >without.csv
zcat metadata/well.csv.gz >well.csv
configuration() { # WELLS
    sed "/compound:/d; /^split/,\$d; s|metadata/well.csv.gz|$1.csv|; s|work: work|work: $1.work|" screen.yaml
    cat <<Y
split: {test_batches: 0, unseen_compounds: unseen.csv}
featurize: {vectors: vectors.csv}
train: {dim: 200, projection: 64, temperature: 0.1, lr: 0.003, batch: 64, steps: 150, positives: any, augment: none, dose: yes}
embed: {counterfactual_compounds: screen, precision: fp32}
evaluate: {images: no, null_size: 20, bootstrap: 20}
Y
}
for name in without well; do
    configuration $name >$name.yaml
    exits "$name: tiles" 0 mpi 2 "$BIN/micon-tile" $name.yaml --quiet
    exits "$name: vectors" 0 "$BIN/micon-featurize" $name.yaml --quiet
done
exits "a network of first weights" 0 "$BIN/micon-train" without.yaml --quiet --set train.run=first --set train.method=paclr \
    --set train.lr=1e-12 --set train.steps=15 --set train.batch=8
FROZEN="--set train.freeze=all --set train.weights=without.work/models/first/model.safetensors"
exits "trained" 0 "$BIN/micon-train" without.yaml --quiet $FROZEN
M=without.work/models/micon/model.safetensors
ok "the model says what its doses are" grep -qa '"micon.dose":"\[-2.8' $M

P="well.yaml --set embed.model=$M"
exits "predictions of all compounds at all doses" 0 mpi 2 "$BIN/micon-embed" $P --quiet
exits "the report" 0 mpi 2 "$BIN/micon-evaluate" $P --quiet --set embed.representation=projected
R=well.work/reports/micon/metrics.csv
echo "# $(grep '^uncorrected,counterfactual,unseen_compounds,10,' $R)"
echo "# $(grep '^uncorrected,counterfactual_shuffled,unseen_compounds,10,' $R)"
same "predictions are judged by compound and dose" "$(awk -F, '/^uncorrected,counterfactual,unseen_compounds,10,/ { print $9 }' $R)" \
    $((4 * 4 * $(sed 1d unseen.csv | wc -l)))
printf 'Metadata_JCP2022\n%s\n' "$(sed -n 2p unseen.csv)" >list.csv
exits "a list without doses: exit 1" 1 "$BIN/micon-embed" $P --quiet --set embed.counterfactual_compounds=list.csv
has "and what is missing" "$T/err" "list.csv: no column Metadata_mmoles_per_liter"
exits "doses need their column: exit 2" 2 "$BIN/micon-embed" $P --quiet --set screen.treatment=
has "and which" "$T/err" "screen.treatment"
if /usr/bin/python3 -c 'import h5py, numpy' 2>/dev/null; then
    ok "predictions follow the dose, also one that was never trained on" \
        /usr/bin/python3 "$ROOT/tests/ref/doses_ref.py" well.work unseen.csv truth/compounds.csv
else skip "predictions follow the dose" "no python3-h5py"; fi
tap_done

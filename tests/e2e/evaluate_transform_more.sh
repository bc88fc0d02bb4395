#!/usr/bin/env bash
# run: long limit=240
# micon-evaluate --transform-with for tables that differ, and for stores made in every way; evaluate_transform.sh has the rest.
. "$(dirname "$0")/../tap.sh"
. "$ROOT/tests/profile_tables.sh"
cd "$T" || exit 1
table_screen t 'in/*.csv'
run() { evaluate t "$@"; }
mkdir in
for p in 1 2 3 4; do table $p B$((1 + (p - 1) / 2)) 2 12 > in/p$p.csv; done
exits "the store" 0 run
exported t t_r --quiet
cp work_t/profiles/r.h5ad store.h5ad

# Columns in another order, one more, and the one that was constant lacking.
awk -F, -v OFS=, '{ t = $9; $9 = $12; $12 = t; $8 = "" } { print $0, NR == 1 ? "f99" : NR }' in/p3.csv | sed 's/,,/,/' > other.csv
sed -i '1s/f1,f2/f2/' other.csv
head -1 other.csv | grep -q 'moa,f5,f3' || awk -F, 'NR < 3' other.csv >&2
exits "columns in another order" 0 run --transform-with store.h5ad --set train.run=order --set evaluate.profiles=other.csv
alike "columns in another order" order P3
# A plate where a feature does not vary: the feature stays, and is 0.
awk -F, -v OFS=, 'NR > 1 { $10 = 7 } 1' in/p3.csv > flat.csv
exits "a feature that does not vary on the new plate" 0 run --transform-with store.h5ad --set train.run=flat --set \
    evaluate.profiles=flat.csv
has "it counts as 0" work_t/reports/flat/metrics.json "1 features are 0 in the few groups"
exported t t_flat --set train.run=flat --quiet
same "and is still there" "$(zcat t_flat/flat.normalized.csv.gz | head -1 | grep -o 'f3,.*')" \
    "$(zcat t_r/r.normalized.csv.gz | head -1 | grep -o 'f3,.*')"
exits "the same screen" 0 run --transform-with store.h5ad --set train.run=same
exits "a transformed screen's store serves as well" 0 run --transform-with work_t/profiles/same.h5ad --set train.run=chain --set \
    evaluate.profiles=in/p3.csv
alike "a transformed screen's store serves as well" chain P3

# Other ways of normalizing; the configuration of the new screen does not say them again.
other() { # "what" OPTIONS... : for a store so made
    local what=$1; shift
    exits "$what: the store" 0 run --force "$@"
    exported t t_r --quiet
    cp work_t/profiles/r.h5ad store.h5ad
    exits "$what: one plate" 0 run --transform-with store.h5ad --set train.run=plate --set evaluate.profiles=in/p3.csv
    alike "$what: one plate" plate P3
}
other "all wells in one group" --set evaluate.normalize_by=none
has "all wells in one group: said" work_t/reports/plate/metrics.json "normalized with its numbers"
other "standardized, selected, PCA" --set evaluate.normalize=standardize --set evaluate.select=pycytominer --set evaluate.sphere=PCA
other "not normalized, not sphered" --set evaluate.normalize=none --set evaluate.select=pycytominer --set evaluate.sphere=none
exits "by Harmony: the store" 0 run --force --set evaluate.batch_correction=harmony --set evaluate.harmony_by=batch
cp work_t/profiles/r.h5ad store.h5ad
exits "by Harmony" 0 run --transform-with store.h5ad --set train.run=plate --set evaluate.profiles=in/p3.csv
has "by Harmony: said" "$T/err" "was corrected by Harmony, which cannot be applied to other wells"
has "by Harmony: the report says it" work_t/reports/plate/metrics.json "was corrected by Harmony, which cannot be applied to other wells"

# Embeddings say which model they are of.
for m in a b; do "$ROOT/build/release/tests/tools/evaluate_make" "$m" perfect "model-$m"; done
quick() { "$BIN/micon-evaluate" "$1/screen.yaml" --set evaluate.bootstrap=10 --set evaluate.null_size=10 "${@:2}"; }
exits "embeddings" 0 quick a
cp a/work/profiles/micon.h5ad a.h5ad
exits "another model" 1 quick b --transform-with a.h5ad
has "another model: said" "$T/err" "a.h5ad holds profiles of another model (model-a) than these embeddings (model-b)"
exits "other profiles than embeddings" 1 quick a --transform-with store.h5ad
has "other profiles than embeddings: said" "$T/err" "these are of length 32: it is of another model"
cp a/work/embeddings/micon/S1__B1__P1.h5 b/work/embeddings/micon/
exits "plates of two models" 1 quick b
has "plates of two models: said" "$T/err" \
    "S1__B2__P2.h5 was embedded with another model (model-b) than plates before it (model-a): run micon-embed"
tap_done

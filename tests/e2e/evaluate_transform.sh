#!/usr/bin/env bash
# run: limit=120
# micon-evaluate --transform-with: the same wells, one plate of them and other tables come out as a finished store's own wells did; what
# does not fit is refused.
. "$(dirname "$0")/../tap.sh"
. "$ROOT/tests/profile_tables.sh"
cd "$T" || exit 1
table_screen t 'in/*.csv'
N=1
run() { if [ "$N" = 1 ]; then evaluate t "$@"; else mpi "$N" "$BIN/micon-evaluate" t.yaml "$@"; fi; }
mkdir in
for p in 1 2 3 4; do table $p B$((1 + (p - 1) / 2)) 2 12 > in/p$p.csv; done
exits "the store" 0 run --set evaluate.sphere=ZCA
exported t t_r --quiet
cp work_t/profiles/r.h5ad store.h5ad

N=2
exits "the same screen" 0 run --transform-with store.h5ad --set train.run=same
alike "the same screen" same
has "the report says it" work_t/reports/same/metrics.json \
    "transformed as store.h5ad: 10 of 11 features; normalized by group, each on its own wells; ranks among these wells; its sphering"
exits "the same, again" 0 run --transform-with store.h5ad --set train.run=same
has "the same, again: up to date" "$T/err" "up to date"
exits "as the configuration has it" 0 run --set evaluate.transform_with=store.h5ad --set train.run=config
alike "as the configuration has it" config
N=1
exits "one plate of it" 0 run --transform-with store.h5ad --set train.run=plate --set evaluate.profiles=in/p3.csv
alike "one plate of it" plate P3
# What does not fit.
exits "Harmony asked for" 2 evaluate t --transform-with store.h5ad --set train.run=plate --set evaluate.batch_correction=harmony
has "Harmony asked for: said" "$T/err" "evaluate.batch_correction: harmony is fitted on all wells together"
cp store.h5ad first.h5ad
exits "onto itself" 2 evaluate t --transform-with work_t/profiles/r.h5ad
has "onto itself: said" "$T/err" "would be overwritten by what it transforms"
cut -d, -f1-10,13- in/p3.csv > lacking.csv
exits "features lack" 1 evaluate t --transform-with store.h5ad --set train.run=x --set evaluate.profiles=lacking.csv
has "features lack: named" "$T/err" "these wells lack 2 of its 10 features, the first is 'f4'"
exits "no such store" 1 evaluate t --transform-with none.h5ad --set train.run=x
has "no such store: said" "$T/err" "--transform-with: none.h5ad: No such file"
exits "no store" 1 evaluate t --transform-with in/p1.csv --set train.run=x
has "no store: said" "$T/err" "is not an HDF5 file"
size=$(stat -c %s store.h5ad)
bad=0
# As much as cannot all fall into a gap between what HDF5 keeps there: damage of a gap harms nothing and may pass.
for at in $((size / 5)) $((size / 3)) $((size / 2)) $((size * 3 / 4)) $((size - 6000)); do
    cp first.h5ad store.h5ad
    head -c 5000 /dev/zero | tr '\0' '\252' | dd of=store.h5ad bs=1 seek="$at" conv=notrunc status=none
    evaluate t --transform-with store.h5ad --set train.run=x --force 2>"$T/err" && { bad=1; echo "#   damaged at $at: taken"; }
    grep -q 'error: .*store.h5ad' "$T/err" || { bad=1; sed 's/^/#   /' "$T/err" | head -3; }
done
same "a damaged store is refused, wherever it is" $bad 0
head -c $((size / 2)) first.h5ad > store.h5ad
exits "half a store" 1 evaluate t --transform-with store.h5ad --set train.run=x
not_ok "nothing was written for those" test -e work_t/profiles/x.h5ad
tap_done

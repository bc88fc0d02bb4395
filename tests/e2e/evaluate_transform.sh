#!/usr/bin/env bash
# run: limit=120
# micon-evaluate --transform-with: the same wells, one plate of them and other tables come out as a finished store's own wells did; what does not fit
# is refused.
. "$(dirname "$0")/../tap.sh"
. "$ROOT/tests/profile_tables.sh"
cd "$T" || exit 1
cat > screen.yaml <<'EOP'
screen: {name: tables, control: DMSO, work: work}
train: {run: r}
evaluate: {profiles: "in/*.csv", bootstrap: 20, null_size: 100}
EOP
N=1
run() { if [ $N = 1 ]; then alone "$@"; else mpi "$N" "$BIN/micon-evaluate" screen.yaml "$@"; fi; }
alone() { "$BIN/micon-evaluate" screen.yaml "$@"; }
# tables_of RUN FOLDER; rows TABLE [PLATE] : the rows, of one plate, without the metadata that differ
tables_of() { alone --export "$2" --set train.run="$1" --quiet; }
rows() { zcat "$1.csv.gz" | grep -E "^Metadata_|,${2:-P[0-9]}," | sha256sum; }
alike() { # "what" RUN : the tables of the wells are those of store.h5ad's
    local form
    tables_of "$2" "t_$2"
    for form in raw normalized corrected; do same "$1: $form" "$(rows "t_$2/$2.$form" "$3")" "$(rows "t_r/r.$form" "$3")"; done
}
mkdir in
for p in 1 2 3 4; do table $p B$((1 + (p - 1) / 2)) 2 12 > in/p$p.csv; done
exits "the store" 0 run
tables_of r t_r
cp work/profiles/r.h5ad store.h5ad

N=2
exits "the same screen" 0 run --transform-with store.h5ad --set train.run=same
alike "the same screen" same
has "the report says it" work/reports/same/metrics.json "transformed as store.h5ad: 10 of 10 features; normalized by group, each on its own wells; its sphering"
exits "the same, again" 0 run --transform-with store.h5ad --set train.run=same
has "the same, again: up to date" "$T/err" "up to date"
exits "as the configuration has it" 0 run --set evaluate.transform_with=store.h5ad --set train.run=config
alike "as the configuration has it" config
N=1
exits "one plate of it" 0 run --transform-with store.h5ad --set train.run=plate --set evaluate.profiles=in/p3.csv
alike "one plate of it" plate P3
# What does not fit.
exits "Harmony asked for" 2 alone --transform-with store.h5ad --set train.run=plate --set evaluate.correct=harmony
has "Harmony asked for: said" "$T/err" "evaluate.correct: harmony learns from all wells together"
cp store.h5ad first.h5ad
exits "onto itself" 2 alone --transform-with work/profiles/r.h5ad
has "onto itself: said" "$T/err" "would be overwritten by what it transforms"
cut -d, -f1-10,13- in/p3.csv > lacking.csv
exits "features lack" 1 alone --transform-with store.h5ad --set train.run=x --set evaluate.profiles=lacking.csv
has "features lack: named" "$T/err" "these wells lack 2 of its 10 features, the first is 'f4'"
exits "no such store" 1 alone --transform-with none.h5ad --set train.run=x
has "no such store: said" "$T/err" "--transform-with: none.h5ad: No such file"
exits "no store" 1 alone --transform-with in/p1.csv --set train.run=x
has "no store: said" "$T/err" "is not an HDF5 file"
size=$(stat -c %s store.h5ad)
bad=0
for at in 3000 $((size / 4)) $((size / 2)) $((size * 3 / 4)) $((size - 400)); do
    cp first.h5ad store.h5ad
    printf '\001\002\003\004\005\006\007' | dd of=store.h5ad bs=1 seek="$at" conv=notrunc status=none
    cmp -s first.h5ad store.h5ad && bad=1
    alone --transform-with store.h5ad --set train.run=x 2>"$T/err" && { bad=1; echo "#   damaged at $at: taken"; }
    grep -q 'error: .*store.h5ad' "$T/err" || { bad=1; head -3 "$T/err"; }
done
same "a damaged store is refused, wherever it is" $bad 0
head -c $((size / 2)) first.h5ad > store.h5ad
exits "half a store" 1 alone --transform-with store.h5ad --set train.run=x
not_ok "nothing was written for those" test -e work/profiles/x.h5ad
tap_done

#!/usr/bin/env bash
# train_bad.sh -- inputs of micon-train that do not match, and a training that diverges.   run: limit=180
. "$(dirname "$0")/../tap.sh"
cd "$T" || exit 1
export OMP_NUM_THREADS=1
TRAIN=$BIN/micon-train
quiet mpi 2 "$BIN/micon-simulate" --out screen --sources 2 --batches 1 --wells 8 --sites 2 --compounds 3 --size 48
cd screen || exit 1
S="screen.yaml --set tile.size=32 --set featurize.bits=64 --set train.batch=2 --set train.precision=fp32 --set train.dim=10
   --set train.projection=8 --set train.run=bad --set train.steps=3"
quiet mpi 2 "$BIN/micon-tile" $S
quiet "$BIN/micon-featurize" $S
refused() { # WHAT STATUS TEXT ARGS...
    local what=$1 want=$2 text=$3
    shift 3
    exits "$what: exit $want" "$want" timeout 60 "$MPIRUN" --oversubscribe -n 2 "$TRAIN" $S "$@"
    has "$what: said" "$T/err" "$text"
    same "$what: once" "$(grep -c 'micon-train: error' "$T/err")" 1
    ok "$what: no model" test ! -e work/models/bad/model.safetensors
}
one=$(zcat metadata/compound.csv.gz | grep -o 'JCP2022_2[0-9]*' | head -n 1)
# Compounds of a screen with the same wells and other identifiers.
mkdir -p other/metadata; cp -r images screen.yaml other/; cp metadata/plate.csv.gz other/metadata/
for f in well compound; do zcat metadata/$f.csv.gz | sed 's/JCP2022_2/JCP2022_9/' | gzip >other/metadata/$f.csv.gz; done
exits "another screen's compounds" 0 "$BIN/micon-featurize" other/screen.yaml --set featurize.bits=64
mv work/compounds.h5 kept.h5
cp other/work/compounds.h5 work/
refused "compounds of another screen" 1 "run micon-featurize again"
for f in well compound; do zcat metadata/$f.csv.gz | sed "s/$one/JCP2022_999999/" | gzip >other/metadata/$f.csv.gz; done
exits "a screen that lacks one of the compounds" 0 "$BIN/micon-featurize" other/screen.yaml --set featurize.bits=64
cp other/work/compounds.h5 work/
exits "vectors of two of three compounds" 0 mpi 2 "$TRAIN" $S --set train.run=few --set train.steps=1
has "vectors of two of three: said" "$T/err" "1 of 3 compounds have no vector in compounds.h5: their tiles are left out"
few=$(sed -n 's/.* \([0-9]*\) training tiles.*/\1/p' "$T/err")
mv kept.h5 work/compounds.h5
exits "clip, a batch larger than all tiles" 0 mpi 2 "$TRAIN" $S --set train.run=clip --set train.method=clip --set train.batch=1000 --set \
    train.steps=1
has "clip: a step's items" "$T/err" "clip: a step has 3 items"
ok "and those are counted" awk -F'[:,]' \
    '{ for (i = 1; i < NF; i++) { if ($i ~ /items_per_s/) a = $(i + 1); if ($i ~ /"seconds"/) b = $(i + 1) }
    exit !(a * b > 2.99 && a * b < 3.01) }' work/models/clip/log.jsonl
exits "clip, fewer compounds than ranks: exit 2" 2 mpi 4 "$TRAIN" $S --set train.method=clip --set train.batch=1000
has "said" "$T/err" "3 compounds cannot be divided among 4 ranks: use fewer ranks"
hasnt "before a tile is loaded" "$T/err" "training tiles"
exits "a batch smaller than the ranks: exit 2" 2 mpi 3 "$TRAIN" $S
hasnt "said before a tile is loaded" "$T/err" "training tiles"
refused "no control anywhere" 1 "training needs control tiles" --set screen.control=JCP2022_000000
cp metadata/well.csv.gz kept.gz
zcat kept.gz | grep -v ',A01,' | gzip >metadata/well.csv.gz
for f in images/*/load_data.csv; do cp "$f" "$f.kept"; grep -v ',A01,' "$f.kept" >"$f"; done
refused "tiles of wells that the tables do not have" 1 \
    "source_1__Batch1__S1B01P001.h5: well A01 is not in the screen's tables: run micon-tile again"
for f in images/*/load_data.csv; do mv "$f.kept" "$f"; done
mv kept.gz metadata/well.csv.gz
fast="--set train.schedule=constant --set train.warmup=0 --set train.weight_decay=10 --set train.checkpoint_steps=1"
refused "a rate that is far too large" 1 "training diverged" $fast --set train.lr=100 --set train.steps=60
has "what to try" "$T/err" "try a lower train.lr"
has "the step, which is not in the log" "$T/err" "step $(($(wc -l <work/models/bad/log.jsonl) + 1)): loss"
has "where the checkpoints are" "$T/err" "are kept in work/models/bad/checkpoints,"
all=$(sed -n 's/.* \([0-9]*\) training tiles.*/\1/p' "$T/err")
ok "of three compounds there are more tiles than of two" test "${all:-0}" -gt "${few:-999}"
last=$(ls work/models/bad/checkpoints/*.safetensors 2>/dev/null | tail -n 1)
same "the last good checkpoint stays, with no NaN" "$("$ROOT/build/release/tests/tools/tensor_tool" far "$last" "$last" "" |
    cut -d' ' -f1)" 0
# A filter so large that the variance behind it is no float: the loss is finite, and what is kept of the variance is not.
rm -r work/models/bad
"$ROOT/build/release/tests/tools/tensor_tool" huge work/models/few/model.safetensors huge.safetensors encoder.conv1.weight
refused "statistics that are infinite after a step" 1 "is not finite: training diverged" --set train.weights=huge.safetensors --set \
    train.checkpoint_steps=1
same "no checkpoint of them" "$(ls work/models/bad/checkpoints 2>/dev/null)" ""
refused "statistics that are infinite in the end" 1 "is not finite: training diverged" --set train.weights=huge.safetensors --set \
    train.steps=1
tap_done

#!/usr/bin/env bash
# train_frozen.sh -- frozen layers: their outputs are computed once, with the same model in the end; validation loss.   run: long limit=400
. "$(dirname "$0")/../tap.sh"
cd "$T" || exit 1
export OMP_NUM_THREADS=1
TRAIN=$BIN/micon-train TENSOR=$ROOT/build/release/tests/tools/tensor_tool
quiet mpi 2 "$BIN/micon-simulate" --out screen --sources 2 --batches 2 --wells 12 --sites 4 --compounds 4 --size 64
cd screen || exit 1
S="screen.yaml --set tile.size=32 --set featurize.bits=64 --set train.batch=4 --set train.precision=fp32 --set train.dim=40
   --set train.projection=16 --set train.temperature=0.1 --set split.valid_batches=1 --set split.test_batches=0"
quiet mpi 2 "$BIN/micon-tile" $S
quiet "$BIN/micon-featurize" $S
model() { echo "work/models/$1/model.safetensors"; }
figures() { sed 's/"items_per_s".*"comm_bytes"/"comm_bytes"/; s/"memory_mb": [^,]*, //' "work/models/$1/log.jsonl"; }
far() { "$TENSOR" far "$@" | cut -d' ' -f1; }
exits "weights to begin with" 0 mpi 2 "$TRAIN" $S --set train.run=first --set train.steps=2
F="--set train.steps=6 --set train.weights=$(model first) --set train.augment=none --set train.valid_every=3 --set train.aux=yes"
for layers in stem layer2 all; do
    for n in 1 2; do
        exits "$layers, $n ranks: outputs kept" 0 mpi $n "$TRAIN" $S $F --set train.freeze=$layers --set train.run=kept$layers$n
        has "said" "$T/err" "frozen layers: outputs of"
        hasnt "some are" "$T/err" "those of 0 tiles"
        exits "$layers, $n ranks: computed at every step" 0 mpi $n "$TRAIN" $S $F --set train.freeze=$layers --set \
            train.run=none$layers$n --set train.cache_memory=0
        has "none is kept" "$T/err" "outputs of 0 tiles cached"
        ok "the same model, byte for byte" cmp "$(model kept$layers$n)" "$(model none$layers$n)"
        same "and the same figures" "$(figures kept$layers$n)" "$(figures none$layers$n)"
    done
done
has "the last validation is in the summary" "$T/err" "the last validation: loss"
same "frozen layers stay" "$(far "$(model first)" "$(model keptlayer22)" encoder.layer2)" 0
not_ok "others move" test "$(far "$(model first)" "$(model keptlayer22)" encoder.layer3)" = 0
same "their statistics too" "$(far "$(model first)" "$(model keptall2)" encoder.layer)" 0
not_ok "all: the last layer moves" test "$(far "$(model first)" "$(model keptall2)" encoder.fc)" = 0
exits "some kept, few tiles in memory" 0 mpi 2 "$TRAIN" $S $F --set train.freeze=layer2 --set train.run=some --set \
    train.cache_memory=2MiB --set train.tiles_memory=250KiB
ok "the same model" cmp "$(model some)" "$(model keptlayer22)"
exits "simclr, whose items ask for a tile twice" 0 mpi 2 "$TRAIN" $S $F --set train.freeze=all --set train.run=twice --set \
    train.method=simclr --set train.aux=no
exits "computed" 0 mpi 2 "$TRAIN" $S $F --set train.freeze=all --set train.run=twice0 --set train.cache_memory=0 --set \
    train.method=simclr --set train.aux=no
ok "the same model" cmp "$(model twice)" "$(model twice0)"

# ---- validation loss ----
same "validation loss" "$(grep -c '"valid_queries": [1-9][0-9]*, "valid_loss": [0-9.]*}' work/models/keptall2/log.jsonl)" 2
grep -h '"valid_loss"' work/models/keptall1/log.jsonl work/models/keptall2/log.jsonl | sed 's/.*"valid_loss": \([^}]*\).*/\1/' >"$T/losses"
ok "the same on 1 and 2 ranks" awk \
    'NR <= 2 { a[NR] = $1 } NR > 2 { d = ($1 - a[NR - 2]) / a[NR - 2]; if (d < 0) d = -d; if (d > 1e-3) bad = 1 }
    END { exit bad || NR != 4 }' "$T/losses"
# Validated or not, the training is the same.
exits "without validation" 0 mpi 2 "$TRAIN" $S $F --set train.freeze=all --set train.run=blind --set train.valid_every=0
same "looking changes no weight" "$(far "$(model blind)" "$(model keptall2)" "")" 0
tap_done

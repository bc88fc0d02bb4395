#!/usr/bin/env bash
# run: limit=120
# driver_pretrained.sh -- `micon run` with train.method: pretrained: weights of others go through tiles, embeddings and the report without
# training, and without structures.
. "$(dirname "$0")/../tap.sh"
TOOLS=$ROOT/build/release/tests/tools
cd "$T" || exit 1
exits "a screen is drawn" 0 "$BIN/micon-simulate" --out s --sources 1 --batches 1 --wells 12 --sites 1 --size 48 --compounds 4
"$TOOLS/model_make" s/trunk.safetensors 32 100 32 0 0 DNA ER RNA AGP Mito
sed -i '/^  compound:/d' s/screen.yaml
run() { "$BIN/micon" run s/screen.yaml -n 2 --set train.method=pretrained --set train.weights=trunk.safetensors --set tile.size=32 \
    --set evaluate.null_size=100 --set evaluate.bootstrap=100 "$@"; }
exits "check" 0 "$BIN/micon" check s/screen.yaml --set train.method=pretrained --set train.weights=trunk.safetensors
exits "a run" 0 run
has "a run: to its end" "$T/err" "[micon] done"
hasnt "a run: no structures are asked for" "$T/err" "featurize"
same "the weights are those given" \
    "$("$TOOLS/tensor_tool" far s/trunk.safetensors s/work/models/micon/model.safetensors encoder.layer | cut -d' ' -f1)" 0
same "every plate is embedded" "$(ls s/work/embeddings/micon | wc -l)" "$(ls s/work/tiles/*.h5 | wc -l)"
ok "there is a report" test -s s/work/reports/micon/report.html
exits "again" 0 run
has "again: nothing to do" "$T/err" "nothing to do"
tap_done

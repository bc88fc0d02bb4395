#!/usr/bin/env bash
# bench_frozen.sh -- training with frozen layers and no augmentation: their outputs kept (train.cache_memory) against computed at every
# step, and against the whole net with augmentation; resnet18, 96 px, 16 items. Processor seconds of the best step after the first.
. "$(dirname "$0")/../tap.sh"
cd "$T" || exit 1
export OMP_NUM_THREADS=1
bad=0
mark() { # NAME FIGURE WANTED
    printf '%s: %.1f (wanted >= %s)\n' "$1" "$2" "$3"
    awk -v a="$2" -v b="$3" 'BEGIN { exit !(a + 0 >= b + 0) }' || { echo "    missed"; bad=1; }
}
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { print (b > 0 ? a / b : 0) }'; }
quiet() { "$@" >"$T/out" 2>"$T/err" </dev/null || { cat "$T/err"; exit 1; }; }
quiet mpi 2 "$BIN/micon-simulate" --out screen --sources 2 --batches 2 --wells 12 --sites 1 --compounds 4 --size 96
cd screen || exit 1
S="screen.yaml --set tile.size=96 --set train.batch=16 --set split.test_batches=0 --set train.method=paclr"
quiet mpi 2 "$BIN/micon-tile" $S
quiet "$BIN/micon-featurize" $S
quiet mpi 1 "$BIN/micon-train" $S --set train.run=first --set train.steps=1
# step NAME KEY=VALUE...: the least processor seconds of a step after the first
step() {
    local name=$1 sets=() k
    shift
    for k in "$@"; do sets+=(--set "train.$k"); done
    quiet mpi 1 "$BIN/micon-train" $S --set train.steps=5 --set train.weights=work/models/first/model.safetensors --set "train.run=$name" \
        "${sets[@]}"
    sed -n '2,$s/.*"processor_s": \([^,}]*\).*/\1/p' "work/models/$name/log.jsonl" | sort -g | head -n 1
}
for layers in layer2 all; do
    whole=$(step "whole$layers" freeze=$layers) none=$(step "none$layers" freeze=$layers augment=none cache_memory=0)
    kept=$(step "kept$layers" freeze=$layers augment=none)
    echo "freeze: $layers: a step $kept s with outputs kept, $none s without, $whole s with augmentation"
    mark "freeze: $layers, outputs kept against computed at every step" "$(ratio "$none" "$kept")" \
        "$([ $layers = all ] && echo 10 || echo 1.2)"
done
rm -rf "$T"
exit $bad

#!/usr/bin/env bash
# bench_train.sh -- a whole training step of micon-train (items, augmentation, network, heads, losses, AdamW): resnet18, 96 px, 32 items = 640
# pictures, against a PyTorch step of the network and AdamW alone (tests/bench/peers/nn_torch.py), in one run; then 2 ranks against 1.
# One core's figures are processor seconds of the best step after the first, which other programs disturb less than time on the clock; 2
# ranks against 1 is by the clock.
. "$(dirname "$0")/../tap.sh"
cd "$T" || exit 1
export OMP_NUM_THREADS=1
bad=0
mark() { # NAME FIGURE WANTED
    printf '%s: %.2f (wanted >= %s)\n' "$1" "$2" "$3"
    awk -v a="$2" -v b="$3" 'BEGIN { exit !(a + 0 >= b + 0) }' || { echo "    missed"; bad=1; }
}
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { print (b > 0 ? a / b : 0) }'; }
quiet() { "$@" >"$T/out" 2>"$T/err" </dev/null || { cat "$T/err"; exit 1; }; }
quiet mpi 2 "$BIN/micon-simulate" --out screen --sources 2 --batches 2 --wells 24 --sites 2 --compounds 6 --size 128
cd screen || exit 1
S="screen.yaml --set tile.size=96 --set train.batch=32 --set train.steps=${BENCH_STEPS:-4} --set split.test_batches=0"
quiet mpi 2 "$BIN/micon-tile" $S
quiet "$BIN/micon-featurize" $S
# least KEY LOG: the least figure of the steps after the first
least() { sed -n "2,\$s/.*\"$1\": \([^,}]*\).*/\1/p" "$2" | sort -g | head -n 1; }
# step RANKS PRECISION KEY: trains, and the least figure
step() {
    quiet mpi "$1" "$BIN/micon-train" $S --force --set train.run="b$1$2" --set train.precision="$2"
    least "$3" "work/models/b$1$2/log.jsonl"
}
peer() { /usr/bin/python3 "$ROOT/tests/bench/peers/nn_torch.py" train 18 640 96 "$1" 1 "${BENCH_PEER_STEPS:-2}" 2>/dev/null | sed 's/.*processor \([^ ]*\).*/\1/'; }
kinds=fp32
grep -q amx_bf16 /proc/cpuinfo && kinds="fp32 bf16"
kinds=${BENCH_KINDS:-$kinds}
best_peer=
for k in $kinds; do
    ours=$(step 1 "$k" processor_s) theirs=$(peer "$k")
    echo "$k: $ours processor seconds a step, PyTorch ${theirs:-missing}"
    one=$(least seconds "work/models/b1$k/log.jsonl")
    [ -n "$theirs" ] || continue
    best_peer=$(printf '%s\n' $best_peer "$theirs" | sort -g | head -n 1)
    [ "$k" = fp32 ] && mark "fp32, against PyTorch's fp32" "$(ratio "$theirs" "$ours")" 1.5
    [ "$k" = bf16 ] && mark "bf16, against the better of PyTorch's" "$(ratio "$best_peer" "$ours")" 2.5
done
two=$(step 2 "$k" seconds)
echo "$k, 2 ranks: $two s a step; communication $(sed -n '2,$s/.*"comm_s": \([^,]*\).*/\1/p' "work/models/b2$k/log.jsonl" | xargs) s"
mark "$k, 2 ranks against 1" "$(ratio "$one" "$two")" 1.8
rm -rf "$T"
exit $bad

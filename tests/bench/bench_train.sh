#!/usr/bin/env bash
# bench_train.sh -- a training step: resnet18, 96 px, 32 items = 640 pictures. The network's passes against PyTorch's (forward, backward and
# AdamW, channels_last; tests/bench/peers/nn_torch.py) on one core and on two, in one run; what of the step is convolution, and what its
# convolutions take alone; then the whole step of micon-train (items, augmentation, heads, losses, AdamW too), 2 ranks against 1.
# One core's figures are processor seconds of the best step after the first, which other programs disturb less than time on the clock; two
# cores' and two ranks' are wall time. At the end items a processor second against the batch. BENCH_STEPS, BENCH_PEER_STEPS, BENCH_PICTURES,
# BENCH_BATCHES: for a shorter try.
. "$(dirname "$0")/../tap.sh"
. "$ROOT/tests/bench/marks.sh"
cd "$T" || exit 1
kinds=fp32
bf16 && kinds="fp32 bf16"
kinds=${BENCH_KINDS:-$kinds}
nn() { "$ROOT/build/release/tests/bench/bench_nn" train 18 "${BENCH_PICTURES:-640}" 96 "$1" "$2" "${BENCH_STEPS:-3}" 2>"$T/table.$1.$2"; }
peer() { /usr/bin/python3 "$ROOT/tests/bench/peers/nn_torch.py" train 18 "${BENCH_PICTURES:-640}" 96 "$1" "$2" "${BENCH_PEER_STEPS:-2}" \
    2>/dev/null; }

# ---- the network against PyTorch ----
for threads in 1 2; do
    [ $threads = 1 ] && clock=processor || clock=seconds
    best_ours='' best_peer=''
    for k in $kinds; do
        line=$(nn "$k" $threads)
        s=$(field $clock <<<"$line") other=$(field other <<<"$line") alone=$(field alone <<<"$line") \
            theirs=$(peer "$k" $threads | field $clock)
        echo "train, $threads core(s), $k: $s s a step, $other s of it no convolution; the same convolutions alone $alone s;" \
            "PyTorch ${theirs:-missing}"
        best_ours=$(least "$best_ours" "$s") best_peer=$(least "$best_peer" "$theirs")
        [ "$k" = fp32 ] && [ -n "$theirs" ] && mark "train, $threads core(s), PyTorch's fp32 / ours in fp32" "$(ratio "$theirs" "$s")" 1.5
        [ $threads = 1 ] && most "train, 1 core, $k: all in the network that is not convolution, s" "$other" 1.0
        [ $threads = 1 ] && echo "    of the step, the best measured primitives would take $(awk -v a="$alone" -v s="$s" \
            'BEGIN { printf "%.0f", 100 * a / s }') %"
    done
    what="train, $threads core(s), best of PyTorch / best of ours"
    [ -z "$best_peer" ] && echo "train: no python3-torch: the peer is skipped" && continue
    if amx; then mark "$what" "$(ratio "$best_peer" "$best_ours")" 2.5; else elsewhere "$what" "$(ratio "$best_peer" "$best_ours")" 2.5 \
        "no AMX"; fi
done

# ---- the whole step ----
export OMP_NUM_THREADS=1
quiet() { "$@" >"$T/out" 2>"$T/err" </dev/null || { cat "$T/err"; exit 1; }; }
quiet mpi 2 "$BIN/micon-simulate" --out screen --sources 2 --batches 2 --wells 24 --sites 2 --compounds 6 --size 128
cd screen || exit 1
S="screen.yaml --set tile.size=96 --set train.batch=32 --set train.steps=${BENCH_STEPS:-4} --set split.test_batches=0"
quiet mpi 2 "$BIN/micon-tile" $S
quiet "$BIN/micon-featurize" $S
# of KEY LOG: the least figure of the steps after the first
of() { sed -n "2,\$s/.*\"$1\": \([^,}]*\).*/\1/p" "$2" | sort -g | head -n 1; }
for k in $kinds; do
    for r in 1 2; do quiet mpi $r "$BIN/micon-train" $S --force --set train.run="b$r$k" --set train.precision="$k" --profile; cp "$T/out" \
        "$T/profile.$r"; done
    log=work/models/b1$k/log.jsonl two=work/models/b2$k/log.jsonl
    convolution=$(sed -n 's/^convolutions \([0-9.]*\) s a pass.*/\1/p' "$T/profile.1")
    other=$(awk -v p="$(sed -n 's/.*a step \([0-9.]*\) s$/\1/p' "$T/profile.1")" -v c="$convolution" 'BEGIN { print p - c }')
    echo "micon-train, $k: $(of processor_s "$log") processor seconds a step; 2 ranks: $(of seconds "$two") s a step; communication $(sed \
        -n '2,$s/.*"comm_s": \([^,]*\).*/\1/p' "$two" | xargs) s"
    most "micon-train, 1 core, $k: all of a step that is not convolution, s" "$other" 1.0
    mark "micon-train, $k: 2 ranks / 1 rank" "$(ratio "$(of seconds "$log")" "$(of seconds "$two")")" 1.8
done

# ---- small batches: a part of a step is the same for any ----
cd "$T" || exit 1
quiet mpi 2 "$BIN/micon-simulate" --out many --sources 2 --batches 2 --wells 48 --sites 2 --compounds 6 --size 128 # 256 items and more
cd many || exit 1
S="screen.yaml --set tile.size=64 --set split.test_batches=0 --set train.steps=4 --set train.precision=${kinds##* }"
quiet mpi 2 "$BIN/micon-tile" $S
quiet "$BIN/micon-featurize" $S
for b in ${BENCH_BATCHES-12 48 256}; do
    for r in 1 2; do
        quiet mpi $r "$BIN/micon-train" $S --force --set train.run="c$r" --set train.batch="$b"
        s=$(of processor_s "work/models/c$r/log.jsonl")
        echo "micon-train, 64 px, ${kinds##* }, $b items, $r rank(s): $s processor seconds a rank and step," \
            "$(awk -v b="$b" -v r=$r -v s="$s" 'BEGIN { printf "%.1f", b / r / s }') items a processor second"
    done
done
rm -rf "$T"
exit $bad

#!/usr/bin/env bash
# bench_profile.sh -- the mathematics of evaluate against numpy and scikit-learn, and at the size of JUMP's target-2 plates.
# Ratios are of processor seconds on one core each, the better of two runs taken in turn: what a busy machine disturbs least.
set -u
bench=build/release/tests/bench/bench_profile peer=tests/bench/peers/profile_numpy.py bad=0
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1
python=${PEER_PYTHON:-/usr/bin/python3}
value() { sed -n "s/^$1 //p" "$2"; }

against() { # TITLE WANTED MODE [float64]
    local title=$1 want=$2 i
    shift 2
    : >"$T/ours"; : >"$T/peer"
    for i in 1 2; do
        "$bench" "$1" 10000 1000 1 >"$T/out" && value cpu "$T/out" >>"$T/ours" || bad=1
        "$python" "$peer" "$1" 10000 1000 "${@:2}" >"$T/out" && value cpu "$T/out" >>"$T/peer" || bad=1
    done
    awk -v title="$title" -v want="$want" -v a="$(sort -g "$T/ours" | head -n 1)" -v b="$(sort -g "$T/peer" | head -n 1)" 'BEGIN {
        printf "%s: %.1f x (%.2f s against %.2f s; wanted %s x)\n", title, b / a, a, b, want; exit b / a < want }' || bad=1
}

if "$python" -c 'import numpy, sklearn' 2>/dev/null; then
    against "MAD + ZCA + cosine top 10, 10,000 x 1,000, against numpy and scikit-learn in float64" 3 topk float64
    against "the same against float32 after the sphering" 1 topk float32
    against "mAP activity with p-values, 10,000 x 1,000, against pairwise numpy" 20 map
else
    echo "numpy and scikit-learn are not installed: no peer to compare with"
fi
"$bench" screen 62162 1000 2 >"$T/out" || bad=1
cat "$T/out" | sed 's/^/  /'
# Two cores of its own would take half the processor seconds; the clock is shown as well, and is the larger the busier the machine.
awk -v s="$(value total "$T/out")" -v c="$(value cpu "$T/out")" -v b="$(value peak_bytes "$T/out")" 'BEGIN {
    printf "62,162 wells x 1,000 features, NSB and NSS top 10 and mAP, 2 processes: "
    printf "%.0f processor s a core, %.0f s wall time (wanted 120), %.2f GiB (wanted 4)\n", c / 2, s, b / 1073741824
    exit c / 2 > 120 || b > 4 * 1073741824 }' || bad=1
exit $bad

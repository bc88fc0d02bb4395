#!/usr/bin/env bash
# bench_digest.sh -- what digests cost: the processor seconds that a stage spends on digests of what it reads and writes, as a share of all
# that it spends; at most 3 % wanted. Two ranks, a plate of 24 sites of 1080 px, tiles of 224, the default
# network. A library that is loaded before libxxhash measures it (peers/digest_clock.c).
. "$(dirname "$0")/../tap.sh"
. "$(dirname "$0")/marks.sh"
cd "$T" || exit 1
if ! "${HOST_CC:-gcc}" -std=gnu11 -O2 -shared -fPIC -o clock.so "$ROOT/tests/bench/peers/digest_clock.c" -ldl 2>"$T/err"; then
    echo "bench_digest: no gcc for the library that measures"
    exit 0
fi
mpi 2 "$BIN/micon-simulate" --out s --sources 1 --batches 1 --wells 24 --sites 1 --compounds 8 --size 1080 --quiet || exit 1
set_of=(--set tile.size=224 --set train.steps=2 --set train.batch=8 --set train.deterministic=yes --quiet)
share() { # STAGE
    mkdir "$1"
    mpi 2 env LD_PRELOAD="$T/clock.so" DIGEST_CLOCK="$T/$1" "$BIN/micon-$1" s/screen.yaml "${set_of[@]}" >"$T/log" 2>&1 ||
        { cat "$T/log"; exit 1; }
    read -r bytes blocks more all < <(cat "$1"/* | awk '{b += $1; s += $2; m += $3; a += $4} END {print b / 1e6, s + 0, m + 0, a + 0}')
    echo "micon-$1: $all processor s; $bytes MB digested: $blocks s for blocks, $more s for images and tensors"
    # An image's digest is what micon-tile knows changed images by: not a check of what it reads.
    [ "$1" = tile ] || blocks=$(awk -v a="$blocks" -v b="$more" 'BEGIN { print a + b }')
    most "digests of micon-$1, % of its processor time" "$(awk -v s="$blocks" -v a="$all" 'BEGIN { print 100 * s / a }')" 3
}
for stage in tile featurize train embed evaluate; do share $stage; done
rm -rf "$T"
exit $bad

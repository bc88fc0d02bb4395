#!/usr/bin/env bash
# bench_digest.sh -- what digests cost: the processor seconds that a stage spends on digests of anything it reads or writes, as a share of
# all that it spends; at most 3 % wanted. Two ranks, a plate of 96 sites at 224 px, the default network. A library that is loaded before
# libxxhash measures it (peers/digest_clock.c).
. "$(dirname "$0")/../tap.sh"
. "$(dirname "$0")/marks.sh"
cd "$T" || exit 1
if ! "${HOST_CC:-gcc}" -std=gnu11 -O2 -shared -fPIC -o clock.so "$ROOT/tests/bench/peers/digest_clock.c" -ldl 2>"$T/err"; then
    echo "bench_digest: no gcc for the library that measures"
    exit 0
fi
mpi 2 "$BIN/micon-simulate" --out s --sources 1 --batches 1 --wells 24 --sites 4 --compounds 8 --size 256 --quiet || exit 1
set_of=(--set tile.size=224 --set train.steps=4 --set train.batch=16 --quiet)
share() { # STAGE
    mkdir "$1"
    local spent
    spent=$( { TIMEFORMAT='%U %S'; time mpi 2 env LD_PRELOAD="$T/clock.so" DIGEST_CLOCK="$T/$1" "$BIN/micon-$1" s/screen.yaml \
        "${set_of[@]}" >"$T/log" 2>&1; } 2>&1) || { cat "$T/log"; exit 1; }
    read -r seconds bytes < <(cat "$1"/* | awk '{s += $1; b += $2} END {print s + 0, b + 0}')
    awk -v name="$1" -v spent="$spent" -v s="$seconds" -v b="$bytes" 'BEGIN { split(spent, t, " "); all = t[1] + t[2]
        printf "micon-%s: %.1f processor s, of them %.3f s for digests of %.0f MB\n", name, all, s, b / 1e6
        print s > 0 ? 100 * s / all : "" > "share" }'
    most "digests of micon-$1, % of its processor time" "$(cat share)" 3
}
for stage in tile featurize train embed evaluate; do share $stage; done
rm -rf "$T"
exit $bad

#!/usr/bin/env bash
# bench_compound.sh -- rows a second of one worker process (standardization included) against a plain loop over Open Babel in one
# process: 0.90 wanted; and of two workers against one: 1.8 wanted, where there are two idle processors. Best of several runs in turn.
cd "$(dirname "$0")/../.." || exit 1
T=${T:-$(mktemp -d)}
table=${SHARED_DATA:-../shared/data}/jump/JUMPCP_compounds.csv.gz
rate=build/release/tests/bench/compound_rate
[ -r "$table" ] || { echo "compound: no $table: skipped"; exit 0; }
# shellcheck disable=SC2046
g++ -O2 -w -o "$T/loop" tests/bench/peers/babel_loop.cc $(pkg-config --cflags --libs openbabel-3) || exit 1
zcat "$table" | tail -n +2 | cut -d, -f2 | awk 'NR % 20 == 0' >"$T/a"
awk 'NR % 2' "$T/a" >"$T/b"
awk 'NR % 2 == 0' "$T/a" >"$T/c"
least() { awk -v x="$1" -v y="$2" 'BEGIN { print ((x == "" || y < x) ? y : x) }'; }
loop='' one='' two=''
for _ in 1 2 3 4 5 6 7; do
    loop=$(least "$loop" "$("$T/loop" "$T/a" ECFP4 1024 | cut -d' ' -f2)")
    one=$(least "$one" "$("$rate" "$T/a" | cut -d' ' -f2)")
    "$rate" "$T/b" >"$T/b.out" &
    c=$("$rate" "$T/c" | cut -d' ' -f2)
    wait $!
    b=$(cut -d' ' -f2 "$T/b.out")
    two=$(least "$two" "$(awk -v b="$b" -v c="$c" 'BEGIN { print (b > c ? b : c) }')")
done
awk -v n="$(wc -l <"$T/a")" -v l="$loop" -v o="$one" -v t="$two" 'BEGIN {
    printf "compound rate, worker / plain loop: %.3f (wanted 0.90), %.0f rows/s\n", l / o, n / o
    printf "compound rate, two workers / one: %.3f (wanted 1.80)\n", o / t
    exit l / o < 0.9 || o / t < 1.8 }'

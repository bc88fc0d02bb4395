#!/usr/bin/env bash
# bench_remote.sh -- micon-tile on 1080 px LZW images behind a server that lets every object wait for 20 ms, against the same files here:
# time on the clock, the two in turn, the least of five of each, the time of a small plate taken off. The server needs a core of its own.
. "$(dirname "$0")/../tap.sh"
. "$ROOT/tests/http_server.sh"
TOOLS=$ROOT/build/release/tests/tools
BIG=${BENCH_SITES:-200} SMALL=4 C=(DNA ER RNA AGP Mito) bad=0
now() { date +%s.%N; }
command -v bc >/dev/null || { echo "bench_remote: bc is not installed"; exit 0; }
mkdir -p "$T/pool"
for n in $(seq 0 49); do "$TOOLS/tiff_make" "$T/pool/$n.tif" 1080 1080 "$n" lzw; done
cat "$T"/pool/*.tif > /dev/null
http_server "$T" 0.02 || { echo "bench_remote: $http_why"; exit 0; }

# plate DIR SITES: a table of SITES x 5 images, all other URLs, of 50 files
plate() {
    local dir=$1 i c n=0 line=Metadata_Plate,Metadata_Well,Metadata_Site
    mkdir -p "$dir/pool"
    for c in "${C[@]}"; do line="$line,${c}_path"; done
    { echo "$line"
      for i in $(seq 1 "$2"); do
          line="P1,A01,$i"
          for c in "${C[@]}"; do line="$line,pool/$i$c.tif"; ln -f "$T/pool/$((n % 50)).tif" "$dir/pool/$i$c.tif"; n=$((n + 1)); done
          echo "$line"
      done; } > "$dir/load_data.csv"
    printf 'Metadata_Plate,Metadata_Well,Metadata_JCP2022\nP1,A01,DMSO\n' > "$dir/well.csv"
    printf 'screen: {name: bench, index: load_data.csv, well: well.csv, control: DMSO}\n' > "$dir/screen.yaml"
}
# clock FOLDER here|remote : seconds on the clock; processor seconds go to $T/cpu.WHERE
clock() {
    local t0 where=()
    [ "$2" = remote ] && where=(--set screen.paths.from=pool --set "screen.paths.to=$URL/ok/$1/pool")
    t0=$(now)
    { TIMEFORMAT='%U + %S'; time "$BIN/micon-tile" "$T/$1/screen.yaml" --force --quiet --set "screen.work=$2" "${where[@]}" \
        >/dev/null 2>"$T/err"; } 2>"$T/time" || { cat "$T/err" >&2; exit 1; }
    echo "$(now) - $t0" | bc -l
    bc -l < "$T/time" >> "$T/cpu.$1.$2"
}
plate "$T/big" "$BIG"
plate "$T/small" "$SMALL"
for _ in 1 2 3 4 5; do
    for what in "big here" "big remote" "small here" "small remote"; do clock $what >> "$T/clock.${what/ /.}" || exit 1; done
done
http_stop
least() { sort -g "$T/$1.$2" | head -n 1; }
images=$(((BIG - SMALL) * 5))
for what in here remote; do
    for kind in clock cpu; do
        eval "${kind}_$what=$(echo "($(least $kind big.$what) - $(least $kind small.$what)) * 1000 / $images" | bc -l)"
    done
done
printf 'here: %.2f ms an image, %.2f ms of the processor; behind URLs %.2f ms and %.2f ms\n' "$clock_here" "$cpu_here" "$clock_remote" \
    "$cpu_remote"
share=$(echo "$clock_here / $clock_remote" | bc -l)
printf 'behind URLs with 20 ms an object, share of the speed here: %.2f (wanted >= 0.9)\n' "$share"
[ "$(echo "$share >= 0.9" | bc -l)" = 1 ] || { echo "    missed"; bad=1; }
rm -rf "$T"
exit $bad

#!/usr/bin/env bash
# bench_scale.sh -- the formula of micon plan --nodes against measured steps of training (resnet18, 96 px; BENCH_BATCH): one rank, two on
# this machine, one on each of two virtual nodes whose links are limited to 10 and 1 Gbit/s. The constants are those that micon-train
# --network measures in the same run. Steps are times on the clock: on a machine that others use, call it with nice -n -20.
. "$(dirname "$0")/../tap.sh"
. "$ROOT/tests/bench/marks.sh"
. "$ROOT/tests/virtual_nodes.sh"
cd "$T" || exit 1
export OMP_NUM_THREADS=1
model=$ROOT/build/release/tests/tools/scale_model
quiet() { "$@" >"$T/out" 2>"$T/err" </dev/null || { cat "$T/err"; nodes_end; exit 1; }; }
quiet mpi 2 "$BIN/micon-simulate" --out screen --sources 2 --batches 2 --wells 24 --sites 2 --compounds 6 --size 128
cd screen || exit 1
keys="tile.size=96 train.batch=${BENCH_BATCH:-16} train.steps=${BENCH_STEPS:-5} split.test_batches=0"
S="screen.yaml$(printf ' --set %s' $keys)"
quiet mpi 2 "$BIN/micon-tile" $S
quiet "$BIN/micon-featurize" $S
# steps RUN LAUNCHER... : the median of the steps after the first
steps() {
    local run=$1
    shift
    quiet "$@" "$BIN/micon-train" $S --force --set train.run="$run"
    sed -n '2,$s/.*"seconds": \([^,}]*\).*/\1/p' "work/models/$run/log.jsonl" | sort -g |
        awk '{ s[NR] = $1 } END { print s[int((NR + 1) / 2)] }'
}
one=$(steps one mpirun -n 1)
echo "one rank: $one s a step"
# against WHAT NODES RANKS LAUNCHER...
against() {
    local what=$1 nodes=$2 ranks=$3 measured predicted
    shift 3
    quiet "$@" "$BIN/micon-train" screen.yaml --network
    sed -n 's/^\[train\] \(between\|within\)/    \1/p' "$T/err"
    measured=$(steps two "$@")
    predicted=$("$model" step screen.yaml "$one" "$nodes" "$ranks" $keys)
    awk -v w="$what" -v o="$one" -v m="$measured" -v p="$predicted" -v n=$((nodes * ranks)) 'BEGIN {
        printf "%s: %.3f s a step, efficiency %.2f; by the formula %.3f s (%+.1f %%)\n", w, m, o / (n * m), p, 100 * (p / m - 1) }'
    most "$what: |formula / measured - 1|" "$(awk -v m="$measured" -v p="$predicted" 'BEGIN { d = p / m - 1; print d < 0 ? -d : d }')" 0.15
}
against "two ranks on one node" 1 2 mpirun -n 2
if nodes_make 2; then
    for link in 10gbit:4m 1gbit:256k; do
        nodes_limit "${link%:*}" "${link#*:}" || { echo "no rate limit here: tc has no tbf"; break; }
        against "two nodes, ${link%gbit*} Gbit/s" 2 1 "$NODES_RUN" -n 2
    done
else
    echo "no virtual nodes: network namespaces need root"
fi
nodes_end
rm -rf "$T"
exit $bad

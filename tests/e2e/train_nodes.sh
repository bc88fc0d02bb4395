#!/usr/bin/env bash
# run: long limit=300
# Training on virtual nodes, each with memory windows, host name and network of its own, and with 64 ranks: the losses of one
# rank; sums between nodes are measured.
. "$(dirname "$0")/../tap.sh"
. "$ROOT/tests/virtual_nodes.sh"
cd "$T" || exit 1
export OMP_NUM_THREADS=1
if ! nodes_make 4; then
    nodes_end
    skip "training on virtual nodes" "network namespaces need root"
    tap_done
fi
trap nodes_end EXIT
exits "a screen" 0 mpi 2 "$BIN/micon-simulate" --out screen --sources 2 --batches 2 --wells 24 --sites 2 --compounds 4 --size 96
cd screen || exit 1
S="screen.yaml --set tile.size=32 --set featurize.bits=64 --set train.batch=16 --set train.precision=fp32 --set train.dim=40
   --set train.projection=16 --set train.temperature=0.1 --set train.lr=5e-5 --set train.steps=5"
exits "tiles" 0 mpi 2 "$BIN/micon-tile" $S
exits "compounds" 0 "$BIN/micon-featurize" $S
losses() { sed 's/.*"loss": \([^,]*\),.*/\1/' "work/models/$1/log.jsonl"; }
apart() { # RUN [STEPS]: the largest relative difference of losses from one rank's
    paste <(losses one) <(losses "$1") | awk -v n="${2:-5}" '
        { d = ($1 - $2) / $1; if (d < 0) d = -d; if (d > m) m = d }
        END { print NR == n ? m + 0 : "none" }'
}
exits "one rank" 0 mpi 1 "$BIN/micon-train" $S --set train.run=one
for r in 1 3; do
    export NODES_RANKS=$r
    exits "four nodes of $r" 0 "$NODES_RUN" "$BIN/micon-train" $S --set train.run=nodes$r
    echo "# $((4 * r)) ranks on four nodes: losses differ by $(apart nodes$r)"
    ok "the losses of one rank within 2e-4" awk -v d="$(apart nodes$r)" 'BEGIN { exit !(d != "none" && d < 2e-4) }'
done
# 64 ranks, of which each has an item, on this machine: over the virtual network their start alone takes minutes.
S="$S --set train.batch=64 --set train.steps=2 --set split.test_batches=0"
exits "one rank, a batch of 64" 0 mpi 1 "$BIN/micon-train" $S --set train.run=one --force
exits "64 ranks" 0 mpi 64 "$BIN/micon-train" $S --set train.run=many
echo "# losses differ by $(apart many 2)"
ok "the losses of one rank within 2e-4" awk -v d="$(apart many 2)" 'BEGIN { exit !(d != "none" && d < 2e-4) }'
export NODES_RANKS=2
MPIRUN=$NODES_RUN exits "micon plan --calibrate --network, four ranks on two nodes" 0 "$BIN/micon" plan screen.yaml --calibrate --network \
    -n 4 --nodes 4
has "seen as such" "$T/err" "4 ranks on 2 nodes: "
ok "within and between" grep -q '"nodes": 2, "ranks": 4, .*"local_hop_s": .*"net_hop_s": .*"net_exposed": ' work/status/network.json
has "the plan uses it" "$T/out" "(measured) within one."
tap_done

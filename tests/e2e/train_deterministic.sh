#!/usr/bin/env bash
# train_deterministic.sh -- train.deterministic: two fresh work folders, the same bytes, nothing measured. run: long limit=240
. "$(dirname "$0")/../tap.sh"
cd "$T" || exit 1
export OMP_NUM_THREADS=1
exits "a screen" 0 mpi 2 "$BIN/micon-simulate" --out screen --sources 2 --batches 2 --wells 16 --sites 1 --compounds 5 --size 48 --quiet
cd screen || exit 1
S="screen.yaml --quiet --set tile.size=32 --set featurize.bits=64"
exits "tiles" 0 mpi 2 "$BIN/micon-tile" $S
exits "compounds" 0 "$BIN/micon-featurize" $S
cp -r work fresh
M="--set train.batch=4 --set train.dim=10 --set train.projection=8 --set train.steps=4"
train() { exits "$1" 0 mpi 2 "$BIN/micon-train" $S $M --set screen.work="$2" --set train.run="$3" --set train.precision="$3" "${@:4}"; }
embed() { exits "$1" 0 mpi 2 "$BIN/micon-embed" $S $M --set screen.work="$2" --set train.run="$3" --set train.precision="$3" "${@:4}"; }
kinds=fp32
grep -q avx512_bf16 /proc/cpuinfo && kinds="fp32 bf16"
for kind in $kinds; do
    D="--set train.deterministic=yes --set embed.precision=$kind"
    train "$kind" work $kind $D
    train "$kind: in a fresh folder" fresh $kind $D
    ok "$kind: the same model" cmp {work,fresh}/models/$kind/model.safetensors
    embed "$kind: embedded" work $kind $D
    embed "$kind: embedded in the fresh folder" fresh $kind $D
    same "$kind: the same embeddings" "$(cat work/embeddings/$kind/*.h5 | sha256sum)" "$(cat fresh/embeddings/$kind/*.h5 | sha256sum)"
done
not_ok "nothing was measured and kept" test -e work/choices
train "without it" fresh fp32
ok "choices are measured and kept" test -e fresh/choices
tap_done

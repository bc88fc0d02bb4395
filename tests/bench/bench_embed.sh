#!/usr/bin/env bash
# bench_embed.sh -- inference of resnet50 on 224 px channel pictures: micon-embed's network against PyTorch (channels_last, fp32 and bf16
# autocast) with the same threads, in turn, best of two, and against the same convolutions run alone; then the whole program: 2 ranks
# against 1, and waiting for tiles. One core's figures are processor seconds.
. "$(dirname "$0")/../tap.sh"
. "$ROOT/tests/bench/marks.sh"
cd "$T" || exit 1
n=${BENCH_PICTURES:-80}
nn() { "$ROOT/build/release/tests/bench/bench_nn" infer 50 $n 224 "$1" 1 3 2>"$T/table.$1"; }
peer() { /usr/bin/python3 "$ROOT/tests/bench/peers/nn_torch.py" infer 50 $((n / 2)) 224 "$1" 1 2 2>/dev/null | field processor; }
per() { awk -v n="$1" -v s="$2" 'BEGIN { print (s > 0 ? n / s : "") }'; } # pictures a second
kinds=fp32
bf16 && kinds="fp32 bf16"
most_of() { printf '%s\n' "$@" | grep . | sort -gr | head -n 1; }
best='' best_peer=''
for k in $kinds; do
    ours='' theirs='' share=''
    for _ in 1 2; do
        line=$(nn "$k")
        ours=$(most_of "$ours" "$(per $n "$(field processor <<<"$line")")")
        share=$(most_of "$share" "$(ratio "$(field alone <<<"$line")" "$(field processor <<<"$line")")")
        theirs=$(most_of "$theirs" "$(per $((n / 2)) "$(peer "$k")")")
    done
    echo "embed, resnet50 224 px, 1 core, $k: $ours pictures/s; PyTorch ${theirs:-missing}"
    [ "$k" = fp32 ] && want=0.85 || want=0.75
    mark "embed, $k: of the rate of the same convolutions alone" "$share" "$want"
    [ "$k" = fp32 ] && [ -n "$theirs" ] && mark "embed, fp32 / PyTorch's fp32" "$(ratio "$ours" "$theirs")" 1.15
    best=$(most_of "$best" "$ours") best_peer=$(most_of "$best_peer" "$theirs")
done
what="embed, best of ours / best of PyTorch"
if [ -z "$best_peer" ]; then
    echo "embed: no python3-torch: the peer is skipped"
elif amx; then mark "$what" "$(ratio "$best" "$best_peer")" 2.2; else elsewhere "$what" "$(ratio "$best" "$best_peer")" 2.2 "no AMX"; fi

# ---- the whole program ----
export OMP_NUM_THREADS=1
mpi 2 "$BIN/micon-simulate" --out screen --sources 1 --batches 1 --wells 24 --sites 4 --compounds 8 --size 256 --quiet
cd screen || exit 1
mpi 2 "$BIN/micon-tile" screen.yaml --set tile.size=224 --quiet 2>/dev/null
mkdir -p work/models/micon
MODEL_DEPTH=50 "$ROOT/build/release/tests/tools/model_make" work/models/micon/model.safetensors 224 1000 512 0 0 DNA ER RNA AGP Mito
one='' two='' waits=''
for _ in 1 2; do
    for r in 1 2; do
        mpi $r "$BIN/micon-embed" screen.yaml --force 2>"$T/log" || { cat "$T/log"; exit 1; }
        s=$(sed -n 's/.*sites in \([0-9.]*\) s.*/\1/p' "$T/log")
        waits=$(most_of "$waits" "$(sed -n 's/.*, \([0-9.]*\) % of the time waiting.*/\1/p' "$T/log")")
        [ $r = 1 ] && one=$(least "$one" "$s") || two=$(least "$two" "$s")
    done
done
echo "micon-embed, resnet50 224 px, a plate of 96 sites: $one s on 1 rank, $two s on 2"
mark "micon-embed: 2 ranks / 1 rank" "$(ratio "$one" "$two")" 1.9
most "micon-embed: share of the time waiting for tiles, %" "$waits" 5
rm -rf "$T"
exit $bad

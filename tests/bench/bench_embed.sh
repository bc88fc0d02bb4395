#!/usr/bin/env bash
# bench_embed.sh -- inference of resnet50 on 224 px channel pictures: micon-embed's network against PyTorch (channels_last, the better of
# fp32 and bf16 autocast) with the same threads, in turn, best of three; then the whole program: 2 ranks against 1, and waiting for tiles.
cd "$(dirname "$0")/../.." || exit 1
. tests/mpi.env
T=${T:-$(mktemp -d)}
nn=build/release/tests/bench/bench_nn peer=tests/bench/peers/nn_torch.py python=/usr/bin/python3
bad=0
n=40
seconds() { sed -n 's/.*seconds \([0-9.e+-]*\).*/\1/p' | head -n 1; }
least() { awk -v x="$1" -v y="$2" 'BEGIN { print ((x == "" || y < x) ? y : x) }'; }
if $python -c 'import torch' 2>/dev/null; then
    ours16='' ours32='' t16='' t32=''
    for _ in 1 2 3; do
        ours16=$(least "$ours16" "$($nn infer 50 $n 224 bf16 1 3 2>"$T/e" | seconds)")
        t16=$(least "$t16" "$($python $peer infer 50 $n 224 bf16 1 3 2>>"$T/e" | seconds)")
        ours32=$(least "$ours32" "$($nn infer 50 $n 224 fp32 1 2 2>>"$T/e" | seconds)")
        t32=$(least "$t32" "$($python $peer infer 50 $n 224 fp32 1 2 2>>"$T/e" | seconds)")
    done
    amx=$(grep -c amx_bf16 /proc/cpuinfo)
    awk -v n=$n -v a="$ours16" -v b="$ours32" -v p="$t16" -v q="$t32" -v amx="$amx" 'BEGIN {
        best = p < q ? p : q
        printf "embed resnet50 224 px, 1 core: bf16 %.1f, fp32 %.1f pictures/s; PyTorch bf16 %.1f, fp32 %.1f\n", n / a, n / b, n / p, n / q
        if (amx) printf "embed, best of ours / best of PyTorch: %.2f (wanted 2.20)\n", best / (a < b ? a : b)
        printf "embed, fp32 / PyTorch fp32: %.2f (wanted 1.15)\n", q / b
        exit (amx && best / (a < b ? a : b) < 2.2) || q / b < 1.15 }' || bad=1
else
    echo "embed: no python3-torch: the peer is skipped"
fi

cd "$T" || exit 1
B=$OLDPWD/build/release
"$MPIRUN" -q -n 2 "$B/bin/micon-simulate" --out screen --sources 1 --batches 1 --wells 48 --sites 4 --compounds 8 --size 256 --quiet
cd screen || exit 1
"$MPIRUN" -q -n 2 "$B/bin/micon-tile" screen.yaml --set tile.size=224 --quiet 2>/dev/null
mkdir -p work/models/micon
"$B/tests/tools/model_make" work/models/micon/model.safetensors 224 1000 512 0 0 DNA ER RNA AGP Mito
export OMP_NUM_THREADS=1
one='' two=''
for _ in 1 2 3; do
    for r in 1 2; do
        "$MPIRUN" -q --oversubscribe -n $r "$B/bin/micon-embed" screen.yaml --force 2>"$T/log" || exit 1
        s=$(sed -n 's/.*sites in \([0-9.]*\) s.*/\1/p' "$T/log")
        [ $r = 1 ] && one=$(least "$one" "$s") || two=$(least "$two" "$s")
    done
done
wait_share=$(sed -n 's/.*, \([0-9.]*\) % of the time waiting.*/\1/p' "$T/log")
awk -v a="$one" -v b="$two" -v w="$wait_share" 'BEGIN {
    printf "embed, 2 ranks / 1 rank (resnet18, a whole plate): %.2f (wanted 1.90)\n", a / b
    printf "embed, share of the time waiting for tiles: %.1f %% (wanted below 5)\n", w
    exit a / b < 1.9 || w >= 5 }' || bad=1
exit $bad

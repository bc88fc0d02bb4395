#!/usr/bin/env bash
# train.sh -- micon-train on a small simulated screen: methods, ranks, restarts, what does not fit.   run: limit=580
. "$(dirname "$0")/../tap.sh"
. "$(dirname "$0")/../train_stop.sh"
cd "$T" || exit 1
export OMP_NUM_THREADS=1
TENSOR=$ROOT/build/release/tests/tools/tensor_tool
TRAIN=$BIN/micon-train
less() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a != "" && a + 0 <= b + 0) }'; }

quiet mpi 2 "$BIN/micon-simulate" --out screen --sources 2 --batches 2 --wells 12 --sites 2 --compounds 4 --size 96
cd screen || exit 1
S="screen.yaml --set tile.size=32 --set featurize.bits=64 --set train.batch=8 --set train.precision=fp32 --set train.dim=40
   --set train.projection=16 --set train.temperature=0.1 --set train.lr=5e-5"
exits "no tiles: exit 1" 1 mpi 2 "$TRAIN" $S
has "no tiles: said" "$T/err" "run micon-"
quiet mpi 2 "$BIN/micon-tile" $S
exits "micon without compounds.h5: exit 1" 1 mpi 2 "$TRAIN" $S
has "what to do" "$T/err" "run micon-featurize first"
quiet "$BIN/micon-featurize" $S
run_of() { echo "--set train.run=$1 --set train.steps=$2"; }
model() { echo "work/models/$1/model.safetensors"; }
losses() { sed 's/.*"loss": \([^,]*\),.*/\1/' "work/models/$1/log.jsonl"; }
far() { "$TENSOR" far "$@" | cut -d' ' -f1; }

# ---- one batch on any number of ranks ----
# Adam's first updates are lr x sign(gradient): where a gradient is nearly 0, rounding decides its sign. So losses of equal runs part by an
# amount that grows with lr; 5e-5 keeps it well below 2e-4 for 10 steps while the loss moves by 100 times that. t = 0.1, for at t = 1 the
# loss hardly depends on the weights. `norm: local` in the place of `sync` must be found.
for n in 1 2 4; do
    exits "10 steps on $n ranks" 0 mpi $n "$TRAIN" $S $(run_of r$n 10) --set train.checkpoint_steps=1000
    quiet mpi $n "$TRAIN" $S $(run_of g$n 2) --set train.checkpoint_steps=1
    same "a line a step" "$(wc -l <work/models/r$n/log.jsonl)" 10
done
apart() { # A B LINES: the largest relative difference of losses
    paste <(losses "$1") <(losses "$2") | head -n "$3" | awk \
        '{ d = ($1 - $2) / $1; if (d < 0) d = -d; if (d > m) m = d } END { print NR ? m + 0 : "none" }'
}
one=checkpoints/step-0000000001.safetensors
for n in 2 4; do
    echo "# $n ranks: first loss $(apart r1 r$n 1), 10 losses $(apart r1 r$n 10), gradients $("$TENSOR" far work/models/g1/$one \
        work/models/g$n/$one moment1)"
    ok "first loss on $n ranks within 1e-5" less "$(apart r1 r$n 1)" 1e-5
    ok "10 losses on $n ranks within 2e-4" less "$(apart r1 r$n 10)" 2e-4
    ok "every gradient of the first step on $n ranks within 1e-4" less "$(far work/models/g1/$one work/models/g$n/$one moment1)" 1e-4
done
exits "norm: local" 0 mpi 2 "$TRAIN" $S $(run_of local 3) --set train.norm=local
not_ok "norm: local is another run" less "$(apart r1 local 1)" 1e-5
for key in step loss contrast generated aux lr grad_norm items_per_s seconds processor_s compute_s wait_s comm_s comm_hidden_s comm_bytes \
    fell_back memory_mb allocations; do
    grep -q "\"$key\": [-0-9.e+]*[,}]" work/models/r2/log.jsonl || echo "# no $key" >>"$T/lost"
done
ok "log.jsonl has every field" test ! -e "$T/lost"
same "no allocation inside a step" "$(grep -c '"allocations": 0[,}]' work/models/r2/log.jsonl)" 10
exits "a second call" 0 mpi 2 "$TRAIN" $S $(run_of r2 10)
has "leaves the model alone" "$T/err" "is up to date"
exits "another setting" 0 mpi 2 "$TRAIN" $S $(run_of r4 1) --set train.seed=2
hasnt "makes it anew" "$T/err" "is up to date"

# ---- sums between ranks, for micon plan --nodes ----
exits "--network on one rank" 2 mpi 1 "$TRAIN" $S --network
has "says what to do" "$T/err" "start it with mpirun -n 2 or more"
exits "micon plan --calibrate --network" 0 "$BIN/micon" plan $S --calibrate --network -n 2 --nodes 2
ok "within a node" grep -q '"local_hop_s": [0-9.e-]*, "local_byte_s": [0-9.e-]*, "local_exposed": [01]' work/status/network.json
hasnt "between nodes: there is one" work/status/network.json net_
has "the plan says so" "$T/out" "(measured) within one;"

# ---- the methods ----
for m in paclr simclr clip; do
    exits "$m" 0 mpi 2 "$TRAIN" $S $(run_of $m 2) --set train.method=$m --set train.checkpoint_steps=1
    same "$m: two lines" "$(wc -l <work/models/$m/log.jsonl)" 2
done
exits "pretrained" 0 mpi 2 "$TRAIN" $S $(run_of trunk 1) --set train.method=pretrained --set \
    train.weights=work/models/paclr/model.safetensors
same "pretrained: the trunk as it was" "$(far "$(model trunk)" "$(model paclr)" encoder.layer)" 0
exits "pretrained without weights: exit 2" 2 "$TRAIN" $S $(run_of other 1) --set train.method=pretrained
exits "on from weights, frozen" 0 mpi 2 "$TRAIN" $S $(run_of frozen 2) --set train.method=paclr --set train.freeze=layer2 --set \
    train.weights=work/models/r1/model.safetensors
same "frozen layers stay" "$(far "$(model r1)" "$(model frozen)" encoder.layer2.1)" 0
not_ok "others move" test "$(far "$(model r1)" "$(model frozen)" encoder.layer3.0.conv1)" = 0
exits "aux, bf16, plateau, and a profile" 0 mpi 2 "$TRAIN" $S $(run_of aux 2) --set train.aux=yes --set \
    train.precision=bf16 \
    --set train.schedule=plateau --profile
has "the profile has its layers" "$T/out" "layer1"
# The first moment after one step is 0.1 x the (clipped) gradient.
P="--set train.grad_clip=1e9 --set train.checkpoint_steps=1"
quiet mpi 2 "$TRAIN" $S $(run_of dp 2) $P --set train.method=paclr
quiet mpi 2 "$TRAIN" $S $(run_of dm 2) $P
quiet mpi 2 "$TRAIN" $S $(run_of dn 2) $P --set train.detach=no
echo "# encoder gradients of paclr and micon: $("$TENSOR" far work/models/dp/$one work/models/dm/$one moment1.encoder)"
ok "paclr and micon have the same encoder gradient" less "$(far work/models/dp/$one work/models/dm/$one moment1.encoder)" 1e-6
not_ok "but not with detach: no" less "$(far work/models/dp/$one work/models/dn/$one moment1.encoder)" 1e-3
# The gradient at the last layer against central differences of the logged loss, along the gradient.
P="$P --set train.detach=no"
quiet mpi 2 "$TRAIN" $S $(run_of w 2) $P --set train.weights="$(model r1)"
for by in -0.005 0.005; do
    slope=$("$TENSOR" moved "$(model r1)" moved.safetensors encoder.fc.weight work/models/w/$one $by)
    quiet mpi 2 "$TRAIN" $S $(run_of w$by 2) $P --set train.weights=moved.safetensors
done
differs=$(awk -v a="$(losses w0.005 | head -n 1)" -v b="$(losses w-0.005 | head -n 1)" -v g="$slope" \
    'BEGIN { d = (a - b) / 0.01; print d / (10 * g) - 1 }')
echo "# slope of the loss against its gradient: $differs"
ok "detach: no: the encoder's gradient is the slope of the loss" less "${differs#-}" 0.01
exits "validation" 0 mpi 2 "$TRAIN" $S $(run_of valid 2) --set train.valid_every=1 --set split.valid_batches=1 --set split.test_batches=0
same "and its figures" \
    "$(grep -c '"valid_top1": [0-9.e+-]*, "valid_chance": [0-9.e+-]*, "valid_queries": [1-9][0-9]*, "valid_loss": [0-9.]*}' \
    work/models/valid/log.jsonl)" 2
exits "early stop without validation: exit 2" 2 mpi 2 "$TRAIN" $S $(run_of other 2) --set train.early_stop=1
python=/usr/bin/python3
if $python -c 'import torch' 2>/dev/null; then
    ok "PyTorch loads it strictly under torchvision's names" quiet $python "$ROOT/tests/ref/torch_load.py" "$(model r1)"
else skip "PyTorch loads it strictly under torchvision's names" "no python3-torch"; fi

# ---- stopped and started again: the same bytes ----
C="--set train.steps=8 --set train.checkpoint_steps=2"
exits "8 steps in one go" 0 mpi 2 "$TRAIN" $S $C --set train.run=whole
bytes() { cmp "$(model "$1")" "$(model whole)"; }
stopped killed 5 KILL rank
not_ok "a killed rank ends the job" test "$(cat "$T/rc")" = 0
ok "no model yet" test ! -e "$(model killed)"
exits "the same command again" 0 mpi 2 "$TRAIN" $S $C --set train.run=killed
has "goes on" "$T/err" "resuming after step"
ok "SIGKILL of a rank: the same bytes in the end" bytes killed
same "log.jsonl: each step once" "$(sed 's/.*"step": \([0-9]*\),.*/\1/' work/models/killed/log.jsonl | xargs)" "1 2 3 4 5 6 7 8"

# ---- what does not fit ----
refused() { # WHAT STATUS TEXT ARGS...
    local what=$1 want=$2 text=$3
    shift 3
    exits "$what: exit $want" "$want" timeout 60 "$MPIRUN" --oversubscribe -n "${ranks:-2}" "$TRAIN" $S $(run_of refused 2) "$@"
    has "$what: said" "$T/err" "$text"
    ok "$what: no model" test ! -e "$(model refused)"
}
refused "another tile size" 1 "its tiles are not of tile.size 48: run micon-tile again" --set tile.size=48
refused "channels in another order" 1 "its channels are not those of screen.channels" --set "screen.channels=[ER, DNA, RNA, AGP, Mito]"
refused "fewer items than the batch" 1 "are fewer than train.batch 4096" --set train.batch=4096
exits "fewer items than ranks: exit 2" 2 mpi 3 "$TRAIN" $S $(run_of refused 2) --set train.batch=2
has "fewer items than ranks: said" "$T/err" "train.batch: 2 items cannot be divided among 3 ranks: use fewer ranks or a larger train.batch"
refused "fewer than two classes with two tiles" 1 "training needs two compounds with two tiles each" --set split.unseen_compounds=3
refused "too little memory" 2 "give more memory, a smaller batch or tile size, or more ranks" --set train.memory=1MiB
refused "a length that the channels do not divide" 2 "train.dim: 41" --set train.dim=41
refused "--plate" 2 "--plate" --plate 000101001
W=work/models/r1/model.safetensors ranks=2
bad() { refused "weights: $1" 1 "$2" --set train.weights=bad.safetensors; }
"$TENSOR" without $W bad.safetensors encoder.layer2.0.conv2.weight; bad "a tensor is missing" "layer2.0.conv2.weight"
"$TENSOR" twice $W bad.safetensors encoder.layer2.0.conv2.weight; bad "a tensor too many" "layer2.0.conv2.weight.more"
ranks=1
"$TENSOR" turned $W bad.safetensors encoder.layer2.0.conv1.weight; bad "a wrong shape" "layer2.0.conv1.weight"
"$TENSOR" nan $W bad.safetensors encoder.layer2.0.conv2.weight; bad "a NaN" "layer2.0.conv2.weight"
{ printf '\377\377\377\377\377\377\377\177'; tail -c +9 $W; } >bad.safetensors; bad "a huge header" "bad.safetensors"
head -c 100000 $W >bad.safetensors; bad "cut off" "bad.safetensors"
header() { local h=$1; printf \
    "$(printf '%016x' ${#h} | sed 's/\(..\)\(..\)\(..\)\(..\)\(..\)\(..\)\(..\)\(..\)/\\x\8\\x\7\\x\6\\x\5\\x\4\\x\3\\x\2\\x\1/')";
    printf '%s' "$h"; head -c 64 /dev/zero; }
header '{"conv1.weight":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,64]}}' >bad.safetensors; bad \
    "a shape that overflows" "bad.safetensors"
header '{"a":{"dtype":"F32","shape":[8],"data_offsets":[0,32]},"b":{"dtype":"F32","shape":[12],"data_offsets":[16,64]}}' \
    >bad.safetensors; bad "overlapping tensors" "bad.safetensors"
header '{"a":{"dtype":"F32","shape":[16],"data_offsets":[640,704]}}' >bad.safetensors; bad "offsets beyond the end" "bad.safetensors"
ranks=2
refused "weights that are not there" 2 "is not there" --set train.weights=nothing.safetensors

# ---- plates without tiles ----
plates=(work/tiles/*.h5)
mv "${plates[0]}" kept.h5
exits "a plate without tiles" 0 mpi 2 "$TRAIN" $S $(run_of three 1) --set train.method=paclr
has "is a warning" "$T/err" "1 of 4 plates have no tiles and are left out"
ok "the model knows it" bash -c '"$1" meta "$2" micon.made_from | grep -q "plate left out: "' - "$TENSOR" "$(model three)"
head -c 30000 kept.h5 >"${plates[0]}"
refused "damaged tiles" 1 "$(basename "${plates[0]}")"
mv kept.h5 "${plates[0]}"
exits "the plate is back" 0 mpi 2 "$TRAIN" $S $(run_of three 1) --set train.method=paclr
hasnt "and is used" "$T/err" "up to date"
tap_done

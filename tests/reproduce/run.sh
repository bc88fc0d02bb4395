#!/usr/bin/env bash
# run.sh [small|medium] [FOLDER] -- make reproduce: the methods side by side on drawn screens, with equal processor time for each; ends with
# docs/reproduction/*.csv and docs/reproduction.md. Every step is a step of `micon run`: started again, it goes on where it was.
#
# A *start network* is trained on one drawn screen. On the other screens its layers are frozen; each method trains the last layer and its
# heads on their outputs, then the last stage too; on one smaller screen networks are trained from scratch. Compounds are unseen if they are
# not on the start network's screen, have an effect, and are left out of training.
set -eu
cd "$(dirname "$0")/../.."
top=$PWD
export PATH=${MICON_BIN:-$top/build/release/bin}:$PATH OMP_NUM_THREADS=1
scale=${1:-small} root=$(realpath -m "${2:-build/reproduce}")
ranks=${MICON_RANKS:-2}
case $scale in
small) seeds=3 budget=1 share_seeds=2 deeper_seeds=3 scratch_seeds=4 joint_seeds=2 ;;
medium) seeds=5 budget=4 share_seeds=5 deeper_seeds=5 scratch_seeds=5 joint_seeds=5 ;;
*) echo "run.sh: small or medium, not '$scale'" >&2 && exit 2 ;;
esac
seeds=${MICON_SEEDS:-$seeds}
mkdir -p "$root"
cd "$root"

. "$top/tests/drawn_screen.sh"
# screen NAME SPLIT OPTIONS...: draws it; side, sites, batch: other than its own
screen() {
    local name=$1 split=$2
    shift 2
    drawn_screen "$name" "$name" --sites "${sites:-1}" --size "${side:-64}" "$@" <<YAML
tile:
  size: ${side:-64}
split: $split
train:
  lr: 0.001
  temperature: 0.1
  batch: ${batch:-64}
embed:
  counterfactual_compounds: unseen
YAML
}
# unseen NAME: its compounds that have an effect and that the start network never saw
unseen() {
    python3 "$top/tests/reproduce/tables.py" unseen start/truth/compounds.csv "$1/truth/compounds.csv" >"$1/unseen.new"
    cmp -s "$1/unseen.new" "$1/unseen.csv" || mv "$1/unseen.new" "$1/unseen.csv"
}
# run SCREEN RUN SECTION.KEY=VALUE...
run() {
    local name=$1 run=$2 k keys=()
    shift 2
    for k in "train.run=$run" "$@"; do keys+=(--set "$k"); done
    echo "== $name $run" >&2
    micon run "$name/${yaml:-screen.yaml}" -n "$ranks" --quiet --set evaluate.images=no "${keys[@]}"
}
start=../start/work/models/start/model.safetensors
trained=("train.weights=$start" train.freeze=all train.augment=none)
# projected SCREEN RUN: the same embeddings judged in the other representation, as RUN-projected
projected() {
    local name=$1 run=$2 work=${work:-work} at
    local as=${run/@/-projected@}
    for at in models embeddings; do ln -sfn "$run" "$name/$work/$at/$as"; done
    micon-evaluate "$name/${yaml:-screen.yaml}" --quiet --set evaluate.images=no --set "train.run=$as" --set embed.representation=projected
}
# method SCREEN NAME SEED STEPS KEYS...
method() {
    local name=$1 as=$2@$3 seed=$3 steps=$(($4 * budget))
    shift 4
    run "$name" "$as" "${trained[@]}" "train.seed=$seed" "train.steps=$steps" "$@"
}

# ---- the start network ----
screen start '{test_batches: 1, unseen_compounds: 40}' --sources 3 --batches 3 --wells 384 --compounds 300 --seed 11
if [ ! -f start/work/models/start/model.safetensors ]; then
    echo "== the start network: 300 steps, half an hour of processor time" >&2
    micon run start/screen.yaml -n "$ranks" --stage featurize,tile,train --set train.run=start --set train.steps=300 \
        --set train.checkpoint_steps=50
fi

# ---- all methods; steps take about 30 processor seconds for each ----
screen main '{test_batches: 1, valid_batches: 1, unseen_sources: [source_3], unseen_compounds: unseen.csv}' \
    --sources 3 --batches 4 --wells 288 --compounds 220 --seed 12
unseen main
run main untrained train.method=paclr train.batch=12 train.steps=30 train.lr=1e-12
run main start embed.model="$start" evaluate.wells=held_out embed.counterfactual=no
python3 "$top/tests/reproduce/tables.py" oracle main/truth/wells.csv main/work/split.csv >main/oracle.csv
run main oracle evaluate.profiles=oracle.csv
run main classical train.method=classical evaluate.select=pycytominer evaluate.wells=held_out
for seed in $(seq "$seeds"); do
    method main micon "$seed" 180
    projected main "micon@$seed"
    method main paclr "$seed" 660 train.method=paclr
    method main clip "$seed" 1200 train.method=clip
    method main simclr "$seed" 35 train.method=simclr train.augment=full
done

# ---- how much of an effect the structure explains; at 0.6 also with structures shuffled among compounds ----
for share in 0 0.3 0.6 0.9; do
    name=share$share
    screen "$name" '{test_batches: 0, unseen_compounds: unseen.csv}' --sources 2 --batches 2 --wells 288 --compounds 220 --seed 12 \
        --structure "$share"
    unseen "$name"
    for seed in $(seq "$share_seeds"); do
        method "$name" micon "$seed" 180
        projected "$name" "micon@$seed"
    done
done
python3 "$top/tests/reproduce/tables.py" shuffle share0.6/metadata/compound.csv.gz share0.6/metadata/shuffled.csv.gz
sed 's|compound: metadata/compound|compound: metadata/shuffled|; s|work: work|work: shuffled|' share0.6/screen.yaml >share0.6/shuffled.yaml
for seed in $(seq "$share_seeds"); do
    yaml=shuffled.yaml work=shuffled method share0.6 micon "$seed" 180
    yaml=shuffled.yaml work=shuffled projected share0.6 "micon@$seed"
done

# ---- the network's last stage trained too, with flips: about 140 processor seconds each ----
deeper=(train.freeze=layer3 train.augment=flips train.lr=0.0003)
for seed in $(seq "$deeper_seeds"); do
    method main deeper-micon "$seed" 60 "${deeper[@]}"
    projected main "deeper-micon@$seed"
    method main deeper-joint "$seed" 60 "${deeper[@]}" train.detach=no
    projected main "deeper-joint@$seed"
    method main deeper-paclr "$seed" 64 "${deeper[@]}" train.method=paclr
    method main deeper-clip "$seed" 120 "${deeper[@]}" train.method=clip
done

# ---- from scratch, on a screen of 40 compounds: about 270 processor seconds each ----
side=48 sites=2 batch=48 screen scratch '{test_batches: 1, unseen_sources: [source_3], unseen_compounds: 8}' --sources 3 --batches 3 \
    --wells 96 --compounds 40 --seed 21
for seed in $(seq "$scratch_seeds"); do
    run scratch "micon@$seed" train.seed="$seed" train.steps=$((120 * budget))
    [ "$seed" -gt "$joint_seeds" ] || run scratch "joint@$seed" train.seed="$seed" train.steps=$((116 * budget)) train.detach=no
    run scratch "paclr@$seed" train.seed="$seed" train.steps=$((124 * budget)) train.method=paclr
    run scratch "clip@$seed" train.seed="$seed" train.steps=$((350 * budget)) train.method=clip
done

# ---- from scratch, on a screen of 160 compounds: the learning rate is chosen by the loss on validation wells ----
side=48 sites=2 batch=48 screen wide '{test_batches: 1, valid_batches: 1, unseen_sources: [source_3], unseen_compounds: unseen.csv}' \
    --sources 3 --batches 4 --wells 192 --compounds 160 --seed 31
python3 "$top/tests/reproduce/tables.py" third wide/truth/compounds.csv >wide/unseen.new
cmp -s wide/unseen.new wide/unseen.csv || mv wide/unseen.new wide/unseen.csv
# rated NAME RATE STEPS KEYS... : NAME-lr001 for the rate 0.001
rated() {
    local as=$1-lr${2#0.}@1 rate=$2 steps=$(($3 * budget))
    shift 3
    run wide "$as" train.seed=1 "train.lr=$rate" "train.steps=$steps" "train.valid_every=$steps" "$@"
}
for rate in 0.001 0.003; do
    rated micon "$rate" 120
    rated micon-aux "$rate" 120 train.aux=yes
    rated paclr "$rate" 124 train.method=paclr
    rated clip "$rate" 350 train.method=clip
done

# ---- side by side ----
runs() { # SEEDS METHOD...
    local n=$1 m k
    shift
    for m in "$@"; do for k in $(seq "$n"); do echo "$m@$k"; done; done
}
micon compare main/screen.yaml --quiet $(runs "$seeds" micon paclr clip simclr) start untrained classical oracle
micon compare main/screen.yaml --quiet $(runs "$seeds" micon micon-projected)
micon compare main/screen.yaml --quiet $(runs "$deeper_seeds" deeper-micon deeper-joint deeper-paclr deeper-clip)
micon compare scratch/screen.yaml --quiet $(runs "$scratch_seeds" micon paclr clip) $(runs "$joint_seeds" joint)
micon compare wide/screen.yaml --quiet $(runs 1 micon-lr001 micon-aux-lr001 paclr-lr001 clip-lr003)
for share in 0 0.3 0.6 0.9; do micon compare "share$share/screen.yaml" --quiet $(runs "$share_seeds" micon micon-projected); done
micon compare share0.6/shuffled.yaml --quiet $(runs "$share_seeds" micon micon-projected)
mkdir -p "$top/docs/reproduction"
python3 "$top/tests/reproduce/tables.py" collect . "$top/docs/reproduction" "$scale" "$(git -C "$top" rev-parse --short HEAD)"
if /usr/bin/python3 -c 'import h5py, numpy' 2>/dev/null; then
    /usr/bin/python3 "$top/tests/reproduce/scaling.py" . "$top/docs/reproduction/scaling.csv"
    bash "$top/tests/reproduce/uncurated.sh" . "$top/docs/reproduction/uncurated.csv"
else echo "== no python3-h5py: scaling.csv and uncurated.csv stay as they are" >&2; fi
python3 "$top/tests/reproduce/tables.py" page "$top/docs/reproduction" "$top/tests/reproduce/page.md" >"$top/docs/reproduction.md"

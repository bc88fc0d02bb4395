#!/usr/bin/env bash
# train_again.sh -- micon-train that is started again: by SLURM, by a user, with other settings, on other nodes.   run: long limit=240
. "$(dirname "$0")/../tap.sh"
cd "$T" || exit 1
unset SLURM_RESTART_COUNT
export OMP_NUM_THREADS=1
TRAIN=$BIN/micon-train
quiet mpi 2 "$BIN/micon-simulate" --out screen --sources 2 --batches 2 --wells 8 --sites 2 --compounds 3 --size 48
cd screen || exit 1
S="screen.yaml --set tile.size=32 --set featurize.bits=64 --set train.batch=4 --set train.precision=fp32 --set train.dim=10
   --set train.projection=8"
quiet mpi 2 "$BIN/micon-tile" $S
quiet "$BIN/micon-featurize" $S
# run NAME STEPS ARGS... : checkpoints after each step
run() { local name=$1 steps=$2; shift 2; mpi 2 "$TRAIN" $S --set train.run="$name" --set train.steps="$steps" --set \
    train.checkpoint_steps=1 "$@"; }
model() { echo "work/models/$1/model.safetensors"; }
steps_in() { (cd "$1" && find . -maxdepth 1 -name 'step-*' | sed 's/.*step-0*\([0-9]*\).*/\1/' | sort | xargs); } \
    # FOLDER : of its checkpoints
other() { find work/models/forced/checkpoints -name 'other-*'; }

# ---- --force, and a job that SLURM put back into its queue ----
exits "three steps" 0 run forced 3
same "two checkpoints" "$(steps_in work/models/forced/checkpoints)" "1 2"
cp "$(model forced)" whole.safetensors
rm work/models/forced/checkpoints/step-0000000002.safetensors
exits "--force, started again by SLURM" 0 env SLURM_RESTART_COUNT=1 mpirun --oversubscribe -n 2 "$TRAIN" $S --set train.run=forced --set \
    train.steps=3 \
    --set train.checkpoint_steps=1 --force
has "goes on from its checkpoint" "$T/err" "resuming after step 1"
ok "with the same bytes in the end" cmp whole.safetensors "$(model forced)"
exits "--force, started for the first time" 0 env SLURM_RESTART_COUNT=0 mpirun --oversubscribe -n 2 "$TRAIN" $S --set train.run=forced \
    --set train.steps=3 \
    --set train.checkpoint_steps=1 --force
hasnt "begins anew" "$T/err" "resuming after step"
stop_forced() { # told to stop once a step is logged
    local pid
    rm -rf work/models/stop
    "$MPIRUN" --oversubscribe -n 2 "$TRAIN" $S --set train.run=stop --set train.steps=100000 --force >"$T/out" 2>"$T/err" </dev/null &
    pid=$!
    for _ in $(seq 600); do
        [ -s work/models/stop/log.jsonl ] && break
        kill -0 $pid 2>/dev/null || break
        sleep 0.05
    done
    kill -USR1 $pid
    wait $pid
    rc=$?
}
cp work/status/train/forced.made work/status/train/stop.made
stop_forced
same "--force, told to stop: exit 75" $rc 75
not_ok "what was recorded of the model before is taken back" test -e work/status/train/stop.made
has "says how it goes on" "$T/err" "the same command without --force resumes from there"

# Stopped behind its second step, while the finished model of before still stands: the checkpoint is newer than it.
touch -d '1 hour ago' "$(model forced)"
rm work/models/forced/checkpoints/step-0000000002.safetensors
exits "without --force" 0 run forced 3
has "the model does not pass for finished" "$T/err" "resuming after step 1"
ok "with the same bytes in the end" cmp whole.safetensors "$(model forced)"
exits "once more" 0 run forced 3
has "it does now" "$T/err" "is up to date"

# ---- checkpoints of another configuration ----
exits "another seed for a moment" 0 run forced 2 --set train.seed=2
has "says where the checkpoints are" "$T/err" "checkpoints of another configuration moved to work/models/forced/checkpoints/other-"
same "once" "$(grep -c "of another configuration" "$T/err")" 1
same "it has one of its own" "$(steps_in work/models/forced/checkpoints)" 1
same "the others are whole" "$(steps_in "$(other)")" "1 2"
rm "$(model forced)"
exits "the first configuration again" 0 run forced 3
has "goes on where it was" "$T/err" "resuming after step 2"
ok "with the same bytes in the end" cmp whole.safetensors "$(model forced)"
same "and the other's are aside" "$(steps_in work/models/forced/checkpoints), $(steps_in "$(other)")" "1 2, 1"
exits "--force" 0 run forced 3 --force
same "leaves those of the other" "$(steps_in "$(other)")" 1

# ---- up to date, without a record ----
R=work/status/train/forced
cp $R.made kept.made; cp $R.inputs kept.inputs
rm $R.made $R.inputs
exits "a finished model without its record" 0 run forced 3
has "is up to date" "$T/err" "is up to date"
ok "and has its record again" cmp kept.made $R.made
ok "and what its inputs were" cmp kept.inputs $R.inputs

# ---- a damaged checkpoint, and no other ----
exits "two steps" 0 run hurt 2
printf '\252\125' | dd of=work/models/hurt/checkpoints/step-0000000001.safetensors bs=1 seek=1000000 conv=notrunc status=none
rm "$(model hurt)"
exits "its only checkpoint is damaged" 0 run hurt 2
has "is named" "$T/err" "step-0000000001.safetensors: is not as it was written: the file was changed or damaged"
same "best begins as ever" "$("$ROOT/build/release/tests/tools/tensor_tool" meta work/models/hurt/checkpoints/step-0000000001.safetensors \
    micon.best)" -1

# ---- inputs that were damaged behind size and time ----
tiles=$(ls work/tiles/*.h5 | tail -n 1)
damage() { # FILE : two bytes in the middle, its time as before
    touch -r "$1" time
    printf '\252\125' | dd of="$1" bs=1 seek=$(($(stat -c %s "$1") / 2)) conv=notrunc status=none
    touch -r time "$1"
}
for f in "$tiles" work/compounds.h5; do
    cp "$f" kept.h5
    exits "--verify" 0 run forced 3 --verify
    damage "$f"
    exits "$f is damaged" 1 run forced 3
    has "its digests tell so, also without --verify" "$T/err" "the file was changed or damaged"
    exits "--verify" 1 run forced 3 --verify
    has "finds it" "$T/err" "$f"
    mv kept.h5 "$f"
done

# ---- norm: local, frozen layers ----
exits "norm: local, frozen, on three ranks" 0 mpi 3 "$TRAIN" $S --set train.run=frozen --set train.method=paclr --set train.steps=1 --set \
    train.norm=local \
    --set train.freeze=layer2 --set train.weights=whole.safetensors
far() { "$ROOT/build/release/tests/tools/tensor_tool" far whole.safetensors "$(model frozen)" "$1" | cut -d' ' -f1; }
for part in conv1 layer1.0.conv1 layer1.0.bn1 layer2.1; do
    same "$part stays to the bit" "$(far encoder.$part)" 0
done
not_ok "layers that are trained move" test "$(far encoder.layer3.0.bn1.running_mean)" = 0

# ---- precision auto on nodes of two kinds ----
if grep -q avx512_bf16 /proc/cpuinfo; then
    auto() { # NAME OF_RANK_0 OF_RANK_1 STEPS: ranks on CPUs with and without bf16
        local how=("" "ONEDNN_MAX_CPU_ISA=AVX512_CORE") \
            a="$TRAIN $S --set train.precision=auto --set train.run=$1 --set train.steps=$4 --set train.checkpoint_steps=1"
        "$MPIRUN" --oversubscribe -n 1 env ${how[$2]} $a : -n 1 env ${how[$3]} $a
    }
    exits "the second rank has no bf16" 0 auto mixed 0 1 2
    has "both compute in fp32" "$T/err" "resnet18, fp32"
    exits "the same where all have it" 0 auto mixed 0 0 2
    has "is up to date" "$T/err" "is up to date"
    rm "$(model mixed)"
    exits "with its checkpoint only" 0 auto mixed 0 0 2
    has "goes on from it" "$T/err" "resuming after step 1"
    has "in fp32" "$T/err" "resnet18, fp32"
    exits "all have bf16" 0 auto wide 0 0 2
    has "and compute in it" "$T/err" "resnet18, bf16"
    rm "$(model wide)"
    exits "its checkpoint, and one rank has none" 1 auto wide 0 1 2
    has "says what to do" "$T/err" "restrict the job to nodes with bf16, or set train.precision"
    same "the checkpoint stays" "$(steps_in work/models/wide/checkpoints)" 1
else skip "precision auto on nodes of two kinds" "no CPU with bf16"; fi

# ---- validation in which nothing can be asked: one batch of it ----
quiet mpi 2 "$BIN/micon-simulate" --out ../single --sources 1 --batches 2 --wells 12 --sites 2 --compounds 3 --size 48
cd ../single || exit 1
quiet mpi 2 "$BIN/micon-tile" $S
quiet "$BIN/micon-featurize" $S
V="--set split.valid_batches=1 --set split.test_batches=0 --set train.valid_every=1"
exits "no query: the training runs" 0 run mute 3 $V
has "and warns" "$T/err" "no validation well has its compound in another validation batch"
same "once" "$(grep -c "no validation well" "$T/err")" 1
same "log.jsonl is JSON" "$(grep -c '"valid_queries": 0[,}]' work/models/mute/log.jsonl) $(grep -cE 'nan|inf|valid_top1|valid_chance' \
    work/models/mute/log.jsonl)" "3 0"
exits "no query, early stop: exit 2" 2 run early 3 $V --set train.early_stop=1
has "what to do" "$T/err" "raise split.valid_batches or set train.early_stop 0"
not_ok "before the first step" test -e work/models/early
tap_done

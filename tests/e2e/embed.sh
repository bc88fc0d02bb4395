#!/usr/bin/env bash
# embed.sh -- micon-embed on a small simulated screen with a model of first weights.   run: limit=400
. "$(dirname "$0")/../tap.sh"
cd "$T" || exit 1
TOOLS=$ROOT/build/release/tests/tools

quiet mpi 2 "$BIN/micon-simulate" --out screen --sources 2 --batches 1 --wells 12 --sites 2 --compounds 4 --size 96
cd screen || exit 1
S="screen.yaml --set tile.size=64"
quiet mpi 2 "$BIN/micon-tile" $S
quiet mpi 2 "$BIN/micon-featurize" $S
mkdir -p work/models/micon
M=work/models/micon/model.safetensors
exits "no model: exit 1" 1 "$BIN/micon-embed" $S
has "and what to do" "$T/err" "run micon-train first, or name a model with embed.model"
"$TOOLS/model_make" $M 64 100 32 1024 1 DNA ER RNA AGP Mito

# ---- the same bytes on any number of ranks ----
first=
for n in 1 2 3 4; do
    rm -rf work/embeddings
    exits "embeds on $n ranks" 0 mpi $n "$BIN/micon-embed" $S
    sum=$(cat work/embeddings/micon/*.h5 | sha256sum)
    [ -z "$first" ] && first=$sum
    same "the same bytes" "$sum" "$first"
done
same "a file a plate" "$(ls work/embeddings/micon/*.h5 | wc -l)" 2
exits "again" 0 mpi 2 "$BIN/micon-embed" $S
same "leaves finished files alone" "$(grep -c 'up to date' "$T/err")" 2
plate=$(basename "$(ls work/embeddings/micon/*.h5 | head -n 1)" .h5)
name=${plate##*__}
exits "one plate anew" 0 "$BIN/micon-embed" $S --plate "$name" --force
same "and only that" "$(grep -c 'waiting for tiles' "$T/err")" 1
same "with the same bytes" "$(cat work/embeddings/micon/*.h5 | sha256sum)" "$first"
R=work/status/embed
records() { cat $R/"$1"/*.made $R/"$1"/*.json $R/"$1"/*.inputs | sha256sum; }
ok "a run has records under its name" test -s $R/micon/$plate.made -a -s $R/micon/$plate.json -a -s $R/micon/$plate.inputs
before=$(records micon)
mkdir -p work/models/other
cp $M work/models/other/model.safetensors
exits "another run in the same folder" 0 mpi 2 "$BIN/micon-embed" $S --set train.run=other --set embed.counterfactual=no
same "has records of its own" "$(cd $R/other && echo *)" "$(cd work/embeddings/other &&
    for f in *.h5; do echo ${f%.h5}.inputs ${f%.h5}.json ${f%.h5}.made; done | xargs)"
ok "of its own model" grep -qF work/models/other/model.safetensors "$R/other/$plate.inputs"
ok "and files" grep -qF "\"size\": $(stat -c %s "work/embeddings/other/$plate.h5")," "$R/other/$plate.made"
same "the first run's stay as they were" "$(records micon)" "$before"
rm -r work/embeddings/other
exits "another setting" 0 "$BIN/micon-embed" $S --set embed.counterfactual=no
same "makes them anew" "$(grep -c 'waiting for tiles' "$T/err")" 2

# ---- what does not fit ----
refused() { # WHAT TEXT ARGS...
    local what=$1 text=$2
    shift 2
    rm -rf work/embeddings
    exits "$what: exit 1" 1 mpi 2 "$BIN/micon-embed" $S "$@"
    has "$what: the message" "$T/err" "$text"
    same "$what: no file" "$(ls work/embeddings/micon/ 2>/dev/null | wc -l)" 0
}
"$TOOLS/model_make" other.safetensors 96 100 32 1024 1 DNA ER RNA AGP Mito
refused "another tile size" "was trained on 96 px: set tile.size to 96" --set embed.model=other.safetensors
"$TOOLS/model_make" other.safetensors 64 100 32 1024 1 ER DNA RNA AGP Mito
refused "channels in another order" "the model was trained on ER, DNA, RNA, AGP, Mito" --set embed.model=other.safetensors
"$TOOLS/model_make" other.safetensors 64 100 32 512 1 DNA ER RNA AGP Mito
refused "other vectors" "set featurize.bits" --set embed.model=other.safetensors
sed 's/"micon.generator":\( *\)"1"/"micon.generator":\1"2"/; s/"micon.digest"/"other.digest"/' $M >other.safetensors
not_ok "a model that gives the change" cmp -s $M other.safetensors
refused "that one" "was trained with train.generator: change, which was removed" --set embed.model=other.safetensors
head -c 100000 $M >other.safetensors
refused "a truncated model" "other.safetensors" --set embed.model=other.safetensors
python=/usr/bin/python3
cp $M other.safetensors
# The last value of the data becomes a NaN.
printf '\377\377\377\377' | dd of=other.safetensors bs=1 seek=$(($(stat -c %s $M) - 4)) conv=notrunc status=none
refused "NaN in the weights" "other.safetensors" --set embed.model=other.safetensors
mv "work/tiles/$plate.h5" kept.h5
exits "a plate without tiles does not stop the others" 1 mpi 2 "$BIN/micon-embed" $S
has "and is named" "$T/err" "$plate.h5 is not there: run micon-tile first"
same "the other is done" "$(ls work/embeddings/micon/*.h5 | wc -l)" 1
head -c 40000 kept.h5 >"work/tiles/$plate.h5"
exits "damaged tiles" 1 mpi 2 "$BIN/micon-embed" $S
has "are named" "$T/err" "$plate.h5"
cp kept.h5 "work/tiles/$plate.h5"
printf '\252\125' | dd of="work/tiles/$plate.h5" bs=1 seek=$(($(stat -c %s kept.h5) / 2)) conv=notrunc status=none
exits "a damaged pixel" 1 mpi 2 "$BIN/micon-embed" $S --verify
has "is found by --verify" "$T/err" "$plate.h5"
mv kept.h5 "work/tiles/$plate.h5"
exits "--verify of what is whole" 0 mpi 2 "$BIN/micon-embed" $S --verify

# ---- nine tiles a site, and the first plate has none ----
mkdir nine
cp -r images metadata screen.yaml nine/
F="nine/screen.yaml --set tile.size=32 --set tile.tiles_per_site=9 --set embed.model=nine.safetensors --set embed.counterfactual=no"
"$TOOLS/model_make" nine/nine.safetensors 32 100 32 0 0 DNA ER RNA AGP Mito
exits "nine tiles a site" 0 mpi 2 "$BIN/micon-tile" $F
rm "nine/work/tiles/$plate.h5"
exits "the first plate has no tiles" 1 mpi 2 "$BIN/micon-embed" $F
has "and is named" "$T/err" "$plate.h5 is not there: run micon-tile first"
hasnt "the other is not blamed" "$T/err" "tiles per site; other plates have a different number"
same "but done" "$(ls nine/work/embeddings/micon/*.h5 | wc -l)" 1

# ---- a model without a generator; a pretrained trunk ----
"$TOOLS/model_make" plain.safetensors 64 100 32 0 0 DNA ER RNA AGP Mito
rm -rf work/embeddings
exits "a model without a generator" 0 mpi 2 "$BIN/micon-embed" $S --set embed.model=plain.safetensors
has "has no predicted profiles, and says so" "$T/err" "no generator"
"$TOOLS/model_make" trunk.safetensors 64 2560 0 0 0 DNA ER RNA AGP Mito
exits "a trunk alone" 0 mpi 2 "$BIN/micon-embed" $S --set embed.model=trunk.safetensors

# ---- killed, then run again ----
whole() { # every file under a final name is whole
    local f
    for f in work/embeddings/micon/*.h5; do [ ! -e "$f" ] || "$TOOLS/store_tool" verify "$f" >/dev/null 2>&1 || return 1; done
}
next_run() { # WHAT: a run after it gives the right bytes and leaves nothing behind
    whole || { echo "#   $1: a half file under a final name"; return 1; }
    quiet mpi 2 "$BIN/micon-embed" $S || { echo "#   $1: the next run fails"; cat "$T/err"; return 1; }
    [ "$(cat work/embeddings/micon/*.h5 | sha256sum)" = "$first" ] || { echo "#   $1: other bytes"; return 1; }
    [ -z "$(find work -name '*.part.*')" ] || { echo "#   $1: left behind: $(find work -name '*.part.*')"; return 1; }
}
killed_at_points() { # of rank 1; a point beyond the last is a run to its end, that must not be the first one tried
    local n reached=0
    for n in 2 9 16; do
        rm -rf work/embeddings
        MICON_FAULT=kill:$n:1 quiet timeout 60 "$MPIRUN" --oversubscribe -n 2 -x MICON_FAULT "$DEBUG_BIN/micon-embed" $S ||
            reached=$((reached + 1))
        next_run "killed at point $n" || return 1
    done
    echo "# $reached of 3 points reached"
    [ $reached -ge 2 ]
}
killed_at_times() {
    local s pid
    for s in 0.2 0.6 1.2; do
        rm -rf work/embeddings
        setsid "$BIN/micon-embed" $S >/dev/null 2>&1 &
        pid=$!
        sleep $s
        kill -9 -- -$pid 2>/dev/null
        wait $pid 2>/dev/null
        next_run "killed after $s s" || return 1
    done
}
ok "SIGKILL of a rank at a fault point: no half file, the next run gives the same bytes" killed_at_points
ok "SIGKILL at any time: the same" killed_at_times

# ---- which compounds are predicted: the screen's, a list, those not seen in training; those of a model trained on pairs (clip) ----
E=work/embeddings/micon/$plate.h5
if $python -c 'import h5py' 2>/dev/null; then
    compounds() { $python -c 'import sys, h5py; print(*h5py.File(sys.argv[1])["uns/counterfactual/compound"].asstr()[:], sep="\n")' "$1"; }
    cp "$E" all.h5
    compounds all.h5 >ids
    same "the screen's compounds" "$(wc -l <ids)" 4
    printf 'Metadata_JCP2022\n%s\n%s\n%s\n' "$(sed -n 3p ids)" "$(sed -n 1p ids)" "$(sed -n 3p ids)" >list.csv
    L="$S --set embed.counterfactual_compounds=../screen/list.csv"
    exits "those of a list" 0 mpi 2 "$BIN/micon-embed" $L
    same "each once" "$(compounds "$E" | xargs)" "$(sed -n '1p;3p' ids | xargs)"
    ok "with the same profiles" $python -c 'import sys, h5py
a, b = (h5py.File(f)["uns/counterfactual/X"][:] for f in sys.argv[1:])
assert (a[[0, 2]] == b).all()' all.h5 "$E"
    exits "the same list again" 0 mpi 2 "$BIN/micon-embed" $L
    same "leaves the files alone" "$(grep -c 'up to date' "$T/err")" 2
    sed -n '2,$p' ids | sed '1i Metadata_JCP2022' >list.csv
    exits "another list of the same name" 0 mpi 2 "$BIN/micon-embed" $L
    same "is seen" "$(compounds "$E" | wc -l)" 3
    echo nonsense >>list.csv
    exits "a compound without a vector: exit 1" 1 mpi 2 "$BIN/micon-embed" $L
    has "is named with its line" "$T/err" "list.csv:5: compound 'nonsense' has no vector"
    MODEL_SEEN=$(sed -n 2p ids) "$TOOLS/model_make" seen.safetensors 64 100 32 1024 1 DNA ER RNA AGP Mito
    exits "those that the model has not seen" 0 mpi 2 "$BIN/micon-embed" $S --set embed.counterfactual_compounds=unseen --set \
        embed.model=seen.safetensors
    same "all but one" "$(compounds "$E" | xargs)" "$(sed 2d ids | xargs)"
else skip "which compounds are predicted" "no python3-h5py"; fi
"$TOOLS/model_make" clip.safetensors 64 100 32 1024 0 DNA ER RNA AGP Mito
C="$S --set embed.model=clip.safetensors --set embed.precision=fp32"
exits "a model with a compound head and no generator" 0 mpi 3 "$BIN/micon-embed" $C
has "says what there is" "$T/err" "representations of compounds are written to uns/compound"
three=$(cat work/embeddings/micon/*.h5 | sha256sum)
if $python -c 'import torch, h5py' 2>/dev/null; then
    ok "its compounds equal PyTorch's" $python "$ROOT/tests/ref/embed_ref.py" clip.safetensors "work/tiles/$plate.h5" work/compounds.h5 "$E"
else skip "its compounds equal PyTorch's" "no python3-torch and python3-h5py"; fi
exits "the same on one rank" 0 "$BIN/micon-embed" $C --force
same "the same bytes" "$(cat work/embeddings/micon/*.h5 | sha256sum)" "$three"
rm -rf work/embeddings
exits "and the first model again" 0 mpi 2 "$BIN/micon-embed" $S

# ---- other people's readers ----
if $python -c 'import anndata' 2>/dev/null; then
    ok "anndata opens it" $python - "work/embeddings/micon/$plate.h5" <<'P'
import sys, anndata
a = anndata.read_h5ad(sys.argv[1])
assert a.X.shape == (24, 100) and str(a.X.dtype) == 'float32', a.X.shape
assert a.obsm['projected'].shape == (24, 32)
assert a.uns['counterfactual']['X'].shape == (len(a.uns['counterfactual']['compound']), 100)
assert 'Metadata_Well' in a.obs and 'QC_Tiles' in a.obs and 'Tile' not in a.obs
assert abs((a.X ** 2).sum(axis=1) - 1).max() < 1e-5
P
else skip "anndata opens it" "no python3-anndata"; fi
if $python -c 'import torch, h5py' 2>/dev/null; then
    rm -rf work/embeddings
    exits "embeds in fp32" 0 "$BIN/micon-embed" $S --set embed.precision=fp32
    ok "equal to PyTorch's forward and generator" $python "$ROOT/tests/ref/embed_ref.py" $M "work/tiles/$plate.h5" work/compounds.h5 \
        "work/embeddings/micon/$plate.h5"
    cp "work/embeddings/micon/$plate.h5" fp32.h5
    exits "and in bf16" 0 "$BIN/micon-embed" $S --set embed.precision=bf16
    ok "cosine of every site at least 0.999" $python - fp32.h5 "work/embeddings/micon/$plate.h5" <<'P'
import sys, h5py
a, b = (h5py.File(f)['X'][:] for f in sys.argv[1:])
assert (a * b).sum(axis=1).min() >= 0.999, (a * b).sum(axis=1).min()
P
else skip "equal to PyTorch's forward and generator" "no python3-torch and python3-h5py"; fi
tap_done

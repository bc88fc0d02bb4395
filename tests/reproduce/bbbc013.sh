#!/usr/bin/env bash
# bbbc013.sh BBBC013 OUT -- real images, real doses: half a plate of BBBC013 (rows A, B, E, F; GFP and DNA). A row is a small plate; paclr
# is trained on rows A and E, a class a compound and dose, and judged on rows B and F. Prints a line for first weights and one for the
# trained network: how well wells of rows never trained on are in the order of their doses.
# MICON_STEPS: of training.
set -eu
cd "$(dirname "$0")/../.."
top=$PWD
export PATH=${MICON_BIN:-$top/build/release/bin}:$PATH OMP_NUM_THREADS=1
images=$(realpath "$1")
mkdir -p "$2"
cd "$2"
awk -F, -v at="$images" 'BEGIN { print "Metadata_Source,Metadata_Batch,Metadata_Plate,Metadata_Well,Metadata_Site,Metadata_Compound," \
        "Metadata_Dose,FileName_OrigGFP,PathName_OrigGFP,FileName_OrigDNA,PathName_OrigDNA" }
    NR > 1 && $3 ~ /[ABEF]/ {
        well = sprintf("%02d-%s-%02d.tif", $1, $3, $2)
        what = $4 == 0 ? "DMSO" : $3 < "C" ? "wortmannin" : "LY294002"
        printf "%s,row_%s,row_%s,%s%02d,1,%s,%d,Channel1-%s,%s,Channel2-%s,%s\n", $3 ~ /[AE]/ ? "trained" : "held_out", $3, $3, $3, $2, \
            what, $4, well, at, well, at
    }' "$images/1049_Metadata.csv" >load_data.csv
cat >screen.yaml <<Y
screen:
  name: bbbc013
  index: load_data.csv
  channels: [GFP, DNA]
  control: DMSO
  treatment: [Metadata_Dose]
tile: {size: 64, tiles_per_site: 9}
split: {test_batches: 0, unseen_sources: [held_out]}
train: {method: paclr, steps: ${MICON_STEPS:-150}, batch: 16, lr: 0.001, temperature: 0.1, dim: 200, projection: 64, seed: 1}
Y
run() { # NAME KEYS...
    local k keys=() name=$1
    shift
    for k in "train.run=$name" "$@"; do keys+=(--set "$k"); done
    micon run screen.yaml -n "${MICON_RANKS:-2}" --quiet --stage tile,train,embed "${keys[@]}"
    /usr/bin/python3 "$top/tests/reproduce/bbbc013.py" "$name" work/embeddings/"$name"/*.h5
}
run first_weights train.steps=1 train.lr=1e-12
run trained

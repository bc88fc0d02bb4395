#!/usr/bin/env bash
# cells.sh [FOLDER [SEEDS [SCREENS]]] -- docs/evaluation.md, "Cells against fields": does a network find compounds again as well with tiles
# of single cells as with parts of whole fields, at equal numbers of tiles and steps? On drawn screens of two centres with four batches
# each, half of them held out. Ends with docs/reproduction/cells.csv and the table of the page. Every step is a step of `micon run`: started
# again, it goes on where it was. A quarter of an hour of processor time a screen.
set -eu
cd "$(dirname "$0")/../.."
top=$PWD
export PATH=${MICON_BIN:-$top/build/release/bin}:$PATH OMP_NUM_THREADS=1
root=$(realpath -m "${1:-build/reproduce-cells}") seeds=${2:-4} screens=${3:-1}
mkdir -p "$root"
cd "$root"
. "$top/tests/drawn_screen.sh"
# What the tiles are: four of 48 x 48 pixels a site each.
#   cells     windows of 64 x 64 pixels of the image around cells, at three quarters of its resolution
#   fields    the quarters of the field, at three eighths of its resolution
kinds="fields cells" # differences are from the first
declare -A tiles=([cells]="tile.crop=cells tile.scale=0.75" [fields]="tile.crop=square")

# run SCREEN KIND SUFFIX KEYS...: run KINDSUFFIX, in a work folder of its kind
run() {
    local screen=$1 kind=$2 k keys=()
    # shellcheck disable=SC2086
    for k in "screen.work=$kind" "train.run=$kind$3" ${tiles[$kind]} "${@:4}"; do keys+=(--set "$k"); done
    micon run "$screen/screen.yaml" -n 1 --quiet "${keys[@]}" || { echo "cells.sh: $screen $kind$3 failed" >&2; return 1; }
}
# together SCREEN SUFFIX KEYS...: all kinds at a time
together() {
    local kind pids=() p
    echo "== $1 $2" >&2
    for kind in $kinds; do
        run "$1" "$kind" "${@:2}" &
        pids+=($!)
    done
    for p in "${pids[@]}"; do wait "$p"; done
}
# compared SCREEN: reports of all kinds in one folder, side by side
compared() {
    local screen=$1 at kind runs=()
    mkdir -p "$screen/both/reports"
    for kind in $kinds; do
        for at in "$screen/$kind/reports/$kind"*; do
            ln -sfn "../../$kind/reports/${at##*/}" "$screen/both/reports/${at##*/}"
            [[ $at != *@* ]] || runs+=("${at##*/}")
        done
    done
    micon compare "$screen/screen.yaml" --quiet --set screen.work=both "${runs[@]}"
}

for s in $(seq "$screens"); do
    drawn_screen "screen$s" "screen$s" --sources 2 --batches 4 --wells 96 --sites 1 --compounds 30 --size 256 --seed $((30 + s)) <<'YAML'
tile:
  size: 48
  tiles_per_site: 4
split: {test_batches: 2}
train:
  steps: 120
  batch: 12
  lr: 0.001
  temperature: 0.1
  aux: yes
embed: {counterfactual: no}
evaluate:
  wells: held_out
  images: no
  batch_correction: none
  null_size: 1000
YAML
done
for seed in $(seq "$seeds"); do
    for s in $(seq "$screens"); do together "screen$s" "@$seed" "train.seed=$seed"; done
done
for s in $(seq "$screens"); do
    together "screen$s" -untrained train.steps=10 train.lr=1e-12
    compared "screen$s"
done

# shellcheck disable=SC2086
python3 "$top/tests/reproduce/cells.py" "$screens" $kinds >"$top/docs/reproduction/cells.csv"
python3 "$top/tests/reproduce/cells.py" table "$top/docs/reproduction/cells.csv"

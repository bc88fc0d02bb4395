#!/usr/bin/env bash
# demo_settings.sh OUT [RUN...] -- why the demo trains as it does: its screen drawn with another seed, the settings it could have had, each
# with about the demo's processor time for training. Prints steps, processor seconds and retrieval (NSB, corrected) of each run.
# MICON_SEEDS: how many seeds. RUN: only these.
set -eu
cd "$(dirname "$0")/../.."
export PATH=${MICON_BIN:-$PWD/build/release/bin}:$PATH OMP_NUM_THREADS=1
. tests/drawn_screen.sh
out=$1
shift
demo_screen "$out" demo_settings --seed 77
only=" $* " reports=$out/work/reports

figure() { awk -F, -v at="corrected,nsb,$2,$3" '$1 "," $2 "," $3 "," $4 == at { printf "%.3f", $5 }' "$reports/$1/metrics.csv"; }
run() { # NAME KEYS...
    local name=$1 k keys=() seed
    shift
    case $only in "  " | *" $name "*) ;; *) return ;; esac
    for k in "$@"; do keys+=(--set "$k"); done
    for seed in $(seq "${MICON_SEEDS:-1}"); do
        micon run "$out/screen.yaml" -n "${MICON_RANKS:-2}" --quiet --set evaluate.images=no --set "train.run=$name@$seed" \
            --set "train.seed=$seed" "${keys[@]}"
        awk -F'"processor_s": ' -v name="$name@$seed" '{ s += $2 } END { printf "%s,%d,%.0f", name, NR, s }' \
            "$out/work/models/$name@$seed/log.jsonl"
        echo ",$(figure "$name@$seed" seen_sources 1),$(figure "$name@$seed" unseen_source 1),$(figure "$name@$seed" unseen_source 5)"
    done
}
echo run,steps,processor_s,seen_top_1,unseen_top_1,unseen_top_5
run demo
run batch_24 train.batch=24 train.steps=120
run batch_48 train.batch=48 train.steps=70
run rate_0.003 train.lr=0.003
run rate_0.01 train.lr=0.01
run temperature_0.05 train.temperature=0.05
run no_aux train.aux=no

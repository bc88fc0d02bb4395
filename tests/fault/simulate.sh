#!/usr/bin/env bash
# run: long limit=120
# micon-simulate with every fault point failing in turn, on either rank: exit 1, the rank is named, the next run gives the same bytes.
. "$(dirname "$0")/../tap.sh"
P=$DEBUG_BIN/micon-simulate
TINY=(--size 32 --wells 6 --sites 1 --compounds 2 --sources 1 --batches 1 --quiet)
digest() { (cd "$1" && find . -type f | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum | cut -d' ' -f1); }

exits "no fault" 0 mpi 2 "$P" --out "$T/whole" "${TINY[@]}"
want=$(digest "$T/whole")
# Rank 0 passes 15 images and 7 tables, rank 1 15 images: the images are alike, so a few stand for all.
for at in 1:0 15:0 16:0 19:0 22:0 1:1; do
    rm -rf "$T/x"
    exits "fault $at" 1 env MICON_FAULT=$at timeout 30 "$MPIRUN" --oversubscribe -n 2 "$P" --out "$T/x" "${TINY[@]}"
    has "names rank ${at#*:}" "$T/err" "rank ${at#*:}"
    same "no .part of fault $at" "$(find "$T/x" -name '*.part.*' | wc -l)" 0
    exits "next run" 0 "$P" --out "$T/x" "${TINY[@]}"
    same "same bytes after fault $at" "$(digest "$T/x")" "$want"
done
exits "there is no 23rd" 0 env MICON_FAULT=23:0 "$MPIRUN" --oversubscribe -n 2 "$P" --out "$T/y" "${TINY[@]}"
tap_done

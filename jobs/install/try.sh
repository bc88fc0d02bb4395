#!/usr/bin/env bash
# try.sh -- does an installation work? Simulates a screen so small that its metrics mean nothing and runs it through all stages on two
# ranks, in a folder that is removed afterwards. Takes less than a minute.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
micon-simulate --out "$dir/demo" --sources 2 --wells 12 --sites 1 --size 48 --compounds 8
printf 'train:\n  steps: 4\n  batch: 8\n' >>"$dir/demo/screen.yaml"
micon run "$dir/demo/screen.yaml" -n 2
micon verify "$dir"/demo/work/profiles/*.h5ad
test -s "$dir/demo/work/reports/micon/report.html"
echo "try.sh: all stages ran, and the report is there"

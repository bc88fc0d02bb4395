#!/usr/bin/env bash
# run.sh -- every benchmark (tests/bench/bench_*.sh): ratios against a named peer, in one run. A benchmark whose peer is missing says so.
# Lines are "NAME: FIGURE (wanted WANTED)"; a benchmark that misses its mark ends with exit 1, and so does this.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/mpi.env
bad=0 n=0
for b in tests/bench/bench_*.sh; do
    [ -e "$b" ] || continue
    [ $# -gt 0 ] && case "$b" in *"$1"*) ;; *) continue ;; esac
    echo "== $(basename "${b%.sh}")"
    T=$(mktemp -d) bash "$b" || bad=1
    n=$((n + 1))
done
echo "$n benchmarks, $([ $bad = 0 ] && echo all marks met || echo 'a mark was missed')"
exit $bad

#!/usr/bin/env bash
# bench_evaluate.sh -- micon-evaluate itself at the size of JUMP's target-2 plates: 62,162 wells of 9 sites and 1,000 features on two ranks:
# averaging, MAD, cross-fitted sphering, NSB and NSS top 10, mAP, untreated positions, and all else of the stage (UMAP, batch mixing,
# stores, report) in the one run.
# WELLS=... makes it smaller. It takes 3 GB in $T.
set -u
wells=${WELLS:-62162} bad=0
build/release/tests/tools/evaluate_big "$T/screen" "$wells" 1000 9 || exit 1
TIMEFORMAT='%R %U %S'
spent=$({ time "$MPIRUN" --oversubscribe -n 2 build/release/tests/tools/peak build/release/bin/micon-evaluate "$T/screen/screen.yaml" \
    --set evaluate.sphere=ZCA >"$T/peaks" 2>"$T/log"; } 2>&1) || bad=1
grep -E ' s$' "$T/log" | sed 's/^/  /'
# Two cores of its own would take half the processor seconds; the clock is shown as well, and is the larger the busier the machine.
awk -v spent="$spent" -v wells="$wells" '{ kib += $1 } END {
    split(spent, s, " ")
    printf "%d wells x 9 sites x 1,000 features, 2 ranks, the whole stage: ", wells
    printf "%.0f processor s a core, %.0f s wall time (wanted 60), %.2f GiB (wanted 3)\n", (s[2] + s[3]) / 2, s[1], kib / 1048576
    exit NR != 2 || (s[2] + s[3]) / 2 > 60 || kib > 3 * 1048576 }' "$T/peaks" || bad=1
[ $bad = 0 ] || tail -n 3 "$T/log"
rm -rf "$T/screen"
exit $bad

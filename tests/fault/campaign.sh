#!/usr/bin/env bash
# run: long limit=3000
# A small campaign of each kind (tests/campaign/campaign.sh): no wrong byte, hang, crash, silent flip, nor a run that does not recover.
# Some launches at once, and what a machine does to a run.
. "$(dirname "$0")/../tap.sh"
for kind in kill io flip foreign two; do
    BIN=$BIN exits "$kind" 0 bash "$ROOT/tests/campaign/campaign.sh" --folder "$T/c" --seed 7 --count 4 $kind
    grep -E '^(WRONG|HANG|CRASH|SILENT|STUCK)' "$T/out" | sed 's/^/#   /'
done
BIN=$BIN exits "launches at once" 0 bash "$ROOT/tests/campaign/launches.sh" --folder "$T/l" --count 12 --at-once 4
sed 's/^/#   /' "$T/out"
BIN=$BIN exits "what a machine does" 0 bash "$ROOT/tests/campaign/beyond.sh"
sed 's/^/#   /' "$T/out"
tap_done

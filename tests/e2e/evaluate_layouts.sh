#!/usr/bin/env bash
# run: long limit=240
# micon-simulate's two layouts with effects of positions, judged with the truth: the drawn cells' factors are the profiles (what a perfect
# microscope would see). The same plates again and again give the warning about positions, and their claims do not hold where only the
# positions have effects; places that change give neither. tests/bench/layouts.sh prints the table of docs/evaluation.md from the same.
. "$(dirname "$0")/../tap.sh"
cd "$T" || exit 1
cp "$ROOT/tests/bench/layouts.sh" . && . ./layouts.sh
above() { ok "$1 ($2 > $3)" awk -v a="$2" -v b="$3" 'BEGIN { exit !(a != "" && b != "" && a + 0 > b + 0) }'; }

for layout in fixed random; do exits "$layout: drawn and evaluated" 0 layout_screen $layout 0.8 2; done
has "fixed: the warning" "$(layout_report fixed 0.8)/metrics.json" "72 of 72 replicated treatments (100 %) are at one well position"
hasnt "random: none" "$(layout_report random 0.8)/metrics.json" "at one well position on all plates"
same "fixed: no treatment has a replicate at another position" "$(layout_figure fixed 0.8 nsb other_positions 1 5)" ""
above "fixed: untreated positions are found again" "$(layout_figure fixed 0.8 nsb position_control 1 6)" \
    "$(layout_figure fixed 0.8 nsb position_control 1 8)"
above "random: they are found again as well, where they are again untreated" "$(layout_figure random 0.8 nsb position_control 1 5)" \
    "$(layout_figure random 0.8 nsb position_control 1 8)"
above "fixed: the same position adds to NSB" "$(layout_figure fixed 0.8 nsb all 1 6)" "$(layout_figure random 0.8 nsb all 1 7)"
above "random: barring the own position changes little" 0.05 "$(awk -v a="$(layout_figure random 0.8 nsb all 1 5)" \
    -v b="$(layout_figure random 0.8 nsb other_positions 1 5)" 'BEGIN { print a < b ? b - a : a - b }')"
above "fixed: compounds without effect are called active" "$(layout_false fixed 0.8)" 0.3
above "random: hardly" 0.15 "$(layout_false random 0.8)"
same "random: NSB holds, by other positions; fixed: it does not" "$(layout_claim random 0.8 nsb) $(layout_claim fixed 0.8 nsb)" \
    "True False"
tap_done

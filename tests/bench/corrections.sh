#!/usr/bin/env bash
# corrections.sh [FOLDER [SET...]] -- the tables of docs/evaluation.md, "Corrections": each correction, and auto, on every real set in
# shared that has profiles of several plates. A line: set, reshape, sphere, ridge; then with correction NSB top 1 (all; other positions),
# mAP of activity, mAP of mechanisms, each with its interval. Not a test: it says nothing of right or wrong.
set -eu
cd "$(dirname "$0")/../.." || exit 1
. tests/mpi.env
B=$PWD/build/release/bin D=${SHARED_DATA:-$PWD/../shared/data} W=${1:-$(mktemp -d)}
shift || true
sets=${*:-cpjump1_48h cpjump1_24h bbbc021}
[ -d "$D" ] || { echo "skipped: $D is not here"; exit 0; }
D=$(cd "$D" && pwd)
screen() { # SET: the rest of its evaluate section
    case $1 in
    cpjump1_48h) printf '  %s\n' "profiles: \"$D/cpjump1_profiles/BR0011701*.csv.gz\"" 'normalize: none' 'columns: {batch: Plate}' ;;
    cpjump1_24h) printf '  %s\n' "profiles: \"$D/cpjump1_profiles/BR0011702*.csv.gz\"" 'normalize: none' 'columns: {batch: Plate}' ;;
    bbbc021) printf '  %s\n' "profiles: \"$D/bbbc021/BBBC021_feature_selected_mad_robustize.csv\"" 'normalize: none' \
        'columns: {batch: Plate, mechanism: moa}' ;;
    esac
}
figure() { # METRIC SETTING K of metrics.csv
    awk -F, -v p="$form" -v m="$1" -v s="$2" -v k="$3" '$1 == p && $2 == m && $3 == s && $4 == k && $5 != "" {
        printf "%.3f (%.3f to %.3f)", $5, $6, $7; found = 1 } END { if (!found) printf "-" }' "$W/$set/work/reports/r/metrics.csv"
}
for set in $sets; do
    mkdir -p "$W/$set"
    { printf 'screen: {name: %s, control: DMSO, work: work}\ntrain: {run: r}\n' "$set"
      printf 'evaluate:\n  null_size: 1000\n  negatives: all\n  images: no\n'
      screen "$set"; } > "$W/$set/screen.yaml"
    for how in "none none auto" "none ZCA 0" "none ZCA ledoit_wolf" "none ZCA 1" "rank_plate none auto" "rank_plate ZCA 0" \
        "rank_plate ZCA ledoit_wolf" "rank_plate ZCA 1" "auto auto auto"; do
        read -r reshape sphere ridge <<<"$how"
        batch=none
        [ "$how" != "auto auto auto" ] || batch=auto
        mpirun -n 2 "$B/micon-evaluate" "$W/$set/screen.yaml" --quiet --set "evaluate.reshape=$reshape" --set "evaluate.sphere=$sphere" \
            --set "evaluate.ridge=$ridge" --set "evaluate.batch_correction=$batch" 2>"$W/err" || { cat "$W/err" >&2; exit 1; }
        form=uncorrected
        grep -q '^corrected,' "$W/$set/work/reports/r/metrics.csv" && form=corrected
        echo "$set | $how | $(figure nsb all 1) | $(figure nsb other_positions 1) | $(figure map_activity all '') |" \
            "$(figure map_consistency all '')"
    done
done

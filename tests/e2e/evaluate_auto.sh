#!/usr/bin/env bash
# run: limit=120
# evaluate.batch_correction: auto: what it chooses where nothing, ranks or sphering help; that no value of an evaluated well changes the
# choice; the same bytes on one rank and three.
. "$(dirname "$0")/../tap.sh"
cd "$T" || exit 1

# screen NAME KIND SETS CHANGED: 6 plates of 48 wells in 3 batches, 12 of DMSO, 18 compounds, two wells of each on a plate (36, one of each,
# with SETS no); places are drawn.
# KIND plain: noise and effects; bent: each plate's values bent by a power of its own; shared: one direction of noise is far the largest.
# SETS yes: the third batch is test; no: the table does not say. CHANGED yes: the evaluated wells have other values.
screen() {
    mkdir -p "$1"
    /usr/bin/python3 - "$@" <<'EOP'
import random, sys
name, kind, sets, changed = sys.argv[1:]
rng, other, D = random.Random(5), random.Random(6), 16
wells = 2 if sets == "yes" else 1
effect = [[rng.gauss(0, 1) for _ in range(D)] for _ in range(36 // wells)]
big = [rng.gauss(0, 1) for _ in range(D)]
lent = set(open("lent").read().split()) if changed == "yes" and sets == "no" else set()
with open(name + "/t.csv", "w") as f:
    f.write("Metadata_Batch,Metadata_Plate,Metadata_Well,Metadata_Compound" + (",Metadata_Set" if sets == "yes" else "") +
            "".join(",f%d" % j for j in range(D)) + "\n")
    for plate in range(6):
        at, power = list(range(48)), [.25, 4][plate % 2] if kind == "bent" else 1
        rng.shuffle(at)
        for i in range(48):
            c = -1 if i < 12 else (i - 12) // wells
            x = [rng.gauss(0, 1) + (0 if c < 0 else .9 * e) for e in (effect[c] if c >= 0 else big)]
            if kind == "shared":
                s = 12 * rng.gauss(0, 1)
                x = [v + s * b for v, b in zip(x, big)]
            x = [(v > 0) * abs(v) ** power - (v < 0) * abs(v) ** power for v in x]
            test = plate > 3 if sets == "yes" else c >= 0 and "c%d" % c not in lent
            if changed == "yes" and test: x = [other.gauss(3, 2) for _ in x]
            f.write("B%d,P%d,%s%02d,%s" % (plate // 2, plate, "ABCD"[at[i] // 12], 1 + at[i] % 12, "DMSO" if c < 0 else "c%d" % c) +
                    (",test" if plate > 3 else ",train") * (sets == "yes") + "".join(",%.6f" % v for v in x) + "\n")
EOP
    printf 'screen: {name: %s, control: DMSO, work: work_%s}\ntrain: {run: r}\nevaluate: {profiles: %s/t.csv, %s}\n' \
        "$1" "$1" "$1" 'batch_correction: auto, normalize: none, bootstrap: 200, null_size: 200, images: no' > "$1.yaml"
}
tried() { sed -n '/^"corrections_tried"/,/\]/p' "work_$1/reports/r/metrics.json"; }
chosen() { tried "$1" | grep '"chosen":true' | sed 's/^{"correction":"\([^"]*\)".*/\1/'; }

screen plain plain yes no
exits "nothing to correct" 0 mpi 3 "$BIN/micon-evaluate" plain.yaml
same "nothing to correct: nothing is chosen" "$(chosen plain)" "none"
same "nothing to correct: six, of which two need several sources" \
    "$(tried plain | grep -c '"tried":true') $(tried plain | grep -c '"tried":')" "4 6"
has "nothing to correct: said" "$T/err" "Correction chosen: none, the simplest that none is better than beyond noise"
has "nothing to correct: by whom" "$T/err" " training wells and 48 controls"
not_ok "nothing to correct: one form" grep -q '^corrected,' work_plain/reports/r/metrics.csv
cp -r work_plain three
exits "on one rank, with the key's older name" 0 "$BIN/micon-evaluate" plain.yaml --force --set evaluate.correct=auto
for f in metrics.json metrics.csv by_compound.csv compounds.csv report.html; do
    ok "one rank or three: $f" cmp "work_plain/reports/r/$f" "three/reports/r/$f"
done
screen bent bent yes no
exits "bent values" 0 mpi 2 "$BIN/micon-evaluate" bent.yaml
same "bent values: ranks" "$(chosen bent)" "ranks within plates"
has "bent values: what is used" work_bent/reports/r/metrics.json '"evaluate.reshape":"rank_plate"'
has "bent values: advice" "$T/err" "Correction (ranks within plates): Not the same plate, top 1: "
screen shared shared yes no
exits "one large direction" 0 mpi 3 "$BIN/micon-evaluate" shared.yaml
has "one large direction: sphering" "$T/err" "sphering ZCA with ridge 1, the simplest"
tried shared > before
screen shared shared yes yes
exits "other values of the test wells" 0 mpi 2 "$BIN/micon-evaluate" shared.yaml
not_ok "other values of the test wells: other figures" cmp -s work_shared/reports/r/metrics.csv three/reports/r/metrics.csv
tried shared > after
ok "other values of the test wells: the same trials" cmp before after

# Without training wells a third of the compounds is lent, and not evaluated.
screen whole shared no no
for i in $(seq 0 2 35); do echo "c$i,c$((i + 1))"; done | sed '1i a,b' > known.csv
exits "no training wells" 0 "$BIN/micon-evaluate" whole.yaml --set evaluate.relations=known.csv --set evaluate.pairs.pos_sameby=Compound \
    --set evaluate.pairs.neg_sameby=Plate
has "no training wells: said" "$T/err" "No well was used for training: a third of the compounds was lent, and is not evaluated"
judged=$(sed -n 's/.*"judged":\([0-9]*\).*/\1/p' work_whole/reports/r/metrics.json)
ok "no training wells: fewer are evaluated ($judged)" test "${judged:-0}" -lt 168 -a "${judged:-0}" -gt 100
tried whole > before
cut -d, -f6 work_whole/reports/r/by_compound.csv | sort -u > evaluated
for i in $(seq 0 35); do grep -qx "c$i" evaluated || echo "c$i"; done > lent
n=$(awk -F, 'NR == FNR { lent[$1]; next } FNR > 1 { n += !($1 in lent) && !($2 in lent) } END { print n }' lent known.csv)
has "no training wells: relations of what was lent are left out" work_whole/reports/r/metrics.json \
    "known relations: $n of 18 rows name two evaluated treatments: $n relations"
same "no training wells: pairs are of the 36 others of a plate: five positive and 35 negative ones, by chance" \
    "$(awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "AP_Pairs_Chance") c = i; next }
        $c != "nan" && $c != "" { printf "%.6f\n", $c }' work_whole/reports/r/wells.csv | sort -u)" \
    "$(awk 'BEGIN { m = 5; n = 40; for (k = 1; k <= n; k++) h += 1 / k; printf "%.6f\n", ((n - m) * h + n * (m - 1)) / ((n - 1) * n) }')"
screen whole shared no yes
exits "other values of the evaluated wells" 0 "$BIN/micon-evaluate" whole.yaml
tried whole > after
ok "other values of the evaluated wells: the same trials" cmp before after

exits "with a choice of one's own" 2 "$BIN/micon-evaluate" plain.yaml --set evaluate.sphere=ZCA
has "with a choice of one's own: said" "$T/err" "evaluate.batch_correction: auto chooses evaluate.reshape, sphere and ridge: leave them out"
sed -i '/^B[0-9],P[0-9],[A-D][0-9]*,c[0-9]*/{/,c[0-3],/!d}' whole/t.csv
exits "too few compounds" 1 "$BIN/micon-evaluate" whole.yaml
has "too few compounds: said" "$T/err" "at least 8 are needed: choose a correction yourself"
tap_done

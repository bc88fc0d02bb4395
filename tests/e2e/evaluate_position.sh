#!/usr/bin/env bash
# run: limit=120
# micon-evaluate where wells of one position look alike: figures with other positions only, untreated positions posed as treatments, null
# sets matched by position, which claims hold; with compounds at fixed positions and at random ones, none, some or all of them with an
# effect. A screen of one batch: retrieval across plates.
. "$(dirname "$0")/../tap.sh"
cd "$T" || exit 1

# screen NAME LAYOUT EFFECT: 8 plates of 96 wells in 4 batches; 16 wells of DMSO, 40 compounds, two wells of each on a plate. LAYOUT fixed:
# the same places on all plates; random: drawn for each plate. EFFECT: length of the compounds' effects; that of the positions is 1.
screen() {
    mkdir -p "$1"
    awk -v layout="$2" -v effect="$3" -v out="$1" 'function noise() { return rand() + rand() + rand() + rand() - 2 }
    function shuffle(i, j, t) { for (i = 95; i > 0; i--) { j = int(rand() * (i + 1)); t = at[i]; at[i] = at[j]; at[j] = t } }
    BEGIN { srand(11); D = 30
        for (c = 0; c < 40; c++) for (j = 0; j < D; j++) e[c, j] = noise()
        for (w = 0; w < 96; w++) for (j = 0; j < D; j++) p[w, j] = noise()
        for (w = 0; w < 96; w++) at[w] = w
        shuffle()
        for (plate = 1; plate <= 8; plate++) {
            file = out "/p" plate ".csv"
            if (layout == "random") shuffle()
            printf "Metadata_Batch,Metadata_Plate,Metadata_Well,Metadata_Compound" > file
            for (j = 0; j < D; j++) printf ",f%d", j > file; print "" > file
            for (i = 0; i < 96; i++) { c = i < 16 ? -1 : int((i - 16) / 2); w = at[i]
                printf "B%d,P%d,%c%02d,%s", int((plate + 1) / 2), plate, 65 + int(w / 12), 1 + w % 12, c < 0 ? "DMSO" : "c" c > file
                for (j = 0; j < D; j++) printf ",%.6f", noise() + p[w, j] + (c < 0 ? 0 : effect * e[c, j]) > file; print "" > file } } }'
    printf 'screen: {name: %s, control: DMSO, work: work_%s}\ntrain: {run: r}\nevaluate: {profiles: "%s/*.csv", %s}\n' \
        "$1" "$1" "$1" 'bootstrap: 200, null_size: 500, normalize: none, reshape: none' > "$1.yaml"
}
# figure NAME METRIC SETTING K COLUMN
figure() { awk -F, -v m="$2" -v s="$3" -v k="$4" -v c="$5" '$2 == m && $3 == s && $4 == k { print $c }' "work_$1/reports/r/metrics.csv"; }
# above "what" A B, below: numbers, which must be there
above() { ok "$1 ($2 > $3)" awk -v a="$2" -v b="$3" 'BEGIN { exit !(a != "" && b != "" && a + 0 > b + 0) }'; }
claim() { /usr/bin/python3 - "work_$1/reports/r/metrics.json" "$2" <<'EOP'
import json, sys
for c in json.load(open(sys.argv[1]))["claims"]:
    if c["metric"] == sys.argv[2]: print(c["holds"], (c["other_positions"] or {}).get("clear"), (c["position_control"] or {}).get("clear"))
EOP
}

# No compound does anything, each is at two fixed places: same-position figures are high all the same, the others are not.
screen none fixed 0
exits "inactive compounds at fixed positions" 0 mpi 3 "$BIN/micon-evaluate" none.yaml
cp "$T/err" said
cp -r work_none three
exits "the same on one rank" 0 "$BIN/micon-evaluate" none.yaml --force
for f in metrics.json metrics.csv by_compound.csv compounds.csv wells.csv; do
    ok "one rank or three: $f" cmp "work_none/reports/r/$f" "three/reports/r/$f"
done
above "inactive, fixed: NSB far above chance" "$(figure none nsb all 1 6)" 0.5
above "inactive, fixed: of other positions at chance" "$(figure none nsb other_positions 1 8)" "$(figure none nsb other_positions 1 6)"
above "inactive, fixed: untreated positions are found again as well" "$(figure none nsb position_control 1 5)" 0.5
above "inactive, fixed: untreated positions are active as well" "$(figure none map_activity position_control '' 5)" 0.5
above "inactive, fixed: mAP with other positions is near chance" "$(awk -v c="$(figure none map_activity other_positions '' 8)" \
    'BEGIN { print c + 0.05 }')" "$(figure none map_activity other_positions '' 5)"
above "inactive, fixed: most replicate against null sets of any wells" "$(figure none percent_replicating all '' 5)" 0.8
above "inactive, fixed: few against null sets at as many positions" 0.2 "$(figure none percent_replicating position_matched '' 5)"
above "inactive, fixed: few over pairs at different positions" 0.2 "$(figure none percent_replicating other_positions '' 5)"
above "inactive, fixed: few are more active than untreated positions" 0.2 "$(figure none active_share position_matched '' 5)"
same "inactive, fixed: no claim holds" "$(claim none nsb; claim none map_activity; claim none percent_replicating)" \
    "False False False
False False False
False False False"
has "inactive, fixed: said on the terminal" said "Not the same batch, uncorrected: "
has "inactive, fixed: that it does not hold" said ": does not hold"

# Average precision of every well: its means, and those of its share of the way from chance to 1, are the treatments' figures.
average() { /usr/bin/python3 - work_none/reports/r <<'EOP'
import csv, collections, sys
rows, of = list(csv.DictReader(open(sys.argv[1] + "/compounds.csv"))), collections.defaultdict(list)
for w in csv.DictReader(open(sys.argv[1] + "/wells.csv")):
    if w["AP_Uncorrected"]:
        of[w["Metadata_Compound"]].append((float(w["AP_Uncorrected"]), float(w["AP_Chance"])))
mean, total = lambda v: sum(v) / len(v), 0
for r in rows:
    ap, normal = mean([a for a, c in of[r["treatment"]]]), mean([(a - c) / (1 - c) for a, c in of[r["treatment"]]])
    assert abs(ap - float(r["activity_map"])) < 1e-8 and abs(normal - float(r["activity_normalized"])) < 1e-8, r
    total += normal / len(rows)
print(len(rows), len(of), "%.7f" % total)
EOP
}
same "average precision by well, treatment and in all" "$(average)" \
    "40 40 $(printf %.7f "$(figure none map_activity_normalized all '' 5)")"

# The same layout with effects: all claims hold. Places that change: nothing to be seen of the position.
screen some fixed 1
exits "active compounds at fixed positions" 0 "$BIN/micon-evaluate" some.yaml
above "active, fixed: found at other positions" "$(figure some nsb other_positions 1 6)" 0.2
same "active, fixed: NSB and replicates hold, by other positions" \
    "$(claim some nsb | cut -d' ' -f1,2; claim some percent_replicating | cut -d' ' -f1,2)" \
    "True True
True True"
screen moved random 0
exits "inactive compounds at random positions" 0 "$BIN/micon-evaluate" moved.yaml
above "inactive, random: NSB is hardly above chance" 0.15 "$(figure moved nsb all 1 5)"
above "inactive, random: NSB of other positions at chance" "$(figure moved nsb other_positions 1 8)" \
    "$(figure moved nsb other_positions 1 6)"

# One batch: other plates take the place of other batches, also in votes; without controls there are no untreated positions.
for p in 1 2 3 4 5 6 7 8; do sed -i 's/^B[0-9]/B1/; /DMSO/d' "some/p$p.csv"; done
exits "one batch, no controls" 0 "$BIN/micon-evaluate" some.yaml
same "one batch: no NSB" "$(figure some nsb all 1 5)" ""
above "one batch: retrieval across plates" "$(figure some nsp all 1 6)" 0.5
above "one batch: retrieval across plates, other positions" "$(figure some nsp other_positions 1 6)" 0.2
above "one batch: votes" "$(figure some knn_compound all 5 5)" 0.5
same "no controls: nothing of them" "$(grep -c position_control work_some/reports/r/metrics.csv)" 0
same "one batch: the claim is of plates" "$(claim some nsp)" "True True None"
exits "recipe 0.1" 0 "$BIN/micon-evaluate" some.yaml --set evaluate.recipe=0.1
same "recipe 0.1: nothing by position, nothing normalized, no precision" \
    "$(grep -cE 'position|nsp|normalized|precision' work_some/reports/r/metrics.csv)" 0
same "recipe 0.1: tables as they were" \
    "$(head -1 work_some/reports/r/compounds.csv) $(head -1 work_some/reports/r/wells.csv | grep -c ,AP_)" \
    "profiles,treatment,activity_map,activity_p,activity_q,consistency_map,consistency_p,consistency_q 0"
tap_done

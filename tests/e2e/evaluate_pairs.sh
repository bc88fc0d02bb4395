#!/usr/bin/env bash
# run: limit=60
# micon-evaluate: a mAP of pairs that columns choose (evaluate.pairs), known relations (evaluate.relations), the overall score.
. "$(dirname "$0")/../tap.sh"
. "$(dirname "$0")/../profile_tables.sh"
cd "$T" || exit 1
mkdir in
for p in 1 2 3 4; do table $p B$((1 + (p - 1) / 2)) 1 12 > in/$p.csv; done
R=work_p/reports/r
# The positives and negatives of the activity, said by columns.
cat > p.yaml <<'EOP'
screen: {name: p, control: DMSO, work: work_p}
train: {run: r}
evaluate:
  profiles: "in/*.csv"
  bootstrap: 20
  null_size: 100
  reshape: rank_plate
  pairs: {name: replicates, pos_sameby: [Compound], neg_sameby: [Metadata_Plate], neg_diffby: [pert_type]}
EOP
figure() { awk -F, -v p="$1" -v m="$2" -v s="$3" '$1 == p && $2 == m && $3 == s { print $5, $8, $9 }' $R/metrics.csv; }
# column FILE NAME
column() { awk -F, -v name="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) c = i; next } { print $c }' "$1"; }
exits "pairs by columns" 0 mpi 3 "$BIN/micon-evaluate" p.yaml
for form in uncorrected corrected; do
    same "$form: the mAP of the activity" "$(figure $form map_pairs replicates)" "$(figure $form map_activity all)"
    same "$form: and normalized" "$(figure $form map_pairs_normalized replicates)" "$(figure $form map_activity_normalized all)"
done
for form in Uncorrected Corrected Chance; do
    same "AP_$form: well by well" "$(column $R/wells.csv AP_Pairs_$form)" "$(column $R/wells.csv AP_$form)"
done
same "a row for each treatment and form" "$(column $R/pairs.csv map)" "$(column $R/compounds.csv activity_map)"
same "with its p-value" "$(column $R/pairs.csv p)" "$(column $R/compounds.csv activity_p)"
has "the report shows it under its name" $R/report.html '"replicates":"Pairs of wells by columns: replicates"'
cp -r $R three
exits "on one rank" 0 evaluate p --force
for f in metrics.json metrics.csv wells.csv pairs.csv; do ok "one rank or three: $f" cmp three/$f $R/$f; done
rm $R/pairs.csv
exits "without its table" 0 evaluate p
ok "it is made again" cmp three/pairs.csv $R/pairs.csv
exits "replicates of other plates, among those of other treatments in their batch" 0 evaluate p \
    --set 'evaluate.pairs.pos_diffby=[Plate]' --set 'evaluate.pairs.neg_sameby=[Batch]' --set 'evaluate.pairs.neg_diffby=[Compound]'
not_ok "are other pairs" cmp -s three/pairs.csv $R/pairs.csv
same "six of a compound's eight wells are on other plates, 44 wells of its batch of other treatments: their chance" \
    "$(column $R/wells.csv AP_Pairs_Chance | awk '$1 != "nan" && $1 != "" { printf "%.6f\n", $1 }' | sort -u)" \
    "$(awk 'BEGIN { m = 6; n = 50; for (k = 1; k <= n; k++) h += 1 / k; printf "%.6f\n", ((n - m) * h + n * (m - 1)) / ((n - 1) * n) }')"

# A well without a value in one of the columns.
awk -F, -v OFS=, 'NR == 1 { print $0, "Metadata_Line"; next } { print $0, NR == 5 ? "" : "A" }' in/1.csv > x && mv x in/1.csv
for p in 2 3 4; do awk -F, -v OFS=, '{ print $0, NR == 1 ? "Metadata_Line" : "A" }' in/$p.csv > x && mv x in/$p.csv; done
exits "an empty value" 0 evaluate p --set 'evaluate.pairs.pos_sameby=[Compound, Line]'
has "its well has no part, said" $R/metrics.json "1 evaluated or untreated wells have no value in one of the columns and are left out"
exits "a column that is not there" 2 evaluate p --set 'evaluate.pairs.neg_sameby=[Plat]'
has "a column that is not there: which" "$T/err" "evaluate.pairs.neg_sameby: the profiles have no column 'Plat'"
exits "a column in both lists" 2 evaluate p --set 'evaluate.pairs.neg_diffby=[Metadata_Plate]'
has "a column in both lists: said" "$T/err" "column 'Metadata_Plate' is in neg_sameby and in neg_diffby"
exits "the name of another setting" 2 evaluate p --set evaluate.pairs.name=all
has "the name of another setting: said" "$T/err" "evaluate.pairs.name: 'all' is the name of another setting"
exits "no negatives" 2 evaluate p --set evaluate.pairs.neg_sameby= --set evaluate.pairs.neg_diffby=
has "no negatives: said" "$T/err" "neg_sameby or neg_diffby must name a column"
exits "no pairs" 0 evaluate p --set evaluate.pairs.pos_sameby= --set evaluate.pairs.neg_sameby= --set evaluate.pairs.neg_diffby=
ok "no pairs: no table of an earlier configuration" test ! -e $R/pairs.csv

# ---- known relations: two rows are the same, one is of a compound with itself, two name what is not there ----
printf 'a,b,source\ncé0,cé1,x\ncé1,cé0,y\ncé2,cé7,x\ncé3,cé3,x\ncé4,nobody,x\nDMSO,cé1,x\ncé5,cé6,x\n' > known.csv
exits "known relations" 0 evaluate p --set evaluate.relations=known.csv
has "how many are of evaluated treatments" $R/metrics.json "known relations: 4 of 7 rows name two evaluated treatments: 3 relations"
exits "as tables" 0 exported p t --quiet --set evaluate.relations=known.csv
recall() { /usr/bin/python3 - <<'EOP'
import csv, gzip, itertools, statistics
rows = [r for r in csv.DictReader(gzip.open("t/r.normalized.csv.gz", "rt")) if r["Metadata_pert_type"] == "trt"]
names = [c for c in rows[0] if not c.startswith(("Metadata_", "QC_"))]
med = {}
for c in {r["Metadata_Compound"] for r in rows}:
    v = [statistics.median(float(r[f]) for r in rows if r["Metadata_Compound"] == c) for f in names]
    n = sum(a * a for a in v) ** 0.5
    med[c] = [a / n for a in v]
cos = lambda a, b: sum(x * y for x, y in zip(med[a], med[b]))
of = sorted(cos(a, b) for a, b in itertools.combinations(med, 2))
def at(share):
    k = share * (len(of) - 1)
    return of[int(k)] + (k - int(k)) * (of[min(int(k) + 1, len(of) - 1)] - of[int(k)])
hits = [cos(a, b) <= at(0.05) or cos(a, b) >= at(0.95) for a, b in (("cé0", "cé1"), ("cé2", "cé7"), ("cé5", "cé6"))]
print("%.6f 0.1 3" % (sum(hits) / 3))
EOP
}
same "their share among the extreme similarities" \
    "$(figure uncorrected relation_recall all | awk '{ printf "%.6f %s %s", $1, $2, $3 }')" "$(recall)"
touch -d '1 hour ago' known.csv
echo 'cé6,cé7,x' >> known.csv
exits "another table of relations" 0 evaluate p --set evaluate.relations=known.csv
has "another table of relations: read again" $R/metrics.json "5 of 8 rows name two evaluated treatments: 4 relations"
printf 'a\nx\n' > one.csv
exits "a table of one column" 1 evaluate p --set evaluate.relations=one.csv
has "a table of one column: said" "$T/err" "a relation is two treatments, in the first two columns"

# ---- the overall score ----
same "the overall score from its parts" "$(figure uncorrected overall_without_kbet all | awk '{ printf "%.6f", $1 }')" \
    "$(awk -F, '$1 == "uncorrected" && $3 == "all" { v[$2] = $5 } END {
        b = (v["connectivity"] + v["lisi_batch"] + v["silhouette_batch"]) / 3
        y = (v["nmi"] + v["ari"] + v["lisi_label"] + v["silhouette_label"] + v["map_activity"]) / 5
        printf "%.6f", 0.4 * b + 0.6 * y }' $R/metrics.csv)"
tap_done

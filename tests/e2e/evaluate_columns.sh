#!/usr/bin/env bash
# run: limit=240
# micon-evaluate on tables with other names: evaluate.columns, kinds of controls, features that tables share, wells in two tables, which
# wells are evaluated, recipe 0.1.
. "$(dirname "$0")/../tap.sh"
. "$ROOT/tests/profile_tables.sh"
cd "$T" || exit 1
R=work_t/reports/r
for p in 1 2 3 4; do table $p B$((1 + (p - 1) / 2)) 1 12 > p$p.csv; done
table_screen t "p*.csv"
exits "plain tables" 0 evaluate t
cp $R/metrics.csv plain.csv
has "how wells were recognized" $R/metrics.json \
    "recognized: 32 negative controls (screen.control = DMSO: 32), 64 treated wells (no control type: 64), 0 empty wells"

hasnt "every treatment has two positions: no warning" $R/metrics.json "at one well position"

# Other names for everything; text columns are metadata without a prefix.
mkdir other
for p in 1 2 3 4; do
    sed '1s/Metadata_Source/centre/;1s/Metadata_Batch/Metadata_week/;1s/Metadata_Plate/dish/;1s/Metadata_Well/place/
        1s/Metadata_Compound/drug/;1s/Metadata_moa/class/;1s/Metadata_Site/Metadata_field/' p$p.csv |
        awk -F, -v OFS=, 'NR == 1 { print $0, "role" } NR > 1 { print $0, $6 == "DMSO" ? "vehicle" : $6 ~ /0$/ ? "positive" : "" }' > \
        other/p$p.csv
done
cat > o.yaml <<'EOP'
screen: {name: o, control: nothing, work: work_o}
train: {run: r}
evaluate:
  profiles: "other/*.csv"
  bootstrap: 20
  null_size: 100
  normalize_by: dish
  columns: {source: centre, batch: week, plate: dish, well: place, treatment: drug, control: role, negative: vehicle, mechanism: class}
EOP
exits "other names" 0 evaluate o
same "other names: the same figures" "$(cat work_o/reports/r/metrics.csv)" "$(cat plain.csv)"
has "other names: controls by value" work_o/reports/r/metrics.json "32 negative controls (Metadata_role = vehicle: 32)"
has "other names: positive controls are treated" work_o/reports/r/metrics.json "Metadata_role = positive: 8"
exits "a name that no column has" 2 evaluate o --set evaluate.columns.treatment=drag
has "a name that no column has: said" "$T/err" "evaluate.columns.treatment: the profiles have no column 'drag'"

# control_type decides: poscon with pert_type control is no negative control.
mkdir kinds
for p in 1 2 3 4; do
    awk -F, -v OFS=, '
        NR == 1 { print $0, "Metadata_pert_type,Metadata_control_type" }
        NR > 1 { print $0, $6 == "DMSO" ? "control,negcon" : $6 ~ /0$/ ? "control,poscon_cp" : "trt," }' p$p.csv > kinds/p$p.csv
done
table_screen k "kinds/*.csv"
sed -i 's/control: DMSO/control: nothing/' k.yaml
exits "control_type" 0 evaluate k
has "control_type: counted" work_k/reports/r/metrics.json "32 negative controls (Metadata_control_type = negcon: 32), 64 treated wells"
exits "control_type, by recipe 0.1" 0 evaluate k --set evaluate.recipe=0.1
ok "control_type, by recipe 0.1: any control is negative" grep -q '"controls":40,"treated":56' work_k/reports/r/metrics.json

# Tables with different features.
mkdir share
cp p[234].csv share
cut -d, -f1-18 p1.csv > share/p1.csv
table_screen s "share/*.csv"
exits "a feature less" 1 evaluate s
has "a feature less: what to do" "$T/err" "evaluate.features: intersection"
exits "features that tables share" 0 evaluate s --set evaluate.features=intersection
for p in 1 2 3 4; do cut -d, -f1-18 p$p.csv > share/p$p.csv; done
cp work_s/reports/r/metrics.csv shared.csv
exits "the same, cut beforehand" 0 evaluate s
same "features that tables share: the same figures" "$(cat work_s/reports/r/metrics.csv)" "$(cat shared.csv)"

# One well in two tables.
cp p1.csv again.csv
table_screen d "p1.csv again.csv p2.csv p3.csv p4.csv"
sed -i 's/profiles: "\(.*\)", boot/profiles: [\1], boot/
    s/p1.csv again.csv p2.csv p3.csv p4.csv/p1.csv, again.csv, p2.csv, p3.csv, p4.csv/' d.yaml
exits "a well in two tables" 1 evaluate d
has "a well in two tables: said" "$T/err" "is in two tables (number 1 and 2)"
exits "a well in two tables, averaged" 0 evaluate d --set evaluate.duplicate_wells=mean
same "averaged with itself: the same figures" "$(cat work_d/reports/r/metrics.csv)" "$(cat plain.csv)"

# What others trained on is evaluated; what the table says of itself is not.
awk -F, -v OFS=, 'NR == 1 { print $0, "Metadata_Set" } NR > 1 { print $0, "train" }' p1.csv > set1.csv
for p in 2 3 4; do awk -F, -v OFS=, 'NR == 1 { print $0, "Metadata_Set" } NR > 1 { print $0, "test" }' p$p.csv > set$p.csv; done
table_screen e "set*.csv"
exits "a table with its own split" 0 evaluate e
ok "its training wells are left out" grep -q '"judged":48' work_e/reports/r/metrics.json
exits "all of its wells" 0 evaluate e --set evaluate.wells=all
ok "all of its wells: evaluated" grep -q '"judged":64' work_e/reports/r/metrics.json
has "all of its wells: said" work_e/reports/r/metrics.json "all treated wells are evaluated, whatever the split"
tap_done

#!/usr/bin/env bash
# run: limit=120
# parquet_tables.sh -- a screen whose tables are all Parquet, under any name, is the screen that it is with CSV tables.
. "$(dirname "$0")/../tap.sh"
make_parquet=$ROOT/build/release/tests/tools/parquet_make
cd "$T" || exit 1
export PATH=$BIN:$PATH
exits "a screen is drawn" 0 mpi 1 micon-simulate --out csv --sources 1 --wells 12 --sites 1 --size 48 --compounds 8
cp -r csv pq
for f in pq/metadata/*.csv.gz pq/images/*/load_data.csv; do
    "$make_parquet" "$f" t.parquet 7 || echo "# $f was not converted"
    case $f in *plate.csv.gz) rm "$f"; f=${f%.csv.gz}.parquet ;; esac # one with its own name, the others with the old one
    mv t.parquet "$f"
done
sed -i 's/plate.csv.gz/plate.parquet/' pq/screen.yaml
for s in csv pq; do
    exits "$s: check" 0 micon check $s/screen.yaml
    exits "$s: tiles" 0 mpi 2 micon-tile $s/screen.yaml
    exits "$s: compounds" 0 mpi 2 micon-featurize $s/screen.yaml --set featurize.bits=64
done
# Names say nothing: the plate table is Parquet called .csv, those of wells, compounds and images are gzip without .gz.
cp -r csv odd
rm -rf odd/work
"$make_parquet" odd/metadata/plate.csv.gz odd/metadata/plate.csv 7 && rm odd/metadata/plate.csv.gz
for t in well compound; do mv odd/metadata/$t.csv.gz odd/metadata/$t.csv; done
for f in odd/images/*/load_data.csv; do gzip "$f" && mv "$f.gz" "$f"; done
sed -i 's/\.csv\.gz/.csv/' odd/screen.yaml
for s in csv odd; do micon check $s/screen.yaml > $s.check 2>&1; done
ok "whatever their names, the same screen" diff csv.check odd.check
has "whatever their names: no problems" odd.check "no problems found"
# Compound vectors: the same values as CSV, as Parquet under any name, and as gzip without .gz.
{
    echo Metadata_JCP2022,a,b,c
    zcat csv/metadata/compound.csv.gz | tail -n +2 | cut -d, -f1 | awk '{print $1 ",0.5," NR ",-" NR / 4}'
} >vectors.csv
"$make_parquet" vectors.csv vectors.pq 3
gzip -c vectors.csv >vectors.table
n=$(($(wc -l <vectors.csv) - 1))
for v in csv pq table; do
    exits "vectors.$v" 0 mpi 1 micon-featurize csv/screen.yaml --set featurize.vectors=../vectors.$v --set screen.work=vectors_$v
    has "vectors.$v: all of them" "$T/err" "$n rows: $n read, 0 rejected, 0 repeats; $n identifiers are $n compounds"
done
if ! /usr/bin/python3 -c 'import h5py' 2>/dev/null; then
    skip "the same tables in the tiles and compounds" "python3-h5py is not installed"
    tap_done
fi
cat > same.py <<'EOP'
import glob, h5py, numpy as np
bad = 0
def walk(a, b, path):
    global bad
    if isinstance(a, h5py.Dataset):
        if not np.array_equal(a[()], b[()]) and path not in ("/uns/micon/inputs", "/uns/micon/made_from"): bad += 1; print("#", path)
        return
    if set(a) != set(b): bad += 1; print("#", path, set(a) ^ set(b))
    for k in set(a) & set(b): walk(a[k], b[k], path.rstrip("/") + "/" + k)
def values(kind): return h5py.File("csv/vectors_%s/compounds.h5" % kind)["X"][()]
bad += values("csv").shape[1:] != (3,) or not all(np.array_equal(values("csv"), values(k)) for k in ("pq", "table"))
files = sorted(glob.glob("csv/work/tiles/*.h5")) + ["csv/work/compounds.h5"]
for f in files:
    with h5py.File(f) as a, h5py.File("pq" + f[3:]) as b: walk(a, b, "/")
raise SystemExit(bad > 0 or len(files) < 3)
EOP
ok "the same tiles, compounds, vectors and tables in them" /usr/bin/python3 same.py
sed -i 's/^  well: .*/  well: broken.parquet/' pq/screen.yaml
head -c 400 pq/metadata/well.csv.gz > pq/broken.parquet
exits "a table that is cut off" 1 micon check pq/screen.yaml
cat "$T/out" "$T/err" > all
has "a table that is cut off: said" all "broken.parquet: begins as a Parquet file, but does not end as one: it is cut off"
tap_done

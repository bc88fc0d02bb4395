#!/usr/bin/env bash
# run: limit=120
# micon-store export: a run's stores as pycytominer's tables, from the finished files alone; pandas and our own reader see the same numbers.
. "$(dirname "$0")/../tap.sh"
. "$ROOT/tests/profile_tables.sh"
cd "$T" || exit 1
table_screen t 'in/*.csv'
# Recipe 0.1 reads tables as floats, as stores and Parquet files keep them: what is exported and read again is the same to the last bit.
sed -i 's/evaluate: {/evaluate: {recipe: "0.1", /' t.yaml
N=1
run() { mpi "$N" "$BIN/micon-evaluate" t.yaml "$@"; }
tables() { mpi "$N" "$BIN/micon-store" export t.yaml "$@"; }
mkdir in
for p in 1 2 3 4; do table $p B$((1 + (p - 1) / 2)) 2 12 > in/p$p.csv; done
exits "before anything is finished" 1 exported t tables
has "before anything is finished: what to do" "$T/err" "work_t/profiles/r.h5ad does not exist: run micon-evaluate first"
exits "evaluated" 0 run
rm -r in
N=2
exits "exported, without the inputs" 0 tables tables
same "the files" "$(cd tables && echo *)" \
    "r.consensus.corrected.csv.gz r.consensus.normalized.csv.gz r.corrected.csv.gz r.normalized.csv.gz r.raw.csv.gz"
one=$(cat tables/* | sha256sum)
exits "again, by the driver" 0 "$BIN/micon" export t.yaml tables
same "the same bytes" "$(cat tables/* | sha256sum)" "$one"
same "a row a well" "$(zcat tables/r.normalized.csv.gz | wc -l)" 97
same "a row a treatment" "$(zcat tables/r.consensus.normalized.csv.gz | wc -l)" 9
for o in --export=tables --csv; do exits "the old spelling $o" 2 evaluate t $o; has "the old spelling $o: the new one" "$T/err" \
    "micon export screen.yaml FOLDER"; done
exits "a stray argument" 2 exported t tables more
exits "no folder can be made there" 1 exported t t.yaml/tables
has "no folder can be made there: said" "$T/err" "t.yaml: cannot create this folder"

# Without the metadata, of which the second table has more.
features() { zcat $1.csv.gz | awk -F, \
    '{ for (i = 1; i <= NF; i++) { if (NR == 1) keep[i] = $i !~ /^Metadata_/; if (keep[i]) printf "%s,", $i } print "" }' |
    sha256sum; zcat $1.csv.gz | wc -l; }
# Through our own reader and back.
exits "the raw table evaluated" 0 run --set evaluate.profiles=tables/r.raw.csv.gz --set train.run=again
exits "and exported" 0 tables back --set train.run=again
for form in raw normalized corrected consensus.normalized; do
    same "$form: the same numbers" "$(features back/again.$form)" "$(features tables/r.$form)"
done
# The same as Parquet: through our own reader to the same stores, and back to the same text.
exits "exported as Parquet, by the driver" 0 "$BIN/micon" export t.yaml parquet --format parquet
same "the files" "$(cd parquet && echo *)" \
    "r.consensus.corrected.parquet r.consensus.normalized.parquet r.corrected.parquet r.normalized.parquet r.raw.parquet"
one=$(cat parquet/* | sha256sum)
exits "again" 0 tables parquet --format=parquet
same "the same bytes" "$(cat parquet/* | sha256sum)" "$one"
exits "a format that there is not" 2 tables x --format=xml
exits "the raw Parquet table evaluated" 0 run --set evaluate.profiles=parquet/r.raw.parquet --set train.run=columns
exits "and exported" 0 tables back --set train.run=columns
for form in raw normalized corrected consensus.normalized consensus.corrected; do
    same "$form: every cell as from CSV" "$(zcat back/columns.$form.csv.gz | sha256sum)" "$(zcat back/again.$form.csv.gz | sha256sum)"
done
mv parquet/r.raw.parquet raw.csv
exits "a Parquet file with another name" 0 run --set evaluate.profiles=raw.csv --set train.run=columns
cp tables/r.raw.csv.gz raw.table
exits "a gzip file without .gz" 0 run --set evaluate.profiles=raw.table --set train.run=again
head -c 3000 raw.csv > cut.parquet
exits "one that is cut off" 1 run --set evaluate.profiles=cut.parquet --set train.run=columns
has "one that is cut off: said" "$T/err" "cut.parquet: begins as a Parquet file, but does not end as one: it is cut off"
if ! /usr/bin/python3 -c 'import pandas, h5py' 2>/dev/null; then
    skip "pandas reads the tables" "python3-pandas or python3-h5py is not installed"
    tap_done
fi
cat > check.py <<'EOP'
import h5py, numpy as np, pandas as pd
bad = 0
def ok(what, good):
    global bad
    bad += not good
    print("# ", "ok" if good else "BAD", what)
for store, stem in (("work_t/profiles/r.h5ad", "tables/r"), ("work_t/profiles/r.consensus.h5ad", "tables/r.consensus")):
    with h5py.File(store) as f:
        for path, name in (("layers/raw", "raw"), ("X", "normalized"), ("obsm/X_corrected", "corrected")):
            if path not in f: continue
            t = pd.read_csv("%s.%s.csv.gz" % (stem, name))
            features = [c for c in t.columns if not c.startswith("Metadata_")]
            ok(stem + " " + name, t[features].values.astype(np.float32).tobytes() == f[path][:].tobytes())
            ok("the features' names", name == "corrected" or features == list(f["var/_index"].asstr()))
            c = f["obs/Metadata_Compound"]
            names = c["categories"].asstr()[:][c["codes"][:]]
            ok("their compounds", list(t["Metadata_Compound"]) == list(names))
raise SystemExit(bad)
EOP
ok "pandas reads the tables" /usr/bin/python3 check.py
tap_done

#!/usr/bin/env bash
# run: limit=240
# micon-evaluate after the stages before it: the same bytes from any number of ranks, finished files kept, what changed computed again,
# anndata reads the stores, and says the same of them as numpy.
. "$(dirname "$0")/../tap.sh"
S=$T/s W=$T/s/work
run() { mpi "${N:-1}" "$BIN/micon-evaluate" "$S/screen.yaml" "$@"; }
sum() { find "$W"/profiles "$W"/reports/micon -type f -not -name '*.part*' | LC_ALL=C sort | xargs sha256sum | sha256sum; }
"$BIN/micon-simulate" --out "$S" --sources 2 --batches 2 --wells 24 --compounds 8 --size 64 --quiet
sed -i 's/  size: 64/  size: 32/; s/  test_batches: 1/  test_batches: 1\n  unseen_compounds: 2/' "$S/screen.yaml"
exits "without embeddings" 1 run
has "without embeddings: what to do" "$T/err" "run micon-embed first"
exits "tiles" 0 "$BIN/micon-tile" "$S/screen.yaml" --quiet
exits "compounds" 0 "$BIN/micon-featurize" "$S/screen.yaml" --quiet
mkdir -p "$W/models/micon"
"$ROOT/build/release/tests/tools/model_make" "$W/models/micon/model.safetensors" 32 40 16 1024 1 DNA ER RNA AGP Mito
exits "embeddings" 0 "$BIN/micon-embed" "$S/screen.yaml" --quiet
# A log with lines that are no JSON objects: no number, two run together, no object, nothing, cut short.
printf '%s\n' '{"step":0,"loss":2.5,"seconds":1.25,"memory_mb":7}' '{"step":1,"loss":nan}' '{"step":2,"loss":1}{"step":3,"loss":1}' '{[}' \
    '[4]' '' '{"step":5,"loss":0.5}' '{"step":6,"loss":}' \
    '{"step":7' > "$W/models/micon/log.jsonl"

for N in 1 2 3; do
    exits "$N ranks" 0 run --force
    [ $N = 1 ] && one=$(sum) && cp "$T/err" "$T/first"
    same "$N ranks: the same bytes" "$(sum)" "$one"
done
N=2
exits "again" 0 run
has "again: up to date" "$T/err" "up to date"
rm "$W/reports/micon/metrics.csv"
exits "a table is gone" 0 run
same "a table is gone: all there again" "$(sum)" "$one"
exits "another seed" 0 run --set evaluate.seed=2
hasnt "another seed: computed again" "$T/err" "up to date"
exits "Harmony" 0 run --set evaluate.batch_correction=harmony --set evaluate.harmony_by=batch
exits "no normalization, no ranks" 0 run --set evaluate.normalize=none --set evaluate.reshape=none
not_ok "without correction there is one form" grep -q '^corrected,' "$W/reports/micon/metrics.csv"
exits "ranks within batches" 0 run --set evaluate.reshape=rank_batch
ok "with ranks there are two" grep -q '^corrected,' "$W/reports/micon/metrics.csv"
exits "the projected representation" 0 run --set embed.representation=projected
exits "selection" 0 run --set evaluate.select=pycytominer
exits "one plate" 2 run --plate S1B01P001
exits "no such column" 2 run --set evaluate.normalize_by=Metadata_Plat
has "no such column: the nearest" "$T/err" "did you mean 'Metadata_Plate'?"
exits "as at first" 0 run
same "as at first: the same bytes" "$(sum)" "$one"

# Every file of the work folder is verified, and a changed bit in any of them is named. Those of other programs (the log of this test) and
# of progress have no digest.
files_of() { find "$1" "$1.index" -type f ! -path '*/status/*.json' ! -name log.jsonl | LC_ALL=C sort; }
verdicts() { cut -c1-8 "$T/out" | sort | uniq -c | tr -s ' ' | tr '\n' ';'; }
mapfile -t all < <(files_of "$W")
exits "all files of the work folder are verified" 0 "$BIN/micon" verify "${all[@]}"
same "each is right" "$(verdicts)" " ${#all[@]} ok ;"
for end in split.csv metrics.json report.html compounds.csv .png .made .inputs .files .index choices/ structures.jsonl; do
    ok "among them is $end" grep -qF -- "$end" "$T/out"
done
exits "a log is none of those" 1 "$BIN/micon" verify "$W/models/micon/log.jsonl"
has "which is said" "$T/out" "unknown  $W/models/micon/log.jsonl: no digest of it is recorded"
cp -a "$S" "$T/hurt"
for list in no yes; do # a changed list of digests speaks for all its files
    mapfile -t all < <(files_of "$T/hurt/work" | if [ $list = yes ]; then grep '\.files$'; else grep -v '\.files$'; fi)
    for f in "${all[@]}"; do "$ROOT/build/release/tests/tools/hurt" flip "$f" 7 >/dev/null; done
    exits "a bit of each was changed (lists: $list)" 1 "$BIN/micon" verify "${all[@]}"
    same "each is named (lists: $list)" "$(verdicts)" " ${#all[@]} damaged ;"
    [ "$(verdicts)" = " ${#all[@]} damaged ;" ] || grep -v '^damaged' "$T/out" | sed 's/^/#   | /'
done
cp "$W/reports/micon/metrics.csv" "$T/kept.csv"
"$ROOT/build/release/tests/tools/hurt" flip "$W/reports/micon/metrics.csv" 3 >/dev/null
exits "a table with a changed bit" 0 run
ok "is made again" cmp "$T/kept.csv" "$W/reports/micon/metrics.csv"
"$ROOT/build/release/tests/tools/hurt" flip "$W/structures.jsonl" 3 >/dev/null
exits "structures with a changed bit" 0 run --force
has "are left out, which is said" "$T/err" "the report has no structures: $W/structures.jsonl: is not what was written: it was changed or"
exits "structures again" 0 "$BIN/micon-featurize" "$S/screen.yaml" --quiet --force
for what in embeddings/micon tiles; do
    f=$(ls "$W/$what"/*.h5 | head -n 1)
    cp -p "$f" "$T/kept.h5"
    "$ROOT/build/release/tests/tools/hurt" flip "$f" 5 >/dev/null
    [ $what = tiles ] || exits "$what with a changed bit: not evaluated" 1 run --force
    [ $what != tiles ] || exits "$what with a changed bit: not embedded" 1 "$BIN/micon-embed" "$S/screen.yaml" --force --plate S1B01P001
    has "and said" "$T/err" "were written: the file was changed or damaged"
    cp -p "$T/kept.h5" "$f"
done
"$ROOT/build/release/tests/tools/hurt" flip "$W/reports/micon/by_compound.csv" 3 >/dev/null
exits "a comparison of a damaged table" 1 run --compare micon micon
has "is refused" "$T/err" "by_compound.csv: is not what was written"
exits "and all as before" 0 run --force
same "with the same bytes" "$(sum)" "$one"

exits "no pictures" 0 run --force --set evaluate.images=no
ok "no pictures: their folder is gone" test ! -e "$W/reports/micon/report"
hasnt "no pictures: none in the page" "$W/reports/micon/report.html" '"images":'
exits "pictures in the page" 0 run --force --set evaluate.images=embed
ok "pictures in the page: no folder" test ! -e "$W/reports/micon/report"
has "pictures in the page" "$W/reports/micon/report.html" "data:image/png;base64,iVBORw0KGgo"
exits "pictures beside the page" 0 run --force
same "pictures beside the page: the same bytes" "$(sum)" "$one"
f=$(ls "$W"/embeddings/micon/*.h5 | head -n 1); mv "$f" "$T/away.h5"
exits "a plate without embeddings" 0 run
has "is left out, which is said" "$T/err" "1 of 4 plates have no embeddings and are left out (micon-embed makes them): "
has "in the report too" "$W/reports/micon/report.html" "1 of 4 plates have no embeddings"
mv "$T/away.h5" "$f"
exits "the plate is there again" 0 run
same "the plate is there again: the same bytes" "$(sum)" "$one"
same "the training's log: what is JSON" "$(sed -n 's/^"log":\(.*\),$/\1/p' "$W/reports/micon/report.html")" \
    '[{"step":0,"loss":2.5},{"step":5,"loss":0.5}]'
has "the training's log: what is not is said" "$T/first" "log.jsonl: 6 lines are not JSON objects"
hasnt "the report loads nothing" "$W/reports/micon/report.html" "src="
hasnt "the report names no address" "$W/reports/micon/report.html" "://"
gallery() { "$BIN/micon" gallery "$S/screen.yaml" -o "$T/g.png" "$@"; }
at=$(zcat "$S/metadata/well.csv.gz" | grep ',S1B01P001,' | grep -v JCP2022_033924 | head -n 1)
exits "gallery: a compound" 0 gallery --compound "${at##*,}"
ok "gallery: typical wells, the farthest, controls" grep -qE 'g.png: [4-8] wells' "$T/err"
exits "gallery: a well" 0 gallery --well "S1B01P001/$(echo "$at" | cut -d, -f3)"
has "gallery: and its control" "$T/err" "g.png: 2 wells"
exits "gallery: a name misspelt" 2 gallery --compound "${at##*,}x"
has "gallery: the nearest name" "$T/err" "did you mean ${at##*,}?"
exits "gallery: no such well" 2 gallery --well S1B01P001/Z9
exits "gallery: of nothing" 2 gallery
ok "the store verifies" "$BIN/micon-store" verify "$W/profiles/micon.h5ad" "$W/profiles/micon.consensus.h5ad"

# As another store: of the same model, or refused. (evaluate_transform.sh has the rest.)
cp "$W/profiles/micon.h5ad" "$T/store.h5ad"
raw() { "$BIN/micon-store" export "$S/screen.yaml" "$T/$1" --quiet && cat "$T/$1"/micon.[nrc]*.csv.gz | sha256sum; }
before=$(raw before)
exits "transformed with its own store" 0 run --transform-with "$T/store.h5ad"
same "transformed with its own store: the same tables" "$(raw after)" "$before"
exits "another representation" 1 "$BIN/micon-evaluate" "$S/screen.yaml" --transform-with "$T/store.h5ad" --set \
    embed.representation=projected
has "another representation: said" "$T/err" "holds the raw representation, these are projected: set embed.representation to raw"
exits "as at first again" 0 run
same "as at first again: the same bytes" "$(sum)" "$one"

if ! /usr/bin/python3 -c 'import anndata, h5py, numpy' 2>/dev/null; then
    skip "anndata opens the stores" "python3-anndata is not installed"
    tap_done
fi
cat > "$T/check.py" <<'EOP'
import base64, csv, glob, json, os, struct, sys, warnings, zlib
warnings.simplefilter("error")
warnings.simplefilter("ignore", ResourceWarning)
import anndata, h5py, numpy as np
w = sys.argv[1]
a, c = anndata.read_h5ad(w + "/profiles/micon.h5ad"), anndata.read_h5ad(w + "/profiles/micon.consensus.h5ad")
bad = 0
def ok(what, good):
    global bad
    bad += not good
    print("# ", "ok" if good else "BAD", what)
col = lambda name: a.obs[name].astype(str).values
key = list(zip(col("Metadata_Source"), col("Metadata_Batch"), col("Metadata_Plate"), col("Metadata_Well")))
ok("96 wells in order", a.shape == (96, 40) and key == sorted(key))
raw = {}
for f in glob.glob(w + "/embeddings/micon/*.h5"):
    with h5py.File(f) as h: x, good = h["X"][:], h["obs/QC_Tiles"][:] > 0
    o = anndata.read_h5ad(f).obs
    k = list(zip(*[o["Metadata_" + n].astype(str) for n in ("Source", "Batch", "Plate", "Well")]))
    for one in set(k):
        at = np.array([j for j in range(len(k)) if k[j] == one])
        use = at[good[at]] if good[at].any() else at
        raw[one] = x[use].astype(float).mean(0)
ok("means of sites", np.allclose(a.layers["raw"], [raw[k] for k in key], rtol=1e-6, atol=1e-7))
plate, control = col("Metadata_Plate"), col("Metadata_pert_type") == "negcon"
want = np.empty(a.shape)
for p in set(plate):
    r, m = a.layers["raw"].astype(float), plate == p
    med = np.median(r[m & control], 0)
    want[m] = (r[m] - med) / (1.4826 * np.median(abs(r[m & control] - med), 0) + 1e-18)
ok("MAD", np.allclose(a.X, want, rtol=1e-4, atol=1e-4))
y = a.obsm["X_corrected"][control].astype(float)
s = np.linalg.svd(y - y.mean(0), compute_uv=False)[:control.sum() - 1] / np.sqrt(control.sum() - 1)
ok("the controls' covariance is the identity on their span", np.allclose(s, 1, atol=1e-3))
ok("consensus", all(np.allclose(c.X[i], np.median(a.X[col("Metadata_Compound") == n], 0), atol=1e-5)
                    for i, n in enumerate(c.obs["Metadata_Compound"].astype(str))))
E = np.isin(col("Metadata_Set"), ["test", "unseen_compound"]) & (col("Metadata_pert_type") == "trt")
u = a.X[E].astype(float); u /= np.linalg.norm(u, axis=1, keepdims=True)
lab, batch, source = col("Metadata_Compound")[E], np.array([k[0] + "|" + k[1] for k in key])[E], col("Metadata_Source")[E]
got = {(m["metric"], m["setting"], m["k"]): m for m in json.load(open(w + "/reports/micon/metrics.json"))["metrics"]
       if m["profiles"] == "uncorrected"}
for name, group in (("nsb", batch), ("nss", source)):
    sim = u @ u.T
    sim[group[:, None] == group[None]] = -9
    order = np.argsort(-sim, axis=1, kind="stable")
    for k in (1, 5, 10):
        hit = [any(lab[j] == lab[i] for j in order[i, :k] if sim[i, j] > -9)
               for i in range(len(u)) if (lab[group != group[i]] == lab[i]).any()]
        ok("%s@%d" % (name, k), abs(np.mean(hit) - got[name, "all", k]["value"]) < 1e-8 and len(hit) == got[name, "all", k]["n"])
        part = [sum(lab[j] == lab[i] for j in order[i, :k] if sim[i, j] > -9) / k
                for i in range(len(u)) if (lab[group != group[i]] == lab[i]).any()]
        ok("%s precision@%d" % (name, k), abs(np.mean(part) - got[name + "_precision", "all", k]["value"]) < 1e-8)
page = open(w + "/reports/micon/report.html", encoding="utf-8").read()
data = json.loads(page.split('id="data">')[1].split("</script>")[0])
ok("the report holds metrics.json", data["metrics"] == json.load(open(w + "/reports/micon/metrics.json")))
def reals(p):
    u = np.frombuffer(base64.b64decode(p["u16"]), "<u2")
    return np.where(u == 65535, np.nan, p["lo"] + (p["hi"] - p["lo"]) * (u / 65534))
umap = np.stack([reals(p) for p in data["wells"]["umap"]], 1)
ok("and the wells", np.allclose(umap, a.obsm["X_umap"], atol=np.ptp(a.obsm["X_umap"]) / 60000))
codes = lambda p: np.frombuffer(base64.b64decode(p["u8"]), "u1")
treated, name = codes(data["wells"]["treatment"]), data["treatments"]["names"]
ok("and their treatments", all((name[t] if t < 255 else None) == (c if p == "trt" else None)
                               for t, c, p in zip(treated, col("Metadata_Compound"), col("Metadata_pert_type"))))
y = a.obsm["X_corrected"].astype(float)
y /= np.linalg.norm(y, axis=1, keepdims=True)
for what, at in (("batches", 1), ("sources", 0)):
    for l in range(len(name)):
        i = np.flatnonzero(E & (col("Metadata_Compound") == name[l]))
        g = np.array([k[0] if at == 0 else k[0] + "|" + k[1] for k in key])[i]
        s, other = y[i] @ y[i].T, g[:, None] != g[None]
        want, got_ = s[other].mean() if other.any() else None, data["treatments"][what][l]
        if (want is None) != (got_ is None) or want is not None and abs(want - got_) > 0.01 * abs(want) + 1e-6:
            ok("similarity across %s of %s: %s, %s" % (what, name[l], got_, want), False)
figures = {(r["profiles"], r["treatment"]): r for r in csv.DictReader(open(w + "/reports/micon/compounds.csv"))}
ok("figures of treatments are those of compounds.csv", all(
    str(v) == str(None if figures[f, n][c] == "" else float(figures[f, n][c]))
    for f, cs in data["treatments"]["figures"].items() for c, vs in cs.items()
    for n, v in zip(name, (x if x is None else float(x) for x in vs))))
of = {n: E & (col("Metadata_Compound") == n) for n in name}
med = {n: np.median(a.obsm["X_corrected"][of[n]].astype(float), 0) for n in name if of[n].any()}
for l, near in enumerate(data["treatments"]["nearest"]):
    if name[l] not in med: continue
    cos = sorted((-np.dot(med[name[l]], v) / np.linalg.norm(v) / np.linalg.norm(med[name[l]]), n) for n, v in med.items() if n != name[l])
    if not near or abs(near[1] + cos[0][0]) > 2e-3: ok("nearest of " + name[l], False)
# A picture holds the tile: unpacked here, its squares are what was stored, up to the rounding of the root.
images = data["images"]
well, file = next(iter(images["wells"].items()))
png, at, packed = open(w + "/reports/micon/report/" + file, "rb").read(), 8, b""
while at < len(png):
    n, kind = struct.unpack(">I4s", png[at:at + 8])
    packed += png[at + 8:at + 8 + n] if kind == b"IDAT" else b""
    at += 12 + n
lines = np.frombuffer(zlib.decompress(packed), "u1").reshape(images["side"], -1)[:, 1:]
strip = np.cumsum(lines, 1, dtype="u1").reshape(images["side"], 5, images["side"]).transpose(1, 0, 2)
source, batch, plate_, name_ = key[int(well)]
with h5py.File("%s/tiles/%s__%s__%s.h5" % (w, source, batch, plate_)) as h:
    tiles = h["tiles"][:]
    cat = h["obs/Metadata_Well/categories"].asstr()[:][h["obs/Metadata_Well/codes"][:]]
mine = [t for t, c in zip(tiles, cat) if c == name_]
ok("a picture is a tile of its well", any(np.array_equal(np.floor(255 * np.sqrt(t / 255) + .5).astype("u1"), strip) for t in mine))
def sims(l):
    i = np.flatnonzero(of[name[l]])
    return {int(r): float(np.dot(y[r], med[name[l]])) for r in i}
for l, pairs in images["of"].items():
    s = sims(int(l))
    if len(s) > 3: ok("typical wells of " + name[int(l)], [p[0] for p in pairs] == sorted(s, key=lambda r: -s[r])[:3] + [min(s, key=s.get)])
    ok("controls are of their plates", all(key[p[1]][:3] == key[p[0]][:3] and control[p[1]] for p in pairs if p[1] >= 0))
rows = list(csv.DictReader(open(w + "/reports/micon/metrics.csv")))
ok("CSV and JSON agree", all(float(r["value"]) == got[r["metric"], r["setting"], int(r["k"]) if r["k"] else None]["value"]
                             for r in rows if r["profiles"] == "uncorrected" and r["value"]))
sys.exit(bad)
EOP
exits "sphered without ridge" 0 run --set evaluate.reshape=none --set evaluate.sphere=ZCA --set evaluate.ridge=0
ok "anndata reads what numpy computes" /usr/bin/python3 "$T/check.py" "$W"
tap_done

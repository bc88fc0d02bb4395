#!/usr/bin/env bash
# store_anndata.sh -- Python's anndata and h5py read what the store writes, and the store reads what they write. run: limit=120
. "$(dirname "$0")/../tap.sh"
tool=$ROOT/build/release/tests/tools/store_tool py=/usr/bin/python3
cd "$T" || exit 1
if ! $py -c 'import anndata, h5py' 2>/dev/null; then
    skip "anndata reads our files, and we read theirs" "python3-anndata is not installed"
    tap_done
fi
mpi 2 "$tool" write ours.h5ad 101 33 || echo "# writing failed"
cat >check.py <<'EOP'
import sys, warnings
warnings.simplefilter("error")
import anndata, numpy as np, pandas as pd
a = anndata.read_h5ad("ours.h5ad")
i = np.arange(101)
name = ["DMSO", "caf\u00e9ine", "", "\u03b1-tocopherol", "JCP2022_033924"]
def ok(what, good): print(("ok" if good else "BAD"), what)
ok("X", a.X.dtype == np.float32 and np.array_equal(a.X, np.arange(101 * 33, dtype=np.float32).reshape(101, 33)))
ok("layers", np.array_equal(a.layers["raw"], a.X * 0.5))
ok("obsm", np.array_equal(a.obsm["X_umap"], 0.25 * np.arange(202).reshape(101, 2)))
ok("order of columns",
   list(a.obs.columns) == ["Metadata_Plate", "Metadata_Compound", "Metadata_Site", "QC_Focus_DNA", "Metadata_Dose/uM", "QC_Flag"])
ok("text", list(a.obs["Metadata_Plate"]) == [("00123" if k % 2 else "Pl\u00e4tte 7") for k in i])
c = a.obs["Metadata_Compound"]
ok("categorical",
   c.dtype == "category" and list(c.cat.categories) == sorted([n for n in name if n], key=lambda s: s.encode()) and not c.cat.ordered)
ok("its values, missing ones too", all((pd.isna(v) and name[k % 5] == "") or v == name[k % 5] for k, v in zip(i, c)))
ok("int64", a.obs["Metadata_Site"].dtype == np.int64 and np.array_equal(a.obs["Metadata_Site"], i + 1))
ok("float32", a.obs["QC_Focus_DNA"].dtype == np.float32 and np.array_equal(a.obs["QC_Focus_DNA"], (i / 3).astype(np.float32)))
d = a.obs["Metadata_Dose/uM"]
ok("float64 with NaN, a name with a slash",
   d.dtype == np.float64 and np.array_equal(np.isnan(d), i % 4 == 0) and np.array_equal(d[i % 4 > 0], 0.1 * i[i % 4 > 0]))
ok("bool", a.obs["QC_Flag"].dtype == bool and np.array_equal(a.obs["QC_Flag"], i % 3 == 0))
ok("the index of obs", list(a.obs.index) == [str(k) for k in i])
ok("the names of var", list(a.var.index) == [f"micon_{k}" for k in range(33)])
ok("uns: texts", list(a.uns["channels"]) == ["DNA", "ER", "RNA", "AGP", "M\u00fcto"])
ok("uns: a text", a.uns["micon"]["config"] == "tile: {size: 224}\n# \u00e9\n")
ok("uns: numbers", a.uns["micon"]["seed"] == 9007199254740993 and a.uns["low"] == 0.05)
ok("uns: an array", a.uns["grid"].dtype == np.int32 and a.uns["grid"].tolist() == [[1, -2, 3], [-4, 5, -6]])
ok("uns: a table without rows", len(a.uns["rejects"]) == 0)
b = anndata.read_h5ad("ours.h5ad", backed="r")
ok("backed", np.array_equal(b.X[50:52], a.X[50:52]))
a.write_h5ad("back.h5ad")
a.write_h5ad("gzip.h5ad", compression="gzip")
import h5py
with h5py.File("ours.h5ad") as f:
    ok("a chunk is a block of rows, nothing compressed", f["X"].chunks == (4, 33) and f["X"].compression is None)
# what others write, and we do not
o = anndata.AnnData(np.arange(12, dtype=np.float64).reshape(4, 3), obs=pd.DataFrame({
    "u16": np.array([1, 2, 3, 65535], np.uint16), "f16": np.array([0.5, 1, 2, 3], np.float16), "i8": np.array([-1, 2, 3, 4], np.int8),
    "num_cat": pd.Categorical([3, 1, 3, 1]), "bool_cat": pd.Categorical([True, False, True, True]),
    "cat": pd.Categorical(["b", None, "a", "b"], ordered=True), "s": ["x", "", "\u03b4", "longer text"]},
    index=["r1", "r2", "r3", "r4"]), dtype=np.float64)
o.uns["nested"] = {"deep": {"text": "t", "n": 3, "b": True, "arr": np.array(["p", "q"], dtype=object)}}
o.write_h5ad("others.h5ad")
with h5py.File("others.h5ad", "a") as f:   # as newer versions write missing whole numbers
    g = f["obs"].create_group("nullable")
    g.attrs["encoding-type"] = "nullable-integer"; g.attrs["encoding-version"] = "0.1.0"
    g["values"] = np.array([1, 2, 3, 4]); g["mask"] = np.array([False, True, False, False])
    f["obs"].attrs["column-order"] = np.array(list(f["obs"].attrs["column-order"]) + ["nullable"], dtype=object)
    f["uns/link"] = h5py.ExternalLink("ours.h5ad", "/X")
    f["uns/soft"] = h5py.SoftLink("/X")
    f["uns/loop"] = f["uns"]
    f["uns/complex"] = np.array([1 + 2j])
    f["uns/huge"] = 1
    f.create_dataset("uns/vast", shape=(1 << 40,), dtype="f4", chunks=(1024,))
    f.create_dataset("uns/vast_text", shape=(1 << 40,), dtype="S8", chunks=(1024,))
    f.create_dataset("uns/vast_var", shape=(1 << 40,), dtype=h5py.string_dtype(), chunks=(1024,))
    f.create_dataset("uns/outside", shape=(4,), dtype="i4", external=[("/etc/passwd", 0, 16)])
    f["uns/big"] = np.array([2**63 + 5], np.uint64)
EOP
$py check.py >py.out 2>py.err || sed 's/^/#   | /' py.err | tail -5
while read -r how what; do same "anndata: $what" "$how" ok; done <py.out
ok "all of it ran" grep -q 'nothing compressed' py.out
"$tool" read ours.h5ad >ours.txt; "$tool" read back.h5ad >back.txt; "$tool" read gzip.h5ad >gzip.txt
ok "what anndata wrote again reads the same" cmp <(grep -v "^kind" ours.txt) <(grep -v "^kind" back.txt)
ok "compressed too" cmp back.txt gzip.txt
exits "others' types are read" 0 "$tool" read others.h5ad
cat >want.csv <<'EOC'
_index,u16,f16,i8,num_cat,bool_cat,cat,s,nullable
r1,1,0.5,-1,3,True,b,x,1
r2,2,1,2,1,False,,,NULL
r3,3,2,3,3,True,a,δ,3
r4,65535,3,4,1,True,b,longer text,4
EOC
sed -i 's/NULL//' want.csv
same "as what they are" "$(grep -A4 '^_index,u16' "$T/out")" "$(cat want.csv)"
has "a link out of the file is not followed" "$T/out" "'uns/link' is a link to somewhere else"
has "nor one within it" "$T/out" "'uns/soft' is a link to somewhere else"
has "values in another file are not read" "$T/out" "'uns/outside' has its values in other files"
has "a terabyte of texts is not asked for" "$T/out" "'uns/vast_text'"
has "nor one of texts of any length" "$T/out" "'uns/vast_var'"
has "complex numbers are refused" "$T/out" "'uns/complex'"
has "a whole number beyond 2^63 is not cut, but a real one" "$T/out" "uns/big[0] 9.22337e+18"
exits "a file that is not ours has nothing to verify" 1 "$tool" verify others.h5ad
has "and says so" "$T/err" "is not a file of MICON's"
tap_done

#!/usr/bin/env bash
# same_outputs.sh BIN FOLDER [CHOICES] -- run every program on two drawn screens (fp32, fixed choices of convolutions) and print a digest of
# every output and every exit status. Run it with the programs of two commits and compare what it prints: it shows that a rewrite changed
# nothing.
#     bash tests/same_outputs.sh OLD/build/release/bin /tmp/a >a.txt
#     bash tests/same_outputs.sh NEW/build/release/bin /tmp/b /tmp/a/choices >b.txt; diff a.txt b.txt
# CHOICES: the folder of measured convolution choices that an earlier run left, so that both compute alike.
# HDF5 files are listed dataset by dataset, attributes and texts apart from numbers, so that a renamed key can be told from a changed
# number.
set -u
bin=$(cd "$1" && pwd)
out=$2 choices=${3:-}
[ -n "$choices" ] && choices=$(cd "$choices" && pwd)
export PATH=$bin:$PATH OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
rm -rf "$out"
mkdir -p "$out/tmp"
cd "$out" || exit 1
export TMPDIR=$PWD/tmp
seed_choices() { mkdir -p "$1/work"; [ -n "$2" ] && cp -r "$2" "$1/work/choices"; :; }
rc() { "$@" >>log 2>&1 </dev/null; local e=$? what="$*"; what=${what//"$S"/small}; what=${what//"$F"/four}; echo \
    "exit $e : ${what//$PWD/.}"; }
R="mpirun -n 2 --oversubscribe" F=four
S="small/screen.yaml --set tile.size=32 --set featurize.bits=64 --set train.batch=8 --set train.precision=fp32
   --set embed.precision=fp32 --set train.dim=40 --set train.projection=16 --set train.temperature=0.1 --set train.lr=1e-4
   --set train.steps=3 --set evaluate.null_size=200 --set evaluate.bootstrap=50 --set split.unseen_compounds=0.2"

rc $R micon-simulate --out small --sources 2 --batches 2 --wells 24 --sites 2 --compounds 6 --size 96
seed_choices small "$choices"
rc micon check $S
rc $R micon-train $S
rc $R micon-tile $S
rc $R micon-tile $S
rc micon-featurize $S
for m in micon paclr clip simclr; do
    rc $R micon-train $S --set train.method=$m --set train.run=$m
    rc $R micon-embed $S --set train.method=$m --set train.run=$m
    rc $R micon-evaluate $S --set train.method=$m --set train.run=$m
done
T="$S --set train.method=micon --set train.run=aux --set train.aux=yes --set train.detach=no --set train.augment=full
   --set train.schedule=plateau"
rc $R micon-train $T
rc $R micon-embed $T --set embed.representation=projected
rc $R micon-evaluate $T --set evaluate.sphere=PCA --set evaluate.correct=harmony
rc $R micon-evaluate $S --set train.run=outside --set evaluate.profiles=work/profiles/micon.h5ad
rc micon export $S tables
rc micon store add $S shared.h5ad
rc micon store add $S shared.h5ad
rc micon compare $S micon aux
rc micon verify small/work/compounds.h5 small/work/tiles/*.h5 small/work/profiles/*.h5ad shared.h5ad
rc micon-featurize $S --nearest 'CC(=O)Oc1ccccc1C(=O)O' -k 3
rc micon plan $S
rc micon status $S
rc micon-tile $S --plate NOPLATE
rc micon-tile $S --set tile.sise=3
rc micon-tile $S --set tile.size=abc
rc micon-tile nofile.yaml
rc micon-tile
rc micon nosuchcommand
rc micon-evaluate $S --set train.run=absent
rc micon verify small/screen.yaml
cp small/work/compounds.h5 cut.h5
truncate -s -100 cut.h5
rc micon verify cut.h5
printf 'screen: {name: x}\nscreen: {name: y}\n' >twice.yaml
rc micon check twice.yaml

rc $R micon-simulate --out four --sources 1 --batches 2 --wells 12 --sites 2 --compounds 4 --size 80 --seed 7
seed_choices four small/work/choices
F="four/screen.yaml --set tile.size=40 --set tile.tiles_per_site=4 --set tile.illumination=none --set featurize.bits=64
   --set train.batch=4 --set train.steps=2 --set train.precision=fp32 --set embed.precision=fp32 --set train.dim=20
   --set train.projection=8 --set evaluate.null_size=100 --set evaluate.bootstrap=20 --set evaluate.min_controls=1"
rc micon run $F -n 2
rc micon run $F -n 2
rc micon rerun $F -n 2 --stage evaluate
rm -rf choices
cp -r four/work/choices choices 2>/dev/null # of both screens

# Times, hosts and process numbers are in status files and step logs only; a report quotes the log.
find . -type f ! -path './tmp/*' ! -path '*/status/*' ! -path './choices/*' ! -path '*/choices/*' ! -name log ! -name 'log.jsonl' ! -name \
    report.html ! -name compare.html ! -name '*.tif' ! -name '*.index' | LC_ALL=C sort | while read -r f; do
    case $f in
    *.h5 | *.h5ad) ;;
    *) echo "$(sha256sum <"$f" | cut -c1-24) $f" ;;
    esac
done
for f in small four; do echo "$(find $f -name '*.tif' | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -c1-24) $f: all TIFFs"; done
find . -name log.jsonl ! -path './tmp/*' | LC_ALL=C sort | while read -r f; do
    echo "$(sed -E 's/"(seconds|items_per_s|processor_s|compute_s|wait_s|comm_s|comm_hidden_s|memory_mb|layers_s|[a-z_]*_s)": [^,}]*//g' \
        "$f" | sha256sum | cut -c1-24) $f: without times"
done
/usr/bin/python3 - <<'END_PY'
import glob, hashlib, os
import h5py
def digest(b): return hashlib.sha256(b).hexdigest()[:24]
for f in sorted(glob.glob("**/*.h5", recursive=True) + glob.glob("**/*.h5ad", recursive=True)):
    if f.startswith("tmp") or f == "cut.h5": continue
    print(digest(open(f, "rb").read()), f, ": all bytes")
    rows = []
    def visit(name, o):
        for k, v in sorted(o.attrs.items()): rows.append((f"{name}@{k}", digest(repr(v).encode())))
        if isinstance(o, h5py.Dataset):
            v = o[()]
            raw = hasattr(v, "tobytes") and o.dtype.kind != "O"
            rows.append((name, digest(v.tobytes() if raw else repr(v.tolist() if hasattr(v, "tolist") else v).encode())))
    with h5py.File(f) as h: h.visititems(visit)
    for n, d in sorted(rows): print("   ", d, f, n)
END_PY

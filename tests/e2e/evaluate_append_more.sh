#!/usr/bin/env bash
# run: long limit=240
# micon-store add: what a shared store holds, what is refused, and who may read it. (evaluate_append.sh has the rest.)
. "$(dirname "$0")/../tap.sh"
. "$ROOT/tests/profile_tables.sh"
cd "$T" || exit 1
for p in 1 2 3 4 5; do table $p B$((1 + (p - 1) / 2)) 1 12 > p$p.csv; done
table_screen a 'p[12].csv'; table_screen b p3.csv; table_screen c p4.csv; table_screen d p5.csv
mkdir s

exits "the first" 0 added a s/all.h5ad
cp s/all.h5ad one.h5ad
for n in b c d; do exits "$n" 0 added $n s/all.h5ad --transform-with one.h5ad; done
# The store is a table like others, with who brought what.
{
    printf 'screen: {name: shared, control: DMSO, work: work_s}\ntrain: {run: r}\n'
    printf 'evaluate: {profiles: s/all.h5ad, normalize: none, bootstrap: 20, null_size: 100}\n'
} > s.yaml
exits "the store is evaluated" 0 evaluate s
same "the store is evaluated: all wells" "$(wc -l < work_s/reports/r/wells.csv)" 121
exits "exported, they are the runs' own" 0 exported s t
exits "exported: b" 0 exported b t_b
same "the same numbers" "$(zcat t/r.normalized.csv.gz | grep ',P3,' | sed 's/.*,1,//' | sha256sum)" \
    "$(zcat t_b/r.normalized.csv.gz | grep ',P3,' | sed 's/.*,1,//' | sha256sum)"

# What does not go together.
before=$(sha256sum < s/all.h5ad)
refused() { # "what" TEXT NAME options...
    local what=$1 text=$2
    shift 2
    exits "$what" 1 added "$@"
    has "$what: said" "$T/err" "$text"
}
table 6 B3 1 12 > p6.csv; table_screen f p6.csv
refused "normalized otherwise" "were normalized differently" f s/all.h5ad --set evaluate.normalize=standardize
cut -d, -f1-17 p6.csv > p7.csv; table_screen g p7.csv
refused "other features" "s/all.h5ad has 10 features of 10, work_g/profiles/r.h5ad 8 of 8, and they are not the same" g s/all.h5ad
refused "corrected by Harmony" "was corrected by Harmony: its profiles are comparable only among themselves" s s/all.h5ad --set \
    evaluate.batch_correction=harmony
refused "the store of one run" "is the store of one run, not one that runs were added to" b work_c/profiles/r.h5ad --transform-with one.h5ad
refused "no store" "is not an HDF5 file" b p1.csv --transform-with one.h5ad
cp one.h5ad bad.h5ad
head -c 5000 /dev/zero | tr '\0' '\252' | dd of=bad.h5ad bs=1 seek=$(($(stat -c %s bad.h5ad) / 2)) conv=notrunc status=none
refused "a damaged store" "bad.h5ad" b bad.h5ad --transform-with one.h5ad
same "the store is as it was" "$(sha256sum < s/all.h5ad)" "$before"

# Who may read it.
(umask 027; added d s/mode.h5ad --transform-with one.h5ad 2>/dev/null)
same "a new store follows the umask" "$(stat -c %a s/mode.h5ad)" 640
chmod 664 s/mode.h5ad
(umask 077; added c s/mode.h5ad --transform-with one.h5ad 2>/dev/null)
same "what is there keeps its mode" "$(stat -c %a s/mode.h5ad)" 664
if [ "$(id -u)" = 0 ] && getent group users >/dev/null; then
    (umask 022; added d s/group.h5ad --transform-with one.h5ad --set screen.group=users 2>/dev/null)
    same "screen.group: its members may write" "$(stat -c '%a %G' s/group.h5ad)" "664 users"
    added c s/group.h5ad --transform-with one.h5ad 2>/dev/null
    same "and the group is kept" "$(stat -c '%a %G' s/group.h5ad)" "664 users"
else
    skip "screen.group" "giving files to a group wants root"
fi
exits "no such group" 2 added d s/x.h5ad --set screen.group=no-such-group
if ! /usr/bin/python3 -c 'import anndata' 2>/dev/null; then
    skip "anndata opens the store" "python3-anndata is not installed"
    tap_done
fi
cat > check.py <<'EOP'
import warnings
warnings.simplefilter("ignore")
import anndata, numpy as np
s, bad = anndata.read_h5ad("s/all.h5ad"), 0
for n, rows in (("a", 48), ("b", 24), ("c", 24), ("d", 24)):
    r = anndata.read_h5ad("work_%s/profiles/r.h5ad" % n)
    m = (s.obs["Metadata_Screen"] == n).values
    for get in (lambda x: x.X, lambda x: x.layers["raw"], lambda x: x.obsm["X_corrected"], lambda x: x.obsm["X_pca"]):
        good = m.sum() == rows and get(s)[m].tobytes() == get(r).tobytes()
        bad += not good
    bad += list(s.obs["Metadata_Well"][m]) != list(r.obs["Metadata_Well"])
key = list(zip(*[s.obs["Metadata_" + k].astype(str) for k in ("Source", "Batch", "Plate", "Well")]))
bad += key != sorted(key) or len(set(key)) != 120
bad += sorted(s.uns["appended"]["screen"]) != ["a", "b", "c", "d"] or s.uns["appended"]["wells"].sum() != 120
raise SystemExit(int(bad))
EOP
ok "anndata sees every run's numbers in it" /usr/bin/python3 check.py
tap_done

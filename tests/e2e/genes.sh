#!/usr/bin/env bash
# run: long limit=600
# Perturbations without structures: genes with given vectors, from pictures to predictions and the report, a fifth of them unseen. Whether
# predictions are right needs more training than this (docs/reproduction.md): here they must follow the vectors, and nothing else.
. "$(dirname "$0")/../tap.sh"
cd "$T" || exit 1
export OMP_NUM_THREADS=1

exits "a screen" 0 mpi 2 "$BIN/micon-simulate" --out screen --sources 2 --batches 2 --wells 48 --sites 1 --compounds 20 --size 48 --quiet
cd screen || exit 1
awk -F, 'function draw() { s = s * 16807 % 2147483647; return s / 2147483647 - 0.5 }
    NR == 1 { s = 20261130; printf "Metadata_JCP2022"; for (i = 1; i <= 16; i++) printf ",v%d", i; print ""; next }
    { printf "%s", $1; for (i = 1; i <= 16; i++) printf ",%.6f", draw(); print "" }' truth/compounds.csv >vectors.csv
echo "JCP2022_033924$(printf ',0%.0s' $(seq 16))" >>vectors.csv
sed '/compound:/d; s/test_batches: 1/test_batches: 1\n  unseen_compounds: 0.2/' screen.yaml >genes.yaml
hasnt "no structures" genes.yaml "compound.csv"
cat >>genes.yaml <<Y
featurize: {vectors: vectors.csv}
train: {dim: 50, projection: 16, temperature: 0.1, lr: 0.001, batch: 8, steps: 4}
embed: {counterfactual_compounds: unseen, precision: fp32}
evaluate: {images: no, null_size: 20, bootstrap: 20}
Y
exits "micon run, from pictures to the report" 0 "$BIN/micon" run genes.yaml -n 2
M=work/models/micon/model.safetensors
head -c 1000000 $M | grep -a -o 'micon.compounds.*' | head -n 1 | grep -a -oE 'JCP2022_2[0-9]+' | sort -u >seen
awk -F, '$5 == "unseen_compound" { print $1 "," $3 "," $4 }' work/split.csv | sort >unseen_wells
zcat metadata/well.csv.gz | awk -F, 'FNR == NR { w[$0] = 1; next } ($1 "," $2 "," $3) in w { print $4 }' unseen_wells - | sort -u >unseen
same "a fifth is unseen" "$(wc -l <unseen)" 4
same "the others were trained on, and none of these" "$(wc -l <seen) $(comm -12 seen unseen | wc -l)" "16 0"
ok "predictions of unseen genes are judged" grep -q '^uncorrected,counterfactual,unseen_compounds,1,0' work/reports/micon/metrics.csv

# The unseen genes' vectors dealt out anew among them: with the same model each gene has the prediction that its new vector had before.
mkdir dealt
ln -s ../work/tiles dealt/tiles
awk -F, 'FNR == NR { u[++n] = $1; at[$1] = n; next } { v[$1] = substr($0, length($1) + 1); id[++m] = $1 }
    END { for (i = 1; i <= m; i++) print id[i] v[id[i] in at ? u[at[id[i]] % n + 1] : id[i]] }' unseen vectors.csv >dealt.csv
D="genes.yaml --set screen.work=dealt --set featurize.vectors=dealt.csv --set embed.model=$M"
exits "other vectors" 0 "$BIN/micon-featurize" $D
exits "the same model" 0 mpi 2 "$BIN/micon-embed" $D
if /usr/bin/python3 -c 'import h5py, numpy' 2>/dev/null; then
    ok "predictions follow the vectors" /usr/bin/python3 - <<'P'
import glob
import h5py, numpy as np
unseen = open('unseen').read().split()
files = sorted(glob.glob('work/embeddings/micon/*.h5'))
assert len(files) == 4
for path in files:
    a, b = h5py.File(path)['uns/counterfactual'], h5py.File(path.replace('work/', 'dealt/', 1))['uns/counterfactual']
    x, y = (dict(zip(g['compound'].asstr()[:], g['X'][:])) for g in (a, b))
    assert sorted(x) == sorted(y) == unseen, (x.keys(), y.keys())
    for i, gene in enumerate(unseen):
        other = unseen[(i + 1) % len(unseen)]
        assert np.abs(y[gene] - x[other]).max() < 1e-6, (path, gene)
        assert np.abs(y[gene] - x[gene]).max() > 1e-6, (path, gene)
P
else skip "predictions follow the vectors" "no python3-h5py"; fi
tap_done

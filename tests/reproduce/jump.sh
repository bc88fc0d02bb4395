#!/usr/bin/env bash
# jump.sh TABLES OUT [IMAGES] -- the paper's own screen: JUMP's target-2 plates with the paper's split, as OUT/screen.yaml.
# TABLES: a folder with plate*.csv.gz and well*.csv.gz of github.com/jump-cellpainting/datasets and JUMPCP_compounds.csv.gz
# (Metadata_JCP2022, smiles). IMAGES: a copy of s3://cellpainting-gallery/cpg0016-jump, of which these are read:
#   SOURCE/workspace/load_data_csv/BATCH/PLATE/load_data.csv.gz, SOURCE/images/BATCH/images/PLATE*/Images/*
# Without IMAGES the index names images that are not there, nine sites a well, so that `micon plan` can say what it would take.
# Unseen compounds: UNSEEN=FILE, a table with Metadata_JCP2022; without it none.
set -eu
tables=$(realpath "$1") out=$2 images=${3:+$(realpath "$3")}
mkdir -p "$out"
zcat "$tables"/plate*.csv.gz | tr -d '\r' | awk -F, 'NR == 1 || $4 == "TARGET2"' >"$out/plate.csv"
zcat "$tables"/well*.csv.gz | tr -d '\r' | awk -F, 'FNR == NR { if (FNR > 1) on[$1 "," $3] = 1; next } FNR == 1 || ($1 "," $2) in on' \
    "$out/plate.csv" - >"$out/well.csv"
zcat "$tables/JUMPCP_compounds.csv.gz" | tr -d '\r' | awk -F, 'FNR == NR { used[$4] = 1; next }
    FNR == 1 { print "Metadata_JCP2022,Metadata_SMILES"; next } $1 in used' "$out/well.csv" - >"$out/compound.csv"
if [ -n "$images" ]; then
    index=$(awk -F, -v at="$images" 'NR > 1 { printf "%s%s/%s/workspace/load_data_csv/%s/%s/load_data.csv.gz", c, at, $1, $2, $3
        c = ", " }' "$out/plate.csv")
    paths="  paths: {from: 's3://cellpainting-gallery/cpg0016-jump', to: '$images'}"
else
    awk -F, 'BEGIN {
            printf "Metadata_Source,Metadata_Batch,Metadata_Plate,Metadata_Well,Metadata_Site"
            n = split("DNA ER RNA AGP Mito", c, " ")
            for (i = 1; i <= n; i++) printf ",FileName_Orig%s,PathName_Orig%s", c[i], c[i]
            print "" }
        FNR == NR { if (FNR > 1) batch[$1 "," $3] = $2; next }
        FNR > 1 { for (s = 1; s <= 9; s++) {
            printf "%s,%s,%s,%s,%d", $1, batch[$1 "," $2], $2, $3, s
            for (i = 1; i <= n; i++) printf ",%s_%d_%d.tif,images/%s", $3, s, i, $2
            print "" } }' "$out/plate.csv" "$out/well.csv" >"$out/load_data.csv"
    index=load_data.csv paths=
fi
unseen=0
[ -z "${UNSEEN:-}" ] || { cp "$UNSEEN" "$out/unseen.csv" && unseen=unseen.csv; }
cat >"$out/screen.yaml" <<Y
screen:
  name: jump_target2
  index: [$index]
${paths:+$paths
}  plate: plate.csv
  well: well.csv
  compound: compound.csv
  channels: [DNA, ER, RNA, AGP, Mito]
  control: JCP2022_033924
tile: {size: 224, tiles_per_site: 1}
split: {test_batches: 2, valid_batches: 1, unseen_sources: [source_2], unseen_compounds: $unseen}
train: {encoder: resnet101, weights: resnet101.safetensors, batch: 256, steps: 10000, valid_every: 500}
Y
rows() { echo $(($(wc -l <"$out/$1.csv") - 1)); }
echo "$out/screen.yaml: $(rows plate) plates, $(rows well) wells, $(rows compound) compounds"

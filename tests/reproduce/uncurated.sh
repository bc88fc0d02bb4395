#!/usr/bin/env bash
# uncurated.sh FOLDER OUT.csv -- what wrong tables cost, and what shows them: 5 and 20 % of the wells mislabelled, two channels of a source
# exchanged, the labels of a plate moved by one column; on the screen `main` of `make reproduce` (FOLDER) and its classical features.
# Needs python3-h5py.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
export PATH=${MICON_BIN:-$top/build/release/bin}:$PATH OMP_NUM_THREADS=1
out=$(realpath -m "$2")
cd "$1/main"
# Source 2 with ER and RNA exchanged: the same images under each other's names, measured again.
for table in images/source_2__*/load_data.csv; do
    sed '1s/OrigER/OrigX/g; 1s/OrigRNA/OrigER/g; 1s/OrigX/OrigRNA/g' "$table" >"${table%/*}/exchanged.csv"
done
sed 's|images/\*/load_data.csv|images/source_2__*/exchanged.csv|; s|work: work|work: exchanged|; /^split/d' screen.yaml >exchanged.yaml
micon-measure exchanged.yaml --quiet --set train.run=classical --set train.method=classical
mkdir -p uncurated
/usr/bin/python3 "$top/tests/reproduce/uncurated.py" tables work/features/classical exchanged/features/classical \
    work/profiles/classical.h5ad uncurated
for table in uncurated/*.csv; do
    name=$(basename "$table" .csv)
    printf 'screen: {name: uncurated, work: work, control: JCP2022_033924}\ntrain: {run: "%s"}\n' "$name" >uncurated/one.yaml
    printf 'evaluate: {profiles: "%s.csv", images: no, null_size: 1000, bootstrap: 500}\n' "$name" >>uncurated/one.yaml
    micon-evaluate uncurated/one.yaml --quiet 2>"uncurated/$name.messages"
done
/usr/bin/python3 "$top/tests/reproduce/uncurated.py" figures uncurated "$out"

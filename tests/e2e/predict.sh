#!/usr/bin/env bash
# predict.sh -- micon predict on a small simulated screen with a model of first weights.   run: limit=200
. "$(dirname "$0")/../tap.sh"
cd "$T" || exit 1
TOOLS=$ROOT/build/release/tests/tools
export OMP_NUM_THREADS=1

quiet mpi 2 "$BIN/micon-simulate" --out screen --sources 2 --batches 2 --wells 32 --sites 1 --compounds 13 --size 48
cd screen || exit 1
S="screen.yaml --set tile.size=48"
quiet mpi 2 "$BIN/micon-featurize" $S
quiet mpi 2 "$BIN/micon-tile" $S
zcat metadata/compound.csv.gz | tr -d '"' >compounds.csv
col() { head -n 1 compounds.csv | tr ',' '\n' | grep -n "^$1\$" | cut -d: -f1; }
smiles() { awk -F, -v id="$1" -v a="$(col Metadata_JCP2022)" -v b="$(col Metadata_SMILES)" '$a == id { print $b }' compounds.csv; }
mapfile -t ids < <(awk -F, -v a="$(col Metadata_JCP2022)" 'NR > 1 && $a != "JCP2022_033924" { print $a }' compounds.csv | sort)
mkdir -p work/models/micon
M=work/models/micon/model.safetensors
MODEL_SEEN="${ids[0]} ${ids[1]}" "$TOOLS/model_make" $M 48 60 16 1024 1 DNA ER RNA AGP Mito
cat >ideas.smi <<END
# a list
CC(=O)Oc1ccccc1C(=O)O aspirin, not in the screen
C1CC(not closed broken

OC(=O)c1ccccc1OC(C)=O aspirin again
$(smiles "${ids[0]}") seen
$(smiles "${ids[2]}") held out
CCCCCCCCCC
END
exits "no embeddings: exit 1" 1 "$BIN/micon-predict" $S ideas.smi
has "and what to do" "$T/err" "run micon-embed first"
quiet mpi 2 "$BIN/micon-embed" $S --set embed.counterfactual_compounds=screen
P=work/predictions/micon

first=
for n in 1 2 3; do
    rm -rf work/predictions
    exits "predicts on $n ranks" 0 mpi $n "$BIN/micon-predict" $S ideas.smi
    sum=$(cat $P/ideas.csv $P/ideas.h5 | sha256sum)
    [ -z "$first" ] && first=$sum
    same "the same bytes" "$sum" "$first"
done
has "a line that cannot be read is named" "$T/err" "ideas.smi:3: rejected: "
has "so is a compound that was there before" "$T/err" "ideas.smi:5: the compound of line 2 again: left out"
has "and one that has wells" "$T/err" "ideas.smi:6: this is ${ids[0]}, which has wells in the screen"
has "how far to trust them" "$T/err" "held-out compounds"
has "and where they are" "$T/err" "$P/ideas.csv"
same "a row a compound" "$(wc -l <$P/ideas.csv)" 5
same "its line and name" "$(sed -n '2,$p' $P/ideas.csv | cut -d, -f1 | xargs)" "2 6 7 8"
exits "micon predict" 0 "$BIN/micon" predict $S ideas.smi
same "gives the same" "$(cat $P/ideas.csv $P/ideas.h5 | sha256sum)" "$first"
exits "micon verify" 0 "$BIN/micon" verify $P/ideas.h5
printf 'Name,SMILES\n"a, b","CC(=O)Oc1ccccc1C(=O)O"\n' | gzip >table.csv.gz
exits "a table" 0 "$BIN/micon-predict" $S table.csv.gz
printf '\xef\xbb\xbfSMILES,Name\r\nCC(=O)Oc1ccccc1C(=O)O,"a, b"\r\n' >marked.csv
exits "a table with a byte order mark" 0 "$BIN/micon-predict" $S marked.csv
same "is the same table" "$(cat $P/marked.csv)" "$(cat $P/table.csv)"
python=/usr/bin/python3
if $python -c 'import h5py, numpy' 2>/dev/null; then
    ok "means over plates of what micon-embed predicts, nearest treatments and agreement as numpy has them" \
        $python "$ROOT/tests/ref/predict_ref.py" work micon "$P/ideas" "${ids[0]}" "${ids[2]}"
else skip "means over plates, nearest treatments and agreement as numpy has them" "no python3-h5py"; fi

refused() { # WHAT TEXT STATUS ARGS...
    local what=$1 text=$2 status=$3
    shift 3
    exits "$what: exit $status" "$status" mpi 2 "$BIN/micon-predict" "$@"
    has "$what: the message" "$T/err" "$text"
}
: >empty.smi
refused "an empty file" "empty.smi: no structure in it" 1 $S empty.smi
printf 'CCO one\nC\0C\0O\0\n' >wide.smi
refused "zero bytes" "wide.smi: holds zero bytes, so it is no list of structures: save it as text in UTF-8" 1 $S wide.smi
echo 'C1CC(' >bad.smi
refused "nothing usable" "bad.smi:1: " 1 $S bad.smi
refused "a file that is not there" "nowhere.smi" 1 $S nowhere.smi
refused "no file" "usage: micon predict screen.yaml SMILES_FILE" 2 $S
refused "a plate" "leave it out" 2 $S ideas.smi --plate S1B01P001
"$TOOLS/model_make" plain.safetensors 48 60 16 0 0 DNA ER RNA AGP Mito
refused "a model without a generator" "has no generator, so it predicts no profiles" 1 $S ideas.smi --set embed.model=plain.safetensors
"$TOOLS/model_make" other.safetensors 48 60 16 1024 1 DNA ER RNA AGP Mito
refused "another model than the embeddings'" "was embedded with another model: run micon-embed" 1 $S ideas.smi --set \
    embed.model=other.safetensors
refused "other fingerprints" "they must be the same" 1 $S ideas.smi --set featurize.bits=512
awk -F, 'NR == 1 { print "Metadata_JCP2022,a,b"; next } { print $1 ",1," NR }' compounds.csv >vectors.csv
quiet "$BIN/micon-featurize" $S --set featurize.vectors=vectors.csv
refused "vectors from a file" "featurize.vectors" 1 $S ideas.smi
tap_done

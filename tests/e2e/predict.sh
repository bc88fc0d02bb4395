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

# A model with doses: of its own table of wells, the tiles stay.
zcat metadata/well.csv.gz | awk -F, -v OFS=, 'NR == 1 { print $0, "Metadata_Dose"; next }
    { print $0, $4 == "JCP2022_033924" ? "" : NR % 2 ? 0.1 : 10 }' >dosed.csv
MODEL_DOSED=yes MODEL_SEEN="${ids[0]} ${ids[1]}" "$TOOLS/model_make" dosed.safetensors 48 60 16 1024 1 DNA ER RNA AGP Mito
D="$S --set screen.well=dosed.csv --set screen.treatment=Dose --set train.run=dosed --set embed.model=dosed.safetensors"
exits "doses: embedded" 0 mpi 2 "$BIN/micon-embed" $D --set embed.counterfactual_compounds=screen
cat >doses.csv <<END
SMILES,Name,Dose
CC(=O)Oc1ccccc1C(=O)O,aspirin,1
CC(=O)Oc1ccccc1C(=O)O,more,100
CC(=O)Oc1ccccc1C(=O)O,again,1e2
CCCO,propanol,none
END
first=
for n in 1 2; do
    exits "doses: predicts on $n ranks" 0 mpi $n "$BIN/micon-predict" $D doses.csv
    sum=$(cat work/predictions/dosed/doses.csv work/predictions/dosed/doses.h5 | sha256sum)
    [ -z "$first" ] && first=$sum
    same "the same bytes" "$sum" "$first"
done
same "a row for each dose" "$(cut -d, -f1,6 work/predictions/dosed/doses.csv | xargs)" "Line,Dose 2,1 3,100"
has "a dose that was there before is named" "$T/err" "doses.csv:4: the compound of line 3 again: left out"
has "so is what is no dose" "$T/err" "doses.csv:5: rejected: its dose is not a number above 0"
ok "the dose matters" test "$(sed -n 2p work/predictions/dosed/doses.csv | cut -d, -f12-13)" != \
    "$(sed -n 3p work/predictions/dosed/doses.csv | cut -d, -f12-13)"
exits "doses: a list has none: exit 1" 1 "$BIN/micon-predict" $D ideas.smi
has "so a table is asked for" "$T/err" "give a table with columns SMILES and Dose"

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

#!/usr/bin/env bash
# train_twins.sh -- two identifiers of one structure are one compound to training, also where one of them is held out.   run: limit=120
. "$(dirname "$0")/../tap.sh"
cd "$T" || exit 1
export OMP_NUM_THREADS=1
quiet mpi 2 "$BIN/micon-simulate" --out screen --sources 2 --batches 1 --wells 16 --sites 2 --compounds 5 --size 48
cd screen || exit 1
S="screen.yaml --set tile.size=32 --set featurize.bits=64 --set train.batch=2 --set train.precision=fp32 --set train.dim=10
   --set train.projection=8 --set train.steps=1"
zcat metadata/compound.csv.gz >compound.csv
mapfile -t id < <(grep -o '^JCP2022_2[0-9]*' compound.csv)
one=${id[3]} two=${id[4]}
{ grep -v "^$two" compound.csv; echo "$two,,$(grep "^$one" compound.csv | cut -d, -f3),the same again,"; } | gzip >metadata/compound.csv.gz
quiet mpi 2 "$BIN/micon-tile" $S
exits "featurize" 0 "$BIN/micon-featurize" $S
compounds() { head -c 60000 "work/models/$1/model.safetensors" | grep -ao 'JCP2022_2[0-9]*' | sort -u | xargs; }
train() { exits "$1" 0 mpi 2 "$BIN/micon-train" $S --set train.run="$2" "${@:3}"; }

train "all compounds" all
has "said" "$T/err" "1 of 5 compounds share the structure of another and are merged with it"
same "four compounds were learned" "$(compounds all)" "${id[*]:0:4}"
train "a method that needs no structures" paclr --set train.method=paclr
has "goes by them all the same" "$T/err" "share the structure of another"

echo "$two" >held.csv
H="--set split.unseen_compounds=held.csv"
train "one of the two is held out" held $H
has "said" "$T/err" "1 of 5 compounds have the structure of a held-out one under another name: their tiles are left out"
same "neither was learned" "$(compounds held)" "${id[*]:0:3}"
exits "embed" 0 mpi 2 "$BIN/micon-embed" $S $H --set train.run=held --set embed.counterfactual_compounds=unseen
exits "evaluate" 0 "$BIN/micon-evaluate" $S $H --set train.run=held
ok "its predicted profiles are judged, under its own name" grep -q '"predicted":[1-9]' work/reports/held/metrics.json
echo "$one" >held.csv
train "the other way round" other $H
same "neither was learned" "$(compounds other)" "${id[*]:0:3}"
tap_done

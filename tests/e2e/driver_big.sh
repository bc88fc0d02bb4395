#!/usr/bin/env bash
# run: long limit=300
# micon plan on a screen of 150 plates (518,400 sites) made of JUMP's real tables: its plates, wells and compounds, and for each plate the
# rows of a real LoadData file. The first time within two minutes, with the cached index within two seconds; no image is touched either
# time.
. tests/tap.sh
unset MICON_BIN
if [ ! -r "$SHARED_DATA/jump/well_81fd6c6.csv.gz" ]; then skip "the real tables" "../shared/data is not there"; tap_done; fi
mkdir -p "$T/s" && cd "$T/s" || exit 1
cp "$SHARED_DATA"/jump/{plate_81fd6c6,well_81fd6c6,JUMPCP_compounds}.csv.gz .
zcat "$SHARED_DATA/loaddata/pilot_BR00115134_load_data.csv.gz" >one.csv
# Up to 25 plates a source, of those that hold compounds.
zcat plate_81fd6c6.csv.gz | awk -F, '$4 ~ /^(COMPOUND|TARGET2)$/ && n[$1]++ < 25 && all++ < 150 {print $1, $2, $3}' >plates
while read -r source batch plate; do
    mkdir -p "tables/$source/$batch"
    sed "s/BR00115134,/$plate,/; s|BR00115134__|${plate}__|g; s|/home/ubuntu/bucket|$T/s/images/$source|g" one.csv |
        gzip -1 >"tables/$source/$batch/$plate.csv.gz"
done <plates
same "150 real plates" "$(wc -l <plates)" 150
cat >screen.yaml <<'Y'
screen:
  name: jump
  index: tables/*/*/*.csv.gz
  plate: plate_81fd6c6.csv.gz
  well: well_81fd6c6.csv.gz
  compound: JUMPCP_compounds.csv.gz
  control: JCP2022_033924
Y
ms() { echo $((($(date +%s%N) - $1) / 1000000)); }
t0=$(date +%s%N); exits "the first plan" 0 "$BIN/micon" plan screen.yaml --nodes 8; first=$(ms "$t0")
has "150 plates" "$T/out" "150 plates, 518400 sites"
has "tiles of all" "$T/out" "150 plates"
has "and when it would be done" "$T/out" "it finishes at"
sed 's/^/# /' "$T/out"
t0=$(date +%s%N); exits "with the cached index" 0 "$BIN/micon" plan screen.yaml; then=$(ms "$t0")
echo "# first $first ms, then $then ms"
ok "the first within two minutes" [ "$first" -lt 120000 ]
ok "the second within two seconds" [ "$then" -lt 2000 ]
if command -v strace >/dev/null; then
    for what in "with the cached index" "the first time"; do
        strace -f -e trace=file -o "$T/trace" "$BIN/micon" plan screen.yaml >"$T/out" 2>&1
        ok "$what: strace sees the tables" grep -q 'screen.yaml' "$T/trace"
        not_ok "$what: no image is touched" grep -m 1 '\.tiff' "$T/trace"
        rm -f work.index* ./*.index
    done
else
    skip "no image is touched" "strace is not installed"
fi
tap_done

#!/usr/bin/env bash
# featurize_screen.sh -- micon-featurize against a screen's wells, with outside vectors, and with a worker that dies or hangs.
# run: limit=240
. "$(dirname "$0")/../tap.sh"
cd "$T" || exit 1
F=$BIN/micon-featurize
TOOL=$ROOT/build/release/tests/tools
frame() { "$TOOL/store_tool" read "$1" | awk -v p="$2:" '$0 == p { on = 1; next } on && /^[A-Za-z_\/]+(:$|\[[0-9]+\] | = )/ { exit } on'; }
count() { "$TOOL/store_tool" read "$1" | sed -n "s|^uns/counts/$2 = ||p"; }
# running TEXT : the processes of micon-featurize that have TEXT among their arguments
running() {
    local p
    for p in $(grep -lazF -- "$1" /proc/[0-9]*/cmdline 2>/dev/null); do
        p=${p#/proc/}; p=${p%/cmdline}
        is_ours "$p" && echo "$p"
    done
}
is_ours() { [ "$(tr '\0' '\n' 2>/dev/null <"/proc/$1/cmdline" | head -n 1)" = "$F" ]; } 2>/dev/null
parent_of() { sed -n 's/^PPid:[[:space:]]*//p' "/proc/$1/status" 2>/dev/null; }

# ---- a screen of three wells ----
{
    echo 'Metadata_Source,Metadata_Batch,Metadata_Plate,Metadata_Well,Metadata_Site,Metadata_JCP2022,FileName_OrigDNA,PathName_OrigDNA'
    for s in 1 2; do
        echo "S1,B1,P1,A01,$s,DMSO,a$s.tif,img"
        echo "S1,B1,P1,A02,$s,ethanol,b$s.tif,img"
        echo "S1,B1,P1,A03,$s,mystery,c$s.tif,img"
        echo "S1,B1,P1,A04,$s,broken,d$s.tif,img"
        echo "S1,B1,P1,A05,$s,JCP2022_999999,e$s.tif,img"
    done
} >load_data.csv
printf 'Metadata_JCP2022,Metadata_SMILES\nDMSO,CS(C)=O\nethanol,CCO\nbroken,CC(\nunused,CCC\n' >compound.csv
cat >screen.yaml <<END
screen:
  name: t
  index: load_data.csv
  compound: compound.csv
  control: DMSO
  work: work
  channels: [DNA]
END
exits "wells without a compound in the table" 1 mpi 2 "$F" screen.yaml
has "... are named" "$T/err" \
    "2 of the wells' 3 compounds have no vector: broken (rejected in line 4: unreadable), mystery (not in the table)"
has "... with what to do" "$T/err" 'featurize.on_missing: drop'
not_ok "... and nothing is written" test -e work/compounds.h5
exits "... or dropped, where that is wanted" 0 mpi 2 "$F" screen.yaml --set featurize.on_missing=drop
has "... which is told" "$T/err" 'are dropped'
frame work/compounds.h5 uns/missing >missing
same "... and listed" "$(tail -n +2 missing | tr '\n' ';')" "broken,rejected in line 4: unreadable;mystery,not in the table;"
same "... and counted" "$(count work/compounds.h5 wells_missing) of $(count work/compounds.h5 wells_compounds)" "2 of 3"
same "structures of those of the wells are drawn" "$(cut -d, -f1 work/structures.jsonl)" '["ethanol"'
same "compounds that no well holds are there" "$(frame work/compounds.h5 obs | tail -n +2 | cut -d, -f1 | tr '\n' ' ')" \
    "DMSO ethanol unused "
printf 'mystery,CCN\nbroken2,CC(\n' >>compound.csv
sed -i 's/^broken,.*/broken,CCS/' compound.csv
exits "a completed table" 0 "$F" screen.yaml
same "... lacks nothing" "$(count work/compounds.h5 wells_missing)" 0
sed -i 's/ethanol/unknown/' load_data.csv
exits "wells that changed" 1 "$F" screen.yaml
has "... are checked again" "$T/err" 'unknown (not in the table)'

# ---- vectors from elsewhere ----
sed -i 's/unknown/ethanol/' load_data.csv
{
    echo 'Metadata_JCP2022,Metadata_Symbol,v1,v2,v3'
    echo 'mystery,M,1,2.5,-3e-3'
    echo 'DMSO,,0,0,0'
    echo 'ethanol,E,0.25,1,1'
    echo 'broken,B,7,8,9'
    echo 'ethanol,E,0.25,1,1'
    echo 'ethanol,E,0.5,1,1'
    echo 'hole,H,1,,1'
    echo 'nan,N,1,nan,1'
    echo 'huge,N,1,1e300,1'
    echo ',N,1,1,1'
} >v.csv
gzip -k v.csv
V="--set featurize.vectors=v.csv.gz"
exits "vectors of a file" 0 mpi 3 "$F" screen.yaml $V --set screen.work=v3
for n in 1 2 4; do
    exits "... by $n ranks" 0 mpi $n "$F" screen.yaml $V --set screen.work=v$n
    ok "... the same bytes" cmp v3/compounds.h5 v$n/compounds.h5
done
same "sorted by identifier" "$(frame v1/compounds.h5 obs | tail -n +2 | tr '\n' ' ')" "DMSO,ok broken,ok ethanol,ok mystery,ok "
same "last values of the rows" "$("$TOOL/store_tool" read v1/compounds.h5 | sed -n 's/^X\[.\] //p' | tr '\n' ' ')" "0 9 1 -0.003 "
same "bad rows are rejected" "$(frame v1/compounds.h5 uns/rejects | tail -n +2 | cut -d, -f2,3,5 | tr '\n' ' ')" \
    "7,ethanol,conflict 8,hole,not_a_number 9,nan,not_a_number 10,huge,not_a_number 11,,no_identifier "
has "... with the reason" <(frame v1/compounds.h5 uns/rejects) "column v2: '' is not a finite number"
has "vectors of nothing but zeros are warned of" "$T/err" '1 vectors are all zero'
exits "again" 0 "$F" screen.yaml $V --set screen.work=v1
has "... is up to date" "$T/err" 'up to date'
exits "an h5ad file (our own fingerprints)" 0 mpi 2 "$F" screen.yaml --set featurize.vectors=work/compounds.h5 --set screen.work=h1
same "... has the same rows" "$(frame h1/compounds.h5 uns/identifiers)" "$(frame work/compounds.h5 uns/identifiers)"
exits "... by one rank" 0 "$F" screen.yaml --set featurize.vectors=work/compounds.h5 --set screen.work=h2
ok "... the same bytes" cmp h1/compounds.h5 h2/compounds.h5
exits "... with --verify" 0 "$F" screen.yaml --set featurize.vectors=work/compounds.h5 --set screen.work=h2 --verify
has "... is up to date" "$T/err" 'up to date'
rm -r h2/status
exits "... with its status lost" 0 "$F" screen.yaml --set featurize.vectors=work/compounds.h5 --set screen.work=h2
has "... is up to date" "$T/err" 'up to date'
# pandas writes row numbers under no name, before all others.
awk '{ print (NR > 1 ? NR - 2 : "") "," $0 }' v.csv >pandas.csv
exits "vectors beside a column of row numbers" 0 "$F" screen.yaml --set featurize.vectors=pandas.csv --set screen.work=pandas
content() { "$TOOL/store_tool" read "$1" | grep -v '^uns/micon\|^ *digest'; }
content v1/compounds.h5 >plain.txt
same "... are those without it" "$(content pandas/compounds.h5 | sed 's/pandas.csv/v.csv.gz/' | diff - plain.txt)" ""
exits "nearest compounds by vectors" 2 "$F" screen.yaml $V --nearest CCO
has "... are not to be had" "$T/err" '--nearest compares fingerprints'
sed '/^DMSO/d' v.csv >w.csv
exits "vectors without the control" 1 mpi 2 "$F" screen.yaml --set featurize.vectors=w.csv
has "... say what to set" "$T/err" 'featurize.vectors: the negative control has no vector: DMSO (not in the table); set screen.control'
printf 'Metadata_JCP2022,Name\na,CCO\n' >w.csv
exits "vectors that are text" 1 mpi 2 "$F" screen.yaml --set featurize.vectors=w.csv
has "... are refused with the first reason" "$T/err" "w.csv:2: column Name: 'CCO' is not a finite number; no row is usable"
printf 'Gene,v\na,1\n' >w.csv
exits "vectors without identifiers" 1 "$F" screen.yaml --set featurize.vectors=w.csv
has "... say what is looked for" "$T/err" 'w.csv:1: no column with identifiers (Metadata_JCP2022'
printf 'Metadata_JCP2022\na\n' >w.csv
exits "vectors without values" 1 "$F" screen.yaml --set featurize.vectors=w.csv
has "... say so" "$T/err" 'no column of values'
exits "no such file" 1 mpi 2 "$F" screen.yaml --set featurize.vectors=none.csv
has "... is named" "$T/err" 'none.csv'
printf '\211HDF\r\n\032\nxxxxxxxx' >w.h5ad
exits "a broken h5ad" 1 mpi 2 "$F" screen.yaml --set featurize.vectors=w.h5ad
has "... is named" "$T/err" 'w.h5ad'

# ---- a worker that dies or hangs ----
dendrimer() { if [ "$1" = 0 ]; then printf C; else local d; d=$(dendrimer $(($1 - 1))); printf 'C(%s)(%s)%s' "$d" "$d" "$d"; fi; }
{
    echo 'Metadata_JCP2022,SMILES'
    echo 'DMSO,CS(C)=O'
    for i in $(seq 300); do echo "c$i,$(printf 'C%.0s' $(seq $((i % 60 + 1))))O"; done
    echo "slow,$(dendrimer 5)"
} >many.csv
M="--set screen.compound=many.csv --set featurize.on_missing=drop"
exits "a compound that takes too long" 0 mpi 2 "$F" screen.yaml $M --set featurize.time_limit=0.1 --set screen.work=slow
same "... is rejected" "$(frame slow/compounds.h5 uns/rejects | tail -n +2 | cut -d, -f3,5,6)" \
    "slow,timeout,Open Babel took longer than featurize.time_limit"
same "... alone" "$(count slow/compounds.h5 read)" 301
exits "undisturbed" 0 "$F" screen.yaml $M --set screen.work=calm
# The worker is the one whose parent (its keeper) and whose parent's parent (the rank) run the same program.
mpi 2 "$F" screen.yaml $M --set screen.work=killed >out.k 2>&1 &
pid=$!
killed=no
for _ in $(seq 300); do
    for w in $(running screen.work=killed); do
        keeper=$(parent_of "$w")
        is_ours "${keeper:-0}" && is_ours "$(parent_of "$keeper")" && kill -SEGV "$w" 2>/dev/null && killed=yes
    done
    [ $killed = yes ] && break
    sleep 0.01
done
wait $pid
same "a worker that is killed once" "$?$killed" 0yes
ok "... changes nothing" cmp calm/compounds.h5 killed/compounds.h5
# A rank that is killed takes keeper and worker along.
"$F" screen.yaml $M --set screen.work=rank --force >/dev/null 2>&1 &
pid=$!
for _ in $(seq 200); do [ "$(running screen.work=rank | wc -l)" -ge 3 ] && break; sleep 0.01; done
kill -9 $pid; wait $pid 2>/dev/null
for _ in $(seq 200); do [ -z "$(running screen.work=rank)" ] && break; sleep 0.01; done
same "a rank that is killed takes its worker along" "$(running screen.work=rank)" ""
tap_done

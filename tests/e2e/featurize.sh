#!/usr/bin/env bash
# featurize.sh -- micon-featurize as a user runs it: every kind of bad row, merging, ranks, Open Babel's own fingerprints, up to date or
# not, nearest compounds.
# run: limit=240
. "$(dirname "$0")/../tap.sh"
cd "$T" || exit 1
F=$BIN/micon-featurize
TOOL=$ROOT/build/release/tests/tools
# frame FILE PATH : a frame of the file as CSV
frame() { "$TOOL/store_tool" read "$1" | awk -v p="$2:" '$0 == p { on = 1; next } on && /^[A-Za-z_\/]+(:$|\[[0-9]+\] | = )/ { exit } on'; }
count() { "$TOOL/store_tool" read "$1" | sed -n "s|^uns/counts/$2 = ||p"; }
screen() { printf 'screen:\n  name: t\n  compound: %s\n  control: %s\n  work: %s\n  channels: [DNA]\n' "$1" "$2" "$3"; }

# ---- every kind of bad row ----
many() { printf "$1%.0s" $(seq "$2"); }
{
    printf 'Metadata_JCP2022,Metadata_InChIKey,Metadata_SMILES\n'
    printf 'DMSO,IAZDPXIOMUYVGZ-UHFFFAOYSA-N,CS(C)=O\n'
    printf 'ethanol,LFQSCWFLJHTTHZ-UHFFFAOYSA-N,OCC\n'
    printf 'ethanol2,,CCO\n'
    printf 'aspirin_salt,,CC(=O)Oc1ccccc1C(=O)[O-].[Na+]\n'
    printf 'aspirin,QQQQQQQQQQQQQQ-UHFFFAOYSA-N,CC(=O)Oc1ccccc1C(=O)O\n'
    printf 'alanineL,QNAYBMKLOCPYGJ-UWTATZPHSA-N,C[C@H](N)C(=O)O\n'
    printf 'alanineD,nonsense,C[C@@H](N)C(=O)O\n'
    printf 'wild,,*CC\n'
    printf 'stereo,,C[C@](C)CC\n'
    printf 'metal,,Cl[Pt](Cl)(N)N\n'
    printf 'named,,CCC propane\n'
    printf 'ethanol,,CCO\n'
    printf 'x_conflict,,CCN\nx_conflict,,CCCN\n'
    printf 'x_gene,,\n'
    printf 'x_star,,*\n'
    printf 'x_open,,CC(\nx_square,,[CH3\nx_ring,,C1CC\nx_element,,[Xx]C\nx_text,,Cannot_do\nx_arrow,,CC>>CO\n'
    printf 'x_control,,C\001C\n'
    printf 'x_utf8,,C\303\251\n'
    printf 'x_kekule,,c1cccc1\n'
    printf 'x_hydrogen,,[H][H]\n'
    printf ',,CCCC\n'
    printf 'x_long,,%s\n' "$(many C 100000)"
    printf 'x_atoms,,%s\n' "$(many C 1001)"
    printf 'x_rings,,%s\n' "$(many C1CC1 500)"
} >bad.csv
screen bad.csv DMSO work >screen.yaml
exits "a table with every kind of bad row" 0 "$F" screen.yaml
C=work/compounds.h5
frame $C uns/rejects >rejects
reason() { same "$1 is rejected as $2" "$(awk -F, -v id="$1" '$3 == id { print $5 }' rejects)" "$2"; }
reason x_gene empty; has "... and is told of vectors" rejects 'featurize.vectors'
reason x_star no_atoms; reason x_open unreadable; reason x_square unreadable; reason x_ring unreadable; reason x_element unreadable
reason x_text unreadable; reason x_arrow reaction; reason x_control bad_character; reason x_utf8 bad_character; reason x_kekule unreadable
reason x_hydrogen no_atoms; reason '' no_identifier; reason x_long too_large; reason x_atoms too_large; reason x_rings too_large
reason x_conflict conflict; has "... naming the first row" rejects 'another structure in bad.csv:14'
same "nothing else is rejected" "$(($(wc -l <rejects) - 1))" 17
has "the table and line are told" rejects 'bad.csv,16,x_gene'
has "rejected rows are warned of" "$T/err" 'bad.csv:15: rejected'
frame $C obs >obs
same "compounds, sorted" "$(tail -n +2 obs | cut -d, -f1 | tr '\n' ' ')" \
    "DMSO alanineD alanineL aspirin ethanol metal named stereo wild x_conflict "
has "one identity is one compound, and the others are named" obs 'ethanol2'
has "a salt and its acid" obs 'aspirin,CC(=O)Oc1ccccc1C(=O)O,'
frame $C uns/identifiers >identifiers
has "every identifier leads to a row" identifiers 'aspirin_salt,aspirin,3'
has "... also the keys themselves" identifiers 'ethanol,ethanol,4'
has "a row without InChIKey is kept" obs 'wild,*CC,'
has "... and says so" obs ',no_inchikey,'
frame $C uns/changed >changed
has "changed rows are listed" changed 'aspirin_salt,bad.csv,5,fragment+charge,CC(=O)Oc1ccccc1C(=O)[O-].[Na+],'
has "... and text that was not read" changed 'named,bad.csv,12,text,'
has "... and what Open Babel warned of" changed 'stereo,bad.csv,10,warning,'
frame $C uns/inchikey_differences >differences
has "InChIKeys that differ are listed: skeleton" differences \
    'aspirin,bad.csv,6,QQQQQQQQQQQQQQ-UHFFFAOYSA-N,BSYNRYMUTXBXSQ-UHFFFAOYSA-N,skeleton'
has "... stereo" differences 'alanineL,bad.csv,7,QNAYBMKLOCPYGJ-UWTATZPHSA-N,QNAYBMKLOCPYGJ-REOHCLBHSA-N,stereo or isotopes'
has "... what is none" differences 'alanineD,bad.csv,8,nonsense,'
same "... and counted" "$(count $C keys_compared) $(count $C keys_different)" "5 3"
same "counts" "$(count $C rows) $(count $C rejected) $(count $C repeats) $(count $C identifiers) $(count $C compounds)" "30 17 1 12 10"

# ---- ranks ----
for n in 2 3 4 16; do
    exits "$n ranks" 0 mpi $n "$F" screen.yaml --set "screen.work=work$n"
    ok "... the same bytes" cmp $C "work$n/compounds.h5"
done
left=0
for p in $(grep -lazF -- screen.work=work /proc/[0-9]*/cmdline 2>/dev/null); do [ "$(tr '\0' '\n' <"$p" | head -n 1)" = "$F" ] &&
    left=$((left + 1)); done 2>/dev/null
same "no process is left" $left 0

# ---- Open Babel's own fingerprints ----
fps() { # KIND BITS
    exits "$1, $2 bits" 0 "$F" screen.yaml --set "featurize.fingerprint=$1" --set "featurize.bits=$2" --set "screen.work=w$1$2"
    "$TOOL/compound_tool" fps "w$1$2/compounds.h5" >ours
    cut -f2 ours >standard.smi
    obabel -ismi standard.smi -ofps "-xf$1" "-xN$2" 2>/dev/null | grep -v '^#' | cut -f1 >theirs
    same "... as obabel gives them, bit for bit" "$(cut -f1 ours | cmp - theirs 2>&1)$(wc -l <theirs)" 10
}
if command -v obabel >/dev/null; then
    fps ECFP4 1024; fps ECFP4 2048; fps ECFP2 64; fps ECFP6 4096
else skip "fingerprints as obabel gives them" "obabel is not installed"; fi

# ---- up to date or not ----
before=$(stat -c %i $C)
exits "again" 0 "$F" screen.yaml
has "nothing is done where nothing changed" "$T/err" 'up to date'
same "... the file is the same one" "$(stat -c %i $C)" "$before"
exits "--force" 0 "$F" screen.yaml --force
not_ok "... makes it anew" test "$(stat -c %i $C)" = "$before"
ok "... with the same bytes" cmp $C work2/compounds.h5
printf 'propanol,,CCCO\n' >>bad.csv
exits "a table that changed" 0 "$F" screen.yaml
frame $C obs >obs
has "... is read again" obs 'propanol,CCCO,'
exits "more bits" 0 "$F" screen.yaml --set featurize.bits=128
hasnt "... are another file" "$T/err" 'up to date'
ok "the file verifies" "$TOOL/store_tool" verify $C
ok "the record for the driver is there" test -s work/status/featurize/compounds.made

# ---- nearest ----
exits "nearest compounds" 0 mpi 2 "$F" screen.yaml --nearest 'OC(=O)c1ccccc1OC(C)=O.[K+]' -k 2
same "... a table of two, the compound itself first" "$(awk -F'\t' 'NR > 1 { print $1, $2, $3 }' "$T/out" | tr '\n' ';' |
    sed 's/;2 .*//')" "1 1.0000 aspirin"
same "... with a header" "$(head -n 1 "$T/out")" "$(printf 'Rank\tTanimoto\tMetadata_Compound\tInChIKey\tSMILES')"
same "... not more than asked for" "$(wc -l <"$T/out")" 3
exits "nearest to nonsense" 2 "$F" screen.yaml --nearest 'CC('
has "... says what is wrong" "$T/err" "--nearest 'CC(': unreadable: its brackets do not match"

# ---- what cannot be used ----
screen bad.csv JCP2022_033924 w2 >c.yaml
exits "no negative control" 1 "$F" c.yaml
has "... says what to set" "$T/err" 'JCP2022_033924 (not in the table); set screen.control'
not_ok "... and writes nothing" test -e w2/compounds.h5
exits "a rejected control" 1 "$F" screen.yaml --set screen.control=x_open
has "... says why it is missing" "$T/err" 'x_open (rejected in line 18: unreadable)'
screen none.csv DMSO w2 >c.yaml
exits "no such table" 1 "$F" c.yaml
has "... is named" "$T/err" 'none.csv'
printf 'Metadata_JCP2022,Structure\nDMSO,CS(C)=O\n' >cols.csv
screen cols.csv DMSO w2 >c.yaml
exits "a table without SMILES" 1 "$F" c.yaml
has "... is told what is missing, and what is there" "$T/err" \
    'cols.csv:1: no column with SMILES (Metadata_SMILES, SMILES, smiles); it has Metadata_JCP2022, Structure'
printf 'Name,SMILES\nDMSO,CS(C)=O\n' >cols.csv
exits "a table without identifiers" 1 mpi 2 "$F" c.yaml
has "... alike" "$T/err" 'identifiers (Metadata_JCP2022'
printf 'Metadata_JCP2022,SMILES\n' >cols.csv
exits "a table without rows" 1 "$F" c.yaml
has "... alike" "$T/err" 'cols.csv: the compound table has no rows'
printf 'Metadata_JCP2022,SMILES\na,CC(\nb,[X\n' >cols.csv
exits "a table without a usable row" 1 mpi 2 "$F" c.yaml
has "... gives the first reason" "$T/err" 'cols.csv:2: its brackets do not match; no row of the compound table is usable'
exits "bits that are no power of two" 2 "$F" screen.yaml --set featurize.bits=1000
has "... say so" "$T/err" 'power of two'
exits "Open Babel without its plugins" 1 env BABEL_LIBDIR="$T/nowhere" "$F" screen.yaml --force
has "... says what to set" "$T/err" 'set BABEL_LIBDIR'
exits "--help without MPI" 0 env OMPI_MCA_btl=nosuch "$F" --help
has "... tells the options" "$T/out" '--nearest'
not_ok "nothing is left of what failed" ls work/*.part* w2/*.part*
tap_done

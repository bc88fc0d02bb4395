#!/usr/bin/env bash
# featurize_jump.sh -- JUMP's whole compound table: counts, ranks, memory, and every fingerprint as obabel gives it.
# run: long limit=900
. "$(dirname "$0")/../tap.sh"
cd "$T" || exit 1
F=$BIN/micon-featurize
TOOL=$ROOT/build/release/tests/tools
table=$SHARED_DATA/jump/JUMPCP_compounds.csv.gz
if [ ! -r "$table" ]; then
    skip "JUMP's compound table" "$table is not there"
    tap_done
fi
printf 'screen:\n  name: jump\n  compound: %s\n  control: JCP2022_033924\n  work: work\n' "$table" >screen.yaml
count() { "$TOOL/store_tool" read work/compounds.h5 | sed -n "s|^uns/counts/$1 = ||p"; }
exits "116,753 rows" 0 mpi 2 sh -c 'ulimit -v 4000000; exec "$@"' sh "$F" screen.yaml
same "rows, rejected, identifiers, compounds" "$(count rows) $(count rejected) $(count identifiers) $(count compounds)" \
    "116753 2 116751 116750"
exits "by three ranks" 0 mpi 3 "$F" screen.yaml --set screen.work=three
ok "... the same bytes" cmp work/compounds.h5 three/compounds.h5
if command -v obabel >/dev/null; then
    "$TOOL/compound_tool" fps work/compounds.h5 >ours
    cut -f2 ours >standard.smi
    obabel -ismi standard.smi -ofps -xfECFP4 -xN1024 2>/dev/null | grep -v '^#' | cut -f1 >theirs
    same "every fingerprint is obabel's, bit for bit" "$(cut -f1 ours | cmp - theirs 2>&1)$(wc -l <theirs)" 116750
    obabel -ismi standard.smi -oinchikey 2>/dev/null >theirs
    same "every InChIKey is obabel's" "$("$TOOL/store_tool" read work/compounds.h5 |
        awk '$0 == "obs:" { on = 1; getline; next } on && !/^JCP2022_/ { exit } on' |
        cut -d, -f4 | cmp - theirs 2>&1)$(wc -l <theirs)" 116750
else skip "every fingerprint is obabel's, bit for bit" "obabel is not installed"; fi
tap_done

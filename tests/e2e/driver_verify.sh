#!/usr/bin/env bash
# run: limit=60
# micon verify: the digest in a file against every byte of its content, months later.
. tests/tap.sh
. tests/tile_screen.sh
unset MICON_BIN
tile_screen "$T/s" 3 2 64 64
cd "$T/s" || exit 1
"$BIN/micon" run screen.yaml --stage tile -n 1 >"$T/out" 2>"$T/err"
f=$(ls work/tiles/*.h5)
exits "a sound file" 0 "$BIN/micon" verify "$f"
ok "its digest is shown" grep -qE "^ok       [0-9a-f]{16}  work/tiles/S1__" "$T/out"
cp "$f" bad.h5
size=$(stat -c %s bad.h5)
for at in $((size / 2)) $((size / 3)); do printf '\001\002\003\004\005' | dd of=bad.h5 bs=1 seek=$at conv=notrunc status=none; done
head -c $((size / 2)) "$f" >cut.h5
echo "no HDF5" >text.h5
exits "damaged ones among sound ones" 1 "$BIN/micon" verify "$f" bad.h5 cut.h5 text.h5 gone.h5
same "each is named once" "$(cut -c1-8 "$T/out" | sort | uniq -c | tr -s ' ' | tr '\n' ';')" " 3 damaged ; 1 ok ; 1 unread ;"
has "the sum" "$T/err" "of 5 files, 3 are damaged and 1 could not be read"
has "what is not there is not called damaged" "$T/out" "unread   gone.h5: "
mpi 3 "$BIN/micon-store" verify "$f" bad.h5 cut.h5 text.h5 gone.h5 >"$T/out" 2>"$T/err"; same "on three ranks: exit 1" $? 1
same "and the same lines" "$(cut -c1-8 "$T/out" | sort | uniq -c | tr -s ' ' | tr '\n' ';')" " 3 damaged ; 1 ok ; 1 unread ;"
exits "which files?" 2 "$BIN/micon" verify
exits "what?" 2 "$BIN/micon-store"
exits "a word it does not know" 2 "$BIN/micon-store" verfy x
has "names the nearest" "$T/err" "'verfy' is not a command of micon-store; did you mean verify"
tap_done

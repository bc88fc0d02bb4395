#!/usr/bin/env bash
# store.sh -- the store's files: same bytes from any number of ranks; a killed rank leaves no final file. run: long limit=240
. "$(dirname "$0")/../tap.sh"
tool=$ROOT/build/release/tests/tools/store_tool debug_tool=$ROOT/build/debug/tests/tools/store_tool
cd "$T" || exit 1

# ---- the same bytes ----
for n in 1 2 3 4; do mpi "$n" "$tool" write "f$n.h5ad" 101 33 2>>"$T/log"; done
for n in 2 3 4; do ok "$n ranks write the bytes that one writes" cmp f1.h5ad "f$n.h5ad"; done
mpi 4 "$tool" write few4.h5ad 3 5; mpi 1 "$tool" write few1.h5ad 3 5
ok "so do more ranks than rows" cmp few1.h5ad few4.h5ad
mpi 3 "$tool" write none3.h5ad 0 5; mpi 1 "$tool" write none1.h5ad 0 5
ok "and files without rows" cmp none1.h5ad none3.h5ad
sleep 1.1
(umask 022; mkdir -p "other place ü'"; cd "other place ü'" && mpi 2 "$tool" write g.h5ad 101 33)
ok "another time and another folder change nothing" cmp f1.h5ad "other place ü'/g.h5ad"
same "the digest is that of the content" "$("$tool" verify f1.h5ad)" "$("$tool" verify f3.h5ad)"
if command -v h5repack >/dev/null; then
    h5repack -f X:SHUF -f X:GZIP=4 -f layers/raw:GZIP=9 -l obsm/X_umap:CONTI f1.h5ad packed.h5ad 2>"$T/repack"
    not_ok "repacked with compression, the bytes differ" cmp -s f1.h5ad packed.h5ad
    same "the digest does not" "$("$tool" verify packed.h5ad)" "$("$tool" verify f1.h5ad)"
else
    skip "the digest of a repacked file" "no h5repack here (package hdf5-tools)"
fi

# ---- damage ----
size=$(stat -c %s f1.h5ad)
for cut in 1 7 95 512 2048 $((size / 2)) $((size - 1)); do
    head -c "$cut" f1.h5ad >cut.h5ad
    "$tool" verify cut.h5ad >out 2>err; rc=$?
    same "cut to $cut bytes: exit 1 and one line that names it" "$rc $(grep -c 'error: cut.h5ad: ' err) $(wc -l <err)" "1 1 1"
done
# Values of X lie somewhere in the file; any byte of them that changes is found.
at=$(LC_ALL=C grep -obUaP '\x00\x00\x80\x3f\x00\x00\x00\x40\x00\x00\x40\x40' f1.h5ad | head -n 1 | cut -d: -f1)
cp f1.h5ad bit.h5ad
printf '\x01' | dd of=bit.h5ad bs=1 seek="$at" conv=notrunc 2>/dev/null
exits "one changed bit of a value is found" 1 "$tool" verify bit.h5ad
has "and said" "$T/err" "changed or damaged"

# Any byte of the file counts, also those that no value is made of; so does its length.
bytes=0 missed=
for at in $(seq 0 $((size / 60 + 1)) $((size - 1))); do
    cp f1.h5ad bit.h5ad
    was=$(dd if=f1.h5ad bs=1 skip="$at" count=1 2>/dev/null | od -An -tu1)
    printf "$(printf '\\%03o' $((was ^ 16)))" | dd of=bit.h5ad bs=1 seek="$at" conv=notrunc 2>/dev/null
    bytes=$((bytes + 1))
    "$tool" verify bit.h5ad >out 2>err && missed="$missed $at"
done
same "a changed bit anywhere is found ($bytes places)" "$missed" ""
cp f1.h5ad long.h5ad; printf x >>long.h5ad
exits "a byte too many is found" 1 "$tool" verify long.h5ad
if command -v h5repack >/dev/null; then
    cp packed.h5ad packed2.h5ad
    printf '\377' | dd of=packed2.h5ad bs=1 seek=$(($(stat -c %s packed.h5ad) * 2 / 3)) conv=notrunc 2>/dev/null
    exits "so is damage of a repacked file" 1 "$tool" verify packed2.h5ad
fi

# ---- killed ----
leftovers() { find . -name 'k.h5ad*' | wc -l; }
n=1 done_at=0
while [ $n -le 40 ] && [ $done_at = 0 ]; do
    rank=$((n % 2))
    MICON_FAULT=kill:$n:$rank mpi 2 timeout 30 "$debug_tool" write k.h5ad 40 8 2>"$T/err" >/dev/null
    rc=$?
    if [ $rc = 0 ]; then done_at=$n
    else ok "rank $rank killed at point $n (exit $rc): no final file" test ! -e k.h5ad; fi
    n=$((n + 1))
done
ok "the loop came to an end after $done_at points" test "$done_at" -gt 15
mpi 1 "$debug_tool" write k1.h5ad 40 8
ok "the next run has the same bytes" cmp k.h5ad k1.h5ad
same "and swept what the killed ones left" "$(leftovers)" 1
rm -f k.h5ad*
for wait in 0.35 0.45 0.6; do
    mpi 2 "$tool" write k.h5ad 60000 300 2>/dev/null >/dev/null &
    job=$!
    sleep $wait
    # a writer of this test alone: its command line holds the test's folder through its working directory
    for p in $(ps -o pid= --ppid $job); do kill -KILL "$p" 2>/dev/null; break; done
    wait $job; rc=$?
    ok "a rank killed after $wait s (exit $rc): no file, or a right one" bash -c "[ ! -e k.h5ad ] || '$tool' verify k.h5ad"
    rm -f k.h5ad*
done

# ---- where nothing can be written ----
exits "a folder that cannot be made: exit 1" 1 mpi 2 "$tool" write /proc/nowhere/x.h5ad 10 10
has "the message names it" "$T/err" "/proc/nowhere"
tap_done

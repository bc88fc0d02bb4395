#!/usr/bin/env bash
# foreign.sh -- damaged h5ad files of others: a message that names the file, exit 1, whatever the HDF5 library does on them.
#   tests/fault/foreign.sh [COUNT [SECONDS]]   COUNT damages (100; each by its number, so a run can be repeated), or as many as SECONDS
# allow run: limit=500
. "$(dirname "$0")/../tap.sh"
cd "$T" || exit 1
TOOL=$ROOT/build/release/tests/tools/foreign_tool
COUNT=${1:-100}

ok "a file as others write it" "$TOOL" make good.h5ad 40 16
exits "it is read" 0 "$TOOL" read good.h5ad
exits "with a filter that HDF5 lacks" 0 "$TOOL" make lzf.h5ad 40 16 lzf
exits "... it is not read" 1 "$TOOL" read lzf.h5ad
has "... the filter is named, and what to do" "$T/err" "lzf.h5ad: 'X': is compressed with the filter 'lzf' (number 32000)"
ok "plain" "$TOOL" make plain.h5ad 40 16 plain
same "plain: the same values" "$("$TOOL" read plain.h5ad 2>/dev/null)" "$("$TOOL" read good.h5ad 2>/dev/null)"

exits "$COUNT damages" 0 timeout "$((480 + ${2:-0}))" "$TOOL" campaign good.h5ad 1 "$COUNT" bad.h5ad ${2:+"$2"}
sed 's/^/# /' "$T/out"
number() { grep -oE "$1" "$T/out" | grep -oE '[0-9]+' | head -n 1; }
ok "some were refused" test "$(number '[0-9]+ refused')" -gt 20
ok "the library died on some of them" test "$(number '[0-9]+ of these after')" -gt 0
ok "every message names the file" grep -q "messages without the file's name: 0$" "$T/out"
ok "the reading process stayed small" test "$(number 'at most [0-9]+ MB')" -lt 300

# The worker's limits, by a library that makes H5Dread run for ever, or take 2 GB first; the worker's CPU time passes 20 times as fast.
cat >shim.c <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
int setitimer(__itimer_which_t which, const struct itimerval *given, struct itimerval *old)
{
    int (*real)(__itimer_which_t, const struct itimerval *, struct itimerval *) = dlsym(RTLD_NEXT, "setitimer");
    int64_t us = (given->it_value.tv_sec * INT64_C(1000000) + given->it_value.tv_usec) / 20;
    struct itimerval t = {.it_value = {.tv_sec = us / 1000000, .tv_usec = us % 1000000}};
    return real(which, which == ITIMER_PROF ? &t : given, old);
}
int H5Dread(int64_t dset, int64_t type, int64_t memory, int64_t file, int64_t list, void *out)
{
    int (*real)(int64_t, int64_t, int64_t, int64_t, int64_t, void *) = dlsym(RTLD_NEXT, "H5Dread");
    for (volatile int on = strcmp(getenv("SHIM"), "endless") == 0; on;) {
    }
    for (int i = 0; i < 32 && strcmp(getenv("SHIM"), "memory") == 0; i++)
        if (!malloc((size_t)64 << 20)) return -1;
    return real(dset, type, memory, file, list, out);
}
C
gcc -std=gnu11 -O1 -fno-builtin-malloc -shared -fPIC -o shim.so shim.c -ldl 2>"$T/cc" || sed 's/^/# /' "$T/cc"
shim() { LD_PRELOAD=$T/shim.so SHIM=$1 timeout 60 "${@:2}"; }
exits "nothing changed" 0 shim none "$TOOL" read good.h5ad
exits "an endless read" 1 shim endless "$TOOL" read good.h5ad
has "... ends by its limit of CPU time" "$T/err" "good.h5ad: reading 'obs/_index' took more than 10 s of CPU time: the file is damaged"
exits "a read that takes memory" 1 shim memory "$TOOL" read good.h5ad
has "... ends by the limit of a small file" "$T/err" "good.h5ad: 'obs': 'obs/_index': cannot be read"

# The stages. HDF5 1.10 crashes on damages 1, 10, 49 and 82; what it does depends on what lies beside the file's parts in memory.
cat >screen.yaml <<'EOP'
screen: {name: t, control: c0, work: work}
train: {run: r}
evaluate: {profiles: bad.h5ad}
featurize: {vectors: bad.h5ad}
EOP
cp good.h5ad bad.h5ad
exits "micon-evaluate on the sound file" 0 mpi 2 "$BIN/micon-evaluate" screen.yaml
for how in endless memory; do
    exits "micon-evaluate, $how" 1 shim $how "$MPIRUN" --oversubscribe -n 2 -x LD_PRELOAD -x SHIM "$BIN/micon-evaluate" screen.yaml --force
    has "... it names the file" "$T/err" "bad.h5ad: "
done
refused=0
for damage in 1 10 49 82; do
    "$TOOL" harm good.h5ad $damage bad.h5ad
    mpi 2 timeout 200 "$BIN/micon-evaluate" screen.yaml >out 2>err </dev/null
    rc=$?
    [ $rc = 0 ] && continue
    refused=$((refused + 1))
    same "micon-evaluate, damage $damage: exit 1" $rc 1
    ok "... one message, with the file and the object" grep -qE "^micon-evaluate: error: .*bad.h5ad: .*'(obs|var)" err
done
ok "micon-evaluate refused some" test $refused -gt 1
"$TOOL" harm good.h5ad 1 bad.h5ad
exits "micon-featurize, damage 1" 1 timeout 200 "$MPIRUN" --oversubscribe -n 2 "$BIN/micon-featurize" screen.yaml
ok "... one message, with the file and the object" grep -qE "^micon-featurize: error: (rank [0-9]: )?.*bad.h5ad: .*'(obs|var)" "$T/err"
exits "micon-store verify on a foreign file" 1 "$BIN/micon-store" verify good.h5ad
has "... it is said" "$T/out" "is not a file of MICON's"
tap_done

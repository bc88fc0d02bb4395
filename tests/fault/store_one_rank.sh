#!/usr/bin/env bash
# run: long limit=700
# A write of one rank alone that fails inside HDF5 leaves the others waiting in a call of the library: the failed rank ends the job, and no
# file gets a final name.
. "$(dirname "$0")/../tap.sh"
. "$ROOT/tests/tile_screen.sh"
tile_screen "$T/s" 2 2 70 64
if ! gcc -std=gnu11 -O2 -shared -fPIC -o "$T/shim.so" "$ROOT/tests/campaign/io_shim.c" -ldl 2>"$T/err"; then
    skip "a failing write of one rank" "no gcc for the library that makes it fail"
    tap_done
fi
final() { find "$T/s/work/tiles" -name '*.h5' 2>/dev/null; }
for k in 3 4 5; do
    rm -rf "$T/s/work" "$T/struck"
    timeout -k 5 400 "$MPIRUN" --oversubscribe -n 2 env LD_PRELOAD="$T/shim.so" IO_SHIM="write:$k:enospc:.h5" IO_SHIM_RANK=0 \
        IO_SHIM_MARK="$T/struck" \
        "$BIN/micon-tile" "$T/s/screen.yaml" --quiet >"$T/out" 2>&1 </dev/null
    rc=$?
    ok "write $k of a tile file failed" test -e "$T/struck"
    ok "the job ended (exit $rc)" [ $rc != 124 ]
    [ $rc = 0 ] || ok "with no file" [ -z "$(final)" ]
    [ $rc = 0 ] || has "and a word on it" "$T/out" "ending the job"
done
tap_done

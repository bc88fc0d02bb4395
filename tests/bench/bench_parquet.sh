#!/usr/bin/env bash
# bench_parquet.sh -- Parquet tables of 100,000 x 1,000 float32, read and written, against pyarrow on one core with the same settings:
# ratios of processor seconds, the best of three each.
set -u
ours=build/release/tests/bench/parquet_rate peer=tests/bench/peers/parquet_arrow.py bad=0
python=${PEER_PYTHON:-/usr/bin/python3}
if ! "$python" -c 'import pyarrow' 2>/dev/null; then
    echo "pyarrow is not installed: no peer to compare with (PEER_PYTHON names a Python that has it)"
    exit 0
fi
"$python" "$peer" make "$T/t.parquet" 100000 1000 || exit 1
compare() { # TITLE WANTED PEER_SECONDS OUR_SECONDS
    awk -v t="$1" -v want="$2" -v p="$3" -v o="$4" 'BEGIN {
        printf "%s: %.2f x pyarrow (%.2f s against %.2f s; wanted %s x)\n", t, p / o, o, p, want; exit p / o < want }' || bad=1
}
cpu() { "$@" 2>/dev/null | sed -n 's/^cpu //p'; }
read_peer=$(cpu "$python" "$peer" read "$T/t.parquet")
compare "columns read" 0.8 "$read_peer" "$(cpu "$ours" "$T/t.parquet")"
compare "read into rows" 0.8 "$read_peer" "$(cpu "$ours" "$T/t.parquet" rows)"
write_peer=$(cpu "$python" "$peer" write "$T/t.parquet" "$T/peer.parquet")
compare "written" 0.5 "$write_peer" "$(cpu "$ours" "$T/t.parquet" write "$T/ours.parquet")"
"$python" - "$T/t.parquet" "$T/ours.parquet" <<'EOP' || bad=1
import sys, pyarrow.parquet as pq
a, b = (pq.read_table(p) for p in sys.argv[1:])
same = a.column_names == b.column_names and all(a[c].to_pylist() == b[c].to_pylist() for c in a.column_names[:4])
print("what was written reads back " + ("equal" if same else "different"))
sys.exit(not same)
EOP
exit $bad

#!/usr/bin/env bash
# run: limit=300
# parquet_ref.sh -- Parquet files of pyarrow, pandas, polars and duckdb in many variants, read cell by cell; ours read by them.
. "$(dirname "$0")/../tap.sh"
for py in "${PARQUET_PYTHON:-}" "$ROOT/build/peers/bin/python" python3; do
    [ -n "$py" ] && "$py" -c 'import pyarrow, numpy' 2>/dev/null && break
    py=
done
if [ -z "$py" ]; then
    skip "files of other writers" "no Python with pyarrow: make build/peers with venv, or name one in PARQUET_PYTHON"
    tap_done
fi
mkdir -p "$T/files"
tools=$ROOT/build/release/tests/tools
exec "$py" "$ROOT/tests/ref/parquet_ref.py" "$tools/parquet_dump" "$tools/parquet_make" "$T/files"

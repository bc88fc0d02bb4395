#!/usr/bin/env bash
# coverage.sh -- line coverage of common/ and stages/ by the unit and MPI tests, with gcov; a table of files, the least covered first.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/mpi.env
make -s DEPS=no MODE=debug SAN= CFLAGS=--coverage CXXFLAGS=--coverage EXTRA_LIBS=--coverage B=build/coverage programs tests || exit 1
find build/coverage -name '*.gcda' -delete
for t in build/coverage/tests/unit/t_*; do [ -x "$t" ] && "$t" >/dev/null 2>&1; done
for t in build/coverage/tests/mpi/m_*; do [ -x "$t" ] && "$MPIRUN" --oversubscribe -n 2 "$t" >/dev/null 2>&1; done
find build/coverage/common build/coverage/stages -name '*.gcda' 2>/dev/null | while read -r f; do
    gcov -n "$f" 2>/dev/null | awk \
        '/^File .(common|stages)/ {file=$2} /^Lines executed/ && file {split($0, a, /[:%]/); print a[2], file; file=""}'
done | tr -d "'" | sort -n | awk '{printf "%6.1f %%  %s\n", $1, $2}'

#!/usr/bin/env bash
# store_valgrind.sh -- no leak and no use of uninitialised memory (of which bytes of a file would depend) on 2 ranks; and a planted leak
# of 64 bytes on rank 1 is found, so the check checks. run: long limit=180
. "$(dirname "$0")/../tap.sh"
tool=$ROOT/build/release/tests/tools/store_tool
supp=$(sed -n 's/^MPI_VALGRIND_SUPP *?= *//p' "$ROOT/site.mk")
supp=${MPI_VALGRIND_SUPP:-$supp}
cd "$T" || exit 1
if ! command -v valgrind >/dev/null || [ ! -r "$supp" ]; then
    skip "the store under valgrind" "valgrind or Open MPI's suppressions are not installed"
    tap_done
fi
checked() {
    mpi 2 valgrind -q --error-exitcode=99 --keep-debuginfo=yes --leak-check=full --errors-for-leak-kinds=definite \
        --show-leak-kinds=definite --suppressions="$supp" --suppressions="$ROOT/tests/valgrind-mpi.supp" "$tool" "$@" >out 2>err
}
checked write f.h5ad 41 9; rc=$?
same "writing is clean" "$rc" 0
[ $rc = 0 ] || grep '^==' err | head -60 | sed 's/^/#   | /'
ok "and wrote a right file" "$tool" verify f.h5ad
checked leak g.h5ad 41 9; rc=$?
same "a planted leak is found" "$rc" 99
has "where it is" err "store_tool.c"
valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite --suppressions="$supp" \
    --suppressions="$ROOT/tests/valgrind-mpi.supp" "$tool" read f.h5ad >out 2>err; rc=$?
same "reading is clean, without MPI" "$rc" 0
[ $rc = 0 ] || grep '^==' err | head -60 | sed 's/^/#   | /'
tap_done

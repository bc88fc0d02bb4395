# shellcheck shell=bash
# tap.sh -- tap.h for shell tests: source it, call ok/same/has/skip, end with `tap_done`. Functions run commands, never `set -e`.
# $T is a fresh folder of the test's own (made by run.sh); $BIN holds the release programs, $DEBUG_BIN those with fault points.
tap_n=0 tap_bad=0
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BIN=${BIN:-$ROOT/build/release/bin} DEBUG_BIN=${DEBUG_BIN:-$ROOT/build/debug/bin}
SHARED_DATA=${SHARED_DATA:-$ROOT/../shared/data}
T=${T:-$(mktemp -d)}
. "$ROOT/tests/mpi.env"

_tap() { tap_n=$((tap_n + 1)); if [ "$1" = 0 ]; then echo "ok $tap_n - $2"; else echo "not ok $tap_n - $2"; tap_bad=$((tap_bad + 1)); fi; }
# ok "what" command... : the command succeeds
ok() { local what=$1; shift; "$@"; _tap $? "$what"; }
# not_ok "what" command... : the command fails
not_ok() { local what=$1; shift; ! "$@"; _tap $? "$what"; }
# same "what" GOT WANT
same() { [ "$2" = "$3" ]; local r=$?; [ $r = 0 ] || printf '#   got  %s\n#   want %s\n' "$2" "$3"; _tap $r "$1"; }
# has "what" FILE TEXT : the file contains the text (fixed)
has() { grep -qF -- "$3" "$2"; local r=$?; [ $r = 0 ] || { echo "#   '$3' is not in $2:"; sed 's/^/#   | /' "$2" |
    head -12; }; _tap $r "$1"; }
hasnt() { ! grep -qF -- "$3" "$2"; _tap $? "$1"; }
# quiet command... : prepares; output in $T/out and $T/err
quiet() { "$@" >"$T/out" 2>"$T/err" </dev/null; }
# exits "what" STATUS command... : exit status as given; output in $T/out and $T/err
exits() { local what=$1 want=$2 got; shift 2; quiet "$@"; got=$?; [ $got = "$want" ] ||
    { echo "#   exit $got, wanted $want"; tail -n 8 "$T/err" | sed 's/^/#   | /'; }; [ $got = "$want" ]; _tap $? "$what"; }
skip() { tap_n=$((tap_n + 1)); echo "ok $tap_n - $1 # SKIP $2"; }
tap_done() { echo "1..$tap_n"; echo "# $((tap_n - tap_bad)) passed, $tap_bad failed"; [ $tap_bad = 0 ] && [ $tap_n -gt 0 ]; exit $?; }
# mpi N command... : under mpirun, as the tests want it
mpi() { local n=$1; shift; "$MPIRUN" --oversubscribe -n "$n" "$@"; }

#!/usr/bin/env bash
# stage_frame.sh -- what every program does alike: help and version without MPI, one message for a wrong call, exit statuses.
# run: limit=120
. "$(dirname "$0")/../tap.sh"
cd "$T" || exit 1
printf 'screen:\n  index: none.csv\n' >screen.yaml
for p in "$BIN"/micon*; do
    name=$(basename "$p")
    # MPI_Init would fail here: there is no such transport.
    OMPI_MCA_btl=nosuch exits "$name --help needs no MPI" 0 "$p" --help
    ok "and says something" test "$(wc -l <"$T/out")" -ge 8
    same "nothing on stderr" "$(cat "$T/err")" ""
    OMPI_MCA_btl=nosuch exits "$name --version" 0 "$p" --version
    has "names itself" "$T/out" "$name"
    exits "$name with an unknown option: exit 2" 2 "$p" --hlep
    if [ "$name" != micon ]; then
        has "the nearest is named" "$T/err" "did you mean"
        ok "help that cannot be written is an error" bash -c '! "$0" --help >/dev/full' "$p"
        same "one message from three ranks" "$(mpi 3 "$p" --hlep 2>&1 | grep -c 'error:')" 1
    fi
done
exits "no configuration: exit 2" 2 mpi 2 "$BIN/micon-tile"
has "and which is wanted" "$T/err" "micon-tile screen.yaml"
exits "a configuration that is not there: exit 2" 2 mpi 2 "$BIN/micon-tile" gone.yaml
has "and its name" "$T/err" "gone.yaml: No such file or directory"
mkfifo pipe.yaml pipe.csv
exits "a named pipe in its place: exit 2" 2 timeout 20 "$BIN/micon-tile" pipe.yaml
has "and what it is" "$T/err" "pipe.yaml: is a named pipe, not a file"
printf 'screen:\n  index: pipe.csv\n' >piped.yaml
exits "a named pipe in a table's place: exit 1" 1 timeout 20 "$BIN/micon-tile" piped.yaml
has "and what it is" "$T/err" "pipe.csv: is a named pipe, not a file"
MICON_STARTED=$T/mark exits "a program that fails has left its mark" 1 "$BIN/micon-tile" piped.yaml
ok "which the driver looks for" test -e "$T/mark"
printf 'tile:\n  sise: 3\n' >bad.yaml
exits "an unknown key: exit 2" 2 mpi 2 "$BIN/micon-tile" bad.yaml
has "with file, line and the nearest" "$T/err" "bad.yaml:2: unknown key 'sise' in section 'tile'; did you mean 'size'?"
exits "ranks with different options: exit 2" 2 "$MPIRUN" --oversubscribe -n 1 "$BIN/micon-tile" screen.yaml : -n 1 "$BIN/micon-tile" \
    screen.yaml --force
has "and which differs" "$T/err" "rank 1: options or configuration: not the same as on rank 0"
exits "one argument too many: exit 2" 2 "$BIN/micon-tile" screen.yaml another.yaml
has "and which" "$T/err" "another.yaml"
exits "a value out of range: exit 2" 2 "$BIN/micon-tile" screen.yaml --set tile.size=1
has "and the range" "$T/err" "'1' is not a whole number from 32 to 4096"
tap_done

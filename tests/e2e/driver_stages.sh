#!/usr/bin/env bash
# run: limit=120
# The driver with real stage programs through the real mpirun: it and they agree on what is up to date.
. tests/tap.sh
. tests/tile_screen.sh
unset MICON_BIN MICON_HOME
micon() { "$BIN/micon" "$@"; }
plan() { micon plan screen.yaml --stage tile "$@" >"$T/plan" 2>&1; }
tile_screen "$T/s" 4 2 64 64
cd "$T/s" || exit 1
env -u OMPI_ALLOW_RUN_AS_ROOT -u OMPI_ALLOW_RUN_AS_ROOT_CONFIRM "$BIN/micon" run screen.yaml --stage tile -n 2 >"$T/out" 2>"$T/err"
same "a run, as root too" $? 0
ok "tiles are there" test -e work/tiles/S1__*__P1.h5
plan; has "the plan finds them up to date" "$T/plan" "Nothing to do"
plan --images; has "with a look at the images too" "$T/plan" "Nothing to do"
plan --set tile.percentile_low=0.1; has "a key that decides the tiles" "$T/plan" "tile.percentile_low was 0.05, is 0.1"
plan --set tile.memory=1GiB; has "a key that does not" "$T/plan" "Nothing to do"
touch images/A01_1_DNA.tif
plan --images; has "an image with another time is looked at" "$T/plan" "A01_1_DNA.tif was changed"
was=$(stat -c %i "$(ls work/tiles/*.h5)")
exits "the run lets the stage look" 0 micon run screen.yaml --stage tile -n 2
same "same contents: the file is not rewritten" "$(stat -c %i "$(ls work/tiles/*.h5)")" "$was"
plan --images; has "and all is up to date again" "$T/plan" "Nothing to do"
sed -i 's/C2$/C9/' well.csv
plan; has "another compound in a well" "$T/plan" "its rows of the tables have changed"
exits "computed again" 0 micon run screen.yaml --stage tile -n 2
plan; has "and up to date" "$T/plan" "Nothing to do"
rm work/status/tile/*.made
plan; has "without the record it is looked at" "$T/plan" "no record of what it was made from"
exits "by the stage" 0 micon run screen.yaml --stage tile -n 2
plan; has "which records it again" "$T/plan" "Nothing to do"
"$MAKE_TIFF" images/A01_1_DNA.tif 64 64 99
exits "an image with other contents" 0 micon run screen.yaml --stage tile -n 2
not_ok "is another file" [ "$(stat -c %i "$(ls work/tiles/*.h5)")" = "$was" ]

if [ "$(id -u)" = 0 ]; then
    exits "a group, with the real stage" 0 micon run screen.yaml --stage tile --set screen.group=daemon --set screen.work=shared
    not_ok "may write everything, and nobody else" sh -c 'find shared ! -group daemon -o ! -perm -020 -o -perm -002 | grep .'
else
    skip "a group, with the real stage" "giving files to a group that is not one's own wants root"
fi

# ---- long names ----
long=$(printf 'a%.0s' $(seq 150))
exits "a path of 300 characters" 0 micon run screen.yaml --stage tile --set "screen.work=$long/$long"
ok "has its tiles" compgen -G "$long/$long/tiles/*.h5"
sed "s/P1,/P${long}${long:0:95},/" load_data.csv >long.csv; sed "s/P1,/P${long}${long:0:95},/" well.csv >longwell.csv
exits "a plate whose name makes no file name" 1 micon run screen.yaml --stage tile --set screen.index=long.csv --set \
    screen.well=longwell.csv --set screen.work=lw
has "says so" "$T/err" "File name too long"

# ---- what is wrong with the inputs ----
for f in images/*.tif; do : >"$f"; done
exits "a plate whose images are all damaged" 1 micon run screen.yaml --stage tile -n 2
has "what the stage said, and where the log is" "$T/err" "micon-tile: error: "
micon status screen.yaml >"$T/status" 2>&1
has "status has it too" "$T/status" "failed tile S1/"
rm -f images/*
exits "check finds images that are not there" 1 micon check screen.yaml
has "says what to do" "$T/err" "to fix before running"
tap_done

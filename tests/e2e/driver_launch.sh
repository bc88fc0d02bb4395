#!/usr/bin/env bash
# run: limit=120
# Launches: an mpirun that fails before the program runs is started again, one whose program failed is not; each has a folder of its own,
# and none is left. The same for the job scripts.
. "$(dirname "$0")/../tap.sh"
. "$(dirname "$0")/../driver.sh"
export TMPDIR=$T/tmp
mkdir -p "$TMPDIR"
screen <<'END'
  compound: compound.csv
END
printf 'Metadata_JCP2022,Metadata_SMILES\nJCP2022_033924,CS(C)=O\nJCP2022_000001,CCO\n' >"$SCREEN/compound.csv"
table s/b/P1 >"$SCREEN/load_data.csv"
stages featurize tile train embed evaluate
cd "$SCREEN" || exit 1
# flaky N: an mpirun of which the first N calls fail as Open MPI's does when its folder is taken away.
cat >"$T/flaky" <<'FLAKY'
#!/usr/bin/env bash
echo x >>"$T/launches"
echo "$OMPI_MCA_orte_tmpdir_base" >>"$T/folders"
[ -d "$OMPI_MCA_orte_tmpdir_base" ] || exit 99
if [ "$(wc -l <"$T/launches")" -le "$(cat "$T/fail_first")" ]; then
    echo "[vm:1] [[1,0],0] ORTE_ERROR_LOG: Error in file session_dir.c" >&2
    exit 1
fi
exec "$MPIRUN_REAL" "$@"
FLAKY
chmod +x "$T/flaky"
export MPIRUN_REAL=$ROOT/tests/fakebin/mpirun MPIRUN=$T/flaky T
go() { rm -f "$T/launches" "$T/folders"; echo "$1" >"$T/fail_first"; shift; "$@"; }
n_launches() { wc -l <"$T/launches"; }

exits "two failed launches" 0 go 2 micon run screen.yaml --stage featurize -n 1
has "are said and tried again" "$T/err" "mpirun failed before the program started"
same "three launches" "$(n_launches)" 3
same "each in a folder of its own" "$(sort -u "$T/folders" | wc -l)" 3
same "of which none is left" "$(find "$TMPDIR" -mindepth 1 | wc -l)" 0
exits "launches that all fail" 1 go 9 micon run screen.yaml --stage featurize -n 1 --force
same "are given up after three" "$(n_launches)" 3
echo "featurize -" >"$FAKE/fail"
exits "a program that fails" 1 go 0 micon run screen.yaml --stage featurize -n 1 --force
same "is not run again" "$(n_launches)" 1
: >"$FAKE/fail"
mkdir "$TMPDIR/micon-launch-999999999-00000000-abcdef" "$TMPDIR/micon-launch-$$-00000000-abcdef"
exits "a run" 0 go 0 micon run screen.yaml --stage featurize -n 1 --force
ok "leaves launches of other containers alone" test -d "$TMPDIR/micon-launch-$$-00000000-abcdef"
rm -rf "$TMPDIR"/micon-launch-*

# ---- the job scripts ----
cd "$ROOT" || exit 1
cat >"$T/program" <<'PROGRAM'
#!/usr/bin/env bash
: >"$MICON_STARTED"
exit "${1:-0}"
PROGRAM
mkdir -p "$T/bin" && cp "$T/program" "$T/bin/micon-tile" && cp "$T/program" "$T/bin/micon-train" && chmod +x "$T/bin/"*
job() { MICON_BIN=$T/bin MPIRUN="$T/flaky" go "$1" bash "jobs/$2" "${@:3}"; }
exits "a job whose launches fail twice" 0 job 2 stage.sh tile 0
same "starts three times" "$(n_launches)" 3
exits "a job whose program fails" 7 job 0 stage.sh tile 7
same "starts once" "$(n_launches)" 1
exits "training whose launch fails once" 0 job 1 train.sh 0
same "starts twice" "$(n_launches)" 2
same "no folder is left" "$(find "$TMPDIR" -mindepth 1 | wc -l)" 0
tap_done

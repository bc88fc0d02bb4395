# shellcheck shell=bash
# driver.sh -- for tests of the driver: a small screen of tables (no images), stand-ins for the stage programs, mpirun, sbatch, squeue.
# After tap.sh. Sets SCREEN (the folder), FAKE (what the stand-ins keep), MICON_BIN, PATH.
SCREEN=$T/screen FAKE=$T/fake MICON_BIN=$T/bin MICON_HOME=$ROOT
export FAKE MICON_BIN MICON_HOME SCREEN
unset SLURM_JOB_ID SLURM_RESTART_COUNT SLURM_CONF
mkdir -p "$SCREEN" "$FAKE" "$MICON_BIN"
PATH=$ROOT/tests/fakebin:$PATH
export MPIRUN FAKE_VERSION
MPIRUN=$ROOT/tests/fakebin/mpirun
cp "$BIN/micon" "$MICON_BIN/micon"
micon() { "$MICON_BIN/micon" "$@"; }
FAKE_VERSION=$(micon --version | cut -d" " -f2)

# table SOURCE/BATCH/PLATE... : the image table, 2 wells of 2 sites each, one of them the control
table() {
    local p s b w f
    echo -n "Metadata_Source,Metadata_Batch,Metadata_Plate,Metadata_Well,Metadata_Site,Metadata_JCP2022,"
    echo "FileName_OrigDNA,PathName_OrigDNA,FileName_OrigER,PathName_OrigER"
    for p; do
        IFS=/ read -r s b p <<<"$p"
        p=${p//\"/\"\"}
        for w in A01:JCP2022_033924 A02:JCP2022_000001; do
            for f in 1 2; do echo "\"$s\",\"$b\",\"$p\",${w%:*},$f,${w#*:},${w%:*}_${f}_d.tif,images/$p,${w%:*}_${f}_e.tif,images/$p"; done
        done
    done
}
screen() { # further lines of the configuration on stdin
    { printf 'screen:\n  name: small\n  index: load_data.csv\n  channels: [DNA, ER]\n'; cat; } >"$SCREEN/screen.yaml" </dev/stdin
}
stages() { local s; for s; do install -m 755 "$ROOT/tests/fakebin/stage" "$MICON_BIN/micon-$s"; done; }
golden() { # "what" FILE NAME : the same as tests/ref/driver/NAME; `make golden` writes those
    local want=$ROOT/tests/ref/driver/$3
    sed -i -e "s|$T|TMP|g" -e "s|$ROOT|HOME|g" "$2"
    [ -n "${GOLDEN-}" ] && { mkdir -p "${want%/*}"; cp "$2" "$want"; }
    diff -u "$want" "$2" | sed 's/^/#   /' >&2
    cmp -s "$want" "$2"
    _tap $? "$1"
}

#!/usr/bin/env bash
# run: long limit=300
# The whole of JUMP on paper: its 742,825 wells, 9 sites each of 5 channels, 33 million images that are not there. After the first index
# each command takes less than 10 s and 1 GiB.
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
unset MICON_BIN MICON_HOME SLURM_JOB_ID
data=$SHARED_DATA/jump
if [ ! -r "$data/well_81fd6c6.csv.gz" ] || [ ! -r "$data/plate_81fd6c6.csv.gz" ]; then
    skip "JUMP's tables" "$data is not there"
    tap_done
fi
if [ "$(df --output=avail -B 1G "$T" | tail -n 1)" -lt 6 ]; then
    skip "JUMP's tables" "they take 3 GB below $T"
    tap_done
fi
mkdir -p "$T/j"
cd "$T/j" || exit 1
{ zcat "$data/plate_81fd6c6.csv.gz"; echo; zcat "$data/well_81fd6c6.csv.gz"; } | tr -d '\r' | awk -F, '
    BEGIN {
        head = "Metadata_Source,Metadata_Batch,Metadata_Plate,Metadata_Well,Metadata_Site"
        split("DNA ER RNA AGP Mito", c, " ")
        for (i = 1; i <= 5; i++) head = head ",FileName_Orig" c[i] ",PathName_Orig" c[i]
        print head
    }
    $1 == "Metadata_Source" { wells = $3 == "Metadata_Well"; next }
    NF < 4 { next }
    !wells { batch[$1 "," $3] = $2; next }
    {
        b = batch[$1 "," $2]
        for (s = 1; s <= 9; s++) {
            f = $3 "_" s
            printf "%s,%s,%s,%s,%d,%sa,i/%s,%sb,i/%s,%sc,i/%s,%sd,i/%s,%se,i/%s\n", $1, b, $2, $3, s, f, $2, f, $2, f, $2, f, $2, f, $2
        }
    }' >load_data.csv
same "rows" "$(wc -l <load_data.csv)" 6685426
cat >screen.yaml <<Y
screen: {name: jump, index: load_data.csv, well: $data/well_81fd6c6.csv.gz, plate: $data/plate_81fd6c6.csv.gz}
Y
measured() { # WHAT EXIT COMMAND... : seconds and MiB to $s and $mib, the output to $T/out
    local what=$1 exit=$2 t0=$EPOCHREALTIME
    shift 2
    exits "$what" "$exit" "$ROOT/build/release/tests/tools/peak" "$@"
    s=$(awk -v a="$t0" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')
    mib=$(($(tail -n 1 "$T/out") / 1024))
    echo "# $what: $s s, $mib MiB"
}
measured "plan, with the first index" 0 "$BIN/micon" plan screen.yaml
has "all of JUMP" "$T/out" "screen 'jump': 1937 plates, 6685425 sites"
for command in "plan" "status" "submit --dry-run" "check"; do
    # shellcheck disable=SC2086
    measured "$command" "$([ "$command" = check ] && echo 1 || echo 0)" "$BIN/micon" $command screen.yaml
    ok "$command: less than 10 s" awk -v s="$s" 'BEGIN { exit !(s < 10) }'
    ok "$command: less than 1 GiB" [ "$mib" -lt 1024 ]
done
# 33,427,125 images, and that micon, the default method, has no structures here.
has "check counts every image that is missing" "$T/err" "33427126 errors"
tap_done

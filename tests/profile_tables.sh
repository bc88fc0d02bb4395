# shellcheck shell=bash
# profile_tables.sh -- for tests of micon-evaluate: tables of profiles out of nothing. After tap.sh.

# table PLATE BATCH SITES FEATURES: 24 wells, a third of them controls, the others 8 compounds, two wells each; features 1 and 2 cannot be
# used
table() {
    awk -v plate="$1" -v batch="$2" -v sites="$3" -v d="$4" 'function noise() { return rand() + rand() + rand() - 1.5 }
    BEGIN { srand(7); for (c = 0; c < 8; c++) for (j = 1; j <= d; j++) effect[c, j] = 3 * noise()
            srand(plate); printf "Metadata_Source,Metadata_Batch,Metadata_Plate,Metadata_Well,Metadata_Site,Metadata_Compound,Metadata_moa"
            for (j = 1; j <= d; j++) printf ",f%d", j; print ""
            for (w = 0; w < 24; w++) for (s = 1; s <= sites; s++) {
                c = w % 3 == 0 ? -1 : int(w / 3) % 8
                printf "S%d,%s,P%d,%c%02d,%d,%s,%s", 1 + plate % 2, batch, plate, 65 + int(w / 6), 1 + w % 6, s,
                    c < 0 ? "DMSO" : "c\303\251" c, c < 0 ? "" : "m" int(c / 2) "|x" c
                for (j = 1; j <= d; j++) printf ",%s",
                    j == 1 ? "5" : j == 2 ? "nan" : sprintf("%.6f", noise() + (c < 0 ? 0 : effect[c, j]) + plate)
                print "" } }'
}

# table_screen NAME FILES : NAME.yaml, to evaluate these tables quickly, into work_NAME
table_screen() {
    {
        printf 'screen: {name: %s, control: DMSO, work: work_%s}\n' "$1" "$1"
        printf 'train: {run: r}\nevaluate: {profiles: "%s", bootstrap: 20, null_size: 100}\n' "$2"
    } > "$1.yaml"
}

# evaluate NAME options... : that screen, without mpirun, which takes seconds over a failure
evaluate() { local name=$1; shift; "$BIN/micon-evaluate" "$name.yaml" "$@"; }

# added NAME STORE options... : that screen evaluated, then added to the shared store; --set goes to both, -- ends what goes to
# micon-evaluate
added() {
    local name=$1 store=$2 to=both evaluate=() add=()
    shift 2
    while [ $# -gt 0 ]; do
        case $1 in
        --) to=add ;;
        --set) [ $to = add ] || evaluate+=("$1" "$2"); add+=("$1" "$2"); shift ;;
        *) if [ $to = add ]; then add+=("$1"); else evaluate+=("$1"); fi ;;
        esac
        shift
    done
    evaluate "$name" --quiet "${evaluate[@]}" && "$BIN/micon-store" add "$name.yaml" "$store" "${add[@]}"
}

# exported NAME FOLDER options... : its finished profiles as tables
exported() { local name=$1 folder=$2; shift 2; "$BIN/micon-store" export "$name.yaml" "$folder" "$@"; }

# rows TABLE [PLATE] : digest of the rows, of one plate if named
rows() { zcat "$1.csv.gz" | grep -E "^Metadata_|,${2:-P[0-9]}," | sha256sum; }
# alike "what" RUN [PLATE] : the exported tables of RUN of the screen t hold the rows of those in t_r
alike() {
    local form
    exported t "t_$2" --set train.run="$2" --quiet
    for form in raw normalized corrected; do
        [ -e "t_r/r.$form.csv.gz" ] || continue
        same "$1: $form" "$(rows "t_$2/$2.$form" "${3-}")" "$(rows "t_r/r.$form" "${3-}")"
    done
}

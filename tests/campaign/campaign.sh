#!/usr/bin/env bash
# campaign.sh [--seed N] [--count N] [--folder DIR] [kill|io|flip|foreign|two ...] -- attacks on the programs, each try with its own damage,
# then a table of what came of them. --count: tries of each kind (20). The damage of a try follows from the seed; when it strikes a running
# program, the moment does not.
#   kill     SIGKILL of a rank, of mpirun, of the driver or of all, at any time of a stage, of a whole run, or of adding to a shared store:
#            the next run must give the same bytes
#   io       the k-th open, read, write, fsync, rename or close of a file of a stage fails or is short (io_shim.c); k is drawn among the
#            calls that a run without faults made
#   flip     a bit of any file in the work folder changes, size and time kept: `micon verify`, then the stage that reads it
#   foreign  images, tables, configurations, models and profiles with random changes: no crash, no endless loop
#   two      two runs, stages and launches at once
# Wrong are: other bytes under a final name (WRONG), no end (HANG), an end by a signal of its own (CRASH), a flip that changed a result and
# was not said (SILENT), a next run that does not recover (STUCK). Each is printed with its try, and the exit status is 1.
# A try is repeated alone by --only KIND:NUMBER with the same seed. With --folder, DIR/tries has a line for each try made, and the same
# command after an interruption makes those that are missing; the table is of all.
set -u
cd "$(dirname "$0")/../.." || exit 2
ROOT=$PWD BIN=${BIN:-$PWD/build/release/bin} HURT=${HURT:-$PWD/build/release/tests/tools/hurt}
. tests/mpi.env
. tests/profile_tables.sh
seed=1 count=20 folder='' only='' kinds=()
while [ $# -gt 0 ]; do
    case $1 in
    --seed) seed=$2; shift ;;
    --count) count=$2; shift ;;
    --folder) folder=$2; shift ;;
    --only) only=$2; shift ;;
    kill | io | flip | foreign | two) kinds+=("$1") ;;
    *) sed -n '2,15s/^# //p' "$0" >&2; exit 2 ;;
    esac
    shift
done
[ ${#kinds[@]} = 0 ] && kinds=(kill io flip foreign two)
[ -n "$only" ] && kinds=("${only%:*}")
C=${folder:-$(mktemp -d "${TMPDIR:-/tmp}/micon-campaign-XXXXXX")}
[ -n "$folder" ] || trap 'rm -rf "$C"' EXIT
mkdir -p "$C/tmp" && cd "$C" || exit 2
export TMPDIR=$C/tmp PATH=$BIN:$PATH MICON_PROGRESS=off
"${HOST_CC:-gcc}" -std=gnu11 -O2 -shared -fPIC -o shim.so "$ROOT/tests/campaign/io_shim.c" -ldl || exit 2
STAGES=(featurize tile train embed evaluate)
LIMIT=400 # seconds after which a try hangs: longer than the store's own patience (CLOSE_S), and see prepare
SET=(--set train.precision=fp32 --set embed.precision=fp32)

# ---- the screen, and what its outputs are ----
final_files() {
    find compounds.h5 tiles models embeddings profiles reports -type f \
        \( -name '*.h5' -o -name '*.h5ad' -o -name '*.safetensors' -o -name 'metrics*.csv' \) ! -name '*.part.*' ! -path '*/checkpoints/*' \
        2>/dev/null | LC_ALL=C sort
}
sums() { (cd s/work && final_files | xargs -d '\n' -r sha256sum); }
# Files under final names whose bytes are not the reference's: none may exist, whatever happened.
wrong_files() { sums | LC_ALL=C sort | LC_ALL=C comm -13 want - ; }
restore() { rm -rf s/work && cp -a ref s/work; }
remove_output() { # STAGE
    case $1 in
    featurize) rm -f s/work/compounds.h5 ;;
    tile) rm -rf s/work/tiles ;;
    train) rm -rf s/work/models/micon ;;
    embed) rm -rf s/work/embeddings ;;
    evaluate) rm -rf s/work/profiles s/work/reports ;;
    esac
}
prepare() {
    [ -e want ] && return
    micon-simulate --out s --sources 2 --wells 12 --sites 1 --size 48 --compounds 8 --quiet >log 2>&1 || { cat log; exit 2; }
    printf '%s\n' 'train: {steps: 2, batch: 4, dim: 100, projection: 64, checkpoint_steps: 1}' 'evaluate: {bootstrap: 50, null_size: 100}' \
        >>s/screen.yaml
    micon check s/screen.yaml >log 2>&1 || { cat log; exit 2; }
    # The second run has the choices that the first measured.
    for force in '' --force; do
        # shellcheck disable=SC2086
        micon run s/screen.yaml -n 2 --quiet $force "${SET[@]}" >log 2>&1 || { cat log; exit 2; }
    done
    cp -a s/work ref && cp -a s/screen.yaml screen.ref && cp -a s/metadata metadata.ref
    sums | LC_ALL=C sort >want
    for stage in "${STAGES[@]}"; do
        remove_output "$stage"
        local t0=$EPOCHREALTIME
        micon run s/screen.yaml -n 2 --quiet --stage "$stage" "${SET[@]}" >log 2>&1 || { cat log; exit 2; }
        echo "$stage $(((${EPOCHREALTIME/./} - ${t0/./}) / 1000))" >>"times"
        [ -z "$(wrong_files)" ] || { echo "campaign: $stage does not repeat its bytes: $(wrong_files)"; exit 2; }
    done
    echo "run $(awk '{s += $2} END {print s}' times)" >>"times"
}
# Which calls on files each rank of each stage makes: calls/STAGE/RANK.
count_calls() {
    [ -e calls ] && return
    local stage
    rm -rf calls.part # of a count that was interrupted
    for stage in "${STAGES[@]}"; do
        restore
        remove_output "$stage"
        mkdir -p "calls.part/$stage"
        mpirun -n 2 env LD_PRELOAD="$C/shim.so" IO_SHIM="log:$C/calls.part/$stage" "$BIN/micon-$stage" s/screen.yaml --quiet "${SET[@]}" \
            >log 2>&1 </dev/null || { cat log; exit 2; }
    done
    mv calls.part calls
}
# A shared store, one.h5ad, and both.h5ad, which it becomes when the run of b.yaml is added.
prepare_adding() {
    [ -e both.h5ad ] && return
    local p
    for p in 1 2 3; do table $p B$p 1 8 >p$p.csv; done
    table_screen a 'p[12].csv'
    table_screen b p3.csv
    mkdir -p shared
    { micon-evaluate a.yaml --quiet && micon-store add a.yaml one.h5ad --quiet && micon-evaluate b.yaml --quiet --transform-with one.h5ad &&
        cp one.h5ad shared/all.h5ad; } >log 2>&1 || { cat log; exit 2; }
    local t0=$EPOCHREALTIME
    micon-store add b.yaml shared/all.h5ad --quiet >log 2>&1 || { cat log; exit 2; }
    echo "add $(((${EPOCHREALTIME/./} - ${t0/./}) / 1000))" >>"times"
    mv shared/all.h5ad both.h5ad
}

# ---- chance ----
R=0
at_try() { R=$(printf '%s' "$seed $1 $2" | cksum | cut -d' ' -f1); } # KIND NUMBER
draw() { R=$(((R * 1103515245 + 12345) % 2147483648)); D=$((R / 65536 % $1)); } # below N, into D
pick() { draw $#; shift $D; P=$1; }

# ---- what came of a try ----
result() { # KIND NUMBER OUTCOME WORDS...
    printf '%s\t%s\t%s\t%s\t%s\n' "$seed" "$1" "$2" "$3" "${*:4}" >>tries
    case $3 in
    WRONG | HANG | CRASH | SILENT | STUCK)
        echo "$3: $1:$2: ${*:4}"
        tail -n 5 log 2>/dev/null | cut -c1-300 | sed 's/^/    | /' ;;
    esac
}
session() { ps -o pid= --sid "$1" 2>/dev/null; }
# end_session SID: has all of it ended within the limit? What has not is killed.
end_session() {
    local i pid
    for ((i = 0; i < LIMIT * 10; i++)); do
        [ -z "$(ps -o stat= --sid "$1" 2>/dev/null | grep -v Z)" ] && return 0
        sleep 0.1
    done
    for pid in $(session "$1"); do kill -9 "$pid" 2>/dev/null; done
    return 1
}
is_crash() {
    if [ "$1" -ge 128 ] && [ "$1" != 137 ] && [ "$1" != 143 ]; then return 0; fi
    grep -qE 'Segmentation fault|signal 11|signal 6 |Aborted|AddressSanitizer' log
}
# recover KIND NUMBER WORDS: the next run makes the reference's bytes, leaves nothing half-written, and status is content.
recover() {
    local rc w
    timeout $LIMIT micon run s/screen.yaml -n 2 --quiet "${SET[@]}" >log 2>&1 </dev/null
    rc=$?
    [ $rc = 124 ] && { result "$1" "$2" HANG "the next run: ${*:3}"; return 1; }
    [ $rc = 0 ] || { result "$1" "$2" STUCK "the next run (exit $rc): ${*:3}"; return 1; }
    w=$(wrong_files)
    [ -z "$w" ] && [ "$(sums | wc -l)" = "$(wc -l <want)" ] || { result "$1" "$2" WRONG "after the next run: ${*:3}: $w"; return 1; }
    w=$(find s/work -name '*.part.*' | head -n 3)
    [ -z "$w" ] || { result "$1" "$2" STUCK "left half-written: ${*:3}: $w"; return 1; }
    micon status s/screen.yaml "${SET[@]}" >log 2>&1 || { result "$1" "$2" STUCK "status (exit $?): ${*:3}"; return 1; }
}

# ---- kill ----
# strike WHO SID NUMBER: kills in that session; says whether there was anything to kill.
strike() {
    local pid victim=''
    case $1 in
    all) for victim in $(session "$2"); do kill -9 "$victim" 2>/dev/null; done ;;
    rank) victim=$(ps -o pid=,comm= --sid "$2" | awk '/micon-/ {print $1}' | head -n $(($3 % 2 + 1)) | tail -n 1) ;;
    mpirun) victim=$(ps -o pid=,comm= --sid "$2" | awk '/mpirun|orterun/ {print $1; exit}') ;;
    driver) victim=$2 ;;
    esac
    [ -z "$victim" ] || kill -9 "$victim" 2>/dev/null # of all: the last, again
}
# pause STAGE: some time of what it takes, in ms, into MS
pause() {
    draw "$(sed -n "s/^$1 //p" times | head -n 1)"
    MS=$D
    sleep "$(printf '%d.%03d' $((MS / 1000)) $((MS % 1000)))"
}
try_kill() {
    local n=$1 stage who pid rc w force args=(run s/screen.yaml -n 2 --quiet "${SET[@]}")
    pick "${STAGES[@]}" run add; stage=$P
    [ "$stage" = add ] && { try_kill_adding "$n"; return; }
    restore
    pick all rank mpirun driver; who=$P
    draw 3; force=$D
    local words="$stage, $who"
    if [ "$stage" = run ]; then # the choices stay, which decide the bytes
        for w in "${STAGES[@]}"; do remove_output "$w"; done
    else
        args+=(--stage "$stage")
        [ "$force" = 0 ] || remove_output "$stage"
        [ "$force" = 0 ] && args+=(--force) && words="$words, --force"
    fi
    setsid micon "${args[@]}" >log 2>&1 </dev/null &
    pid=$!
    pause "$stage"
    words="$words after $MS ms"
    strike "$who" $pid "$n"
    end_session $pid || { result kill "$n" HANG "$words"; return; }
    wait $pid 2>/dev/null
    rc=$?
    is_crash $rc && { result kill "$n" CRASH "$words"; return; }
    w=$(wrong_files)
    [ -z "$w" ] || { result kill "$n" WRONG "$words: $w"; return; }
    recover kill "$n" "$words" || return
    result kill "$n" "$([ $rc = 0 ] && echo 'ended before' || echo recovered)"
}
try_kill_adding() {
    local n=$1 pid rc words w
    rm -f shared/*
    cp one.h5ad shared/all.h5ad
    setsid micon-store add b.yaml shared/all.h5ad --quiet >log 2>&1 </dev/null &
    pid=$!
    pause add
    words="add after $MS ms"
    strike all $pid "$n"
    wait $pid 2>/dev/null
    rc=$?
    cmp -s shared/all.h5ad one.h5ad || cmp -s shared/all.h5ad both.h5ad || { result kill "$n" WRONG "$words: the store"; return; }
    timeout $LIMIT micon-store add b.yaml shared/all.h5ad --quiet >log 2>&1 </dev/null
    w=$?
    [ $w = 124 ] && { result kill "$n" HANG "the next one: $words"; return; }
    [ $w = 0 ] || grep -q 'already' log || { result kill "$n" STUCK "the next one (exit $w): $words"; return; }
    cmp -s shared/all.h5ad both.h5ad || { result kill "$n" WRONG "after the next one: $words"; return; }
    [ "$(ls shared)" = all.h5ad ] || { result kill "$n" STUCK "left: $words: $(ls shared)"; return; }
    result kill "$n" "$([ $rc = 0 ] && echo 'ended before' || echo recovered)"
}

# ---- io ----
# aim: a kind of call of a stage, a word of its path and a rank, as a run without faults made CALLS of
aim() {
    pick "${STAGES[@]}"; stage=$P
    pick open read write write write fsync rename close; op=$P
    draw 2; rank=$D
    case $stage in
    featurize) pick compounds.h5 compound.csv .made; word=$P ;;
    tile) pick .part. .tif .h5 load_data tiles/ .made .json; word=$P ;;
    train) pick .part. model.safetensors checkpoints tiles/ compounds.h5 log.jsonl .made; word=$P ;;
    embed) pick .part. embeddings/ tiles/ model.safetensors compounds.h5 .made; word=$P ;;
    evaluate) pick .part. embeddings/ profiles/ reports/ metrics report.html .made; word=$P ;;
    esac
    CALLS=$(awk -v op="$op" -v word="$word" '$1 == op && index($0, word)' "calls/$stage/$rank" | wc -l)
}
try_io() {
    local n=$1 stage op k mode word rank rc w
    restore
    aim
    while [ "$CALLS" = 0 ]; do aim; done
    pick eio enospc short all; mode=$P
    draw "$CALLS"; k=$((D + 1))
    remove_output "$stage"
    local words="$stage, $op $k of $CALLS of *$word* on rank $rank: $mode"
    rm -f struck
    timeout -k 5 $LIMIT mpirun -n 2 env LD_PRELOAD="$C/shim.so" IO_SHIM="$op:$k:$mode:$word" IO_SHIM_RANK=$rank IO_SHIM_MARK="$C/struck" \
        "$BIN/micon-$stage" s/screen.yaml --quiet "${SET[@]}" >log 2>&1 </dev/null
    rc=$?
    [ $rc = 124 ] || [ $rc = 137 ] && { result io "$n" HANG "$words"; return; }
    is_crash $rc && { result io "$n" CRASH "(exit $rc) $words"; return; }
    [ $rc = 0 ] || [ -s log ] || { result io "$n" STUCK "exit $rc without a word: $words"; return; }
    w=$(wrong_files)
    [ -z "$w" ] || { result io "$n" WRONG "(exit $rc) $words: $w"; return; }
    recover io "$n" "(exit $rc) $words" || return
    if [ ! -e struck ]; then result io "$n" 'not reached'
    else result io "$n" "$([ $rc = 0 ] && echo 'right bytes' || echo 'said, recovered')"; fi
}

# ---- flip ----
try_flip() {
    local n=$1 file where stage rc seen w force
    restore
    mapfile -t all < <(cd s/work && find . -type f -size +0 | LC_ALL=C sort)
    pick compounds.h5 tiles/ model.safetensors checkpoints/ embeddings/ profiles/ any any; where=$P
    if [ "$where" != any ]; then mapfile -t all < <(printf '%s\n' "${all[@]}" | grep -F -e "$where"); fi
    [ ${#all[@]} -gt 0 ] || { result flip "$n" 'no such file'; return; }
    pick "${all[@]}"; file=${P#./}
    local words
    words="$file $("$HURT" flip "s/work/$file" "$seed$n")"
    timeout $LIMIT micon verify "s/work/$file" >log 2>&1 </dev/null
    seen=$?
    [ $seen = 124 ] && { result flip "$n" HANG "verify: $words"; return; }
    is_crash $seen && { result flip "$n" CRASH "verify: $words"; return; }
    case $file in
    status/*.json | status/*.log) ;; # of progress: no digest
    *) grep -q '^damaged' log && [ $seen = 1 ] || { result flip "$n" SILENT "verify (exit $seen): $words"; return; } ;;
    esac
    case $file in
    compounds.h5 | tiles/*) pick train embed; stage=$P ;;
    *.safetensors) stage=embed; [[ $file = */checkpoints/* ]] && stage=train ;;
    embeddings/*) stage=evaluate ;;
    *) stage= ;;
    esac
    if [ -n "$stage" ]; then # the stage that reads it, which does not look at whether its own output is up to date
        [[ $file = */checkpoints/* ]] && rm -f s/work/models/micon/model.safetensors
        force=(--force)
        [[ $file = */checkpoints/* ]] && force=()
        timeout $LIMIT mpirun -n 2 "$BIN/micon-$stage" s/screen.yaml --quiet "${force[@]}" "${SET[@]}" >log 2>&1 </dev/null
    else
        timeout $LIMIT micon plan s/screen.yaml "${SET[@]}" >log 2>&1 </dev/null
    fi
    rc=$?
    [ $rc = 124 ] && { result flip "$n" HANG "${stage:-plan}: $words"; return; }
    is_crash $rc && { result flip "$n" CRASH "${stage:-plan} (exit $rc): $words"; return; }
    w=$(wrong_files | grep -vF "  $file")
    [ -z "$w" ] || { result flip "$n" SILENT "${stage:-plan} (exit $rc): $words: $w"; return; }
    if [ $seen = 1 ] && [ $rc != 0 ]; then result flip "$n" 'said by both'
    elif [ $seen = 1 ]; then result flip "$n" 'said by verify'
    elif [ $rc != 0 ]; then result flip "$n" 'said by the stage'
    else result flip "$n" 'no effect'; fi
}

# ---- foreign ----
try_foreign() {
    local n=$1 what file rc words
    pick tiff csv compound yaml safetensors h5ad; what=$P
    case $what in
    tiff) mapfile -t all < <(find s/images -name '*.tif' | LC_ALL=C sort); pick "${all[@]}"; file=$P ;;
    csv) mapfile -t all < <(find s -name 'load_data*.csv*' ! -path '*/work/*' | LC_ALL=C sort); pick "${all[@]}"; file=$P ;;
    compound) mapfile -t all < <(find s/metadata -type f | LC_ALL=C sort); pick "${all[@]}"; file=$P ;;
    yaml) file=s/screen.yaml ;;
    safetensors) file=given.safetensors; cp ref/models/micon/model.safetensors $file ;;
    h5ad) file=given.h5ad; cp ref/profiles/micon.h5ad $file ;;
    esac
    rm -rf s/work && mkdir s/work && cp -a ref/tiles ref/compounds.h5 s/work/
    cp -a "$file" kept
    "$HURT" mutate "$file" "$seed$n"
    words="$what $file"
    case $what in
    tiff) timeout $LIMIT micon-tile s/screen.yaml --quiet --force >log 2>&1 </dev/null ;;
    csv | compound) timeout $LIMIT micon check s/screen.yaml >log 2>&1 </dev/null; rc=$?
        [ $rc = 124 ] || is_crash $rc || timeout $LIMIT micon-featurize s/screen.yaml --quiet --force >log 2>&1 </dev/null ;;
    yaml) timeout $LIMIT micon check s/screen.yaml >log 2>&1 </dev/null ;;
    safetensors)
        timeout $LIMIT micon-embed s/screen.yaml --quiet --set embed.model="$C/$file" --set train.run=f "${SET[@]}" >log 2>&1 </dev/null ;;
    h5ad)
        timeout $LIMIT micon-evaluate s/screen.yaml --quiet --set evaluate.profiles="$C/$file" --set train.run=f >log 2>&1 </dev/null ;;
    esac
    rc=$?
    if [ $rc = 124 ]; then result foreign "$n" HANG "$words"
    elif is_crash $rc; then result foreign "$n" CRASH "(exit $rc) $words"
    elif [ $rc -gt 2 ] && [ $rc != 75 ]; then result foreign "$n" CRASH "(exit $rc) $words"
    elif [ $rc != 0 ] && ! [ -s log ]; then result foreign "$n" STUCK "exit $rc without a word: $words"
    else result foreign "$n" "$([ $rc = 0 ] && echo 'taken' || echo refused)"; fi
    cp -a kept "$file"
}

# ---- two ----
try_two() {
    local n=$1 stage words a b i w
    restore
    pick "${STAGES[@]}"; stage=$P
    pick run hand hand_run launches; words="$P $stage"
    local how=$P pids=()
    remove_output "$stage"
    case $how in
    run)
        for i in 1 2; do
            timeout $LIMIT micon run s/screen.yaml -n 2 --quiet --stage "$stage" "${SET[@]}" >log.$i 2>&1 </dev/null &
            pids+=($!)
        done ;;
    hand | hand_run)
        for i in 1 2; do
            mkdir -p "tmp/$i"
            local words_of=(mpirun -n 2 "$BIN/micon-$stage" s/screen.yaml)
            [ "$how.$i" = hand_run.2 ] && words_of=(micon run s/screen.yaml -n 2 --stage "$stage")
            TMPDIR=$C/tmp/$i timeout $LIMIT "${words_of[@]}" --quiet "${SET[@]}" >log.$i 2>&1 </dev/null &
            pids+=($!)
        done ;;
    launches) # many mpirun at once, as job scripts start them
        restore
        for i in $(seq "${LAUNCHES:-10}"); do
            (
                cd "$ROOT" && . jobs/env.sh && cd "$C" || exit 2
                launch "$BIN/micon-tile" s/screen.yaml --quiet --plate "$(head -n 1 plate)" "${SET[@]}"
            ) >log.$i 2>&1 </dev/null &
            pids+=($!)
        done ;;
    esac
    local exits=''
    for i in "${!pids[@]}"; do
        wait "${pids[i]}"
        a=$?
        exits="$exits$a "
        cp "log.$((i + 1))" log
        [ $a = 124 ] && { result two "$n" HANG "$words"; return; }
        is_crash $a && { result two "$n" CRASH "(exit $a) $words"; return; }
        [ $how = launches ] && [ $a != 0 ] && { result two "$n" STUCK "(exit $a) $words"; return; }
    done
    case " $exits" in *' 0 '*) ;; *) result two "$n" STUCK "neither ended well ($exits) $words"; return ;; esac
    w=$(wrong_files)
    [ -z "$w" ] || { result two "$n" WRONG "($exits) $words: $w"; return; }
    recover two "$n" "($exits) $words" || return
    b=${exits//0 /}
    result two "$n" "$([ -z "$b" ] && echo 'both done' || echo 'one refused')"
}

prepare
touch tries
[ "$(awk '$2 > m {m = $2} END {print int(m / 250)}' times)" -le $LIMIT ] || LIMIT=$(awk '$2 > m {m = $2} END {print int(m / 250)}' times)
ls s/work/tiles | head -n 1 | sed 's/\.h5$//; s,__,/,g' >plate
for kind in "${kinds[@]}"; do
    [ "$kind" != io ] || count_calls
    [ "$kind" != kill ] || prepare_adding
    for ((try = 1; try <= count; try++)); do
        if [ -n "$only" ]; then [ "$only" = "$kind:$try" ] || continue
        elif grep -q "^$seed	$kind	$try	" tries; then continue; fi
        at_try "$kind" "$try"
        "try_$kind" "$try" 2>>"$C/stderr" # bash tells there of what was killed
    done
done
echo
echo "campaign: seed $seed, ${count} tries of each of: ${kinds[*]}"
awk -F'\t' -v seed="$seed" -v kinds=" ${kinds[*]} " '
    $1 == seed && index(kinds, " " $2 " ") { last[$2 " " $3] = sprintf("%-8s %-16s", $2, $4); of[$2 " " $3] = $4 }
    END {
        for (t in last) {
            n[last[t]]++
            if (of[t] ~ /^(WRONG|HANG|CRASH|SILENT|STUCK)$/) bad++
            if (of[t] !~ /^(not reached|ended before|no such file)$/) struck++
        }
        for (k in n) printf "%s %5d\n", k, n[k] | "LC_ALL=C sort"
        close("LC_ALL=C sort")
        print "struck: " struck + 0 "\nwrong: " bad + 0
        exit bad > 0
    }' tries

#!/usr/bin/env bash
# run.sh check|check-long [NAME...] -- run the tests: each in a fresh folder with a time limit, its TAP demanded and counted.
# A test states what it wants in its first 5 lines, e.g.  run: long limit=300 n=1,2,4 nosan
#   long       only in check-long          limit=S  seconds (60)
#   n=1,2,4    under mpirun on that many ranks (tests/mpi: 1,2,3 unless stated)
#   alone      nothing else runs beside it: it measures time
#   nosan      C tests run in the release build only; otherwise they run under the sanitizers too (of n= on the first and the last number)
# Those that may take longest are started first, so that none of them is left running alone at the end.
# The last line is "N passed, N failed, N skipped".
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/mpi.env
what=${1:-check}; shift || true
base=$(mktemp -d "${TMPDIR:-/tmp}/micon-test.XXXXXX")
trap 'rm -rf "$base"' EXIT
export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
# Three at a time: tests spend much of their time waiting. Of the long ones, which compute, two. JOBS=1 for one after the other.
JOBS=${JOBS:-$([ "$what" = check ] && echo 3 || echo 2)} n_started=0 n_shown=0

header() { sed -n '1,5s/.*run: *\(.*\)/\1/p' "$1" | sed 's/\*\/.*//'; }

# one LABEL LIMIT command... : run it, and leave its line and counts in $base/NUMBER.{text,count}
one() {
    local number=$1 label=$2 limit=$3 out rc p f s plan t0=$SECONDS
    shift 3
    T="$base/$number.$(printf %s "$label" | tr -c 'A-Za-z0-9.\n' _)"
    export T
    mkdir -p "$T"
    out="$T.tap"
    timeout -k 10 "$limit" "$@" >"$out" 2>"$T.err" </dev/null
    rc=$?
    p=$(grep -c '^ok [0-9]' "$out"); s=$(grep -c '^ok [0-9].*# SKIP' "$out"); f=$(grep -c '^not ok [0-9]' "$out")
    plan=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$out" | tail -n 1)
    local why=
    [ "$rc" = 124 ] || [ "$rc" = 137 ] && why="killed after $limit s"
    [ -z "$why" ] && [ "${plan:-x}" != $((p + f)) ] && why="ended early (exit $rc, plan ${plan:-none}, ran $((p + f)))"
    [ -z "$why" ] && [ "$rc" != 0 ] && [ "$f" = 0 ] && why="exit $rc"
    [ -z "$why" ] && [ $((p + f)) = 0 ] && why="ran no test"
    [ -n "$why" ] && f=$((f + 1))
    {
        printf '%-52s %3d passed%s%s  %ds\n' "$label" $((p - s)) "$([ "$s" -gt 0 ] && echo ", $s skipped")" \
            "$([ "$f" -gt 0 ] && echo ", $f FAILED${why:+: $why}")" $((SECONDS - t0))
        grep '# SKIP' "$out" | sed 's/.*- \(.*\) # SKIP \(.*\)/    skipped: \1 (\2)/' | sort | uniq -c | sed 's/^ *1 //' | head -n 5
        if [ "$f" -gt 0 ]; then
            grep -A 3 '^not ok' "$out" | head -n 40
            tail -n 25 "$T.err"
        fi
    } >"$base/$number.text"
    echo "$((p - s)) $f $s" >"$base/$number.count"
    rm -rf "$T"
}

# Show what has ended since.
shown=()
show() {
    local i
    for ((i = 0; i < n_started; i++)); do
        [ -z "${shown[i]-}" ] && [ -e "$base/$i.count" ] || continue
        cat "$base/$i.text"
        shown[i]=1
        n_shown=$((n_shown + 1))
    done
}

queue=() # "LIMIT shell words of: LABEL LIMIT command..."
add() { # LABEL LIMIT command...
    queue+=("$2 $(printf '%q ' "$@")")
}

start() { # LABEL LIMIT command...
    while [ "$(jobs -rp | wc -l)" -ge "$JOBS" ]; do
        wait -n
        show
    done
    one $n_started "$@" &
    n_started=$((n_started + 1))
}

wanted() { # FILE : of this kind of run, and named if names were given
    local h; h=$(header "$1")
    case " $h " in *" long "*) [ "$what" = check-long ] || return 1 ;; *) [ "$what" = check ] || return 1 ;; esac
    [ ${#names[@]} = 0 ] && return 0
    local n; for n in "${names[@]}"; do case "$1" in *"$n"*) return 0 ;; esac; done
    return 1
}
names=("$@")
value() { printf '%s\n' $1 | sed -n "s/^$2=//p"; }

for t in tests/unit/*.c tests/mpi/*.c; do
    [ -e "$t" ] && wanted "$t" || continue
    h=$(header "$t"); limit=$(value "$h" limit); limit=${limit:-60}; ranks=$(value "$h" n)
    name=${t%.c}; variants="release debug-address"
    case " $h " in *" nosan "*) variants=release ;; *" debug "*) variants=debug ;; esac
    case $t in tests/mpi/*) ranks=${ranks:-1,2,3} ;; esac
    for v in $variants; do
        if [ -z "$ranks" ]; then add "$name ($v)" "$limit" "build/$v/$name"
        else
            on=$ranks
            [ $v = debug-address ] && on=$(echo "${ranks%%,*},${ranks##*,}" | tr , '\n' | uniq | paste -sd ,)
            for n in ${on//,/ }; do
                # Open MPI leaks on its own: leaks under MPI are valgrind's business.
                add "$name ($v, $n ranks)" "$limit" env ASAN_OPTIONS=detect_leaks=0 "$MPIRUN" --oversubscribe -n "$n" "build/$v/$name"
            done
        fi
    done
done
if [ "$what" = check ]; then
    for f in tests/fuzz/fuzz_*.c; do
        [ -e "$f" ] || continue
        [ ${#names[@]} = 0 ] || wanted "$f" || continue
        name=$(basename "${f%.c}")
        add "replay $name" 120 "build/debug-address/tests/fuzz/$name" "tests/corpus/${name#fuzz_}"
    done
fi
alone=()
for t in tests/e2e/*.sh tests/fault/*.sh; do
    [ -e "$t" ] && wanted "$t" || continue
    h=$(header "$t"); limit=$(value "$h" limit)
    case " $h " in *" alone "*) alone+=("$t") ;; *) add "${t%.sh}" "${limit:-60}" bash "$t" ;; esac
done
while read -r _ words; do
    [ -n "$words" ] && eval "start $words"
done < <(printf '%s\n' "${queue[@]}" | sort -rn -s -k 1,1)
for t in "${alone[@]}"; do
    wait
    show
    limit=$(value "$(header "$t")" limit)
    start "${t%.sh}" "${limit:-60}" bash "$t"
done
wait
show
read -r passed failed skipped < <(cat "$base"/*.count 2>/dev/null | awk '{p += $1; f += $2; s += $3} END {print p + 0, f + 0, s + 0}')
[ "$n_shown" = "$n_started" ] || failed=$((failed + 1))   # a test whose runner itself died
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ $((passed + failed)) -gt 0 ]

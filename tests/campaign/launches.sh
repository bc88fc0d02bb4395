#!/usr/bin/env bash
# launches.sh [--count N] [--at-once N] [--folder DIR] -- N launches of small stages (200), some at a time (6): by `micon run`, by hand
# with mpirun, and as the job scripts launch, with one and two ranks, all in the same TMPDIR as one user's are; as root, every fourth by
# another user. None may fail: each has a work folder of its own, and its tile files must be those of the first. Prints what failed, and
# a line with the counts; exit 1 if any did.
set -u
cd "$(dirname "$0")/../.." || exit 2
ROOT=$PWD BIN=${BIN:-$PWD/build/release/bin}
. tests/mpi.env
count=200 at_once=6 folder=''
while [ $# -gt 0 ]; do
    case $1 in
    --count) count=$2; shift ;;
    --at-once) at_once=$2; shift ;;
    --folder) folder=$2; shift ;;
    *) sed -n '2,4s/^# //p' "$0" >&2; exit 2 ;;
    esac
    shift
done
C=${folder:-$(mktemp -d "${TMPDIR:-/tmp}/micon-launches-XXXXXX")}
[ -n "$folder" ] || trap 'rm -rf "$C"' EXIT
mkdir -p "$C/tmp" && cd "$C" || exit 2
export TMPDIR=$C/tmp PATH=$BIN:$PATH MICON_PROGRESS=off
# Another user can reach neither a folder of mktemp's nor, perhaps, the programs. `env`: setpriv itself still starts what only root reaches.
other=0
if [ "$(id -u)" = 0 ] && chmod 755 "$C" && chmod 1777 tmp && mkdir bin && cp "$BIN"/micon "$BIN"/micon-tile bin &&
    setpriv --reuid=nobody --regid=nogroup --clear-groups env "$C/bin/micon" --version >/dev/null 2>&1; then other=1; fi
micon-simulate --out s --sources 1 --batches 1 --wells 6 --sites 1 --size 32 --compounds 2 --quiet || exit 2

# launch NUMBER: into its own work folder; its exit status, kind and the digest of its tile files into NUMBER.end
launch_one() {
    local i=$1 rc kind ranks=$(($1 / 3 % 2 + 1))
    local set=(--quiet --set "screen.work=$C/$i/w")
    mkdir "$i"
    case $((i % 4 == 3 && other ? 3 : i % 3)) in
    0) kind=run; micon run s/screen.yaml -n "$ranks" --stage tile "${set[@]}" >"$i.log" 2>&1 ;;
    1) kind=mpirun; mpirun -n "$ranks" "$BIN/micon-tile" s/screen.yaml "${set[@]}" >"$i.log" 2>&1 ;;
    2) kind=job; (cd "$ROOT" && . jobs/env.sh && cd "$C" && launch "$BIN/micon-tile" s/screen.yaml "${set[@]}") >"$i.log" 2>&1 ;;
    3) kind=other
        chown nobody "$i"
        setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME="$C/tmp" PATH="$C/bin:$PATH" \
            micon run s/screen.yaml -n "$ranks" --stage tile "${set[@]}" >"$i.log" 2>&1 ;;
    esac
    rc=$?
    echo "$rc $kind $(cat "$i"/w/tiles/*.h5 2>/dev/null | sha256sum | cut -c1-16)" >"$i.end"
    rm -rf "$i"
}
launch_one 1
read -r _ _ want <1.end
[ "$(cut -d' ' -f1 1.end)" = 0 ] || { cat 1.log; exit 2; }
for ((i = 1; i <= count; i++)); do
    while [ "$(jobs -rp | wc -l)" -ge "$at_once" ]; do wait -n; done
    launch_one $i </dev/null &
done
wait
lost=0 again=0
for ((i = 1; i <= count; i++)); do
    read -r rc kind sum <"$i.end"
    grep -q 'mpirun failed before the program started' "$i.log" && again=$((again + 1))
    [ "$rc" = 0 ] && [ "$sum" = "$want" ] && continue
    lost=$((lost + 1))
    echo "launch $i ($kind): exit $rc, $sum"
    tail -n 5 "$i.log" | sed 's/^/    | /'
done
echo "launches: $count, $at_once at a time; started again by the driver: $again; lost: $lost;" \
    "by another user: $(cat ./*.end | grep -c ' other '); folders left in TMPDIR: $(find tmp -mindepth 1 -maxdepth 1 | wc -l)"
[ $lost = 0 ]

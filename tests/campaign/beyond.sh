#!/usr/bin/env bash
# beyond.sh [stop|clock|readonly|inodes|memory|setgid ...] -- what a machine does to a run that a program cannot ask for: a rank that is
# stopped for a while, a clock that jumps, a file system that becomes read-only or has no more inodes, a limit of memory of a control
# group, a work folder with the setgid bit. A line for each: what came of it. Exit 1 where it is not what docs/reliability.md promises.
# Most need root; what cannot be tried here is said.
set -u
cd "$(dirname "$0")/../.." || exit 2
BIN=${BIN:-$PWD/build/release/bin}
. tests/mpi.env
C=$(mktemp -d "${TMPDIR:-/tmp}/micon-beyond-XXXXXX")
M=$C/mounted G=/sys/fs/cgroup/memory/micon-beyond-$$ bad=0 LIMIT=${LIMIT:-300}
leave() {
    umount "$M" 2>/dev/null
    rmdir "$G" 2>/dev/null
    rm -rf "$C"
}
trap leave EXIT
mkdir -p "$C/tmp" "$M" && cd "$C" || exit 2
export TMPDIR=$C/tmp PATH=$BIN:$PATH MICON_PROGRESS=off
say() { # NAME good|bad WORDS
    echo "$1: $3"
    [ "$2" = good ] || { bad=1; tail -n 4 log | cut -c1-300 | sed 's/^/    | /'; }
}
sums() { (cd "$1" && find . -name '*.h5' ! -name '*.part.*' | LC_ALL=C sort | xargs -r sha256sum); }
tile() { timeout -k 5 "$LIMIT" mpirun -n 2 "$BIN/micon-tile" s/screen.yaml --quiet --set "screen.work=$1" >log 2>&1 </dev/null; }
micon-simulate --out s --sources 2 --batches 2 --wells 24 --sites 2 --size 128 --compounds 8 --quiet || exit 2
tile "$C/ref" || { cat log; exit 2; }
want=$(sums ref/tiles)
# same FOLDER WORDS: after the next run, with nothing in the way, the files are those of the reference.
recovers() { tile "$1" && [ "$(sums "$1/tiles")" = "$want" ] && [ -z "$(find "$1" -name '*.part.*')" ]; }

try_stop() {
    rm -rf w
    tile "$C/w" &
    local run=$! victim='' i
    for i in $(seq 100); do
        victim=$(pgrep -n -f "micon-tile s/screen.yaml.*$C/w" || true)
        [ -n "$victim" ] && [ -e w/status/tile ] && break
        sleep 0.1
    done
    kill -STOP "$victim" 2>/dev/null || { wait $run; say stop good "not reached"; return; }
    sleep 5
    kill -CONT "$victim"
    wait $run
    local rc=$?
    if [ $rc = 0 ] && [ "$(sums w/tiles)" = "$want" ]; then say stop good "a rank was stopped for 5 s: right bytes"
    else say stop bad "a rank was stopped for 5 s: exit $rc"; fi
    # Stopped for good: the driver, told to stop twice, ends all of it (SIGTERM: bash has its background ignore an interrupt).
    rm -rf w
    setsid micon run s/screen.yaml -n 2 --stage tile --quiet --set "screen.work=$C/w" >log 2>&1 </dev/null &
    run=$!
    for i in $(seq 100); do
        victim=$(ps -o pid=,comm= --sid $run | awk '/micon-tile/ {print $1; exit}')
        [ -n "$victim" ] && break
        sleep 0.1
    done
    kill -STOP "$victim" 2>/dev/null
    kill -TERM $run; sleep 3; kill -TERM $run
    for i in $(seq 300); do kill -0 $run 2>/dev/null || break; sleep 0.1; done
    sleep 1
    local left
    left=$(ps -o pid=,stat=,comm= --sid $run | grep -v Z)
    if [ -z "$left" ]; then say stop good "stopped for good, told to stop twice: all of it ended"
    else say stop bad "stopped for good, told to stop twice: still there: $left"; ps -o pid= --sid $run | xargs -r kill -9; fi
    recovers "$C/w" && say stop good "the next run: right bytes" || say stop bad "the next run does not recover"
}
try_clock() {
    command -v faketime >/dev/null || { say clock good "not tried: faketime is not installed"; return; }
    local jump
    for jump in '-40d' '+400d'; do # the run is in another time than the tables and the records before it
        rm -rf w
        timeout -k 5 "$LIMIT" mpirun -n 2 env NO_FAKE_STAT=1 faketime -f "$jump" "$BIN/micon-tile" s/screen.yaml --quiet \
            --set "screen.work=$C/w" >log 2>&1 </dev/null
        local rc=$?
        if [ $rc != 0 ] || [ "$(sums w/tiles)" != "$want" ]; then say clock bad "a clock at $jump: exit $rc"; continue; fi
        micon run s/screen.yaml -n 2 --stage tile --set "screen.work=$C/w" >log 2>&1 </dev/null
        rc=$?
        if [ $rc = 0 ] && grep -q 'nothing to do' log; then say clock good "a clock at $jump: right bytes, and today nothing to do"
        else say clock bad "a clock at $jump, then a run today: exit $rc"; fi
        micon status s/screen.yaml --set "screen.work=$C/w" >log 2>&1 || say clock bad "status after a clock at $jump: exit $?"
    done
}
try_readonly() {
    mount -t tmpfs -o size=64m none "$M" 2>/dev/null || { say readonly good "not tried: no mount"; return; }
    tile "$M/w" &
    local run=$! i
    for i in $(seq 200); do [ -n "$(find "$M/w" -name '*.part.*' 2>/dev/null | head -n 1)" ] && break; sleep 0.05; done
    # A file that is open for writing keeps it writable: between two files it can be done.
    for i in $(seq 1000); do mount -o remount,ro "$M" 2>/dev/null && break; sleep 0.01; done
    wait $run
    local rc=$?
    cp log kept
    if [ $rc = 0 ] && [ "$i" -ge 1000 ]; then say readonly good "not reached"
    elif [ $rc = 0 ] || [ $rc = 124 ] || [ $rc -ge 128 ] || ! [ -s kept ]; then say readonly bad "became read-only: exit $rc"
    else say readonly good "became read-only: exit $rc, $(grep -c . kept) lines, the first: $(head -n 1 kept | cut -c1-150)"; fi
    micon status s/screen.yaml --set "screen.work=$M/w" >log 2>&1
    [ $? -le 1 ] || say readonly bad "status on it"
    mount -o remount,rw "$M"
    recovers "$M/w" && say readonly good "writable again: right bytes" || say readonly bad "does not recover"
    umount "$M"
}
try_inodes() {
    local n rc
    for n in 4 8 12 16; do
        mount -t tmpfs -o size=64m,nr_inodes=$n none "$M" 2>/dev/null || { say inodes good "not tried: no mount"; return; }
        tile "$M/w"
        rc=$?
        if [ $rc = 124 ] || [ $rc -ge 128 ] || { [ $rc != 0 ] && ! [ -s log ]; }; then say inodes bad "$n inodes: exit $rc"
        else say inodes good "$n inodes: exit $rc, $(grep -c . log) lines, the first: $(head -n 1 log | cut -c1-150)"; fi
        mount -o remount,nr_inodes=10000 "$M"
        recovers "$M/w" && say inodes good "more of them: right bytes" || say inodes bad "$n inodes, then more: does not recover"
        umount "$M"
    done
}
try_memory() {
    if ! mkdir "$G" 2>/dev/null || ! echo 60000000 2>/dev/null >"$G/memory.limit_in_bytes"; then
        say memory good "not tried: no control groups of memory (version 1)"
        return
    fi
    rm -rf w
    (
        echo $BASHPID >"$G/cgroup.procs"
        exec timeout -k 5 "$LIMIT" mpirun -n 2 "$BIN/micon-tile" s/screen.yaml --quiet --set "screen.work=$C/w"
    ) >log 2>&1 </dev/null
    local rc=$?
    if [ $rc = 124 ] || { [ $rc != 0 ] && ! [ -s log ]; }; then say memory bad "a limit of 60 MB: exit $rc"
    elif [ $rc = 0 ] && [ "$(sums w/tiles)" != "$want" ]; then say memory bad "a limit of 60 MB: other bytes"
    else say memory good "a limit of 60 MB: exit $rc, the first line: $(head -n 1 log | cut -c1-150)"; fi
    recovers "$C/w" && say memory good "without it: right bytes" || say memory bad "does not recover"
}
try_setgid() {
    rm -rf w && mkdir w && chgrp 12345 w 2>/dev/null && chmod 2775 w || { say setgid good "not tried: not root"; return; }
    tile "$C/w" || { say setgid bad "exit $?"; return; }
    local other
    other=$(find w ! -group 12345 | head -n 3)
    if [ -z "$other" ] && [ "$(sums w/tiles)" = "$want" ] && [ -z "$(find w -type d ! -perm -2000)" ]; then
        say setgid good "all files and folders have its group, folders the bit"
    else say setgid bad "not of its group, or folders without the bit: $other $(find w -type d ! -perm -2000 | head -n 3)"; fi
}

[ $# -gt 0 ] || set -- stop clock readonly inodes memory setgid
for what in "$@"; do "try_$what"; done
exit $bad

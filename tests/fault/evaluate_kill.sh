#!/usr/bin/env bash
# run: limit=120
# micon-evaluate killed while it writes, or while it adds to a shared store: no half file under a final name, and the next run makes the
# right bytes and leaves nothing. (evaluate.sh, among the long tests, goes through all points.)
. "$(dirname "$0")/../tap.sh"
. "$ROOT/tests/profile_tables.sh"
cd "$T" || exit 1
E=$DEBUG_BIN/micon-evaluate A=$DEBUG_BIN/micon-store
for p in 1 2 3; do table $p B$p 1 8 > p$p.csv; done
table_screen a 'p[12].csv'
table_screen b p3.csv
sums() { (cd "$1" 2>/dev/null && find profiles reports -type f ! -name '*.part.*' 2>/dev/null | LC_ALL=C sort | xargs -r sha256sum); }
exits "the screen" 0 "$E" a.yaml --quiet
exits "a shared store" 0 "$A" add a.yaml one.h5ad --quiet
exits "another run" 0 "$E" b.yaml --quiet --transform-with one.h5ad
mv work_a calm
sums calm > calm.sums
kill_at() { # POINT... : of the writing of the two stores
    local n bad=0
    for n; do
        rm -rf work_a
        MICON_FAULT="kill:$n:0" "$E" a.yaml --quiet >out 2>err && { bad=1; echo "#   point $n was not reached"; }
        sums work_a | grep -vxF -f calm.sums && { bad=1; echo "#   killed at point $n: a wrong file"; }
        [ ! -e work_a/profiles/r.h5ad ] || { bad=1; echo "#   killed at point $n: a store"; }
        "$E" a.yaml --quiet 2>err || { bad=1; cat err; }
        cmp -s calm.sums <(sums work_a) || { bad=1; echo "#   other bytes after point $n"; }
        [ -d work_a ] && [ -z "$(find work_a -name '*.part.*')" ] || { bad=1; echo \
            "#   left after point $n: $(find work_a -name '*.part.*')"; }
    done
    [ $bad = 0 ]
}
ok "SIGKILL while writing the stores" kill_at 10 30
kill_any_time() {
    local s bad=0 pid
    for s in 0.1 0.3; do
        rm -rf work_a
        "$E" a.yaml --quiet >out 2>&1 &
        pid=$!
        sleep $s
        kill -9 $pid 2>/dev/null
        wait $pid 2>/dev/null
        sums work_a | grep -vxF -f calm.sums && { bad=1; echo "#   killed after $s s: a wrong file"; }
        "$E" a.yaml --quiet 2>err || { bad=1; cat err; }
        cmp -s calm.sums <(sums work_a) || { bad=1; echo "#   other bytes after $s s"; }
    done
    [ $bad = 0 ]
}
ok "SIGKILL at any time" kill_any_time
mkdir s
cp one.h5ad s/all.h5ad
exits "added" 0 "$A" add b.yaml s/all.h5ad --quiet
cp s/all.h5ad both.h5ad
kill_adding() {
    local n bad=0
    for n in 2 14; do
        rm -f s/*
        cp one.h5ad s/all.h5ad
        MICON_FAULT="kill:$n:0" "$A" add b.yaml s/all.h5ad --quiet >out 2>err && { bad=1; echo "#   point $n was not reached"; }
        cmp -s s/all.h5ad one.h5ad || { bad=1; echo "#   killed at $n: the store has changed"; }
        "$A" add b.yaml s/all.h5ad 2>err || { bad=1; cat err; }
        grep -q "removed the stale lock of dead process" err || { bad=1; echo "#   killed at $n: no lock was taken over"; }
        cmp -s s/all.h5ad both.h5ad || { bad=1; echo "#   killed at $n: not the right bytes"; }
        [ "$(ls s)" = all.h5ad ] || { bad=1; echo "#   killed at $n: left are $(ls s)"; }
    done
    [ $bad = 0 ]
}
ok "SIGKILL while adding to a shared store: it is as it was, and the next one adds" kill_adding
tap_done

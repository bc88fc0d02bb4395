#!/usr/bin/env bash
# run: long limit=900
# micon-evaluate under faults: every fault point on either rank is exit 1, one message that names the rank, nothing wrong under a final
# name, and the next run makes the right bytes; the same, and SIGKILL at every point, for adding to a shared store.
. "$(dirname "$0")/../tap.sh"
. "$ROOT/tests/profile_tables.sh"
cd "$T" || exit 1
E=$DEBUG_BIN/micon-evaluate A=$DEBUG_BIN/micon-store
for p in 1 2 3; do table $p B$p 1 8 > p$p.csv; done
table_screen a 'p[12].csv'
table_screen b p3.csv
exits "the screen without faults" 0 "$E" a.yaml --quiet
mv work_a calm
sums() { (cd "$1" 2>/dev/null && find profiles reports -type f ! -name '*.part.*' 2>/dev/null | LC_ALL=C sort | xargs -r sha256sum); }
sums calm > calm.sums

# What is under a final name is right, and nothing half-written is there.
look() { # "when"
    local bad=0
    sums work_a | grep -vxF -f calm.sums && { bad=1; echo "#   $1: a wrong file"; }
    [ -d work_a ] && [ -z "$(find work_a -name '*.part.*')" ] || { bad=1; echo "#   $1: $(find work_a -name '*.part.*')"; }
    return $bad
}
fault_loop() { # RANKS RANK
    local n=1 rc bad=0 call=("$E")
    [ "$1" = 1 ] || call=("$MPIRUN" --oversubscribe -n "$1" "$E")
    while [ $n -lt 200 ]; do
        rm -rf work_a
        MICON_FAULT="$n:$2" timeout 60 "${call[@]}" a.yaml --quiet >out 2>err </dev/null
        rc=$?
        [ $rc = 0 ] && break
        if [ $rc != 1 ] || [ "$(grep -c 'error:' err)" != 1 ] || ! grep -q 'fault' err || { [ "$1" -gt 1 ] &&
            ! grep -q "error: rank $2: " err; }; then
            bad=1
            echo "#   point $n of rank $2: exit $rc"
            sed 's/^/#   | /' err | head -n 5
        fi
        look "point $n of rank $2" || bad=1
        n=$((n + 1))
    done
    echo "# $((n - 1)) fault points of rank $2 of $1"
    [ $bad = 0 ] && [ $n -gt 20 ] && [ $n -lt 200 ] && cmp -s calm.sums <(sums work_a)
}
ok "one rank: every fault point is exit 1, one message, no wrong file; then the right ones" fault_loop 1 0
ok "two ranks, faults on rank 1" fault_loop 2 1

# Reading the embeddings.
"$ROOT/build/release/tests/tools/evaluate_make" "$T/latent" perfect
for rank in 0 1; do
    MICON_FAULT=1:$rank timeout 60 "$MPIRUN" --oversubscribe -n 2 "$E" latent/screen.yaml --quiet >out 2>err </dev/null
    same "a fault on rank $rank while reading embeddings: exit 1" $? 1
    has "and the rank named" err "error: rank $rank: "
    not_ok "and no store" test -e latent/work/profiles/micon.h5ad
done

# A shared store: as it was or as it shall be, whatever happens; what is left does not stop the next one.
rm -rf work_a s
exits "a run" 0 "$E" a.yaml --quiet
exits "a shared store" 0 "$A" add a.yaml one.h5ad --quiet
exits "another run" 0 "$E" b.yaml --quiet --transform-with one.h5ad
mkdir s
cp one.h5ad s/all.h5ad
exits "added" 0 "$A" add b.yaml s/all.h5ad --quiet
cp s/all.h5ad both.h5ad
append_loop() { # PREFIX
    local n=1 rc bad=0 what
    while [ $n -lt 100 ]; do
        rm -f s/*
        cp one.h5ad s/all.h5ad
        MICON_FAULT="$1$n:0" timeout 60 "$A" add b.yaml s/all.h5ad --quiet >out 2>err </dev/null
        rc=$?
        [ $rc = 0 ] && break
        what="$1$n"
        if cmp -s s/all.h5ad one.h5ad; then
            [ -n "$1" ] || [ "$(ls s)" = all.h5ad ] || { bad=1; echo "#   $what: left are $(ls s)"; }
            "$A" add b.yaml s/all.h5ad --quiet 2>err || { bad=1; cat err; }
        fi
        cmp -s s/all.h5ad both.h5ad || { bad=1; echo "#   $what: not the right bytes"; }
        [ "$(ls s)" = all.h5ad ] || { rm -f s/*.lock; [ "$(ls s)" = all.h5ad ]; } ||
            { bad=1; echo "#   $what: at the end there are $(ls s)"; }
        n=$((n + 1))
    done
    echo "# $((n - 1)) points"
    [ $bad = 0 ] && [ $n -gt 20 ] && [ $n -lt 100 ]
}
ok "every fault point while adding" append_loop ""
ok "SIGKILL at every point while adding" append_loop "kill:"
tap_done

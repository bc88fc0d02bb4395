#!/usr/bin/env bash
# run: limit=120
# micon-evaluate --append: runs of several screens in one store, in any order and at the same time; what does not go together is refused, and the store
# stays as it was.
. "$(dirname "$0")/../tap.sh"
. "$ROOT/tests/profile_tables.sh"
cd "$T" || exit 1
for p in 1 2 3 4 5; do table $p B$((1 + (p - 1) / 2)) 1 12 > p$p.csv; done
table_screen a 'p[12].csv'; table_screen b p3.csv; table_screen c p4.csv; table_screen d p5.csv
mkdir s

exits "the first" 0 evaluate a --append s/all.h5ad
has "the first: said" "$T/err" "s/all.h5ad: 48 wells added, 48 in all"
cp s/all.h5ad one.h5ad
for n in b c d; do exits "$n, transformed as the first" 0 evaluate $n --transform-with one.h5ad; done
exits "one more" 0 evaluate b --transform-with one.h5ad --append s/all.h5ad
has "one more: was left alone" "$T/err" "r: up to date"
exits "the store serves as the first did" 0 evaluate c --transform-with s/all.h5ad --append s/all.h5ad
exits "and stays what the profiles were made from" 0 evaluate c --transform-with s/all.h5ad
has "and stays what the profiles were made from: up to date" "$T/err" "up to date"
ok "the store verifies" "$BIN/micon-store" verify s/all.h5ad
same "nothing else is left" "$(ls s)" all.h5ad

# Another order, and all at the same time: the same bytes.
exits "another order: a" 0 evaluate a --append s/other.h5ad
exits "another order, on two ranks: c" 0 mpi 2 "$BIN/micon-evaluate" c.yaml --append s/other.h5ad --transform-with s/all.h5ad
exits "another order: b" 0 evaluate b --append s/other.h5ad --transform-with one.h5ad
ok "another order: the same bytes" cmp s/all.h5ad s/other.h5ad
cp one.h5ad s/busy.h5ad
exits "c, as before" 0 evaluate c --transform-with one.h5ad
pids=()
for n in b c d; do evaluate $n --transform-with one.h5ad --append s/busy.h5ad 2>"$T/err.$n" & pids+=($!); done
bad=0
for p in "${pids[@]}"; do wait "$p" || bad=1; done
same "three at the same time: all succeed" $bad 0
[ $bad = 0 ] || cat "$T"/err.?
cp one.h5ad s/other.h5ad
for n in d c b; do exits "one after the other: $n" 0 evaluate $n --transform-with one.h5ad --append s/other.h5ad; done
ok "three at the same time: as one after the other" cmp s/busy.h5ad s/other.h5ad
evaluate b --transform-with one.h5ad --append s/new.h5ad 2>"$T/err.b" & one=$!
evaluate c --transform-with one.h5ad --append s/new.h5ad 2>"$T/err.c"; rc=$?
wait $one; same "two that make it at the same time" "$rc $?" "0 0"
exits "c again" 1 evaluate c --transform-with one.h5ad --append s/new.h5ad
has "c again: the first of its wells are named" "$T/err" "s/new.h5ad has 24 of the 24 wells already: S1/B2/P4/A01, S1/B2/P4/A02, S1/B2/P4/A03, S1/B2/P4/A04, S1/B2/P4/A05, ...; nothing was added"
same "nothing else is left" "$(ls s | tr '\n' ' ')" "all.h5ad busy.h5ad new.h5ad other.h5ad "

# What does not go together.
refused() { # "what" TEXT NAME options...
    local what=$1 text=$2
    shift 2
    exits "$what" 1 evaluate "$@"
    has "$what: said" "$T/err" "$text"
}
table 6 B3 1 12 > p6.csv; table_screen f p6.csv
refused "sphered for itself" "were learned on different wells: evaluate the new ones with --transform-with" f --append s/all.h5ad
# Locks.
printf 'elsewhere\n1\n77\nsomeone\n2026-01-01 00:00\nadding x.h5ad\n' > s/new.h5ad.lock
refused "a lock of another host" "s/new.h5ad is being added to by: someone on elsewhere (process 1) since 2026-01-01 00:00: adding x.h5ad. If it has ended, remove s/new.h5ad.lock" \
    d --transform-with one.h5ad --append s/new.h5ad --wait 0
touch -d '11 minutes ago' s/new.h5ad.lock
exits "that is silent for long" 0 evaluate d --transform-with one.h5ad --append s/new.h5ad --wait 0
has "that is silent for long: taken over, and said" "$T/err" "gave no sign for ten minutes: going on in its place"
printf '%s\n%d\n77\nsomeone\n2026-01-01 00:00\nadding x.h5ad\n' "$(hostname)" 999999 > s/fresh.h5ad.lock
exits "of a dead process of this host" 0 evaluate d --transform-with one.h5ad --append s/fresh.h5ad --wait 0
has "of a dead process of this host: taken over" "$T/err" "removed the stale lock of dead process"
same "no lock is left" "$(find s -name "*lock*")" ""

tap_done

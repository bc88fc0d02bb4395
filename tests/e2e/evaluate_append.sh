#!/usr/bin/env bash
# run: long limit=120
# micon-store add: runs of several screens in one store, in any order and at the same time; what does not go together is refused, and the
# store stays as it was.
. "$(dirname "$0")/../tap.sh"
. "$ROOT/tests/profile_tables.sh"
cd "$T" || exit 1
for p in 1 2 3 4 5; do table $p B$((1 + (p - 1) / 2)) 1 12 > p$p.csv; done
table_screen a 'p[12].csv'; table_screen b p3.csv; table_screen c p4.csv; table_screen d p5.csv
mkdir s

exits "the first" 0 added a s/all.h5ad
has "the first: said" "$T/err" "s/all.h5ad: 48 wells added, 48 in all"
cp s/all.h5ad one.h5ad
for n in b c d; do exits "$n, transformed as the first" 0 evaluate $n --transform-with one.h5ad; done
exits "one more" 0 added b s/all.h5ad --transform-with one.h5ad
has "one more: said" "$T/err" "[store add] s/all.h5ad: 24 wells added, 72 in all"
exits "the store serves as the first did" 0 added c s/all.h5ad --transform-with s/all.h5ad
exits "and stays what the profiles were made from" 0 evaluate c --transform-with s/all.h5ad
has "and stays what the profiles were made from: up to date" "$T/err" "up to date"
ok "the store verifies" "$BIN/micon-store" verify s/all.h5ad
same "nothing else is left" "$(ls s)" all.h5ad

# Another order, and all at the same time: the same bytes.
exits "another order: a" 0 added a s/other.h5ad
exits "another order, on two ranks: c" 0 mpi 2 "$BIN/micon-store" add c.yaml s/other.h5ad
exits "another order: b" 0 added b s/other.h5ad --transform-with one.h5ad
ok "another order: the same bytes" cmp s/all.h5ad s/other.h5ad
cp one.h5ad s/busy.h5ad
exits "c, as before" 0 evaluate c --transform-with one.h5ad
pids=()
for n in b c d; do added $n s/busy.h5ad --transform-with one.h5ad 2>"$T/err.$n" & pids+=($!); done
bad=0
for p in "${pids[@]}"; do wait "$p" || bad=1; done
same "three at the same time: all succeed" $bad 0
[ $bad = 0 ] || cat "$T"/err.?
cp one.h5ad s/other.h5ad
for n in d c b; do exits "one after the other: $n" 0 added $n s/other.h5ad --transform-with one.h5ad; done
ok "three at the same time: as one after the other" cmp s/busy.h5ad s/other.h5ad
added b s/new.h5ad --transform-with one.h5ad 2>"$T/err.b" & one=$!
added c s/new.h5ad --transform-with one.h5ad 2>"$T/err.c"; rc=$?
wait $one; same "two that make it at the same time" "$rc $?" "0 0"
exits "c again" 1 added c s/new.h5ad --transform-with one.h5ad
has "c again: the first of its wells are named" "$T/err" \
    "s/new.h5ad has 24 of the 24 wells already: $(printf "S1/B2/P4/%s, " A01 A02 A03 A04 A05)...; nothing was added"
same "nothing else is left" "$(ls s | tr '\n' ' ')" "all.h5ad busy.h5ad new.h5ad other.h5ad "

# What does not go together.
refused() { # "what" TEXT NAME options...
    local what=$1 text=$2
    shift 2
    exits "$what" 1 added "$@"
    has "$what: said" "$T/err" "$text"
}
table 6 B3 1 12 > p6.csv; table_screen f p6.csv
refused "sphered for itself" "were fitted on different wells: evaluate the new ones with --transform-with" f s/all.h5ad
# Locks.
printf 'elsewhere\n1\n77\nsomeone\n2026-01-01 00:00\nadding x.h5ad\n' > s/new.h5ad.lock
refused "a lock of another host" \
    "s/new.h5ad is being added to by: someone on elsewhere (process 1) since 2026-01-01 00:00: adding x.h5ad. \
If it has ended, remove s/new.h5ad.lock" \
    d s/new.h5ad --transform-with one.h5ad -- --wait 0
touch -d '11 minutes ago' s/new.h5ad.lock
exits "that is silent for long" 0 added d s/new.h5ad --transform-with one.h5ad -- --wait 0
has "that is silent for long: taken over, and said" "$T/err" "which gave no sign for ten minutes"
printf '%s\n%d\n77\nsomeone\n2026-01-01 00:00\nadding x.h5ad\n' "$(hostname)" 999999 > s/fresh.h5ad.lock
exits "of a dead process of this host" 0 added d s/fresh.h5ad --transform-with one.h5ad -- --wait 0
has "of a dead process of this host: taken over" "$T/err" "removed the stale lock of dead process"
same "no lock is left" "$(find s -name "*lock*")" ""

# What the configuration names must be what was evaluated.
exits "not evaluated yet" 1 "$BIN/micon-store" add a.yaml s/x.h5ad --set train.run=absent
has "not evaluated yet: what to do" "$T/err" "work_a/profiles/absent.h5ad does not exist: run micon-evaluate first"
exits "another configuration" 1 "$BIN/micon-store" add a.yaml s/x.h5ad --set evaluate.sphere=PCA
has "another configuration: which key" "$T/err" \
    "was made with another configuration than today's 'evaluate.sphere: PCA': run micon-evaluate first"
exits "no store named" 2 "$BIN/micon-store" add a.yaml
has "no store named: usage" "$T/err" "missing argument; usage: micon-store add screen.yaml STORE"
for o in --append=s/x.h5ad --wait=3; do exits "the old spelling $o" 2 evaluate a $o; has "the old spelling $o: the new one" "$T/err" \
    "micon store add screen.yaml STORE"; done
not_ok "nothing was added" test -e s/x.h5ad
tap_done

#!/usr/bin/env bash
# run: limit=60
# The driver's commands on finished profiles: what they hand on to micon-evaluate and micon-store, as data and not through a shell.
. tests/tap.sh
. tests/driver.sh
cd "$SCREEN" || exit 1
screen </dev/null
exits "micon-store is not built" 1 micon export screen.yaml out
has "says so" "$T/err" "micon export needs the program micon-store, which is not built"
# Shows its arguments, one a line.
printf '#!/bin/sh\nfor a; do echo "[$a]"; done\n' >"$MICON_BIN/micon-evaluate"
chmod +x "$MICON_BIN/micon-evaluate"
cp "$MICON_BIN/micon-evaluate" "$MICON_BIN/micon-store"
handed() { local what=$1 want=$2; shift 2; exits "$what" 0 "$@"; same "$what: handed on" "$(tr '\n' ' ' <"$T/out")" "$want "; }
handed "compare" "[screen.yaml] [--compare] [--] [a] [b c] [--d]" micon compare screen.yaml -- a "b c" --d
handed "compare with --set" "[screen.yaml] [--set] [evaluate.seed=2] [--quiet] [--compare] [--] [a] [b]" micon compare screen.yaml a b \
    --set evaluate.seed=2 --quiet
handed "export" '[export] [screen.yaml] [--format=csv] [--] [$(touch x); y]' micon export screen.yaml '$(touch x); y'
handed "store add" "[add] [screen.yaml] [--wait=600] [--] [a b.h5ad]" micon store add screen.yaml "a b.h5ad"
handed "store add --wait" "[add] [screen.yaml] [--wait=0] [--] [-s]" micon store add --wait 0 screen.yaml -- -s
not_ok "nothing was interpreted" test -e x
exits "compare: one run" 2 micon compare screen.yaml a
has "compare: how" "$T/err" "micon compare screen.yaml RUN RUN..."
exits "export: no folder" 2 micon export screen.yaml
has "export: how" "$T/err" "micon export screen.yaml FOLDER"
exits "export: two folders" 2 micon export screen.yaml a b
exits "store: what?" 2 micon store
exits "store: another word" 2 micon store remove screen.yaml x
has "store: how" "$T/err" "unknown subcommand 'remove'; usage: micon store add screen.yaml STORE"
exits "store add: no store" 2 micon store add screen.yaml
exits "a wrong configuration" 2 micon export none.yaml out
tap_done

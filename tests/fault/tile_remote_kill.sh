#!/usr/bin/env bash
# run: long limit=240
# 10,002 objects behind URLs; a run that is killed in the middle, and again: the same bytes, and with a cache little is fetched twice.
. "$(dirname "$0")/../tap.sh"
. "$ROOT/tests/tile_screen.sh"
. "$ROOT/tests/http_server.sh"
tile_screen "$T/s" 1 6 70 64 deflate
http_server "$T/s" || { skip "images behind URLs" "$http_why"; tap_done; }
S=$T/s FILE=tiles/S1__s__P1.h5 SITES=3334
{ head -n 1 "$S/load_data.csv"
  for ((i = 1; i <= SITES; i++)); do
      n=$((i % 6 + 1))
      echo "P1,A01,$i,A01_${n}_DNA.tif?$i,ok,A01_${n}_ER.tif?$i,ok,A01_${n}_Mito.tif?$i,ok"
  done; } > "$T/table"
mv "$T/table" "$S/load_data.csv"
from() { echo "--set screen.paths.from=ok --set screen.paths.to=$URL/ok/images"; }
run() { local w=$1; shift; mpi 2 "$BIN/micon-tile" "$S/screen.yaml" --set screen.work="$w" $(from) "$@"; }
gets() { grep -c "^GET " "$HTTP_LOG"; }
t0=$SECONDS
exits "10,002 objects" 0 run whole
has "10,002 objects: all sites" "$T/err" "$SITES of $SITES sites"
same "10,002 objects: each was asked for once" "$(gets)" 10002
echo "# $((SECONDS - t0)) s"
t0=$SECONDS
exits "check --remote" 0 "$BIN/micon" check "$S/screen.yaml" --remote --set train.method=simclr $(from)
same "check --remote: all sizes" "$(grep -c "^HEAD " "$HTTP_LOG")" 10002
echo "# $((SECONDS - t0)) s"

: > "$HTTP_LOG"
setsid "$BIN/micon-tile" "$S/screen.yaml" --quiet --set screen.work=killed $(from) --set tile.fetch.cache=killed/cache >/dev/null 2>&1 &
pid=$!
for _ in $(seq 1 600); do [ "$(gets)" -ge 3000 ] && break; sleep 0.05; done
kill -9 -- -$pid
wait $pid 2>/dev/null
n=$(gets)
ok "killed in the middle" [ "$n" -ge 3000 ] && [ "$n" -lt 10002 ]
same "no tile file" "$(find "$S/killed" -name '*.h5')" ""
exits "again" 0 run killed --set tile.fetch.cache=killed/cache
same "again: the same bytes" "$(sha256sum < "$S/killed/$FILE")" "$(sha256sum < "$S/whole/$FILE")"
ok "again: what the cache had was not fetched again ($(gets) requests in both)" [ "$(gets)" -le 10300 ]
same "again: nothing half-written is left" "$(find "$S/killed" -name '*.part.*')" ""
http_stop
tap_done

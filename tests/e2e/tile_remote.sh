#!/usr/bin/env bash
# run: limit=120
# Images behind URLs, from tests/tools/http_serve.py: the same tiles and features as from files, bad objects are rejects, what is finished
# is not asked for again, micon check counts them and, with --remote, asks.
. "$(dirname "$0")/../tap.sh"
. "$ROOT/tests/tile_screen.sh"
. "$ROOT/tests/http_server.sh"
tile_screen "$T/s" 3 2 70 64 deflate
sed -i 's/^tile: .*/tile: {size: 32, max_bad: 0.25, fetch: {retries: 1, timeout: 5}}\ntrain: {method: simclr}/' "$T/s/screen.yaml"
http_certificate "$T/pem" || : > "$T/pem"
http_server "$T/s" 0 "$([ -s "$T/pem" ] && echo "$T/pem")" || { skip "images behind URLs" "$http_why"; tap_done; }
S=$T/s FILE=tiles/S1__s__P1.h5
run() { local w=$1; shift; on "$BIN/micon-tile" "$S/screen.yaml" --set screen.work="$w" "$@"; }
on() { if [ "${N:-1}" = 1 ]; then "$@"; else mpi "$N" "$@"; fi; }
from() { echo "--set screen.paths.from=images --set screen.paths.to=$URL/$1/images"; }
sum() { sha256sum < "$1" | cut -d' ' -f1; }
tiles() { "$SHOW" "$S/$1/$FILE" | sha256sum; }
gets() { grep -c "^GET " "$HTTP_LOG"; }

# Tiles.
exits "files" 0 run here
N=2 exits "behind URLs, 2 ranks" 0 run w2 $(from ok)
same "behind URLs: the same tiles as from files" "$(tiles w2)" "$(tiles here)"
same "behind URLs: each object was asked for once" "$(gets)" 18
exits "a bucket of S3, 1 rank" 0 run s3 --set screen.paths.from=images --set screen.paths.to=s3://images --set tile.fetch.s3="$URL/s3" \
    --set tile.fetch.parallel=1 --set tile.fetch.cache=s3/cache
same "a bucket of S3: the same tiles" "$(tiles s3)" "$(tiles here)"
same "a bucket of S3: kept in the cache" "$(find "$S/s3/cache" -type f | wc -l)" 18
# https, with an authority of the test's own.
unset CURL_CA_BUNDLE SSL_CERT_FILE SSL_CERT_DIR
if [ -s "$T/pem" ]; then
    tls() { local w=$1; shift; run "$w" --set screen.paths.from=images --set screen.paths.to="$TLS_URL/ok/images" "$@"; }
    exits "https of an authority that nobody knows: exit 1" 1 tls tls
    has "https of an authority that nobody knows: says what to set" "$T/err" "authorities: CURL_CA_BUNDLE, SSL_CERT_FILE"
    SSL_CERT_FILE=$T/pem.crt exits "https, SSL_CERT_FILE" 0 tls tls
    same "https: the same tiles" "$(tiles tls)" "$(tiles here)"
    SSL_CERT_FILE=/none CURL_CA_BUNDLE=$T/pem.crt exits "https, CURL_CA_BUNDLE comes first" 0 tls tls --verify
    CURL_CA_BUNDLE=/none exits "https, no such file of authorities: exit 1" 1 tls tls --force
    has "https, no such file of authorities: said" "$T/err" "/none"
    rm -r "$S/tls" "$S/tls.index"
else
    skip "https" "openssl is not installed"
fi

# A server of S3 that is not the tests' own.
for py in "${S3_PYTHON:-}" "$ROOT/build/peers/bin/python" python3; do
    [ -n "$py" ] && "$py" -c 'import boto3, flask, moto.server' 2>/dev/null && break
    py=
done
if [ -n "$py" ]; then
    coproc MOTO { exec "$py" "$ROOT/tests/tools/s3_serve.py" "$S/images" A02_1_ER.tif 2>/dev/null; }
    moto_pid=$MOTO_PID port=
    read -r -t 60 port <&"${MOTO[0]}"
    exits "moto's S3: the plate goes on" 0 run moto --set screen.paths.from=images --set screen.paths.to=s3://images/screen \
        --set tile.fetch.s3="http://127.0.0.1:$port"
    has "moto's S3: what is not public is refused" "$T/err" \
        "s3://images/screen/A02_1_ER.tif is not there, or not for everyone to read (HTTP 403)"
    has "moto's S3: all others are read" "$T/err" "5 of 6 sites"
    kill "$moto_pid"; wait "$moto_pid" 2>/dev/null
    rm -r "$S/moto" "$S/moto.index"
else
    skip "moto's server of S3" "no Python with boto3, flask and moto; S3_PYTHON names one"
fi
same "nothing but work was written" "$(ls "$S" | tr '\n' ' ')" \
    "here here.index images load_data.csv s3 s3.index screen.yaml w2 w2.index well.csv "
before=$(gets)
exits "a second time" 0 run w2 $(from ok)
has "a second time: up to date" "$T/err" "up to date"
same "a second time: nothing was asked for" "$(gets)" "$before"
exits "--verify" 0 run w2 $(from ok) --verify
has "--verify: up to date" "$T/err" "up to date"
same "--verify: all were asked for" "$(gets)" $((before + 18))

# Objects that cannot be used. Whole tables come from one place, so each of these has its own path in the table.
cp "$S/load_data.csv" "$T/table"
# one CASE FOLDER TEXT : A02_1_ER of that folder is a reject with that text
one() {
    sed "s|A02_1_ER.tif,images|A02_1_ER.tif,$URL/$2/images|" "$T/table" > "$S/load_data.csv"
    exits "$1: the plate goes on" 0 run bad $(from ok) --force
    has "$1: warned of" "$T/err" "$URL/$2/images/A02_1_ER.tif $3"
    "$SHOW" "$S/bad/$FILE" > "$T/show"
    has "$1: in the rejects" "$T/show" "reject A02 1 ER"
}
one "half an object" half "ended after"
one "half an object that says it is whole" short "is truncated or damaged"
one "no object" gone "is not there (HTTP 404)"
before=$(gets)
exits "no object, again" 0 run bad $(from ok)
has "no object, again: up to date" "$T/err" "up to date"
same "no object, again: only this one was asked for" "$(gets)" $((before + 1))
sed "s|A02_1_ER.tif,images|A02_1_ER.tif,http://me:secret@127.0.0.1/images|" "$T/table" > "$S/load_data.csv"
exits "a password: exit 1" 1 run pw $(from ok)
has "a password: refused" "$T/err" "http://...@127.0.0.1/images/A02_1_ER.tif' holds a user name or a password"
hasnt "a password: not shown" "$T/err" secret
same "a password: nowhere" "$(grep -rl secret "$S" --include=* | grep -v load_data.csv)" ""
exits "a password in the configuration: exit 2" 2 run pw --set tile.fetch.s3=http://me:secret@127.0.0.1
hasnt "a password in the configuration: not shown" "$T/err" secret
exits "no address in the configuration: exit 2" 2 run pw --set tile.fetch.s3=s3://bucket
cp "$T/table" "$S/load_data.csv"

# micon check.
check() { "$BIN/micon" check "$S/screen.yaml" --set screen.work=c "$@"; }
before=$(wc -l < "$HTTP_LOG")
exits "check" 0 check $(from ok)
has "check: says that it did not look" "$T/out" "18 files are remote and were not looked at; micon check --remote asks for them"
same "check: nothing was asked for" "$(wc -l < "$HTTP_LOG")" "$before"
mv "$S/images/A03_2_Mito.tif" "$T/away"
exits "check --remote" 0 check $(from ok) --remote
same "check --remote: sizes of all" "$(tail -n +$((before + 1)) "$HTTP_LOG" | grep -c "^HEAD ")" 18
same "check --remote: one image of each channel" "$(tail -n +$((before + 1)) "$HTTP_LOG" | grep -c "^GET ")" 3
has "check --remote: the missing one" "$T/out" "warning: remote image files that cannot be had: 1"
has "check --remote: says which" "$T/out" "load_data.csv:7: $URL/ok/images/A03_2_Mito.tif: is not there (HTTP 404)"
mv "$T/away" "$S/images/A03_2_Mito.tif"
exits "check --remote, most are missing: exit 1" 1 check $(from nowhere) --remote

# Planes that are files.
awk -F, -v OFS=, 'NR == 1 {print $0, "Metadata_Z"} NR > 1 {z = $3; $3 = 1; print $0, z}' "$T/table" > "$S/load_data.csv"
exits "planes, files" 0 run zh --set tile.z=max
exits "planes, behind URLs" 0 run zr --set tile.z=max $(from ok)
same "planes: the same tiles" "$(tiles zr)" "$(tiles zh)"
exits "planes: check" 0 check $(from ok) --set tile.z=max
has "planes: all are counted" "$T/out" "18 files are remote"
exits "planes: check --remote" 1 check $(from nowhere) --set tile.z=max --remote
has "planes: all are asked for" "$T/out" "error: remote image files that cannot be had: 18"
cp "$T/table" "$S/load_data.csv"

# Features of cells.
measure() { local w=$1; shift; on "$BIN/micon-measure" "$S/screen.yaml" --set screen.work="$w" --set cells.cell_channel=ER "$@"; }
features() { h5dump -d /X "$S/$1/features/micon/S1__s__P1.h5" | tail -n +2 | sha256sum; }
exits "measure, files" 0 measure here
N=2 exits "measure, behind URLs" 0 measure w2 $(from ok)
same "measure: the same features" "$(features w2)" "$(features here)"
before=$(gets)
exits "measure, again" 0 measure w2 $(from ok)
has "measure, again: up to date" "$T/err" "up to date"
same "measure, again: nothing was asked for" "$(gets)" "$before"
exits "measure, --verify" 0 measure w2 $(from ok) --verify
has "measure, --verify: up to date" "$T/err" "up to date"
same "measure, --verify: all were asked for once" "$(gets)" $((before + 18))

# Channels that are pages of one file.
for w in A01 A02; do "$MAKE_TIFF" "$S/images/$w.tif" 70 64 $((10#${w#A} * 7)) pages; done
{ echo "$(head -n 1 "$T/table"),Frame_DNA,Frame_ER,Frame_Mito"
  for w in A01 A02; do echo "P1,$w,1,$w.tif,images,$w.tif,images,$w.tif,images,0,1,2"; done; } > "$S/load_data.csv"
for p in "run pages" "run cells --set tile.crop=cells" "measure pages"; do
    before=$(gets)
    exits "pages, $p" 0 $p --set tile.pages=channels $(from ok)
    same "pages, $p: each object was asked for once" "$(gets)" $((before + 2))
done
before=$(grep -c "^HEAD " "$HTTP_LOG")
exits "pages, check --remote" 0 check $(from ok) --set tile.pages=channels --remote
same "pages, check --remote: each size was asked for once" "$(grep -c "^HEAD " "$HTTP_LOG")" $((before + 2))
http_stop
tap_done

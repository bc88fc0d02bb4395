#!/usr/bin/env bash
# bench_lzw.sh -- image_decode against libtiff on LZW in one strip an image, as the Opera Phenix writes it; in turns, in one process.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/bench/marks.sh
data=${SHARED_DATA:-../shared/data}/cpjump1/images
[ -d "$data" ] || { echo "no $data: skipped"; exit 0; }
out=$(build/release/tests/bench/lzw_rate "$data"/*/*.tiff) || { echo "lzw_rate: failed, or other values than libtiff's"; exit 1; }
echo "$out"
mark "LZW decoding, times libtiff's speed" "$(echo "$out" | field ratio)" 1.8
exit $bad

#!/usr/bin/env bash
# run: limit=240
# Every bad input of a plate: within max_bad a row in the rejects, a listed warning, and the plate goes on; beyond it, one clear message and
# no file. With as many messages on two ranks as on one.
. "$(dirname "$0")/../tap.sh"
. "$ROOT/tests/tile_screen.sh"
tile_screen "$T/good" 4 2 70 64
run() { mpi "${N:-1}" "$BIN/micon-tile" "$@"; }
files() { ls "$1" 2>/dev/null | tr '\n' ' '; }

# one CASE COMMAND TEXT : after COMMAND (in the screen's folder; f is the image's name) the plate goes on, and TEXT is in warning and
# rejects
one() {
    local d="$T/one"
    rm -rf "$d" && cp -r "$T/good" "$d"
    (cd "$d" && f=images/A02_1_ER.tif && eval "$2") || echo "# could not prepare $1"
    N=2 exits "$1: the plate goes on" 0 run "$d/screen.yaml"
    has "$1: warned of, with the file" "$T/err" "images/A02_1_ER.tif $3"
    "$SHOW" "$d"/work/tiles/*.h5 > "$T/show"
    has "$1: in the rejects" "$T/show" "reject A02 1 ER"
    same "$1: the other seven sites are there" "$(grep -c '^A' "$T/show")" 7
}
one "a missing file" 'rm $f' "No such file"
one "an empty file" ': > $f' "is empty"
one "a truncated file" 'truncate -s 3000 $f' "is truncated or damaged"
one "no TIFF" 'echo "not an image at all" > $f' "is not a TIFF file"
one "another size" '"$MAKE_TIFF" $f 64 64 1' "is 64 x 64 pixels; the plate's images are 70 x 64"
one "another bit depth" '"$MAKE_TIFF" $f 70 64 1 u8' "holds uint8 samples; the plate's images of this channel hold uint16"
one "24 bits" '"$MAKE_TIFF" $f 70 64 1 u24' "has 24-bit unsigned integer samples"
one "RGB" '"$MAKE_TIFF" $f 70 64 1 rgb' "is RGB"
one "2^31 columns" '"$MAKE_TIFF" $f 70 64 1 huge' "claims 2147483648 x 64 pixels"
one "2^28 strips" '"$MAKE_TIFF" $f 70 64 1 strips' "is"
one "NaN" '"$MAKE_TIFF" $f 70 64 1 nan' "holds NaN or infinity"
one "several pages" '"$MAKE_TIFF" $f 70 64 1 pages' "has more than one page"
one "a folder" 'rm $f; mkdir $f' "is a folder, not a file"
one "a named pipe" 'rm $f; mkfifo $f' "is a named pipe, not a file"
one "a device" 'rm $f; ln -s /dev/zero $f' "is a device or socket, not a file"

# A site without a file for a channel.
rm -rf "$T/one" && cp -r "$T/good" "$T/one"
sed -i 's/A02_1_ER.tif,images/,/' "$T/one/load_data.csv"
exits "a missing channel: the plate goes on" 0 run "$T/one/screen.yaml"
has "a missing channel: warned of" "$T/err" "A02 site 1: ER no file is named for this channel"
"$SHOW" "$T"/one/work/tiles/*.h5 > "$T/show"
has "a missing channel: in the rejects" "$T/show" "reject A02 1 ER"

# A path that no file system takes costs its site.
for n in 300 5000; do
    rm -rf "$T/one" && cp -r "$T/good" "$T/one"
    sed -i "s/A02_1_ER.tif,images/$(printf "%0${n}d" 7).tif,images/" "$T/one/load_data.csv"
    exits "a name of $n characters: the plate goes on" 0 run "$T/one/screen.yaml"
    [ $n -gt 1000 ] || has "a name of $n characters: warned of" "$T/err" "File name too long"
    "$SHOW" "$T"/one/work/tiles/*.h5 > "$T/show"
    has "a name of $n characters: in the rejects" "$T/show" "reject A02 1 ER"
    same "a name of $n characters: the other seven sites are there" "$(grep -c '^A' "$T/show")" 7
done

# An all-zero image keeps its tile and is flagged.
rm -rf "$T/z" && cp -r "$T/good" "$T/z"
"$MAKE_TIFF" "$T/z/images/A02_1_ER.tif" 70 64 1 zero
exits "an all-zero image: the plate goes on" 0 run "$T/z/screen.yaml"
has "an all-zero image: warned of" "$T/err" "images that are all zero: 1, the first: A02 site 1, ER"
"$SHOW" "$T"/z/work/tiles/*.h5 > "$T/show"
has "an all-zero image: its site is flagged (zero, focus, sd)" "$T/show" "A02 1 0 13"

# What is read with a warning: MinIsWhite, an orientation, floats that need a scale.
rm -rf "$T/w" && cp -r "$T/good" "$T/w"
"$MAKE_TIFF" "$T/w/images/A02_1_ER.tif" 70 64 1 white
"$MAKE_TIFF" "$T/w/images/A03_1_ER.tif" 70 64 1 turned
for f in "$T"/w/images/*_Mito.tif; do "$MAKE_TIFF" "$f" 70 64 ${#f} unit; done
exits "odd images: the plate goes on" 0 run "$T/w/screen.yaml"
has "MinIsWhite: said" "$T/err" "images that were inverted, because 0 is white in them (MinIsWhite): 1, the first: A02 site 1, ER"
has "an orientation: said" "$T/err" "images with an orientation tag, read as stored: 1, the first: A03 site 1, ER, orientation 3"
has "floats of 0..1: said" "$T/err" " become at most 0 with tile.input_scale 1; tile.input_scale: 65535 would fit"
exits "floats of 0..1, with the scale" 0 run "$T/w/screen.yaml" --set tile.input_scale=65535
hasnt "floats of 0..1, with the scale: no warning" "$T/err" "would fit"
exits "floats of 0..1, clipped" 0 run "$T/w/screen.yaml" --set tile.input_scale=100000000
has "clipped floats: said" "$T/err" "Mito: 100 % of the pixels are above 65535 with tile.input_scale 1e+08; tile.input_scale: 65535 would"

# Two channels the same.
rm -rf "$T/s" && cp -r "$T/good" "$T/s"
cp "$T/s/images/A03_2_DNA.tif" "$T/s/images/A03_2_Mito.tif"
exits "identical channels: the plate goes on" 0 run "$T/s/screen.yaml"
has "identical channels: warned of" "$T/err" "images identical to another channel of their site: 1, the first: A03 site 2, DNA and Mito"

# More than max_bad.
rm -rf "$T/m" && cp -r "$T/good" "$T/m"
for s in A01_1 A02_2 A03_1; do : > "$T/m/images/${s}_DNA.tif"; done
for N in 1 2; do
    exits "too many bad sites, $N ranks: exit 1" 1 run "$T/m/screen.yaml"
    has "too many bad sites, $N ranks: says how many" "$T/err" "3 of 8 sites have a bad image, more than tile.max_bad = 0.25 allows"
    same "too many bad sites, $N ranks: one error" "$(grep -c 'error:' "$T/err")" 1
    same "too many bad sites, $N ranks: no file" "$(files "$T/m/work/tiles")" ""
done
N=1
rm -f "$T"/m/images/*
exits "all files missing: exit 1" 1 run "$T/m/screen.yaml"

# Tables and configuration.
bad() { # CASE STATUS TEXT COMMAND
    rm -rf "$T/b" && cp -r "$T/good" "$T/b"
    (cd "$T/b" && eval "$4")
    N=2 exits "$1: exit $2" "$2" run "$T/b/screen.yaml"
    has "$1: says so" "$T/err" "$3"
    same "$1: no file" "$(files "$T/b/work/tiles")" ""
}
bad "a duplicate site" 1 "load_data.csv:10" 'sed -n 9p load_data.csv >> load_data.csv'
bad "a well Z99" 1 "Z99" 'sed -i "s/P1,A03,1/P1,Z99,1/" load_data.csv'
bad "a CSV without its column" 1 "Metadata_Well" 'sed -i "1s/Metadata_Well/Metadata_Wall/" load_data.csv'
bad "an unknown key" 2 "did you mean 'size'" 'sed -i "s/size: 32/sise: 32/" screen.yaml'
bad "a value out of range" 2 "screen.yaml:2: " 'sed -i "s/size: 32/size: 3/" screen.yaml'
exits "an unknown plate: exit 2" 2 run "$T/good/screen.yaml" --plate P7
has "an unknown plate: says so" "$T/err" "P7"
exits "no such configuration: exit 2" 2 run "$T/none.yaml"
exits "a preview of no plate: exit 2" 2 run "$T/good/screen.yaml" --preview "$T/p.png" --plate P1 --plate P1

# Names with spaces, quotes, UTF-8 and ..
odd="$T/a 'plate' \"with\" Größe & 表"
mkdir -p "$odd" && cp -r "$T/good/." "$odd/"
mv "$odd/images" "$odd/bild er"
cp "$T/good/load_data.csv" "$odd/load_data.csv" && sed -i 's/,images/,x\/..\/bild er/g' "$odd/load_data.csv" && mkdir "$odd/x"
exits "spaces, quotes, UTF-8 and .. in names" 0 run "$odd/screen.yaml"
sed -i 's/^P1,/"P 1 ""ä"" \/..",/' "$odd/load_data.csv" "$odd/well.csv"
exits "a plate with a name full of them" 0 run "$odd/screen.yaml"
same "their file stays in its folder" "$(ls "$odd/work/tiles" | wc -l)" 2

# No room, no right.
if [ "$(id -u)" = 0 ] && mkdir "$T/small" && mount -t tmpfs -o size=40k tmpfs "$T/small" 2>/dev/null; then
    for N in 1 2; do
        exits "a full disk, $N ranks: exit 1" 1 run "$T/good/screen.yaml" --set "screen.work=$T/small/work"
        same "a full disk, $N ranks: no file" "$(files "$T/small/work/tiles")" ""
        exits "a full scratch, $N ranks: exit 1" 1 run "$T/good/screen.yaml" --set "screen.work=$T/w2" --set tile.memory=1MiB --set \
            tile.size=512 --set "tile.scratch=$T/small"
        has "a full scratch, $N ranks: says what to do" "$T/err" "tile.scratch names another folder"
    done
    umount "$T/small"
else
    skip "a full disk" "no right to mount a tmpfs"
fi
N=1
tile_screen "$T/few" 3 1 70 64
exits "few sites: tiled" 0 run "$T/few/screen.yaml"
has "few sites: a warning, with what to set" "$T/err" "its illumination is learned from 3 sites: the objects of one leave ghosts"
has "few sites: what to set" "$T/err" "set tile.illumination: none, or file"
exits "few sites: no warning without a correction" 0 run "$T/few/screen.yaml" --set tile.illumination=none
not_ok "... nothing is said" grep -q illumination "$T/err"
tile_screen "$T/middle" 3 2 70 64 middle
exits "objects in the middle: tiled" 0 run "$T/middle/screen.yaml"
has "objects in the middle: a warning" "$T/err" "times as bright in the middle as at its edges"
exits "objects anywhere" 0 run "$T/good/screen.yaml" --set screen.work=w4
not_ok "... are nothing to warn of" grep -q illumination "$T/err"
exits "a file size limit: exit 1" 1 bash -c \
    "ulimit -f 200; '$BIN/micon-tile' '$T/good/screen.yaml' --set screen.work=w3 --set tile.size=128"
same "a file size limit: no file" "$(files "$T/good/w3/tiles")" ""
: > "$T/good/file"
exits "a work folder that is a file: exit 1" 1 run "$T/good/screen.yaml" --set screen.work=file
tap_done

#!/usr/bin/env bash
# run: limit=240
# micon-tile: the same bytes from any number of ranks and with any memory, finished files kept, what has changed computed again, the
# preview, real images.
. "$(dirname "$0")/../tap.sh"
. "$ROOT/tests/tile_screen.sh"
tile_screen "$T/s" 3 3 70 64 deflate
S=$T/s FILE=tiles/S1__s__P1.h5
run() { mpi "${N:-1}" "$BIN/micon-tile" "$@"; }
differ() { ! cmp -s "$1" "$2"; }
sum() { sha256sum < "$1" | cut -d' ' -f1; }

# Any number of ranks, also more than sites; any memory.
for N in 1 2 3 4; do
    exits "$N ranks" 0 run "$S/screen.yaml" --set screen.work="w$N"
    same "$N ranks: the same bytes" "$(sum "$S/w$N/$FILE")" "$(sum "$S/w1/$FILE")"
done
mkdir "$S/wi.index"
N=3
exits "the index cannot be kept: three ranks get it from rank 0" 0 run "$S/screen.yaml" --set screen.work=wi
has "said" "$T/err" "the index is not cached"
same "and make the same bytes" "$(sum "$S/wi/$FILE")" "$(sum "$S/w1/$FILE")"
N=1
"$MAKE_TIFF" "$S/images/A02_2_ER.tif" 60 60 1   # a reject in the middle
for N in 1 3 11; do
    exits "with a reject, $N ranks" 0 run "$S/screen.yaml" --set screen.work="r$N"
    same "with a reject, $N ranks: the same bytes" "$(sum "$S/r$N/$FILE")" "$(sum "$S/r1/$FILE")"
done
for N in 1 2; do
    exits "squares spooled, $N ranks" 0 run "$S/screen.yaml" --set screen.work="b$N" --set tile.size=384 --set tile.memory=1MiB
    exits "squares in memory, $N ranks" 0 run "$S/screen.yaml" --set screen.work="m$N" --set tile.size=384
    same "spooled or not, $N ranks: the same tiles" "$($SHOW "$S/b$N/$FILE" | sha256sum)" "$($SHOW "$S/m$N/$FILE" | sha256sum)"
done
export NODE_LOCAL=$T/local
mkdir "$T/local"
spooled() { run "$S/screen.yaml" --set screen.work=l1 --set tile.size=384 --set tile.memory=1MiB --set tile.scratch="$1"; }
exits "spooled into a folder of the job" 0 spooled '$NODE_LOCAL'
same "the same tiles" "$($SHOW "$S/l1/$FILE" | sha256sum)" "$($SHOW "$S/m1/$FILE" | sha256sum)"
rm -r "$T/local" "$S/l1"
: >"$T/local"
exits "which is no folder" 1 spooled '$NODE_LOCAL'
has "it was that one" "$T/err" "$T/local"
exits "a variable that is not set" 2 spooled '$NO_SUCH_VARIABLE'
has "is named" "$T/err" 'tile.scratch: $NO_SUCH_VARIABLE is not set where this program runs'
same "nothing of the spool is left" "$(find "$S" -name '*spool*' -o -name '*.part.*')" ""
N=2

# Up to date, or not.
exits "a finished plate is skipped" 0 run "$S/screen.yaml" --set screen.work=w2
has "a plate with a changed input is computed again" "$T/err" "8 of 9 sites"
exits "a second time" 0 run "$S/screen.yaml" --set screen.work=w2
has "a second time: up to date" "$T/err" "up to date"
killed() { sed -i 's/"state": "done"/"state": "running"/; s/"pid": [0-9]*/"pid": 4194305/' "$1"; }
killed "$S"/w2/status/tile/*.json
exits "a later try that was killed: status says so" 1 "$BIN/micon" status "$S/screen.yaml" --set screen.work=w2
exits "the plate is up to date for all that" 0 run "$S/screen.yaml" --set screen.work=w2
exits "and status too is content" 0 "$BIN/micon" status "$S/screen.yaml" --set screen.work=w2
before=$(stat -c %Y.%i "$S/w2/$FILE")
touch "$S"/images/*.tif
exits "touched inputs" 0 run "$S/screen.yaml" --set screen.work=w2
has "touched inputs: up to date, the bytes are the same" "$T/err" "up to date"
same "touched inputs: the file is the same" "$(stat -c %Y.%i "$S/w2/$FILE")" "$before"
"$MAKE_TIFF" "$S/images/A03_3_DNA.tif" 70 64 99 deflate
exits "a changed image" 0 run "$S/screen.yaml" --set screen.work=w2
has "a changed image: computed again" "$T/err" "8 of 9 sites"
sed -i 's/P1,A02,C2/P1,A02,C9/' "$S/well.csv"
exits "a changed compound" 0 run "$S/screen.yaml" --set screen.work=w2
has "a changed compound: computed again" "$T/err" "8 of 9 sites"
exits "another low" 0 run "$S/screen.yaml" --set screen.work=w2 --set tile.percentile_low=1
has "another low: computed again" "$T/err" "8 of 9 sites"
exits "--set back, --verify" 0 run "$S/screen.yaml" --set screen.work=w2 --set tile.percentile_low=1 --verify
has "--verify: up to date" "$T/err" "up to date"
exits "--force" 0 run "$S/screen.yaml" --set screen.work=w2 --set tile.percentile_low=1 --force
has "--force: computed again" "$T/err" "8 of 9 sites"
rm "$S"/w2/status/tile/*
exits "without its records" 0 run "$S/screen.yaml" --set screen.work=w2 --set tile.percentile_low=1
has "without its records: up to date" "$T/err" "up to date"
same "without its records: they are back" "$(ls "$S/w2/status/tile" | tr '\n' ' ')" "S1__s__P1.inputs S1__s__P1.made "
head -c 5000 "$S/w2/$FILE" > "$T/half" && cp "$T/half" "$S/w2/$FILE"
exits "a damaged tile file" 0 run "$S/screen.yaml" --set screen.work=w2 --set tile.percentile_low=1
has "a damaged tile file: computed again" "$T/err" "8 of 9 sites"

# The preview.
exits "--preview" 0 run "$S/screen.yaml" --set screen.work=w2 --set tile.percentile_low=1 --plate P1 --preview "$T/p.png"
same "--preview: a PNG" "$(head -c 8 "$T/p.png" | od -An -tx1 | tr -d ' ')" "89504e470d0a1a0a"
preview() { "$BIN/micon" preview "$S/screen.yaml" --set screen.work=w2 --set tile.percentile_low=1 -o "$T/q.png" "$@"; }
side() { od -An -j"$2" -N4 -tu1 "$1" | awk '{print (($1 * 256 + $2) * 256 + $3) * 256 + $4}'; }
exits "micon preview" 0 preview --plate P1
ok "micon preview: the same picture" cmp "$T/p.png" "$T/q.png"
exits "micon preview: a channel in a colour" 0 preview --plate P1 --channel ER=ff8000
ok "micon preview: another picture" differ "$T/p.png" "$T/q.png"
exits "micon preview: outlines of cells" 0 preview --plate P1 --channel DNA --channel ER=orange --outlines --pixel 0.5 \
    --set cells.cell_channel=Mito
same "micon preview: wells twice as large" "$(side "$T/q.png" 16)" "$(($(side "$T/p.png" 16) * 2 - 4 * 4))"
exits "micon preview: no such channel" 2 preview --plate P1 --channel nope
has "micon preview: said" "$T/err" "--channel: the plate has no channel 'nope'; it has DNA"
exits "micon preview: no such colour" 2 preview --plate P1 --channel ER=blu
exits "micon preview: outlines without their channel" 2 preview --plate P1 --outlines
has "micon preview: names it" "$T/err" "cells.cell_channel: the screen has no channel"
exits "micon preview: of no plate" 2 preview
exits "how to draw nothing" 2 run "$S/screen.yaml" --set screen.work=w2 --plate P1 --outlines

# Several plates, one of them bad; channels that changed places on one.
mkdir "$T/two"
cp -r "$S/images" "$T/two/"
rm "$T/two/images/A02_2_ER.tif" && "$MAKE_TIFF" "$T/two/images/A02_2_ER.tif" 70 64 1
k=0; for f in "$T"/two/images/*Mito*; do "$MAKE_TIFF" "$f" 70 64 $((k += 1)) u8; done
for p in P1 P2 P3; do
    sed "1d;s/^P1/$p/" "$S/load_data.csv" > "$T/rows"
    if [ $p = P3 ]; then sed -i 's/_DNA.tif/_Mitx.tif/;s/_Mito.tif/_DNA.tif/;s/_Mitx.tif/_Mito.tif/' "$T/rows"; fi
    cat "$T/rows" >> "$T/two/all"
    sed "1d;s/^P1/$p/" "$S/well.csv" >> "$T/two/wells"
done
{ head -n 1 "$S/load_data.csv"; cat "$T/two/all"; } > "$T/two/load_data.csv"
{ head -n 1 "$S/well.csv"; cat "$T/two/wells"; } > "$T/two/well.csv"
cp "$S/screen.yaml" "$T/two/"
exits "three plates" 0 run "$T/two/screen.yaml"
has "three plates: the exchanged channels are seen" "$T/err" "two/P3: channel DNA looks like Mito of the other plates"
hasnt "three plates: ER is where it was" "$T/err" "channel ER looks"
hasnt "three plates: the others are not blamed" "$T/err" "two/P1: channel"
exits "three plates, one by name" 0 run "$T/two/screen.yaml" --plate P2 --force
sed -i 's/^P2,A01,1,A01_1_DNA.tif/P2,A01,1,gone.tif/;s/^P2,A01,2,A01_2_DNA.tif/P2,A01,2,gone.tif/
    s/^P2,A02,1,A02_1_DNA.tif/P2,A02,1,gone.tif/' "$T/two/load_data.csv"
exits "a bad plate among three: exit 1" 1 run "$T/two/screen.yaml" --force --set screen.work=w3
has "a bad plate among three: said" "$T/err" "1 of 3 plates failed, the others are done"
same "a bad plate among three: the others are there" "$(ls "$T/two/w3/tiles" | tr '\n' ' ')" "S1__two__P1.h5 S1__two__P3.h5 "

# Pages.
mkdir -p "$T/pg/images"
for w in A01 A02; do "$MAKE_TIFF" "$T/pg/images/$w.tif" 70 64 $((10#${w#A} * 7)) pages; done
{ echo -n "Metadata_Plate,Metadata_Well,Metadata_Site,FileName_OrigDNA,PathName_OrigDNA,"
  echo "FileName_OrigER,PathName_OrigER,FileName_OrigMito,PathName_OrigMito"
  for w in A01 A02; do echo "P1,$w,1,$w.tif,images,$w.tif,images,$w.tif,images"; done; } > "$T/pg/load_data.csv"
cp "$S/well.csv" "$S/screen.yaml" "$T/pg/"
exits "5 pages for 3 channels: exit 1" 1 run "$T/pg/screen.yaml" --set tile.pages=channels
has "5 pages for 3 channels: says so" "$T/err" "has 5 pages for 3 channels; columns Frame_<channel> name the pages to read"
sed -i '1s/$/,Frame_DNA,Frame_ER,Frame_Mito/;2,$s/$/,0,1,2/' "$T/pg/load_data.csv"
exits "pages: channels" 0 run "$T/pg/screen.yaml" --set tile.pages=channels
"$SHOW" "$T"/pg/work/tiles/*.h5 > "$T/pages.txt"
mkdir -p "$T/sp/images"
for w in 1 2; do for c in 0 1 2; do "$MAKE_TIFF" "$T/sp/images/A0${w}_$c.tif" 70 64 $((w * 7 + c)); done; done
{ head -n 1 "$T/pg/load_data.csv" | cut -d, -f 1-9
  for w in A01 A02; do echo "P1,$w,1,${w}_0.tif,images,${w}_1.tif,images,${w}_2.tif,images"; done; } > "$T/sp/load_data.csv"
cp "$S/well.csv" "$S/screen.yaml" "$T/sp/"
exits "the same as single files" 0 run "$T/sp/screen.yaml"
"$SHOW" "$T"/sp/work/tiles/*.h5 > "$T/single.txt"
ok "page k is channel k" diff "$T/pages.txt" "$T/single.txt"
exits "pages: channels, a second time" 0 run "$T/pg/screen.yaml" --set tile.pages=channels
has "pages: channels, a second time: up to date" "$T/err" "up to date"

# Stacks: each channel's five planes in a file, of which plane 3 has the seeds of the single files.
mkdir -p "$T/zs/images"
for w in 1 2; do for c in 0 1 2; do "$MAKE_TIFF" "$T/zs/images/A0${w}_$c.tif" 70 64 $((w * 7 + c - 2)) pages; done; done
cp "$S/well.csv" "$S/screen.yaml" "$T/sp/load_data.csv" "$T/zs/"
exits "a stack without tile.z: exit 1" 1 run "$T/zs/screen.yaml"
has "a stack without tile.z: says so" "$T/err" "of the planes of a stack tile.z makes one image"
exits "a stack without tile.z: check" 1 "$BIN/micon" check "$T/zs/screen.yaml" --set train.method=simclr
has "a stack without tile.z: check says so" "$T/out" "of the planes of a stack tile.z makes one image"
exits "a stack with tile.z: check" 0 "$BIN/micon" check "$T/zs/screen.yaml" --set train.method=simclr --set tile.z=middle
for z in 3 middle max mean; do
    exits "tile.z: $z" 0 run "$T/zs/screen.yaml" --set tile.z=$z --set screen.work=$z
    "$SHOW" "$T"/zs/$z/tiles/*.h5 > "$T/z_$z.txt"
done
exits "another tile.z: computed again" 0 run "$T/zs/screen.yaml" --set tile.z=max --set screen.work=3
hasnt "another tile.z: not up to date" "$T/err" "up to date"
ok "tile.z: middle is plane 3 of 5" diff "$T/z_3.txt" "$T/z_middle.txt"
not_ok "the maximum is another image" cmp -s "$T/z_max.txt" "$T/z_middle.txt"
not_ok "the mean is another image than the maximum" cmp -s "$T/z_max.txt" "$T/z_mean.txt"
exits "plane 3 as single files" 0 run "$T/sp/screen.yaml" --set screen.work=again
"$SHOW" "$T"/sp/again/tiles/*.h5 > "$T/single.txt"
ok "tile.z: 3 is plane 3" diff "$T/z_3.txt" "$T/single.txt"
exits "micon-measure: planes too" 0 mpi 1 "$BIN/micon-measure" "$T/zs/screen.yaml" --set tile.z=max --set cells.nuclei_channel=DNA \
    --set cells.cell_channel=ER
# The same planes as files of their own, a row a plane.
mkdir -p "$T/zf/images"
{ sed 's/$/,Z/;q' "$T/sp/load_data.csv"
  for w in 1 2; do for z in 5 4 3 2 1; do
      line="P1,A0$w,1"
      for c in 0 1 2; do
          "$MAKE_TIFF" "$T/zf/images/$w$z$c.tif" 70 64 $((w * 7 + c + z - 3))
          line="$line,$w$z$c.tif,images"
      done
      echo "$line,$z"
  done; done; } > "$T/zf/load_data.csv"
cp "$S/well.csv" "$S/screen.yaml" "$T/zf/"
exits "planes as files without tile.z: check" 1 "$BIN/micon" check "$T/zf/screen.yaml" --set train.method=simclr
has "planes as files without tile.z: check says so" "$T/out" "; tile.z makes one image of the planes of Z"
for z in middle max mean 4; do
    exits "planes as files, $z: check" 0 "$BIN/micon" check "$T/zf/screen.yaml" --set train.method=simclr --set tile.z=$z
    exits "planes as files, $z" 0 run "$T/zf/screen.yaml" --set tile.z=$z --set screen.work=$z
    "$SHOW" "$T"/zf/$z/tiles/*.h5 > "$T/f_$z.txt"
    [ $z = 4 ] || ok "the same as pages, $z" diff "$T/f_$z.txt" "$T/z_$z.txt"
done
N=1 exits "planes as files: on one rank" 0 run "$T/zf/screen.yaml" --set tile.z=max --set screen.work=one
same "planes as files: the same bytes" "$(sum "$(echo "$T"/zf/one/tiles/*.h5)")" "$(sum "$(echo "$T"/zf/max/tiles/*.h5)")"
exits "planes as files, a second time" 0 run "$T/zf/screen.yaml" --set tile.z=max --set screen.work=max
has "planes as files, a second time: up to date" "$T/err" "up to date"
measured=(mpi 2 "$BIN/micon-measure" "$T/zf/screen.yaml" --set tile.z=max --set cells.nuclei_channel=DNA --set cells.cell_channel=ER)
exits "planes as files: micon-measure" 0 "${measured[@]}"
exits "planes as files: micon-measure, a second time" 0 "${measured[@]}"
has "planes as files: micon-measure: up to date" "$T/err" "up to date"
"$MAKE_TIFF" "$T/zf/images/141.tif" 70 64 99
exits "a changed plane" 0 run "$T/zf/screen.yaml" --set tile.z=max --set screen.work=max
hasnt "a changed plane: computed again" "$T/err" "up to date"
exits "a changed plane: micon-measure" 0 "${measured[@]}"
hasnt "a changed plane: measured again" "$T/err" "up to date"
rm "$T/zf/images/141.tif"
exits "a plane that is gone: exit 1" 1 run "$T/zf/screen.yaml" --set tile.z=max --set screen.work=gone
has "a plane that is gone: named" "$T/err" "images/141.tif"

exits "a plane that is not there: exit 1" 1 run "$T/zs/screen.yaml" --set tile.z=6
has "a plane that is not there: says so" "$T/err" "tile.z asks for plane 6 of 5"

# Memory: a plate of eight times the sites takes no more of it, once the squares are spooled.
tile_screen "$T/few" 2 6 300 300 deflate
cp -r "$T/few" "$T/many"
for p in B C D E F G H; do sed "1d;s/^P1,A/P1,$p/" "$T/few/load_data.csv"; done >> "$T/many/load_data.csv"
for p in B C D E F G H; do sed "1d;s/^P1,A/P1,$p/;s/DMSO/C/" "$T/few/well.csv"; done >> "$T/many/well.csv"
PEAK=$ROOT/build/release/tests/tools/peak
few=$("$PEAK" "$BIN/micon-tile" "$T/few/screen.yaml" --quiet --set tile.memory=4MiB --set tile.size=512)
many=$("$PEAK" "$BIN/micon-tile" "$T/many/screen.yaml" --quiet --set tile.memory=4MiB --set tile.size=512)
all=$("$PEAK" "$BIN/micon-tile" "$T/many/screen.yaml" --force --quiet --set tile.size=512)
echo "# peak KiB: 12 sites $few, 96 sites $many, 96 sites in memory $all"
ok "96 sites need no more memory than 12 (within 4 MiB)" [ "$many" -le $((few + 4096)) ]
ok "kept in memory they need what their squares take" [ "$all" -ge $((many + 100000)) ]
tap_done

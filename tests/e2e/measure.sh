#!/usr/bin/env bash
# run: limit=400
# micon-measure: the same bytes from any number of ranks, finished files kept, changed inputs measured again; rows of sites, cells and wells
# that agree; drawn nuclei found; label images read and refused, of 10,000 cells in bounded memory; two and three channels; the preview.
. "$(dirname "$0")/../tap.sh"
S=$T/s PLATE=source_1__Batch1__S1B01P001 TOOL=$ROOT/build/release/tests/tools MAKE_TIFF=$ROOT/build/release/tests/tools/tiff_make
run() { mpi "${N:-1}" "$BIN/micon-measure" "$S/screen.yaml" --plate S1B01P001 "$@"; }
sum() { sha256sum < "$1" | cut -d' ' -f1; }
FILE=features/micon/$PLATE.h5 CELLS=features/micon/$PLATE.cells.h5
exits "a drawn screen with its masks" 0 "$BIN/micon-simulate" --out "$S" --sources 1 --batches 1 --wells 6 --sites 2 --size 200 \
    --compounds 2 --masks yes
IMAGES=$S/images/$PLATE/Images

# ---- ranks ----
for N in 1 2 3 4; do
    exits "$N ranks" 0 run --set screen.work="w$N" --set measure.cells=yes
    same "$N ranks: the same bytes of sites" "$(sum "$S/w$N/$FILE")" "$(sum "$S/w1/$FILE")"
    same "$N ranks: the same bytes of cells" "$(sum "$S/w$N/$CELLS")" "$(sum "$S/w1/$CELLS")"
done
N=1
agree() { "$TOOL/features_check" "$S/$1/$FILE" "$S/$1/$CELLS" "${2:-200}" > "$T/agree" || { sed 's/^/#   /' "$T/agree"; return 1; }; }
ok "cells in the order of sites and numbers, those at the edge do not count; sites are medians and deviations of the others; wells sums" \
    agree w1
has "of all sites" "$T/agree" "12 sites, "
has "of all wells" "$T/agree" "6 wells, 0 wrong"
has "how many cells there are is said" "$T/err" "cells a site, nuclei of"
same "nothing of the rows kept aside is left" "$(find "$S" -name '.micon-rows*' -o -name '*.part.*')" ""

# ---- up to date ----
exits "a finished plate" 0 run --set screen.work=w1 --set measure.cells=yes
has "is skipped" "$T/err" "up to date"
sed -i 's/"state": "done"/"state": "running"/; s/"pid": [0-9]*/"pid": 4194305/' "$S"/w1/status/measure/*/*.json
state() { "$BIN/micon" status "$S/screen.yaml" --set screen.work=w1 --set measure.cells=yes --set train.method=classical; }
exits "a later try that was killed: status says so" 1 state
exits "the plate is up to date for all that" 0 run --set screen.work=w1 --set measure.cells=yes
exits "and status too is content" 0 state
touch "$IMAGES"/*.tif
exits "touched images" 0 run --set screen.work=w1 --set measure.cells=yes
has "of the same bytes change nothing" "$T/err" "up to date"
exits "--verify" 0 run --set screen.work=w1 --set measure.cells=yes --verify
has "reads all again" "$T/err" "up to date"
exits "another option" 0 run --set screen.work=w1 --set measure.cells=yes --set cells.correction=1.1
hasnt "is not up to date" "$T/err" "up to date"
rm "$S/w1/$CELLS"
exits "the cells' file gone" 0 run --set screen.work=w1 --set measure.cells=yes --set cells.correction=1.1
ok "is made again" test -s "$S/w1/$CELLS"
exits "with an option of tiles alone" 0 run --set screen.work=w2 --set measure.cells=yes --set tile.size=64
has "it stays up to date" "$T/err" "up to date"

# ---- how well nuclei are found ----
for f in "$IMAGES"/*_DNA.tif; do "$TOOL/cells_tool" score "$f" "${f/DNA/NucleiObjects}"; done > "$T/score"
ok "F1 at an overlap of 0.7 is at least 0.95" awk \
    '{t += $1; f += $2; m += $3}
    END {print "# " t " true, " f " found, " m " match: F1 " 2 * m / (t + f); exit !(2 * m / (t + f) >= 0.95)}' "$T/score"
exits "the preview" 0 run --preview "$T/p.png"
has "says what was found" "$T/err" "nuclei above"
exits "the preview of all plates" 0 "$BIN/micon-measure" "$S/screen.yaml" --preview "$T/p2.png"

# ---- label images ----
masks=(--set cells.nuclei_masks=NucleiObjects --set cells.cell_masks=CellsObjects)
for N in 1 2; do exits "label images, $N ranks" 0 run --set screen.work="m$N" "${masks[@]}" --set measure.cells=yes; done
same "the same bytes" "$(sum "$S/m2/$FILE")" "$(sum "$S/m1/$FILE")"
N=1
ok "cells by their labels, sites and wells agree" agree m1
cp "$T/agree" "$T/labels"
site=$IMAGES/A01_s1
cp "${site}_NucleiObjects.tif" "$T/nuclei.tif" && cp "${site}_CellsObjects.tif" "$T/cells.tif"
exits "a preview of label images" 0 run "${masks[@]}" --preview "$T/p.png"
ok "its outlines are theirs, nuclei magenta and cells yellow" "$TOOL/cells_tool" outlines "$T/p.png" 6 22 "$T/nuclei.tif" "$T/cells.tif"
"$TOOL/cells_tool" relabel "$T/nuclei.tif" "${site}_NucleiObjects.tif" tiff32
"$TOOL/cells_tool" relabel "$T/cells.tif" "${site}_CellsObjects.tif" png16
not_ok "a TIFF of 32 bits in place of one of 16" cmp -s "$T/nuclei.tif" "${site}_NucleiObjects.tif"
exits "label images as TIFF of 32 bits and PNG of 16" 0 run --set screen.work=m7 "${masks[@]}" --set measure.cells=yes
agree m7
same "have the same cells and values" "$(cat "$T/agree")" "$(cat "$T/labels")"
cp "$T/nuclei.tif" "${site}_NucleiObjects.tif" && cp "$T/cells.tif" "${site}_CellsObjects.tif"
exits "nuclei's label images alone" 0 run --set screen.work=m3 --set cells.nuclei_masks=NucleiObjects
hasnt "fit their images" "$T/err" "hardly brighter"
swap() { mv "$IMAGES/A01_s1_NucleiObjects.tif" "$T/swap.tif"; mv "$IMAGES/A02_s2_NucleiObjects.tif" "$IMAGES/A01_s1_NucleiObjects.tif"
    mv "$T/swap.tif" "$IMAGES/A02_s2_NucleiObjects.tif"; }
swap
exits "label images of other sites" 0 run --set screen.work=m6 --set cells.nuclei_masks=NucleiObjects
has "are a warning" "$T/err" "2 of 12 sites have label images whose nuclei are hardly brighter than the rest, the first: A01 site 1"
swap
exits "finished" 0 run --set screen.work=m3 --set cells.nuclei_masks=NucleiObjects
has "is skipped" "$T/err" "up to date"
exits "a name that no table has" 1 run --set screen.work=m4 --set cells.nuclei_masks=Nothing
has "says so" "$T/err" "Nothing"
# bad KIND TEXT: the first site's nuclei as such a file; its site is a reject, which max_bad allows or not
bad() {
    exits "$1: a reject" 0 run --force --set screen.work=m5 --set cells.nuclei_masks=NucleiObjects --set tile.max_bad=0.2
    has "$1: is said" "$T/err" "$2"
    has "$1: the others are measured" "$T/err" "11 of 12 sites"
    exits "$1: too many for max_bad" 1 run --force --set screen.work=m5 --set cells.nuclei_masks=NucleiObjects --set tile.max_bad=0.01
    has "$1: too many is said" "$T/err" "tile.max_bad allows a share of 0.01"
}
cp "$IMAGES/A01_s1_NucleiObjects.tif" "$T/keep.tif"
"$MAKE_TIFF" "$IMAGES/A01_s1_NucleiObjects.tif" 60 70 1; bad "a mask of another size" "is 60 x 70 pixels; the site's images are"
"$MAKE_TIFF" "$IMAGES/A01_s1_NucleiObjects.tif" 200 200 1 label_big; bad "label 2^31" \
    "holds the label 2147483648; the largest that is read is 2147483647"
"$MAKE_TIFF" "$IMAGES/A01_s1_NucleiObjects.tif" 200 200 1 label_negative; bad "a negative label" \
    "holds the label -3; labels are 0 (background) or positive"
"$MAKE_TIFF" "$IMAGES/A01_s1_NucleiObjects.tif" 200 200 1 label_half; bad "a label with a fraction" \
    "holds the label 1.5; labels are whole numbers"
echo no > "$IMAGES/A01_s1_NucleiObjects.tif"; bad "no image" "is not a TIFF file"
cp "$T/keep.tif" "$IMAGES/A01_s1_NucleiObjects.tif"

# ---- channels, thresholds ----
exits "no such channel" 2 run --set cells.nuclei_channel=Hoechst
has "names those there are" "$T/err" "cells.nuclei_channel: the screen has no channel 'Hoechst'; it has DNA, ER, RNA, AGP, Mito"
exits "sizes that no nucleus can have" 2 run --set cells.least=50 --set cells.most=20
has "are named" "$T/err" "cells.least (50) is above cells.most (20)"
cp "$IMAGES/A02_s1_RNA.tif" "$T/keep.tif" && cp "$IMAGES/A03_s1_RNA.tif" "$T/keep3.tif"
"$MAKE_TIFF" "$IMAGES/A02_s1_RNA.tif" 200 200 1 turned
"$MAKE_TIFF" "$IMAGES/A03_s1_RNA.tif" 200 200 1 white
N=2 exits "two channels, two images not as the others" 0 run --set screen.work=c2 --set screen.channels=DNA,RNA
has "an orientation: said" "$T/err" "images with an orientation tag, read as stored: 1, the first: A02 site 1, RNA, orientation 3"
has "MinIsWhite: said" "$T/err" "images that were inverted, because 0 is white in them (MinIsWhite): 1, the first: A03 site 1, RNA"
mv "$T/keep.tif" "$IMAGES/A02_s1_RNA.tif" && mv "$T/keep3.tif" "$IMAGES/A03_s1_RNA.tif"
exits "cells at the edge too" 0 run --set screen.work=c1 --set screen.channels=DNA,RNA --set measure.border=yes --set measure.cells=yes
not_ok "count then, though their nuclei are there" agree c1
has "all of them" "$T/agree" "12 sites, 182 of 182 cells count"
exits "three channels, a rim of 6 pixels, a limit of size among the nuclei" 0 run --set screen.work=c3 --set screen.channels=DNA,AGP,Mito \
    --set cells.grow=distance --set cells.grow_distance=6 --set cells.least=17
has "that limit is a warning, with what to change" "$T/err" "nuclei are hardly larger than cells.least: noise may be counted; cells.smooth"
exits "a threshold that finds nothing" 0 run --set screen.work=e1 --set cells.correction=50
has "is a warning, with what to change" "$T/err" \
    "12 of 12 sites have no cells, the first: A01 site 1; look at --preview: cells.correction below 1 finds more"
exits "a threshold that finds everything" 0 run --set screen.work=e2 --set cells.correction=0.01 --set cells.most=2000
has "is a warning too" "$T/err" \
    "12 of 12 sites are more than half nuclei, the first: A01 site 1; look at --preview: cells.correction above 1 finds less"

# ---- 10,000 cells a site: memory does not grow with the number of sites, a site's cells that are kept do not stay in it ----
B=$T/b BIG=$T/b/images/$PLATE/Images
"$BIN/micon-simulate" --out "$B" --sources 1 --batches 1 --wells 6 --sites 1 --size 32 --compounds 1 --masks yes --quiet
for f in "$BIG"/*_DNA.tif; do "$MAKE_TIFF" "$f" 800 800 1; "$MAKE_TIFF" "${f/DNA/NucleiObjects}" 800 800 1 grid; done
sites() { head -n $(($1 + 1)) "$T/rows" > "$B/images/$PLATE/load_data.csv"; }
cp "$B/images/$PLATE/load_data.csv" "$T/rows"
for n in 1 3; do
    sites $n
    exits "$n sites of 10,000 cells" 0 "$TOOL/peak" "$BIN/micon-measure" "$B/screen.yaml" --quiet --set screen.work="w$n" --set \
        screen.channels=DNA --set cells.nuclei_masks=NucleiObjects --set cells.grow=distance --set cells.grow_distance=1 --set \
        measure.cells=yes
    cp "$T/out" "$T/peak$n"
done
echo "# $(cat "$T/peak1") KiB with one site, $(cat "$T/peak3") with three"
ok "a site more takes less memory than its cells' rows" test $(($(cat "$T/peak3") - $(cat "$T/peak1"))) -lt 20000
S=$B agree w3 800
has "all cells are in the file, none of them left out" "$T/agree" "3 sites, 29403 of 30000 cells count, 3 wells, 0 wrong"
tap_done

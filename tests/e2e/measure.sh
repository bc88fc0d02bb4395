#!/usr/bin/env bash
# run: limit=300
# micon-measure: the same bytes from any number of ranks, finished files kept, changed inputs measured again; drawn nuclei found; label
# images read and refused; two and three channels; the preview.
. "$(dirname "$0")/../tap.sh"
S=$T/s PLATE=source_1__Batch1__S1B01P001 TOOL=$ROOT/build/release/tests/tools MAKE_TIFF=$ROOT/build/release/tests/tools/tiff_make
run() { mpi "${N:-1}" "$BIN/micon-measure" "$S/screen.yaml" --plate S1B01P001 "$@"; }
sum() { sha256sum < "$1" | cut -d' ' -f1; }
FILE=features/micon/$PLATE.h5 CELLS=features/micon/$PLATE.cells.h5
exits "a drawn screen with its masks" 0 "$BIN/micon-simulate" --out "$S" --sources 1 --batches 1 --wells 6 --sites 2 --size 200 \
    --compounds 2 --masks yes
IMAGES=$S/images/$PLATE/Images

# ---- ranks ----
for N in 1 2 3; do
    exits "$N ranks" 0 run --set screen.work="w$N" --set measure.cells=yes
    same "$N ranks: the same bytes of sites" "$(sum "$S/w$N/$FILE")" "$(sum "$S/w1/$FILE")"
    same "$N ranks: the same bytes of cells" "$(sum "$S/w$N/$CELLS")" "$(sum "$S/w1/$CELLS")"
done
N=1
show() { "$TOOL/store_tool" "$@"; }
has "how many cells there are is said" "$T/err" "cells a site, nuclei of"
same "nothing of the rows kept aside is left" "$(find "$S" -name '.micon-rows*' -o -name '*.part.*')" ""

# ---- up to date ----
exits "a finished plate" 0 run --set screen.work=w1 --set measure.cells=yes
has "is skipped" "$T/err" "up to date"
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
ok "is a PNG" sh -c "head -c 4 '$T/p.png' | grep -q PNG"
has "says what was found" "$T/err" "nuclei above"
exits "the preview of all plates" 0 "$BIN/micon-measure" "$S/screen.yaml" --preview "$T/p2.png"

# ---- label images ----
masks=(--set cells.nuclei_masks=NucleiObjects --set cells.cell_masks=CellsObjects)
for N in 1 2; do exits "label images, $N ranks" 0 run --set screen.work="m$N" "${masks[@]}"; done
same "the same bytes" "$(sum "$S/m2/$FILE")" "$(sum "$S/m1/$FILE")"
N=1
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
exits "two channels" 0 run --set screen.work=c2 --set screen.channels=DNA,RNA
exits "three channels, a rim of 6 pixels" 0 run --set screen.work=c3 --set screen.channels=DNA,AGP,Mito --set cells.grow=distance --set \
    cells.grow_distance=6
exits "a threshold that finds nothing" 0 run --set screen.work=e1 --set cells.correction=50
has "is a warning, with what to change" "$T/err" \
    "12 of 12 sites have no cells, the first: A01 site 1; look at --preview: cells.correction below 1 finds more"
exits "a threshold that finds everything" 0 run --set screen.work=e2 --set cells.correction=0.01 --set cells.most=2000
has "is a warning too" "$T/err" \
    "12 of 12 sites are more than half nuclei, the first: A01 site 1; look at --preview: cells.correction above 1 finds less"
tap_done

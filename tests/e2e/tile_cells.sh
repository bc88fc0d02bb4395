#!/usr/bin/env bash
# run: limit=300
# tile.crop: cells: windows around cells with the pixels of the image, the same bytes from any number of ranks, label images, masks, sites
# with fewer cells or none, bad input; what follows (training, also with kept outputs of frozen layers; embedding) takes any number of
# tiles a site.
. "$(dirname "$0")/../tap.sh"
. "$ROOT/tests/tile_screen.sh"
TOOLS=$ROOT/build/release/tests/tools S=$T/s PLATE=source_1__Batch1__S1B01P001
sum() { sha256sum < "$1" | cut -d' ' -f1; }
exits "a drawn screen with its masks" 0 "$BIN/micon-simulate" --out "$S" --sources 1 --batches 2 --wells 6 --sites 2 --size 200 \
    --compounds 2 --masks yes --quiet
printf 'tile:\n  crop: cells\n  size: 48\n  tiles_per_site: 6\n' > "$T/tile" # instead of the drawn screen's section
sed '/^tile:/,/^[a-z]/{/^tile:/d;/^ /d}' "$S/screen.yaml" > "$T/rest" && cat "$T/rest" "$T/tile" > "$S/screen.yaml"
IMAGES=$S/images/$PLATE/Images TILES=tiles/$PLATE.h5
run() {
    local command=("$BIN/micon-tile" "$S/screen.yaml" --plate S1B01P001 "$@")
    if [ "${N:-1}" = 1 ]; then "${command[@]}"; else mpi "$N" "${command[@]}"; fi
}
show() { "$SHOW" "$S/$1/$TILES" > "$T/show"; }

# ---- ranks; up to date ----
for N in 1 2 3 4; do
    exits "$N ranks" 0 run --set screen.work="w$N"
    same "$N ranks: the same bytes" "$(sum "$S/w$N/$TILES")" "$(sum "$S/w1/$TILES")"
done
N=2 exits "beyond tile.memory, illumination none, masks" 0 run --set screen.work=v2 --set tile.memory=1MiB --set tile.mask=cell
N=1 exits "in memory" 0 run --set screen.work=v1 --set tile.mask=cell
same "the same bytes" "$(sum "$S/v2/$TILES")" "$(sum "$S/v1/$TILES")"
exits "a finished plate" 0 run --set screen.work=w1
has "is skipped" "$T/err" "up to date"
exits "its bytes verified" 0 "$BIN/micon" verify "$S/w1/$TILES"
exits "other thresholds" 0 run --set screen.work=w1 --set cells.correction=1
hasnt "are other tiles" "$T/err" "up to date"
exits "whole fields" 0 run --set screen.work=w3 --set tile.crop=square --set tile.tiles_per_site=4
exits "with an option of cells" 0 run --set screen.work=w3 --set tile.crop=square --set tile.tiles_per_site=4 --set cells.correction=1
has "stay up to date" "$T/err" "up to date"

# ---- what tiles hold: the image's own pixels around each cell, stretched ----
# agree WORK [LABELS] : every tile, with nothing but the pixels of its cell where there are label images
agree() {
    local well site cell flag at x y channel crc rest low high n=0 bad=0
    read -r -a low < <(sed -n 's/^low //p' "$T/show"); read -r -a high < <(sed -n 's/^high //p' "$T/show")
    while read -r well site cell flag at x y; do
        for c in 0 1 2 3 4; do
            read -r channel crc rest
            [ $((n++ % 13)) = 0 ] || continue
            [ "$crc" = "$("$TOOLS/cells_tool" window "$IMAGES/${well}_s${site}_$channel.tif" "$x" "$y" 48 "${low[c]}" "${high[c]}" \
                ${1:+"$IMAGES/${well}_s${site}_$1.tif" "$cell"})" ] || { bad=1; echo "#   $well $site $cell $channel at $x $y"; }
        done
    done < <(grep -v -E '^(low|high|reject)' "$T/show")
    [ $bad = 0 ] && [ $n -gt 200 ]
}
plain=(--set tile.illumination=none)
exits "without illumination" 0 run --set screen.work=p1 "${plain[@]}"
show p1
ok "tiles are the image's pixels around the cells" agree
masks=(--set cells.nuclei_masks=NucleiObjects --set cells.cell_masks=CellsObjects)
for N in 1 2; do exits "label images, masks, $N ranks" 0 run --set screen.work="m$N" "${plain[@]}" "${masks[@]}" --set tile.mask=cell; done
same "the same bytes" "$(sum "$S/m2/$TILES")" "$(sum "$S/m1/$TILES")"
N=1
show m1
ok "tiles are the cell's pixels alone, Tile is its label" agree CellsObjects
exits "again" 0 run --set screen.work=m1 "${plain[@]}" "${masks[@]}" --set tile.mask=cell
has "finished" "$T/err" "up to date"
exits "a third of the resolution" 0 run --set screen.work=p2 --set tile.scale=0.3
has "larger windows fit in more rarely" "$T/err" "have no tiles: the windows of all their cells cross the image's edge"
exits "illumination by files that the tables do not name" 1 run --set screen.work=p3 --set tile.illumination=file
has "is said" "$T/err" "name no function for channel"

# ---- sites with fewer cells, or none ----
"$MAKE_TIFF" "$IMAGES/A02_s1_DNA.tif" 200 200 1 zero
exits "a site without nuclei does not spoil the plate" 0 run --force --set screen.work=w1
has "is listed" "$T/err" "1 of 12 sites have no cells, and no tiles, the first: A02 site 1; look at micon-measure --preview"
show w1
same "and has no tiles" "$(grep -c '^A02 1 ' "$T/show")" 0
ok "other sites have as many as there are cells, at most six" awk '/ at / {n[$1 " " $2]++}
    END {for (s in n) {k++; if (n[s] < 6) few++; if (n[s] > 6) bad++}
    exit !(k == 11 && few > 0 && !bad)}' "$T/show"
exits "thresholds that find nothing" 1 run --force --set screen.work=e1 --set cells.correction=50
has "are an error of the plate, with what to change" "$T/err" \
    "no cells on any of its 12 sites; look at micon-measure --preview: cells.correction below 1 finds more"
exits "thresholds that find everything" 0 run --force --set screen.work=e2 --set cells.correction=0.01 --set cells.most=2000
has "are a warning, with what to change" "$T/err" \
    "11 of 12 sites are more than half nuclei, the first: A01 site 1; look at micon-measure --preview: cells.correction above 1 finds less"
exits "a window larger than the image" 1 run --force --set screen.work=e3 --set tile.size=256
has "says its size" "$T/err" "has its window of 256 x 256 pixels inside the image of 200 x 200"

# ---- bad input ----
exits "no such channel" 2 run --set cells.nuclei_channel=Hoechst
has "names those there are" "$T/err" "cells.nuclei_channel: the screen has no channel 'Hoechst'; it has DNA, ER, RNA, AGP, Mito"
exits "a mask without cells" 2 run --set tile.crop=square --set tile.tiles_per_site=4 --set tile.mask=cell
has "is refused" "$T/err" "tile.mask applies to tile.crop: cells only"
cp "$IMAGES/A03_s1_NucleiObjects.tif" "$T/keep.tif"
"$MAKE_TIFF" "$IMAGES/A03_s1_NucleiObjects.tif" 60 70 1
bad=(--force --set screen.work=b1 --set cells.nuclei_masks=NucleiObjects)
exits "a label image of another size: a reject" 0 run "${bad[@]}" --set tile.max_bad=0.2
has "is said" "$T/err" "NucleiObjects.tif is 60 x 70 pixels; the site's images are 200 x 200"
show b1
same "is listed" "$(grep '^reject' "$T/show")" "reject A03 1 NucleiObjects"
exits "more of them than tile.max_bad" 1 run "${bad[@]}" --set tile.max_bad=0.01
has "are too many" "$T/err" "1 of 12 sites have a bad image, more than tile.max_bad = 0.01 allows"
"$MAKE_TIFF" "$IMAGES/A03_s1_NucleiObjects.tif" 200 200 1 label_half
exits "labels with fractions: a reject" 0 run "${bad[@]}" --set tile.max_bad=0.2
has "are said" "$T/err" "holds the label 1.5; labels are whole numbers"
rm "$IMAGES/A03_s1_NucleiObjects.tif"
exits "a missing label image: a reject" 0 run "${bad[@]}" --set tile.max_bad=0.2
has "is said" "$T/err" "No such file"
cp "$T/keep.tif" "$IMAGES/A03_s1_NucleiObjects.tif"
"$MAKE_TIFF" "$IMAGES/B01_s1_RNA.tif" 200 100 1
exits "a channel of another size: a reject" 0 run --force --set screen.work=w1 --set tile.max_bad=0.2
has "is said" "$T/err" "is 200 x 100 pixels; the site's first channel is 200 x 200"

# ---- training and embedding ----
set -- "$S/screen.yaml" --set screen.work=t --set tile.size=32 --set train.steps=2 --set train.batch=4 --set train.dim=20 --set \
    train.projection=8 --set featurize.bits=64 --set split.test_batches=0 --set train.precision=fp32 --set embed.precision=fp32 --set \
    tile.max_bad=0.2
for stage in tile featurize; do exits "$stage" 0 "$BIN/micon-$stage" "$@" --quiet; done
exits "training" 0 "$BIN/micon-train" "$@" --quiet
model() { echo "$S/t/models/$1/model.safetensors"; }
frozen=(--set train.freeze=layer2 --set train.weights="$(model micon)" --set train.augment=none)
exits "outputs of frozen layers kept, 2 ranks" 0 mpi 2 "$BIN/micon-train" "$@" "${frozen[@]}" --set train.run=kept
has "is said" "$T/err" "frozen layers: outputs of"
hasnt "some are" "$T/err" "outputs of 0 tiles"
exits "computed at every step" 0 mpi 2 "$BIN/micon-train" "$@" "${frozen[@]}" --set train.run=none --set train.cache_memory=0
has "none is kept" "$T/err" "outputs of 0 tiles cached"
ok "the same model, byte for byte" cmp "$(model kept)" "$(model none)"
losses() { grep -o '"loss": [0-9.e+-]*' "$S/t/models/$1/log.jsonl"; }
ok "the same losses" test "$(losses kept)" = "$(losses none)" -a -n "$(losses none)"
exits "embedding on one rank" 0 "$BIN/micon-embed" "$@" --plate S1B01P001
E=$S/t/embeddings/micon/$PLATE.h5
one=$(sum "$E")
for N in 2 4; do
    exits "on $N ranks" 0 mpi $N "$BIN/micon-embed" "$@" --plate S1B01P001 --force --quiet
    same "the same bytes" "$(sum "$E")" "$one"
done
exits "the plan" 0 "$BIN/micon" plan "$@" --stage tile,embed
has "sees finished tiles" "$T/out" "up to date"
tap_done

#!/usr/bin/env bash
# run: limit=120
# make_index.sh -- micon index: images named as microscopes name them are tiled without a table written by hand, to the same tiles.
. "$(dirname "$0")/../tap.sh"
cd "$T" || exit 1
export PATH=$BIN:$PATH
exits "a screen is drawn" 0 mpi 1 micon-simulate --out sim --sources 1 --wells 12 --sites 2 --size 48 --compounds 8
C=(DNA ER RNA AGP Mito)

# The same images as an Opera Phenix and as an ImageXpress would name them.
n=0
for f in sim/images/*/Images/*.tif; do
    dir=${f%/Images/*} name=${f##*/}
    plate=${dir##*__} well=${name%%_*} site=${name#*_s} site=${site%%_*} channel=${name##*_} channel=${channel%.tif}
    printf -v row %02d $(($(printf %d "'$well") - 64)); col=${well#?}
    for c in 0 1 2 3 4; do [ "${C[c]}" = "$channel" ] && break; done
    op="op/${plate}__2026-01-02T10_11_12-Measurement 1/Images" ix=ix/$plate/2026-01-02/77/TimePoint_1
    mkdir -p "$op" "$ix"
    cp "$f" "$op/r${row}c${col}f0${site}p01-ch$((c + 1))sk1fk1fl1.tiff"
    printf -v guid 'AAAAAAAA-BBBB-4CCC-8DDD-%012d' $((n += 1))
    cp "$f" "$ix/${plate}_${well}_s${site}_w$((c + 1))$guid.tif"
    echo thumb > "$ix/${plate}_${well}_s${site}_w$((c + 1))_thumb$guid.tif"
done
names=$(for c in 0 1 2 3 4; do printf -- '--channel Ch%d=%s ' $((c + 1)) "${C[c]}"; done)

screen() { # DIR
    sed "s|index: .*|index: $1.csv|; s|work: .*|work: work_$1|; s|metadata/|sim/metadata/|" sim/screen.yaml > "$1.yaml"
}
exits "index of an Operetta's folders" 0 micon index op --out op.csv $names
has "what was found" "$T/out" "240 images: 2 plates, 24 wells, 48 sites; channels: AGP, DNA, ER, Mito, RNA"
has "the first rows" "$T/out" "S1B01P001,A01,1,r01c01f01p01-ch"
exits "index of an ImageXpress's folders, two of them" 0 micon index ix/S1B01P001 ix/S1B02P001 --out ix.csv $names
has "thumbnails are left out" "$T/out" "240 thumbnails left out"
exits "index by a pattern" 0 micon index sim/images --out sim.csv --pattern '{*}__{*}__{plate}/Images/{well}_s{site}_{channel}.tif'
has "by a pattern: the same" "$T/out" "240 images: 2 plates, 24 wells, 48 sites; channels: AGP, DNA, ER, Mito, RNA"
for s in op ix sim; do
    screen $s
    exits "$s: check" 0 micon check $s.yaml
    exits "$s: tiles" 0 mpi 2 micon-tile $s.yaml
done
ls work_op/tiles > a; ls work_ix/tiles > b
ok "the same plates" cmp a b
cat > same.py <<'EOP'
import glob, h5py, numpy as np, os
files = sorted(glob.glob("work_op/tiles/*.h5"))
bad = len(files) != 2
for f in files:
    with h5py.File(f) as a:
        for other in ("work_ix", "work_sim"):
            with h5py.File(other + "/tiles/" + os.path.basename(f)) as b:
                def look(name, x):
                    global bad
                    if name.startswith("tiles") and isinstance(x, h5py.Dataset) and not np.array_equal(x[()], b[name][()]):
                        bad = True; print("#", name)
                a.visititems(look)
raise SystemExit(bad)
EOP
if /usr/bin/python3 -c 'import h5py' 2>/dev/null; then
    ok "the same tiles, whatever the names of the images" /usr/bin/python3 same.py
else
    skip "the same tiles, whatever the names of the images" "python3-h5py is not installed"
fi

# Real exports, where they are there: tiled without a table written by hand. The Operetta's came without its images: others stand in.
S=$SHARED_DATA
real() { # NAME CHANNEL
    printf 'screen: {name: %s, index: %s.csv, channels: ["%s"], work: work_%s, control: none}\n' "$1" "$1" "$2" "$1" > "$1.yaml"
    echo 'tile: {size: 64}' >> "$1.yaml"
    exits "$1: tiles" 0 mpi 1 micon-tile "$1.yaml"
}
if [ -d "$S/tiff_zoo/faim-ipa" ]; then
    exits "index of a real CV8000's measurement" 0 micon index "$S/tiff_zoo/faim-ipa/resources/CV8000" --out cv8.csv
    has "a CV8000: absent images" "$T/out" "95 of its 96 images are not in the folder"
    has "a CV8000: its channels" "$T/out" "Ch1 is 405, BP445/45; Ch2 is 488, BP525/50"
    real cv8 Ch1
    has "a CV8000: tiled" "$T/err" "1 of 1 sites"
    cp -r "$S/tiff_zoo/operetta-compose/tests/operetta_plate" phenix
    chmod -R u+w phenix
    n=0
    for f in $(find "$S/cpjump1/images" -name '*ch5sk1*.tiff' | sort | head -n 2); do
        cp "$f" "phenix/Images/r03c03f0$((n += 1))p01-ch1sk1fk1fl1.tiff"
    done
    exits "index of a real Operetta's export" 0 micon index phenix --out phenix.csv
    has "an Operetta: plate and channel of its index" phenix.csv "Test_Sample_BALL,C03,2,r03c03f02p01"
    has "an Operetta: what was found" "$T/out" "channels: Fluorescein (FITC)"
    real phenix "Fluorescein (FITC)"
    has "an Operetta: tiled" "$T/err" "2 of 2 sites"
else
    skip "real exports" "no ../shared/data/tiff_zoo"
fi

exits "a table that exists is not replaced" 1 micon index op --out op.csv
has "a table that exists: said" "$T/err" "op.csv exists; remove it, or name another file with --out"
exits "nothing that is understood" 1 micon index sim/images --out x.csv
has "nothing that is understood: what to do" "$T/err" "(240 TIFF files, the first is "
not_ok "and no table" test -e x.csv
exits "a channel that is not there" 2 micon index op --out x.csv --channel Ch9=DNA
has "a channel that is not there: said" "$T/err" "'Ch9=DNA': no image has the channel before the '='"
exits "a pattern with a field that there is not" 2 micon index op --out x.csv --pattern '{well}_{colour}.tif'
exits "no folder" 2 micon index
exits "a folder that is not there" 1 micon index nowhere --out x.csv
rm "op/S1B01P001__2026-01-02T10_11_12-Measurement 1/Images/r01c01f01p01-ch1sk1fk1fl1.tiff"
touch op/notes.tif
exits "an image is missing" 0 micon index op --out y.csv $names
has "an image is missing: said" "$T/out" "1 image is missing: not every site has every channel"
has "a name that is not understood" "$T/out" "op/notes.tif"
tap_done

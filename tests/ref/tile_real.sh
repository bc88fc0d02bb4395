#!/usr/bin/env bash
# tile_real NAME DATA OUT : a screen of the real images of DATA (MANIFEST.md there) in the folder OUT. Sourced by tests/e2e/tile_real.sh;
# run with DATA as its argument it makes the reference results anew:  bash tests/ref/tile_real.sh ../shared/data
tile_real() {
    local name=$1 data=$2 out=$3 rows=() channels=() r f w s c line
    case $name in
    cpjump1) # wells from rRRcCC, channel numbers to names
        channels=(Mito AGP RNA ER DNA)
        for f in "$data"/cpjump1/images/*/*-ch1sk1fk1fl1.tiff; do
            r=$(basename "$f"); w=$(printf "\\x$(printf %x $((64 + 10#${r:1:2})))")${r:4:2}
            rows+=("$w $((10#${r:7:2}))$(for c in 1 2 3 4 5; do printf ' %s' "${f/-ch1/-ch$c}"; done)")
        done ;;
    imagexpress)
        channels=(Hoechst ERSyto ERSytoBleed Ph_golgi Mito)
        rows=("A01 1$(for c in "${channels[@]}"; do printf ' %s' "$data/imagexpress_5ch/$c.tif"; done)") ;;
    faim)
        channels=(w1 w2 w3)
        for w in E07 E08; do for s in 1 2; do
            rows+=("$w $s$(for c in "${channels[@]}"; do printf ' %s' "$data"/faim_grid/*_${w}_s${s}_"$c"*.tif; done)")
        done; done ;;
    nf1)
        channels=(DAPI GFP RFP)
        for w in B7_01_%_3 D6_01_%_2; do
            s=0
            rows+=("${w%%_*} 1$(for c in "${channels[@]}"; do s=$((s + 1)); printf ' %s' "$data/nf1_deflate/${w/\%/$s}_${c}_001.tif"; \
                done)")
        done ;;
    esac
    mkdir -p "$out"
    line=Metadata_Plate,Metadata_Well,Metadata_Site
    for c in "${channels[@]}"; do line="$line,FileName_Orig$c,PathName_Orig$c"; done
    echo "$line" > "$out/load_data.csv"
    echo Metadata_Plate,Metadata_Well,Metadata_JCP2022 > "$out/well.csv"
    for r in "${rows[@]}"; do
        read -r w s line <<< "$r"
        w=${w:0:1}$(printf %02d $((10#${w:1})))
        printf 'P1,%s,%s' "$w" "$s" >> "$out/load_data.csv"
        for f in $line; do printf ',%s,%s' "$(basename "$f")" "$(dirname "$f")" >> "$out/load_data.csv"; done
        echo >> "$out/load_data.csv"
        grep -q ",$w," "$out/well.csv" || echo "P1,$w,DMSO" >> "$out/well.csv"
    done
    echo "screen: {name: $name, index: load_data.csv, well: well.csv, channels: [$(IFS=,; echo "${channels[*]}")], control: DMSO}" > \
        "$out/screen.yaml"
}
if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    here=$(cd "$(dirname "$0")" && pwd)
    data=$(cd "$1" && pwd)
    t=$(mktemp -d)
    for name in cpjump1 imagexpress faim nf1; do
        tile_real "$name" "$data" "$t/$name"
        listed=$(sed -n 's/.*channels: \[\(.*\)\], control.*/\1/p' "$t/$name/screen.yaml")
        /usr/bin/python3 "$here/tile_ref.py" "$t/$name/load_data.csv" --channels "$listed" --size 112 > "$here/tile_real_$name.txt"
    done
    rm -r "$t"
fi

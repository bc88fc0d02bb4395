#!/usr/bin/env bash
# tile_screen.sh -- sourced by the tests of micon-tile: makes small screens.
MAKE_TIFF=$ROOT/build/release/tests/tools/tiff_make
SHOW=$ROOT/build/release/tests/tools/tile_show

# tile_screen DIR WELLS SITES WIDTH HEIGHT [KIND] : a plate P1 of 3 channels, its images, tables and screen.yaml (A01 is the control)
tile_screen() {
    local dir=$1 wells=$2 sites=$3 w=$4 h=$5 kind=${6:-u16} n=0 i s c well line
    mkdir -p "$dir/images"
    { echo -n "Metadata_Plate,Metadata_Well,Metadata_Site,FileName_OrigDNA,PathName_OrigDNA,"
      echo "FileName_OrigER,PathName_OrigER,FileName_OrigMito,PathName_OrigMito"; } > "$dir/load_data.csv"
    echo "Metadata_Plate,Metadata_Well,Metadata_JCP2022" > "$dir/well.csv"
    for i in $(seq 1 "$wells"); do
        well=$(printf 'A%02d' "$i")
        echo "P1,$well,$([ "$i" = 1 ] && echo DMSO || echo C$i)" >> "$dir/well.csv"
        for s in $(seq 1 "$sites"); do
            line="P1,$well,$s"
            for c in DNA ER Mito; do
                n=$((n + 1))
                "$MAKE_TIFF" "$dir/images/${well}_${s}_$c.tif" "$w" "$h" "$n" "$kind"
                line="$line,${well}_${s}_$c.tif,images"
            done
            echo "$line" >> "$dir/load_data.csv"
        done
    done
    cat > "$dir/screen.yaml" <<YAML
screen: {name: test, index: load_data.csv, well: well.csv, channels: [DNA, ER, Mito], control: DMSO}
tile: {size: 32, max_bad: 0.25}
YAML
}

#!/usr/bin/env bash
# run: long limit=200
# micon plan on a screen of 150 plates (518,400 sites): the first time within two minutes, with the cached index within two seconds. No image
# is there to be touched.
. tests/tap.sh
unset MICON_BIN
mkdir -p "$T/s" && cd "$T/s" || exit 1
awk 'BEGIN {
    n = split("DNA ER RNA AGP Mito", ch, " ")
    printf "Metadata_Source,Metadata_Batch,Metadata_Plate,Metadata_Well,Metadata_Site,Metadata_JCP2022"
    for (i = 1; i <= n; i++) printf ",FileName_Orig%s,PathName_Orig%s", ch[i], ch[i]
    print ""
    for (s = 0; s < 10; s++) for (p = 0; p < 15; p++) for (w = 0; w < 384; w++) for (k = 1; k <= 9; k++) {
        printf "source_%d,b%d,P%d_%d,%c%02d,%d,JCP2022_%06d", s, p / 5, s, p, 65 + int(w / 24), w % 24 + 1, k, w % 24 ? w : 33924
        for (i = 1; i <= n; i++) printf ",r%df%dc%d.tiff,/data/source_%d/P%d_%d", w, k, i, s, s, p
        print ""
    }
}' >load_data.csv
printf 'screen:\n  index: load_data.csv\n' >screen.yaml
t0=$(date +%s%N); exits "the first plan" 0 "$BIN/micon" plan screen.yaml; t1=$(date +%s%N)
has "150 plates" "$T/out" "150 plates, 518400 sites"
exits "with the cached index" 0 "$BIN/micon" plan screen.yaml; t2=$(date +%s%N)
echo "# first $(((t1 - t0) / 1000000)) ms, then $(((t2 - t1) / 1000000)) ms"
ok "the first within two minutes" [ $((t1 - t0)) -lt 120000000000 ]
ok "the second within two seconds" [ $((t2 - t1)) -lt 2000000000 ]
tap_done

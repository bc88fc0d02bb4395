#!/usr/bin/python3
"""Makes tests/ref/tile_screen: eight small sites in every kind of TIFF, some of them bad.  tile_screen.py OUT
Debian: python3-numpy python3-tifffile python3-pil.  Written once; the files are kept, so that tests need no Python."""
import csv, os, sys
import numpy as np
import tifffile
from PIL import Image

out = sys.argv[1]
os.makedirs(out, exist_ok=True)
H, W = 75, 70
rng = np.random.default_rng(7)
y, x = np.mgrid[0:H, 0:W]
vignette = 1 + 0.6 * np.exp(-((x - 30) ** 2 + (y - 40) ** 2) / 900)


def field(level, blobs):
    a = np.full((H, W), float(level))
    for _ in range(blobs):
        cx, cy, r = rng.uniform(0, W), rng.uniform(0, H), rng.uniform(2, 7)
        a += rng.uniform(0.5, 3) * level * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * r * r))
    return np.floor(np.minimum(a * vignette, 65535) / 8) * 8   # coarse values keep the files small


opts = dict(metadata=None, software=None, photometric="minisblack")
kinds = [dict(compression="zlib"), dict(compression="zlib", byteorder=">"), dict(compression="zlib", tile=(32, 32)),
         dict(compression="zlib", rowsperstrip=9), "lzw", dict(compression="zlib", bigtiff=True), dict(), dict(compression="zlib")]
channels = ["DNA", "ER", "Mito"]
rows = []
for n in range(8):
    well, site = "AB"[n // 4] + "0%d" % (1 + n % 4 // 2), 1 + n % 2
    row = {"Metadata_Plate": "P1", "Metadata_Well": well, "Metadata_Site": site}
    for c, name in enumerate(channels):
        a = field((400, 900, 6000)[c], 12)
        path = "%s_s%d_%s.tif" % (well, site, name)
        row["FileName_Orig" + name], row["PathName_Orig" + name] = path, "images"
        row["FileName_Illum" + name], row["PathName_Illum" + name] = name + ".npy", "illum"
        os.makedirs(out + "/images", exist_ok=True)
        path = out + "/images/" + path
        k = kinds[n]
        if c == 2:                                            # 32-bit float, read with input_scale 1
            a = (a + 0.5).astype(np.float32)
            if n == 3: a[10, 10] = 70000
            tifffile.imwrite(path, a, **opts, compression="zlib")
        elif n == 5 and c == 0:                               # an all-zero image
            tifffile.imwrite(path, np.zeros((H, W), np.uint16), **opts, compression="zlib")
        elif n == 2 and c == 1:                               # partly saturated
            a[:20, :20] = 65535
            tifffile.imwrite(path, a.astype(np.uint16), **opts, **k)
        elif n == 6 and c == 1:                               # truncated
            tifffile.imwrite(path, a.astype(np.uint16), **opts)
            data = open(path, "rb").read(); open(path, "wb").write(data[:5000])
        elif k == "lzw":
            Image.fromarray(a.astype(np.uint16)).save(path, compression="tiff_lzw")
        else:
            tifffile.imwrite(path, a.astype(np.uint16), **opts, **k)
    rows.append(row)
os.makedirs(out + "/illum", exist_ok=True)
for c, name in enumerate(channels):
    np.save(out + "/illum/%s.npy" % name, (vignette ** (c / 2)).astype([np.float64, np.float32, np.float32][c]))
with open(out + "/load_data.csv", "w", newline="") as f:
    w = csv.DictWriter(f, rows[0].keys()); w.writeheader(); w.writerows(rows)
with open(out + "/well.csv", "w") as f:
    f.write("Metadata_Plate,Metadata_Well,Metadata_JCP2022\nP1,A01,DMSO\nP1,A02,C1\nP1,B01,C2\nP1,B02,DMSO\n")
with open(out + "/screen.yaml", "w") as f:
    f.write("screen: {name: ref, index: load_data.csv, well: well.csv, channels: [DNA, ER, Mito], control: DMSO}\n"
            "tile: {size: 32, max_bad: 0.5}\n")

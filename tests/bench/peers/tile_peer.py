#!/usr/bin/python3
"""What one would write in an afternoon: tifffile, skimage's resize, numpy percentiles, h5py.  tile_peer.py load_data.csv OUT.h5 CHANNELS...
One process. Prints CPU seconds without the imports."""
import csv, os, sys, time
import h5py, numpy as np, tifffile
from skimage.transform import resize

table, out, channels = sys.argv[1], sys.argv[2], sys.argv[3:]
here = os.path.dirname(table)
start = time.process_time()
rows = list(csv.DictReader(open(table)))
small = np.empty((len(rows), len(channels), 224, 224), np.float32)
quality = np.empty((len(rows), len(channels), 4), np.float64)
for i, r in enumerate(rows):
    for c, name in enumerate(channels):
        a = tifffile.imread(os.path.join(here, r["PathName_Orig" + name], r["FileName_Orig" + name]))
        h, w = a.shape; n = min(h, w)
        a = a[(h - n) // 2:(h - n) // 2 + n, (w - n) // 2:(w - n) // 2 + n]
        s = resize(a, (224, 224), anti_aliasing=True, preserve_range=True)
        small[i, c] = s
        quality[i, c] = s.mean(), s.std(), (s == 0).mean(), (a == 65535).mean()
tiles = np.empty(small.shape, np.uint8)
for c in range(len(channels)):
    lo, hi = np.percentile(small[:, c], (0.05, 99.95))
    tiles[:, c] = (np.clip((small[:, c] - lo) / (hi - lo), 0, 1) * 255 + 0.5).astype(np.uint8)
with h5py.File(out, "w") as f:
    f.create_dataset("tiles", data=tiles, chunks=(1,) + tiles.shape[1:])
    f["quality"] = quality
print("%.6f" % (time.process_time() - start))

# image_stacks.py -- makes tests/ref/image_stacks/*.tif with tifffile and tests/ref/image_stacks.csv with their projections by numpy, which
# t_image_stack compares ours with. By hand: python3 tests/ref/image_stacks.py (needs tifffile, numpy).
import csv, os
import numpy as np, tifffile

here = os.path.dirname(os.path.abspath(__file__))
out = os.path.join(here, "image_stacks")
os.makedirs(out, exist_ok=True)
rng = np.random.default_rng(1)
rows = []


def add(file, stack, channel):  # stack [z, y, x] of one channel as tifffile reads it back
    s = stack.astype(np.int64)
    views = {"max": s.max(0), "mean": np.floor(s.mean(0) + 0.5).astype(np.int64), "middle": s[(len(s) - 1) // 2]}
    for z, v in views.items():
        mixed = 0
        for x in v.ravel(): mixed = (mixed * 31 + int(x)) % 1000003
        rows.append((file, channel, z, int(v.sum()), mixed))


def make(file, axes, shape, names=None, dtype=np.uint16, **how):
    path = os.path.join(out, file)
    a = rng.integers(0, np.iinfo(dtype).max, size=shape, dtype=dtype)
    meta = {"axes": axes} if axes else {}
    if names: meta["Channel"] = {"Name": names}
    tifffile.imwrite(path, a, metadata=meta or None, **how)
    with tifffile.TiffFile(path) as t:
        got = t.series[0].asarray() if axes else np.stack([p.asarray() for p in t.pages])
        back = t.series[0].axes if axes else "ZYX"
    if "C" not in back: return add(file, got.reshape((-1,) + got.shape[-2:]), -1)
    got = np.moveaxis(got, [back.index(c) for c in "CZYX"], range(4))
    order = [[n.lower() for n in names].index(c) for c in ("dna", "er", "mito")] if names else range(3)
    for k, c in enumerate(order): add(file, got[c], k)


make("plain.tif", None, (4, 7, 10), photometric="minisblack", compression="zlib")
make("imagej_z.tif", "ZYX", (5, 7, 10), imagej=True)
make("imagej_zc.tif", "ZCYX", (2, 3, 7, 10), imagej=True)
make("imagej_8bit.tif", "ZYX", (3, 7, 10), dtype=np.uint8, imagej=True)
make("ome_z.ome.tif", "ZYX", (3, 7, 10), ome=True)
make("ome_czyx.ome.tif", "CZYX", (3, 2, 7, 10), ome=True)
make("ome_zcyx.ome.tif", "ZCYX", (2, 3, 7, 10), ome=True, bigtiff=True)
make("ome_names.ome.tif", "CZYX", (3, 2, 7, 10), names=["Mito", "dna", "ER"], ome=True, compression="lzw", predictor=True)
with open(os.path.join(here, "image_stacks.csv"), "w", newline="") as f:
    w = csv.writer(f, lineterminator="\n")
    w.writerow(("file", "channel", "z", "sum", "mixed"))
    w.writerows(rows)

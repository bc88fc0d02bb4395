#!/usr/bin/python3
"""Reads the real images of ../shared/data with Pillow and prints, per file, width, height, sum, and sum of (index mod 65521) * value:
what tests/unit/t_image.c expects of our reader.  real_images.py DATA > real_images.txt   (Debian: python3-pil python3-numpy)"""
import glob, os, sys
import numpy as np
from PIL import Image

root = sys.argv[1]
for folder in ("cpjump1", "imagexpress_5ch", "faim_grid", "nf1_deflate"):
    for path in sorted(glob.glob(f"{root}/{folder}/**/*.tif*", recursive=True)):
        a = np.array(Image.open(path)).astype(np.uint64)
        weight = np.arange(a.size, dtype=np.uint64) % np.uint64(65521)
        print(os.path.relpath(path, root), a.shape[1], a.shape[0], a.sum(), (a.ravel() * weight).sum())

#!/usr/bin/env python3
"""Counts nuclei of the real images of ../shared/data by scikit-image: Gaussian, Otsu, holes filled, distance transform, watershed,
sizes; with the parameters of micon-measure's defaults, where nuclei are that large.
   cells_counts.py DATA > cells_counts.txt   (needs scikit-image and Pillow)
A line: the file, the number of nuclei, and what differs from the defaults as an option of cells_tool."""
import glob, os, sys
import numpy as np
import scipy.ndimage as ndi
from PIL import Image
from skimage import feature, filters, measure, segmentation

SMOOTH, CORRECTION, LEAST, MOST = 1.0, 0.9, 8, 200
root = sys.argv[1]


def count(image, apart):
    smooth = filters.gaussian(image.astype(float), SMOOTH, preserve_range=True)
    mask = ndi.binary_fill_holes(smooth > CORRECTION * filters.threshold_otsu(smooth))
    height = filters.gaussian(ndi.distance_transform_edt(mask), apart / 4)
    middles = feature.peak_local_max(height, min_distance=apart, labels=measure.label(mask, connectivity=1), exclude_border=False)
    seeds = np.zeros(mask.shape, int)
    seeds[tuple(middles.T)] = np.arange(1, len(middles) + 1)
    area = np.bincount(segmentation.watershed(-height, seeds, mask=mask).ravel())[1:]
    diameter = np.sqrt(4 * area / np.pi)
    return int(((diameter >= LEAST) & (diameter <= MOST)).sum())


IMAGES = (
    ("cpjump1/images/*/*-ch5sk1fk1fl1.tiff", 10),
    ("nf1_deflate/*_DAPI_*.tif", 10),
    ("imagexpress_5ch/Hoechst.tif", 10),
    ("bbbc013/Channel2-*.tif", 10),
    ("faim_grid/*_w1*.tif", 5),  # of 11 pixels: half of that apart
)
for pattern, apart in IMAGES:
    for path in sorted(glob.glob(f"{root}/{pattern}")):
        image = Image.open(path)
        pixels = np.array(image.convert("L") if image.mode == "P" else image)  # the palettes are ramps of grey
        print(os.path.relpath(path, root), count(pixels, apart), *([] if apart == 10 else [f"split_px={apart}"]))

#!/usr/bin/env python3
"""Counts nuclei of the real images of ../shared/data by scikit-image: Gaussian, Otsu, holes filled, distance transform, watershed,
sizes; with the parameters of micon-measure's defaults.   cells_counts.py DATA > cells_counts.txt   (needs scikit-image and Pillow)"""
import glob, os, sys
import numpy as np
import scipy.ndimage as ndi
from PIL import Image
from skimage import feature, filters, measure, segmentation

SMOOTH, CORRECTION, APART, LEAST, MOST = 1.0, 0.9, 10, 8, 200
root = sys.argv[1]


def count(image):
    smooth = filters.gaussian(image.astype(float), SMOOTH, preserve_range=True)
    mask = ndi.binary_fill_holes(smooth > CORRECTION * filters.threshold_otsu(smooth))
    height = filters.gaussian(ndi.distance_transform_edt(mask), APART / 4)
    middles = feature.peak_local_max(height, min_distance=APART, labels=measure.label(mask, connectivity=1), exclude_border=False)
    seeds = np.zeros(mask.shape, int)
    seeds[tuple(middles.T)] = np.arange(1, len(middles) + 1)
    area = np.bincount(segmentation.watershed(-height, seeds, mask=mask).ravel())[1:]
    diameter = np.sqrt(4 * area / np.pi)
    return int(((diameter >= LEAST) & (diameter <= MOST)).sum())


for pattern in ("cpjump1/images/*/*-ch5sk1fk1fl1.tiff", "nf1_deflate/*_DAPI_*.tif", "imagexpress_5ch/Hoechst.tif"):
    for path in sorted(glob.glob(f"{root}/{pattern}")):
        print(os.path.relpath(path, root), count(np.array(Image.open(path))))

#!/usr/bin/python3
"""METHOD section 2 in numpy, written apart from the C code, from a LoadData table: prints what tests/tools/tile_show.c prints of a
tile file. Debian: python3-numpy python3-tifffile python3-pil.  Numbers are printed with 10 digits: sums go in another order here."""
import argparse, csv, math, os, zlib
from collections import Counter
import numpy as np
import tifffile
from PIL import Image

a = argparse.ArgumentParser()
a.add_argument("table"); a.add_argument("--channels", required=True); a.add_argument("--plate")
a.add_argument("--size", type=int, default=224); a.add_argument("--tiles", type=int, default=1)
a.add_argument("--illumination", default="plate"); a.add_argument("--scale", type=float, default=1)
a.add_argument("--low", type=float, default=0.05); a.add_argument("--high", type=float, default=99.95)
a.add_argument("--pages", default="single")
o = a.parse_args()
channels = o.channels.split(",")
g = math.isqrt(o.tiles); T = g * o.size
here = os.path.dirname(os.path.abspath(o.table))


def load(path, page):
    try:
        with tifffile.TiffFile(path) as t:
            if page is None and len(t.pages) != 1: raise ValueError("pages")
            p = t.pages[page or 0]
            if p.samplesperpixel != 1 or p.photometric != 1: raise ValueError("not gray")
            try: x = p.asarray()
            except ValueError as e:
                if "imagecodecs" not in str(e): raise
                x = np.array(Image.open(path))
    except Exception:
        return None
    if x.ndim != 2: return None
    kind = x.dtype.newbyteorder("=").name
    if x.dtype.kind == "f":
        if not np.isfinite(x).all(): return None
        v = np.clip(np.floor(x.astype(float) * o.scale + 0.5), 0, 65535)
        return kind, v.astype(np.int64), float((v == 65535).mean())
    sat = float((x == np.iinfo(x.dtype).max).mean())
    v = np.floor(x.astype(float) * o.scale + 0.5) if x.dtype.itemsize == 4 else x.astype(float)
    return kind, np.clip(v, 0, 65535).astype(np.int64), sat


def weights(L):  # [T, L] whole numbers: overlap of target and source pixels in units of 1 / (L T)
    w = np.zeros((T, L), dtype=object)
    for t in range(T):
        for s in range(t * L // T, ((t + 1) * L - 1) // T + 1):
            w[t, s] = min((t + 1) * L, (s + 1) * T) - max(t * L, s * T)
    return w


def linear(L):
    p = np.clip((np.arange(T) + 0.5) * L / T - 0.5, 0, L - 1)
    i = np.floor(p).astype(int)
    return i, np.minimum(i + 1, L - 1), p - i


def square(x):
    h, w = x.shape; L = min(h, w)
    return x[(h - L) // 2:(h - L) // 2 + L, (w - L) // 2:(w - L) // 2 + L]


def resample(x, real=False):
    x = square(x); L = x.shape[0]
    if L >= T:
        w = weights(L)
        if real: return (w.astype(float) @ x @ w.astype(float).T) / float(L * L)
        s = w.astype(np.int64) @ x @ w.astype(np.int64).T
        return (2 * s + L * L) // (2 * L * L)
    i, j, f = linear(L)
    rows = (1 - f) * x[:, i] + f * x[:, j]
    v = (1 - f)[:, None] * rows[i] + f[:, None] * rows[j]
    return v if real else np.floor(v + 0.5).astype(np.int64)


def smooth(x):
    s = 0.05 * T; r = int(math.floor(4 * s + 0.5)); k = np.exp(-np.arange(-r, r + 1) ** 2 / (2 * s * s)); k /= k.sum()
    for axis in (0, 1):
        p = np.pad(x, [(r, r) if d == axis else (0, 0) for d in (0, 1)], mode="symmetric")
        x = sum(k[i] * np.take(p, range(i, i + T), axis) for i in range(2 * r + 1))
    return x


rows = [r for r in csv.DictReader(open(o.table)) if not o.plate or r["Metadata_Plate"] == o.plate]
rows.sort(key=lambda r: (r["Metadata_Well"], int(r["Metadata_Site"])))
got = []
for r in rows:
    images = []
    for c, name in enumerate(channels):
        path = os.path.join(here, r["PathName_Orig" + name], r["FileName_Orig" + name])
        images.append(load(path, c if o.pages == "channels" else None))
    got.append(images)
size = Counter(im[1].shape for s in got for im in s if im).most_common(1)[0][0]
kinds = [Counter(s[c][0] for s in got if s[c]).most_common(1)[0][0] for c in range(len(channels))]
good = lambda im, c: im is not None and im[1].shape == size and im[0] == kinds[c]
rejects = [(r["Metadata_Well"], r["Metadata_Site"], channels[c]) for r, s in zip(rows, got)
           for c in range(len(channels)) if not good(s[c], c)]
keep = [(r, s) for r, s in zip(rows, got) if all(good(im, c) for c, im in enumerate(s))]
R = np.array([[resample(im[1]) for im in s] for _, s in keep])          # [n, channel, T, T]
zero = np.array([[not im[1].any() for im in s] for _, s in keep])
V = R.copy(); low = []; high = []
for c, name in enumerate(channels):
    use = ~zero[:, c]
    ill = np.ones((T, T))
    if o.illumination == "plate" and use.any():
        m = smooth(R[use, c].sum(0) / use.sum())
        base = np.sort(m.ravel())[math.ceil(0.02 * T * T) - 1]
        ill = np.maximum(m / base, 1)
    elif o.illumination == "file":
        f = rows[0]["FileName_Illum" + name]
        ill = resample(np.load(os.path.join(here, rows[0]["PathName_Illum" + name], f)).astype(float), real=True)
    V[:, c] = np.clip(np.floor(R[:, c] / ill + 0.5), 0, 65535)
    v = np.sort(V[use, c].ravel())
    n = len(v)
    low.append(int(v[max(1, math.ceil(o.low * n / 100)) - 1]) if n else 0)
    high.append(int(v[max(1, math.ceil(o.high * n / 100)) - 1]) if n else 0)
print("low", *low); print("high", *high)
tiles = []
for n, (r, s) in enumerate(keep):
    for t in range(o.tiles):
        y, x = t // g * o.size, t % g * o.size
        per = []
        for c in range(len(channels)):
            q = R[n, c, y:y + o.size, x:x + o.size].astype(float); v = np.clip(V[n, c, y:y + o.size, x:x + o.size], low[c], high[c])
            lap = q[:-2, 1:-1] + q[2:, 1:-1] + q[1:-1, :-2] + q[1:-1, 2:] - 4 * q[1:-1, 1:-1]
            d = high[c] - low[c]
            b = (510 * (v - low[c]) + d) // (2 * d) if d else 0 * v
            per.append((zlib.crc32(b.astype(np.uint8).tobytes()), q.mean(), q.std(), (q == 0).mean(),
                        lap.var() / q.mean() if q.mean() else 0.0, s[c][2], zero[n, c]))
        tiles.append((r["Metadata_Well"], r["Metadata_Site"], t, per))
focus = [np.median([t[3][c][4] for t in tiles]) for c in range(len(channels))]
sd = [np.median([t[3][c][2] for t in tiles]) for c in range(len(channels))]
for well, site, t, per in tiles:
    flag = 0
    for c, (_, _, s, _, f, sat, z) in enumerate(per):
        flag |= (1 if z else 0) | (2 if sat > 0.01 else 0) | (4 if f < 0.2 * focus[c] else 0) | (8 if s < 0.2 * sd[c] else 0)
    print(well, site, t, flag)
    for c, p in enumerate(per): print("  %s %08x mean %.10g sd %.10g zeros %.10g focus %.10g saturated %.10g" % ((channels[c],) + p[:6]))
for r in rejects: print("reject", *r)

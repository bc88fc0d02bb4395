"""profile_numpy.py topk|map WELLS FEATURES -- the steps of bench_profile in numpy and scikit-learn; prints "total SECONDS" at the end.

topk: robust MAD per plate on controls, ZCA from the controls' singular values, cosine top 10 among wells of other batches
      (scikit-learn's brute-force neighbours in float32 for each batch against the rest, the fastest plain way tried; float64 is slower).
map:  the textbook average precision: lists all pairs (compound against itself, compound against the plate's controls), takes their
      cosines pair by pair in batches, sorts each query's list; p-values from 10,000 random orders for each list length.
"""
import sys
import time

import numpy as np

what, n, d = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
real = np.float64 if "float64" in sys.argv else np.float32
rng = np.random.default_rng(1)
well = np.arange(n) % 384
plate = np.arange(n) // 384
batch = plate // 5
control = well < 64
label = np.where(control, -1, (well - 64) % 302)
x = rng.random((n, d), np.float32) - 0.5
x += 0.3 * rng.random((batch.max() + 1, d), np.float32)[batch]
x[~control] += 0.15 * rng.random((302, d), np.float32)[label[~control]]


def step(name, t):
    print(name, round(time.perf_counter() - t, 3), flush=True)
    return time.perf_counter()


start = t = time.perf_counter()
cpu = time.process_time()
if what == "topk":
    from sklearn.neighbors import NearestNeighbors
    t = start = time.perf_counter()  # importing is not counted
    cpu = time.process_time()
    y = np.empty_like(x)
    for p in range(plate.max() + 1):
        here = plate == p
        c = x[here & control]
        med = np.median(c, 0)
        mad = np.median(np.abs(c - med), 0)
        y[here] = (x[here] - med) / (1.4826 * mad + 1e-18)
    t = step("mad", t)
    c = y[control].astype(float)
    mean = c.mean(0)
    _, s, vt = np.linalg.svd(c - mean, full_matrices=False)
    w = vt.T @ np.diag(np.sqrt(len(c) - 1) / (s + 1e-6)) @ vt
    z = ((y - mean) @ w).astype(real)
    t = step("zca", t)
    e, b = z[~control], batch[~control]
    found = np.empty((len(e), 10), int)
    for q in np.unique(b):
        rest = np.flatnonzero(b != q)
        nn = NearestNeighbors(n_neighbors=10, metric="cosine", algorithm="brute").fit(e[rest])
        found[b == q] = rest[nn.kneighbors(e[b == q], return_distance=False)]
    t = step("top_10", t)
else:
    u = x / np.linalg.norm(x, axis=1, keepdims=True)
    treated = np.flatnonzero(~control)
    by_label = [np.flatnonzero(label == c) for c in range(302)]
    by_plate = [np.flatnonzero(control & (plate == p)) for p in range(plate.max() + 1)]

    def cosines(a, b):
        out = np.empty(len(a), np.float32)
        for i in range(0, len(a), 20000):
            out[i:i + 20000] = np.einsum("ij,ij->i", u[a[i:i + 20000]], u[b[i:i + 20000]])
        return out

    pos = [by_label[label[i]][by_label[label[i]] != i] for i in treated]
    neg = [by_plate[plate[i]] for i in treated]
    sp = cosines(np.repeat(treated, [len(v) for v in pos]), np.concatenate(pos))
    sn = cosines(np.repeat(treated, [len(v) for v in neg]), np.concatenate(neg))
    t = step("pairs", t)
    ap, sizes, ip, jn = np.empty(len(treated)), [], 0, 0
    for k in range(len(treated)):
        a, b = sp[ip:ip + len(pos[k])], sn[jn:jn + len(neg[k])]
        ip, jn = ip + len(a), jn + len(b)
        hit = np.concatenate([np.ones(len(a)), np.zeros(len(b))])[np.argsort(-np.concatenate([a, b]), kind="stable")]
        rank = np.flatnonzero(hit) + 1
        ap[k] = np.mean(np.arange(1, len(rank) + 1) / rank)
        sizes.append((len(a), len(a) + len(b)))
    t = step("average_precision", t)
    null = {}
    for m, total in set(sizes):
        rank = np.sort(np.argsort(rng.random((10000, total)), 1)[:, :m], 1) + 1
        null[m, total] = np.mean(np.arange(1, m + 1) / rank, 1)
    lab = label[treated]
    for c in range(302):
        at = np.flatnonzero(lab == c)
        mean = np.mean([null[sizes[i]] for i in at], 0)
        p = (1 + (mean > ap[at].mean()).sum()) / 10001
    t = step("p_values", t)
print("cpu", round(time.process_time() - cpu, 3))
print("total", round(time.perf_counter() - start, 3))

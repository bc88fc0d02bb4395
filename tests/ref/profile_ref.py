#!/usr/bin/env python3
"""profile_ref.py -- the reference numbers of the tests of common/profile, to standard output (stored as profile.txt).

Run with Debian's python3 and numpy, scipy, scikit-learn, pandas; harmonypy 0.0.10, umap-learn 0.5 and copairs 0.5 from PyPI
in a venv:
  /usr/bin/python3 -m venv --system-site-packages V && V/bin/pip install harmonypy==0.0.10 umap-learn copairs
  V/bin/python tests/ref/profile_ref.py > tests/ref/profile.txt
It also writes digits.u8 (1,000 of scikit-learn's 8 x 8 digits) beside itself.
"""
import itertools
import os
import sys
import warnings

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")
HERE = os.path.dirname(os.path.abspath(__file__))
M32 = np.uint64(0xFFFFFFFF)


def philox(ctr, key):
    """ctr [4, n] and key (2) of uint64 holding 32 bits; Philox4x32-10."""
    c0, c1, c2, c3 = [np.array(c, np.uint64) for c in ctr]
    k0, k1 = key
    for _ in range(10):
        a = np.uint64(0xD2511F53) * c0
        b = np.uint64(0xCD9E8D57) * c2
        c0 = (b >> np.uint64(32)) ^ c1 ^ np.uint64(k0)
        c2, c1, c3 = (a >> np.uint64(32)) ^ c3 ^ np.uint64(k1), b & M32, a & M32
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c0, c1, c2, c3


def noise(step, position):
    position = np.asarray(position, np.uint64)
    z = np.zeros_like(position)
    w = philox([z + np.uint64(step), position & M32, position >> np.uint64(32), z], (7, 900))
    total = np.zeros(position.shape)
    for v in w:
        total = total + v.astype(float)
    return total / 4294967296.0 - 2


def words(seed, stream, step, position, count):
    """The first `count` 32-bit words of rng_at(seed, stream, step, position)."""
    blocks = np.arange((count + 3) // 4, dtype=np.uint64)
    z = np.zeros_like(blocks)
    out = philox([z + np.uint64(step), z + np.uint64(position & 0xFFFFFFFF), z + np.uint64(position >> 32), blocks], (seed, stream))
    return np.stack(out, 1).reshape(-1)[:count]


def put(name, values):
    v = np.asarray(values, float).reshape(-1)
    print(name, len(v))
    print("\n".join(" ".join("nan" if np.isnan(a) else repr(float(a)) for a in v[i:i + 10]) for i in range(0, len(v), 10)))


N, D = 480, 31
row = np.arange(N)
plate, well = row // 40, row % 40
batch, source = plate // 2, plate // 6
label = np.where(well < 10, -1, (well - 10 + 7 * plate) % 24)
label = np.where((label == 23) & (source == 1), 24, label)
control, treated = label < 0, label >= 0
col = np.arange(D)
X = noise(0, row[:, None] * D + col) + noise(2, batch[:, None] * D + col)
X = np.where(treated[:, None], X + noise(1, np.maximum(label, 0)[:, None] * D + col), X).astype(np.float32)
MARK = np.array([1 + j % 7 - 0.3 * (j % 5) for j in range(2000)])


def marks(x):
    return np.asarray(x, float) @ MARK[:x.shape[1]]


def unit(x):
    x = np.asarray(x, float)
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


# ---- normalize: plate 3 keeps two controls (falls back to its batch); column 5 stands still on plate 4, column 9 everywhere ----
Y = X.copy()
Y[:, 9] = 3
Y[plate == 4, 5] = 1.5
learn = control & ~((plate == 3) & (well >= 2))
out_mad, out_std = np.zeros((N, D)), np.zeros((N, D))
for p in range(12):
    own = learn & (plate == (p if p != 3 else -1)) if p != 3 else learn & (batch == 1)
    a = Y[own].astype(float)
    med = np.median(a, 0)
    mad = np.median(np.abs(a - med), 0)
    here = plate == p
    out_mad[here] = np.where(mad > 0, (Y[here] - med) / (1.4826 * mad + 1e-18), 0)
    sd = a.std(0)
    out_std[here] = np.where(sd > 1e-9, (Y[here] - a.mean(0)) / np.where(sd > 0, sd, 1), 0)
keep = [j for j in range(D) if j != 9]
put("normalize_mad", marks(out_mad[:, keep]))
put("normalize_standardize", marks(out_std[:, keep]))

# ---- sphere: column 28 repeats column 27; all 120 controls, and 20 of them (fewer rows than columns) ----
Z = X.copy()
Z[:, 28] = Z[:, 27]


def sphere(fit, x, kind):
    fit, x = fit.astype(float), x.astype(float)
    mean, n, d = fit.mean(0), *fit.shape
    sd = fit.std(0) if kind.endswith("cor") else np.ones(d)
    _, s, vt = np.linalg.svd((fit - mean) / sd, full_matrices=True)
    r = int((s > max(n, d) * 2.2e-16 * s[0]).sum())
    v = vt[:r].T
    g = np.sqrt(n - 1) / (s[:r] + 1e-6)
    if kind.startswith("pca"):
        v = v * np.sign(v[np.abs(v).argmax(0), np.arange(r)])
        w = v * g
    else:
        w = v @ np.diag(g) @ v.T + np.sqrt(n - 1) / (s[r - 1] + 1e-6) * (np.eye(d) - v @ v.T)
    return ((x - mean) / sd) @ w


few = np.flatnonzero(control)[:20]
for kind in ["zca", "pca", "zca_cor", "pca_cor"]:
    put("sphere_" + kind, marks(sphere(Z[control], Z, kind)))
    put("sphere_few_" + kind, marks(sphere(Z[few], Z, kind)))
    put("sphere_fit_first3_" + kind, sphere(Z[few], Z, kind)[:3].reshape(-1)[:12])
from sklearn.covariance import ledoit_wolf_shrinkage
put("ledoit_wolf", np.array([ledoit_wolf_shrinkage(X[control].astype(float)), ledoit_wolf_shrinkage(X[few].astype(float))]))
from sklearn.decomposition import PCA
pc = PCA(10, svd_solver="full").fit(X.astype(float))
v = pc.components_ * np.sign(pc.components_[np.arange(10), np.abs(pc.components_).argmax(1)])[:, None]
scores = (X - X.mean(0, dtype=float)) @ v.T
put("components", marks(scores))

# ---- harmony: 12 columns, 6 batches, 8 clusters from given rows, shuffles from Philox stream 10 ----
import harmonypy
import logging
logging.getLogger("harmonypy").setLevel(logging.ERROR)
shuffles = [0]


def shuffle(v):
    w = words(1, 10, shuffles[0], 0, 3 * len(v) + 64).tolist()
    shuffles[0] += 1
    at = 0
    for i in range(len(v) - 1, 0, -1):
        n = i + 1
        while True:
            u = (w[at] << 32) | w[at + 1]
            at += 2
            if u >= (2 ** 64 - n) % n:
                break
        j = u % n
        v[i], v[j] = v[j], v[i]


H = X[:, :12].astype(float)
assert (H.max(1) > 0).all()
U = H / np.linalg.norm(H, axis=1, keepdims=True)
np.random.shuffle = shuffle
ho = harmonypy.run_harmony(H, pd.DataFrame({"b": [str(b) for b in batch]}), "b", theta=2, nclust=8, verbose=False,
                           cluster_fn=lambda data, k: U[::60][:8].copy())
put("harmony", marks(ho.Z_corr.T))
put("harmony_rounds", [len(ho.kmeans_rounds)])

# ---- retrieval on unit rows: not same batch, not same source; treated wells ----
E = unit(X)
S = E.astype(float) @ E.astype(float).T


def chance(n, m, k):
    from math import comb
    return 1 - comb(n - m, k) / comb(n, k)


for name, group in [("nsb", batch), ("nss", source)]:
    first, score, top3, impossible = {}, [], [], 0
    hits, by, ch = np.zeros(10), {}, np.zeros(10)
    for i in np.flatnonzero(treated):
        can = np.flatnonzero(treated & (group != group[i]))
        order = can[np.lexsort((can, -S[i, can]))][:10]
        top3 += list(order[:3])
        match = (label[can] == label[i]).sum()
        if match == 0:
            impossible += 1
            continue
        h = np.cumsum(label[order] == label[i]) > 0
        hits += h
        by.setdefault(label[i], []).append(h)
        ch += [chance(len(can), match, k) for k in range(1, 11)]
    asked = treated.sum() - impossible
    put(name + "_top3", top3)
    put(name + "_hits", hits / asked)
    put(name + "_by_class", np.mean([np.mean(b, 0) for b in by.values()], 0))
    put(name + "_chance", ch / asked)
    put(name + "_impossible", [impossible])
    rank = []
    for i in np.flatnonzero(treated):
        can = np.flatnonzero(treated & (group != group[i]))
        order = can[np.lexsort((can, -S[i, can]))]
        at = np.flatnonzero(label[order] == label[i])
        rank.append(at[0] + 1 if len(at) else 0)
    put(name + "_match_rank", rank)

# ---- average precision ----


def average_precision(pos, neg):
    pos = np.sort(pos)[::-1]
    rank = np.array([i + 1 + (neg > p).sum() for i, p in enumerate(pos)])
    return np.mean(np.arange(1, len(pos) + 1) / rank)


ap, npos, ntot = [], [], []
for i in np.flatnonzero(treated):
    others = np.flatnonzero(treated & (label == label[i]) & (row != i))
    own = np.flatnonzero(learn & (plate == plate[i]))
    if len(own) < 4:
        own = np.flatnonzero(learn & (batch == batch[i]))
    ap.append(average_precision(S[i, others], S[i, own]))
    npos.append(len(others))
    ntot.append(len(others) + len(own))
put("activity_ap", ap)
put("activity_total", ntot)
ap, npos, ntot, lab = map(np.array, (ap, npos, ntot, label[treated]))
gen = np.random.default_rng(5)


def random_ap(m, n, size):
    rank = np.sort(np.argsort(gen.random((size, n)), 1)[:, :m], 1) + 1
    return np.mean(np.arange(1, m + 1) / rank, 1)


null = {k: random_ap(*k, 40000) for k in set(zip(npos, ntot))}
pv, mp = [], []
for c in range(25):
    at = np.flatnonzero(lab == c)
    mean = np.mean([null[(npos[i], ntot[i])] for i in at], 0)
    mp.append(ap[at].mean())
    pv.append((1 + (mean > mp[-1]).sum()) / 40001)
put("activity_map", mp)
put("activity_p", pv)
put("null_mean_10_30", [random_ap(10, 30, 400000).mean()])
put("null_q95_10_30", [np.quantile(random_ap(10, 30, 400000), 0.95)])
put("null_exact_2_5", sorted({round(np.mean([1 / a, 2 / b]), 12) for a, b in itertools.combinations(range(1, 6), 2)}))

med = np.array([np.median(X[treated & (label == c)].astype(float), 0) for c in range(25)]).astype(np.float32)
counts = np.array([(label == c).sum() for c in range(25)])
put("consensus", marks(med))
put("consensus_count", counts)
targets = [{c % 5} | ({5 + c % 3} if c % 4 == 0 else set()) if c != 7 else set() for c in range(25)]
T = unit(med).astype(float)
cap = []
for c in range(25):
    if not targets[c]:
        cap.append(np.nan)
        continue
    pos = [e for e in range(25) if e != c and targets[e] & targets[c]]
    neg = [e for e in range(25) if e != c and targets[e] and not targets[e] & targets[c]]
    cap.append(average_precision(T[pos] @ T[c], T[neg] @ T[c]))
put("consistency_ap", cap)
p = np.array([noise(3, [i])[0] / 4 + 0.5 for i in range(40)]) ** 3
p[7] = p[8]
order = np.argsort(p)
q = np.minimum.accumulate((p[order] * 40 / np.arange(1, 41))[::-1])[::-1]
adjusted = np.empty(40)
adjusted[order] = np.minimum(q, 1)
put("bh", adjusted)

# ---- batch mixing ----
from sklearn.metrics import silhouette_samples, normalized_mutual_info_score, adjusted_rand_score
t = np.flatnonzero(treated)
ET, LT, BT = E[t].astype(float), label[t], batch[t]
s = silhouette_samples(ET, LT, metric="cosine")
put("silhouette", s)
put("silhouette_label", [(s.mean() + 1) / 2])
per = []
for c in range(25):
    at = LT == c
    nb = len(set(BT[at]))
    if nb < 2 or nb == at.sum():
        continue
    per.append(np.mean(1 - np.abs(silhouette_samples(ET[at], BT[at], metric="cosine"))))
put("silhouette_batch", [np.mean(per)])
from sklearn.neighbors import NearestNeighbors
dist, ind = NearestNeighbors(n_neighbors=16, algorithm="brute").fit(ET).kneighbors(ET)
put("neighbour_dist", dist[:, 1:].sum(1))
dx, ix = NearestNeighbors(n_neighbors=16, algorithm="brute").fit(X[t].astype(float)).kneighbors(X[t].astype(float))
put("neighbour_euclid_sum", dx[:, 1:].sum(1))
put("neighbour_euclid_first", ix[:, 1])
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
n = len(t)
g = coo_matrix((np.ones(n * 15), (np.repeat(np.arange(n), 15), ind[:, 1:].reshape(-1))), (n, n)).tocsr()
g = g + g.T
share = []
for c in range(25):
    at = np.flatnonzero(LT == c)
    _, comp = connected_components(g[at][:, at], connection="strong")
    share.append(np.bincount(comp).max() / len(at))
put("connectivity", [np.mean(share)])
meta = pd.DataFrame({"b": [str(v) for v in BT], "c": [f"{v:02d}" for v in LT]})
lisi = harmonypy.compute_lisi(ET, meta, ["b", "c"], perplexity=30)
put("lisi_batch", lisi[:, 0])
put("lisi_label", lisi[:, 1])
put("lisi_batch_scaled", [(np.median(lisi[:, 0]) - 1) / 5])
put("lisi_label_scaled", [(25 - np.median(lisi[:, 1])) / 24])
put("nmi", [normalized_mutual_info_score(LT % 7, (LT + BT) % 5)])
put("ari", [adjusted_rand_score(LT % 7, (LT + BT) % 5)])
from sklearn.cluster import KMeans
put("kmeans_inertia", [KMeans(25, n_init=10, random_state=0).fit(ET).inertia_])

# ---- percent replicating ----
C = np.corrcoef(X[t].astype(float))
put("replicate_score", [np.median(C[np.ix_(LT == c, LT == c)][np.triu_indices((LT == c).sum(), 1)]) for c in range(25)])
sets = []
wells = [np.flatnonzero(LT == c) for c in range(25)]
for _ in range(40000):
    w = [gen.choice(wells[c]) for c in gen.permutation(25)[:15]]
    sets.append(np.median(C[np.ix_(w, w)][np.triu_indices(15, 1)]))
put("replicate_q95_15", [np.quantile(sets, 0.95)])

# ---- bootstrap: hits of queries by compound ----
num = np.array([(noise(4, [c])[0] > 0) + 2.0 * (noise(5, [c])[0] > 0.2) for c in range(25)])
den = np.array([3 + c % 4 for c in range(25)], float)
pick = gen.integers(0, 25, (400000, 25))
ratio = num[pick].sum(1) / den[pick].sum(1)
mean = (num / den)[pick].mean(1)
put("bootstrap_ratio", [num.sum() / den.sum(), *np.quantile(ratio, [0.025, 0.975])])
put("bootstrap_mean", [(num / den).mean(), *np.quantile(mean, [0.025, 0.975])])
num2 = np.array([2.0 * (noise(6, [c])[0] > 0) for c in range(25)])
diff = ratio - num2[pick].sum(1) / den[pick].sum(1)
put("bootstrap_difference", [num.sum() / den.sum() - num2.sum() / den.sum(), *np.quantile(diff, [0.025, 0.975])])

# ---- selection of columns ----
F = X.copy()
F[:, 1] = np.nan
F[:, 2] = 4
F[row % 3 > 0, 3] = 1
F[10, 4] = 1e20
F[::15, 6] = np.nan
F[::30, 7] = np.nan
F[:, 8] = np.where(row == 0, 2, np.where(row % 2 == 0, 1, 0))
F[:, 10] = F[:, 11] * 2 + 0.1 * F[:, 12]
F[:, 13] = -F[:, 14]
F[5, 15] = 700
F[:, 16] = np.round(F[:, 16])
F[:, 17] = np.where(row < 460, 0, row)
df = pd.DataFrame(F.astype(float), columns=[str(j) for j in range(D)])
why = np.zeros(D)
for j in range(D):
    v = F[:, j].astype(float)
    v = v[np.isfinite(v)]
    if len(v) == 0:
        why[j] = 1
    elif np.abs(v).max() > 1e15:
        why[j] = 4
    elif v.min() == v.max():
        why[j] = 3
    elif np.median(np.abs(v - np.median(v))) <= 1e-9:
        why[j] = 5
put("select_clean", why)
left = [c for c in df if why[int(c)] == 0]
na = df[left].isna().mean()
put("select_nan", [int(c) for c in left if na[c] > 0.05])
raw = df[[c for c in df if why[int(c)] in (0, 3, 5)]]
gone = []
for c in raw:
    vc = raw[c].value_counts()
    if len(vc) < 2 or vc.iloc[1] / vc.iloc[0] < 0.05 or raw[c].nunique() / len(raw) < 0.01:
        gone.append(int(c))
put("select_variance", gone)
full = df[[c for c in left if not df[c].isna().any()]]
cor = full.corr()
total = cor.abs().sum()
gone = set()
for a, b in itertools.combinations(cor.columns, 2):
    if cor.loc[a, b] > 0.9:
        gone.add(int(a if total[a] > total[b] else b))
put("select_correlation", sorted(gone))
put("select_outlier", [int(c) for c in full if full[c].abs().max() > 500])

# ---- chosen pairs, by copairs: replicates on other plates before other treatments of the source that are of other batches ----
import copairs.map
info = pd.DataFrame({"label": label, "plate": plate, "source": source, "batch": batch})
of_wells = copairs.map.average_precision(info, E.astype(float), ["label"], ["plate"], ["source"], ["label", "batch"], progress_bar=False)
put("pairs_ap", of_wells["average_precision"])
put("pairs_total", of_wells["n_total_pairs"])
groups = copairs.map.mean_average_precision(of_wells, ["label"], 40000, 0.05, 5, progress_bar=False).sort_values("label")
put("pairs_map", groups["mean_average_precision"])
put("pairs_normalized", groups["mean_normalized_average_precision"])
put("pairs_p", groups["p_value"])

# ---- umap: what umap-learn keeps of the neighbourhoods ----
from sklearn.datasets import load_digits
from sklearn.manifold import trustworthiness
import umap
digits = load_digits().data[:1000]
digits.astype(np.uint8).tofile(os.path.join(HERE, "digits.u8"))
np.random.shuffle = np.random.RandomState(0).shuffle
put("umap_digits", [np.mean([trustworthiness(digits, umap.UMAP(random_state=r).fit_transform(digits), n_neighbors=15) for r in range(3)])])
put("umap_screen", [np.mean([trustworthiness(X, umap.UMAP(random_state=r).fit_transform(X.astype(float)), n_neighbors=15)
                             for r in range(3)])])
put("trust_columns", [trustworthiness(digits, digits[:, 18:22], n_neighbors=15)])

"""scaling.py FOLDER OUT.csv -- what more compounds, wells, sources and sites bring, from the finished profiles of `make reproduce`
(FOLDER): no training. A compound is found if, of the mean profiles of N compounds in other sources, the nearest (cosine) to its mean
profile in source 3 is its own; chance is 1 / N. Only compounds that have an effect. Intervals: over compounds, each averaged over random
draws of wells and of the other compounds. Needs python3-h5py."""
import csv
import glob
import os
import sys

import h5py
import numpy as np

DRAWS, BOOTSTRAP = 25, 1000
RUNS = {"main": ["micon@1", "micon@2", "micon@3", "paclr@1", "paclr@2", "paclr@3", "start", "classical", "oracle"],
        "scratch": ["micon@1", "micon@2", "paclr@1", "paclr@2", "clip@1", "clip@2"]}


def column(obs, name):
    c = obs[name]
    return c["categories"].asstr()[:][c["codes"][:]] if isinstance(c, h5py.Group) else c.asstr()[:]


def active(screen):
    with open(screen + "/truth/compounds.csv", newline="") as f:
        return {r["Metadata_JCP2022"] for r in csv.DictReader(f) if r["active"] == "yes"}


def wells(screen, run):
    """{source: {compound: its wells' corrected profiles [n, d]}}"""
    with h5py.File("%s/work/profiles/%s.h5ad" % (screen, run)) as f:
        return grouped(active(screen), f["obs"], f["obsm/X_corrected"][:])


def grouped(wanted, obs, x):
    out = {}
    for s, c, row in zip(column(obs, "Metadata_Source"), column(obs, "Metadata_JCP2022"), x):
        if c in wanted:
            out.setdefault(s, {}).setdefault(c, []).append(row)
    return {s: {c: np.array(v) for c, v in of.items()} for s, of in out.items()}


def sites(screen, run):
    """{source: {compound: [wells, sites, d]}}: scaled plate by plate by the untreated wells' median and MAD."""
    out, wanted = {}, active(screen)
    for path in sorted(glob.glob("%s/work/embeddings/%s/*.h5" % (screen, run))):
        with h5py.File(path) as f:
            obs, x = f["obs"], f["X"][:].astype("f8")
            source, well, c = (column(obs, "Metadata_" + k) for k in ("Source", "Well", "JCP2022"))
        control = x[c == "JCP2022_033924"]
        middle = np.median(control, 0)
        x = (x - middle) / np.maximum(1.4826 * np.median(np.abs(control - middle), 0), 1e-6)
        x = np.clip(x, -20, 20)
        for w in sorted(set(well)):
            rows = np.flatnonzero(well == w)
            if c[rows[0]] in wanted and len(rows) == 2:
                out.setdefault(source[rows[0]], {}).setdefault(c[rows[0]], []).append(x[rows])
    return {s: {k: np.array(v) for k, v in of.items()} for s, of in out.items()}


def mean_of(blocks, n, draw):
    """The mean of n of a compound's wells, as many from each of the blocks."""
    each = n // len(blocks)
    return np.mean([b[draw.permutation(len(b))[:each]].mean(0) for b in blocks], 0)


def found(data, sources, n_compounds, n_wells):
    """Share found with n_wells a compound on either side, and its interval."""
    each = n_wells // len(sources)
    names = sorted(c for c in data["source_3"] if len(data["source_3"][c]) >= n_wells and
                   all(len(data[s].get(c, ())) >= each for s in sources))
    if len(names) < n_compounds:
        return None
    draw, hits = np.random.default_rng(1), {c: [] for c in names}
    for _ in range(DRAWS):
        chosen = draw.permutation(names)[:n_compounds]
        a = np.array([mean_of([data["source_3"][c]], n_wells, draw) for c in chosen])
        b = np.array([mean_of([data[s][c] for s in sources], n_wells, draw) for c in chosen])
        a /= np.linalg.norm(a, axis=1, keepdims=True)
        b /= np.linalg.norm(b, axis=1, keepdims=True)
        for c, hit in zip(chosen, (a @ b.T).argmax(1) == np.arange(n_compounds)):
            hits[c].append(hit)
    return np.array([np.mean(h) for h in hits.values() if h])


def write(table, what, screen, method, seeds, n_compounds, n_wells, n_sources, n_sites, per_seed):
    if any(v is None for v in per_seed):
        return
    v = np.mean(per_seed, 0)
    draw = np.random.default_rng(2)
    means = [v[draw.integers(0, len(v), len(v))].mean() for _ in range(BOOTSTRAP)]
    table.writerow([what, screen, method, seeds, n_compounds, n_wells, n_sources, n_sites, "%.4f" % v.mean()] +
                   ["%.4f" % q for q in np.quantile(means, [0.025, 0.975])] + ["%.4f" % (1 / n_compounds)])


def main(folder, path):
    with open(path, "w", newline="") as f:
        table = csv.writer(f, lineterminator="\n")
        table.writerow(["curve", "screen", "method", "seeds", "compounds", "wells", "sources", "sites", "found", "low", "high", "chance"])
        for screen, runs in RUNS.items():
            runs = [r for r in runs if os.path.exists("%s/%s/work/profiles/%s.h5ad" % (folder, screen, r))]
            for method in dict.fromkeys(r.split("@")[0] for r in runs):
                seeds = [r for r in runs if r.split("@")[0] == method]
                if screen == "main":
                    data = [wells("%s/%s" % (folder, screen), r) for r in seeds]
                    both = ["source_1", "source_2"]
                    for n, m in ((20, 2), (35, 2), (70, 2), (140, 2), (35, 4), (70, 4), (140, 4)):
                        write(table, "wells", screen, method, len(seeds), n, m, 2, 1, [found(d, both, n, m) for d in data])
                    for n, m in ((35, 1), (70, 1), (140, 1), (35, 2), (70, 2), (140, 2)):
                        write(table, "wells", screen, method, len(seeds), n, m, 1, 1, [found(d, both[:1], n, m) for d in data])
                else:
                    data = [sites("%s/%s" % (folder, screen), r) for r in seeds]
                    for s in (1, 2):
                        cut = [{k: {c: v[:, :s].mean(1) for c, v in of.items()} for k, of in d.items()} for d in data]
                        for m in (1, 2):
                            write(table, "sites", screen, method, len(seeds), 20, m, 1, s, [found(d, ["source_1"], 20, m) for d in cut])


if __name__ == "__main__":
    main(*sys.argv[1:])

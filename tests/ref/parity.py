"""parity.py BIN FOLDER CPJUMP1 -- micon-evaluate against the programs of the field, quantity by quantity: deviation, limit, verdict.
Run by parity.sh with any Python; what is not installed there is left out with a line that says so. FOLDER is worked in; CPJUMP1: the folder
of published profiles, also compared where it is there. Exit 1: something is beyond its limit."""
import csv
import glob
import importlib.util
import os
import subprocess
import sys
import warnings

warnings.filterwarnings("ignore")
if importlib.util.find_spec("numpy") is None or importlib.util.find_spec("pandas") is None:
    print("nothing compared: this Python has no numpy or no pandas")
    sys.exit(0)
import numpy as np
import pandas as pd

BIN, FOLDER, CPJUMP1 = (os.path.abspath(word) for word in sys.argv[1:])
bad = False


def have(name):
    return importlib.util.find_spec(name) is not None


def say(peer, what, deviation, limit, note=""):
    global bad
    good = deviation <= limit
    bad |= not good
    print("| %s | %s | %.1e | %.0e | %s |" % (peer, what, deviation, limit, ("" if good else "BEYOND ") + note), flush=True)


def micon(*words):
    r = subprocess.run([os.path.join(BIN, words[0]), *words[1:]], stderr=subprocess.PIPE, text=True)
    if r.returncode:
        sys.exit("%s: exit %d\n%s" % (" ".join(words), r.returncode, r.stderr[-2000:]))


def evaluate(name, profiles, more):
    """The profiles evaluated with these options; the folder of the report."""
    with open(name + ".yaml", "w") as f:
        f.write('screen: {name: %s, control: DMSO, work: work_%s}\ntrain: {run: r}\nevaluate:\n  profiles: "%s"\n  bootstrap: 20\n%s' %
                (name, name, profiles, more))
    micon("micon-evaluate", name + ".yaml", "--quiet")
    return "work_%s/reports/r/" % name


def exported(name, form):
    folder = "tables_" + name
    if not os.path.exists(folder):
        micon("micon", "export", name + ".yaml", folder, "--quiet")
    t = pd.read_csv("%s/r.%s.csv.gz" % (folder, form))
    return t, t[[c for c in t if not c.startswith(("Metadata_", "QC_"))]].to_numpy(float)


def metrics(report):
    return {(r["profiles"], r["metric"], r["setting"]): float(r["value"]) for r in csv.DictReader(open(report + "metrics.csv"))
            if r["value"]}


# ---- the drawn table: 8 plates of 2 sources and 4 batches, 96 wells, 24 of them controls; 36 compounds, two wells each on a plate ----
D = 40


def draw():
    gen = np.random.default_rng(20240501)
    effect, of_batch, rows = 1.2 * gen.normal(size=(36, D)), 0.8 * gen.normal(size=(4, D)), []
    for p in range(8):
        drift, of = gen.normal(size=D), of_batch[p // 2]
        for w in range(96):
            c = -1 if w < 24 else (w - 24) // 2
            x = gen.normal(size=D) * (1 + 0.3 * drift ** 2) + drift + of + (effect[c] if c >= 0 else 0)
            rows.append(["S%d" % (1 + p // 4), "B%d" % (1 + p // 2), "P%d" % (1 + p), "%c%02d" % (65 + w // 12, 1 + w % 12),
                         "DMSO" if c < 0 else "c%02d" % c, "negcon" if c < 0 else "trt", *np.float32(x)])
    key = ["Source", "Batch", "Plate", "Well", "Compound", "pert_type"]
    t = pd.DataFrame(rows, columns=["Metadata_" + k for k in key] + ["f%d" % j for j in range(D)])
    t.to_csv("drawn.csv", index=False)
    return pd.read_csv("drawn.csv")


# ---- copairs ----
RULE = {"pos_sameby": ["Metadata_Compound"], "pos_diffby": ["Metadata_Plate"], "neg_sameby": ["Metadata_Batch"],
        "neg_diffby": ["Metadata_pert_type", "Metadata_Compound"]}


def pairs_options(rule, null):
    lists = ", ".join("%s: [%s]" % (k, ", ".join(v)) for k, v in rule.items())
    return '  recipe: "0.1"\n  normalize: none\n  sphere: none\n  null_size: %d\n  pairs: {%s}\n' % (null, lists)


def against_copairs(what, t, x, rule, report, null):
    import copairs.map
    meta = t[sorted({c for v in rule.values() for c in v})].reset_index(drop=True)
    theirs = copairs.map.average_precision(meta, x, *(rule[k] for k in ("pos_sameby", "pos_diffby", "neg_sameby", "neg_diffby")),
                                           progress_bar=False)
    place = ["Metadata_Plate", "Metadata_Well"]
    theirs[place] = t[place].to_numpy()
    ours = pd.read_csv(report + "wells.csv", dtype={"Metadata_Plate": str})
    both = ours[ours["AP_Pairs_Uncorrected"].notna()].merge(theirs, on=place)
    ap = (both["AP_Pairs_Uncorrected"] - both["average_precision"]).abs()
    say("copairs", "%s: average precision of %d wells" % (what, len(both)), ap.max(), 1e-9)
    queries = theirs[theirs["Metadata_pert_type"] == "trt"]
    groups = copairs.map.mean_average_precision(queries, rule["pos_sameby"], null, 0.05, 7, progress_bar=False)
    ours = pd.read_csv(report + "pairs.csv")
    ours = ours[ours["profiles"] == "uncorrected"].merge(groups, left_on="group", right_on=rule["pos_sameby"][0])
    assert len(ours) == len(groups) and len(ours) > 0, (len(ours), len(groups))
    say("copairs", "%s: mAP of %d treatments" % (what, len(ours)), (ours["map"] - ours["mean_average_precision"]).abs().max(), 1e-9)
    mean = (ours["p"] + ours["p_value"]) / 2
    se = np.sqrt(2 * mean * (1 - mean) / null) + 1e-12
    say("copairs", "%s: p, standard errors of two nulls of %d" % (what, null), ((ours["p"] - ours["p_value"]).abs() / se).max(), 3,
        "worst of %d" % len(ours))


def copairs_drawn(t):
    null = 20000
    report = evaluate("pairs", "drawn.csv", pairs_options(RULE, null))
    against_copairs("drawn", t, t[["f%d" % j for j in range(D)]].to_numpy(float), RULE, report, null)


def copairs_cpjump1():
    files = sorted(glob.glob(CPJUMP1 + "/BR0011701*.csv.gz"))
    t = pd.concat([pd.read_csv(f, low_memory=False) for f in files], ignore_index=True)
    features = [c for c in t if not c.startswith("Metadata_")]
    t["Metadata_Compound"] = t["Metadata_broad_sample"].where(t["Metadata_control_type"] != "negcon", "DMSO")
    t["Metadata_pert_type"] = np.where(t["Metadata_control_type"] == "negcon", "negcon", "trt")
    t["Metadata_Batch"] = "B"
    null = 10000
    rule = {"pos_sameby": ["Metadata_Compound"], "pos_diffby": ["Metadata_Plate"], "neg_sameby": ["Metadata_Plate"],
            "neg_diffby": ["Metadata_pert_type", "Metadata_Compound"]}
    kept = t[["Metadata_Batch", "Metadata_Plate", "Metadata_Well", "Metadata_Compound", "Metadata_pert_type"] + features]
    kept.to_csv("cpjump1.csv", index=False)
    report = evaluate("cpjump1", "cpjump1.csv", pairs_options(rule, null))
    against_copairs("CPJUMP1", kept, kept[features].to_numpy(float), rule, report, null)


# ---- pycytominer ----
def against_pycytominer(t):
    import pycytominer
    from pycytominer.operations import Spherize
    evaluate("mad", "drawn.csv", "  null_size: 100\n  reshape: none\n  sphere: ZCA\n  ridge: 0\n")
    features = ["f%d" % j for j in range(D)]
    parts = [pycytominer.normalize(part.reset_index(drop=True), features=features, method="mad_robustize",
                                   samples="Metadata_pert_type == 'negcon'", mad_robustize_epsilon=1e-18)
             for _, part in t.groupby("Metadata_Plate", sort=True)]
    theirs = pd.concat(parts, ignore_index=True).sort_values(["Metadata_Plate", "Metadata_Well"], ignore_index=True)
    rows, x = exported("mad", "normalized")
    assert list(rows["Metadata_Well"]) == list(theirs["Metadata_Well"])
    y = theirs[features].to_numpy(float)
    say("pycytominer", "robust MAD by plate, relative", (np.abs(x - y) / np.maximum(1, np.abs(y))).max(), 1e-6)
    control = (theirs["Metadata_pert_type"] == "negcon").to_numpy()
    sphere = Spherize(epsilon=1e-6, method="ZCA", center=True)
    frame = pd.DataFrame(y, columns=features)
    z = np.asarray(sphere.fit(frame[control]).transform(frame), float)
    _, x = exported("mad", "corrected")
    say("pycytominer", "ZCA fitted on the controls, of the sd", np.abs(x - z).max() / z.std(), 1e-5)
    s = t.copy()
    gen = np.random.default_rng(1)
    s["f1"] = s["f0"] * 2 + 0.01 * gen.normal(size=len(s)).astype(np.float32)
    s["f2"] = np.where(np.arange(len(s)) % 200 == 0, gen.normal(size=len(s)), 1).astype(np.float32)
    s.loc[5, "f3"] = 9000
    s.to_csv("select.csv", index=False)
    evaluate("select", "select.csv", "  null_size: 100\n  normalize: none\n  select: pycytominer\n")
    rows, _ = exported("select", "normalized")
    ours = {c for c in rows if not c.startswith(("Metadata_", "QC_"))}
    from pycytominer import operations
    frequency = "frequency_threshold" if hasattr(operations, "frequency_threshold") else "variance_threshold" # renamed in 1.7
    kept = pycytominer.feature_select(s, features=features, operation=[frequency, "correlation_threshold", "drop_outliers",
                                                                       "drop_na_columns"])
    say("pycytominer", "selection: features that only one keeps", len(ours ^ {c for c in kept if c in features}), 0,
        "%d of %d kept%s" % (len(ours), D, "".join(" " + c for c in sorted(ours ^ {c for c in kept if c in features}))))


# ---- scib-metrics; its parts that scikit-learn and harmonypy have, where it is not installed ----
def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def evaluated(name):
    rows, x = exported(name, "normalized")
    treated = (rows["Metadata_pert_type"] == "trt").to_numpy()
    r = rows[treated]
    return unit(x[treated]), r["Metadata_Compound"].to_numpy(), (r["Metadata_Source"] + r["Metadata_Batch"]).to_numpy()


def silhouette_batch(samples, u, label, batch):
    per = []
    for c in np.unique(label):
        at = label == c
        k = len(set(batch[at]))
        if 1 < k < at.sum():
            per.append(np.mean(1 - np.abs(samples(u[at], batch[at], metric="cosine"))))
    return np.mean(per)


def against_scib():
    got = metrics(evaluate("mixing", "drawn.csv", "  null_size: 100\n  reshape: none\n"))
    ours = lambda name: got["uncorrected", name, "all"]
    u, label, batch = evaluated("mixing")
    n_label, n_batch = len(set(label)), len(set(batch))
    if have("scib_metrics"):
        import scib_metrics
        from scib_metrics.nearest_neighbors import NeighborsResults
        from sklearn.neighbors import NearestNeighbors
        peer, code = "scib-metrics", lambda v: np.unique(v, return_inverse=True)[1]
        dist, ind = NearestNeighbors(n_neighbors=90, algorithm="brute").fit(u).kneighbors(u)
        near = NeighborsResults(indices=ind, distances=dist)
        f32 = u.astype(np.float32)
        s_label = scib_metrics.silhouette_label(f32, code(label), rescale=True, metric="cosine")
        s_batch = scib_metrics.silhouette_batch(f32, code(label), code(batch), rescale=True, metric="cosine")
        lisi = [scib_metrics.ilisi_knn(near, code(batch), perplexity=30), scib_metrics.clisi_knn(near, code(label), perplexity=30)]
        k = scib_metrics.nmi_ari_cluster_labels_kmeans(f32, code(label)) # one start of its own: another clustering, not judged
        note = ["; scib-metrics, of one start: %.3f" % k[name] for name in ("nmi", "ari")]
    elif have("sklearn") and have("harmonypy"):
        print("scib-metrics is not installed: its formulas by scikit-learn and harmonypy")
        from harmonypy import compute_lisi
        from sklearn.metrics import silhouette_samples
        peer = "scikit-learn"
        s_label = (silhouette_samples(u, label, metric="cosine").mean() + 1) / 2
        s_batch = silhouette_batch(silhouette_samples, u, label, batch)
        raw = np.median(compute_lisi(u, pd.DataFrame({"b": batch, "c": label}), ["b", "c"], perplexity=30), 0)
        lisi = [(raw[0] - 1) / (n_batch - 1), (n_label - raw[1]) / (n_label - 1)]
        note = ["", ""]
    else:
        print("scib-metrics: not installed, nor scikit-learn and harmonypy: left out")
        return
    say(peer, "silhouette of treatments", abs(ours("silhouette_label") - s_label), 1e-6)
    say(peer, "silhouette of batches", abs(ours("silhouette_batch") - s_batch), 1e-6)
    say("harmonypy" if peer == "scikit-learn" else peer, "LISI of batches, scaled", abs(ours("lisi_batch") - lisi[0]), 1e-2)
    say("harmonypy" if peer == "scikit-learn" else peer, "LISI of treatments, scaled", abs(ours("lisi_label") - lisi[1]), 1e-2)
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
    found = [KMeans(n_label, n_init=3, random_state=r).fit_predict(u) for r in range(20)]
    for k, (name, score) in enumerate((("nmi", normalized_mutual_info_score), ("ari", adjusted_rand_score))):
        v = np.array([score(label, f) for f in found])
        say("scikit-learn", "%s of k-means, from the nearest of its 20 runs" % name.upper(), np.abs(ours(name) - v).min(), 1e-2,
            "they are between %.3f and %.3f%s" % (v.min(), v.max(), note[k]))


# ---- harmonypy ----
def against_harmony():
    """Both start from their own random clusters, and harmonypy's runs differ among each other: compared is how well batches mix."""
    import harmonypy
    import logging
    logging.getLogger("harmonypy").setLevel(logging.ERROR)
    evaluate("harmony", "drawn.csv", "  null_size: 100\n  normalize: none\n  reshape: none\n" +
             "  batch_correction: harmony\n  harmony_by: batch\n")
    rows, x = exported("harmony", "normalized")
    _, ours = exported("harmony", "corrected")
    c = x - x.mean(0)
    _, _, v = np.linalg.svd(c, full_matrices=False)
    pc = c @ v[:ours.shape[1]].T
    meta = pd.DataFrame({"b": rows["Metadata_Source"] + rows["Metadata_Batch"]})

    def theirs(seed):
        z = harmonypy.run_harmony(pc, meta, ["b"], theta=2, verbose=False, random_state=seed).Z_corr
        z = np.asarray(z)
        return z if z.shape == pc.shape else z.T

    mixed = lambda z: float((harmonypy.compute_lisi(z, meta, ["b"], perplexity=30).mean() - 1) / (meta["b"].nunique() - 1))
    before, after, runs = mixed(pc), mixed(ours), [mixed(theirs(s)) for s in range(4)]
    say("harmonypy", "Harmony: LISI of batches after it, from the nearest of its 4 runs", min(abs(after - r) for r in runs),
        max(runs) - min(runs),
        "limit: between its own runs; %.3f before, %.3f after, theirs %.3f to %.3f" % (before, after, min(runs), max(runs)))


def main():
    os.makedirs(FOLDER, exist_ok=True)
    os.chdir(FOLDER)
    t = draw()
    print("| compared with | quantity | largest deviation | limit | |\n|---|---|---|---|---|")
    if have("copairs"):
        copairs_drawn(t)
        if glob.glob(CPJUMP1 + "/BR0011701*.csv.gz"):
            copairs_cpjump1()
        else:
            print("CPJUMP1's profiles are not here: copairs on drawn ones only")
    else:
        print("copairs: not installed, left out")
    if have("pycytominer"):
        against_pycytominer(t)
    else:
        print("pycytominer: not installed, left out")
    against_scib()
    if have("harmonypy"):
        against_harmony()
    else:
        print("harmonypy: not installed, left out")
    sys.exit(bad)


main()

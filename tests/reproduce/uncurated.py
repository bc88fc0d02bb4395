"""uncurated.py -- the tables of uncurated.sh and their figures. FEATURES: the folder of PLATE.h5 of micon-measure.
    tables FEATURES EXCHANGED PROFILES OUT     one CSV of profiles for each kind of damage, and the truth of it
    figures OUT CSV                            retrieval of each, and how well it shows which wells and plates are wrong
"""
import csv
import glob
import json
import os
import random
import sys

import h5py
import numpy as np

from scaling import column

KEYS = ["Metadata_Source", "Metadata_Batch", "Metadata_Plate", "Metadata_Well"]
KEPT = [("nsb", "10"), ("nss", "10"), ("map_activity_normalized", ""), ("active_share", "")]
EVERY = 10  # of the selected features every tenth


def plates(folder, names):
    """Each plate: rows of keys and treatment, and the named features."""
    for path in sorted(glob.glob(folder + "/*.h5")):
        with h5py.File(path) as f:
            at = {n: i for i, n in enumerate(f["var/_index"].asstr()[:])}
            x = f["X"][:][:, [at[n] for n in names]]
            yield list(zip(*(column(f["obs"], k) for k in KEYS + ["Metadata_JCP2022"]))), x


def tables(features, exchanged, profiles, out):
    with h5py.File(profiles) as f:
        names = list(f["var/_index"].asstr()[::EVERY])
    clean = [(list(key), x) for rows, block in plates(features, names) for key, x in zip(rows, block)]
    again = {key[:4]: x for rows, block in plates(exchanged, names) for key, x in zip(rows, block)}

    def write(name, rows):
        with open("%s/%s.csv" % (out, name), "w", newline="") as f:
            table = csv.writer(f, lineterminator="\n")
            table.writerow(KEYS + ["Metadata_JCP2022"] + ["Cells_%d" % i for i in range(len(names))])
            for key, x in rows:
                table.writerow(list(key) + ["" if not np.isfinite(v) else "%.7g" % v for v in x])

    write("clean", clean)
    for share in (5, 20):
        # Wells drawn anew, and their labels moved on among them: each is another well's of the screen.
        draw = random.Random(share)
        wrong = draw.sample(range(len(clean)), len(clean) * share // 100)
        rows = [(list(key), x) for key, x in clean]
        for i, j in zip(wrong, wrong[1:] + wrong[:1]):
            rows[i][0][4] = clean[j][0][4]
        write("mislabelled_%d" % share, rows)
    write("exchanged", [(key, again.get(tuple(key[:4]), x)) for key, x in clean])
    moved = sorted({key[2] for key, _ in clean})[1]
    label = {tuple(key[2:4]): key[4] for key, _ in clean}
    write("moved", [(key[:4] + [label.get((key[2], "%s%02d" % (key[3][0], int(key[3][1:]) + 1)), key[4]) if key[2] == moved else key[4]], x)
                    for key, x in clean])


def agreement(path, truth):
    """For each treated well: the share of wells of other batches that are less alike than its compound's most similar one there, what
    chance would give, and whether its label is wrong."""
    with h5py.File(path) as f:
        x = f["obsm/X_corrected"][:]
        keys = list(zip(*(column(f["obs"], k) for k in KEYS)))
        compound = column(f["obs"], "Metadata_JCP2022")
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    treated = np.array([c.startswith("JCP2022_2") for c in compound])
    batch = np.array(["/".join(k[:2]) for k in keys])
    near = x @ x.T
    out = {}
    for i in np.flatnonzero(treated):
        there = treated & (batch != batch[i])
        own = there & (compound == compound[i])
        if own.any():
            out[keys[i]] = (near[i, there] <= near[i, own].max()).mean(), 1 - 1 / (1 + own.sum()), compound[i] != truth[keys[i]]
    return out


def auc(agrees, wrong):
    score, wrong = -np.asarray(agrees), np.asarray(wrong, bool)
    if not wrong.any() or wrong.all():
        return ""
    a, b = score[wrong][:, None], score[~wrong][None, :]
    return "%.3f" % ((a > b) + 0.5 * (a == b)).mean()


def figures(out, path):
    with open(out + "/clean.csv", newline="") as f:
        truth = {tuple(r[k] for k in KEYS): r["Metadata_JCP2022"] for r in csv.DictReader(f)}
    with open(path, "w", newline="") as f:
        table = csv.writer(f, lineterminator="\n")
        table.writerow(["tables", "metric", "k", "plate", "value", "low", "high", "chance"])
        for run in ("clean", "mislabelled_5", "mislabelled_20", "exchanged", "moved"):
            with open("%s/work/reports/%s/metrics.csv" % (out, run), newline="") as g:
                for r in csv.DictReader(g):
                    if r["profiles"] == "corrected" and r["setting"] == "all" and (r["metric"], r["k"]) in KEPT:
                        table.writerow([run, r["metric"], r["k"], "", r["value"], r["low"], r["high"], r["chance"]])
            scores = agreement("%s/work/profiles/%s.h5ad" % (out, run), truth)
            agrees, _, wrong = zip(*scores.values())
            table.writerow([run, "auc_of_wrong_labels", "", "", auc(agrees, wrong), "", "", 0.5 if any(wrong) else ""])
            by = {}
            for key, (agree, chance, _) in scores.items():
                by.setdefault("/".join(key[:3]), []).append((agree, chance))
            mean = sorted(((k, np.mean(v, 0)) for k, v in by.items()), key=lambda v: v[1][0])
            for place, (plate, (agree, chance)) in enumerate(mean[:2]):
                table.writerow([run, "worst_plate_%d" % (place + 1), "", plate, "%.3f" % agree, "", "", "%.3f" % chance])
            with open("%s/work/reports/%s/metrics.json" % (out, run)) as g:
                notes = json.load(g)["notes"]
            print(run, "\n  ".join([""] + notes))


if __name__ == "__main__":
    {"tables": tables, "figures": figures}[sys.argv[1]](*sys.argv[2:])

"""doses_ref.py WORK UNSEEN_CSV TRUTH_CSV -- do predictions at a dose follow it? Predictions and wells are differences from the plate's
untreated wells, after the projection head, averaged over plates. Printed: mean lengths of predicted and of real effects at each dose, and
the distance of the wells at the dose that was not trained on from the prediction at it and at the other doses of the same compound."""
import csv
import glob
import sys

import h5py
import numpy as np

work, unseen_csv, truth_csv = sys.argv[1:]
with open(unseen_csv, newline="") as f:
    unseen = {r["Metadata_JCP2022"] for r in csv.DictReader(f)}
with open(truth_csv, newline="") as f:
    active = [r["Metadata_JCP2022"] for r in csv.DictReader(f) if r["active"] == "yes"]


def column(obs, name):
    c = obs[name]
    if isinstance(c, h5py.Group):
        words = c["categories"].asstr()[:]
        return [words[i] if i >= 0 else "" for i in c["codes"][:]]
    return list(c.asstr()[:])


predicted, observed = {}, {}
for path in sorted(glob.glob(work + "/embeddings/micon/*.h5")):
    with h5py.File(path) as f:
        u, obs = f["obsm/projected"][:], f["obs"]
        kind, of, dose = (np.array(column(obs, "Metadata_" + k)) for k in ("pert_type", "Compound", "mmoles_per_liter"))
        control = u[kind == "negcon"].mean(0)
        for name, row in zip(f["uns/counterfactual/treatment"].asstr()[:], f["uns/counterfactual/projected"][:]):
            predicted.setdefault(name, []).append(row - control)
        for i in np.flatnonzero((kind != "negcon") & (dose != "")):
            observed.setdefault(of[i] + "|" + dose[i], []).append(u[i] - control)
p = {k: np.mean(v, 0) for k, v in predicted.items()}
o = {k: np.mean(v, 0) for k, v in observed.items()}
assert set(o) <= set(p), set(o) - set(p)
doses = sorted({k.split("|")[1] for k in p}, key=float)
assert len(doses) == 4, doses
held = doses[2]


def distance(c, asked, of):
    return np.linalg.norm(p[c + "|" + asked] - o[c + "|" + of])


failed = 0
for what, among in (("seen", [c for c in active if c not in unseen]), ("unseen", [c for c in active if c in unseen])):
    size = [np.mean([np.linalg.norm(p[c + "|" + d]) for c in among]) for d in doses]
    true = [np.mean([np.linalg.norm(o[c + "|" + d]) for c in among]) for d in doses]
    own = np.mean([distance(c, held, held) for c in among])
    other = [np.mean([distance(c, d, held) for c in among]) for d in doses if d != held]
    print("# %s compounds (%d): sizes of predicted effects %s, of wells' %s; distance of the prediction at %s from its wells %.3f, at the "
          "other doses %s" % (what, len(among), np.round(size, 3), np.round(true, 3), held, own, np.round(other, 3)))
    failed += not (size[0] < size[1] < size[2] < size[3] and size[3] > 1.2 * size[0])
    failed += what == "seen" and not own < np.mean(other)
sys.exit(failed != 0)

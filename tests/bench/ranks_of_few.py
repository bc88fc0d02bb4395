#!/usr/bin/env python3
"""ranks_of_few.py [FOLDER]: do ranks within plates (evaluate.reshape) harm where plates hold few wells? Four plates of CPJUMP1 in shared,
thinned out to WELLS wells with CONTROLS controls among them: `same`, the same wells of each plate, or `other`, treated wells drawn for each
plate from a common set that is half as large again. A line: the means over the draws without and with ranks, and of the differences with
their standard errors. For docs/evaluation.md, Corrections; needs numpy and pandas."""
import csv
import glob
import os
import subprocess
import sys
import tempfile

import numpy as np
import pandas as pd

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DATA = os.environ.get("SHARED_DATA", ROOT + "/../shared/data") + "/cpjump1_profiles/BR0011701*.csv.gz"
DRAWS = 8
CASES = [("same", 12, 4), ("same", 24, 4), ("other", 12, 3), ("other", 24, 6), ("other", 96, 8)]
SCREEN = """screen: {name: few, control: DMSO, work: work}
train: {run: r}
evaluate: {profiles: "plate*.csv", normalize: none, negatives: all, images: no, null_size: 200, bootstrap: 100, columns: {batch: Plate}}
"""


def figures(folder, reshape):
    subprocess.run(["rm", "-rf", folder + "/work"], check=True)
    subprocess.run([ROOT + "/build/release/bin/micon-evaluate", folder + "/screen.yaml", "--quiet", "--set", "evaluate.reshape=" + reshape],
                   check=True)
    with open(folder + "/work/reports/r/metrics.csv") as f:
        rows = list(csv.DictReader(f))
    form = "uncorrected" if reshape == "none" else "corrected"
    return [float(r["value"]) for wanted in (("nsb", "1"), ("map_activity", "")) for r in rows
            if (r["profiles"], r["metric"], r["setting"], r["k"]) == (form, wanted[0], "all", wanted[1])]


def thinned(plates, how, wells, controls, seed):
    """The wells that are kept of each plate."""
    draw = np.random.default_rng(seed)
    kind = plates[0].set_index("Metadata_Well")["Metadata_control_type"]
    negative = sorted(kind.index[kind == "negcon"])
    treated = sorted(kind.index[kind != "negcon"])
    if how == "same":
        return [list(draw.choice(negative, controls, False)) + list(draw.choice(treated, wells - controls, False))] * len(plates)
    pool = list(draw.choice(treated, min(len(treated), 3 * (wells - controls) // 2), False))
    return [list(draw.choice(negative, controls, False)) + list(draw.choice(pool, wells - controls, False)) for _ in plates]


def main():
    plates = [pd.read_csv(f) for f in sorted(glob.glob(DATA))]
    if not plates:
        sys.exit("skipped: no " + DATA)
    folder = sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()
    with open(folder + "/screen.yaml", "w") as f:
        f.write(SCREEN)
    for how, wells, controls in CASES:
        found = []
        for seed in range(DRAWS):
            for i, (plate, keep) in enumerate(zip(plates, thinned(plates, how, wells, controls, seed))):
                plate[plate.Metadata_Well.isin(keep)].to_csv("%s/plate%d.csv" % (folder, i), index=False)
            found.append(figures(folder, "none") + figures(folder, "rank_plate"))
        v = np.array(found)
        mean, change = v.mean(0), v[:, 2:] - v[:, :2]
        error = change.std(0, ddof=1) / DRAWS ** 0.5
        print("%s wells, %d a plate, %d controls:" % (how, wells, controls), end="")
        for i, name in enumerate(("NSB top 1", "mAP")):
            print(" %s %.3f, ranks %.3f (%+.3f, se %.3f)" % (name, mean[i], mean[i + 2], change[:, i].mean(), error[i]), end="")
        print(flush=True)


if __name__ == "__main__":
    main()

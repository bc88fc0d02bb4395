"""cells.py SCREENS KIND... -- for cells.sh, in its folder: docs/reproduction/cells.csv on stdout. A line a run; with seed `all` a
line a kind over its seeds, with its difference from the first kind.
cells.py table CSV: the table of docs/evaluation.md from it."""
import csv
import glob
import json
import re
import sys

FIGURES = [("uncorrected", "nsb", "1"), ("uncorrected", "nsb", "5"), ("corrected", "nsb", "1"), ("corrected", "nsb", "5"),
           ("corrected", "map_activity", "")]
COLUMNS = ["screen", "kind", "seed", "profiles", "metric", "k", "value", "low", "high", "chance", "difference", "difference_low",
           "difference_high", "processor_s"]


def rows(path):
    """The figures of a report or comparison, by (profiles, metric, k). Without a k, a comparison has 0."""
    with open(path, newline="") as f:
        table = [{**r, "k": r["k"].replace("0", "") if r["metric"] == "map_activity" else r["k"]} for r in csv.DictReader(f)]
    return [((r["profiles"], r["metric"], r["k"]), r) for r in table if r["setting"] == "all"]


def collect(screens, kinds):
    out = csv.DictWriter(sys.stdout, COLUMNS, restval="", extrasaction="ignore", lineterminator="\n")
    out.writeheader()
    for screen in range(1, screens + 1):
        for kind in kinds:
            for report in sorted(glob.glob(f"screen{screen}/{kind}/reports/{kind}*/metrics.csv")):
                run = report.split("/")[-2]
                with open(f"screen{screen}/{kind}/models/{run}/log.jsonl") as f:
                    cost = sum(json.loads(line)["processor_s"] for line in f)
                for figure, r in rows(report):
                    if figure in FIGURES:
                        out.writerow({**r, "screen": screen, "kind": kind, "seed": re.sub("^[@-]", "", run[len(kind):]),
                                      "processor_s": f"{cost:.1f}"})
            for figure, r in rows(glob.glob(f"screen{screen}/both/reports/compare/*/compare.csv")[0]):
                if figure in FIGURES and r["run"] == kind:
                    out.writerow({**r, "screen": screen, "kind": kind, "seed": "all"})


def table(path):
    with open(path, newline="") as f:
        every = list(csv.DictReader(f))
    of = {(r["screen"], r["profiles"], r["metric"], r["k"], r["kind"], r["seed"]): r for r in every}
    names = {"nsb": "top {}", "map_activity": "mAP of activity"}
    print("| screen | profiles | figure | cells | fields | cells - fields | untrained cells, fields | by chance |")
    print("|---|---|---|---|---|---|---|---|")
    for screen in sorted({r["screen"] for r in every}):
        for profiles, metric, k in FIGURES:
            def at(kind, seed, value="value", low="low", high="high"):
                r = of[screen, profiles, metric, k, kind, seed]
                if seed != "all":
                    return f"{float(r[value]):.3f}"
                return "%.3f (%.3f to %.3f)" % tuple(float(r[c]) for c in (value, low, high))
            print("|", screen, "|", profiles, "|", names[metric].format(k), "|", at("cells", "all"), "|", at("fields", "all"), "|",
                  at("cells", "all", "difference", "difference_low", "difference_high"), "|", at("cells", "untrained") + ",",
                  at("fields", "untrained"), "|", at("cells", "1", "chance"), "|")


if sys.argv[1] == "table":
    table(sys.argv[2])
else:
    collect(int(sys.argv[1]), sys.argv[2:])

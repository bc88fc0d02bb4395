"""tables.py -- what tests/reproduce/run.sh needs besides the programs: lists of compounds, the drawn truth as profiles, structures
shuffled among compounds; then the CSVs of docs/reproduction from the reports, and docs/reproduction.md from these CSVs."""
import csv
import glob
import gzip
import json
import os
import platform
import random
import re
import subprocess
import sys


def rows(path):
    with open(path, newline="") as f:
        return list(csv.DictReader(f))


def unseen(start, screen):
    known = {r["Metadata_JCP2022"] for r in rows(start)}
    print("Metadata_JCP2022")
    for r in rows(screen):
        if r["active"] == "yes" and r["Metadata_JCP2022"] not in known:
            print(r["Metadata_JCP2022"])


def third(screen):
    print("Metadata_JCP2022")
    for r in [r for r in rows(screen) if r["active"] == "yes"][::3]:
        print(r["Metadata_JCP2022"])


def oracle(wells, split):
    of = {(r["Source"], r["Batch"], r["Plate"], r["Well"]): r["set"] for r in rows(split)}
    table = rows(wells)
    keys = [k for k in table[0] if k.startswith("Metadata_")]
    factors = [k for k in table[0] if k not in keys]
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(keys + ["Metadata_Set"] + factors)
    for r in table:
        place = tuple(r["Metadata_" + k] for k in ("Source", "Batch", "Plate", "Well"))
        out.writerow([r[k] for k in keys] + [of[place]] + [r[k] for k in factors])


def shuffle(source, out):
    """The same table with the columns of structures dealt out anew among the compounds."""
    with gzip.open(source, "rt", newline="") as f:
        table = list(csv.DictReader(f))
    structures = [k for k in table[0] if k in ("Metadata_SMILES", "Metadata_InChI", "Metadata_InChIKey")]
    drawn = [r for r in table if r["Metadata_JCP2022"] != "JCP2022_033924" and r[structures[-1]]]
    dealt = [[r[k] for k in structures] for r in drawn]
    random.Random(1).shuffle(dealt)
    for r, values in zip(drawn, dealt):
        r.update(zip(structures, values))
    with open(out, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, 0) as f:
        lines = [list(table[0])] + [list(r.values()) for r in table]
        f.write("".join(",".join('"%s"' % v.replace('"', '""') for v in line) + "\n" for line in lines).encode())


# ---- the reports' figures as CSVs ----

KEPT = {(m, k) for m in ("nsb", "nss", "counterfactual") for k in ("1", "10")} | {("map_activity", "")}


def write(path, header, table):
    with open(path, "w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(header)
        out.writerows(table)


def kept(r):
    return (r["metric"], r["k"]) in KEPT and (r["setting"] != "all" or r["metric"] == "map_activity")


def name_of(run):
    return re.sub("@[0-9]+$", "", run)


def collect(root, out, scale, commit):
    figures, runs, cost = [], [], []
    for screen in sorted(os.listdir(root)):
        for work in ("work", "shuffled"):
            at = os.path.join(root, screen, work)
            label = screen if work == "work" else screen + "-shuffled"
            chance = {}
            for path in sorted(glob.glob(at + "/reports/*/metrics.csv")):
                run = os.path.basename(os.path.dirname(path))
                for r in filter(kept, rows(path)):
                    figure = (r["profiles"], r["metric"], r["setting"], r["k"])
                    chance[(name_of(run),) + figure] = r["chance"]
                    runs.append((label, run) + figure + (r["value"], r["chance"], r["n"]))
            for path in sorted(glob.glob(at + "/reports/compare/*/compare.csv")):
                table = rows(path)
                for r in filter(kept, table):
                    figure = (r["profiles"], r["metric"], r["setting"], r["k"])
                    if r["runs"] and r["value"]:
                        figures.append((label,) + figure + (r["run"], r["runs"], r["compounds"], r["value"], r["low"], r["high"],
                                       chance.get((r["run"],) + figure, ""), table[0]["run"], r["difference"], r["difference_low"],
                                       r["difference_high"]))
            for path in sorted(glob.glob(at + "/models/*/log.jsonl")):
                if os.path.islink(os.path.dirname(path)):
                    continue
                with open(path) as f:
                    steps = [json.loads(line) for line in f]
                cost.append((label, os.path.basename(os.path.dirname(path)), len(steps), "%.1f" % sum(s["processor_s"] for s in steps),
                             steps[-1].get("valid_top1", ""), steps[-1].get("valid_loss", "")))
    write(out + "/figures.csv", ["screen", "profiles", "metric", "setting", "k", "method", "seeds", "compounds", "value", "low", "high",
                                 "chance", "compared_with", "difference", "difference_low", "difference_high"], figures)
    write(out + "/runs.csv", ["screen", "run", "profiles", "metric", "setting", "k", "value", "chance", "n"], runs)
    write(out + "/cost.csv", ["screen", "run", "steps", "processor_s", "valid_top1", "valid_loss"], cost)
    with open("/proc/cpuinfo") as f:
        cpu = next((line.split(":")[1].strip() for line in f if line.startswith("model name")), platform.machine())
    date = subprocess.run(["date", "-u", "+%Y-%m-%d"], capture_output=True, text=True, check=True).stdout.strip()
    write(out + "/made.csv", ["scale", "commit", "processor", "cores", "date"], [(scale, commit, cpu, os.cpu_count(), date)])


# ---- the page ----

SETTINGS = [("seen_sources", "seen sources"), ("unseen_source", "unseen source"), ("unseen_compounds", "unseen compounds")]


def number(v):
    return "%.3f" % float(v) if v else ""


def span(r, of="", low="low", high="high", sign=1):
    v = [r[of or "value"], r[low], r[high]]
    if not v[0]:
        return ""
    v = [sign * float(x) if x else None for x in v]
    if v[1] is None:
        return "%.3f" % v[0]
    return "%.3f (%.3f to %.3f)" % (v[0], min(v[1:]), max(v[1:]))


class Page:
    def __init__(self, folder):
        # change/: figures of a variant that is no longer in the code, which no run here makes again
        self.figures = rows(folder + "/figures.csv") + rows(folder + "/change/figures.csv")
        self.cost = rows(folder + "/cost.csv") + rows(folder + "/change/cost.csv")
        self.made = rows(folder + "/made.csv")[0]
        self.found = rows(folder + "/scaling.csv")
        self.damage = rows(folder + "/uncurated.csv")
        self.demo = rows(folder + "/demo_settings.csv")

    def find(self, screen, method, metric, setting, k, profiles="corrected", base=None):
        for r in self.figures:
            have = r["screen"], r["method"], r["metric"], r["setting"], r["k"], r["profiles"]
            if have == (screen, method, metric, setting, k, profiles):
                if base is None or r["compared_with"] == base:
                    return r
        return None

    def chance(self, screen, metric, setting, k):
        for r in self.figures:
            if (r["screen"], r["metric"], r["setting"], r["k"]) == (screen, metric, setting, k) and r["chance"]:
                return number(r["chance"])
        return ""

    def table(self, head, lines):
        return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head)] + ["| " + " | ".join(x) + " |" for x in lines])

    def methods(self, screen, metric, k, methods, profiles="corrected"):
        """A row a method, a column a setting."""
        lines = []
        for m in methods.split(","):
            found = [self.find(screen, m, metric, s, k, profiles) for s, _ in SETTINGS]
            if any(found):
                lines.append([m] + [span(r) if r else "" for r in found])
        lines.append(["by chance"] + [self.chance(screen, metric, s, k) for s, _ in SETTINGS])
        return self.table(["method"] + [t for _, t in SETTINGS], lines)

    def against(self, screen, metric, k, base, methods, profiles="corrected"):
        """What `base` has more than each: paired differences."""
        lines = []
        for m in methods.split(","):
            found = [self.find(screen, m, metric, s, k, profiles, base) for s, _ in SETTINGS]
            if any(found):
                lines.append(["%s - %s" % (base, m)] +
                             [span(r, "difference", "difference_low", "difference_high", -1) if r else "" for r in found])
        return self.table(["paired difference"] + [t for _, t in SETTINGS], lines)

    def predicted(self, k, *pairs):
        """Counterfactual retrieval: a row for each SCREEN:METHOD."""
        lines = []
        for pair in pairs:
            screen, m = pair.split(":")
            r = self.find(screen, m, "counterfactual", "unseen_compounds", k, "uncorrected")
            if r:
                lines.append([screen, m, span(r), number(r["chance"]), r["compounds"], r["seeds"]])
        return self.table(["screen", "method", "top " + k, "by chance", "compounds", "seeds"], lines)

    def scaling(self, curve, methods):
        """scaling.py's figures: a row for each number of compounds, wells, sources and sites."""
        keys, methods = ("compounds", "wells", "sources", "sites"), methods.split(",")
        of = {(tuple(r[k] for k in keys), r["method"]): r for r in self.found if r["curve"] == curve}
        lines = [list(key) + [span(of[key, m], "found") if (key, m) in of else "" for m in methods]
                 for key in dict.fromkeys(key for key, _ in of)]
        return self.table(["compounds", "wells a compound, either side", "sources", "sites a well"] + methods, lines)

    def uncurated(self, metrics):
        """uncurated.py's figures: a row for each kind of damage."""
        of, metrics = {(r["tables"], r["metric"]): r for r in self.damage}, metrics.split(",")
        names = dict.fromkeys(t for t, _ in of)
        lines = [[t] + [span(of[t, m]) if (t, m) in of else "" for m in metrics] for t in names]
        return self.table(["tables"] + metrics, lines)

    def seeds(self, screen, method):
        return next(r["seeds"] for r in self.figures if (r["screen"], r["method"]) == (screen, method))

    def costs(self, screen):
        groups = {}
        for r in self.cost:
            if r["screen"] == screen:
                groups.setdefault(name_of(r["run"]), []).append(r)
        lines = []
        for m, g in sorted(groups.items()):
            lines.append([m, str(len(g)), g[0]["steps"], "%.0f" % (sum(float(r["processor_s"]) for r in g) / len(g))])
        return self.table(["method", "seeds", "steps", "processor seconds of training, mean"], lines)

    def validation(self, screen):
        """What the runs of seed 1 found on validation wells."""
        lines = [[name_of(r["run"]), r["steps"], number(r["valid_top1"]), number(r["valid_loss"])]
                 for r in self.cost if r["screen"] == screen]
        return self.table(["method and rate", "steps", "NSB, top 1", "loss"], sorted(lines))

    def settings(self):
        """demo_settings.sh's figures: a row a run."""
        lines = [list(r.values()) for r in self.demo]
        return self.table(["settings", "steps", "processor seconds", "seen sources, top 1", "unseen source, top 1",
                           "unseen source, top 5"], lines)

    def machine(self):
        return "commit %(commit)s, %(date)s, %(processor)s, %(cores)s cores, SCALE=%(scale)s" % self.made


def page(folder, template):
    p = Page(folder)

    def fill(match):
        words = match.group(1).split()
        return getattr(p, words[0])(*words[1:])
    with open(template) as f:
        sys.stdout.write(re.sub(r"\{\{(.*?)\}\}", fill, f.read(), flags=re.S))


if __name__ == "__main__":
    {"unseen": unseen, "third": third, "oracle": oracle, "shuffle": shuffle, "collect": collect, "page": page}[sys.argv[1]](*sys.argv[2:])

#!/usr/bin/env python3
"""CellProfiler's features of the cells of a file of cells_tool's kind, by the PyPI package cp_measure, under our names.

  cells_ref.py measure IN OUT            OUT (float32, a row a cell) and OUT.names; prints the seconds it took
  cells_ref.py drawn OUT [DATA]          writes the scene of tests/unit/t_cells_measure.c; with DATA (../shared/data) a real image's
                                         pixels under its masks
  cells_ref.py store IN OURS REF         measures, and writes the values in the order of OURS.names as float32 to REF, which the test
                                         compares with
  cells_ref.py compare IN OURS [WORST]   measures too, and compares OURS (of `cells_tool measure`): the share of values
                                         within 1e-3 relative or 1e-6 absolute, and the features with the most beyond it
"""
import sys, time, warnings
import numpy as np

warnings.filterwarnings("ignore")
np.seterr(all="ignore")


def read(path):
    with open(path, "rb") as f:
        words = f.readline().decode().split()
        w, h, unit, channels = int(words[0]), int(words[1]), float(words[2]), words[3:]
        take = lambda kind: np.frombuffer(f.read(w * h * np.dtype(kind).itemsize), kind).reshape(h, w).copy()
        return unit, channels, take(np.int32).astype(np.int64), take(np.int32).astype(np.int64), {c: take(np.uint16) for c in channels}


def dense(labels):
    """cp_measure wants labels 1..N without gaps: the numbers that occur, and labels renumbered."""
    have = np.unique(labels)
    have = have[have > 0]
    number = np.zeros(labels.max() + 1, np.int64)
    number[have] = np.arange(1, len(have) + 1)
    return have - 1, number[labels]


def measure_part(part, labels, px, unit, put):
    import cp_measure.core.measurecolocalization as coloc
    import cp_measure.core.measuregranularity as grain
    import cp_measure.core.measureobjectintensity as intensity
    import cp_measure.core.measureobjectintensitydistribution as radial
    import cp_measure.core.measureobjectsizeshape as shape
    import cp_measure.core.measuretexture as texture
    import cp_measure.multimask.measureobjectneighbors as neighbors

    real = {c: p / unit for c, p in px.items()}
    channels = list(px)
    for name, values in {**shape.get_sizeshape(labels, None), **shape.get_zernike(labels, None), **shape.get_feret(labels, None)}.items():
        put(f"{part}_AreaShape_{name}", values)
        if name in ("Center_X", "Center_Y"):
            put(f"{part}_Location_{name}", values)
    for c in channels:
        for name, values in intensity.get_intensity(labels, real[c], legacy=True).items():
            put(f"{part}_{name}_{c}", values)
        for name, values in {**radial.get_radial_distribution(labels, real[c]), **radial.get_radial_zernikes(labels, real[c])}.items():
            words = name.split("_")
            put("_".join([part, *words[:2], c, *words[2:]]), values)
        for scale in (3, 5, 10):
            for name, values in texture.get_texture(labels, real[c], scale=scale).items():
                first, rest = name.split("_", 1)
                put(f"{part}_Texture_{first}_{c}_{rest}", values)
        for name, values in grain.get_granularity(labels, real[c]).items():
            put(f"{part}_{name}_{c}", values)
    for i, a in enumerate(channels):
        for b in channels[i + 1 :]:
            put(f"{part}_Correlation_Correlation_{a}_{b}", coloc.get_correlation_pearson(real[a], real[b], labels)["Correlation_Pearson"])
            found = {**coloc.get_correlation_manders_fold(real[a], real[b], labels), **coloc.get_correlation_rwc(real[a], real[b], labels),
                     **coloc.get_correlation_overlap(real[a], real[b], labels)}
            put(f"{part}_Correlation_Overlap_{a}_{b}", found.pop("Correlation_Overlap"))
            for name, values in found.items():
                kind = name.split("_")[1]
                put(f"{part}_Correlation_{kind}_{a}_{b}" if name.endswith("_1") else f"{part}_Correlation_{kind}_{b}_{a}", values)
    if part == "Cytoplasm":
        return
    for name, method, reach in (("Adjacent", neighbors.D_ADJACENT, 1), ("5", neighbors.D_WITHIN, 5)):
        for feature, values in neighbors.measureobjectneighbors(labels, labels, method, reach).items():
            if "ObjectNumber" not in feature:
                put("_".join([part, "Neighbors", feature.split("_")[1], name]), values)


def measure(path):
    unit, channels, nuclei, cells, px = read(path)
    n = max(nuclei.max(), cells.max())
    table = {}
    start = time.perf_counter()
    for part, labels in (("Nuclei", nuclei), ("Cells", cells), ("Cytoplasm", np.where(nuclei > 0, 0, cells))):
        rows, numbered = dense(labels)
        if len(rows) == 0:
            continue

        def put(name, values):
            column = table.setdefault(name, np.full(n, np.nan))
            column[rows] = np.asarray(values, float)

        measure_part(part, numbered, px, unit, put)
    return table, time.perf_counter() - start


# y, x, half height, half width of the nucleus and of the cell
CELLS = [(20, 22, 7, 9, 14, 17), (24, 60, 6, 6, 15, 18), (26, 92, 9, 5, 16, 16), (60, 12, 5, 7, 12, 15), (66, 50, 8, 8, 20, 22),
         (75, 100, 10, 6, 19, 17), (104, 75, 6, 9, 12, 20), (55, 140, 5, 5, 11, 14)]
WIDTH, HEIGHT = 150, 110


def inside(y, x, cy, cx, ry, rx):
    return (y - cy) ** 2 * rx * rx + (x - cx) ** 2 * ry * ry <= ry * ry * rx * rx


def drawn_masks():
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    nuclei, cells = np.zeros((2, HEIGHT, WIDTH), np.int32)
    for i, (cy, cx, ny, nx, ry, rx) in enumerate(CELLS):
        cells[inside(y, x, cy, cx, ry, rx) & (cells == 0)] = i + 1
        nuclei[inside(y, x, cy, cx, ny, nx) & (cells == i + 1)] = i + 1
    cells[70:73, 95:98] = nuclei[70:73, 95:98] = 0  # a hole in the sixth
    n = len(CELLS)
    cells[2, 120] = nuclei[2, 120] = n + 1  # a pixel, a cell that is all nucleus
    cells[5:9, 130:139] = n + 2  # and one without
    nuclei[6, 132:137] = n + 2  # a nucleus that is a line
    return nuclei, cells


def drawn_pixels(nuclei, cells):
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.int64)
    px = []
    for c in range(2):
        noise = (x * x * 7 + y * y * 13 + x * y * (c + 3) * 5 + (x ^ y) * 31) % 1999
        p = 900 + 37 * x + 21 * y * (2 - c) + noise * (c + 1) + (nuclei > 0) * 9000 * (2 - c) + (cells > 0) * 3000
        px.append(p.astype(np.uint16))
    return px


def write_scene(path, data):
    nuclei, cells = drawn_masks()
    px = drawn_pixels(nuclei, cells)
    if data:
        from PIL import Image

        names = [f"{data}/cpjump1/images/DMSO/r04c14f05p01-ch{c}sk1fk1fl1.tiff" for c in (5, 3)]
        px = [np.array(Image.open(f))[400 : 400 + HEIGHT, 600 : 600 + WIDTH] for f in names]
    with open(path, "wb") as f:
        f.write(f"{WIDTH} {HEIGHT} 65535 DNA RNA\n".encode() + nuclei.tobytes() + cells.tobytes())
        for p in px:
            f.write(np.ascontiguousarray(p, np.uint16).tobytes())


def load(path):
    names = open(path + ".names").read().split()
    return names, np.fromfile(path, np.float32).reshape(-1, len(names)).astype(float)


def close(a, b):
    return (np.isnan(a) & np.isnan(b)) | (a == b) | (np.abs(a - b) <= np.maximum(1e-6, 1e-3 * np.abs(b)))


def main():
    if sys.argv[1] == "measure":
        table, seconds = measure(sys.argv[2])
        names = list(table)
        np.array([table[k] for k in names], np.float32).T.tofile(sys.argv[3])
        open(sys.argv[3] + ".names", "w").write("\n".join(names) + "\n")
        print(f"seconds {seconds:.3f}")
        return
    if sys.argv[1] == "drawn":
        write_scene(sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None)
        return
    if sys.argv[1] == "store":
        table, _ = measure(sys.argv[2])
        names, ours = load(sys.argv[3])
        np.array([table[k] for k in names], np.float32).T.tofile(sys.argv[4])
        return
    table, seconds = measure(sys.argv[2])
    names, ours = load(sys.argv[3])
    print(f"cp_measure {seconds:.1f} s")
    print("only here:", [k for k in names if k not in table][:8], "only there:", [k for k in table if k not in names][:20])
    far = []
    total = good = 0
    for i, name in enumerate(names):
        if name not in table:
            continue
        same = close(ours[:, i], table[name])
        total += len(same)
        good += same.sum()
        if not same.all():
            at = int(np.argmin(same))
            far.append((len(same) - same.sum(), name, ours[at, i], table[name][at]))
    print(f"within 1e-3 relative or 1e-6 absolute: {good} of {total} ({100 * good / total:.3f} %)")
    far.sort(reverse=True)
    for row in far[: int(sys.argv[4]) if len(sys.argv) > 4 else 40]:
        print("%6d %-60s ours %.8g theirs %.8g" % row)


if __name__ == "__main__":
    main()

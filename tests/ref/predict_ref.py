"""predict_ref.py WORK RUN PREDICTIONS SEEN HELD_OUT -- what micon predict wrote (docs/method.md 6) against numpy, from the same embeddings.
SEEN and HELD_OUT are compounds of the screen in lines 6 and 7 of the list: their predictions are in the embeddings too."""
import csv, glob, sys
import h5py, numpy as np

work, run, out, seen, held_out = sys.argv[1:]


def texts(group, name):
    c = group[name]
    return c['categories'].asstr()[:][c['codes'][:]] if isinstance(c, h5py.Group) else c.asstr()[:]


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


rows = list(csv.DictReader(open(out + '.csv')))
h = h5py.File(out + '.h5')
at = {r['Line']: i for i, r in enumerate(rows)}
mine = {seen: at['6'], held_out: at['7']}
raw, projected, normal, batch, wells = {}, {}, {}, {}, {}
for path in sorted(glob.glob(f'{work}/embeddings/{run}/*.h5')):
    e = h5py.File(path)
    obs, u = e['obs'], e['obsm/projected'][:].astype('f8')
    kind, compound, good = texts(obs, 'Metadata_pert_type'), texts(obs, 'Metadata_JCP2022'), obs['QC_Tiles'][:] > 0
    control = u[(kind == 'negcon') & good]
    middle = np.median(control, 0)
    mad = np.median(np.abs(control - middle), 0)
    scale = np.where(mad > 1e-9 * np.maximum(1, np.abs(middle)), 1.4826 * mad + 1e-18, np.inf)
    for c in set(compound[(kind == 'trt') & good]):
        wells.setdefault(c, []).extend((u[(compound == c) & good] - middle) / scale)
    names = list(e['uns/counterfactual/compound'].asstr()[:])
    source_batch = tuple(texts(obs, k)[0] for k in ('Metadata_Source', 'Metadata_Batch'))
    for c in mine:
        k = names.index(c)
        raw.setdefault(c, []).append(e['uns/counterfactual/X'][k])
        p = e['uns/counterfactual/projected'][k].astype('f8')
        projected.setdefault(c, []).append(p)
        normal.setdefault(c, []).append((p - middle) / scale)
        batch.setdefault(c, {}).setdefault(source_batch, []).append((p - middle) / scale)


def agreement(x):
    x = unit(np.array(x))
    s = x @ x.T
    return (s.sum() - len(x)) / (len(x) * (len(x) - 1))


known = {c: unit(np.mean(x, 0)) for c, x in wells.items()}
for c, i in mine.items():
    assert rows[i]['In_Screen'] == c, rows[i]
    assert np.abs(h['X'][i] - np.mean(raw[c], 0)).max() < 1e-5
    assert np.abs(h['obsm/projected'][i] - np.mean(projected[c], 0)).max() < 1e-5
    q = unit(np.mean(normal[c], 0))
    assert np.abs(h['obsm/normalized'][i] - q).max() < 1e-3
    best = sorted(((float(q @ x), k) for k, x in known.items()), reverse=True)[:5]
    for r, (s, k) in enumerate(best, 1):
        assert abs(float(rows[i][f'Similarity_{r}']) - s) < 1e-3, (rows[i], best)
    assert rows[i]['Nearest_1'] == best[0][1] or best[0][0] - best[1][0] < 1e-3
    assert abs(float(rows[i]['Agreement_Plates']) - agreement(normal[c])) < 1e-3
    assert abs(float(rows[i]['Agreement_Batches']) - agreement([np.mean(x, 0) for x in batch[c].values()])) < 1e-3
r = rows[mine[seen]]
assert r['Tanimoto'] == '1' and r['Nearest_Training'] == seen, r
assert float(rows[mine[held_out]]['Tanimoto']) < 1
assert rows[at['2']]['In_Screen'] == '' and rows[at['2']]['Name'] == 'aspirin, not in the screen', rows[at['2']]
assert len(h['uns/rejects/Line']) == 2
assert rows[0]['Trust'].startswith(('better than chance: of 11 ', 'not shown to be better than chance: of 11 ', 'worse')), rows[0]

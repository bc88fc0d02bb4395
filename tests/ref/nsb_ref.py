"""nsb_ref.py WORK RUN CONTROL -- NSB top-1 (docs/method.md 8) on raw h means of the treated wells of the validation
batches, from the embeddings alone."""
import csv, glob, sys
import h5py, numpy as np

work, run, control = sys.argv[1:]
with open(f'{work}/split.csv') as f:
    valid = {tuple(row[:4]) for row in csv.reader(f) if row[4] == 'valid'}


def column(obs, name):
    c = obs[name]
    return c['categories'].asstr()[:][c['codes'][:]] if isinstance(c, h5py.Group) else c.asstr()[:]


wells = {}
for name in sorted(glob.glob(f'{work}/embeddings/{run}/*.h5')):
    e = h5py.File(name)
    source, batch, plate, well, compound = (column(e['obs'], f'Metadata_{k}') for k in ('Source', 'Batch', 'Plate', 'Well', 'Compound'))
    for i, h in enumerate(e['X'][:].astype('f8')):
        at = source[i], batch[i], plate[i], well[i]
        if at in valid and compound[i] not in ('', control, 'JCP2022_999999') and e['obs/QC_Flag'][i] == 0:
            wells.setdefault(at + (compound[i],), []).append(h)
keys = sorted(wells)
h = np.array([np.mean(wells[k], 0) for k in keys])
h /= np.linalg.norm(h, axis=1, keepdims=True)
group = np.array(['/'.join(k[:2]) for k in keys])
label = np.array([k[4] for k in keys])
near = h @ h.T
near[group[:, None] == group] = -2
print((label[near.argmax(1)] == label).mean(), len(keys))

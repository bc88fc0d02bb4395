"""bbbc013.py NAME EMBEDDINGS... -- are the wells of rows that training never saw in the order of their doses? A well is its mean profile
less its row's untreated wells; its score is the product with the direction from untreated wells to the highest dose on the trained rows.
Printed: Spearman's correlation of score and dose, and the area under the curve of doses 5 to 10 against 0 to 4, means over the two rows,
with 95 % intervals over wells (2,000 draws within rows)."""
import sys
import h5py, numpy as np


def text(obs, name):
    c = obs[name]
    return c['categories'].asstr()[:][c['codes'][:]] if isinstance(c, h5py.Group) else c.asstr()[:]


def ranks(v):
    order = np.argsort(v, kind='stable')
    r = np.empty(len(v))
    r[order] = np.arange(len(v))
    return np.array([r[v == x].mean() for x in v])


def figures(score, dose):
    a, b = ranks(score), ranks(dose)
    rho = np.corrcoef(a, b)[0, 1] if a.std() > 0 and b.std() > 0 else 0.0
    high, low = score[dose >= 5], score[dose < 5]
    auc = np.mean([(h > low).mean() + (h == low).mean() / 2 for h in high]) if len(high) and len(low) else 0.5
    return np.array([rho, auc])


rows, direction = [], 0
for path in sorted(sys.argv[2:]):
    f = h5py.File(path)
    x, dose = f['X'][:].astype('f8'), text(f['obs'], 'Metadata_Dose').astype(float)
    x -= x[dose == 0].mean(0)
    if text(f['obs'], 'Metadata_Source')[0] == 'trained':
        direction = direction + x[dose == 10].mean(0)
    else:
        rows.append((x, dose))
rows = [(x @ direction, dose) for x, dose in rows]
value = np.mean([figures(*r) for r in rows], 0)
rng = np.random.default_rng(1)
draws = []
for _ in range(2000):
    some = [rng.integers(0, len(s), len(s)) for s, _ in rows]
    draws.append(np.mean([figures(s[i], d[i]) for (s, d), i in zip(rows, some)], 0))
low, high = np.percentile(draws, [2.5, 97.5], 0)
print('%-14s Spearman %.2f (%.2f to %.2f), AUC %.2f (%.2f to %.2f), %d wells of 2 rows' %
      (sys.argv[1], value[0], low[0], high[0], value[1], low[1], high[1], sum(len(s) for s, _ in rows)))

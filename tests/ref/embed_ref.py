"""embed_ref.py MODEL TILES COMPOUNDS EMBEDDINGS -- docs/method.md 4 and 6 in a page of PyTorch, float64, against what
micon-embed wrote in fp32."""
import json, struct, sys
import h5py, numpy as np, torch
import torch.nn.functional as F

model, tiles, compounds, embeddings = sys.argv[1:]
raw = open(model, 'rb').read()
n = struct.unpack('<Q', raw[:8])[0]
head = json.loads(raw[8:8 + n])
meta = head.pop('__metadata__')
w = {k: torch.from_numpy(np.frombuffer(raw, '<f4', offset=8 + n + v['data_offsets'][0], count=int(np.prod(v['shape'])))
                         .reshape(v['shape']).astype('f8')) for k, v in head.items()}
mean, sd = (np.array(json.loads(meta[k])) for k in ('micon.mean', 'micon.sd'))


def norm(x, name):
    return F.batch_norm(x, w[name + '.running_mean'], w[name + '.running_var'], w[name + '.weight'], w[name + '.bias'], False, 0, 1e-5)


def encoder(x):   # resnet18
    x = F.max_pool2d(F.relu(norm(F.conv2d(x, w['encoder.conv1.weight'], None, 2, 3), 'encoder.bn1')), 3, 2, 1)
    for layer in range(1, 5):
        for block in range(2):
            at, stride = f'encoder.layer{layer}.{block}', 2 if layer > 1 and block == 0 else 1
            y = F.relu(norm(F.conv2d(x, w[at + '.conv1.weight'], None, stride, 1), at + '.bn1'))
            y = norm(F.conv2d(y, w[at + '.conv2.weight'], None, 1, 1), at + '.bn2')
            if at + '.downsample.0.weight' in w:
                x = norm(F.conv2d(x, w[at + '.downsample.0.weight'], None, stride), at + '.downsample.1')
            x = F.relu(x + y)
    return F.linear(x.mean((2, 3)), w['encoder.fc.weight'], w['encoder.fc.bias'])


def mlp(x, name):
    return F.linear(F.relu(F.linear(x, w[name + '.0.weight'], w[name + '.0.bias'])), w[name + '.2.weight'], w[name + '.2.bias'])


t, e, c = (h5py.File(f) for f in (tiles, embeddings, compounds))
x = (t['tiles'][:] / 255.0 - mean[None, :, None, None]) / sd[None, :, None, None]
h = torch.stack([encoder(torch.from_numpy(x[:, i:i + 1])) for i in range(x.shape[1])], 1).flatten(1)
h = F.normalize(h)
u = F.normalize(mlp(h, 'projector'))


def near(got, want, what):
    err = np.abs(got - want.numpy()).max()
    print(f'# {what}: largest difference {err:.2e}')
    assert err < 1e-4, what


near(e['X'][:], h, 'h')                 # one tile a site
near(e['obsm/projected'][:], u, 'u')
keys = c['obs/Metadata_Compound'].asstr()[:]
clip = 'uns/compound' in e
names = e['uns/compound/compound' if clip else 'uns/counterfactual/compound'].asstr()[:]
p = torch.from_numpy(np.stack([c['X'][int(np.where(keys == k)[0][0])] for k in names]).astype('f8'))
m = mlp(p, 'compound')
if clip:
    assert 'uns/counterfactual' not in e
    near(e['uns/compound/X'][:], F.normalize(m), 'compounds')
    sys.exit()
pert = t['obs/Metadata_pert_type']
kinds = pert['categories'].asstr()[:][pert['codes'][:]]
control = h[torch.from_numpy((kinds == 'negcon') & (t['obs/QC_Flag'][:] == 0))]
g = torch.stack([mlp(torch.cat([control, q.expand(len(control), -1)], 1), 'generator').mean(0) for q in m])
near(e['uns/counterfactual/X'][:], F.normalize(g), 'predicted')
near(e['uns/counterfactual/projected'][:], F.normalize(mlp(g, 'projector')), 'predicted, projected')

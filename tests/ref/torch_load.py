"""torch_load.py MODEL -- a model's encoder into a torch module with torchvision's names, strictly; prints the number of tensors."""
import json, struct, sys
import numpy as np, torch
from torch import nn


class Block(nn.Module):
    def __init__(self, ci, co, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(ci, co, 3, stride, 1, bias=False), nn.BatchNorm2d(co)
        self.conv2, self.bn2 = nn.Conv2d(co, co, 3, 1, 1, bias=False), nn.BatchNorm2d(co)
        if stride != 1 or ci != co:
            self.downsample = nn.Sequential(nn.Conv2d(ci, co, 1, stride, bias=False), nn.BatchNorm2d(co))


class ResNet18(nn.Module):
    def __init__(self, out):
        super().__init__()
        self.conv1, self.bn1, self.fc = nn.Conv2d(1, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.Linear(512, out)
        for i in range(4):
            co = 64 << i
            setattr(self, f'layer{i + 1}', nn.Sequential(Block(co if i == 0 else co // 2, co, 1 if i == 0 else 2), Block(co, co, 1)))


def mlp(w, name):
    inside, ins = w[name + '.0.weight'].shape
    return nn.Sequential(nn.Linear(ins, inside), nn.ReLU(), nn.Linear(inside, w[name + '.2.weight'].shape[0]))


raw = open(sys.argv[1], 'rb').read()
n = struct.unpack('<Q', raw[:8])[0]
head = json.loads(raw[8:8 + n])
head.pop('__metadata__')
kinds = {'F32': '<f4', 'I64': '<i8'}
w = {k: torch.from_numpy(np.frombuffer(raw, kinds[v['dtype']], offset=8 + n + v['data_offsets'][0], count=int(np.prod(v['shape'])))
                         .reshape(v['shape']).copy()) for k, v in head.items()}
all_of = nn.Module()
all_of.encoder = ResNet18(w['encoder.fc.weight'].shape[0])
for name in ('projector', 'compound', 'generator'):
    if name + '.0.weight' in w:
        setattr(all_of, name, mlp(w, name))
all_of.load_state_dict(w, strict=True)
print(len(w))

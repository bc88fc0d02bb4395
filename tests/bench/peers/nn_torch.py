#!/usr/bin/env python3
"""PyTorch as the peer of bench_nn: nn_torch.py train|infer DEPTH PICTURES SIZE fp32|bf16 THREADS [STEPS]
Prints "seconds S processor P" of the best step: forward, backward and AdamW of a one-channel ResNet in channels_last; bf16 is autocast."""
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

PLANS = {18: ([2, 2, 2, 2], False), 34: ([3, 4, 6, 3], False), 50: ([3, 4, 6, 3], True), 101: ([3, 4, 23, 3], True)}


class Block(nn.Module):
    def __init__(self, ci, width, stride, deep):
        super().__init__()
        co = width * (4 if deep else 1)
        sizes = [(ci, width, 1, 1), (width, width, 3, stride), (width, co, 1, 1)] if deep else [(ci, width, 3, stride), (width, co, 3, 1)]
        self.convs = nn.ModuleList(nn.Conv2d(a, b, k, s, k // 2, bias=False) for a, b, k, s in sizes)
        self.norms = nn.ModuleList(nn.BatchNorm2d(b) for _, b, _, _ in sizes)
        self.skip = nn.Identity()
        if stride != 1 or ci != co: self.skip = nn.Sequential(nn.Conv2d(ci, co, 1, stride, bias=False), nn.BatchNorm2d(co))

    def forward(self, x):
        y = x
        for i, (c, n) in enumerate(zip(self.convs, self.norms)):
            y = n(c(y))
            if i + 1 < len(self.convs):
                y = F.relu(y, inplace=True)
        return F.relu(y + self.skip(x), inplace=True)


def resnet(depth, out):
    blocks, deep = PLANS[depth]
    parts, ci = [nn.Conv2d(1, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)], 64
    for s in range(4):
        for i in range(blocks[s]):
            parts.append(Block(ci, 64 << s, 2 if i == 0 and s > 0 else 1, deep))
            ci = (64 << s) * (4 if deep else 1)
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(ci, out))


def main():
    mode, depth, n, size, kind, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5], int(sys.argv[6])
    steps = int(sys.argv[7]) if len(sys.argv) > 7 else 2
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    net = resnet(depth, 200).to(memory_format=torch.channels_last)
    x = torch.rand(n, 1, size, size).to(memory_format=torch.channels_last)
    net.train(mode == "train")
    opt = torch.optim.AdamW(net.parameters(), lr=1e-3)
    best = best_cpu = 1e30
    for i in range(steps + 1):
        t, c = time.time(), time.process_time()
        with torch.autocast("cpu", torch.bfloat16, enabled=kind == "bf16"), torch.set_grad_enabled(mode == "train"):
            y = net(x)
        if mode == "train":
            opt.zero_grad()
            (y.float() ** 2).mean().backward()
            opt.step()
        if i:
            best, best_cpu = min(best, time.time() - t), min(best_cpu, time.process_time() - c)
    print(f"seconds {best:.4f} processor {best_cpu:.4f}")


main()

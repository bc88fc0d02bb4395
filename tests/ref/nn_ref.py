#!/usr/bin/env python3
"""Reference numbers for tests/unit/t_nn_net.c and t_nn_loss.c, from PyTorch float64 (Debian's python3-torch).

    /usr/bin/python3 tests/ref/nn_ref.py tests/ref          (about ten minutes, 6 GB)

Weights and pictures come from the Philox generator of include/micon/base/rng.h, so both sides have the same. Of every tensor's gradient at
most 512 values are kept, at the places j * count // k. Beside them, what PyTorch's own fp32 and bf16 (autocast) make of the same values:
the yardsticks. Files are safetensors."""
import json
import struct
import sys

import numpy as np
import torch
import torch.nn.functional as F

STREAM_INIT, STREAM_SAMPLE = 2, 9
KEEP = 512


def philox(step, position, draws, seed, stream):
    """out[draw] for draw in range(draws): uint32 [draws, 4]."""
    c = [np.full(draws, step, np.uint64), np.full(draws, position & 0xFFFFFFFF, np.uint64), np.full(draws, position >> 32, np.uint64),
         np.arange(draws, dtype=np.uint64)]
    k0, k1, m = np.uint64(seed), np.uint64(stream), np.uint64(0xFFFFFFFF)
    for _ in range(10):
        a, b = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [((b >> np.uint64(32)) ^ c[1] ^ k0) & m, b & m, ((a >> np.uint64(32)) ^ c[3] ^ k1) & m, a & m]
        k0, k1 = (k0 + np.uint64(0x9E3779B9)) & m, (k1 + np.uint64(0xBB67AE85)) & m
    return np.stack(c, 1)


def uniform(n, step, position, seed, stream):
    w = philox(step, position, (n + 1) // 2, seed, stream).reshape(-1, 2)
    v = ((w[:, 0] >> np.uint64(5)) << np.uint64(26)) | (w[:, 1] >> np.uint64(6))
    return (v.astype(np.float64) * 2.0 ** -53)[:n]


def normal(n, step, position, seed, stream):
    u = uniform(2 * ((n + 1) // 2), step, position, seed, stream).reshape(-1, 2)
    r, a = np.sqrt(-2 * np.log(1 - u[:, 0])), 6.283185307179586 * u[:, 1]
    return np.stack([r * np.cos(a), r * np.sin(a)], 1).reshape(-1)[:n]


def f32(a):
    return a.astype(np.float32).astype(np.float64)


PLANS = {18: ([2, 2, 2, 2], False), 34: ([3, 4, 6, 3], False), 50: ([3, 4, 6, 3], True), 101: ([3, 4, 23, 3], True)}


def tensors(depth, out):
    """[(name, shape)] in the order of resnet_register."""
    blocks, deep = PLANS[depth]
    res = []

    def conv(name, co, ci, k):
        res.append((name + ".weight", (co, ci, k, k)))

    def norm(name, c):
        for part in ("weight", "bias", "running_mean", "running_var"):
            res.append((f"{name}.{part}", (c,)))

    conv("conv1", 64, 1, 7)
    norm("bn1", 64)
    ci = 64
    for s in range(4):
        for i in range(blocks[s]):
            w, co, at = 64 << s, (64 << s) * (4 if deep else 1), f"layer{s + 1}.{i}"
            sizes = [(w, ci, 1), (w, w, 3), (co, w, 1)] if deep else [(w, ci, 3), (co, w, 3)]
            for k, (o, c, ks) in enumerate(sizes):
                conv(f"{at}.conv{k + 1}", o, c, ks)
                norm(f"{at}.bn{k + 1}", o)
            if i == 0 and (s > 0 or co != ci):
                conv(f"{at}.downsample.0", co, ci, 1)
                norm(f"{at}.downsample.1", co)
            ci = co
    res += [("fc.weight", (out, ci)), ("fc.bias", (out,))]
    return res


def weights(depth, out, d, p, seed):
    """name -> float64 array: the encoder, then the projector; with the last batch norm of every block at 0.2."""
    deep = PLANS[depth][1]
    w = {}
    todo = [("encoder." + n, s) for n, s in tensors(depth, out)]
    fan = 2048 if deep else 512
    todo += [("projector.0.weight", (d, d)), ("projector.0.bias", (d,)), ("projector.2.weight", (p, d)), ("projector.2.bias", (p,))]
    for i, (name, shape) in enumerate(todo):
        n = int(np.prod(shape))
        if len(shape) == 4:
            v = normal(n, i, 0, seed, STREAM_INIT) * np.sqrt(2.0 / (shape[0] * shape[2] * shape[3]))
        elif name.startswith("encoder.fc") or name.startswith("projector"):
            v = (2 * uniform(n, i, 0, seed, STREAM_INIT) - 1) * (1 / np.sqrt(fan if "fc" in name else d))
        else:
            v = np.full(n, 1.0 if name.endswith((".weight", ".running_var")) else 0.0)
            if name.endswith(f".bn{3 if deep else 2}.weight") and "layer" in name:
                v[:] = np.float32(0.2)
        w[name] = f32(v).reshape(shape)
    return w


FAR, FAR_PROJECTOR = 6.0, 0.125


def far_from_zero(w):
    """For resnet18. Moves the input of every ReLU away from its edge, three channels of four above it, one below, by six times what it
    varies, so that no rounding decides what a ReLU lets through; the biases of fc and of the projector's last layer take the constants
    out again."""
    def moved(name, up, down):
        w[name][:] = np.where(np.arange(len(w[name])) % 4 == 3, -down, up)

    def taken_out(layer, by):
        f = w[layer + ".weight"]
        w[layer + ".bias"][:] = f32(-by * f[:, np.arange(f.shape[1]) % 4 != 3].sum(1))

    for k in w:
        if k.endswith((".bn1.bias", ".downsample.1.bias")):
            moved(k, FAR, FAR)
        elif k.endswith(".bn2.bias"):  # what it is added to is already up
            moved(k, 0, FAR)
    taken_out("encoder.fc", FAR)
    moved("projector.0.bias", FAR_PROJECTOR, FAR_PROJECTOR)
    taken_out("projector.2", FAR_PROJECTOR)


def pictures(rows_label, size):
    i, j = np.meshgrid(np.arange(size), np.arange(size), indexing="ij")
    x = np.empty((len(rows_label) * 5, 1, size, size))
    for r, y in enumerate(rows_label):
        for c in range(5):
            a = uniform(3, y, c, 2, STREAM_SAMPLE)
            noise = normal(size * size, r, c, 3, STREAM_SAMPLE).reshape(size, size)
            x[r * 5 + c, 0] = np.sin(a[0] * i + a[1] * j + 6 * a[2]) + 0.5 * noise
    return f32(x)


def encode(w, depth, x):
    blocks, deep = PLANS[depth]

    def bn(v, name):
        m, s = torch.zeros(v.shape[1], dtype=torch.float32 if v.dtype != torch.float64 else v.dtype), None
        s = torch.ones_like(m)
        y = F.batch_norm(v, m, s, w[name + ".weight"], w[name + ".bias"], True, 0.1, 1e-5)
        running[name + ".running_mean"], running[name + ".running_var"] = m, s
        return y

    running = {}
    v = F.conv2d(x, w["encoder.conv1.weight"], None, 2, 3)
    v = F.max_pool2d(F.relu(bn(v, "encoder.bn1")), 3, 2, 1)
    for s in range(4):
        for i in range(blocks[s]):
            at, stride, skip = f"encoder.layer{s + 1}.{i}", 2 if i == 0 and s > 0 else 1, v
            n = 3 if deep else 2
            for k in range(1, n + 1):
                ks = 1 if deep and k != 2 else 3
                st = stride if k == (2 if deep else 1) else 1
                v = bn(F.conv2d(v, w[f"{at}.conv{k}.weight"], None, st, ks // 2), f"{at}.bn{k}")
                if k < n:
                    v = F.relu(v)
            if f"{at}.downsample.0.weight" in w:
                skip = bn(F.conv2d(skip, w[f"{at}.downsample.0.weight"], None, stride), f"{at}.downsample.1")
            v = F.relu(v + skip)
    v = v.mean((2, 3))
    return v, running


def supcon(u, y, t):
    n = len(y)
    s = u @ u.T / t
    eye = torch.eye(n, dtype=torch.bool)
    log_sum = torch.logsumexp(s.masked_fill(eye, -float("inf")), 1)
    pos = (y[:, None] == y[None, :]) & ~eye
    count = pos.sum(1)
    keep = count > 0
    per = -(torch.where(pos, s, torch.zeros_like(s)).sum(1) / count.clamp(min=1) - log_sum)
    return per[keep].mean() if keep.any() else s.sum() * 0


def step(w64, depth, x64, y, t, dtype, autocast):
    w = {k: torch.tensor(v, dtype=dtype, requires_grad="running" not in k) for k, v in w64.items()}
    x = torch.tensor(x64, dtype=dtype)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        pooled, running = encode(w, depth, x.to(memory_format=torch.channels_last) if autocast else x)
    pooled = pooled.to(dtype)
    f = F.linear(pooled, w["encoder.fc.weight"], w["encoder.fc.bias"])
    h = F.normalize(f.reshape(len(y), -1), dim=1)
    g = F.linear(F.relu(F.linear(h, w["projector.0.weight"], w["projector.0.bias"])), w["projector.2.weight"], w["projector.2.bias"])
    loss = supcon(F.normalize(g, dim=1), torch.tensor(y), t)
    loss.backward()
    gradients = {k: v.grad.double().numpy() for k, v in w.items() if v.requires_grad}
    return float(loss), gradients, {k: v.double().numpy() for k, v in running.items()}


def kept(a):
    a = a.reshape(-1)
    k = min(len(a), KEEP)
    return a[np.arange(k) * len(a) // k]


def save(path, arrays, meta):
    names = {np.dtype("float32"): "F32", np.dtype("float64"): "F64", np.dtype("int32"): "I32"}
    head, at, blobs = {"__metadata__": meta}, 0, []
    for k, a in arrays.items():
        b = np.ascontiguousarray(a).tobytes()
        head[k] = {"dtype": names[a.dtype], "shape": list(a.shape), "data_offsets": [at, at + len(b)]}
        blobs.append(b)
        at += len(b)
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def net_reference(folder, depth, size, far=False, n_items=16, t=0.1, d=1000, p=512):
    y = [1 + i % 6 for i in range(n_items)]
    y = y + [0] * n_items + y + [0] * n_items
    w, x = weights(depth, d // 5, d, p, 1), pictures(y, size)
    if far:
        far_from_zero(w)
    loss64, g64, r64 = step(w, depth, x, y, t, torch.float64, False)
    print(depth, "float64", loss64, flush=True)
    # In PyTorch's default layout: its channels_last errs ten times as much (torch 1.13), no yardstick for anybody.
    loss32, g32, _ = step(w, depth, x, y, t, torch.float32, False)
    print(depth, "float32", loss32, flush=True)
    loss16, g16, _ = step(w, depth, x, y, t, torch.float32, True)
    print(depth, "bf16", loss16, flush=True)
    same = torch.ones(len(y), p, dtype=torch.float64) / np.sqrt(p)
    out = {"loss": np.array([loss64, loss32, loss16, float(supcon(same, torch.tensor(y), t))])}
    for k in g64:
        a, c = kept(g64[k]), kept(g16[k])
        error = np.linalg.norm(kept(g32[k]) - a)
        out["grad:" + k] = a.astype(np.float32)
        size_a = np.linalg.norm(a) + 1e-300
        out["yard:" + k] = np.array([error / size_a, np.dot(a, c) / (size_a * np.linalg.norm(c) + 1e-300)])
    for k in r64:
        out["state:" + k] = kept(r64[k])[:64].astype(np.float32)
    save(f"{folder}/nn_resnet{depth}{'_far' if far else ''}.safetensors", out,
         {"made by": "tests/ref/nn_ref.py", "torch": torch.__version__})


def draw(shape, tag, scale=1.0):
    return f32(scale * normal(int(np.prod(shape)), tag, 0, 5, STREAM_SAMPLE)).reshape(shape)


def loss_reference(folder):
    out = {}
    for n, d in ((2, 7), (7, 1), (63, 65), (65, 63)):
        u = F.normalize(torch.tensor(draw((n, d), n)), dim=1).numpy()
        u = torch.tensor(f32(u), requires_grad=True)
        y = torch.tensor([int(v) for v in np.floor(uniform(n, n, 1, 5, STREAM_SAMPLE) * (n / 3 + 1))])
        for t in (0.1, 1.0):
            u.grad = None
            loss = supcon(u, y, t)
            loss.backward()
            out[f"supcon:{n}x{d}:{t}:loss"] = np.array([float(loss)])
            out[f"supcon:{n}x{d}:{t}:grad"] = u.grad.numpy().copy()
        a = torch.tensor(f32(F.normalize(torch.tensor(draw((n, d), 100 + n)), dim=1).numpy()), requires_grad=True)
        b = torch.tensor(f32(F.normalize(torch.tensor(draw((n, d), 200 + n)), dim=1).numpy()), requires_grad=True)
        s = a @ b.T / 0.07
        loss = (F.cross_entropy(s, torch.arange(n)) + F.cross_entropy(s.T, torch.arange(n))) / 2
        loss.backward()
        out[f"clip:{n}x{d}:loss"], out[f"clip:{n}x{d}:a"], out[f"clip:{n}x{d}:b"] = np.array([float(loss)]), a.grad.numpy(), b.grad.numpy()
    # the auxiliary head, and a perceptron with its input normalized
    n, d, c = 63, 7, 5
    x = torch.tensor(draw((n, d), 301), requires_grad=True)
    w = {"0.weight": draw((d,), 302), "0.bias": draw((d,), 303), "2.weight": draw((c, d), 304), "2.bias": draw((c,), 305)}
    w = {k: torch.tensor(v, requires_grad=True) for k, v in w.items()}
    y = torch.arange(n) % c
    m, s = torch.zeros(d, dtype=torch.float64), torch.ones(d, dtype=torch.float64)
    v = F.relu(F.batch_norm(x, m, s, w["0.weight"], w["0.bias"], True, 0.1, 1e-5))
    loss = F.cross_entropy(F.linear(v, w["2.weight"], w["2.bias"]), y)
    loss.backward()
    out["aux:loss"], out["aux:x"], out["aux:mean"], out["aux:var"] = np.array([float(loss)]), x.grad.numpy(), m.numpy(), s.numpy()
    for k in w:
        out["aux:" + k] = w[k].grad.numpy()
    n, i, h, o = 7, 65, 63, 1
    x = torch.tensor(draw((n, i), 401), requires_grad=True)
    w = {"0.weight": draw((h, i), 402, 0.1), "0.bias": draw((h,), 403), "2.weight": draw((o, h), 404), "2.bias": draw((o,), 405)}
    w = {k: torch.tensor(v, requires_grad=True) for k, v in w.items()}
    z = F.normalize(x, dim=1)
    v = F.linear(F.relu(F.linear(z, w["0.weight"], w["0.bias"])), w["2.weight"], w["2.bias"])
    (v * torch.tensor(draw((n, o), 406))).sum().backward()
    out["mlp:y"], out["mlp:x"] = v.detach().numpy(), x.grad.numpy()
    for k in w:
        out["mlp:" + k] = w[k].grad.numpy()
    # AdamW, three steps, a matrix (decayed) and a vector (not)
    a, b = torch.tensor(draw((7, 9), 501), requires_grad=True), torch.tensor(draw((63,), 502), requires_grad=True)
    opt = torch.optim.AdamW([{"params": [a], "weight_decay": 0.01}, {"params": [b], "weight_decay": 0.0}], lr=5e-3)
    for k in range(3):
        a.grad, b.grad = torch.tensor(draw((7, 9), 510 + k)), torch.tensor(draw((63,), 520 + k))
        torch.nn.utils.clip_grad_norm_([a, b], 1.0)
        opt.step()
    out["adamw:a"], out["adamw:b"] = a.detach().numpy(), b.detach().numpy()
    save(f"{folder}/nn_loss.safetensors", {k: np.asarray(v, np.float64) for k, v in out.items()}, {"made by": "tests/ref/nn_ref.py"})


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder = sys.argv[1]
    loss_reference(folder)
    for depth, size in ((18, 96), (50, 64)):
        net_reference(folder, depth, size)
    net_reference(folder, 18, 96, far=True)

"""What make_golden.py writes with: Forger's random numbers, its layouts, and the record of a step.

Tensors are stored in Forger's layouts: images NHWC, convolution weights (O, KH, KW, C). Parameters are numbered in the
order of module.parameters(), which is that of both programs.
"""
import math
import os

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

WIDTH, LATENT, BATCH, CLASSES = 2, 6, 5, 3  # as in tests/recipe_cases.h
ADAM = {"lr": 1e-3, "betas": (0.0, 0.9), "eps": 1e-8}
HERE = os.path.dirname(os.path.abspath(__file__))


class Philox:
    """The numbers of core/random.h: Philox 4x32-10 (Salmon et al. 2011), normal ones by Box and Muller."""

    def __init__(self, seed):
        self.seed, self.block = seed, 0

    def uniform(self, *shape):
        count, low = math.prod(shape), np.uint64(0xFFFFFFFF)
        blocks, shift = -(-count // 4), np.uint64(32)
        zero = np.zeros(blocks, np.uint64)
        c = [zero + np.uint64(self.block) + np.arange(blocks, dtype=np.uint64), zero, zero, zero]
        k = [self.seed & 0xFFFFFFFF, self.seed >> 32]
        for _ in range(10):
            p, q = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
            c = [q >> shift ^ c[1] ^ np.uint64(k[0]), q & low, p >> shift ^ c[3] ^ np.uint64(k[1]), p & low]
            k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
        self.block += blocks
        u = np.stack(c, 1).reshape(-1).astype(np.float32) * np.float32(2**-32) + np.float32(2**-33)
        return torch.from_numpy(u[:count].astype(np.float64)).reshape(shape)

    def normal(self, *shape):
        count = math.prod(shape)
        u = self.uniform(-(-count // 4) * 2, 2)
        radius, angle = torch.sqrt(-2 * torch.log(u[:, 0])), 2 * math.pi * u[:, 1]
        z = torch.stack([torch.sin(angle) * radius, torch.cos(angle) * radius], 1)
        return z.reshape(-1)[:count].reshape(shape)


def nhwc(t):
    return t.permute(0, 2, 3, 1) if t.dim() == 4 else t


def parameters(net):  # spectral_norm puts its weight behind the bias
    named = [(m, n) for m in net.modules() for n in ("weight_orig", "weight", "bias") if n in m._parameters]
    return [m._parameters[n] for m, n in named if m._parameters[n] is not None]


def buffers(net):
    for m in net.modules():
        for name in ("mask", "running_mean", "running_var", "weight_u"):
            if m._buffers.get(name) is not None:
                yield m._buffers[name]
        if "weight_v" in m._buffers:  # as long as a row of the weight, and in its order
            row = m.weight_orig[:1]
            yield nhwc(m.weight_v.reshape(row.shape)).reshape(-1)


def randomise(net):  # so that every layer's gradient is well above rounding
    for m in net.modules():
        for name, p in m._parameters.items():
            if p is None:
                continue
            fan_in = p[0].numel()
            p.data = torch.randn_like(p) * (1.4 * fan_in**-0.5 if p.dim() > 1 else 0.3)
            if isinstance(m, (nn.BatchNorm2d, nn.InstanceNorm2d)) and name == "weight":
                p.data += 1
        if isinstance(m, nn.BatchNorm2d):
            m.running_mean.normal_(0, 0.3)
            m.running_var.uniform_(0.5, 1.5)


class Player:
    """Adam over some networks; its first moments with beta1 = 0 are the gradients of its last step."""

    def __init__(self, step, name, networks, max_norm=math.inf):
        self.step, self.name, self.networks, self.max_norm = step, name, networks, max_norm
        self.adam = torch.optim.Adam([p for n in networks for p in parameters(step.networks[n])], **ADAM)

    def minimise(self, loss, **named):
        loss = sum(named.values(), loss)
        self.adam.zero_grad()
        gradients = torch.autograd.grad(loss, [p for n in self.networks for p in parameters(self.step.networks[n])])
        norm = torch.sqrt(sum(g.square().sum() for g in gradients))
        everything = iter([g * min(1, self.max_norm / norm) for g in gradients])
        for name in self.networks:
            for i, p in enumerate(parameters(self.step.networks[name])):
                p.grad = next(everything)
                self.step.write(f"{name}.gradient.{i}", p.grad)
        self.adam.step()
        self.step.readings(**{f"loss_{self.name}": loss, **named, f"grad_norm_{self.name}": norm})


class Step:
    """What is written down of a row's step; of the steps that follow, on the same batches, the readings alone."""

    def __init__(self):
        self.out, self.random, self.count, self.following = {}, Philox(0), {}, False
        self.networks, self.players, self.replays, self.batches = {}, {}, {}, []
        self.latest, self.run = {}, {}

    def take(self, recipe, steps):
        for k in range(steps):
            self.count, self.latest, self.following = {}, {}, k > 0
            recipe(self)
            for name, value in self.latest.items():
                self.run.setdefault(name, []).append(value)
            if k == 0:
                for name, net in self.networks.items():
                    for i, b in enumerate(buffers(net)):
                        self.write(f"{name}.buffer_after.{i}", b)

    def write(self, name, tensor):
        if not self.following:
            self.out[name] = nhwc(tensor.detach().clone()).contiguous()

    def rows(self, **columns):
        k = self.count["batch"] = self.count.get("batch", -1) + 1
        for name, tensor in columns.items():
            self.write(f"batch.{k}.{name}", tensor)
        if not self.following:
            self.batches.append(columns)
        return self.batches[k]

    def next(self, **columns):
        values = self.rows(**columns).values()
        return values if len(values) > 1 else next(iter(values))

    def draw(self, kind, *shape):
        k = self.count["draw"] = self.count.get("draw", -1) + 1
        numbers = getattr(self.random, kind)(*shape)
        self.write(f"draw.{k}.{kind}", numbers)
        return numbers

    def network(self, name, net):
        if name in self.networks:
            return self.networks[name]
        randomise(net)
        self.networks[name] = net
        for i, p in enumerate(parameters(net)):
            self.write(f"{name}.parameter.{i}", p)
        for i, b in enumerate(buffers(net)):
            self.write(f"{name}.buffer.{i}", b)
        return net

    def player(self, name, *networks, **options):
        if name not in self.players:
            self.players[name] = Player(self, name, networks or (name,), **options)
        return self.players[name]

    def replay(self, name, sample):
        if name not in self.replays:
            self.replays[name] = Replay(self, name, sample)
        return self.replays[name]

    def readings(self, **named):
        for name, value in named.items():
            self.write(f"reading.{name}", value)
            self.latest[name] = value.detach().clone()

    def test(self, **named):
        for name, value in named.items():
            self.write(f"test.{name}", value)

    def save(self, row):
        self.out |= {f"run.{name}": torch.stack(values) for name, values in self.run.items()}
        os.makedirs(f"{HERE}/recipes", exist_ok=True)
        path = f"{HERE}/recipes/{row}.safetensors"
        save_file(self.out, path)
        print(f"{path}: {os.path.getsize(path) // 1024} KB")


def evaluated(*nets):
    """Scope: the networks in evaluation mode, nothing recorded."""
    class Scope:
        def __enter__(self):
            self.grad = torch.set_grad_enabled(False)
            for net in nets:
                net.eval()

        def __exit__(self, *_):
            torch.set_grad_enabled(True)
            for net in nets:
                net.train()
    return Scope()


class Replay:
    """A pool that is full: with even odds a fake is shown, or exchanged for one of its places in the pool."""

    def __init__(self, step, name, sample, rounds=2):
        self.step, self.name, self.rounds = step, name, torch.tensor(float(rounds))
        self.pool = torch.rand(rounds, BATCH, *sample) * 2 - 1
        self.write("memory")

    def write(self, when):  # images stand in the pool as elsewhere
        channels_last = self.pool.permute(0, 1, 3, 4, 2) if self.pool.dim() == 5 else self.pool
        self.step.write(f"{when}.{self.name}_replay", channels_last)
        self.step.write(f"{when}.{self.name}_replay_rounds", self.rounds)

    def shown(self, fake):
        place = (self.step.draw("uniform", BATCH) * self.rounds).long()
        swap = self.step.draw("uniform", BATCH) > 0.5
        shown, rows = fake.clone(), torch.arange(BATCH)
        shown[swap] = self.pool[place, rows][swap]
        self.pool[place[swap], rows[swap]] = fake[swap]
        self.write("memory_after")
        return shown

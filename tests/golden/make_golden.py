#!/usr/bin/env python3
"""Writes recipes/*.safetensors: what PyTorch computes, in float64, in one step of each row of tests/recipe_cases.h, and
the readings of the first 20.

    python3 make_golden.py [ROW...]            needs the packages torch, numpy and safetensors

Each function below is a step of a recipe, written as its paper's algorithm (what it makes is made in the first step
only: a network, a player and a batch of the same name are there in the next); a file has its weights, batches and random draws
before the step, its readings and gradients after it (tests/gan/golden_test.cpp explains the names). Only the files are
needed to run the tests.
"""
import math
import sys
import warnings

import torch
import torch.nn.functional as F
from recorder import BATCH, CLASSES, LATENT, WIDTH, Philox, Step, evaluated, nhwc
from torch import nn
from torch.distributions import Normal, kl_divergence
from torch.nn.utils import spectral_norm


def images(channels=1, height=16, width=16):
    return torch.rand(BATCH, channels, height, width) * 2 - 1


# ---- networks ----


def leaky(slope=0.2):
    return nn.LeakyReLU(slope)


class To(nn.Module):
    def __init__(self, f):
        super().__init__()
        self.f = f

    def forward(self, x):
        return self.f(x)


def generator(channels=1, height=16, width=16, latent=LATENT):
    mult = min(height, width) // 8
    window = (height // (2 * mult), width // (2 * mult))
    layers = [To(lambda z: z[:, :, None, None]), nn.ConvTranspose2d(latent, WIDTH * mult, window, bias=False),
              nn.BatchNorm2d(WIDTH * mult), nn.ReLU()]
    while mult > 1:
        layers += [nn.ConvTranspose2d(WIDTH * mult, WIDTH * mult // 2, 4, 2, 1, bias=False),
                   nn.BatchNorm2d(WIDTH * mult // 2), nn.ReLU()]
        mult //= 2
    return nn.Sequential(*layers, nn.ConvTranspose2d(WIDTH, channels, 4, 2, 1, bias=False), nn.Tanh())


def body(channels=1, height=16, width=16, batch_norm=True):
    """To maps of 4 pixels on the shorter side; and their channels."""
    layers, out = [nn.Conv2d(channels, WIDTH, 4, 2, 1, bias=False), leaky()], WIDTH
    side = min(height, width) // 2
    while side > 4:
        layers.append(nn.Conv2d(out, 2 * out, 4, 2, 1, bias=False))
        layers += [nn.BatchNorm2d(2 * out), leaky()] if batch_norm else [leaky()]
        out, side = 2 * out, side // 2
    return layers, out


def discriminator(channels=1, height=16, width=16, batch_norm=True, outputs=1):
    layers, out = body(channels, height, width, batch_norm)
    halved = min(height, width) // 4
    head = nn.Conv2d(out, outputs, (height // halved, width // halved), bias=False)
    return nn.Sequential(*layers, head, nn.Flatten(0) if outputs == 1 else nn.Flatten(1))


class Residual(nn.Module):
    """The pre-activation block, the shortcut's 1x1 convolution where the map is large."""

    def __init__(self, into, out, activation, conv, resample=None, image=False):
        super().__init__()
        up = [nn.Upsample(scale_factor=2)] if resample == "up" else []
        down = [nn.AvgPool2d(2)] if resample == "down" else []
        self.body = nn.Sequential(*([] if image else activation(into)), *up, conv(nn.Conv2d(into, out, 3, padding=1)),
                                  *activation(out), conv(nn.Conv2d(out, out, 3, padding=1)), *down)
        learned = into != out or resample
        self.shortcut = nn.Sequential(*up, conv(nn.Conv2d(into, out, 1)), *down) if learned else nn.Identity()

    def forward(self, x):
        return self.body(x) + self.shortcut(x)


def resnet_generator():
    maps, keep = 2 * WIDTH, lambda layer: layer
    activation = lambda c: [nn.BatchNorm2d(c), nn.ReLU()]
    return nn.Sequential(nn.Linear(LATENT, 16 * maps), To(lambda x: x.reshape(-1, 4, 4, maps).permute(0, 3, 1, 2)),
                         *[Residual(maps, maps, activation, keep, "up") for _ in range(2)], *activation(maps),
                         nn.Conv2d(maps, 1, 3, padding=1), nn.Tanh())


def resnet_discriminator(conv=lambda layer: layer):
    activation = lambda c: [nn.ReLU()]
    return nn.Sequential(Residual(1, WIDTH, activation, conv, "down", image=True),
                         *[Residual(WIDTH, WIDTH, activation, conv) for _ in range(2)],
                         nn.ReLU(), To(lambda x: x.sum((2, 3))), conv(nn.Linear(WIDTH, 1)), nn.Flatten(0))


# ---- objectives: of D for real and for fake samples, of G ----


def bce(label):
    return lambda logits: F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


NON_SATURATING = bce(1.0), bce(0.0), bce(1.0)
HINGE = lambda s: F.relu(1 - s).mean(), lambda s: F.relu(1 + s).mean(), lambda s: -s.mean()


# ---- recipes ----


def two_players(step, g, d, real, objective=NON_SATURATING, replay=None):
    d_real, d_fake, g_fake = objective
    g, d = step.network("g", g), step.network("d", d)
    player_g, player_d = step.player("g"), step.player("d")
    x = step.next(**real)
    z = step.draw("normal", BATCH, LATENT)
    fake = g(z)
    shown = replay.shown(fake.detach()) if replay else fake.detach()
    player_d.minimise(d_real(d(x)) + d_fake(d(shown)))
    player_g.minimise(g_fake(d(fake)))


def dcgan(step):
    shape = 3, 16, 24
    two_players(step, generator(*shape), discriminator(*shape), {"image": images(*shape)})


def mlp(sizes, activation):
    layers = []
    for a, b in zip(sizes, sizes[1:]):
        layers += [nn.Linear(a, b), activation]
    return nn.Sequential(*layers[:-1])


def gan(step):
    g = nn.Sequential(mlp([LATENT, 8, 8, 256], nn.ReLU()), nn.Tanh(), nn.Unflatten(1, (1, 16, 16)))
    d = nn.Sequential(nn.Flatten(), mlp([256, 8, 8, 1], leaky()), nn.Flatten(0))
    two_players(step, g, d, {"image": images()})


def gan_points(step):
    g, d = mlp([LATENT, 8, 8, 2], nn.ReLU()), nn.Sequential(mlp([2, 8, 8, 1], leaky()), nn.Flatten(0))
    two_players(step, g, d, {"point": torch.randn(BATCH, 2)}, replay=step.replay("d", (2,)))


def sngan(step):
    wide = 8 * WIDTH
    layers = [nn.Linear(LATENT, 4 * wide), To(lambda x: x.reshape(-1, 2, 2, wide).permute(0, 3, 1, 2)),
              nn.BatchNorm2d(wide), nn.ReLU()]
    for c in (wide, wide // 2, wide // 4):
        layers += [nn.ConvTranspose2d(c, c // 2, 4, 2, 1), nn.BatchNorm2d(c // 2), nn.ReLU()]
    g = nn.Sequential(*layers, nn.Conv2d(WIDTH, 1, 3, 1, 1), nn.Tanh())
    layers, c = [], 1
    for out in (WIDTH, 2 * WIDTH, 4 * WIDTH):
        for conv in (nn.Conv2d(c, out, 3, 1, 1), nn.Conv2d(out, out, 4, 2, 1)):
            layers += [spectral_norm(conv), leaky(0.1)]
        c = out
    d = nn.Sequential(*layers, spectral_norm(nn.Conv2d(c, wide, 3, 1, 1)), leaky(0.1), To(nhwc), nn.Flatten(),
                      spectral_norm(nn.Linear(4 * wide, 1)), nn.Flatten(0))
    two_players(step, g, d, {"image": images()}, HINGE)


def sngan_resnet(step):
    two_players(step, resnet_generator(), resnet_discriminator(spectral_norm), {"image": images()}, HINGE)


def styled(x):
    return F.leaky_relu(x, 0.2) * math.sqrt(2)


def by_fan_in(weight):
    return weight / math.sqrt(weight[0].numel())


class EqualisedConv(nn.Conv2d):
    def forward(self, x):
        return self._conv_forward(x, by_fan_in(self.weight), self.bias)


class EqualisedLinear(nn.Linear):
    def forward(self, x):
        return F.linear(x, by_fan_in(self.weight), self.bias)


class StyledConv(nn.Module):
    def __init__(self, into, out, window, demodulated=True):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.empty(out, into, window, window)), nn.Parameter(torch.empty(out))
        self.style, self.demodulated = EqualisedLinear(LATENT, into), demodulated

    def forward(self, x, w):
        """A convolution of its own for each sample: the paper's way, as groups."""
        weights = by_fan_in(self.weight)[None] * self.style(w)[:, None, :, None, None]
        if self.demodulated:
            weights = weights / torch.sqrt(weights.square().sum((2, 3, 4), keepdim=True) + 1e-8)
        n, out, into, window, _ = weights.shape
        y = F.conv2d(x.reshape(1, n * into, *x.shape[2:]), weights.reshape(n * out, into, window, window),
                     padding=window // 2, groups=n)
        return y.reshape(n, out, *x.shape[2:]) + self.bias[:, None, None]


class StyleGenerator(nn.Module):
    """For 16 pixels."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(1, 4 * WIDTH, 4, 4))
        self.mapping = nn.ModuleList(EqualisedLinear(LATENT, LATENT) for _ in range(4))
        self.scales = nn.ModuleList()
        for into, out in ((None, 4), (4, 2), (2, 1)):
            first = [StyledConv(into * WIDTH, out * WIDTH, 3)] if into else []
            self.scales.append(nn.ModuleList([*first, StyledConv(out * WIDTH, out * WIDTH, 3),
                                              StyledConv(out * WIDTH, 1, 1, demodulated=False)]))

    def forward(self, z):
        w = z / torch.sqrt(z.square().mean(1, keepdim=True) + 1e-8)
        for layer in self.mapping:
            w = styled(layer(w))
        doubled = lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        x, picture = self.weight.expand(len(z), -1, -1, -1), 0
        for *first, second, to_picture in self.scales:
            if first:
                x, picture = styled(first[0](doubled(x), w)), doubled(picture)
            x = styled(second(x, w))
            picture = picture + to_picture(x, w)
        return torch.tanh(picture)


class StyleResidual(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        self.first, self.second = EqualisedConv(into, into, 3, padding=1), EqualisedConv(into, out, 3, padding=1)
        self.shortcut = EqualisedConv(into, out, 1, bias=False)

    def forward(self, x):
        body = F.avg_pool2d(styled(self.second(styled(self.first(x)))), 2)
        return (body + self.shortcut(F.avg_pool2d(x, 2))) / math.sqrt(2)


class StyleDiscriminator(nn.Module):
    """For 16 pixels, and batches of a prime number: their groups have one sample, which deviates by sqrt(1e-8)."""

    def __init__(self):
        super().__init__()
        maps = 4 * WIDTH
        self.read = EqualisedConv(1, WIDTH, 1)
        self.blocks = nn.Sequential(StyleResidual(WIDTH, 2 * WIDTH), StyleResidual(2 * WIDTH, maps))
        self.last = EqualisedConv(maps + 1, maps, 3, padding=1)
        self.wide, self.score = EqualisedLinear(16 * maps, maps), EqualisedLinear(maps, 1)

    def forward(self, x):
        y = self.blocks(styled(self.read(x)))
        y = styled(self.last(torch.cat([y, torch.full((len(y), 1, 4, 4), 1e-4)], 1)))
        return self.score(styled(self.wide(nhwc(y).flatten(1)))).flatten()


def stylegan(step, gamma=0.1):
    d_real, d_fake, g_fake = NON_SATURATING
    g, d = step.network("g", StyleGenerator()), step.network("d", StyleDiscriminator())
    player_g, player_d = step.player("g"), step.player("d")
    x, fake = step.next(image=images()), g(step.draw("normal", BATCH, LATENT))
    player_d.minimise(d_real(d(x)) + d_fake(d(fake.detach())),
                      penalty=gamma / 2 * slopes(d, x).square().sum(1).mean())
    player_g.minimise(g_fake(d(fake)))


def wgan_gp(step, g, d, n_critic=2, weight=10):
    g, d = step.network("g", g()), step.network("d", d())
    player_g, player_d = step.player("g"), step.player("d")
    for _ in range(n_critic):
        real = step.next(image=images())
        fake = g(step.draw("normal", BATCH, LATENT)).detach()
        a = step.draw("uniform", BATCH)[:, None, None, None]
        between = (a * real + (1 - a) * fake).requires_grad_()
        slope = torch.autograd.grad(d(between).sum(), between, create_graph=True)[0]
        penalty = weight * (slope.flatten(1).norm(2, 1) - 1).square().mean()
        distance = d(real).mean() - d(fake).mean()
        player_d.minimise(-distance, penalty=penalty)
        step.readings(wasserstein=distance)
    player_g.minimise(-d(g(step.draw("normal", BATCH, LATENT))).mean())


def slopes(d, at):
    """The gradient of D at each sample, (N, numbers)."""
    at = at.detach().requires_grad_()
    return torch.autograd.grad(d(at).sum(), at, create_graph=True)[0].flatten(1)


LSGAN = lambda s: (s - 1).square().mean() / 2, lambda s: s.square().mean() / 2, lambda s: (s - 1).square().mean() / 2
FGAN_KL = lambda s: -s.mean(), lambda s: torch.exp(s - 1).mean(), lambda s: -s.mean()  # G: the alternative
FGAN_NEYMAN = (lambda s: (torch.exp(-s) - 1).mean(), lambda s: (2 - 2 * torch.sqrt(torch.exp(-s))).mean(),
               lambda s: (2 * torch.sqrt(torch.exp(-s)) - 2).mean())


def dcgan_pair():
    return generator(), discriminator(), {"image": images()}


def wgan(step, n_critic=2, clip=0.05):
    g, d = step.network("g", generator()), step.network("d", discriminator())
    player_g, player_d = step.player("g"), step.player("d")
    for _ in range(n_critic):
        real = step.next(image=images())
        distance = d(real).mean() - d(g(step.draw("normal", BATCH, LATENT)).detach()).mean()
        player_d.minimise(-distance)
        step.readings(wasserstein=distance)
        for p in d.parameters():
            p.data.clamp_(-clip, clip)
    player_g.minimise(-d(g(step.draw("normal", BATCH, LATENT))).mean())


def dragan(step, weight=10):
    d_real, d_fake, g_fake = NON_SATURATING
    g, d = step.network("g", generator()), step.network("d", discriminator(batch_norm=False))
    player_g, player_d = step.player("g"), step.player("d")
    x, fake = step.next(image=images()), g(step.draw("normal", BATCH, LATENT))
    u = step.draw("uniform", BATCH, 256).reshape(-1, 1, 16, 16)
    at = x + 0.5 * x.std(unbiased=False) * u
    penalty = weight * (slopes(d, at).norm(2, 1) - 1).square().mean()
    player_d.minimise(d_real(d(x)) + d_fake(d(fake.detach())), penalty=penalty)
    player_g.minimise(g_fake(d(fake)))


def penalised(step, term, of_fakes=False, weight=10):
    d_real, d_fake, g_fake = NON_SATURATING
    g, d = generator(), discriminator(batch_norm=False)
    for p in d.parameters():
        p.data *= 2.8  # slopes on both sides of 1
    g, d = step.network("g", g), step.network("d", d)
    player_g, player_d = step.player("g"), step.player("d")
    x, fake = step.next(image=images()), g(step.draw("normal", BATCH, LATENT))
    at = fake
    if not of_fakes:
        u = step.draw("uniform", BATCH)[:, None, None, None]
        at = u * x + (1 - u) * fake
    player_d.minimise(d_real(d(x)) + d_fake(d(fake.detach())), penalty=weight * term(slopes(d, at)))
    player_g.minimise(g_fake(d(fake)))


LENGTH, LETTERS = 4, 5


def along(into, out, window=5):
    return nn.Conv2d(into, out, (window, 1), padding=(window // 2, 0))


def sequence_block():
    return Plus(nn.ReLU(), along(WIDTH, WIDTH), nn.ReLU(), along(WIDTH, WIDTH))


class Plus(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)


def seqgan(step, relax, n_critic=1, tau=1.0, tau_end=0.5, progress=0.3):
    """Row after row: WGAN-GP where nothing is sampled, else the non-saturating game with R1."""
    flat = lambda x: x.permute(0, 2, 3, 1).flatten(1)
    g = step.network("g", nn.Sequential(
        nn.Linear(LATENT, LENGTH * WIDTH), To(lambda x: x.reshape(-1, LENGTH, 1, WIDTH).permute(0, 3, 1, 2)),
        sequence_block(), along(WIDTH, LETTERS, 1), To(lambda x: flat(x).reshape(-1, LENGTH, LETTERS))))
    d = step.network("d", nn.Sequential(
        To(lambda rows: rows.permute(0, 2, 1)[..., None]), along(LETTERS, WIDTH, 1), sequence_block(), To(flat),
        nn.Linear(LENGTH * WIDTH, 1), nn.Flatten(0)))
    player_g, player_d = step.player("g"), step.player("d")
    sampled, one_hot = relax != "softmax", lambda tokens: F.one_hot(tokens, LETTERS).double()
    if sampled:
        for when in ("memory", "memory_after"):
            step.write(f"{when}.progress", torch.tensor(progress))
        tau *= (tau_end / tau) ** progress
        step.readings(tau=torch.tensor(tau))

    def made():
        logits = g(step.draw("normal", BATCH, LATENT))
        if not sampled:
            return logits.softmax(2)
        u = step.draw("uniform", BATCH, LENGTH * LETTERS).reshape(-1, LENGTH, LETTERS)
        y = ((logits - torch.log(-torch.log(u))) / tau).softmax(2)
        return y if relax == "gumbel-soft" else one_hot(y.argmax(2)) + y - y.detach()

    for _ in range(n_critic):
        real = one_hot(step.next(tokens=torch.randint(LETTERS, (BATCH, LENGTH))))
        fake = made()
        if sampled:
            d_real, d_fake, g_fake = NON_SATURATING
            player_d.minimise(d_real(d(real)) + d_fake(d(fake.detach())),
                              penalty=slopes(d, real).square().sum(1).mean() / 2)
            continue
        a = step.draw("uniform", BATCH)[:, None, None]
        penalty = 10 * (slopes(d, a * real + (1 - a) * fake).norm(2, 1) - 1).square().mean()
        distance = d(real).mean() - d(fake.detach()).mean()
        player_d.minimise(-distance, penalty=penalty)
        step.readings(wasserstein=distance)
    if n_critic > 1:
        fake = made()
    player_g.minimise(g_fake(d(fake)) if sampled else -d(fake).mean())


class EnergyDiscriminator(nn.Module):
    def __init__(self, code=32):
        super().__init__()
        layers, out = body()
        self.encoder = nn.Sequential(*layers, nn.Conv2d(out, code, 4, bias=False), nn.Flatten())
        self.decoder = generator(latent=code)

    def energy(self, x):
        return (x - self.decoder(self.encoder(x))).square().flatten(1).mean(1)


def ebgan(step, margin=0.2, weight=0.1, playing=None):
    g, d = step.network("g", generator()), step.network("d", EnergyDiscriminator())
    player_g, player_d = step.player("g"), step.player("d")
    x, fake = step.next(image=images()), g(step.draw("normal", BATCH, LATENT))
    for when in ("memory", "memory_after") if playing else ():
        step.write(f"{when}.playing", torch.tensor(playing))
    waiting = 1 - playing if playing else 0
    accepted = d.energy(x).mean() / margin + waiting
    player_d.minimise(accepted + F.relu(1 - waiting - d.energy(fake.detach()) / margin).mean())
    fooled = d.energy(fake).mean() / margin
    cosines = F.cosine_similarity(*(c for c in [d.encoder(fake)] for c in (c[:, None], c[None])), dim=2)
    away = (cosines.square().sum() - BATCH) / (BATCH * (BATCH - 1))
    player_g.minimise((1 - waiting) * (fooled + waiting), pull_away=(1 - waiting) * weight * away)


def relativistic(step):
    g, d, real = dcgan_pair()
    g, d = step.network("g", g), step.network("d", d)
    player_g, player_d = step.player("g"), step.player("d")
    x, fake = step.next(**real), g(step.draw("normal", BATCH, LATENT))
    d_real, d_fake, _ = NON_SATURATING
    r, f = d(x), d(fake.detach())
    player_d.minimise(d_real(r - f.mean()) + d_fake(f - r.mean()))
    f, r = d(fake), d(x)
    player_g.minimise(d_real(f - r.mean()) + d_fake(r - f.mean()))


class LayerNorm(nn.Module):
    """Of a map (N, C, H, W), whose weights have Forger's order (H, W, C)."""

    def __init__(self, *shape):
        super().__init__()
        self.norm = nn.LayerNorm(shape)

    def forward(self, x):
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def craft(step, softened=0.1, softened_fake=0.05, turned=0.3, sigma=0.2, gamma=3, dropped=0.4, most=0.5):
    """dcgan with all that can be asked of a game at once."""
    inner = [nn.ConvTranspose2d(LATENT, 2 * WIDTH, 4, bias=False), nn.BatchNorm2d(2 * WIDTH), nn.ReLU(),
             nn.ConvTranspose2d(2 * WIDTH, WIDTH, 4, 2, 1, bias=False), nn.BatchNorm2d(WIDTH), nn.ReLU()]
    g = step.network("g", nn.Sequential(*inner, nn.ConvTranspose2d(WIDTH, 1, 4, 2, 1, bias=False), nn.Tanh()))
    d = step.network("d", nn.Sequential(
        nn.Conv2d(1, WIDTH, 4, 2, 1, bias=False), leaky(), nn.Conv2d(WIDTH, 2 * WIDTH, 4, 2, 1, bias=False),
        LayerNorm(4, 4, 2 * WIDTH), leaky(), nn.Conv2d(2 * WIDTH, 1, 4, bias=False), nn.Flatten(0)))
    player_g, player_d = step.player("g", max_norm=most), step.player("d", max_norm=most)
    x, z = step.next(image=images()), step.draw("normal", BATCH, LATENT)
    u = step.draw("uniform", BATCH, 16 * 2 * WIDTH + 64 * WIDTH)
    masks = [m.reshape(BATCH, side, side, -1).permute(0, 3, 1, 2) > dropped
             for m, side in ((u[:, :32 * WIDTH], 4), (u[:, 32 * WIDTH:], 8))]
    y = z[:, :, None, None]
    for i, mask in enumerate(masks):
        y = g[3 * i:3 * i + 3](y) * mask / (1 - dropped)
    fake = g[6:](y)
    noise = lambda: sigma * step.draw("normal", BATCH, 256).reshape(-1, 1, 16, 16)
    seen, shown = x + noise(), fake.detach() + noise()
    turn_real, turn_fake = (step.draw("uniform", BATCH) < turned for _ in range(2))
    label = torch.where(turn_real, softened, 1 - softened)
    label_fake = torch.where(turn_fake, 1 - softened_fake, softened_fake)
    loss = (F.binary_cross_entropy_with_logits(d(seen), label) +
            F.binary_cross_entropy_with_logits(d(shown), label_fake))
    player_d.minimise(loss, penalty=gamma / 2 * slopes(d, seen).square().sum(1).mean())
    player_g.minimise(F.binary_cross_entropy_with_logits(d(fake + noise()), torch.ones(BATCH)))


def mixture(step):
    """Two generators of points, which make two and three of five."""
    g = [step.network(name, mlp([LATENT, 8, 8, 2], nn.ReLU())) for name in ("g", "g2")]
    d = step.network("d", nn.Sequential(mlp([2, 8, 8, 1], leaky()), nn.Flatten(0)))
    player_g, player_d = step.player("g", "g", "g2"), step.player("d")
    x, z = step.next(point=torch.randn(BATCH, 2)), step.draw("normal", BATCH, LATENT)
    fake = torch.cat([g[0](z[:2]), g[1](z[2:])])
    d_real, d_fake, g_fake = NON_SATURATING
    player_d.minimise(d_real(d(x)) + d_fake(d(fake.detach())))
    player_g.minimise(g_fake(d(fake)))


def past(step):
    """Old copies of both networks, other than they are now, judge and are judged beside them."""
    def pair(prefix):
        return (step.network(prefix + "g", mlp([LATENT, 8, 8, 2], nn.ReLU())),
                step.network(prefix + "d", nn.Sequential(mlp([2, 8, 8, 1], leaky()), nn.Flatten(0))))
    (g, d), (old_g, old_d) = pair(""), pair("past_")
    player_g, player_d = step.player("g"), step.player("d")
    x, z = step.next(point=torch.randn(BATCH, 2)), step.draw("normal", BATCH, LATENT)
    fake = g(z)
    d_real, d_fake, g_fake = NON_SATURATING
    player_d.minimise(d_real(d(x)) + d_fake(d(torch.cat([fake[:2], old_g(z)[2:]]).detach())))
    player_g.minimise((g_fake(d(fake[:2])) + g_fake(old_d(fake[2:]))) / 2)


class MultiScaleGenerator(nn.Module):
    """For 16 pixels: images of 4, 8 and 16, smallest first."""

    def __init__(self):
        super().__init__()
        up = lambda i, o, *geometry: nn.Sequential(nn.ConvTranspose2d(i, o, *geometry, bias=False), nn.BatchNorm2d(o),
                                                   nn.ReLU())
        image = lambda i: nn.Conv2d(i, 1, 1, bias=False)
        self.block0, self.image0 = up(LATENT, 2 * WIDTH, 4), image(2 * WIDTH)
        self.block1, self.image1 = up(2 * WIDTH, WIDTH, 4, 2, 1), image(WIDTH)
        self.last = nn.ConvTranspose2d(WIDTH, 1, 4, 2, 1, bias=False)

    def forward(self, z):
        a = self.block0(z[:, :, None, None])
        b = self.block1(a)
        return [torch.tanh(self.image0(a)), torch.tanh(self.image1(b)), torch.tanh(self.last(b))]


class MultiScaleDiscriminator(nn.Module):
    def __init__(self):
        super().__init__()
        down = lambda i, o, *more: nn.Sequential(nn.Conv2d(i, o, 4, 2, 1, bias=False), *more, leaky())
        self.stage0, self.stage1 = down(1, WIDTH), down(WIDTH + 1, 2 * WIDTH, nn.BatchNorm2d(2 * WIDTH))
        self.head = nn.Conv2d(2 * WIDTH + 1, 1, 4, bias=False)

    def forward(self, images):
        small, middle, large = images
        x = torch.cat([self.stage0(large), middle], 1)
        return self.head(torch.cat([self.stage1(x), small], 1)).flatten()


def multi_scale(step):
    g, d = step.network("g", MultiScaleGenerator()), step.network("d", MultiScaleDiscriminator())
    player_g, player_d = step.player("g"), step.player("d")
    x, fake = step.next(image=images()), g(step.draw("normal", BATCH, LATENT))
    d_real, d_fake, g_fake = NON_SATURATING
    half = F.avg_pool2d(x, 2)
    player_d.minimise(d_real(d([F.avg_pool2d(half, 2), half, x])) + d_fake(d([image.detach() for image in fake])))
    player_g.minimise(g_fake(d(fake)))


class ConditionalDiscriminator(nn.Module):
    def __init__(self, condition, two_scores, classes=CLASSES, side=16):
        super().__init__()
        concat = condition == "concat"
        layers, out = body(1 + (classes if concat and not two_scores else 0), side, side)
        self.condition, self.two_scores = condition, two_scores
        self.body, self.head = nn.Sequential(*layers), nn.Conv2d(out, 1, 4, bias=False)
        if condition == "joint" or concat and two_scores:
            self.joint = nn.Conv2d(out + classes, out, 1, bias=False)
            if two_scores:
                self.match_head = nn.Conv2d(out, 1, 4, bias=False)
        if condition == "projection":
            self.classes = nn.Linear(classes, out, bias=False)
        if condition == "acgan":
            self.classes = nn.Linear(out, classes)

    @staticmethod
    def with_planes(x, c):
        return torch.cat([x, c[:, :, None, None].expand(-1, -1, *x.shape[2:])], 1)

    def projected(self, features, c):
        return (features.sum((2, 3)) * self.classes(c)).sum(1)

    def joined(self, features, c):
        return F.leaky_relu(self.joint(self.with_planes(features, c)), 0.2)

    def score(self, x, c):
        one = not self.two_scores
        features = self.body(self.with_planes(x, c) if one and self.condition == "concat" else x)
        if one and self.condition == "joint":
            return self.head(self.joined(features, c)).flatten()
        score = self.head(features).flatten()
        return score + self.projected(features, c) if one and self.condition == "projection" else score

    def match(self, x, c):
        features = self.body(x)
        if self.condition == "projection":
            return self.projected(features, c)
        return self.match_head(self.joined(features, c)).flatten()

    def logits(self, x):
        return self.classes(self.body(x).mean((2, 3)))


def cgan(step, condition, two_scores=False):
    real, fake_, fooled = NON_SATURATING
    g = step.network("g", generator(latent=LATENT + CLASSES))
    d = step.network("d", ConditionalDiscriminator(condition, two_scores))
    player_g, player_d = step.player("g"), step.player("d")
    x, label = step.next(image=images(), label=torch.tensor([2, 0, 1, 1, 2]))
    c = F.one_hot(label, CLASSES).double()
    fake = g(torch.cat([step.draw("normal", BATCH, LATENT), c], 1))
    shown, more = fake.detach(), {}
    if condition != "acgan":
        other = (step.draw("uniform", BATCH, CLASSES) - 2 * c).argmax(1)
        wrong = F.one_hot(other, CLASSES).double()
    judged = real(d.score(x, c)) + fake_(d.score(shown, c))
    if two_scores:
        more = {"matched": real(d.match(x, c)), "mismatched": fake_(d.match(x, wrong))}
    elif condition == "acgan":
        more = {"class_real": F.cross_entropy(d.logits(x), label),
                "class_fake": F.cross_entropy(d.logits(shown), label)}
    else:
        more = {"mismatched": fake_(d.score(x, wrong))}
    player_d.minimise(judged, **more)
    judged, more = fooled(d.score(fake, c)), {}
    if two_scores:
        more = {"match": fooled(d.match(fake, c))}
    elif condition == "acgan":
        more = {"class": 0.5 * F.cross_entropy(d.logits(fake), label)}  # class_weight of the row
    player_g.minimise(judged, **more)


class UNet(nn.Module):
    """For 16 pixels: three levels."""

    def __init__(self, source, target):
        super().__init__()
        a, b, c = WIDTH, 2 * WIDTH, 4 * WIDTH
        self.down = nn.ModuleList([
            nn.Sequential(nn.Conv2d(source, a, 4, 2, 1), leaky()),
            nn.Sequential(nn.Conv2d(a, b, 4, 2, 1, bias=False), nn.BatchNorm2d(b), leaky()),
            nn.Sequential(nn.Conv2d(b, c, 4, 2, 1), leaky())])
        self.up = nn.ModuleList([
            nn.Sequential(nn.ConvTranspose2d(2 * a, target, 4, 2, 1), nn.Tanh()),
            nn.Sequential(nn.ConvTranspose2d(2 * b, a, 4, 2, 1, bias=False), nn.BatchNorm2d(a), nn.ReLU()),
            nn.Sequential(nn.ConvTranspose2d(c, b, 4, 2, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU())])
        self.dropped = [(4, 4, b), (8, 8, a)]  # the two innermost maps of the way up
        self.noise = sum(math.prod(shape) for shape in self.dropped)

    def forward(self, x, z=None):
        maps = []
        for layer in self.down:
            maps.append(layer(maps[-1] if maps else x))
        drops = iter(())
        if z is not None:
            sizes = [math.prod(shape) for shape in self.dropped]
            drops = iter([part.reshape(-1, *shape).permute(0, 3, 1, 2)
                          for part, shape in zip(z.split(sizes, 1), self.dropped)])
        y = self.up[2](maps[2])
        for skip, layer in ((maps[1], self.up[1]), (maps[0], self.up[0])):
            drop = next(drops, None)
            if drop is not None:
                y = torch.where(drop > 0.5, 2 * y, 0 * y)
            y = layer(torch.cat([y, skip], 1))
        return y


def patch_discriminator(channels, field):
    first, then = ((4, 2, 1), (4, 1, 1)) if field == 16 else ((1, 1, 0), (1, 1, 0))
    return nn.Sequential(nn.Conv2d(channels, WIDTH, *first), leaky(),
                         nn.Conv2d(WIDTH, 2 * WIDTH, *then, bias=False), nn.BatchNorm2d(2 * WIDTH), leaky(),
                         nn.Conv2d(2 * WIDTH, 1, *then))


def psnr(made, truth):
    return (10 * torch.log10(4 / (made - truth).square().mean((1, 2, 3)))).mean()


def fidelity(made, given, truth, of=""):
    return {f"{of}l1": F.l1_loss(made, truth), f"{of}l1_identity": (given - truth).abs().mean(),
            f"{of}psnr": psnr(made, truth), f"{of}psnr_identity": psnr(given, truth)}


def pix2pix(step, mode, field=16, weight=100):
    target_channels = 3
    g = step.network("g", UNet(1, target_channels))
    player_g = step.player("g")
    if mode != "close":
        d = step.network("d", patch_discriminator(1 + target_channels, field))
        player_d = step.player("d")
    source, target = step.next(source=images(), target=images(target_channels))
    with evaluated(g):
        step.test(**fidelity(g(source), source, target))
    fake = g(source, step.draw("uniform", BATCH, g.noise))
    close = weight * F.l1_loss(fake, target)
    if mode == "close":
        return player_g.minimise(close)
    real, fake_, fooled = NON_SATURATING
    judge = lambda x: d(torch.cat([source, x], 1))
    player_d.minimise(real(judge(target)) + fake_(judge(fake.detach())))
    fooled = fooled(judge(fake))
    if mode == "gan":
        return player_g.minimise(fooled)
    player_g.minimise(0, adversarial=fooled, close=close)


class ResidualBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.body = nn.Sequential(*same(channels, channels, 3), nn.InstanceNorm2d(channels, affine=True), nn.ReLU(),
                                  *same(channels, channels, 3), nn.InstanceNorm2d(channels, affine=True))

    def forward(self, x):
        return x + self.body(x)


def same(into, out, window, bias=False):
    return nn.ReflectionPad2d(window // 2), nn.Conv2d(into, out, window, bias=bias)


def resnet(channels=1, out=1):
    normed = lambda c: (nn.InstanceNorm2d(c, affine=True), nn.ReLU())
    layers, w = [*same(channels, WIDTH, 7), *normed(WIDTH)], WIDTH
    for c in (w, 2 * w):
        layers += [nn.Conv2d(c, 2 * c, 4, 2, 1, bias=False), *normed(2 * c)]
    layers.append(ResidualBlock(4 * w))
    for c in (2 * w, w):
        layers += [nn.ConvTranspose2d(2 * c, c, 4, 2, 1, bias=False), *normed(c)]
    return nn.Sequential(*layers, *same(w, out, 7, bias=True), nn.Tanh())


def cyclegan(step, translator, replay, cycle_weight=10, identity_weight=5, noise=0):
    ab, ba = step.network("ab", translator()), step.network("ba", translator())
    d_a, d_b = step.network("a", patch_discriminator(1, 16)), step.network("b", patch_discriminator(1, 16))
    translators, player_a, player_b = step.player("g", "ab", "ba"), step.player("a"), step.player("b")
    show_a, show_b = (step.replay(name, (1, 16, 16)).shown if replay else lambda fake: fake for name in ("a", "b"))
    a, b, a_truth, b_truth = step.next(**{name: images() for name in ("a.image", "b.image", "a.truth", "b.truth")})
    with evaluated(ab, ba):
        for way, there, back, given, truth in (("a-to-b.", ab, ba, a, a_truth), ("b-to-a.", ba, ab, b, b_truth)):
            made = there(given)
            step.test(**fidelity(made, given, truth, way), **{f"{way}cycle": F.l1_loss(back(made), given)})
    to = lambda label: lambda s: (s - label).square().mean() / 2
    fake_a, fake_b = ba(b), ab(a)
    spoilt_a, spoilt_b = (fake + noise * step.draw("normal", BATCH, 256).reshape(-1, 1, 16, 16) if noise else fake
                          for fake in (fake_a, fake_b))
    translators.minimise(0, adversarial=to(1)(d_a(fake_a)) + to(1)(d_b(fake_b)),
                         cycle=cycle_weight * (F.l1_loss(ba(spoilt_b), a) + F.l1_loss(ab(spoilt_a), b)),
                         identity=identity_weight * (F.l1_loss(ab(b), b) + F.l1_loss(ba(a), a)))
    for player, d, real, fake, show in ((player_a, d_a, a, fake_a, show_a), (player_b, d_b, b, fake_b, show_b)):
        player.minimise(to(1)(d(real)) + to(0)(d(show(fake.detach()))))


class SharedFirst(nn.Module):
    def __init__(self, shared, a, b):
        super().__init__()
        self.shared, self.own_a, self.own_b = shared, a, b

    def both(self, x):
        deep = self.shared(x)
        return self.own_a(deep), self.own_b(deep)

    def a(self, x):
        return self.own_a(self.shared(x))

    def b(self, x):
        return self.own_b(self.shared(x))


class SharedLast(nn.Module):
    def __init__(self, a, b, shared):
        super().__init__()
        self.own_a, self.own_b, self.shared = a, b, shared

    def both(self, a, b):
        return self.shared(torch.cat([self.own_a(a), self.own_b(b)]))

    def a(self, x):
        return self.shared(self.own_a(x))

    def b(self, x):
        return self.shared(self.own_b(x))


def shared_generators():
    """All but the last stage of 16 pixels is shared."""
    return SharedFirst(generator()[:7], generator()[7:], generator()[7:])


def shared_encoders(outputs=1, *more):
    parts = [discriminator(outputs=outputs) for _ in range(3)]
    return SharedLast(parts[0][:2], parts[1][:2], nn.Sequential(*parts[2][2:], *more))


def domains_and_truths(step, *made):
    """Images of both domains, near to what is made, and what the readings of a known pair need."""
    labels = {f"{domain}.label": torch.tensor(c) for domain, c in (("a", [2, 0, 1, 1, 2]), ("b", [2, 1, 1, 0, 2]))}
    columns = {name: images() for name in ("a.image", "b.image", "a.truth", "b.truth")}
    for name, pictures, order in zip(("a.image", "b.image"), made, ([3, 0, 4, 1, 2], [3, 4, 0, 1, 2])):
        columns[name] = (pictures[order] + 0.01 * columns[name]).detach()
    return step.rows(**columns, **labels)


def moved_on(x):
    return x.roll(-1, 0)


def pair_agreement(a, b, known):
    nearest = lambda x, among: torch.cdist(x.flatten(1), among.flatten(1)).argmin(1)
    i, j = nearest(a, known["a.image"]), nearest(b, known["b.image"])
    truth, class_a, class_b = known["a.truth"][i], known["a.label"][i], known["b.label"][j]
    same_class = lambda x, y: (x == y).double().mean()
    return {"pair.l1": F.l1_loss(b, truth), "pair.l1_shuffled": F.l1_loss(moved_on(b), truth),
            "pair.class": same_class(class_a, class_b), "pair.class_shuffled": same_class(class_a, moved_on(class_b))}


def cogan(step):
    g, d = step.network("g", shared_generators()), step.network("d", shared_encoders())
    player_g, player_d = step.player("g"), step.player("d")
    with evaluated(g, d):
        pair = g.both(Philox(0).normal(BATCH, LATENT))
        known = domains_and_truths(step, *pair)
        step.test(**pair_agreement(*pair, known))
    real, fake, fooled = NON_SATURATING
    scores = lambda a, b: torch.stack([d.a(a), d.b(b)], 1)
    a, b = g.both(step.draw("normal", BATCH, LATENT))
    player_d.minimise(real(scores(known["a.image"], known["b.image"])) + fake(scores(a.detach(), b.detach())))
    player_g.minimise(fooled(scores(a, b)))


def both_ways(e, g, known):
    """The readings of two translations, and of pictures rebuilt."""
    a, b = known["a.image"], known["b.image"]
    a_to_b, b_to_a = (lambda x: g.b(e.a(x))), (lambda x: g.a(e.b(x)))
    readings = {"rebuilt": (F.l1_loss(g.a(e.a(a)), a) + F.l1_loss(g.b(e.b(b)), b)) / 2}
    for way, given, there, back in (("a-to-b.", a, a_to_b, b_to_a), ("b-to-a.", b, b_to_a, a_to_b)):
        made = there(given)
        readings |= {**fidelity(made, given, known[f"{way[0]}.truth"], way), f"{way}cycle": F.l1_loss(back(made), given)}
    return readings


def judged_apart(player_g, d, players, a, b, fake_a, fake_b, **losses):
    """The step of E and G against least squares, then those of both discriminators."""
    real, fake, fooled = LSGAN
    player_g.minimise(0, **losses, adversarial=fooled(d[0](fake_a)) + fooled(d[1](fake_b)))
    for player, net, x, made in zip(players, d, (a, b), (fake_a, fake_b)):
        player.minimise(real(net(x)) + fake(net(made.detach())))


class PreActivation(nn.Module):
    def __init__(self, channels):
        super().__init__()
        layers = lambda: (nn.InstanceNorm2d(channels, affine=True), nn.ReLU(),
                          nn.Conv2d(channels, channels, 3, padding=1, bias=False))
        self.body = nn.Sequential(*layers(), *layers())

    def forward(self, x):
        return x + self.body(x)


def unit(step, rebuild=10, cycle=10, kl=0.01):
    maps = 4 * WIDTH
    e = step.network("e", SharedLast(resnet()[:10], resnet()[:10], PreActivation(maps)))
    g = step.network("g", SharedFirst(PreActivation(maps), resnet()[11:], resnet()[11:]))
    d = [step.network(name, patch_discriminator(1, 16)) for name in ("a", "b")]
    player_g, players = step.player("g", "e", "g"), (step.player("a"), step.player("b"))
    as_map = lambda z: z.reshape(-1, 4, 4, maps).permute(0, 3, 1, 2)
    with evaluated(e, g):
        pair = g.both(as_map(Philox(0).normal(BATCH, 16 * maps)))
        known = domains_and_truths(step, *pair)
        step.test(**both_ways(e, g, known), **pair_agreement(*pair, known))
    a, b = known["a.image"], known["b.image"]
    noise, more = (as_map(step.draw("normal", 2 * BATCH, 16 * maps)) for _ in range(2))
    codes = e.both(a, b)
    as_a, as_b = g.both(codes + noise)
    fake_a, fake_b = as_a[BATCH:], as_b[:BATCH]
    of_a, of_b = e.b(fake_b), e.a(fake_a)  # codes of what was a, and b
    back = F.l1_loss(g.a(of_a + more[BATCH:]), a) + F.l1_loss(g.b(of_b + more[:BATCH]), b)
    from_prior = lambda m: kl_divergence(Normal(m, torch.ones_like(m)), Normal(torch.zeros_like(m), torch.ones_like(m)))
    judged_apart(player_g, d, players, a, b, fake_a, fake_b,
                 rebuild=rebuild * (F.l1_loss(as_a[:BATCH], a) + F.l1_loss(as_b[BATCH:], b)), cycle=cycle * back,
                 kl=kl * sum(from_prior(m).mean() for m in (codes[:BATCH], codes[BATCH:], of_a, of_b)))


class Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight):
        ctx.weight = weight
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return -ctx.weight * gradient, None


def xgan(step, rebuild=10, semantic=1, domain=1):
    e = step.network("e", shared_encoders(LATENT, To(lambda x: F.normalize(x))))
    g = step.network("g", shared_generators())
    c = step.network("c", nn.Sequential(mlp([LATENT, LATENT, LATENT, 1], leaky()), nn.Flatten(0)))
    d = [step.network(name, patch_discriminator(1, 16)) for name in ("a", "b")]
    player_g, players = step.player("g", "e", "g", "c"), (step.player("a"), step.player("b"))
    known = domains_and_truths(step)
    a, b = known["a.image"], known["b.image"]
    apart = lambda x, y: (x - y).square().sum(1).mean()
    is_b = torch.cat([torch.zeros(BATCH), torch.ones(BATCH)])
    with evaluated(e, g, c):
        made = g.b(e.a(a))
        step.test(**both_ways(e, g, known), **pair_agreement(a, made, known), semantic=apart(e.b(made), e.a(a)),
                  semantic_shuffled=apart(moved_on(e.b(made)), e.a(a)),
                  domain_accuracy=((c(e.both(a, b)) > 0).double() == is_b).double().mean())
    codes = e.both(a, b)
    as_a, as_b = g.both(codes)
    fake_a, fake_b = as_a[BATCH:], as_b[:BATCH]
    again = e.both(fake_a, fake_b)
    judged_apart(player_g, d, players, a, b, fake_a, fake_b,
                 rebuild=rebuild * (F.l1_loss(as_a[:BATCH], a) + F.l1_loss(as_b[BATCH:], b)),
                 semantic=semantic * (apart(again[:BATCH], codes[BATCH:]) + apart(again[BATCH:], codes[:BATCH])),
                 domain=F.binary_cross_entropy_with_logits(c(Reverse.apply(codes, domain)), is_b))


def layer_normed_encoder(channels, *more, outputs=LATENT):
    return nn.Sequential(nn.Conv2d(channels, WIDTH, 4, 2, 1, bias=False), leaky(),
                         nn.Conv2d(WIDTH, 2 * WIDTH, 4, 2, 1, bias=False), LayerNorm(4, 4, 2 * WIDTH), leaky(),
                         nn.Conv2d(2 * WIDTH, outputs, 4, bias=False), nn.Flatten(), *more)


def dann(step, alternating, most=0.7, progress=0.13):
    f, classes = step.network("f", layer_normed_encoder(3, leaky())), step.network("classes", nn.Linear(LATENT, CLASSES))
    c = step.network("c", nn.Sequential(mlp([LATENT, LATENT, LATENT, 1], leaky()), nn.Flatten(0)))
    player_f = step.player("f", "f", "classes") if alternating else step.player("f", "f", "classes", "c")
    player_c = step.player("c") if alternating else None
    for when in ("memory", "memory_after"):
        step.write(f"{when}.progress", torch.tensor(progress))
    labels = {"a.label": torch.tensor([2, 0, 1, 1, 2]), "b.label": torch.tensor([0, 1, 2, 1, 2])}
    a, _, b, _ = step.next(**{"a.image": images(), "a.label": labels["a.label"], "b.image": images(3),
                              "b.label": labels["b.label"]})
    coded = lambda: f(torch.cat([a.expand(-1, 3, -1, -1), b]))
    is_b = torch.cat([torch.zeros(BATCH), torch.ones(BATCH)])
    share = lambda logits, labels: (logits.argmax(1) == labels).double().mean()
    with evaluated(f, classes, c):
        of_a, of_b = classes(coded()).chunk(2)
        step.test(accuracy_a=share(of_a, labels["a.label"]), accuracy_b=share(of_b, labels["b.label"]),
                  domain_accuracy=((c(coded()) > 0).double() == is_b).double().mean())
    weight, codes = most * (2 / (1 + math.exp(-10 * progress)) - 1), coded()
    if alternating:
        player_c.minimise(F.binary_cross_entropy_with_logits(c(codes.detach()), is_b))
        domain = weight * F.binary_cross_entropy_with_logits(c(codes), 1 - is_b)
    else:
        domain = F.binary_cross_entropy_with_logits(c(Reverse.apply(codes, weight)), is_b)
    named = classes(codes[:BATCH])
    player_f.minimise(0, **{"class": F.cross_entropy(named, labels["a.label"])}, domain=domain)
    step.readings(accuracy=share(named, labels["a.label"]), **{"lambda": torch.tensor(weight)})


def triple_gan(step, alpha=0.5, alpha_made=0.4, confidence=0.3):
    c = step.network("c", layer_normed_encoder(1, outputs=CLASSES))
    player_c, a, half = step.player("c"), images(), BATCH // 2
    label = (c(a).argmax(1) + torch.tensor([0, 0, 1, 0, 2])) % CLASSES  # three of five are named so
    a, label, b = step.next(**{"a.image": a, "a.label": label, "b.image": images()})
    share = lambda x: (c(x).argmax(1) == label).double().mean()
    accuracy = share(a)
    step.test(accuracy=accuracy)
    g = step.network("g", generator(latent=LATENT + CLASSES))
    d = step.network("d", ConditionalDiscriminator("projection", False))
    player_g, player_d = step.player("g"), step.player("d")
    real, fake_, fooled = NON_SATURATING
    make = lambda z, labels: g(torch.cat([z, labels], 1))
    y, given = F.one_hot(label, CLASSES).double(), F.one_hot(c(b).argmax(1), CLASSES).double()
    with evaluated(g):
        step.test(named=share(make(Philox(0).normal(BATCH, LATENT), y)))
    x, wanted = torch.cat([a[:half], b[half:]]), torch.cat([y[:half], given[half:]])
    fake = make(step.draw("normal", BATCH, LATENT), wanted)
    player_d.minimise(real(d.score(x, wanted)) + fake_(d.score(fake.detach(), wanted)),
                      named=alpha * fake_(d.score(b, given)))
    player_g.minimise(fooled(d.score(fake, wanted)))
    refused = F.logsigmoid(-d.score(b, given)).detach()
    p = c(b).softmax(1)
    player_c.minimise(0, **{"class": F.cross_entropy(c(a), label)},
                      class_made=alpha_made * F.cross_entropy(c(fake.detach()), wanted),
                      adversarial=alpha * ((p * given).sum(1) * refused).mean(),
                      entropy=confidence * torch.distributions.Categorical(p).entropy().mean())
    step.readings(accuracy=accuracy)


def dtn(step, alpha=15, beta=15):
    g = step.network("g", generator(channels=3))
    f = step.network("f", layer_normed_encoder(3, nn.Tanh()))
    classes = step.network("classes", nn.Linear(LATENT, CLASSES))
    d = step.network("d", discriminator(channels=3, outputs=3))
    player_f, player_d, player_g = step.player("f", "f", "classes"), step.player("d"), step.player("g")
    known = step.rows(**{"a.image": images(), "b.image": images(3), "a.truth": images(3),
                         "a.label": torch.tensor([2, 0, 1, 1, 2]), "b.label": torch.tensor([0, 1, 2, 1, 2])})
    a, b, label = known["a.image"], known["b.image"], known["a.label"]
    coded = lambda x: f(x.expand(-1, 3, -1, -1))
    named = lambda x: (classes(coded(x)).argmax(1) == label).double().mean()
    with evaluated(g, f, classes, d):
        made = g(coded(a))
        step.test(accuracy_a=named(a), accuracy_b=named(known["a.truth"]), **pair_agreement(a, made, known),
                  **fidelity(made, a, known["a.truth"], "a-to-b."))
    code_a, code_b = coded(a).detach(), coded(b).detach()
    fake_a, fake_b = g(code_a), g(code_b)
    kind = lambda k, x: F.cross_entropy(d(x), torch.full((BATCH,), k - 1))
    player_d.minimise(kind(1, fake_a.detach()) + kind(2, fake_b.detach()) + kind(3, b))
    player_g.minimise(0, adversarial=kind(3, fake_a) + kind(3, fake_b),
                      constancy=alpha * F.mse_loss(coded(fake_a), code_a), identity=beta * F.mse_loss(fake_b, b))
    player_f.minimise(F.cross_entropy(classes(coded(a)), label))


def disentangle(step, n_critic=2, weight=0.3, look=4):
    e, g = step.network("e", discriminator(outputs=LATENT)), step.network("g", generator(latent=LATENT + look))
    s, styles = step.network("s", discriminator(outputs=look)), step.network("styles", nn.Linear(look, CLASSES))
    c = step.network("c", mlp([LATENT, 4 * LATENT, 4 * LATENT, CLASSES], nn.ReLU()))
    player_s, player_c, player_g = step.player("s", "s", "styles"), step.player("c"), step.player("g", "e", "g")
    x, style, _ = step.next(image=images(), label=torch.tensor([2, 0, 1, 1, 2]),
                            **{"class": torch.tensor([0, 1, 1, 0, 1])})
    content, style_code = (lambda x: torch.tanh(e(x))), (lambda x: torch.tanh(s(x)))
    rebuild = lambda content, look: g(torch.cat([content, look], 1))
    share = lambda logits, labels: (logits.argmax(1) == labels).double().mean()
    with evaluated(e, g, s, styles, c):
        swapped = rebuild(content(x), moved_on(style_code(x)))
        step.test(rebuilt=F.l1_loss(rebuild(content(x), style_code(x)), x), style=share(styles(style_code(x)), style),
                  style_in_content=share(c(content(x)), style),
                  style_swapped=share(styles(style_code(swapped)), moved_on(style)))
    player_s.minimise(F.cross_entropy(styles(style_code(x)), style))
    code = content(x)
    for _ in range(n_critic):
        player_c.minimise(F.cross_entropy(c(code.detach()), style))
    uniform = torch.full((BATCH, CLASSES), 1 / CLASSES)
    player_g.minimise(0, rebuild=F.l1_loss(rebuild(code, style_code(x).detach()), x),
                      undecided=weight * F.cross_entropy(c(code), uniform))


WASSERSTEIN = lambda s: -s.mean(), lambda s: s.mean(), lambda s: -s.mean()


def dualgan(step, n_critic=2, clip=0.05, cycle_weight=100):
    ab, ba = step.network("ab", UNet(1, 1)), step.network("ba", UNet(1, 1))
    d_a, d_b = step.network("a", patch_discriminator(1, 16)), step.network("b", patch_discriminator(1, 16))
    translators, player_a, player_b = step.player("g", "ab", "ba"), step.player("a"), step.player("b")
    for last in [False] * (n_critic - 1) + [True]:
        columns = {name: images() for name in ("a.image", "b.image")}
        if "batch" not in step.count:  # the first one is tested
            columns["a.truth"], columns["b.truth"] = images(), images()
        a, b, *truths = step.next(**columns)
        if truths:
            with evaluated(ab, ba):
                for way, there, back, given, truth in (("a-to-b.", ab, ba, a, truths[0]),
                                                       ("b-to-a.", ba, ab, b, truths[1])):
                    made = there(given)
                    step.test(**fidelity(made, given, truth, way), **{f"{way}cycle": F.l1_loss(back(made), given)})
        fake_a, fake_b = ba(b), ab(a)
        if last:
            translators.minimise(0, adversarial=-d_a(fake_a).mean() - d_b(fake_b).mean(),
                                 cycle=cycle_weight * (F.l1_loss(ba(fake_b), a) + F.l1_loss(ab(fake_a), b)))
        for name, player, d, real, fake in (("a", player_a, d_a, a, fake_a), ("b", player_b, d_b, b, fake_b)):
            distance = d(real).mean() - d(fake.detach()).mean()
            player.minimise(-distance)
            step.readings(**{f"wasserstein_{name}": distance})
            for p in d.parameters():
                p.data.clamp_(-clip, clip)


def encoder_decoder():
    layers, out = body()
    return nn.Sequential(*layers, nn.ConvTranspose2d(out, WIDTH, 4, 2, 1, bias=False), nn.BatchNorm2d(WIDTH), nn.ReLU(),
                         nn.ConvTranspose2d(WIDTH, 1, 4, 2, 1, bias=False), nn.Tanh())


def discogan(step):
    real, fake_, fooled = NON_SATURATING
    ab, ba = step.network("ab", encoder_decoder()), step.network("ba", encoder_decoder())
    d_a, d_b = step.network("a", discriminator()), step.network("b", discriminator())
    translators, player_a, player_b = step.player("g", "ab", "ba"), step.player("a"), step.player("b")
    a, b = step.next(**{name: images() for name in ("a.image", "b.image")})
    with evaluated(ab, ba):
        step.test(**{"a-to-b.cycle": F.l1_loss(ba(ab(a)), a), "b-to-a.cycle": F.l1_loss(ab(ba(b)), b)})
    fake_a, fake_b = ba(b), ab(a)
    translators.minimise(0, adversarial=fooled(d_a(fake_a)) + fooled(d_b(fake_b)),
                         cycle=F.mse_loss(ba(fake_b), a) + F.mse_loss(ab(fake_a), b))
    for player, d, x, fake in ((player_a, d_a, a, fake_a), (player_b, d_b, b, fake_b)):
        player.minimise(real(d(x)) + fake_(d(fake.detach())))


class StarDiscriminator(nn.Module):
    """For 16 pixels."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, WIDTH, 4, 2, 1), leaky(), nn.Conv2d(WIDTH, 2 * WIDTH, 4, 2, 1), leaky())
        self.score = nn.Conv2d(2 * WIDTH, 1, 3, 1, 1)
        self.domain = nn.Conv2d(2 * WIDTH, CLASSES, 4)


def stargan(step, n_critic=2, weight=10, cycle_weight=10):
    g, d = step.network("g", resnet(1 + CLASSES, 1)), step.network("d", StarDiscriminator())
    player_g, player_d = step.player("g"), step.player("d")
    score, logits = lambda x: d.score(d.body(x)), lambda x: d.domain(d.body(x)).flatten(1)
    translate = lambda x, label: g(torch.cat([x, F.one_hot(label, CLASSES)[:, :, None, None].expand(-1, -1, 16, 16)], 1))
    words = "coat", "bag", "shoe"
    for last in [False] * (n_critic - 1) + [True]:
        label = torch.tensor([2, 0, 1, 1, 2])
        truths = {} if "batch" in step.count else {f"truth.{word}": images() for word in words}  # of the first one
        x, label, *truths = step.next(image=images(), label=label, **truths)
        if truths:
            test_stargan(step, g, translate, logits, x, label, dict(zip(words, truths)))
        into = step.draw("uniform", BATCH, CLASSES).argmax(1)
        fake = translate(x, into)
        a = step.draw("uniform", BATCH)[:, None, None, None]
        between = a * x + (1 - a) * fake.detach()
        penalty = weight * (slopes(score, between).norm(2, 1) - 1).square().mean()
        distance = score(x).mean() - score(fake.detach()).mean()
        player_d.minimise(-distance, penalty=penalty, class_real=F.cross_entropy(logits(x), label))
        step.readings(wasserstein=distance)
    player_g.minimise(0, adversarial=-score(fake).mean(), **{"class": F.cross_entropy(logits(fake), into)},
                      cycle=cycle_weight * F.l1_loss(translate(fake, label), x))


def test_stargan(step, g, translate, logits, x, label, truths):
    """Into each domain from the two others; then of the batch, each row into the domain after its own."""
    all_of = lambda k: torch.full((BATCH,), k)
    with evaluated(g):
        for to, (word, truth) in enumerate(truths.items()):
            found = []
            for origin, given in enumerate(truths.values()):
                if origin != to:
                    made = translate(given, all_of(to))
                    found.append({**fidelity(made, given, truth, f"to-{word}."),
                                  f"to-{word}.cycle": F.l1_loss(translate(made, all_of(origin)), given)})
            step.test(**{name: sum(each[name] for each in found) / len(found) for name in found[0]})
        after = (label + 1) % CLASSES
        made = translate(x, after)
        named = lambda image: (logits(image).argmax(1) == after).double().mean()
        step.test(cycle=F.l1_loss(translate(made, label), x), named=named(made), named_identity=named(x))


def resnet_halves(blocks):
    """An encoder, and a decoder with as many blocks of its own."""
    whole, inner = resnet(), [ResidualBlock(4 * WIDTH) for _ in range(blocks)]
    return nn.Sequential(*whole[:10], *inner), nn.Sequential(*[ResidualBlock(4 * WIDTH) for _ in inner], *whole[11:])


def combogan(step, domains, blocks, judge, replay, identity_weight=0, cycle_weight=10):
    """Every domain's rows go to the others: `domains` is, for each, which rows of which others it is given."""
    encode, decode, d = {}, {}, {}
    for name in domains:
        halves = resnet_halves(blocks)
        encode[name], decode[name] = step.network(f"e_{name}", halves[0]), step.network(f"g_{name}", halves[1])
        d[name] = step.network(name, judge())
    translators = step.player("g", *(f"{half}_{name}" for name in domains for half in "eg"))
    players = {name: step.player(name) for name in domains}
    show = {name: step.replay(name, (1, 16, 16)).shown if replay else lambda fake: fake for name in domains}
    columns = {f"{name}.image": images() for name in domains}
    truths = {f"{a}.truth" if len(domains) == 2 else f"truth.{a}": images() for a in domains}
    both = dict(zip({**columns, **truths}, step.next(**columns, **truths)))
    with evaluated(*encode.values(), *decode.values()):
        for a in domains:
            for b in domains:
                if a != b:
                    given, truth = both[f"{a}.image"], both[f"{a}.truth" if len(domains) == 2 else f"truth.{b}"]
                    made, way = decode[b](encode[a](given)), f"{a}-to-{b}."
                    step.test(**fidelity(made, given, truth, way),
                              **{f"{way}cycle": F.l1_loss(decode[a](encode[b](made)), given)})
    x = {name: both[f"{name}.image"] for name in domains}
    codes = {name: encode[name](x[name]) for name in domains}
    fakes = {j: decode[j](torch.cat([codes[i][rows] for i, rows in given])) for j, given in domains.items()}
    again = {j: encode[j](fakes[j]) for j in domains}
    back = {i: decode[i](torch.cat([again[j][rows] for rows, j in sorted(
        ((rows, j) for j, given in domains.items() for origin, rows in given if origin == i),
        key=lambda part: part[0].start or 0)])) for i in domains}
    to = lambda label: lambda s: (s - label).square().mean() / 2
    terms = {"adversarial": sum(to(1)(d[j](fakes[j])) for j in domains),
             "cycle": cycle_weight * sum(F.l1_loss(back[i], x[i]) for i in domains)}
    if identity_weight:
        terms["identity"] = identity_weight * sum(F.l1_loss(decode[i](codes[i]), x[i]) for i in domains)
    translators.minimise(0, **terms)
    for j in domains:
        players[j].minimise(to(1)(d[j](x[j])) + to(0)(d[j](show[j](fakes[j].detach()))))


THREE = {"a": [("c", slice(0, 2)), ("b", slice(2, 5))], "b": [("a", slice(0, 2)), ("c", slice(2, 5))],
         "c": [("b", slice(0, 2)), ("a", slice(2, 5))]}
TWO = {"a": [("b", slice(0, 5))], "b": [("a", slice(0, 5))]}


def vae(step, sigma=0.5):
    e, g = step.network("e", discriminator(outputs=2 * LATENT)), step.network("g", generator())
    player = step.player("g", "e", "g")
    x = step.next(image=images())

    def costs(noise):  # in nats per image, of the batch
        mean, log_variance = e(x).chunk(2, 1)
        q = Normal(mean, torch.exp(log_variance / 2))
        z = q.loc + q.scale * noise
        log_likelihood = Normal(g(z), sigma).log_prob(x).sum((1, 2, 3))
        kl = kl_divergence(q, Normal(torch.zeros_like(mean), torch.ones_like(mean))).sum(1)
        return -log_likelihood.mean(), kl.mean()

    with evaluated(e, g):
        reconstruction, kl = costs(Philox(0).normal(BATCH, LATENT))
        again, mean = g(e(x).chunk(2, 1)[0]), x.mean(0, keepdim=True)
        step.test(reconstruction=reconstruction, kl=kl, elbo=-reconstruction - kl,
                  psnr=psnr(again, x), psnr_mean=psnr(mean, x))
    reconstruction, kl = costs(step.draw("normal", BATCH, LATENT))
    player.minimise(0, reconstruction=reconstruction / x[0].numel(), kl=kl / x[0].numel())


class DiscriminatorInParts(nn.Module):
    def __init__(self, outputs=0):
        super().__init__()
        layers, out = body()
        self.map, self.score_head = nn.Sequential(*layers), nn.Conv2d(out, 1, 4, bias=False)
        if outputs:
            self.read_head = nn.Conv2d(out, outputs, 4, bias=False)

    def score(self, x):
        return self.score_head(self.map(x)).flatten()

    def read(self, x):
        return self.read_head(self.map(x)).flatten(1)


def infogan(step, codes=2):
    real, fake_, fooled = NON_SATURATING
    torch.rand(5)  # of the weights that follow Q names some samples rightly, not all
    g = step.network("g", generator(latent=LATENT + CLASSES + codes))
    d = step.network("d", DiscriminatorInParts(CLASSES + codes))
    player_g, player_d = step.player("g"), step.player("d")
    x = step.next(image=images())

    def made(normal, uniform):
        z, c, v = normal(BATCH, LATENT), uniform(BATCH, CLASSES).argmax(1), 2 * uniform(BATCH, codes) - 1
        return g(torch.cat([z, F.one_hot(c, CLASSES), v], 1)), c, v

    def read(fake, c, v):
        logits, mean = d.read(fake).split([CLASSES, codes], 1)
        return F.cross_entropy(logits, c), (v - mean).square().sum(1).mean() / 2

    with evaluated(g, d):
        random = Philox(0)
        fake, c, v = made(random.normal, random.uniform)
        category, code = read(fake, c, v)
        step.test(information=math.log(CLASSES) - category, named_chance=torch.tensor(1 / CLASSES),
                  named=(d.read(fake)[:, :CLASSES].argmax(1) == c).double().mean(),
                  code_error=2 / codes * code, code_error_chance=v.square().mean())
    fake, c, v = made(*(lambda *shape, kind=kind: step.draw(kind, *shape) for kind in ("normal", "uniform")))
    judged = real(d.score(x)) + fake_(d.score(fake.detach()))
    category, code = read(fake.detach(), c, v)
    player_d.minimise(judged, category_read=category, code_read=code)
    judged = fooled(d.score(fake))
    category, code = read(fake, c, v)
    player_g.minimise(judged, category=category, code=code)


def normal_prior(mean):
    return Normal(torch.zeros_like(mean), torch.ones_like(mean))


def vae_gan(step, gamma=10):
    real, fake_, fooled = NON_SATURATING
    e, g = step.network("e", discriminator(outputs=2 * LATENT)), step.network("g", generator())
    d = step.network("d", DiscriminatorInParts())
    player_e, player_g, player_d = step.player("e"), step.player("g"), step.player("d")
    x = step.next(image=images())
    apart = lambda a, b: 0.5 * F.mse_loss(d.map(a), d.map(b))
    code = lambda: Normal(*(f(part) for f, part in zip((lambda m: m, lambda v: torch.exp(v / 2)), e(x).chunk(2, 1))))
    with evaluated(e, g, d):
        q = code()
        again, mean = g(q.loc), x.mean(0, keepdim=True)
        step.test(kl=kl_divergence(q, normal_prior(q.loc)).sum(1).mean(), apart=apart(again, x),
                  apart_shuffled=apart(moved_on(x), x), psnr=psnr(again, x), psnr_mean=psnr(mean, x))
    noise, prior = step.draw("normal", BATCH, LATENT), step.draw("normal", BATCH, LATENT)
    q = code()
    z = q.loc + q.scale * noise
    fake, rebuilt = g(prior), g(z.detach())
    judged = real(d.score(x)) + fake_(d.score(fake.detach()))
    player_d.minimise(judged, rebuilt=fake_(d.score(rebuilt.detach())))
    with torch.no_grad():
        target = d.map(x)
    near = lambda a: 0.5 * F.mse_loss(d.map(a), target)
    kl = kl_divergence(q, normal_prior(q.loc)).sum(1).mean() / target[0].numel()
    apart_e = near(g(z))
    player_e.minimise(0, kl=kl, apart=apart_e)
    fooled_both = fooled(d.score(fake)) + fooled(d.score(rebuilt))
    player_g.minimise(0, adversarial=fooled_both, apart_g=gamma * near(rebuilt))


def bigan(step):
    real, fake_, fooled = NON_SATURATING
    e, g = step.network("e", discriminator(outputs=LATENT)), step.network("g", generator())
    d = step.network("d", ConditionalDiscriminator("joint", False, LATENT))
    player_g, player_d = step.player("g", "e", "g"), step.player("d")
    x = step.next(image=images())
    with evaluated(e, g, d):
        z = Philox(0).normal(BATCH, LATENT)
        back = e(g(z))
        step.test(psnr=psnr(g(e(x)), x), psnr_mean=psnr(x.mean(0, keepdim=True), x), code_l1=F.l1_loss(back, z),
                  code_l1_shuffled=F.l1_loss(moved_on(back), z))
    z = step.draw("normal", BATCH, LATENT)
    code, fake = e(x), g(z)
    player_d.minimise(real(d.score(x, code.detach())) + fake_(d.score(fake.detach(), z)))
    generated = fooled(d.score(fake, z))
    player_g.minimise(0, generated=generated, encoded=fake_(d.score(x, code)))


class Coupling(nn.Module):
    def __init__(self, mask, net):  # mask (C) or (H, W, C), as in Forger
        super().__init__()
        self.weight, self.net = nn.Parameter(torch.ones(mask.shape[-1])), net
        self.register_buffer("mask", mask)

    def forward(self, x):
        mask = self.mask.permute(2, 0, 1) if x.dim() == 4 else self.mask
        a, t = self.net(mask * x).chunk(2, 1)
        s = (1 - mask) * self.weight.reshape(-1, *[1] * (x.dim() - 2)) * torch.tanh(a)
        return x * torch.exp(s) + (1 - mask) * t, s.flatten(1).sum(1)


class FlowNorm(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.register_buffer("running_mean", torch.randn(channels) * 0.3)
        self.register_buffer("running_var", torch.rand(channels) + 0.5)

    def forward(self, x):
        y = F.batch_norm(x, self.running_mean, self.running_var, training=self.training)
        other = [i for i in range(x.dim()) if i != 1]
        v = x.var(other, unbiased=False) if self.training else self.running_var
        return y, -torch.log(v + 1e-5).sum().expand(len(x)) * x[0, 0].numel() / 2


class Squeeze(nn.Module):
    def forward(self, x):
        return F.pixel_unshuffle(x, 2), torch.zeros(len(x))


class Logit(nn.Module):
    def forward(self, x, alpha=0.05):
        p = alpha + (1 - 2 * alpha) * x
        return torch.logit(p), (math.log(1 - 2 * alpha) - torch.log(p * (1 - p))).flatten(1).sum(1)


class MultiScale(nn.Module):
    def __init__(self, here, rest=None):
        super().__init__()
        self.here, self.rest = nn.ModuleList(here), rest

    def forward(self, x):
        log_det = 0
        for link in self.here:
            x, more = link(x)
            log_det = log_det + more
        if self.rest is None:
            return x.flatten(1), log_det
        done, left = x.chunk(2, 1)
        z, more = self.rest(left)
        return torch.cat([done.flatten(1), z], 1), log_det + more


def image_flow():
    """--couplings 2 --scales 2, of images of 16 x 16."""
    def coupled(side, channels, keeps):
        mask = torch.tensor([[[keeps(i, j, c) for c in range(channels)] for j in range(side)] for i in range(side)])
        net = nn.Sequential(nn.Conv2d(channels, WIDTH, 3, padding=1), nn.ReLU(), nn.Conv2d(WIDTH, WIDTH, 1), nn.ReLU(),
                            nn.Conv2d(WIDTH, 2 * channels, 3, padding=1))
        return [Coupling(mask.double(), net), FlowNorm(channels)]

    even, odd = lambda i, j, c: (i + j) % 2 == 0, lambda i, j, c: (i + j) % 2 == 1
    last = MultiScale(coupled(4, 4, even) + coupled(4, 4, odd))
    second = MultiScale([*coupled(8, 2, even), Squeeze(), *coupled(4, 8, lambda i, j, c: c < 4)], last)
    return MultiScale([Logit(), *coupled(16, 1, even), Squeeze(), *coupled(8, 4, lambda i, j, c: c < 2)], second)


def point_flow(couplings=3):
    halves = torch.eye(2)
    return MultiScale([link for i in range(couplings)
                       for link in (Coupling(halves[i % 2], mlp([2, 8, 8, 4], nn.ReLU())), FlowNorm(2))])


def flow(step, f, column, data, draw, unit, least, per_dimension=lambda nats: nats):
    f = step.network("g", f)
    player = step.player("g")
    x = step.next(**{column: data})

    def cost(u):
        y = u(x)
        z, log_det = f(y)
        return per_dimension(-(Normal(0, 1).log_prob(z).sum(1) + log_det).mean()), y

    with evaluated(f):
        nats, y = cost(lambda x: draw(x, Philox(0).uniform))
        spread = torch.sqrt(y.flatten(1).var(0, unbiased=False) + least**2 / 12)
        step.test(**{unit: nats, f"{unit}_gaussian": per_dimension(Normal(0, spread).entropy().sum())})
    player.minimise(cost(lambda x: draw(x, lambda *shape: step.draw("uniform", *shape)))[0])


def flow_of_images(step):
    dequantised = lambda x, uniform: ((x + 1) * 127.5 + uniform(BATCH, 256).reshape(-1, 1, 16, 16)) / 256
    flow(step, image_flow(), "image", images(), dequantised, "bits_per_dim", 1 / 256,
         lambda nats: nats / (256 * math.log(2)) + 8)


def flow_of_points(step):
    flow(step, point_flow(), "point", torch.randn(BATCH, 2), lambda x, uniform: x, "nats", 0.01)


CODE, EMBEDDING, AUGMENTED, VOCABULARY = 4, 3, 3, 9  # of the rows of captions
TONE, SHAPE = (2, 3), (4, 5)  # dark, bright; narrow, wide
CAPTIONS = [[1, 2, 5, 6], [8, 0, 0, 0], [1, 3, 7, 0], [1, 2, 5, 6], [2, 4, 8, 0]]


class CaptionEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, EMBEDDING)
        self.input, self.state = nn.Linear(EMBEDDING, 3 * CODE), nn.Linear(CODE, 3 * CODE)

    def forward(self, captions):
        codes = []
        for caption in captions:
            h = torch.zeros(1, CODE)
            for word in caption[caption != 0]:
                h = torch.gru_cell(self.words(word)[None], h, self.input.weight, self.state.weight, self.input.bias,
                                   self.state.bias)
            codes.append(h)
        return torch.cat(codes)


def looks(picture):
    """Whether it is bright, and wide."""
    y = picture[0]
    shown = (y - (y[0, 0] + y[0, -1] + y[-1, 0] + y[-1, -1]) / 4).abs() > 0.3
    rows, columns = (shown.any(axis).nonzero() for axis in (1, 0))
    if not len(rows):
        return False, False
    return (y[shown].mean() > 0.25).item(), ((columns[-1] - columns[0] + 1) / (rows[-1] - rows[0] + 1) > 0.8).item()


def agreement(t, made, name, words, look):
    """The share of captions with one of the words that holds of their pictures, and of the next caption's."""
    def share(shift):
        right = [looks(made[(i + shift) % BATCH])[look] == (words[1] in caption.tolist())
                 for i, caption in enumerate(t) if set(words) & set(caption.tolist())]
        return torch.tensor(sum(right) / len(right))
    return {name: share(0), f"{name}_wrong": share(1)}


def captioned(step, matching, make, *networks):
    """A batch, tested; and the rows of captions that say something else."""
    x, _, t = step.next(image=images(), label=torch.tensor([2, 0, 1, 1, 2]), caption=torch.tensor(CAPTIONS))
    e = step.networks["e"]
    with evaluated(*networks, e):
        code = e(t)
        own, wrong = matching(x, code), matching(x, code.roll(-1, 0))
        made = make(Philox(0), code)
        step.test(match=(1 + (own > wrong).double() - (wrong > own).double()).mean() / 2,
                  **agreement(t, made, "tone", TONE, 0), **agreement(t, made, "shape", SHAPE, 1))
    return x, t


def others(step, t):
    equal = (t[:, None] == t[None]).all(2)
    return (step.draw("uniform", BATCH, BATCH) - 2 * equal).argmax(1)


def gan_cls(step, condition, two_scores=False):
    real, fake_, fooled = NON_SATURATING
    e = step.network("e", CaptionEncoder())
    g = step.network("g", generator(latent=LATENT + CODE))
    d = step.network("d", ConditionalDiscriminator(condition, two_scores, CODE))
    player_g, player_d = step.player("g"), step.player("d", "d", "e")
    make = lambda z, code: g(torch.cat([z, code], 1))
    matching = d.match if two_scores else d.score
    x, t = captioned(step, matching, lambda random, code: make(random.normal(BATCH, LATENT), code), g, d)
    z, wrong, code = step.draw("normal", BATCH, LATENT), others(step, t), e(t)
    fake = make(z, code.detach())
    judged, more = real(d.score(x, code)) + fake_(d.score(fake.detach(), code)), {}
    if two_scores:
        more = {"matched": real(d.match(x, code))}
    player_d.minimise(judged, **more, mismatched=fake_(matching(x, code[wrong])))
    judged, more = fooled(d.score(fake, e(t))), {}
    if two_scores:
        more = {"match": fooled(d.match(fake, e(t)))}
    player_g.minimise(judged, **more)


class StageTwo(nn.Module):
    def __init__(self):
        super().__init__()
        w, maps, last = WIDTH, 2 * WIDTH, WIDTH // 2
        same_, normed = dict(kernel_size=3, padding=1, bias=False), lambda c: (nn.BatchNorm2d(c), nn.ReLU())
        self.down = nn.Sequential(nn.Conv2d(1, w, **same_), nn.ReLU(), nn.Conv2d(w, maps, 4, 2, 1, bias=False),
                                  *normed(maps))
        self.joint = nn.Sequential(nn.Conv2d(maps + AUGMENTED, maps, **same_), *normed(maps))
        self.block = nn.Sequential(nn.Conv2d(maps, maps, **same_), *normed(maps), nn.Conv2d(maps, maps, **same_),
                                   nn.BatchNorm2d(maps))
        self.up = nn.Sequential(nn.ConvTranspose2d(maps, w, 4, 2, 1, bias=False), *normed(w),
                                nn.ConvTranspose2d(w, last, 4, 2, 1, bias=False), *normed(last),
                                nn.Conv2d(last, 1, **same_), nn.Tanh())

    def forward(self, half, c):
        y = self.joint(ConditionalDiscriminator.with_planes(self.down(half), c))
        return self.up(y + self.block(y))


def stackgan(step):
    real, fake_, fooled = NON_SATURATING
    e, a = step.network("e", CaptionEncoder()), step.network("a", nn.Linear(CODE, 2 * AUGMENTED))
    g1, g2 = step.network("g1", generator(1, 8, 8, LATENT + AUGMENTED)), step.network("g2", StageTwo())
    d1, d2 = (step.network(name, ConditionalDiscriminator("joint", False, CODE, side))
              for name, side in (("d1", 8), ("d2", 16)))
    player_g = step.player("g", "a", "g1", "g2")
    player_1, player_2 = step.player("d1", "d1", "e"), step.player("d2")

    def make(z, noise, code):
        mu, log_sigma = a(code).chunk(2, 1)
        q = Normal(mu, torch.exp(log_sigma))
        c = q.loc + q.scale * noise
        small = g1(torch.cat([z, c], 1))
        return small, g2(small, c), kl_divergence(q, Normal(torch.zeros_like(mu), 1.0)).sum(1).mean()

    draws = lambda random, code: make(random.normal(BATCH, LATENT), random.normal(BATCH, AUGMENTED), code)[1]
    x, t = captioned(step, d2.score, draws, a, g1, g2, d1, d2)
    half, given = F.avg_pool2d(x, 2), e(t).detach()
    z, noise = step.draw("normal", BATCH, LATENT), step.draw("normal", BATCH, AUGMENTED)
    wrong, (small, large, kl) = others(step, t), make(z, noise, given)
    for player, name, d, code, sample, made in ((player_1, "mismatched1", d1, e(t), half, small),
                                                (player_2, "mismatched2", d2, given, x, large)):
        judged = real(d.score(sample, code)) + fake_(d.score(made.detach(), code))
        player.minimise(judged, **{name: fake_(d.score(sample, code[wrong]))})
    player_g.minimise(0, small=fooled(d1.score(small, e(t))), large=fooled(d2.score(large, given)), kl=kl)


STEPS = 20
ROWS = {
    "dcgan": dcgan,
    "wgan-gp": lambda step: wgan_gp(step, generator, lambda: discriminator(batch_norm=False)),
    "wgan-gp-resnet": lambda step: wgan_gp(step, resnet_generator, resnet_discriminator),
    "sngan": sngan,
    "sngan-resnet": sngan_resnet,
    "stylegan": stylegan,
    "gan": gan,
    "gan-points": gan_points,
    "dcgan-relativistic": relativistic,
    "dcgan-lp": lambda step: penalised(step, lambda slope: F.relu(slope.norm(2, 1) - 1).square().mean()),
    "dcgan-lp-linear": lambda step: penalised(step, lambda slope: F.relu(slope.norm(2, 1) - 1).mean()),
    "dcgan-r2": lambda step: penalised(step, lambda slope: slope.square().sum(1).mean() / 2, of_fakes=True),
    "dcgan-craft": craft,
    "dcgan-msg": multi_scale,
    "gan-mixture": mixture,
    "gan-past": past,
    "lsgan": lambda step: two_players(step, *dcgan_pair(), LSGAN),
    "wgan": wgan,
    "dragan": dragan,
    "fgan": lambda step: two_players(step, *dcgan_pair(), FGAN_KL),
    "fgan-stated": lambda step: two_players(step, *dcgan_pair(), FGAN_NEYMAN),
    "ebgan": ebgan,
    "ebgan-pretrained": lambda step: ebgan(step, playing=0.3),
    "seqgan": lambda step: seqgan(step, "softmax", n_critic=2),
    "seqgan-gumbel": lambda step: seqgan(step, "gumbel"),
    "seqgan-gumbel-soft": lambda step: seqgan(step, "gumbel-soft"),
    "cgan": lambda step: cgan(step, "projection"),
    "cgan-concat": lambda step: cgan(step, "concat"),
    "cgan-acgan": lambda step: cgan(step, "acgan"),
    "cgan-two-scores": lambda step: cgan(step, "projection", two_scores=True),
    "cgan-concat-two-scores": lambda step: cgan(step, "concat", two_scores=True),
    "pix2pix": lambda step: pix2pix(step, "gan+close"),
    "pix2pix-gan": lambda step: pix2pix(step, "gan", field=1),
    "pix2pix-close": lambda step: pix2pix(step, "close"),
    "cyclegan": lambda step: cyclegan(step, lambda: UNet(1, 1), replay=True),
    "cyclegan-honest": lambda step: cyclegan(step, lambda: UNet(1, 1), replay=False, noise=0.1),
    "cyclegan-resnet": lambda step: cyclegan(step, resnet, replay=False),
    "dualgan": dualgan,
    "discogan": discogan,
    "stargan": stargan,
    "combogan": lambda step: combogan(step, THREE, 1, lambda: patch_discriminator(1, 16), False, identity_weight=5),
    "combogan-two": lambda step: combogan(step, TWO, 0, discriminator, True),
    "infogan": infogan,
    "vae": vae,
    "vae-gan": vae_gan,
    "bigan": bigan,


    "flow": flow_of_images,
    "flow-points": flow_of_points,
    "cogan": cogan,
    "unit": unit,
    "dann": lambda step: dann(step, alternating=False),
    "dann-alternating": lambda step: dann(step, alternating=True),
    "dtn": dtn,
    "disentangle": disentangle,
    "triple-gan": triple_gan,
    "xgan": xgan,
    "gan-cls": lambda step: gan_cls(step, "joint"),
    "gan-cls-two-scores": lambda step: gan_cls(step, "joint", two_scores=True),
    "gan-cls-projection": lambda step: gan_cls(step, "projection"),
    "stackgan": stackgan,
}

if __name__ == "__main__":
    warnings.filterwarnings("ignore", category=FutureWarning)
    torch.set_default_dtype(torch.float64)
    for row in sys.argv[1:] or ROWS:
        torch.manual_seed(2)
        recorded = Step()
        recorded.take(ROWS[row], STEPS)
        recorded.save(row)

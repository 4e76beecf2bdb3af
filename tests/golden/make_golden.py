#!/usr/bin/env python3
"""Writes dcgan.safetensors and wgan_gp.safetensors: what PyTorch computes for one step of each recipe, in float64.

    python3 make_golden.py            needs the packages torch and safetensors

Tensors are converted to Forger's layouts here: images NHWC, convolution weights (O, KH, KW, C). Parameters are numbered in
the order of module.parameters(), which is the order of both programs. Only these files are needed to run the tests.
"""
import os

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

LATENT, WIDTH, BATCH = 6, 3, 5
HERE = os.path.dirname(os.path.abspath(__file__))


def generator(size, channels):
    layers, mult = [], size // 8
    sizes = [(LATENT, WIDTH * mult, 1, 0)]
    while mult > 1:
        sizes.append((WIDTH * mult, WIDTH * mult // 2, 2, 1))
        mult //= 2
    for cin, cout, stride, pad in sizes:
        layers += [nn.ConvTranspose2d(cin, cout, 4, stride, pad, bias=False), nn.BatchNorm2d(cout), nn.ReLU()]
    return nn.Sequential(*layers, nn.ConvTranspose2d(WIDTH, channels, 4, 2, 1, bias=False), nn.Tanh())


def discriminator(size, channels, batch_norm):
    layers, mult, side = [nn.Conv2d(channels, WIDTH, 4, 2, 1, bias=False), nn.LeakyReLU(0.2)], 1, size // 2
    while side > 4:
        layers.append(nn.Conv2d(WIDTH * mult, WIDTH * mult * 2, 4, 2, 1, bias=False))
        if batch_norm:
            layers.append(nn.BatchNorm2d(WIDTH * mult * 2))
        layers.append(nn.LeakyReLU(0.2))
        mult, side = mult * 2, side // 2
    return nn.Sequential(*layers, nn.Conv2d(WIDTH * mult, 1, 4, bias=False), nn.Flatten(0))


def nhwc(t):
    return t.detach().permute(0, 2, 3, 1).contiguous() if t.dim() == 4 else t.detach().contiguous()


def numbered(prefix, tensors):
    return {f"{prefix}.{i}": nhwc(t) for i, t in enumerate(tensors)}


def bce(logits, label):
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def randomise(net):  # larger than DCGAN's 0.02, so that every layer's gradient is well above rounding
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.randn_like(p) * (0.2 if p.dim() == 4 else 0.3) + (0 if p.dim() == 4 else 0.7))


def dcgan(size, channels):
    g, d = generator(size, channels), discriminator(size, channels, True)
    randomise(g), randomise(d)
    z, real = torch.randn(BATCH, LATENT), torch.rand(BATCH, channels, size, size) * 2 - 1
    out = {"z": z, "real": nhwc(real), **numbered("g", g.parameters()), **numbered("d", d.parameters())}
    fake = g(z[:, :, None, None])
    real_logits, fake_logits = d(real), d(fake.detach())
    loss_d = bce(real_logits, 1.0) + bce(fake_logits, 0.0)
    out.update(numbered("d_grad", torch.autograd.grad(loss_d, list(d.parameters()))))
    loss_g = bce(d(fake), 1.0)
    out.update(numbered("g_grad", torch.autograd.grad(loss_g, list(g.parameters()))))
    out.update(fake=nhwc(fake), real_logits=real_logits, fake_logits=fake_logits, loss_d=loss_d, loss_g=loss_g)
    save_file({k: v.detach().contiguous() for k, v in out.items()}, f"{HERE}/dcgan.safetensors")


def wgan_gp(size, channels):
    d = discriminator(size, channels, False)
    randomise(d)
    real, fake = (torch.rand(BATCH, channels, size, size) * 2 - 1 for _ in range(2))
    a = torch.rand(BATCH)
    mix = a[:, None, None, None]
    between = (mix * real + (1 - mix) * fake).requires_grad_(True)
    logits = d(between)
    slope = torch.autograd.grad(logits.sum(), between, create_graph=True)[0]
    penalty = 10 * (slope.flatten(1).norm(2, 1) - 1).pow(2).mean()
    loss = d(fake).mean() - d(real).mean() + penalty
    out = {"real": nhwc(real), "fake": nhwc(fake), "a": a, **numbered("d", d.parameters()), "slope": nhwc(slope),
           "penalty": penalty, "loss": loss, **numbered("d_grad", torch.autograd.grad(loss, list(d.parameters())))}
    save_file({k: v.detach().contiguous() for k, v in out.items()}, f"{HERE}/wgan_gp.safetensors")


torch.manual_seed(1)
torch.set_default_dtype(torch.float64)
dcgan(32, 3)
wgan_gp(32, 3)

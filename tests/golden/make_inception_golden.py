#!/usr/bin/env python3
"""Writes preprocess.safetensors and inception.safetensors: what the programs that scores are compared with compute.

    python3 make_inception_golden.py    needs the packages torch, torchvision, pytorch-fid, torch-fidelity, clean-fid,
                                        pillow and safetensors

Images and the network's weights are not stored: both sides make them from the same integer hash, exactly. The network
runs in float64 in two implementations, pytorch-fid's and torch-fidelity's, which must agree to 1e-5; the latter's
numbers are stored. Of resized images every 17th pixel along both axes is stored, and three sums over all of them.
"""
import io
import os
from unittest.mock import patch

import numpy as np
import pytorch_fid.inception
import torch
import torch.nn.functional as F
from cleanfid.resize import build_resizer
from PIL import Image
from safetensors.torch import save_file
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

HERE = os.path.dirname(os.path.abspath(__file__))
SIDE, STEP, IMAGES = 299, 17, 8
SIZES = [(32, 32, 1), (28, 28, 1), (37, 23, 3), (299, 299, 3), (299, 40, 3), (640, 401, 3)]  # height, width, channels


# ---- the same numbers as in tests/metrics/hashed.h ----


def hashed(seed, count):  # SplitMix64, count 64-bit numbers
    z = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def fnv(text):
    h = 0xCBF29CE484222325
    for byte in text.encode():
        h = (h ^ byte) * 0x100000001B3 % 2**64
    return h


def hashed_image(index, height, width, channels):
    """Two triangle waves under noise, a part black and a part white."""
    y, x, c = np.ogrid[:height, :width, :channels]
    wave = lambda t: np.abs(t % 512 - 256)
    smooth = wave((2 + index) * y + 5 * x + 90 * c + 40 * index) + wave(7 * x + (3 + 2 * index) * y + 130 * c)
    noise = (hashed(index, height * width * channels) % np.uint64(96)).astype(np.int64)
    return (smooth * 480 // 512 - 160 + noise.reshape(height, width, channels)).clip(0, 255).astype(np.uint8)


def hashed_tensor(name, shape):
    """Convolutions as He et al. initialise them, batch norms that are not the identity, a head of unit gain."""
    unit = (hashed(fnv(name), int(np.prod(shape))) >> np.uint64(40)).astype(np.float64) * 2.0**-24  # [0, 1), 24 bits
    fan_in = int(np.prod(shape[1:]))
    if name.endswith("conv.weight"):
        low, width = -np.sqrt(6 / fan_in), 2 * np.sqrt(6 / fan_in)
    elif name == "fc.weight":
        low, width = -np.sqrt(3 / fan_in), 2 * np.sqrt(3 / fan_in)
    else:
        bounds = {"weight": (0.8, 0.4), "bias": (-0.2, 0.4), "running_mean": (-0.2, 0.4), "running_var": (0.5, 1.0)}
        low, width = bounds[name.rsplit(".", 1)[1]]
    exact = float(np.float32(width)) * unit  # 24 bits times 24 bits
    return torch.from_numpy((float(np.float32(low)) + exact).astype(np.float32).reshape(shape))


def write(name, tensors):
    path = f"{HERE}/{name}.safetensors"
    save_file({key: x.contiguous() for key, x in tensors.items()}, path)
    os.chmod(path, 0o644)


# ---- resizing ----


def planes(pixels):  # (H, W, C) bytes -> (1, 3, H, W) floats
    return torch.from_numpy(np.broadcast_to(pixels, (*pixels.shape[:2], 3)).astype(np.float32)).permute(2, 0, 1)[None]


def rows(x):
    return x[0].permute(1, 2, 0)


def tf(pixels):  # torch-fidelity
    resized = interpolate_bilinear_2d_like_tensorflow1x(planes(pixels), (SIDE, SIDE), align_corners=False)
    return (rows(resized) - 128) / 128


def pytorch(pixels):  # pytorch-fid
    return rows(2 * F.interpolate(planes(pixels) / 255, (SIDE, SIDE), mode="bilinear", align_corners=False) - 1)


def clean(pixels):  # clean-fid
    return (torch.from_numpy(build_resizer("clean")(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))) - 128) / 128


def friendly(pixels):
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).convert("RGB")
    # Columns first: Pillow before 13 always, Pillow 13 only where the height shrinks no more than the width.
    resized = image.resize((SIDE, image.height), Image.BILINEAR).resize((SIDE, SIDE), Image.BILINEAR)
    return (torch.from_numpy(np.asarray(resized).astype(np.float32)) - 127.5) / 127.5


def sums(x):  # the third tells one place from another
    x = x.double().flatten()
    places = torch.from_numpy((hashed(0, x.numel()) >> np.uint64(63)).astype(np.float64)) * 2 - 1
    return torch.stack([x.mean(), (x * x).mean(), (x * places).mean()])


def preprocess():
    out = {}
    for index, size in enumerate(SIZES):
        pixels = hashed_image(index, *size)
        for convention in (tf, pytorch, clean, friendly):
            x = convention(pixels)
            name = "x".join(map(str, size)) + "." + convention.__name__
            out[name], out[name + ".sums"] = x[::STEP, ::STEP], sums(x)
    write("preprocess", out)


# ---- the network ----


def weights():  # the names and shapes are those of pytorch-fid's network, which is built on torchvision's
    with patch.object(torch.nn.Module, "load_state_dict", lambda *_: None), download_of({}):
        shapes = pytorch_fid.inception.fid_inception_v3().state_dict()
    return {name: t if name.endswith("num_batches_tracked") else hashed_tensor(name, tuple(t.shape))
            for name, t in shapes.items()}


def download_of(state):
    return patch.object(pytorch_fid.inception, "load_state_dict_from_url", lambda *_, **__: state)


def by_fidelity(state, pixels):
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    names = FeatureExtractorInceptionV3.get_provided_features_list()
    network = FeatureExtractorInceptionV3("golden", list(names), file, "float64")
    return dict(zip(names, network(pixels)))


def by_pytorch_fid(state, pixels):
    with download_of(state):
        network = pytorch_fid.inception.InceptionV3([0, 1, 2, 3], resize_input=False, normalize_input=False)
        head = pytorch_fid.inception.fid_inception_v3().fc.double()
    network = network.double().eval()
    outputs = [x.mean((2, 3)) for x in network((pixels.double() - 128) / 128)]
    unbiased = outputs[-1] @ head.weight.T
    return {**{str(x.shape[1]): x for x in outputs}, "logits_unbiased": unbiased, "logits": unbiased + head.bias}


@torch.no_grad()
def inception():
    state = weights()
    pixels = torch.from_numpy(np.stack([hashed_image(i, SIDE, SIDE, 3) for i in range(IMAGES)])).permute(0, 3, 1, 2)
    a, b = by_fidelity(state, pixels), by_pytorch_fid(state, pixels)
    for name, x in a.items():
        error = ((x - b[name]).norm() / x.norm()).item()
        spread = (x.std(0).norm() / x.norm(dim=1).mean()).item()
        print(f"{name:16} {tuple(x.shape)}: mean {x.mean():.3g}, std {x.std():.3g}, spread over images {spread:.3g}, "
              f"between the two {error:.1e}")
        assert error < 1e-5
    write("inception", a)


preprocess()
inception()

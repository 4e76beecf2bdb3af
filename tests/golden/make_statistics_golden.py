#!/usr/bin/env python3
"""Writes statistics.safetensors: the scores that torch_fidelity, pytorch_fid and prdc give features made from integers.

    python3 make_statistics_golden.py    needs the packages torch, torch-fidelity, pytorch-fid, prdc, scipy, safetensors

The features are made again by tests/metrics/statistics_test.cpp, from the same integers; subsets and orders are stored.
"""
import contextlib
import io
import os

import numpy as np
import torch
from prdc import compute_prdc
from pytorch_fid.fid_score import calculate_frechet_distance
from safetensors.numpy import save_file
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

HERE = os.path.dirname(os.path.abspath(__file__))
SEED = 2020  # torch_fidelity's


def splitmix64(x):
    with np.errstate(over="ignore"):
        x = x.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))


def features(seed, n, dims, scale, offset):
    """(n, dims): sums of four uniform numbers, each feature leaning on the one before it."""
    index = np.arange(n * dims, dtype=np.uint64).reshape(n, dims) * np.uint64(4) + np.uint64(seed << 32)
    u = [(splitmix64(index + np.uint64(k)) >> np.uint64(11)).astype(np.float64) * 2.0**-53 for k in range(4)]
    x = ((u[0] + u[1]) + (u[2] + u[3]) - 2.0) * scale
    for c in range(1, dims):
        x[:, c] += 0.5 * x[:, c - 1]
    return x + offset


def frechet(out, name, a, b, singular=False):
    s, t = (fid_features_to_statistics(torch.from_numpy(x)) for x in (a, b))
    if not singular:  # there the libraries' roots of a product are right to some 1e-7 only
        out[f"{name}.torch_fidelity"] = fid_statistics_to_metric(s, t, False)["frechet_inception_distance"]
        out[f"{name}.pytorch_fid"] = calculate_frechet_distance(s["mu"], s["sigma"], t["mu"], t["sigma"])
    # The trace of the root straight from the centred rows X, Y: the singular values of X Y^T.
    x, y = a - a.mean(0), b - b.mean(0)
    overlap = np.linalg.svd(x @ y.T, compute_uv=False).sum() / np.sqrt((len(x) - 1) * (len(y) - 1))
    means = a.mean(0) - b.mean(0)
    out[f"{name}.from_rows"] = means @ means + np.trace(s["sigma"]) + np.trace(t["sigma"]) - 2 * overlap


def main():
    out = {}
    a, b = features(1, 60, 16, 1.0, 0.0), features(2, 50, 16, 1.25, 0.25)
    frechet(out, "fid", a, b)
    frechet(out, "fid_few_rows", features(3, 10, 24, 1.0, 0.0), features(4, 12, 24, 1.5, 0.5), singular=True)

    kid = dict(kid_subsets=6, kid_subset_size=20, rng_seed=SEED, verbose=False)
    random = np.random.RandomState(SEED)
    drawn = [[random.choice(len(x), 20, replace=False) for x in (a, b)] for _ in range(6)]
    score = kid_features_to_metric(torch.from_numpy(a), torch.from_numpy(b), **kid)
    out["kid"] = [score["kernel_inception_distance_mean"], score["kernel_inception_distance_std"]]
    near = features(5, 50, 16, 1.0, 0.0)
    score = kid_features_to_metric(torch.from_numpy(a), torch.from_numpy(near), **kid)
    out["kid_near"] = [score["kernel_inception_distance_mean"], score["kernel_inception_distance_std"]]

    logits = features(6, 53, 12, 3.0, 0.0)
    for splits in (1, 7, 10):
        score = isc_features_to_metric(torch.from_numpy(logits), splits, True, SEED)
        out[f"is.{splits}"] = [score["inception_score_mean"], score["inception_score_std"]]

    for k in (1, 3, 5):
        score = prc_features_to_metric(torch.from_numpy(b), torch.from_numpy(a), prc_neighborhood=k, verbose=False)
        out[f"precision_recall.{k}"] = [score["precision"], score["recall"]]
        with contextlib.redirect_stdout(io.StringIO()):
            score = compute_prdc(a, b, k)
        out[f"density_coverage.{k}"] = [score["density"], score["coverage"]]

    tensors = {name: np.array(value, dtype=np.float64).reshape(-1) for name, value in out.items()}
    tensors["kid.subsets_a"] = np.array([s[0] for s in drawn], dtype=np.int64)
    tensors["kid.subsets_b"] = np.array([s[1] for s in drawn], dtype=np.int64)
    tensors["is.order"] = np.random.RandomState(SEED).permutation(53).astype(np.int64)
    tensors["corner"] = a[:2, :3].copy()  # that both programs make the same features
    save_file(tensors, f"{HERE}/statistics.safetensors")
    for name, value in out.items():
        print(name, value)


main()

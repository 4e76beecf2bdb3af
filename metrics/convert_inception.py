#!/usr/bin/env python3
"""Converts the published Inception weights of FID, a PyTorch file, to the safetensors file that Forger reads.

    python3 metrics/convert_inception.py pt_inception-2015-12-05-6726825d.pth inception.safetensors

The file is published by github.com/mseitzer/pytorch-fid (release fid_weights). By PyTorch's convention its name ends
with the first digits of its SHA-256; a file with another one is refused unless --any-weights is given. Names and
layouts stay PyTorch's; the SHA-256 goes into the metadata, by which Forger tells the published weights from others.
Needs the packages torch and safetensors; Forger itself needs neither.
"""
import argparse
import hashlib
import os
import sys
import tempfile

PUBLISHED = "6726825d"


def blocks():
    """(block, input channels, its convolutions); a convolution: name, output channels, kernel; it sees what the one
    before it gave, or the block's input where its name starts a branch."""
    k1, k3, k5, row, column = (1, 1), (3, 3), (5, 5), (1, 7), (7, 1)
    yield "", 3, [("Conv2d_1a_3x3", 32, k3), ("Conv2d_2a_3x3", 32, k3), ("Conv2d_2b_3x3", 64, k3),
                  ("Conv2d_3b_1x1", 80, k1), ("Conv2d_4a_3x3", 192, k3)]
    for name, channels, pool in [("5b", 192, 32), ("5c", 256, 64), ("5d", 288, 64)]:
        yield name, channels, [("branch1x1", 64, k1), ("branch5x5_1", 48, k1), ("branch5x5_2", 64, k5),
                               ("branch3x3dbl_1", 64, k1), ("branch3x3dbl_2", 96, k3), ("branch3x3dbl_3", 96, k3),
                               ("branch_pool", pool, k1)]
    yield "6a", 288, [("branch3x3", 384, k3), ("branch3x3dbl_1", 64, k1), ("branch3x3dbl_2", 96, k3),
                      ("branch3x3dbl_3", 96, k3)]
    for name, k in [("6b", 128), ("6c", 160), ("6d", 160), ("6e", 192)]:
        yield name, 768, [("branch1x1", 192, k1), ("branch7x7_1", k, k1), ("branch7x7_2", k, row),
                          ("branch7x7_3", 192, column), ("branch7x7dbl_1", k, k1), ("branch7x7dbl_2", k, column),
                          ("branch7x7dbl_3", k, row), ("branch7x7dbl_4", k, column), ("branch7x7dbl_5", 192, row),
                          ("branch_pool", 192, k1)]
    yield "7a", 768, [("branch3x3_1", 192, k1), ("branch3x3_2", 320, k3), ("branch7x7x3_1", 192, k1),
                      ("branch7x7x3_2", 192, row), ("branch7x7x3_3", 192, column), ("branch7x7x3_4", 192, k3)]
    for name, channels in [("7b", 1280), ("7c", 2048)]:
        yield name, channels, [("branch1x1", 320, k1), ("branch3x3_1", 384, k1), ("branch3x3_2a", 384, (1, 3)),
                               ("branch3x3_2b", 384, (3, 1)), ("branch3x3dbl_1", 448, k1),
                               ("branch3x3dbl_2", 384, k3), ("branch3x3dbl_3a", 384, (1, 3)),
                               ("branch3x3dbl_3b", 384, (3, 1)), ("branch_pool", 192, k1)]


def expected():
    """Name -> shape of every tensor that Forger reads."""
    shapes = {}
    for block, channels, convolutions in blocks():
        before = channels
        for name, out, kernel in convolutions:
            if block and name.rsplit("_", 1)[-1][0] not in "23456789":  # branch1x1, branch5x5_1, branch_pool
                before = channels
            full = f"Mixed_{block}.{name}" if block else name
            shapes[f"{full}.conv.weight"] = (out, before, *kernel)
            for statistic in ("weight", "bias", "running_mean", "running_var"):
                shapes[f"{full}.bn.{statistic}"] = (out,)
            if not name.endswith("a"):  # branch3x3_2a and 2b see the same
                before = out
    return {**shapes, "fc.weight": (1008, 2048), "fc.bias": (1008,)}


def fail(message):
    sys.exit(f"convert_inception.py: {message}")


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def read(path):
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # whatever the unpickler meets
        fail(f"{path} is no PyTorch file of tensors")
    if not isinstance(state, dict):
        fail(f"{path} holds a {type(state).__name__}, not a state_dict")
    tensors, shapes = {}, expected()
    missing = [name for name in shapes if name not in state]
    if missing:
        fail(f"{path}: {len(missing)} of {len(shapes)} tensors are missing, the first is '{missing[0]}'")
    for name, shape in shapes.items():
        tensor = state[name]
        if tuple(tensor.shape) != shape or tensor.dtype != torch.float32:
            fail(f"{path}: '{name}' should be {shape} of float32, it is {tuple(tensor.shape)} of "
                 f"{str(tensor.dtype).removeprefix('torch.')}")
        tensors[name] = tensor.contiguous()
    return tensors


def write(path, tensors, metadata):
    """A temporary file beside it, synced and renamed: never half a file."""
    from safetensors.torch import save

    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(os.path.abspath(path)), suffix=".safetensors")
    try:
        with open(handle, "wb") as file:
            file.write(save(tensors, metadata))
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)  # mkstemp's are the owner's alone
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="the PyTorch file")
    parser.add_argument("target", help="the safetensors file to write")
    parser.add_argument("--any-weights", action="store_true", help="convert weights that are not the published ones")
    options = parser.parse_args()
    try:
        digest = sha256(options.source)
        if not digest.startswith(PUBLISHED) and not options.any_weights:
            fail(f"{options.source} is not the published file: its SHA-256 starts with {digest[:8]}, not {PUBLISHED} "
                 "(--any-weights converts it all the same)")
        write(options.target, read(options.source), {"source_sha256": digest})
    except ImportError as error:
        fail(f"needs the Python package {error.name}: pip install torch safetensors")
    except OSError as error:
        fail(f"cannot convert {options.source} to {options.target}: {error.strerror}: {error.filename}")


if __name__ == "__main__":
    main()

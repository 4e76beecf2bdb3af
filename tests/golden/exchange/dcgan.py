"""dcgan."""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

BUFFERS = {
    "g.2.running_mean",
    "g.2.running_var",
    "g.4.running_mean",
    "g.4.running_var",
    "d.2.running_mean",
    "d.2.running_var",
}


class Model(nn.Module):
    """Every weight of the run under its name in the checkpoint, and a method for each thing that the run can do.

    Images are (N, C, H, W), from -1 to 1. `forward` is the first method.
    """

    def __init__(self, weights=Path(__file__).with_name("model.safetensors")):
        super().__init__()
        for name, tensor in load_file(weights).items():
            *path, leaf = name.split(".")
            at = self
            for part in path:
                if part not in at._modules:
                    at.add_module(part, nn.Module())
                at = at._modules[part]
            if name.startswith("constants."):
                at.register_buffer(leaf, tensor, persistent=False)
            elif name in BUFFERS:
                at.register_buffer(leaf, tensor)
            else:
                at.register_parameter(leaf, nn.Parameter(tensor))

    def __getitem__(self, name):
        path, _, leaf = name.rpartition(".")
        return getattr(self.get_submodule(path), leaf)

    def sample(self, z):
        """z (N, 6) -> image (N, 3, 16, 24)"""
        x = z.reshape(-1, 6, 1, 1)
        x = F.conv_transpose2d(x, self["g.1.weight"], stride=1, padding=0)
        x = F.batch_norm(
            x, self["g.2.running_mean"], self["g.2.running_var"], self["g.2.weight"], self["g.2.bias"],
            self.training, eps=1e-05
        )
        x = F.relu(x)
        x = F.conv_transpose2d(x, self["g.3.weight"], stride=2, padding=1)
        x = F.batch_norm(
            x, self["g.4.running_mean"], self["g.4.running_var"], self["g.4.weight"], self["g.4.bias"],
            self.training, eps=1e-05
        )
        x = F.relu(x)
        x = F.conv_transpose2d(x, self["g.5.weight"], stride=2, padding=1)
        x = torch.tanh(x)
        return x

    def judge(self, image):
        """image (N, 3, 16, 24) -> verdict (N,)"""
        x = F.conv2d(image, self["d.0.weight"], stride=2, padding=1)
        x = F.leaky_relu(x, 0.2)
        x = F.conv2d(x, self["d.1.weight"], stride=2, padding=1)
        x = F.batch_norm(
            x, self["d.2.running_mean"], self["d.2.running_var"], self["d.2.weight"], self["d.2.bias"],
            self.training, eps=1e-05
        )
        x = F.leaky_relu(x, 0.2)
        x = F.conv2d(x, self["d.3.weight"], stride=1, padding=0)
        x = x.reshape(-1)
        return x

    forward = sample

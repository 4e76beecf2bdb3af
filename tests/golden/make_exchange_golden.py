"""Writes exchange/state_dict.pt as PyTorch does: tensors of every kind that a state_dict may hold. tests/gan/exchange_test.cpp
knows what is in them. Also its pickle alone, for the test that spoils it."""

import zipfile
from collections import OrderedDict
from pathlib import Path

import torch
from torch import nn

folder = Path(__file__).parent / "exchange"
count = torch.arange(24, dtype=torch.float32) / 8
state = OrderedDict(
    {
        "plain.weight": count.reshape(2, 3, 4),
        "turned.weight": count[:12].reshape(3, 4).T,  # strides (1, 4)
        "part.weight": count[5:9],  # an offset into the same storage
        "double.bias": count[:3].to(torch.float64) / 3,
        "steps.num_batches_tracked": torch.tensor(7),
        "trained.weight": nn.Parameter(count[:2]),
    }
)
state._metadata = OrderedDict({"": {"version": 1}})  # as Module.state_dict() has it
torch.save(state, folder / "state_dict.pt")
with zipfile.ZipFile(folder / "state_dict.pt") as archive:
    (folder / "state_dict.pkl").write_bytes(archive.read("state_dict/data.pkl"))
    print({name.filename: name.file_size for name in archive.infolist()})

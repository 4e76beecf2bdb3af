"""Whether PyTorch and onnxruntime compute what Forger does: check_exchange.py FOLDER, which tests/gan/exchange_test.cpp has
filled with a folder for each recipe. Prints the largest differences, a line for each; the first one that is too large, or
anything else that is wrong, ends it. Leaves the state_dict that came back in each folder, as .pt and .safetensors."""

import importlib.util
import sys
from pathlib import Path

import numpy
import onnx
import onnxruntime
import torch
from safetensors.torch import load_file, save_file

most = 1e-5  # of numbers up to 1, and of the larger ones relative


def difference(ours, theirs):
    assert ours.shape == theirs.shape, f"{ours.shape} here, {theirs.shape} there"
    if ours.dtype == torch.int64:
        return 0.0 if torch.equal(ours, theirs) else float("inf")
    return ((ours - theirs).abs() / ours.abs().clamp(min=1)).max().item() if ours.numel() else 0.0


def views_of(folder):
    """Of each view its inputs and outputs by name, as Forger has them."""
    views = {}
    for name, tensor in load_file(folder / "expected.safetensors").items():
        view, side, port = name.split(".")
        views.setdefault(view, {"in": {}, "out": {}})[side][port] = tensor
    return views


def check_pytorch(folder, views):
    spec = importlib.util.spec_from_file_location("model", folder / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model = module.Model().eval()
    worst = 0.0
    for view, ports in views.items():
        code = getattr(module.Model, view).__code__
        names = code.co_varnames[1 : code.co_argcount]
        with torch.no_grad():
            made = getattr(model, view)(*[ports["in"][name] for name in names])
        made = made if isinstance(made, tuple) else (made,)
        order = getattr(model, view).__doc__.split(" -> ")[1]
        for name, tensor in ports["out"].items():
            place = [part.split(" ")[0] for part in order.split("), ")].index(name)
            worst = max(worst, difference(tensor, made[place]))
    assert worst <= most, f"{folder.name}: PyTorch is {worst} away"

    # It comes back as it went.
    torch.save(model.state_dict(), folder / "back.pt")
    save_file(model.state_dict(), folder / "back.safetensors")

    # Training goes on: every weight that a result depends on moves it.
    model.train()
    trained = 0
    for view, ports in views.items():
        code = getattr(module.Model, view).__code__
        made = getattr(model, view)(*[ports["in"][name] for name in code.co_varnames[1 : code.co_argcount]])
        made = made[0] if isinstance(made, tuple) else made
        if not made.is_floating_point():
            continue
        model.zero_grad()
        made.square().mean().backward()
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        assert gradients and all(torch.isfinite(g).all() for g in gradients), f"{folder.name}: no gradient in {view}"
        trained += len(gradients)
        torch.optim.SGD(model.parameters(), lr=1e-3).step()
    return worst, trained


def check_onnx(folder, views):
    worst = 0.0
    for view, ports in views.items():
        file = folder / f"{view}.onnx"
        onnx.checker.check_model(str(file), full_check=True)
        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        feed = {port.name: ports["in"][port.name].numpy() for port in session.get_inputs()}
        for port, made in zip(session.get_outputs(), session.run(None, feed), strict=True):
            ours = ports["out"][port.name]
            worst = max(worst, difference(ours, torch.from_numpy(numpy.array(made))))
    assert worst <= most, f"{folder.name}: onnxruntime is {worst} away"
    return worst


for folder in sorted(path for path in Path(sys.argv[1]).iterdir() if path.is_dir()):
    views = views_of(folder)
    torch_worst, trained = check_pytorch(folder, views)
    onnx_worst = check_onnx(folder, views)
    print(f"{folder.name}: {', '.join(views)}: PyTorch {torch_worst:.1e}, ONNX {onnx_worst:.1e}, {trained} gradients")
print("all equal")

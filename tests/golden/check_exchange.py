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


def made_by(model, view, inputs):
    """The results of a method by name, as its first line has them."""
    method = getattr(model, view)
    code = method.__func__.__code__
    made = method(*[inputs[name] for name in code.co_varnames[1 : code.co_argcount]])
    names = [part.split(" ")[0] for part in method.__doc__.split(" -> ")[1].split("), ")]
    return dict(zip(names, made if isinstance(made, tuple) else (made,), strict=True))


def check_pytorch(folder, views):
    """The largest difference, the gradients that there were, and how far apart single precision may be."""
    spec = importlib.util.spec_from_file_location("model", folder / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model, exact = module.Model().eval(), module.Model().eval().double()
    worst, allowed = 0.0, most
    for view, ports in views.items():
        with torch.no_grad():
            made = made_by(model, view, ports["in"])
            doubles = {name: x.double() if x.is_floating_point() else x for name, x in ports["in"].items()}
            known = made_by(exact, view, doubles)
        for name, ours in ports["out"].items():
            # Behind norms over a few pixels PyTorch is further than that from itself in double precision.
            allowed = max(allowed, 2 * difference(made[name].to(known[name].dtype), known[name]))
            worst = max(worst, difference(ours, made[name]))
    assert worst <= allowed, f"{folder.name}: PyTorch is {worst} away, {allowed} would do"

    # It comes back as it went.
    torch.save(model.state_dict(), folder / "back.pt")
    save_file(model.state_dict(), folder / "back.safetensors")

    # Training goes on: what is made moves weights.
    model.train()
    trained = 0
    for view, ports in views.items() if list(model.parameters()) else ():  # none of an op alone
        made = next(iter(made_by(model, view, ports["in"]).values()))
        if not made.is_floating_point():
            continue  # letters
        model.zero_grad()
        made.square().mean().backward()
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        assert gradients and all(torch.isfinite(g).all() for g in gradients), f"{folder.name}: no gradient in {view}"
        trained += len(gradients)
        torch.optim.SGD(model.parameters(), lr=1e-3).step()
    return worst, trained, allowed


def check_onnx(folder, views, allowed):
    worst = 0.0
    for view, ports in views.items():
        file = folder / f"{view}.onnx"
        onnx.checker.check_model(str(file), full_check=True)
        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        feed = {port.name: ports["in"][port.name].numpy() for port in session.get_inputs()}
        for port, made in zip(session.get_outputs(), session.run(None, feed), strict=True):
            worst = max(worst, difference(ports["out"][port.name], torch.from_numpy(numpy.array(made))))
    assert worst <= allowed, f"{folder.name}: onnxruntime is {worst} away, {allowed} would do"
    return worst


of_ops = [0.0, 0.0]
for folder in sorted(path for path in Path(sys.argv[1]).iterdir() if path.is_dir()):
    views = views_of(folder)
    torch_worst, trained, allowed = check_pytorch(folder, views)
    onnx_worst = check_onnx(folder, views, allowed)
    if not folder.name.startswith("op-"):
        print(f"{folder.name}: {', '.join(views)}: PyTorch {torch_worst:.1e}, ONNX {onnx_worst:.1e}, {trained} gradients")
    else:
        of_ops = [max(pair) for pair in zip(of_ops, (torch_worst, onnx_worst), strict=True)]
print(f"all equal; ops: PyTorch {of_ops[0]:.1e}, ONNX {of_ops[1]:.1e}")

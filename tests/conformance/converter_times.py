"""How long two modules take for the same, forward and backward, whatever else the machine does."""

from __future__ import annotations

import statistics
import time

import torch

from conformance.compare import difference
from onnxray.importer.imported_module import ImportedModule, forward_all

_ELEMENTS, _ROUNDS = 200_000, 15

Tensors = tuple[torch.Tensor, ...]


def pulled_back(module: ImportedModule, inputs: Tensors) -> list[torch.Tensor]:
    """The gradients of seeded cotangents by the real inputs and the Parameters."""
    leaves = [t.requires_grad_() for t in inputs if t.is_floating_point() and t.dtype.itemsize > 1]
    leaves += [parameter for _, parameter in sorted(module.named_parameters())]
    outputs = [t for t in forward_all(module, inputs) if isinstance(t, torch.Tensor) and t.requires_grad]
    if not outputs or not leaves:
        return [torch.zeros_like(t) for t in leaves]
    rng = torch.Generator().manual_seed(0)
    cotangents = [torch.randn(t.shape, generator=rng).to(t.dtype) for t in outputs]
    result = torch.autograd.grad(outputs, leaves, cotangents, allow_unused=True)
    return [torch.zeros_like(t) if g is None else g.detach() for t, g in zip(leaves, result)]


def ratio(ours: ImportedModule, theirs: ImportedModule, inputs: Tensors) -> float:
    """The time of theirs to that of ours: medians of rounds that take turns."""
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    modules = {"ours": ours, "theirs": theirs}
    repeat = max(1, int(1e-3 / max(_time(ours, inputs, 3), 1e-6)))
    for round_ in range(_ROUNDS):
        for who in ("ours", "theirs") if round_ % 2 else ("theirs", "ours"):
            times[who].append(_time(modules[who], inputs, repeat))
    return statistics.median(times["theirs"]) / statistics.median(times["ours"])


def enlarged(ours: ImportedModule, theirs: ImportedModule, inputs: Tensors) -> Tensors:
    """Inputs of a picture network's size where all of them can be repeated along axis 0."""
    largest = max((t.numel() for t in inputs), default=1) or 1
    if len({t.shape[0] for t in inputs if t.ndim}) != 1 or not all(t.ndim for t in inputs):
        return inputs
    many = tuple(t.repeat(max(1, _ELEMENTS // largest), *(1,) * (t.ndim - 1)) for t in inputs)
    try:
        with torch.no_grad():
            same = difference(*(list(forward_all(module, many)) for module in (theirs, ours)), 1e-4, 1e-5)
    except Exception:  # it takes one length only
        return inputs
    return inputs if same else many


def _time(module: ImportedModule, inputs: Tensors, repeat: int) -> float:
    begun = time.thread_time()  # of this thread, whatever else the machine does
    for _ in range(repeat):
        pulled_back(module, inputs)
    return (time.thread_time() - begun) / repeat

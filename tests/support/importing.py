"""Comparing ``to_torch`` with ONNX Runtime, value and gradient."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

import onnxray
from onnxray.importer.imported_module import ImportedModule
from support import models

Arrays = Mapping[str, NDArray[Any]]


def tensors(feeds: Arrays) -> tuple[torch.Tensor, ...]:
    return tuple(torch.from_numpy(np.array(array)) for array in feeds.values())


def outputs(module: ImportedModule, feeds: Arrays) -> list[NDArray[Any]]:
    with torch.no_grad():
        found = module(*tensors(feeds))
    return [tensor.numpy() for tensor in (found if isinstance(found, tuple) else (found,))]


def assert_same(model: onnx.ModelProto, feeds: Arrays, *, tolerance: float = 1e-5) -> ImportedModule:
    """``to_torch`` gives what ONNX Runtime gives: shapes, types and numbers."""
    module = onnxray.to_torch(model, verify=False)
    found, expected = outputs(module, feeds), models.run(model, feeds)
    assert len(found) == len(expected)
    for got, wanted in zip(found, expected):
        assert got.shape == wanted.shape
        assert got.dtype == wanted.dtype
        np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance)
    return module


def assert_gradients(module: ImportedModule, feeds: Arrays) -> None:
    """Autograd equals central differences of the same module in float64, for every real input."""
    real = {name: array.dtype.kind == "f" for name, array in feeds.items()}
    inputs = [t.double().requires_grad_() if real[n] else t for n, t in zip(feeds, tensors(feeds))]
    assert torch.autograd.gradcheck(module.double(), inputs, eps=1e-6, atol=1e-5, fast_mode=True)


def check(
    tried: set[tuple[str, int]],
    operator: str,
    opset: int,
    inputs: dict[str, Any],
    *,
    gradients: bool = True,
    **rest: Any,
) -> nn.Module:
    """A node against the judge, noted in ``tried``; gradients on top where asked. Gives the node's module."""
    model = models.node(operator, inputs, opset=opset, **rest)
    tried.add((operator, onnx.defs.get_schema(operator, opset).since_version))
    module = assert_same(model, inputs)
    if gradients:
        fewer = {n: a[:1] if n == "x" and a.ndim > 3 else a for n, a in inputs.items()}
        assert_gradients(onnxray.to_torch(models.node(operator, fewer, opset=opset, **rest), verify=False), fewer)
    return module.layer("only")

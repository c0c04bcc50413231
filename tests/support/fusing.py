"""Comparing a fused module with the judge and with the same nodes one by one."""

from typing import Any

import numpy as np
import onnx
import torch

import onnxray
from onnxray.importer.imported_module import ImportedModule
from support import models
from support.importing import assert_gradients, outputs, tensors

Arrays = dict[str, np.ndarray[Any, Any]]


def fused_types(module: ImportedModule) -> list[str]:
    names = [name for name, _ in module.named_modules() if name.startswith("nodes.f")]
    return sorted(type(module.get_submodule(name)).__name__ for name in names if name.count(".") == 1)


def assert_fused(model: onnx.ModelProto, feeds: Arrays, *types: str, tolerance: float = 1e-5) -> ImportedModule:
    """Exactly these modules stand for several nodes; values by the judge and by single nodes, gradients by both."""
    module = onnxray.to_torch(model, verify=False, fused=True)
    plain = onnxray.to_torch(model, verify=False)
    assert fused_types(module) == sorted(types)
    assert fused_types(plain) == []
    for got, judged, single in zip(
        outputs(module, feeds), models.run(model, feeds), outputs(plain, feeds), strict=True
    ):
        scale = np.abs(judged).max()
        np.testing.assert_allclose(got, judged, atol=tolerance * scale, rtol=tolerance)
        np.testing.assert_allclose(got, single, atol=tolerance * scale, rtol=tolerance)
    found, expected = gradient(module, feeds), gradient(plain, feeds)
    np.testing.assert_allclose(found, expected, atol=tolerance * np.abs(expected).max(), rtol=tolerance)
    assert_gradients(module, feeds)
    return module


def gradient(module: ImportedModule, feeds: Arrays) -> np.ndarray[Any, Any]:
    inputs = [tensor.requires_grad_() for tensor in tensors(feeds)]
    result = module(*inputs)
    first = result[0] if isinstance(result, tuple) else result
    cotangent = torch.randn(first.shape, generator=torch.Generator().manual_seed(0))
    return torch.autograd.grad(first, inputs[0], cotangent)[0].numpy()

"""Tensors made from a shape or from numbers: ConstantOfShape, EyeLike, Range and Trilu's triangles."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import onnx
import torch
from torch import nn

from onnxray.importer.nodes.scope import Converted, Converters, Scope, for_versions
from onnxray.importer.nodes.shape_parameters import by_bits, computed, integers, numbers
from onnxray.importer.nodes.weights import torch_tensor


class ConstantOfShape(nn.Module):
    """One value in every place of a given shape."""

    value: torch.Tensor

    def __init__(self, value: torch.Tensor, shape: tuple[int, ...] | None) -> None:
        super().__init__()
        self.register_buffer("value", value, persistent=False)
        self.shape = shape

    def forward(self, shape: torch.Tensor | None = None) -> torch.Tensor:
        """Fill; the result is a view of the one value."""
        sizes = self.shape if shape is None else integers(shape)
        return self.value.expand(sizes or ())


def _constant_of_shape(scope: Scope) -> Converted:
    proto = scope.attributes.get("value")
    array = np.zeros(1, np.float32) if proto is None else np.array(onnx.numpy_helper.to_array(proto))
    if array.size != 1:
        raise scope.refuse(f"its value has {array.size} elements, one was expected")
    value = torch_tensor(array.reshape(()), f"the value of node {scope.node.name!r}")
    return Converted(ConstantOfShape(value, numbers(scope, 0)), computed(scope, 0))


class EyeLike(nn.Module):
    """1 where column = row + k, else 0, in the shape of the input; no gradient."""

    def __init__(self, dtype: torch.dtype | None, k: int) -> None:
        super().__init__()
        self.dtype, self.k = dtype, k

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Give the matrix."""
        rows = torch.arange(x.shape[0], device=x.device)
        columns = torch.arange(x.shape[1], device=x.device)
        return (columns == rows[:, None] + self.k).to(self.dtype or x.dtype)


def _eye_like(scope: Scope) -> Converted:
    number = scope.attributes.get("dtype")
    dtype = None
    if number is not None:
        array = np.zeros(1, onnx.helper.tensor_dtype_to_np_dtype(number))
        dtype = torch_tensor(array, f"the result of node {scope.node.name!r}").dtype
    return Converted(EyeLike(dtype, int(scope.attributes.get("k", 0))), scope.node.inputs)


class Range(nn.Module):
    """start + i * delta for i from 0 to before ceil((limit - start) / delta).

    float16 and bfloat16 are computed in ``stash`` and rounded once. The gradient reaches start and delta; limit says
    how many there are, and has none.
    """

    def __init__(self, stash: torch.dtype) -> None:
        super().__init__()
        self.stash = stash

    def forward(self, start: torch.Tensor, limit: torch.Tensor, delta: torch.Tensor) -> torch.Tensor:
        """Count in whole numbers or in doubles, as ONNX Runtime does."""
        first, last, step = (value.detach().reshape(()).item() for value in (start, limit, delta))
        if start.is_floating_point():
            count = max(math.ceil((last - first) / step), 0)
        else:
            count = len(range(int(first), int(last), int(step)))
        dtype = self.stash if start.dtype in {torch.float16, torch.bfloat16} else start.dtype
        steps = torch.arange(count, device=start.device).to(dtype)
        return (start.reshape(()).to(dtype) + steps * delta.reshape(()).to(dtype)).to(start.dtype)


def _range(scope: Scope) -> Converted:
    stashes = {onnx.TensorProto.FLOAT: torch.float32, onnx.TensorProto.DOUBLE: torch.float64}
    number = scope.attributes.get("stash_type", onnx.TensorProto.FLOAT)
    if number not in stashes:
        raise scope.refuse(f"its stash_type is {number}, float (1) and double (11) are known")
    return Converted(Range(stashes[number]), scope.node.inputs)


class Triangle(nn.Module):
    """The elements on and above the k-th diagonal (``upper``), or on and below it; zeros elsewhere."""

    def __init__(self, upper: bool, k: int | None) -> None:
        super().__init__()
        self.upper, self.k = upper, k

    def forward(self, x: torch.Tensor, k: torch.Tensor | None = None) -> torch.Tensor:
        """Cut the triangle out."""
        diagonal = (self.k or 0) if k is None else int(k)
        bound = max(x.shape[-2:]) + 1
        diagonal = max(-bound, min(diagonal, bound))
        return by_bits(partial(torch.triu if self.upper else torch.tril, diagonal=diagonal), x)


def _triangle(scope: Scope) -> Converted:
    k = numbers(scope, 1)
    return Converted(Triangle(bool(scope.attributes.get("upper", 1)), k[0] if k else None), computed(scope))


CONVERTERS: Converters = {
    **for_versions("ConstantOfShape", (9, 20, 21, 23, 24, 25), _constant_of_shape),
    **for_versions("EyeLike", (9, 22), _eye_like),
    **for_versions("Range", (11, 27), _range),
    **for_versions("Trilu", (14,), _triangle),
}

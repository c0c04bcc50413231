"""The number types that torch stores and does not compute with, and how the oldest operators broadcast."""

from __future__ import annotations

import onnx
import torch
from torch import nn

from onnxray.importer.nodes.scope import Converted, Scope

_WIDER = {torch.uint16: torch.int32, torch.uint32: torch.int64, torch.uint64: torch.int64}
_SIGNED = {torch.uint16: torch.int16, torch.uint32: torch.int32, torch.uint64: torch.int64}
_LOWEST = torch.iinfo(torch.int64).min

SMALL_INTEGERS = {"INT4": (4, True), "UINT4": (4, False), "INT2": (2, True), "UINT2": (2, False)}
"""Types that torch tensors hold as int8 or uint8, by their names in ONNX: how many bits, and whether signed."""


def widen(x: torch.Tensor) -> torch.Tensor:
    """The same numbers in a type that torch computes with; uint64 as its bits in int64, where sums wrap alike."""
    if x.dtype not in _WIDER:
        return x
    return x.view(torch.int64) if x.dtype == torch.uint64 else x.to(_WIDER[x.dtype])


def narrow(x: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Undo ``widen``: back to ``dtype``, higher bits dropped."""
    if x.dtype == dtype:
        return x
    return x.view(dtype) if dtype == torch.uint64 and x.dtype == torch.int64 else x.to(dtype)


def ordered(x: torch.Tensor) -> torch.Tensor:
    """Numbers in the same order in a type that torch compares: uint64 is moved so that 0 becomes the lowest int64."""
    if x.dtype not in _WIDER:
        return x
    return x.view(torch.int64) ^ _LOWEST if x.dtype == torch.uint64 else x.to(_WIDER[x.dtype])


def unordered(x: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Undo ``ordered``."""
    if x.dtype == dtype:
        return x
    return (x ^ _LOWEST).view(dtype) if dtype == torch.uint64 else x.to(dtype)


def signed_bits(x: torch.Tensor) -> torch.Tensor:
    """The same bits as signed integers, where torch has no operations on the unsigned type."""
    return x.view(_SIGNED[x.dtype]) if x.dtype in _SIGNED else x


def divide_unsigned(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The quotient of two uint64 that are given, and returned, as their bits in int64."""
    small = torch.where(b > 0, b, 1)
    halved = (a >> 1) & ~_LOWEST
    quotient = torch.div(halved, small, rounding_mode="trunc") << 1
    rest = a - quotient * small
    quotient = quotient + ((rest ^ _LOWEST) >= (small ^ _LOWEST))
    return torch.where(b > 0, quotient, ((a ^ _LOWEST) >= (b ^ _LOWEST)).to(torch.int64))


def element_type(scope: Scope, position: int) -> str:
    """numpy's name of an input's element type, "" where it is unknown."""
    name = scope.input(position)
    value = scope.graph.values.get(name)
    if value is not None:
        return value.dtype
    tensor = scope.graph.initializers.get(name)
    try:
        return str(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)) if tensor is not None else ""
    except (KeyError, ValueError, TypeError):
        return ""


class Aligned(nn.Module):
    """f(a, b) where b's first axis lies on the axis ``axis`` of a: broadcasting as versions 1 and 6 state it."""

    def __init__(self, module: nn.Module, axis: int) -> None:
        super().__init__()
        self.module, self.axis = module, axis

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Give b as many axes of length 1 at its end as it lacks, then compute."""
        trailing = a.ndim - self.axis - b.ndim
        return self.module(a, b.reshape(*b.shape, *(1,) * trailing) if trailing > 0 else b)  # type: ignore[no-any-return]


def aligned(scope: Scope, module: nn.Module) -> Converted:
    """A module of two inputs that broadcasts as numpy does, made to obey ``axis`` where it is set."""
    axis = scope.attributes.get("axis")
    if axis is None or axis == -1 or not scope.attributes.get("broadcast", 0):  # -1: Caffe2's word for no axis
        return Converted(module, scope.node.inputs)
    if axis < 0:
        raise scope.refuse(f"its axis is {axis}, numbers from 0 on are known")
    return Converted(Aligned(module, axis), scope.node.inputs)

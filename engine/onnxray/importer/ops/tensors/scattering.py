"""Scatter, ScatterElements, ScatterND and TensorScatter.

Version 16 added the reductions "add" and "mul", 18 "max" and "min". Without a reduction the standard leaves open what
an index that is given twice does; here, as in ONNX Runtime, the last one wins, and its gradient is not defined.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from onnxray.errors import InputError
from onnxray.importer.nodes.scope import Converted, Converters, Scope, for_versions
from onnxray.importer.nodes.shape_parameters import by_bits, dtype_of
from onnxray.importer.ops.tensors.indexing import from_start

_REDUCTIONS = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}
_WIDER = {torch.uint16: torch.int64, torch.uint32: torch.int64, torch.uint64: torch.int64, torch.bool: torch.int64}


def scatter(data: torch.Tensor, axis: int, index: torch.Tensor, updates: torch.Tensor, reduction: str) -> torch.Tensor:
    """``data`` with ``updates`` put in, or worked in, along an axis; a shared maximum splits its gradient."""
    if reduction == "none":
        return by_bits(lambda into, what: into.scatter(axis, index, what), data, updates)
    wide = _WIDER.get(data.dtype, data.dtype)
    whole, parts = data.to(wide), updates.to(wide)
    if reduction == "add":
        return whole.scatter_add(axis, index, parts).to(data.dtype)
    return whole.scatter_reduce(axis, index, parts, _REDUCTIONS[reduction]).to(data.dtype)


class ScatterElements(nn.Module):
    """y = x, then y[indices[i, j], j] = updates[i, j] (or the reduction of the two) for axis 0, and so on."""

    def __init__(self, axis: int, reduction: str) -> None:
        super().__init__()
        self.axis, self.reduction = axis, reduction

    def forward(self, x: torch.Tensor, indices: torch.Tensor, updates: torch.Tensor) -> torch.Tensor:
        """Scatter."""
        return scatter(x, self.axis, from_start(indices, x.shape[self.axis]), updates, self.reduction)


class ScatterND(nn.Module):
    """y = x, then y[indices[i]] = updates[i] (or the reduction of the two); an index may name a whole slice."""

    def __init__(self, reduction: str) -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, x: torch.Tensor, indices: torch.Tensor, updates: torch.Tensor) -> torch.Tensor:
        """Scatter."""
        if self.reduction == "none":
            places = tuple(indices.long().unbind(-1))
            return by_bits(lambda into, what: into.index_put(places, what), x, updates)
        depth = indices.shape[-1]
        outer, inner = x.shape[:depth], x.shape[depth:]
        rows = torch.zeros(indices.shape[:-1], dtype=torch.int64, device=indices.device)
        for axis, size in enumerate(outer):
            index = from_start(indices[..., axis], size)
            if bool(((index < 0) | (index >= size)).any()):
                raise InputError(f"ScatterND has an index outside of axis {axis}, which has length {size}")
            rows = rows * size + index
        flat = x.reshape(math.prod(outer), math.prod(inner))
        wide = rows.reshape(-1, 1).expand(-1, flat.shape[1])
        return scatter(flat, 0, wide, updates.reshape(wide.shape), self.reduction).reshape(x.shape)


def _reduction(scope: Scope) -> str:
    reduction = str(scope.attributes.get("reduction", "none"))
    known = {"none"}.union(("add", "mul") if scope.version >= 16 else (), ("max", "min") if scope.version >= 18 else ())
    if reduction not in known:
        raise scope.refuse(f"its reduction is {reduction!r}, {', '.join(sorted(known))} are known")
    if reduction in {"max", "min"} and dtype_of(scope) == "uint64":
        raise scope.refuse(f"torch does not compare uint64, as the reduction {reduction!r} needs")
    return reduction


def _scatter_elements(scope: Scope) -> Converted:
    return Converted(ScatterElements(int(scope.attributes.get("axis", 0)), _reduction(scope)), scope.node.inputs)


def _scatter_nd(scope: Scope) -> Converted:
    return Converted(ScatterND(_reduction(scope)), scope.node.inputs)


class TensorScatter(nn.Module):
    """The cache with the update of sample b written from ``starts[b]`` on along an axis ("circular": round the end)."""

    def __init__(self, axis: int, circular: bool) -> None:
        super().__init__()
        self.axis, self.circular = axis, circular

    def forward(self, cache: torch.Tensor, update: torch.Tensor, starts: torch.Tensor | None = None) -> torch.Tensor:
        """Write into a copy."""
        axis = self.axis % cache.ndim
        length = update.shape[axis]
        places = torch.arange(length, device=cache.device)
        shape = [1] * cache.ndim
        shape[axis] = length
        if starts is None:
            places = places.reshape(shape)
        else:
            shape[0] = starts.shape[0]
            places = (starts.long()[:, None] + places).reshape(shape)
        if self.circular:
            places = places % cache.shape[axis]
        return scatter(cache, axis, places.expand(update.shape), update, "none")


def _tensor_scatter(scope: Scope) -> Converted:
    axis, mode = int(scope.attributes.get("axis", -2)), scope.attributes.get("mode", "linear")
    if axis == 0 or mode not in {"linear", "circular"}:
        raise scope.refuse(
            f"its axis is {axis} and its mode {mode!r}; another axis than 0, linear or circular is known"
        )
    return Converted(TensorScatter(axis, mode == "circular"), scope.node.inputs)


CONVERTERS: Converters = {
    **for_versions("Scatter", (9, 11), _scatter_elements),
    **for_versions("ScatterElements", (11, 13, 16, 18), _scatter_elements),
    **for_versions("ScatterND", (11, 13, 16, 18), _scatter_nd),
    **for_versions("TensorScatter", (24,), _tensor_scatter),
}

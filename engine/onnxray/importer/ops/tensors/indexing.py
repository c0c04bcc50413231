"""GatherElements, GatherND, Slice, OneHot, Compress and ReverseSequence.

Slice took its bounds as attributes before 10, and has steps since. Negative indices count from the end, in every
version. GatherND-12 added batch_dims. The rest added types.
"""

from __future__ import annotations

import torch
from torch import nn

from onnxray.errors import InputError
from onnxray.importer.nodes.scope import Converted, Converters, Scope, for_versions
from onnxray.importer.nodes.shape_parameters import by_bits, computed, dtype_of, integers, numbers


def from_start(indices: torch.Tensor, size: int) -> torch.Tensor:
    """Indices counted from the start: ``size`` is added to the negative ones."""
    indices = indices.long()
    return torch.where(indices < 0, indices + size, indices)


class GatherElements(nn.Module):
    """One element for each index: y[i, j] = x[indices[i, j], j] for axis 0, and so on."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, x: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
        """Gather."""
        index = from_start(indices, x.shape[self.axis])
        return by_bits(lambda data: torch.gather(data, self.axis, index), x)


def _gather_elements(scope: Scope) -> Converted:
    return Converted(GatherElements(int(scope.attributes.get("axis", 0))), scope.node.inputs)


class GatherND(nn.Module):
    """y[b, i] = x[b, indices[b, i, 0], indices[b, i, 1], ...] with ``batch`` leading axes shared."""

    def __init__(self, batch: int) -> None:
        super().__init__()
        self.batch = batch

    def forward(self, x: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
        """Gather."""
        shape = indices.shape[:-1]
        places: list[torch.Tensor] = []
        for axis in range(self.batch):
            lengths = [1] * len(shape)
            lengths[axis] = shape[axis]
            places.append(torch.arange(shape[axis], device=indices.device).reshape(lengths).expand(shape))
        places.extend(indices.long().unbind(-1))
        return x[tuple(places)] if places else x.expand(*shape, *x.shape)


def _gather_nd(scope: Scope) -> Converted:
    return Converted(GatherND(int(scope.attributes.get("batch_dims", 0))), scope.node.inputs)


class Slice(nn.Module):
    """x[start:end:step] along some axes; bounds beyond the axis are clamped, a negative step goes backwards."""

    def __init__(self, *fixed: tuple[int, ...] | None) -> None:
        super().__init__()
        self.fixed = fixed

    def forward(
        self,
        x: torch.Tensor,
        starts: torch.Tensor | None = None,
        ends: torch.Tensor | None = None,
        axes: torch.Tensor | None = None,
        steps: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Cut; the result is a view where every step is positive."""
        first, last, where, by = (
            known if given is None else integers(given)
            for known, given in zip(self.fixed, (starts, ends, axes, steps), strict=True)
        )
        if first is None or last is None:
            raise InputError("Slice has no starts or no ends")
        where = tuple(range(len(first))) if where is None else where
        by = (1,) * len(first) if by is None else by
        cuts = [slice(None)] * x.ndim
        flips = []
        for start, end, axis, step in zip(first, last, where, by, strict=True):
            if step > 0:
                cuts[axis] = slice(start, end, step)
            else:
                cuts[axis] = _backwards(start, end, step, x.shape[axis])
                flips.append(axis)
        taken = x[tuple(cuts)]
        return taken.flip(flips) if flips else taken


def _backwards(start: int, end: int, step: int, size: int) -> slice:
    """The places that a negative step visits, in ascending order."""
    if step == 0:
        raise InputError("Slice has a step of 0")
    start = min(max(start + size if start < 0 else start, 0), size - 1)
    end = min(max(end + size if end < 0 else end, -1), size - 1)
    visited = range(start, end, step)
    return slice(visited[-1], start + 1, -step) if size and visited else slice(0, 0)


def _slice_attributes(scope: Scope) -> Converted:
    get = scope.attributes.get
    axes = get("axes") or None
    bounds = tuple(get("starts", ())), tuple(get("ends", ()))
    return Converted(Slice(*bounds, None if axes is None else tuple(axes), None), scope.node.inputs)


def _slice(scope: Scope) -> Converted:
    return Converted(Slice(*(numbers(scope, position) for position in (1, 2, 3, 4))), computed(scope))


class OneHot(nn.Module):
    """A new axis of length depth: ``values[1]`` where its place is the index, ``values[0]`` elsewhere.

    Indices from -depth on count from the end; beyond, all places are off. The gradient reaches the values alone.
    """

    def __init__(self, axis: int, depth: int | None) -> None:
        super().__init__()
        self.axis, self.depth = axis, depth

    def forward(self, indices: torch.Tensor, depth: torch.Tensor | None, values: torch.Tensor) -> torch.Tensor:
        """Spread the indices."""
        length = (self.depth or 0) if depth is None else integers(depth)[0]
        whole = from_start(indices.detach(), length)
        axis = self.axis % (indices.ndim + 1)
        shape = [1] * (indices.ndim + 1)
        shape[axis] = length
        hit = whole.unsqueeze(axis) == torch.arange(length, device=indices.device).reshape(shape)
        off, on = values.unbind()
        return torch.where(hit, on, off)


class FixedOneHot(OneHot):
    """OneHot whose depth is a constant."""

    def forward(self, indices: torch.Tensor, values: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Spread the indices."""
        return super().forward(indices, None, values)


def _one_hot(scope: Scope) -> Converted:
    if dtype_of(scope) == "uint64":
        raise scope.refuse("its indices are uint64, which torch does not compare")
    axis, depth = int(scope.attributes.get("axis", -1)), numbers(scope, 1)
    if depth is None:
        return Converted(OneHot(axis, None), scope.node.inputs)
    return Converted(FixedOneHot(axis, depth[0]), (scope.input(0), scope.input(2)))


class Compress(nn.Module):
    """The slices along an axis (the elements of the flattened input without one) at which a condition holds."""

    def __init__(self, axis: int | None) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """Select; what lies beyond the condition's length is dropped."""
        chosen = condition.nonzero().reshape(-1)
        return x.reshape(-1)[chosen] if self.axis is None else x.index_select(self.axis, chosen)


def _compress(scope: Scope) -> Converted:
    axis = scope.attributes.get("axis")
    return Converted(Compress(None if axis is None else int(axis)), scope.node.inputs)


class ReverseSequence(nn.Module):
    """The first ``lengths[b]`` steps of each sample b in reverse order, the rest as they are."""

    def __init__(self, batch_first: bool) -> None:
        super().__init__()
        self.batch_first = batch_first

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Reverse."""
        batch, steps = x.shape[:2] if self.batch_first else (x.shape[1], x.shape[0])
        step = torch.arange(steps, device=x.device)
        sample = torch.arange(batch, device=x.device)[:, None]
        ends = lengths.long()[:, None]
        source = torch.where(step < ends, ends - 1 - step, step)
        return x[sample, source] if self.batch_first else x[source.T, sample.T]


def _reverse_sequence(scope: Scope) -> Converted:
    batch, time = scope.attributes.get("batch_axis", 1), scope.attributes.get("time_axis", 0)
    if {batch, time} != {0, 1}:
        raise scope.refuse(f"its batch_axis is {batch} and its time_axis {time}, 0 and 1 were expected")
    return Converted(ReverseSequence(batch == 0), scope.node.inputs)


CONVERTERS: Converters = {
    **for_versions("GatherElements", (11, 13), _gather_elements),
    **for_versions("GatherND", (11, 12, 13), _gather_nd),
    **for_versions("Slice", (1,), _slice_attributes),
    **for_versions("Slice", (10, 11, 13), _slice),
    **for_versions("OneHot", (9, 11, 28), _one_hot),
    **for_versions("Compress", (9, 11, 28), _compress),
    **for_versions("ReverseSequence", (10, 28), _reverse_sequence),
}

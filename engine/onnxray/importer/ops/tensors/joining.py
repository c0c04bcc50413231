"""Concat, Split, Tile, Pad and CenterCropPad.

Concat-1 had a default axis. Split took its lengths as an attribute before 13 (1: as an attribute or an input), and 18
added num_outputs. Tile-1 repeats along one axis. Pad-1 called its pads "paddings", 11 made them an input, 18 added axes
and 19 the mode "wrap". The rest added types.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from onnxray.errors import InputError
from onnxray.importer.nodes.scope import Converted, Converters, Scope, for_versions
from onnxray.importer.nodes.shape_parameters import computed, integers, numbers


class Concat(nn.Module):
    """The inputs one after the other along an axis."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, *parts: torch.Tensor) -> torch.Tensor:
        """Join."""
        return torch.cat(parts, self.axis)


def _concat(scope: Scope) -> Converted:
    axis = scope.attributes.get("axis", 1 if scope.version < 4 else None)
    if axis is None:
        raise scope.refuse("it has no axis")
    return Converted(Concat(int(axis)), scope.node.inputs)


class Split(nn.Module):
    """Parts of the given lengths along an axis, or ``count`` parts of equal length (``uneven``: the last shorter)."""

    def __init__(self, axis: int, lengths: tuple[int, ...] | None, count: int, uneven: bool) -> None:
        super().__init__()
        self.axis, self.lengths, self.count, self.uneven = axis, lengths, count, uneven

    def forward(self, x: torch.Tensor, lengths: torch.Tensor | None = None) -> tuple[torch.Tensor, ...]:
        """Split; the parts are views."""
        parts = self.lengths if lengths is None else integers(lengths)
        return torch.split(x, list(self._equal(x.shape[self.axis]) if parts is None else parts), self.axis)

    def _equal(self, size: int) -> Sequence[int]:
        """The lengths of equal parts."""
        length = -(-size // self.count)
        rest = size - length * (self.count - 1)
        if rest < 0 or (rest != length and not self.uneven):
            raise InputError(f"Split cuts an axis of length {size} into {self.count} equal parts, which it has not")
        return [length] * (self.count - 1) + [rest]


def _split(scope: Scope) -> Converted:
    get = scope.attributes.get
    axis = get("axis", 0 if scope.version > 1 else None)
    if axis is None:
        raise scope.refuse("it has no axis, and version 1 states no default")
    lengths = get("split") if scope.version < 13 else None
    count = int(get("num_outputs", len(scope.node.outputs)))
    if count < 1:
        raise scope.refuse(f"its num_outputs is {count}, at least 1 was expected")
    fixed = tuple(lengths) if lengths else numbers(scope, 1)
    return Converted(Split(int(axis), fixed, count, scope.version >= 18), computed(scope))


class Tile(nn.Module):
    """The input repeated along every axis."""

    def __init__(self, repeats: tuple[int, ...] | None) -> None:
        super().__init__()
        self.repeats = repeats

    def forward(self, x: torch.Tensor, repeats: torch.Tensor | None = None) -> torch.Tensor:
        """Repeat."""
        times = self.repeats if repeats is None else integers(repeats)
        return x.repeat(times or ())


class TileAxis(nn.Module):
    """The input repeated along one axis, as Tile-1 does."""

    def forward(self, x: torch.Tensor, tiles: torch.Tensor, axis: torch.Tensor) -> torch.Tensor:
        """Repeat."""
        times = [1] * x.ndim
        times[integers(axis)[0]] = integers(tiles)[0]
        return x.repeat(times)


def _tile(scope: Scope) -> Converted:
    if scope.version < 6:
        return Converted(TileAxis(), scope.node.inputs)
    return Converted(Tile(numbers(scope, 1)), computed(scope))


class Pad(nn.Module):
    """The input with places added before and after (removed where a pad is negative) along every axis, or some.

    "constant" fills with a value, "reflect" mirrors without repeating the border, "edge" repeats the border, "wrap"
    goes round. What is to be removed is removed first. The gradient reaches a computed fill value too.
    """

    def __init__(
        self, mode: str, pads: tuple[int, ...] | None, axes: tuple[int, ...] | None, fill: bool | float
    ) -> None:
        super().__init__()
        self.mode, self.pads, self.axes, self.fill = mode, pads, axes, fill

    def forward(
        self,
        x: torch.Tensor,
        pads: torch.Tensor | None = None,
        fill: torch.Tensor | None = None,
        axes: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Pad."""
        amounts = (self.pads or ()) if pads is None else integers(pads)
        places = self.axes if axes is None else integers(axes)
        places = tuple(range(x.ndim)) if places is None else places
        if len(amounts) != 2 * len(places):
            raise InputError(f"Pad has {len(amounts)} pads for {len(places)} axes; two an axis were expected")
        pairs = [(0, 0)] * x.ndim
        for k, axis in enumerate(places):
            pairs[axis] = (amounts[k], amounts[k + len(places)])
        if self.mode == "constant":
            return fill_borders(x, pairs, self.fill if fill is None else fill)
        return extend_borders(x, pairs, self.mode)


def fill_borders(x: torch.Tensor, pairs: Sequence[tuple[int, int]], fill: float | torch.Tensor) -> torch.Tensor:
    """Pad with a number, or with a value that the graph computed."""
    flat = [amount for pair in reversed(pairs) for amount in pair]
    while flat[-2:] == [0, 0]:
        del flat[-2:]
    if not flat:
        return x
    if not isinstance(fill, torch.Tensor):
        return torch.constant_pad_nd(x, flat, fill)
    padded = torch.constant_pad_nd(x, flat)
    inside = torch.constant_pad_nd(torch.ones(x.shape, dtype=torch.bool, device=x.device), flat)
    return torch.where(inside, padded, fill.reshape(()))


def extend_borders(x: torch.Tensor, pairs: Sequence[tuple[int, int]], mode: str) -> torch.Tensor:
    """Pad with the input's own elements."""
    for axis, (begin, end) in enumerate(pairs):
        if begin < 0 or end < 0:
            first = max(-begin, 0)
            x = x.narrow(axis, first, x.shape[axis] - first - max(-end, 0))
    grown = [(max(begin, 0), max(end, 0)) for begin, end in pairs]
    last_two = x.ndim == 4 and not any(any(pair) for pair in grown[:2])
    if last_two and x.dtype in {torch.float32, torch.float64} and mode in {"reflect", "edge"}:
        small = all(max(pair) < size for pair, size in zip(grown[2:], x.shape[2:]))
        if small:
            flat = [*grown[3], *grown[2]]
            return functional.pad(x, flat, mode="reflect" if mode == "reflect" else "replicate") if any(flat) else x
    for axis, (begin, end) in enumerate(grown):
        if begin or end:
            x = x.index_select(axis, _sources(x.shape[axis], begin, end, mode, x.device))
    return x


def _sources(size: int, begin: int, end: int, mode: str, device: torch.device) -> torch.Tensor:
    """Where each element along a padded axis comes from."""
    if size == 0:
        raise InputError(f"Pad in the mode {mode!r} has nothing to take from an empty axis")
    places = torch.arange(-begin, size + end, device=device)
    if mode == "wrap":
        return places % size
    if mode == "edge":
        return places.clamp(0, size - 1)
    if size == 1:
        return torch.zeros_like(places)
    places = places % (2 * size - 2)
    return torch.minimum(places, 2 * size - 2 - places)


def _pad(scope: Scope) -> Converted:
    get = scope.attributes.get
    mode = get("mode", "constant")
    known = {"constant", "reflect", "edge"} | ({"wrap"} if scope.version >= 19 else set())
    if mode not in known:
        raise scope.refuse(f"its mode is {mode!r}, {', '.join(sorted(known))} are known")
    if scope.version < 11:
        pads = tuple(get("paddings" if scope.version < 2 else "pads", ()))
        return Converted(Pad(mode, pads, None, float(get("value", 0.0))), scope.node.inputs[:1])
    constant = scope.constant(2)
    fill = 0 if constant is None else constant.reshape(-1)[0].item()
    return Converted(Pad(mode, numbers(scope, 1), numbers(scope, 3), fill), computed(scope))


class CenterCropPad(nn.Module):
    """Every axis cut to, or filled with zeros up to, a length; what is odd is cut or added at the end."""

    def __init__(self, shape: tuple[int, ...] | None, axes: tuple[int, ...] | None) -> None:
        super().__init__()
        self.shape, self.axes = shape, axes

    def forward(self, x: torch.Tensor, shape: torch.Tensor | None = None) -> torch.Tensor:
        """Cut and fill."""
        sizes = (self.shape or ()) if shape is None else integers(shape)
        pairs = [(0, 0)] * x.ndim
        for axis, size in zip(tuple(range(x.ndim)) if self.axes is None else self.axes, sizes):
            missing = size - x.shape[axis]
            half = abs(missing) // 2
            pairs[axis] = (half, missing - half) if missing > 0 else (-half, missing + half)
        return fill_borders(x, pairs, 0)


def _center_crop_pad(scope: Scope) -> Converted:
    axes = scope.attributes.get("axes")
    return Converted(CenterCropPad(numbers(scope, 1), None if axes is None else tuple(axes)), computed(scope))


CONVERTERS: Converters = {
    **for_versions("Concat", (1,), _concat),
    **for_versions("Split", (1, 2, 11, 13, 18), _split),
    **for_versions("Tile", (1, 6, 13), _tile),
    **for_versions("Pad", (1, 2, 11, 13, 18, 19, 21, 23, 24, 25), _pad),
    **for_versions("CenterCropPad", (18,), _center_crop_pad),
}

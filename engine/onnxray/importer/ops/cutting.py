"""Slice and Pad: what lies within some bounds, and what lies around it."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from onnxray.importer.scope import Converted, Converters, Scope, for_versions

_MODES = {"reflect": "reflect", "edge": "replicate"}


class Slice(nn.Module):
    """x[start:end:step] along some axes, as Python slices: bounds are clipped, negative ones count from the end."""

    def __init__(self, bounds: tuple[tuple[int, ...] | None, ...] | None) -> None:
        super().__init__()
        self.bounds = bounds

    def forward(self, x: torch.Tensor, *computed: torch.Tensor) -> torch.Tensor:
        """Slice with the fixed starts, ends, axes and steps, or with those that the graph computed."""
        bounds = self.bounds or tuple(tuple(tensor.tolist()) for tensor in computed)
        starts, ends, axes, steps = (*bounds, None, None)[:4]
        assert starts is not None
        assert ends is not None
        for k, axis in enumerate(range(len(starts)) if axes is None else axes):
            step = 1 if steps is None else steps[k]
            first, last, step = slice(starts[k], ends[k], step).indices(x.shape[axis])
            if step > 0:
                x = x[(slice(None),) * (axis % x.ndim) + (slice(first, last, step),)]
            else:
                x = x.index_select(axis, torch.arange(first, min(first, last), step, device=x.device))
        return x


class Pad(nn.Module):
    """x within a border: a constant, the reflected inside, or the edge; a negative width cuts off."""

    def __init__(self, mode: str, widths: tuple[int, ...], axes: tuple[int, ...] | None, fill: float) -> None:
        super().__init__()
        self.mode, self.widths, self.axes, self.fill = mode, widths, axes, fill

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Pad; ``widths`` are all begins, then all ends."""
        axes = range(x.ndim) if self.axes is None else [axis % x.ndim for axis in self.axes]
        begins, ends = self.widths[: len(axes)], self.widths[len(axes) :]
        pairs = dict(zip(axes, zip(begins, ends)))
        flat = [amount for axis in reversed(range(x.ndim)) for amount in pairs.get(axis, (0, 0))]
        if self.mode == "constant":
            return functional.pad(x, flat, value=self.fill)
        while len(flat) > 2 * max(1, x.ndim - 2) and flat[-2:] == [0, 0]:
            flat = flat[:-2]  # torch reflects and repeats along the axes behind the first one or two alone
        return functional.pad(x, flat, mode=_MODES[self.mode]) if any(flat) else x


def _slice(scope: Scope) -> Converted:
    if scope.version < 10:
        get = scope.attributes.get
        return Converted(Slice((get("starts", ()), get("ends", ()), get("axes"))), scope.node.inputs[:1])
    given = [scope.constant(position) for position in range(1, 5)]
    if all(tensor is not None or not scope.input(position) for position, tensor in enumerate(given, 1)):
        bounds = tuple(None if tensor is None else tuple(tensor.tolist()) for tensor in given)
        return Converted(Slice(bounds), scope.node.inputs[:1])
    if "" in scope.node.inputs:
        raise scope.refuse("its bounds are computed by the graph, and one before them is left out")
    return Converted(Slice(None), scope.node.inputs)


def _pad(scope: Scope) -> Converted:
    mode = scope.attributes.get("mode", "constant")
    if mode not in {"constant", *_MODES}:
        raise scope.refuse(f"its mode is {mode!r}; constant, reflect and edge are known")
    if scope.version < 11:
        widths, fill = tuple(scope.attributes.get("pads", ())), float(scope.attributes.get("value", 0.0))
        return Converted(Pad(mode, widths, None, fill), scope.node.inputs[:1])
    pads, value, axes = (scope.constant(position) for position in (1, 2, 3))
    if pads is None or (scope.input(2) and value is None) or (scope.input(3) and axes is None):
        raise scope.refuse("its widths, its value or its axes are computed by the graph")
    module = Pad(
        mode,
        tuple(pads.tolist()),
        None if axes is None else tuple(axes.tolist()),
        0.0 if value is None else value.item(),
    )
    return Converted(module, scope.node.inputs[:1])


CONVERTERS: Converters = {
    **for_versions("Slice", (1, 10, 11, 13), _slice),
    **for_versions("Pad", (2, 11, 13, 18, 19, 21, 23, 24, 25), _pad),
}

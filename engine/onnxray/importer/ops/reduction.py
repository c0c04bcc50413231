"""ReduceMean, ReduceSum, ReduceMax, ReduceMin: axes are an attribute at first, an input from 13 (Sum) or 18 on."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from onnxray.importer.scope import Converted, Converters, Scope, for_versions

_FUNCTIONS: dict[str, Callable[..., torch.Tensor]] = {
    "ReduceMean": torch.mean,
    "ReduceSum": torch.sum,
    "ReduceMax": torch.amax,
    "ReduceMin": torch.amin,
}


class Reduce(nn.Module):
    """A reduction over fixed axes, or over all where none are given (unless ``noop`` says to leave the input)."""

    def __init__(self, operator: str, axes: tuple[int, ...] | None, keep: bool, noop: bool) -> None:
        super().__init__()
        self.function = _FUNCTIONS[operator]
        self.axes, self.keep, self.noop = axes, keep, noop

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Reduce."""
        if not self.axes and self.noop:
            return x
        return self.function(x, dim=self.axes or tuple(range(x.ndim)), keepdim=self.keep).to(x.dtype)


def _reduce(scope: Scope) -> Converted:
    get = scope.attributes.get
    axes = get("axes")
    if scope.input(1):
        constant = scope.constant(1)
        if constant is None:
            raise scope.refuse("its axes are computed by the graph")
        axes = constant.tolist()
    module = Reduce(
        scope.node.operator, tuple(axes) if axes else None, bool(get("keepdims", 1)),
        bool(get("noop_with_empty_axes", 0)),
    )  # fmt: skip
    return Converted(module, scope.node.inputs[:1])


CONVERTERS: Converters = {
    **for_versions("ReduceMean", (1, 11, 13, 18), _reduce),
    **for_versions("ReduceSum", (1, 11, 13), _reduce),
    **for_versions("ReduceMax", (1, 11, 12, 13, 18, 20), _reduce),
    **for_versions("ReduceMin", (1, 11, 12, 13, 18, 20), _reduce),
}

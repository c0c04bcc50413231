"""ArgMax, ArgMin, TopK, Unique, NonZero, cumulative sums and products."""

from __future__ import annotations

import torch
from torch import nn

from onnxray.importer.nodes.number_types import element_type, narrow, ordered, unordered, widen
from onnxray.importer.nodes.scope import Converted, Converters, Scope, for_versions

_LONG = 2048
"""From here on sorting a whole axis takes longer than searching it."""


class ArgExtremum(nn.Module):
    """The index of the first, or last, maximum or minimum along an axis. No gradient: the output is an index."""

    def __init__(self, largest: bool, axis: int, keep: bool, last: bool) -> None:
        super().__init__()
        self.largest, self.axis, self.keep, self.last = largest, axis, keep, last

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Find."""
        x = ordered(x)
        find = torch.argmax if self.largest else torch.argmin
        if not self.last:
            return find(x, self.axis, keepdim=self.keep)
        length = x.shape[self.axis] if x.ndim else 1
        return length - 1 - find(torch.flip(x, (self.axis,)) if x.ndim else x, self.axis, keepdim=self.keep)


class TopK(nn.Module):
    """The k largest or smallest along an axis, in order, and their indices; among equals the lower index comes first.

    The gradient of a value goes to the place that it comes from; the indices have none.
    """

    def __init__(self, k: int | None, axis: int, largest: bool) -> None:
        super().__init__()
        self.k, self.axis, self.largest = k, axis, largest

    def forward(self, x: torch.Tensor, k: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Sort stably and cut; of a long axis sort those alone that come into question, a tenth of the work or less."""
        count = self.k if k is None else int(k.reshape(()))
        assert count is not None
        values, indices = ordered(x), None
        if x.ndim and x.shape[self.axis] > _LONG and 0 < 4 * count <= x.shape[self.axis]:
            indices = _first_best(values, count, self.axis, self.largest)
            values = torch.take_along_dim(values, indices, self.axis)
        values, order = torch.sort(values, dim=self.axis, descending=self.largest, stable=True)
        indices = order if indices is None else torch.take_along_dim(indices, order, self.axis)
        return unordered(values.narrow(self.axis, 0, count), x.dtype), indices.narrow(self.axis, 0, count)


def _first_best(x: torch.Tensor, count: int, axis: int, largest: bool) -> torch.Tensor:
    """The indices of the ``count`` best, in ascending order; of the last one's equals those that come first."""
    last = torch.topk(x, count, axis, largest).values.narrow(axis, count - 1, 1)
    better, equal = ~(x <= last) if largest else x < last, x == last
    wanted = count - better.sum(axis, keepdim=True)
    chosen = better | (equal & (equal.cumsum(axis) <= wanted))
    shape = [1] * x.ndim
    shape[axis] = -1
    ranks = torch.arange(x.shape[axis], 0, -1, device=x.device).reshape(shape)
    return torch.topk(torch.where(chosen, ranks, 0), count, axis).indices


class Unique(nn.Module):
    """The different numbers, or slices along an axis; where each is first met; which of them each is; how often it is.

    Sorted, or in the order in which they are met. The gradient of a number goes to where it is first met; indices and
    counts have none.
    """

    def __init__(self, axis: int | None, in_order: bool) -> None:
        super().__init__()
        self.axis, self.in_order = axis, in_order

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Find the unique numbers, then read them from ``x``, so that their gradient finds its way back."""
        axis = 0 if self.axis is None else self.axis
        items = x.reshape(-1) if self.axis is None else x
        keys = ordered(items.detach())
        keys = keys.float() if keys.dtype in {torch.float16, torch.bfloat16} else keys
        _, inverse, counts = torch.unique(keys, return_inverse=True, return_counts=True, dim=axis)
        places = torch.arange(inverse.numel(), device=x.device)
        first = torch.full_like(counts, inverse.numel()).scatter_reduce(0, inverse, places, "amin")
        if self.in_order:
            order = torch.argsort(first)
            inverse, first, counts = torch.argsort(order)[inverse], first[order], counts[order]
        return torch.index_select(items, axis, first), first, inverse, counts


class NonZero(nn.Module):
    """The indices of all numbers that are not zero: a row an axis, a column a number. No gradient."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Find them, the last axis running fastest."""
        return torch.nonzero(widen(x)).t()


class Cumulative(nn.Module):
    """Sums or products up to each number along an axis, itself left out if ``exclusive``, or from the end on."""

    def __init__(self, product: bool, axis: int | None, exclusive: bool, reverse: bool) -> None:
        super().__init__()
        self.product, self.axis, self.exclusive, self.reverse = product, axis, exclusive, reverse

    def forward(self, x: torch.Tensor, axis: torch.Tensor | None = None) -> torch.Tensor:
        """Sum up or multiply."""
        along = self.axis if axis is None else int(axis.reshape(()))
        assert along is not None
        values = widen(x)
        values = torch.flip(values, (along,)) if self.reverse else values
        if self.exclusive and values.shape[along]:
            start = torch.full_like(values.narrow(along, 0, 1), int(self.product))
            values = torch.cat((start, values.narrow(along, 0, values.shape[along] - 1)), along)
        function = torch.cumprod if self.product else torch.cumsum
        values = function(values, along, dtype=values.dtype)
        return narrow(torch.flip(values, (along,)) if self.reverse else values, x.dtype)


def _arg_extremum(scope: Scope) -> Converted:
    get = scope.attributes.get
    module = ArgExtremum(
        scope.node.operator == "ArgMax", int(get("axis", 0)), bool(get("keepdims", 1)),
        bool(get("select_last_index", 0)),
    )  # fmt: skip
    return Converted(module, scope.node.inputs)


def _top_k(scope: Scope) -> Converted:
    get = scope.attributes.get
    axis, largest = int(get("axis", -1)), bool(get("largest", 1))
    if scope.version == 1:
        return Converted(TopK(int(get("k", 0)), axis, largest), scope.node.inputs, several=True)
    k = scope.constant(1)
    if k is None:
        return Converted(TopK(None, axis, largest), scope.node.inputs, several=True)
    if k.numel() != 1 or int(k.reshape(())) < 0:
        raise scope.refuse(f"its k is {k.tolist()}, one number of at least 0 was expected")
    return Converted(TopK(int(k.reshape(())), axis, largest), scope.node.inputs[:1], several=True)


def _unique(scope: Scope) -> Converted:
    kind, axis = element_type(scope, 0), scope.attributes.get("axis")
    if kind == "object" or kind.startswith("complex"):
        raise scope.refuse(f"it sorts {'strings' if kind == 'object' else kind}, which torch does not")
    return Converted(Unique(axis, not scope.attributes.get("sorted", 1)), scope.node.inputs, several=True)


def _nonzero(scope: Scope) -> Converted:
    if element_type(scope, 0) == "object":
        raise scope.refuse("it looks at strings, which torch does not hold")
    return Converted(NonZero(), scope.node.inputs)


def _cumulative(scope: Scope) -> Converted:
    get = scope.attributes.get
    axis = scope.constant(1)
    if axis is not None and axis.numel() != 1:
        raise scope.refuse(f"its axis is {axis.tolist()}, one number was expected")
    module = Cumulative(
        scope.node.operator == "CumProd", None if axis is None else int(axis.reshape(())),
        bool(get("exclusive", 0)), bool(get("reverse", 0)),
    )  # fmt: skip
    return Converted(module, scope.node.inputs if axis is None else scope.node.inputs[:1])


CONVERTERS: Converters = {
    **for_versions("ArgMax", (1, 11, 12, 13), _arg_extremum),
    **for_versions("ArgMin", (1, 11, 12, 13), _arg_extremum),
    **for_versions("TopK", (1, 10, 11, 24), _top_k),
    **for_versions("Unique", (11, 28), _unique),
    **for_versions("NonZero", (9, 13), _nonzero),
    **for_versions("CumSum", (11, 14), _cumulative),
    **for_versions("CumProd", (26,), _cumulative),
}

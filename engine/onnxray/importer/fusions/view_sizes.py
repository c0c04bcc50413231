"""Reshape to a shape that the graph puts together from sizes of its own values: read off the tensors themselves.

Exporters write ``x.reshape(batch, -1, width)`` as Shape, Gather, Unsqueeze and Concat: nodes of one number each.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

from onnxray.graph.facts import Node
from onnxray.importer.fusions.pattern import Cut, Fusion, is_plain, replacing
from onnxray.importer.nodes.shape_parameters import numbers
from onnxray.importer.ops.tensors.shaping import Reshape

_Size = tuple[int | None, int]
"""(which tensor, axis): one of its sizes; (None, number): the number itself."""


class SizedReshape(nn.Module):
    """x in the shape that ``sizes`` say, read off the tensors that come after x."""

    def __init__(self, sizes: tuple[_Size, ...], *, allow_zero: bool) -> None:
        super().__init__()
        self.sizes = sizes
        self.reshape = Reshape(None, allow_zero)

    def forward(self, x: torch.Tensor, *sources: torch.Tensor) -> torch.Tensor:
        """Reshape."""
        return self.reshape.to_sizes(x, tuple(n if k is None else sources[k].shape[n] for k, n in self.sizes))


def sized_reshape(node: Node, cut: Cut) -> Fusion | None:
    """Reshape to a Concat of constants and of single sizes."""
    concat = cut.producer(node.inputs[1], "Concat") if is_plain(node, "Reshape") and len(node.inputs) == 2 else None
    if concat is None:
        return None
    sources: dict[str, int] = {}
    sizes: list[_Size] = []
    for name in concat.inputs:
        constant, size = cut.constant(name), _size(name, cut)
        if constant is not None and constant.ndim == 1:
            sizes += [(None, int(number)) for number in constant]
        elif size is not None:
            sizes.append((sources.setdefault(size[0], len(sources)), size[1]))
        else:
            return None
    allow_zero = bool(cut.scope_of(node).attributes.get("allowzero", 0))
    make = partial(SizedReshape, tuple(sizes), allow_zero=allow_zero)
    return replacing((node,), (node.inputs[0], *sources), make)


def _size(name: str, cut: Cut) -> tuple[str, int] | None:
    """The value and the axis whose size is the one element of ``name``."""
    unsqueeze = cut.producer(name, "Unsqueeze")
    gather = cut.producer(unsqueeze.inputs[0], "Gather") if unsqueeze is not None else None
    if unsqueeze is None or gather is None:
        return None
    shape, index = cut.producer(gather.inputs[0], "Shape"), cut.constant(gather.inputs[1])
    scope = cut.scope_of(unsqueeze)
    axes = scope.attributes.get("axes") or numbers(scope, 1)
    if shape is None or shape.proto.attribute or index is None or index.ndim or axes is None or tuple(axes) != (0,):
        return None  # attributes of Shape: part of the sizes alone
    return shape.inputs[0], int(index)

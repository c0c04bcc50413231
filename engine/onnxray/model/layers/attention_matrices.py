"""Where a graph holds attention among all tokens of a picture: softmax(Q K^T) that is multiplied with values."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from onnxray.errors import InputError
from onnxray.graph.axis_factors import Axis, spatial
from onnxray.graph.facts import Node
from onnxray.graph.node_attributes import attribute
from onnxray.graph.operator_kinds import CONVOLUTIONS, UNCHANGING
from onnxray.model.layers.grid import Grid, Space, token_grid
from onnxray.model.layers.map_layers import last_reads

_FUSED = frozenset({"Attention", "FlashAttention", "GroupQueryAttention", "MultiHeadAttention",
                    "PackedAttention", "PackedMultiHeadAttention", "QAttention"})  # fmt: skip
_PASSING = UNCHANGING | {"Cast"}
_CHANGING = frozenset({"Add", "Conv", "Div", "MatMul", "Mul", "Sub", "Where"})
_MIXING = CONVOLUTIONS | {"AveragePool", "MaxPool"}


@dataclass(frozen=True)
class Attentions:
    """matrices: values (N, heads, T, T) or (N heads, T, T), in graph order. grid: the tokens, on the last axis.

    pooled: whether the picture's own tokens are read at the end; else those beside them, class tokens, are.
    """

    matrices: tuple[str, ...]
    grid: Grid
    pooled: bool


def find_attentions(space: Space, names: Iterable[str]) -> Attentions:
    """All attention before the values ``names``. Errors: InputError naming what rollout cannot go through."""
    wanted = tuple(names)
    needed = space.model.graph.needed_for(wanted)
    found: list[tuple[str, Node]] = []
    for node in needed:
        if node.operator in _FUSED:
            raise InputError(
                f"node {node.name!r} ({node.operator}) does not give its attention matrix; export the network with the "
                "attention written out (an opset below 23)"
            )
        if node.operator == "Softmax":
            product = _product_with_values(space, node)
            if product is not None:
                found.append((node.outputs[0], product))
    if not found:
        raise InputError(
            f"no attention, softmax(Q K^T) V, stands before {', '.join(map(repr, wanted))}; rollout needs a transformer"
        )
    grids = [_square(space, name) for name, _ in found]
    if len({(grid.height, grid.width, grid.before, grid.after) for grid in grids}) > 1:
        raise InputError(
            f"the attentions {grids[0].value!r} and {grids[-1].value!r} are not among the same tokens "
            f"({grids[0].kind}; {grids[-1].kind}), so they cannot be multiplied"
        )
    _refuse_mixing(space, needed, found[0][1])
    last = found[-1][1].outputs[0]
    pooled = last in last_reads(space, needed, wanted)
    if not pooled and not grids[0].before:
        raise InputError(f"{last!r}: the picture's tokens are not read after it, and no token stands before them")
    return Attentions(tuple(name for name, _ in found), grids[0], pooled)


def _product_with_values(space: Space, softmax: Node) -> Node | None:
    """The MatMul by which a Softmax along its last axis weighs values."""
    graph = space.model.graph
    shape = space.shapes.get(softmax.outputs[0])
    default = -1 if graph.opsets.get("ai.onnx", 1) >= 13 else 1
    if shape is None or int(attribute(softmax, "axis", default)) % len(shape) != len(shape) - 1:
        return None
    names, changed = [softmax.outputs[0]], ""
    while names:
        name = names.pop()
        for reader in graph.readers_of.get(name, ()):
            if reader.operator == "MatMul" and reader.inputs[0] == name and reader.inputs[1] in graph.depends_on_input:
                if changed:
                    raise InputError(
                        f"the attention {softmax.outputs[0]!r} is changed by node {changed} before it weighs the "
                        "values; rollout follows plain attention alone"
                    )
                return reader
            if reader.operator in _PASSING | _CHANGING:
                if reader.operator in _CHANGING:
                    changed = changed or f"{reader.name!r} ({reader.operator})"
                names += [output for output in reader.outputs if space.shapes.get(output) == shape]
    return None


def _square(space: Space, name: str) -> Grid:
    """The tokens of a matrix (..., T, T), all of the picture's, the same on both axes."""
    shape, axes = space.shapes[name], space.axes.get(name)
    said = f"the attention {name!r} has the shape {list(shape)}"
    if axes is None or len(axes) not in (3, 4):
        raise InputError(f"{said}; which of its axes are tokens of the picture cannot be told from the graph")
    rows, columns = axes[-2], axes[-1]
    grid = token_grid(name, shape, columns, len(shape) - 1) if rows == columns else None
    if grid is None or any(map(spatial, axes[:-2])) or not _samples_first(axes[:-2]):
        raise InputError(f"{said}; rollout needs attention of all tokens among all, not within windows or to a few")
    return grid


def _samples_first(axes: Iterable[Axis]) -> bool:
    """Whether heads stand inside of samples."""
    factors = [factor for axis in axes for factor in axis if factor.size > 1 or factor.letter == "N"]
    return bool(factors) and factors[0].letter == "N" and all(factor.letter != "N" for factor in factors[1:])


def _refuse_mixing(space: Space, needed: Iterable[Node], first: Node) -> None:
    """Refuse networks in which tokens are mixed by more than attention."""
    for node in needed:
        wide = math.prod(attribute(node, "kernel_shape", [1])) > 1
        if (
            node.index > first.index
            and node.operator in _MIXING
            and wide
            and node.outputs[0] in space.grids(node.outputs)
        ):
            raise InputError(
                f"node {node.name!r} ({node.operator}) mixes tokens between the attentions; rollout follows attention "
                "alone"
            )

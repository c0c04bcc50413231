"""Layer normalisation as exporters write it out before opset 17 (Ba, Kiros, Hinton 2016).

d = x - mean(x),   y = d / sqrt(mean(d^2) + epsilon) * scale + bias       over the last axis
"""

from __future__ import annotations

from functools import partial

from onnxray.graph.facts import Node
from onnxray.importer.fusions.pattern import Cut, Fusion, is_plain, replacing
from onnxray.importer.nodes.shape_parameters import numbers
from onnxray.importer.ops.neural.normalization import LayerNorm


def layer_norm(node: Node, cut: Cut) -> Fusion | None:
    """Nine nodes, ending in the Add of a constant bias."""
    if not is_plain(node, "Add"):
        return None
    scaled = cut.operand(node, "Mul")
    divided = cut.operand(scaled[0], "Div") if scaled is not None else None
    if scaled is None or divided is None:
        return None
    parts = _normalised(divided[0], cut)
    if parts is None:
        return None
    members, x, epsilon = parts
    size = cut.graph.values[x].shape
    for name in (divided[1], scaled[1]):
        tensor = cut.graph.initializers.get(name)
        if tensor is None or size is None or list(tensor.dims) != [size[-1]]:
            return None
    make = partial(LayerNorm, -1, epsilon)
    return replacing((node, scaled[0], *members), (x, divided[1], scaled[1]), make)


def _normalised(division: Node, cut: Cut) -> tuple[tuple[Node, ...], str, float] | None:
    """The nodes of d / sqrt(mean(d^2) + epsilon), x, and epsilon."""
    centred = cut.producer(division.inputs[0], "Sub")
    root = cut.producer(division.inputs[1], "Sqrt")
    add = cut.producer(root.inputs[0], "Add") if root is not None else None
    found = cut.operand(add, "ReduceMean") if add is not None else None
    if centred is None or root is None or add is None or found is None:
        return None
    variance, epsilon = found[0], cut.number(found[1])
    square = cut.producer(variance.inputs[0], "Pow", "Mul")
    mean = cut.producer(centred.inputs[1], "ReduceMean")
    x, d = centred.inputs[0], centred.outputs[0]
    if square is None or mean is None or epsilon is None or mean.inputs[0] != x or not cut.is_real(x):
        return None
    squares = square.inputs == (d, d) if square.operator == "Mul" else square.inputs[0] == d
    if not squares or (square.operator == "Pow" and cut.number(square.inputs[1]) != 2):
        return None
    if not (_over_the_last_axis(mean, x, cut) and _over_the_last_axis(variance, x, cut)):
        return None
    return (division, centred, root, add, variance, square, mean), x, epsilon


def _over_the_last_axis(node: Node, x: str, cut: Cut) -> bool:
    """Whether a mean is over the last axis alone, and keeps it."""
    scope = cut.scope_of(node)
    axes = scope.attributes.get("axes") or numbers(scope, 1)
    rank = cut.rank(x)
    last = axes is not None and len(axes) == 1 and (axes[0] == -1 or (rank is not None and axes[0] == rank - 1))
    return last and bool(scope.attributes.get("keepdims", 1))

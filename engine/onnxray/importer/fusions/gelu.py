"""GELU as exporters write it out: 0.5 x (1 + erf(x / sqrt 2)), its factors in any order (Hendrycks, Gimpel 2016)."""

from __future__ import annotations

import math

from torch import nn

from onnxray.graph.facts import Node
from onnxray.importer.fusions.pattern import Cut, Fusion, is_plain, replacing

_CLOSE = 1e-6


def gelu(node: Node, cut: Cut) -> Fusion | None:
    """A product of x, one half and 1 + erf(x / sqrt 2)."""
    if not is_plain(node, "Mul"):
        return None
    for k in (0, 1):
        inner = cut.producer(node.inputs[k], "Mul")
        if inner is None:
            continue
        factors = [*inner.inputs, node.inputs[1 - k]]
        numbers = [number for number in map(cut.number, factors) if number is not None]
        values = [name for name in factors if cut.number(name) is None]
        if len(values) != 2 or not math.isclose(numbers[0], 0.5, rel_tol=_CLOSE):
            continue
        for x, shifted in (values, values[::-1]):
            found = _one_plus_erf(shifted, x, cut)
            if found is not None and cut.is_real(x):
                return replacing((node, inner, *found), (x,), nn.GELU)
    return None


def _one_plus_erf(name: str, x: str, cut: Cut) -> tuple[Node, ...] | None:
    """The nodes of ``name`` = 1 + erf(x / sqrt 2)."""
    add = cut.producer(name, "Add")
    found = cut.operand(add, "Erf") if add is not None else None
    if add is None or found is None or cut.number(found[1]) != 1:
        return None
    scaled = cut.producer(found[0].inputs[0], "Div", "Mul")
    if scaled is None or x not in scaled.inputs:
        return None
    other = scaled.inputs[1 - scaled.inputs.index(x)]
    divides = scaled.operator == "Div" and scaled.inputs[0] == x
    number = cut.number(other)
    wanted = math.sqrt(2) if divides else math.sqrt(0.5)
    if number is None or (scaled.operator == "Div" and not divides):
        return None
    return (add, found[0], scaled) if math.isclose(number, wanted, rel_tol=_CLOSE) else None

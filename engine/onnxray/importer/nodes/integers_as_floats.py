"""Whole numbers that carry gradients: quantised values, held as floats.

Torch's integer tensors have no gradient, so what a quantising operator gives (QuantizeLinear, QLinearConv, ...) is held
as a float tensor of whole numbers, float32 for 8 and 16 bits and float64 for 32, wherever everything that reads it
down to where it is dequantised can take it so: operators that only move values (``MOVING``) and those that know of the
convention (``KNOWING``). Where anything else reads it, or a subgraph does, it is a real integer tensor: exact, and
without a gradient. A value that is asked for from outside always comes in the type that the file declares.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from onnxray.graph.facts import Graph, Node
from onnxray.graph.file.element_types import element_type_name
from onnxray.graph.operator_kinds import ZERO_POINTS

Operator = tuple[str, str]

MICROSOFT = "com.microsoft"

_FIRST = frozenset({0})
_NONE: frozenset[int] = frozenset()
_ANY = frozenset(range(1024))

ORIGINS: Mapping[Operator, int | str] = {
    **ZERO_POINTS,
    ("", "DynamicQuantizeLinear"): "uint8",
    ("", "ConvInteger"): "int32",
    ("", "MatMulInteger"): "int32",
}
"""Operators whose first output may be carried, and its type: that of an input (the zero point), or always the same."""

KNOWING: Mapping[Operator, frozenset[int]] = {
    ("", "DequantizeLinear"): _FIRST,
    **{("", name): _FIRST for name in ("Cast", "Shape", "Size")},
    ("", "QLinearConv"): frozenset({0, 3}),
    ("", "QLinearMatMul"): frozenset({0, 3}),
    ("", "ConvInteger"): frozenset({0, 1}),
    ("", "MatMulInteger"): frozenset({0, 1}),
    **{
        (MICROSOFT, name): _FIRST
        for name in (
            "DequantizeLinear",
            "QLinearLeakyRelu",
            "QLinearSigmoid",
            "QLinearSoftmax",
            "QLinearAveragePool",
            "QLinearGlobalAveragePool",
        )
    },
    **{(MICROSOFT, name): frozenset({0, 3}) for name in ("QLinearConv", "QLinearAdd", "QLinearMul", "QGemm")},
    (MICROSOFT, "QLinearConcat"): frozenset(range(2, 1024, 3)),
    (MICROSOFT, "QLinearWhere"): frozenset({1, 4}),
    (MICROSOFT, "MatMulIntegerToFloat"): frozenset({0, 1}),
}
"""Operators that take carried values at these inputs, and whose outputs are no carried values by themselves."""

MOVING: Mapping[Operator, frozenset[int]] = {
    **{
        ("", name): _FIRST
        for name in (
            "Identity", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Slice", "Split", "Gather", "Tile",
            "GatherElements", "GatherND", "Expand", "DepthToSpace", "SpaceToDepth", "MaxPool", "Relu", "Clip",
            "Dropout",
        )
    },
    **{("", name): _ANY for name in ("Concat", "Max", "Min")},
    ("", "Where"): frozenset({1, 2}),
    (MICROSOFT, "NhwcMaxPool"): _FIRST,
}  # fmt: skip
"""Operators whose module does to carried values at these inputs what it does to whole numbers."""


def is_carried(graph: Graph, name: str) -> bool:
    """Whether the quantised value ``name`` may be a float tensor, judging by all that reads it."""
    pending, seen = [name], {name}
    while pending:
        value = pending.pop()
        for node in graph.readers_of.get(value, ()):
            operator = (node.domain, node.operator)
            if _takes(node, value, KNOWING.get(operator)):
                continue
            if not _takes(node, value, MOVING.get(operator)):
                return False
            outputs = node.outputs[:1] if node.operator in {"MaxPool", "Dropout"} else node.outputs
            pending += [output for output in outputs if output and output not in seen]
            seen.update(outputs)
    return True


def declared_type(graph: Graph, name: str) -> torch.dtype | None:
    """The type that a value from an operator that may give or pass carried values is declared to have."""
    node = graph.producer_of.get(name)
    if node is None or not {(node.domain, node.operator)} & (ORIGINS.keys() | MOVING.keys()):
        return None
    declared = graph.values[name].dtype or _origin_type(graph, name)
    return torch.int32 if declared == "int32" else WIDTHS[declared].dtype if declared in WIDTHS else None


def _origin_type(graph: Graph, name: str) -> str:
    """The type of a value whose type nobody inferred: that of the quantising operator that it comes from."""
    for _ in graph.nodes:
        node = graph.producer_of.get(name)
        if node is None:
            break
        origin = ORIGINS.get((node.domain, node.operator))
        if isinstance(origin, str):
            return origin
        positions = MOVING.get((node.domain, node.operator), _NONE)
        if origin is None and (not positions or name != node.outputs[0]):
            break
        position = origin if origin is not None else min(positions)
        name = node.inputs[position] if position < len(node.inputs) else ""
        known = type_name(graph, name)
        if origin is not None or known:
            return known or ""
    return ""


def type_name(graph: Graph, name: str) -> str | None:
    """The declared type of a value or weight, by numpy's name."""
    if name in graph.initializers:
        return element_type_name(graph.initializers[name].data_type)
    value = graph.values.get(name)
    return (value.dtype or None) if value is not None else None


def as_declared(value: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """A carried value as what the file declares; without a gradient."""
    return value if value.dtype == dtype else value.to(dtype)


def _takes(node: Node, value: str, positions: frozenset[int] | None) -> bool:
    if positions is None or value not in node.inputs:
        return False
    return all(position in positions for position, name in enumerate(node.inputs) if name == value)


class Width:
    """A quantised type: its range and the torch type that holds it."""

    def __init__(self, dtype: torch.dtype, low: float, high: float) -> None:
        self.dtype, self.low, self.high = dtype, low, high

    @property
    def is_float(self) -> bool:
        """Whether it is an 8-bit float rather than a whole number."""
        return self.dtype.is_floating_point


def _float8(name: str) -> Width:
    dtype: torch.dtype = getattr(torch, name)
    limit = float(torch.finfo(dtype).max)
    return Width(dtype, -limit, limit)


WIDTHS: Mapping[str, Width] = {
    "int8": Width(torch.int8, -128, 127),
    "uint8": Width(torch.uint8, 0, 255),
    "int16": Width(torch.int16, -32768, 32767),
    "uint16": Width(torch.uint16, 0, 65535),
    "int4": Width(torch.int8, -8, 7),
    "uint4": Width(torch.uint8, 0, 15),
    "int2": Width(torch.int8, -2, 1),
    "uint2": Width(torch.uint8, 0, 3),
    **{name: _float8(name) for name in ("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz")},
}
"""By the name that ``Value.dtype`` gives a type."""

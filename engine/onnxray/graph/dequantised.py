"""The real numbers that quantised values stand for, where the file computes them nowhere (QLinearConv, QGemm, ...).

    r = (q - zero point) * scale

They are values of the graph like others, named after the whole numbers with "_dequantized" behind, so that such a file
has layers to look at. The node that gives one is none of the file's, and no node reads it: a change of it is one of the
whole numbers, d/dr = (1 / scale) d/dq.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import MappingProxyType
from typing import Final

import numpy as np
import onnx

from onnxray.graph.facts import Graph, Node, Value
from onnxray.graph.node_attributes import constant
from onnxray.graph.operator_kinds import MOVING, ZERO_POINTS
from onnxray.graph.whole_numbers import quantises

_DEQUANTIZE: Final = "DequantizeLinear"
_SINCE: Final = 10
"""The opset that brought it."""
_PLAIN: Final = {
    "QGemm": ("Gemm", slice(0, 6, 3)), "QLinearMatMul": ("MatMul", slice(0, 6, 3)),
    "MatMulInteger": ("MatMul", slice(0, 2)), "QLinearConcat": ("Concat", slice(2, None, 3)),
}  # fmt: skip
"""Operator -> what it computes between scales and zero points, and which of its inputs that is computed from."""
_KEEPING: Final = MOVING | {"Clip", "DepthToSpace", "MaxPool", "NhwcMaxPool", "Relu", "Slice", "SpaceToDepth"}
"""Operators whose first output holds whole numbers of the scale of their first input."""


def with_dequantised(graph: Graph) -> Graph:
    """The graph with such a value for each quantised one that is read as it is; the same where there is none."""
    if graph.opsets.get("ai.onnx", 0) < _SINCE:
        return graph
    nodes, values = dict[str, Node](), dict[str, Value]()
    for whole, scale, zero in _without_reals(graph):
        name = f"{whole}_dequantized"
        while name in graph.values or name in graph.initializers or name in values:
            name += "_"
        inputs = tuple(filter(None, (whole, scale, zero)))
        proto = onnx.helper.make_node(_DEQUANTIZE, inputs, [name], name)
        nodes[whole] = Node(len(graph.nodes) + len(nodes), name, _DEQUANTIZE, "", inputs, (name,), (), proto)
        values[whole] = Value(name, "dequantised", graph.values[whole].shape, "float32", name, _DEQUANTIZE)
    if not nodes:
        return graph
    ordered = {}
    for value in graph.values.values():
        ordered[value.name] = value
        if value.name in values:
            ordered[values[value.name].name] = values[value.name]
    return replace(graph, values=MappingProxyType(ordered), dequantised=MappingProxyType(nodes))


def real_numbers_of(graph: Graph, name: str) -> str | None:
    """The value that holds what a quantised one stands for: what the file makes of it, or ours; None without."""
    for reader in graph.readers_of.get(name, ()):
        if reader.operator == _DEQUANTIZE and reader.inputs[0] == name:
            return reader.outputs[0]
    return graph.dequantised[name].outputs[0] if name in graph.dequantised else None


def whole_numbers_of(graph: Graph, name: str) -> str | None:
    """The quantised value that such a value stands for; None for every value of the file."""
    value = graph.values.get(name)
    return graph.producer_of[name].inputs[0] if value is not None and value.kind == "dequantised" else None


def plain_form(node: Node) -> Node:
    """The node of real numbers that a quantised one stands for, where its scales and zero points lie between the
    operands; every other node as it is.
    """
    if node.operator not in _PLAIN:
        return node
    operator, operands = _PLAIN[node.operator]
    return replace(node, operator=operator, domain="", inputs=node.inputs[operands])


def _without_reals(graph: Graph) -> Iterator[tuple[str, str, str]]:
    """(value, its scale, its zero point or "") of those that are quantised in one constant step, and read as they are.

    What QuantizeLinear gives stands for what it reads.
    """
    steps: dict[str, tuple[str, str]] = {}
    for node in graph.nodes:
        if quantises(node):
            place = ZERO_POINTS[node.domain, node.operator]
            step = node.inputs[place - 1], node.inputs[place] if place < len(node.inputs) else ""
        elif node.operator in _KEEPING and node.inputs and node.inputs[0] in steps:
            step = steps[node.inputs[0]]
        else:
            continue
        name = node.outputs[0]
        if not name or not _is_one_step(graph, *step):
            continue
        steps[name] = step
        readers = [reader.operator for reader in graph.readers_of.get(name, ())]
        if node.operator != "QuantizeLinear" and (not readers or set(readers) != {_DEQUANTIZE}):
            yield name, *step


def _is_one_step(graph: Graph, scale: str, zero: str) -> bool:
    """Whether a scale and a zero point are one constant number each, of types that DequantizeLinear takes."""
    size = constant(graph, scale, most=1)
    shift = constant(graph, zero, most=1) if zero else np.zeros(1, np.uint8)
    if size is None or size.size != 1 or size.dtype != np.float32:
        return False
    return shift is not None and shift.size == 1 and shift.dtype in {np.dtype(np.int8), np.dtype(np.uint8)}

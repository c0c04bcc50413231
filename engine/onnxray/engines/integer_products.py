"""Which nodes of a file multiply uint8 by int8: those that give other numbers on a processor that saturates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import onnx

from onnxray.engines.processor import u8s8_saturates
from onnxray.graph.facts import Graph, Node
from onnxray.graph.file.element_types import element_type_name
from onnxray.graph.operator_kinds import RESHAPING

_MICROSOFT = "com.microsoft"

_DIRECT: Mapping[tuple[str, str], tuple[int | None, int]] = {
    ("", "MatMulInteger"): (0, 1),
    ("", "ConvInteger"): (0, 1),
    ("", "QLinearMatMul"): (0, 3),
    ("", "QLinearConv"): (0, 3),
    (_MICROSOFT, "QLinearConv"): (0, 3),
    (_MICROSOFT, "QGemm"): (0, 3),
    (_MICROSOFT, "MatMulIntegerToFloat"): (0, 1),
    (_MICROSOFT, "QAttention"): (0, 1),
    (_MICROSOFT, "DynamicQuantizeMatMul"): (None, 1),
    (_MICROSOFT, "DynamicQuantizeLSTM"): (None, 1),
}
"""Operator -> where its two 8-bit factors stand; None for one that the operator itself makes, always uint8."""

_FUSED = frozenset({"Conv", "MatMul", "Gemm"})
"""Operators that ONNX Runtime computes in 8 bits where their inputs were dequantised just before."""


_MOVING = RESHAPING | {"Transpose", "Slice", "Split", "Gather", "MaxPool"}
"""Operators that ONNX Runtime moves to the other side of a DequantizeLinear, so that it still fuses."""

_BODIES = frozenset({onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS})


@dataclass(frozen=True, slots=True)
class Products:
    """The products of uint8 and int8 in one file.

    ``direct``: the nodes that multiply so by themselves, and where their int8 factor stands. ``computed``: whether that
    of some node is no constant. ``inside``: the nodes (If, Loop, Scan) in whose bodies there are such operators, of
    whatever types. ``fused``: whether some product becomes one where its dequantised inputs are fused with it.
    """

    direct: tuple[tuple[Node, int], ...]
    computed: bool
    inside: tuple[Node, ...]
    fused: bool

    @property
    def any(self) -> bool:
        """Whether there are any."""
        return bool(self.direct or self.inside or self.fused)

    @property
    def avoidable(self) -> bool:
        """Whether ONNX Runtime can be made to compute all of them exactly."""
        return not self.computed and not self.inside


def saturates(graph: Graph) -> bool | None:
    """Whether u8 x s8 products of this file saturate on this processor; None where it holds none: not tried."""
    return u8s8_saturates() if products(graph).any else None


def products(graph: Graph) -> Products:
    """Find the products of uint8 and int8. A type that the file does not tell counts as the one that saturates."""
    nodes = [node for node in graph.nodes if _is_direct(graph, node)]
    direct = tuple((node, _DIRECT[node.domain, node.operator][1]) for node in nodes)
    computed = any(not _is_constant(graph, node.inputs[place]) for node, place in direct)
    inside = tuple(node for node in graph.nodes if any((n.domain, n.op_type) in _DIRECT for n in _inside(node.proto)))
    fused = any(_is_fused(graph, node) for node in graph.nodes)
    return Products(direct, computed, inside, fused)


def _is_direct(graph: Graph, node: Node) -> bool:
    places = _DIRECT.get((node.domain, node.operator))
    if places is None or len(node.inputs) <= places[1]:
        return False
    left, right = ("uint8" if place is None else _kind(graph, node.inputs[place]) for place in places)
    return left in {"uint8", ""} and right in {"int8", ""}


def _is_fused(graph: Graph, node: Node) -> bool:
    """Whether both factors come from DequantizeLinear; ONNX Runtime shifts an int8 left factor to uint8."""
    if node.domain or node.operator not in _FUSED or len(node.inputs) < 2:
        return False
    left, right = (_dequantised(graph, name) for name in node.inputs[:2])
    return left in {"uint8", "int8", ""} and right in {"int8", ""}


def _dequantised(graph: Graph, name: str) -> str | None:
    """The type that a value was dequantised from, whatever has only moved it since; None where it was not."""
    producer = graph.producer_of.get(name)
    while producer is not None and producer.operator in _MOVING and producer.inputs:
        producer = graph.producer_of.get(producer.inputs[0])
    if producer is None or producer.operator != "DequantizeLinear" or not producer.inputs:
        return None
    return _kind(graph, producer.inputs[0])


def _is_constant(graph: Graph, name: str) -> bool:
    producer = graph.producer_of.get(name)
    return name in graph.initializers or (producer is not None and producer.operator == "Constant")


def _kind(graph: Graph, name: str) -> str:
    """The type of a value or a weight; "" where it is not known."""
    if name in graph.initializers:
        return element_type_name(graph.initializers[name].data_type)
    value = graph.values.get(name)
    return value.dtype if value is not None else ""


def _inside(node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    """Every node of a node's bodies (If, Loop, Scan), to any depth."""
    pending = _bodies(node)
    while pending:
        for inner in pending.pop().node:
            yield inner
            pending += _bodies(inner)


def _bodies(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    held = [attribute for attribute in node.attribute if attribute.type in _BODIES]
    return [graph for attribute in held for graph in (attribute.g, *attribute.graphs)]

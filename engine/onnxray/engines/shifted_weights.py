"""A graph whose int8 weights are uint8, 128 higher, as is their zero point: the same sums, of which none saturates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import onnx

from onnxray.graph.facts import Graph, Node
from onnxray.graph.node_attributes import constant

_MICROSOFT = "com.microsoft"

_ZERO_POINT: Mapping[tuple[str, str], int] = {
    ("", "MatMulInteger"): 3,
    ("", "ConvInteger"): 3,
    ("", "QLinearMatMul"): 5,
    ("", "QLinearConv"): 5,
    (_MICROSOFT, "QLinearConv"): 5,
    (_MICROSOFT, "QGemm"): 5,
    (_MICROSOFT, "MatMulIntegerToFloat"): 5,
    (_MICROSOFT, "DynamicQuantizeMatMul"): 3,
}
"""Operator -> where the zero point of its weights stands; those that are not here stay as they are."""


def shifted(cut: onnx.ModelProto, graph: Graph, nodes: Iterable[tuple[Node, int]]) -> onnx.ModelProto:
    """Shift the weights of ``nodes`` (each with the place where they stand) in ``cut``, a copy of ``graph``."""
    places = {node.outputs[0]: place for node, place in nodes}
    for node in cut.graph.node:
        zero = _ZERO_POINT.get((node.domain if node.domain != "ai.onnx" else "", node.op_type))
        place = places.get(node.output[0])
        if zero is None or place is None:
            continue
        weights = constant(graph, node.input[place])
        point = constant(graph, node.input[zero]) if len(node.input) > zero and node.input[zero] else np.int8(0)
        if weights is None or point is None or {weights.dtype, point.dtype} != {np.dtype(np.int8)}:
            continue
        node.input.extend([""] * (zero + 1 - len(node.input)))
        for where, array in ((place, weights), (zero, np.asarray(point))):
            name = f"shifted {where} of {node.output[0]}"
            tensor = onnx.numpy_helper.from_array((array.astype(np.int16) + 128).astype(np.uint8), name)
            cut.graph.initializer.append(tensor)
            node.input[where] = name
    return cut

"""A graph whose int8 weights are uint8, 128 higher, as is their zero point: the same sums, of which none saturates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxray.graph.facts import Graph, Node
from onnxray.graph.node_attributes import constant

_MICROSOFT = "com.microsoft"

_WEIGHTS: Mapping[tuple[str, str], tuple[tuple[int, int], ...]] = {
    ("", "MatMulInteger"): ((1, 3),),
    ("", "ConvInteger"): ((1, 3),),
    ("", "QLinearMatMul"): ((3, 5),),
    ("", "QLinearConv"): ((3, 5),),
    (_MICROSOFT, "QLinearConv"): ((3, 5),),
    (_MICROSOFT, "QGemm"): ((3, 5),),
    (_MICROSOFT, "MatMulIntegerToFloat"): ((1, 5),),
    (_MICROSOFT, "DynamicQuantizeMatMul"): ((1, 3),),
    (_MICROSOFT, "DynamicQuantizeLSTM"): ((1, 9), (2, 11)),
}
"""Operator -> where its weights and their zero points stand; those that are not here stay as they are."""


def shifted(cut: onnx.ModelProto, graph: Graph, nodes: Iterable[tuple[Node, int]]) -> onnx.ModelProto:
    """Shift the weights of ``nodes`` in ``cut``, a copy of ``graph``; all of a node's, or none."""
    meant = {next(filter(None, node.outputs)) for node, _ in nodes}
    for node in cut.graph.node:
        places = _WEIGHTS.get((node.domain if node.domain != "ai.onnx" else "", node.op_type), ())
        if meant.isdisjoint(node.output):
            continue
        arrays: dict[int, NDArray[Any] | None] = {}
        for place, zero in places:
            given = len(node.input) > zero and node.input[zero]
            arrays |= {place: constant(graph, node.input[place])}
            arrays |= {zero: constant(graph, node.input[zero]) if given else np.asarray(np.int8(0))}
        if any(array is None or array.dtype != np.int8 for array in arrays.values()):
            continue
        node.input.extend([""] * (max(arrays, default=0) + 1 - len(node.input)))
        for where, array in arrays.items():
            assert array is not None
            name = f"shifted {where} of {next(filter(None, node.output))}"
            tensor = onnx.numpy_helper.from_array((array.astype(np.int16) + 128).astype(np.uint8), name)
            cut.graph.initializer.append(tensor)
            node.input[where] = name
    return cut

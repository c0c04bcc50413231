"""Attributes of nodes and constants of a graph as plain numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxray.graph.facts import Graph, Node
from onnxray.graph.file.attribute_values import value_of


def attribute(node: Node, name: str, default: Any) -> Any:
    """The attribute of a node, or its default."""
    for entry in node.proto.attribute:
        if entry.name == name:
            return value_of(entry)
    return default


def constant(graph: Graph, name: str) -> NDArray[Any] | None:
    """A weight, or the value of a Constant node; None for what is computed."""
    if name in graph.initializers:
        return graph.weight(name)
    node = graph.producer_of.get(name)
    if node is None or node.operator != "Constant":
        return None
    for entry in node.proto.attribute:
        if entry.name == "value":
            return onnx.numpy_helper.to_array(entry.t)
        if entry.name in {"value_int", "value_ints", "value_float", "value_floats"}:
            return np.asarray(value_of(entry))
    return None

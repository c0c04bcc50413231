"""Attributes of nodes and constants of a graph as plain numbers."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxray.graph.facts import Graph, Node
from onnxray.graph.file.attribute_values import held_tensor, value_of

_NUMBERS = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}
"""Attributes that a Constant node holds numbers in, as the standard types them."""


DAMAGED: Final = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
"""What a rule runs into at attributes and operands that no checker would let pass."""


def attribute(node: Node, name: str, default: Any) -> Any:
    """The attribute of a node, or its default."""
    for entry in node.proto.attribute:
        if entry.name == name:
            return value_of(entry)
    return default


def constant(graph: Graph, name: str, *, most: int | None = None) -> NDArray[Any] | None:
    """A weight, or what a Constant node holds: whole numbers in int64 and others in float32, where it is no tensor.

    most: how many numbers it may hold; of more nothing is read. None for those, for text, and for what is computed.
    """
    weight, node = graph.initializers.get(name), graph.producer_of.get(name)
    tensor = held_tensor(node.proto) if weight is None and node is not None else weight
    if tensor is not None:
        if most is not None and math.prod(tensor.dims) > most:
            return None
        return onnx.numpy_helper.to_array(tensor) if weight is None else graph.weight(name)
    for entry in node.proto.attribute if node is not None and node.operator == "Constant" else ():
        if entry.name in _NUMBERS:
            array = np.array(value_of(entry), _NUMBERS[entry.name])
            return array if most is None or array.size <= most else None
    return None

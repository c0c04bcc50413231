"""What the nodes of a graph add to what is linear in their input: the biases of FullGrad.

    Conv, ConvTranspose, Gemm   their bias (beta C)              BatchNormalization   B - scale mean / sqrt(var + eps)
    Add, Sub                    the operand that is constant     LayerNormalization and its kin   their bias
    Clip                        what it gives where it cuts off  (Relu6 is one)

Constant is what depends on no input: weights, and what is computed from weights alone. One number that is added to what
Erf, Tanh, a mean and the like give is a part of an activation or of a normalisation that was exported in pieces, and no
bias: so the exporter makes no difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from onnxray.graph.facts import Graph, Node
from onnxray.graph.node_attributes import attribute, constant

Arrays = Mapping[str, NDArray[Any]]

_BIAS: Final = {
    "Conv": 2, "ConvTranspose": 2, "Gemm": 2, "LayerNormalization": 2, "InstanceNormalization": 2,
    "GroupNormalization": 2,
}  # fmt: skip
"""Operator -> which of its inputs is the bias."""
_IN_PIECES: Final = frozenset({"Erf", "Exp", "Log", "Pow", "ReduceMean", "Sigmoid", "Softplus", "Sqrt", "Tanh"})
_ALONG_LAST: Final = frozenset({"Add", "Sub", "Gemm", "LayerNormalization"})
"""Whose constant is aligned with the last axes; that of others with the channels, the second axis."""


@dataclass(frozen=True)
class Bias:
    """node: what adds. constants: the values that its bias is made of. data: the input that it is added to."""

    node: Node
    constants: tuple[str, ...]
    data: str

    @property
    def value(self) -> str:
        """The value that it is added to."""
        return self.node.outputs[0]

    def array(self, constants: Arrays, values: Arrays) -> NDArray[np.float64]:
        """b, of the shape of the node's value. values: of that and of ``data``; constants: by name."""
        value = values[self.value]
        if self.node.operator == "Clip":
            return np.where(value == values[self.data], 0.0, value.astype(np.float64))
        own = [constants[name].astype(np.float64) for name in self.constants]
        if self.node.operator == "BatchNormalization":
            scale, shift, mean, variance = own
            bias = shift - scale * mean / np.sqrt(variance + attribute(self.node, "epsilon", 1e-5))
        elif self.node.operator == "Gemm":
            bias = attribute(self.node, "beta", 1.0) * own[0]
        elif self.node.operator == "Sub" and self.node.inputs[1] == self.constants[0]:
            bias = -own[0]
        else:
            bias = own[0]
        if self.node.operator not in _ALONG_LAST:
            bias = bias.reshape(1, -1, *[1] * (value.ndim - 2))
        return np.asarray(np.broadcast_to(bias, value.shape))


def biases_before(graph: Graph, names: tuple[str, ...], *, clipped: bool = True) -> tuple[Bias, ...]:
    """The nodes that ``names`` are computed by and that add something, in graph order; clipped: Clip among them."""
    nodes = (node for node in graph.needed_for(names) if clipped or node.operator != "Clip")
    found = (_bias(graph, node) for node in nodes)
    return tuple(one for one in found if one is not None)


def _bias(graph: Graph, node: Node) -> Bias | None:
    moving = [name for name in node.inputs if name in graph.depends_on_input]
    if node.domain not in {"", "ai.onnx"} or len(moving) != 1:
        return None
    if node.operator == "Clip":
        return Bias(node, (), moving[0])
    if node.operator == "BatchNormalization" and moving[0] == node.inputs[0]:
        return Bias(node, node.inputs[1:5], moving[0])
    if node.operator in {"Add", "Sub"}:
        added, before = next(name for name in node.inputs if name != moving[0]), graph.producer_of.get(moving[0])
        if before is not None and before.operator in _IN_PIECES and constant(graph, added, most=1) is not None:
            return None
        return Bias(node, (added,), moving[0])
    place = _BIAS.get(node.operator)
    if place is None or len(node.inputs) <= place or not node.inputs[place] or moving[0] == node.inputs[place]:
        return None
    return Bias(node, (node.inputs[place],), moving[0])

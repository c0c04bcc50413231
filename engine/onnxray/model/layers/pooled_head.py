"""The head that CAM needs: feature maps, their mean over all places, one linear layer, the class scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Arrays
from onnxray.errors import InputError
from onnxray.graph.facts import Node
from onnxray.graph.node_attributes import attribute, constant
from onnxray.graph.operator_kinds import MOVING, QUANTISING
from onnxray.model.layers.grid import Grid, Space

_PASSING = MOVING | {"Cast"}


@dataclass(frozen=True, eq=False)
class Head:
    """z_c = mean_ij sum_k w_ck F_k,ij + b_c.

    features: F. weights: (classes, channels); None where the features are class maps themselves. bias: (classes,) or
    one number. quantised: whether numbers are rounded on the way, so that the equation holds roughly alone.
    """

    features: Grid
    weights: NDArray[np.float64] | None
    bias: NDArray[np.float64]
    quantised: bool


def find_head(space: Space, logits: str, feeds: Arrays) -> Head:
    """The head before ``logits``. Errors: InputError naming the node that stands in its place."""
    return _Search(space, logits, feeds).head()


class _Search:
    """A walk from the logits up to the pooling."""

    def __init__(self, space: Space, logits: str, feeds: Arrays) -> None:
        self.space, self.graph, self.feeds = space, space.model.graph, feeds
        self.name, self.logits = logits, logits
        self.bias: NDArray[np.float64] = np.zeros(1)
        self.quantised = False

    def head(self) -> Head:
        node = self._up()
        weights = self._linear(node)
        if weights is not None:
            node = self._up(bias=False)
        return Head(self._pooled(node, weights is not None), weights, self.bias, self.quantised)

    def _up(self, *, bias: bool = True) -> Node:
        """The node that computes the value, changes of shape (and constants added) passed over."""
        while True:
            node = self.graph.producer_of.get(self.name)
            if node is None:
                raise self._refusal(f"{self.name!r} is an input")
            if node.operator in _PASSING | QUANTISING:
                self.quantised |= node.operator in QUANTISING
                self.name = node.inputs[0]
            elif bias and node.operator == "Add" and (added := self._added(node)) is not None:
                self.bias = self.bias + added
            else:
                return node

    def _added(self, node: Node) -> NDArray[np.float64] | None:
        for own, other in ((0, 1), (1, 0)):
            if node.inputs[other] not in self.graph.depends_on_input:
                self.name = node.inputs[own]
                return self._number(node.inputs[other]).reshape(-1)
        return None

    def _linear(self, node: Node) -> NDArray[np.float64] | None:
        """The weights (classes, channels) of a linear layer, whose input the walk then stands at; None for others."""
        if node.operator not in {"Gemm", "MatMul", "Conv"} or node.inputs[1] in self.graph.depends_on_input:
            return None
        if node.operator == "Conv" and not self._on_one_place(node):
            return None
        weights = self._number(node.inputs[1])
        if node.operator == "Conv":
            if attribute(node, "group", 1) != 1:
                raise self._refusal(f"node {node.name!r} is a convolution in groups")
            weights = weights.reshape(len(weights), -1)
        elif node.operator == "MatMul" or not attribute(node, "transB", 0):
            weights = weights.T
        if node.operator == "Gemm":
            weights = weights * attribute(node, "alpha", 1.0)
        if len(node.inputs) > 2 and node.inputs[2]:
            scale = attribute(node, "beta", 1.0) if node.operator == "Gemm" else 1.0
            self.bias = self.bias + scale * self._number(node.inputs[2]).reshape(-1)
        self.name = node.inputs[0]
        return weights

    def _on_one_place(self, node: Node) -> bool:
        shapes = [self.space.shapes.get(name) for name in (node.inputs[0], node.outputs[0], node.inputs[1])]
        return all(shape is not None and set(shape[2:]) == {1} for shape in shapes)

    def _pooled(self, node: Node, linear: bool) -> Grid:
        """What the node pools, over all places and nothing else."""
        where = "the last linear layer" if linear else f"the scores {self.logits!r}"
        shown = f"before {where} stands node {node.name!r} ({node.operator})"
        if not any(name in self.graph.depends_on_input for name in node.inputs):
            raise self._refusal(shown)
        features = node.inputs[0]
        grid = self.space.grids([features]).get(features) if features in self.space.reached else None
        if grid is None or not self._pools(node, grid):
            raise self._refusal(shown)
        if grid.before or grid.after:
            raise self._refusal(f"{shown}, which also reads {grid.before + grid.after} tokens beside the picture's")
        return grid

    def _pools(self, node: Node, grid: Grid) -> bool:
        """Whether a node takes the mean over all places."""
        if node.operator == "GlobalAveragePool":
            return True
        if node.operator == "ReduceMean":
            given = attribute(node, "axes", None)
            if given is None and len(node.inputs) > 1:
                given = constant(self.graph, node.inputs[1])
            return given is not None and {int(a) % len(grid.shape) for a in given} == {grid.rows, grid.columns}
        if node.operator != "AveragePool":
            return False
        whole = list(attribute(node, "kernel_shape", [])) == [grid.height, grid.width]
        return whole and not any(attribute(node, "pads", [0])) and self.space.shapes[node.outputs[0]][2:] == (1, 1)

    def _number(self, name: str) -> NDArray[np.float64]:
        """A constant, also one that is computed (unpacked from int8, for instance)."""
        found: NDArray[Any] | None = constant(self.graph, name)
        if found is None:
            found = self.space.model.judge.values(self.feeds, [name], once=True)[name]
        return np.asarray(found, np.float64)

    def _refusal(self, why: str) -> InputError:
        return InputError(
            "CAM needs a network that ends in the mean of feature maps over all places and one linear layer, or in the "
            f"mean of class maps; {why}. Grad-CAM and its kin need no such head"
        )

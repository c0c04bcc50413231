"""What a converter sees of the model: its node's attributes, the weights shared once, and the shapes of values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import onnx
import torch
from torch import nn

from onnxray.errors import UnsupportedOperator
from onnxray.graph.facts import Graph, Node
from onnxray.graph.file.attribute_values import value_of
from onnxray.importer.nodes.weights import Weights


@dataclass(frozen=True, slots=True)
class Converted:
    """A node as a torch module, and the ONNX values that the module's ``forward`` takes ("" for one left out).

    A node of several outputs has a module that gives a tuple; ``several`` says that of a node of one output too.
    """

    module: nn.Module
    inputs: tuple[str, ...]
    several: bool = False


@dataclass(frozen=True)
class Scope:
    """One node's surroundings. ``import_body`` converts a subgraph to a module, ``forward(*inputs, *captures)``."""

    node: Node
    graph: Graph
    weights: Weights
    version: int
    import_body: Callable[[onnx.GraphProto], tuple[nn.Module, tuple[str, ...]]]

    def aside(self) -> Scope:
        """The same node, its weights read aside."""
        return replace(self, weights=self.weights.aside())

    @cached_property
    def attributes(self) -> dict[str, Any]:
        """The node's attributes by name; strings decoded."""
        found = {}
        for attribute in self.node.proto.attribute:
            value = value_of(attribute)
            found[attribute.name] = value.decode() if isinstance(value, bytes) else value
        return found

    def body(self, attribute: str) -> tuple[nn.Module, tuple[str, ...]]:
        """A subgraph as a module, and the outer values that it reads.

        ``module(*body inputs, *captures)`` gives the list of the body's outputs; captures come in the order given.
        """
        return self.import_body(self.attributes[attribute])

    def input(self, position: int) -> str:
        """The name of an input, "" where it is left out."""
        return self.node.inputs[position] if position < len(self.node.inputs) else ""

    def constant(self, position: int) -> torch.Tensor | None:
        """An input's tensor where it is a constant, else None."""
        name = self.input(position)
        return self.weights.tensor(name) if name and name in self.weights else None

    def rank(self, position: int = 0) -> int | None:
        """How many dimensions an input has, where that is known."""
        value = self.graph.values.get(self.input(position))
        return None if value is None or value.shape is None else len(value.shape)

    def used_outputs(self) -> tuple[str, ...]:
        """The node's outputs that somebody reads."""
        ends = {output.name for output in self.graph.outputs}
        return tuple(name for name in self.node.outputs if name and (name in ends or name in self.graph.readers_of))

    def refuse(self, reason: str) -> UnsupportedOperator:
        """The error that says why this very node is not converted."""
        domain = f"{self.node.domain}." if self.node.domain else ""
        return UnsupportedOperator(
            f"node {self.node.name!r}: operator {domain}{self.node.operator} version {self.version} is not supported: "
            f"{reason}. Predictions and values by ONNX Runtime still work, gradients through this node do not"
        )


Converter = Callable[[Scope], Converted]
Converters = Mapping[tuple[str, str, int], Converter]
"""(domain, operator, since-version) -> converter."""


def for_versions(operator: str, versions: tuple[int, ...], converter: Converter) -> Converters:
    """The same converter for several since-versions of an operator of the standard domain."""
    return {("", operator, version): converter for version in versions}

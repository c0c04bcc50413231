"""Facts of an ONNX file: values in graph order, nodes, opsets, producer, sha256. No engine is started here."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeVar, cast

import numpy as np
import onnx
import onnx.inliner
from numpy.typing import NDArray

from onnxray.graph.file.attribute_values import held_tensor
from onnxray.graph.file.container import Container
from onnxray.notebooks.displayed import CopiedAsItself, Displayed, one_line

Dim = int | str | None
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Value:
    """One named tensor of the graph.

    ``shape`` holds ints, names of symbolic dimensions, or None where nothing is known; it is None as a whole where not
    even the rank is known. ``dtype`` is numpy's name of the element type ("" where unknown, "map" for dictionaries).
    """

    name: str
    kind: Literal["input", "node", "constant", "dequantised"]
    shape: tuple[Dim, ...] | None
    dtype: str
    node: str | None = None
    operator: str | None = None

    def __repr__(self) -> str:
        shape = "of unknown shape" if self.shape is None else list(self.shape)
        return one_line(
            self, f"{self.name}: {self.dtype or 'unknown'} {shape}{f', by {self.operator}' * bool(self.operator)}"
        )

    @property
    def is_float(self) -> bool:
        """Whether the value holds real numbers, the only ones that gradients exist for."""
        return self.dtype in {"float16", "float32", "float64", "bfloat16"}


@dataclass(frozen=True, slots=True)
class Node:
    """One node: ``captures`` are the outer values that its subgraphs (If, Loop, Scan) read."""

    index: int
    name: str
    operator: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    captures: tuple[str, ...]
    proto: onnx.NodeProto

    def __repr__(self) -> str:
        return one_line(
            self, f"{self.name}: {self.operator} of {', '.join(self.reads)} gives {', '.join(self.outputs)}"
        )

    @property
    def reads(self) -> tuple[str, ...]:
        """Every value that the node reads, captured ones included."""
        return tuple(name for name in (*self.inputs, *self.captures) if name)


@dataclass(frozen=True)
class Graph(Displayed, CopiedAsItself):
    """The facts of one model. ``proto`` is the skeleton: weights are read through ``weight``.

    ``dequantised``: quantised value -> the node, none of the file's, that gives what it stands for.
    """

    container: Container
    proto: onnx.ModelProto
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    values: Mapping[str, Value]
    nodes: tuple[Node, ...]
    initializers: Mapping[str, onnx.TensorProto]
    opsets: Mapping[str, int]
    metadata: Mapping[str, str]
    dequantised: Mapping[str, Node] = field(default_factory=lambda: MappingProxyType({}))

    def __repr__(self) -> str:
        opsets = ", ".join(f"{domain} {version}" for domain, version in self.opsets.items())
        return one_line(self, f"{self.name}: {len(self.nodes)} nodes, {self.parameters:,} parameters, {opsets}")

    @property
    def name(self) -> str:
        """The file's name, for people."""
        return "in memory" if self.path is None else self.path.name

    @property
    def path(self) -> Path | None:
        """Where the file lies; None for a model given as bytes or ModelProto."""
        return self.container.path

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the file's own bytes."""
        return self.container.sha256()

    @cached_property
    def identity(self) -> Mapping[str, str]:
        """SHA-256 of everything that the model was read from: "sha256" as above, and "external:LOCATION" of each file.

        Errors: ModelFileError where one of them changed since it was opened.
        """
        external = self.container.external_sha256()
        found = {f"external:{location}": digest for location, digest in external.items()}
        return MappingProxyType({"sha256": self.sha256, **found})

    @property
    def producer(self) -> str:
        """Name and version of the exporter, as the file states them."""
        return f"{self.proto.producer_name} {self.proto.producer_version}".strip()

    @cached_property
    def stated(self) -> Mapping[str, onnx.ValueInfoProto]:
        """Inner value name -> its type and shape, as the file or inference states them."""
        return {info.name: info for info in reversed(self.proto.graph.value_info)}

    @cached_property
    def producer_of(self) -> Mapping[str, Node]:
        """Value name -> the node that computes it."""
        return {name: node for node in self.every_node for name in node.outputs if name}

    @cached_property
    def every_node(self) -> tuple[Node, ...]:
        """The file's nodes, and those that dequantise for us alone."""
        return (*self.nodes, *self.dequantised.values())

    @property
    def end(self) -> int:
        """The place behind all nodes: where what is asked for from outside is read."""
        return len(self.nodes) + len(self.dequantised)

    @cached_property
    def readers_of(self) -> Mapping[str, tuple[Node, ...]]:
        """Value name -> the nodes that read it, in graph order."""
        readers: dict[str, list[Node]] = {}
        for node in self.nodes:
            for name in dict.fromkeys(node.reads):
                readers.setdefault(name, []).append(node)
        return {name: tuple(nodes) for name, nodes in readers.items()}

    @cached_property
    def parameters(self) -> int:
        """How many numbers the weights hold: initialisers and, as Paddle writes them, Constant nodes."""
        tensors = [*self.initializers.values(), *(held_tensor(node.proto) for node in self.nodes)]
        return sum(math.prod(tensor.dims) for tensor in tensors if tensor is not None and tensor.data_type)

    @cached_property
    def depends_on_input(self) -> frozenset[str]:
        """The values that some graph input reaches: inputs and node outputs, never weights."""
        reached = {value.name for value in self.inputs}
        for node in self.every_node:
            if any(name in reached for name in node.reads):
                reached.update(name for name in node.outputs if name)
        return frozenset(reached)

    @cached_property
    def _answers(self) -> dict[Callable[[Graph], Any], Any]:
        return {}

    def once(self, function: Callable[[Graph], T]) -> T:
        """``function(graph)``, worked out at its first question and kept: for what is derived from these facts."""
        if function not in self._answers:
            self._answers[function] = function(self)
        return cast(T, self._answers[function])

    def settle(self, function: Callable[[Graph], T], answer: T) -> None:
        """Let ``once(function)`` give what running the file showed, in place of what the file alone tells."""
        self._answers[function] = answer

    def weight(self, name: str) -> NDArray[Any]:
        """Give the values of the initialiser ``name`` as a fresh array."""
        return self.container.read(self.initializers[name])

    def needed_for(self, names: Iterable[str], given: Iterable[str] = ()) -> tuple[Node, ...]:
        """The nodes that the values ``names`` are computed by, in graph order: backward reachability.

        ``given``: values that are known already, so that nothing before them is needed.
        """
        known = frozenset(given)
        pending, needed = list(names), set()
        while pending:
            name = pending.pop()
            node = None if name in known else self.producer_of.get(name)
            if node is not None and node.index not in needed:
                needed.add(node.index)
                pending.extend(node.reads)
        return tuple(node for node in self.every_node if node.index in needed)

    def beside(self, value: str, names: Iterable[str]) -> tuple[str, ...]:
        """The values, besides ``value`` and constants, from which ``names`` are computed once ``value`` is given.

        They do not depend on ``value``: skip connections around it, and graph inputs that are read after it.
        """
        wanted = tuple(names)
        reached, read = {value}, set[str]()
        for node in self.needed_for(wanted):
            if value not in node.outputs and any(name in reached for name in node.reads):
                reached.update(name for name in node.outputs if name)
                read.update(node.reads)
        read.update(wanted)
        return tuple(name for name in self.values if name in read - reached and name in self.depends_on_input)

    def cut(self, names: Iterable[str], given: Iterable[str] = ()) -> onnx.ModelProto:
        """A copy of the model whose outputs are ``names`` and that computes nothing else, weights included.

        ``given``: values that become its inputs, of any shape.
        """
        wanted, known = list(dict.fromkeys(names)), list(dict.fromkeys(given))
        nodes = self.needed_for(wanted, known)
        read = {name for node in nodes for name in node.reads} | set(wanted)
        cut = onnx.ModelProto()
        cut.CopyFrom(self.proto)
        source = self.proto.graph
        for part in ("node", "output", "value_info", "input", "initializer", "sparse_initializer"):
            cut.graph.ClearField(part)
        cut.graph.node.extend(node.proto for node in nodes)
        cut.graph.input.extend(info for info in source.input if info.name in read - set(known))
        for name in known:
            dtype = self.values[name].dtype or "float32"
            kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
            cut.graph.input.append(onnx.helper.make_tensor_value_info(name, kind, None))
        cut.graph.initializer.extend(tensor for tensor in source.initializer if tensor.name in read)
        cut.graph.sparse_initializer.extend(t for t in source.sparse_initializer if t.values.name in read)
        cut.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted)
        return self.container.with_weights(cut)

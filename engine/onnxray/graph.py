"""Facts of an ONNX file: values in graph order, nodes, opsets, producer, sha256. No engine is started here."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import onnx
import onnx.inliner
from numpy.typing import NDArray

from onnxray.bodies import bodies_of, captured_by
from onnxray.container import Container, read_container
from onnxray.element_types import element_type_name
from onnxray.errors import ModelFileError
from onnxray.inference import with_inferred_types
from onnxray.soundness import check_equations, check_functions, check_opsets, check_tensors
from onnxray.structure import find_features, find_fixed_batch, find_last_convolution, find_logits, find_origins

Dim = int | str | None


@dataclass(frozen=True, slots=True)
class Value:
    """One named tensor of the graph.

    ``shape`` holds ints, names of symbolic dimensions, or None where nothing is known; it is None as a whole where not
    even the rank is known. ``dtype`` is numpy's name of the element type ("" where unknown, "map" for dictionaries).
    """

    name: str
    kind: Literal["input", "node", "constant"]
    shape: tuple[Dim, ...] | None
    dtype: str
    node: str | None = None
    operator: str | None = None

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

    @property
    def reads(self) -> tuple[str, ...]:
        """Every value that the node reads, captured ones included."""
        return tuple(name for name in (*self.inputs, *self.captures) if name)


@dataclass(frozen=True)
class Graph:
    """The facts of one model. ``proto`` is the skeleton: weights are read through ``weight``."""

    container: Container
    proto: onnx.ModelProto
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    values: Mapping[str, Value]
    nodes: tuple[Node, ...]
    initializers: Mapping[str, onnx.TensorProto]
    opsets: Mapping[str, int]
    metadata: Mapping[str, str]

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
        return {name: node for node in self.nodes for name in node.outputs if name}

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
        constants = [
            attribute.t for node in self.nodes if node.operator == "Constant" for attribute in node.proto.attribute
        ]
        return sum(math.prod(tensor.dims) for tensor in (*self.initializers.values(), *constants) if tensor.data_type)

    @cached_property
    def depends_on_input(self) -> frozenset[str]:
        """The values that some graph input reaches: inputs and node outputs, never weights."""
        reached = {value.name for value in self.inputs}
        for node in self.nodes:
            if any(name in reached for name in node.reads):
                reached.update(name for name in node.outputs if name)
        return frozenset(reached)

    @cached_property
    def fixed_batch(self) -> int | None:
        """The batch that the file fixes, or None where it is free or the inputs have no common one."""
        return find_fixed_batch(self)

    @cached_property
    def origins(self) -> Mapping[str, Node]:
        """Value name -> the node that it comes from through nothing but changes of shape and type."""
        return find_origins(self)

    @cached_property
    def logits(self) -> str:
        """The value before the closing softmax, or the output itself."""
        return find_logits(self)

    @cached_property
    def features(self) -> str | None:
        """The input of the last linear layer."""
        return find_features(self, self.logits)

    @cached_property
    def aliases(self) -> Mapping[str, str]:
        """Names that every model answers to, where it has what they mean."""
        found = {"logits": self.logits, "features": self.features, "last-conv": find_last_convolution(self)}
        return {alias: name for alias, name in found.items() if name is not None}

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
        return tuple(node for node in self.nodes if node.index in needed)

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
        for field in ("node", "output", "value_info", "input", "initializer", "sparse_initializer"):
            cut.graph.ClearField(field)
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


def read_graph(source: str | os.PathLike[str] | bytes | onnx.ModelProto) -> Graph:
    """Parse a model (path, bytes or ModelProto) without reading its weights.

    Errors: ModelFileError where it is no ONNX model, or where its nodes do not form a graph.
    """
    try:
        container = read_container(source)
        return graph_of(container, _checked(container))
    except (MemoryError, RecursionError) as error:
        short = "memory" if isinstance(error, MemoryError) else "depth"
        raise ModelFileError(f"the model takes more {short} to open than there is") from None


def _checked(container: Container) -> onnx.ModelProto:
    """The skeleton, looked through, its own functions written out. Errors: ModelFileError."""
    model = container.skeleton
    check_opsets(model)
    check_tensors(model, container.regions)
    if model.functions:
        check_functions(model)
        try:
            model = onnx.inliner.inline_local_functions(model)
        except Exception as error:  # whatever the C++ side threw
            raise ModelFileError(f"the model's own functions cannot be inlined: {error}") from None
    check_equations(model)
    return model


def graph_of(container: Container, model: onnx.ModelProto) -> Graph:
    """The facts of a parsed model whose large weights, if any, lie in ``container``."""
    proto = with_inferred_types(model)
    graph = proto.graph
    initializers = {tensor.name: tensor for tensor in graph.initializer}
    opsets = {entry.domain or "ai.onnx": entry.version for entry in model.opset_import}
    infos = {info.name: info for info in (*graph.value_info, *graph.output, *graph.input)}
    nodes = tuple(_nodes(graph))
    inputs = tuple(_value(info.name, infos, "input") for info in graph.input if info.name not in initializers)
    values = {value.name: value for value in inputs}
    sparse = {tensor.values.name for tensor in graph.sparse_initializer}
    texts = [*infos, *initializers, *sparse, *(entry.key for entry in model.metadata_props)]
    texts += [text for node in nodes for text in (node.name, node.operator, node.domain, *node.inputs, *node.outputs)]
    texts += [entry.value for entry in model.metadata_props]
    if not all(isinstance(text, str) for text in texts):  # protobuf gives bytes in place of what is no text
        raise ModelFileError("a name in the graph is no UTF-8 text; the file is damaged")
    for node in nodes:
        if not any(node.outputs):
            raise ModelFileError(f"node {node.name!r} ({node.operator}) computes nothing; the file is damaged")
        for name in node.reads:
            if name not in values and name not in initializers and name not in sparse:
                raise ModelFileError(
                    f"node {node.name!r} ({node.operator}) reads {name!r}, which nothing before it defines; "
                    "the file is damaged or its nodes are out of order"
                )
        for name in filter(None, node.outputs):
            if name in values or name in initializers:
                raise ModelFileError(f"value {name!r} is defined twice, again by node {node.name!r} ({node.operator})")
            values[name] = _value(name, infos, "constant" if node.operator == "Constant" else "node", node)
    outputs = []
    for info in graph.output:
        if info.name not in values and info.name not in initializers:
            raise ModelFileError(f"the graph's output {info.name!r} is computed by no node; the file is damaged")
        outputs.append(values.get(info.name) or _value(info.name, infos, "constant"))
    if not outputs:
        raise ModelFileError("the graph has no outputs, so there is nothing to predict")
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    frozen = MappingProxyType
    return Graph(
        container, proto, inputs, tuple(outputs), frozen(values), nodes,
        frozen(initializers), frozen(opsets), frozen(metadata),
    )  # fmt: skip


def body_of(graph: Graph, body: onnx.GraphProto) -> Graph:
    """A subgraph (of If, Loop, Scan, ...) as a graph of its own: the outer values that it reads become inputs."""
    model = onnx.ModelProto(ir_version=graph.proto.ir_version, opset_import=graph.proto.opset_import)
    model.graph.CopyFrom(body)
    for name in sorted(captured_by(body)):
        model.graph.input.append(graph.stated.get(name) or onnx.ValueInfoProto(name=name))
    container = Container(None, b"", model, MappingProxyType({}))
    return graph_of(container, model)


def _nodes(graph: onnx.GraphProto) -> list[Node]:
    nodes = []
    for index, proto in enumerate(graph.node):
        captures = sorted({name for body in bodies_of(proto) for name in captured_by(body)})
        name = proto.name or f"{proto.op_type}_{index}"
        inputs, outputs = tuple(proto.input), tuple(proto.output)
        domain = "" if proto.domain == "ai.onnx" else proto.domain
        nodes.append(Node(index, name, proto.op_type, domain, inputs, outputs, tuple(captures), proto))
    return nodes


def _value(
    name: str,
    infos: Mapping[str, onnx.ValueInfoProto],
    kind: Literal["input", "node", "constant"],
    node: Node | None = None,
) -> Value:
    info = infos.get(name)
    shape: tuple[Dim, ...] | None = None
    dtype = ""
    if info is not None and info.type.HasField("tensor_type"):
        tensor = info.type.tensor_type
        if tensor.HasField("shape"):
            shape = tuple(_dim(dim) for dim in tensor.shape.dim)
        if tensor.elem_type:
            dtype = element_type_name(tensor.elem_type)
    elif info is not None:
        kinds = info.type, info.type.sequence_type.elem_type
        dtype = "map" if any(kind.HasField("map_type") for kind in kinds) else ""
    return Value(name, kind, shape, dtype, node.name if node else None, node.operator if node else None)


def _dim(dim: onnx.TensorShapeProto.Dimension) -> Dim:
    if dim.HasField("dim_value"):
        return dim.dim_value if dim.dim_value > 0 else None  # Paddle writes -1, CNTK 0, for a free dimension
    return dim.dim_param or None

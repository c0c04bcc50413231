"""A graph read from a file, bytes or a ModelProto, and the graph of a body (If, Loop, Scan)."""

from __future__ import annotations

import copyreg
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import onnx
import onnx.inliner

from onnxray.errors import ModelFileError
from onnxray.graph.dequantised import with_dequantised
from onnxray.graph.facts import Dim, Graph, Node, Value
from onnxray.graph.file.bodies import bodies_of, captured_by
from onnxray.graph.file.checks import check_functions, check_opsets, check_tensors
from onnxray.graph.file.container import Container, read_container
from onnxray.graph.file.element_types import element_type_name
from onnxray.graph.file.made_model import MadeModel
from onnxray.graph.file.node_order import in_order
from onnxray.graph.file.shape_inference import with_inferred_types


def read_graph(source: str | os.PathLike[str] | bytes | onnx.ModelProto | MadeModel) -> Graph:
    """Parse a model (path, bytes, ModelProto, or what a converter made) without reading its weights.

    Errors: ModelFileError where it is no ONNX model, or where its nodes do not form a graph.
    """
    try:
        container = read_container(source)
        return graph_of(container, _checked(container))
    except (MemoryError, RecursionError) as error:
        short = "memory" if isinstance(error, MemoryError) else "depth"
        raise ModelFileError(f"the model takes more {short} to open than there is") from None


def _again(path: Path | str, identity: Mapping[str, str]) -> Graph:
    """The graph of a pickle, which holds no weights: it is read from its file. Errors: ModelFileError."""
    graph = read_graph(path)
    if dict(graph.identity) != dict(identity):
        raise ModelFileError(f"{path}: is not the file that it was when the model was pickled; open it anew")
    return graph


def _pickled(graph: Graph) -> tuple[Callable[..., Graph], tuple[Path | str, dict[str, str]]]:
    if graph.path is None:
        raise ModelFileError("a model that was given as bytes cannot be pickled; save it to a file and open that")
    return _again, (graph.container.again or graph.path.absolute(), dict(graph.identity))


copyreg.pickle(Graph, _pickled)  # where graphs are made, for they are read again by what makes them


def _checked(container: Container) -> onnx.ModelProto:
    """The skeleton, looked through, its nodes in order, its own functions written out. Errors: ModelFileError."""
    check_opsets(container.skeleton)
    check_tensors(container.skeleton, container.regions)
    model = in_order(container.skeleton)
    if model.functions:
        check_functions(model)
        try:
            model = onnx.inliner.inline_local_functions(model)
        except Exception as error:  # whatever the C++ side threw
            raise ModelFileError(f"the model's own functions cannot be inlined: {error}") from None
    return model


def graph_of(container: Container, model: onnx.ModelProto) -> Graph:
    """The facts of a parsed model whose large weights, if any, lie in ``container``. Errors: ModelFileError."""
    proto = with_inferred_types(model)
    graph = proto.graph
    initializers = {tensor.name: tensor for tensor in graph.initializer}
    infos = {info.name: info for info in (*graph.value_info, *graph.output, *graph.input)}
    sparse = {tensor.values.name for tensor in graph.sparse_initializer}
    nodes = tuple(_nodes(graph))
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    _check_texts(nodes, [*infos, *initializers, *sparse, *metadata, *metadata.values()])
    inputs = tuple(_value(info.name, infos, "input") for info in graph.input if info.name not in initializers)
    values = _values(inputs, nodes, infos, initializers.keys(), sparse)
    read = Graph(
        container=container,
        proto=proto,
        inputs=inputs,
        outputs=_outputs(graph, values, infos, initializers.keys()),
        values=MappingProxyType(values),
        nodes=nodes,
        initializers=MappingProxyType(initializers),
        opsets=MappingProxyType({entry.domain or "ai.onnx": entry.version for entry in model.opset_import}),
        metadata=MappingProxyType(metadata),
    )
    return with_dequantised(read)


def _check_texts(nodes: Sequence[Node], texts: list[object]) -> None:
    """Refuse names that are no text: protobuf gives bytes in their place."""
    texts += [text for node in nodes for text in (node.name, node.operator, node.domain, *node.inputs, *node.outputs)]
    if not all(isinstance(text, str) for text in texts):
        raise ModelFileError("a name in the graph is no UTF-8 text; the file is damaged")


def _values(
    inputs: Sequence[Value],
    nodes: Sequence[Node],
    infos: Mapping[str, onnx.ValueInfoProto],
    initializers: Collection[str],
    sparse: Collection[str],
) -> dict[str, Value]:
    """Every value in graph order. Errors: ModelFileError where the nodes form no graph."""
    values = {value.name: value for value in inputs}
    for node in nodes:
        if not any(node.outputs):
            raise ModelFileError(f"node {node.name!r} ({node.operator}) computes nothing; the file is damaged")
        for name in node.reads:
            if name not in values and name not in initializers and name not in sparse:
                raise ModelFileError(
                    f"node {node.name!r} ({node.operator}) reads {name!r}, which nothing before it defines; "
                    "the file is damaged, or its nodes read each other in a circle"
                )
        for name in filter(None, node.outputs):
            if name in values or name in initializers:
                raise ModelFileError(f"value {name!r} is defined twice, again by node {node.name!r} ({node.operator})")
            values[name] = _value(name, infos, "constant" if node.operator == "Constant" else "node", node)
    return values


def _outputs(
    graph: onnx.GraphProto,
    values: Mapping[str, Value],
    infos: Mapping[str, onnx.ValueInfoProto],
    initializers: Collection[str],
) -> tuple[Value, ...]:
    """The graph's outputs. Errors: ModelFileError where there are none, or nothing computes one."""
    outputs = []
    for info in graph.output:
        if info.name not in values and info.name not in initializers:
            raise ModelFileError(f"the graph's output {info.name!r} is computed by no node; the file is damaged")
        outputs.append(values.get(info.name) or _value(info.name, infos, "constant"))
    if not outputs:
        raise ModelFileError("the graph has no outputs, so there is nothing to predict")
    return tuple(outputs)


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

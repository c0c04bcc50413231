"""Every tensor of a model but the initialisers of its graph: in attributes, subgraphs, functions, sparse ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import onnx

Described = tuple[str, onnx.TensorProto]


def inner_tensors(model: onnx.ModelProto) -> Iterator[Described]:
    """Tensors, each with words that say which it is."""
    yield from _sparse(model.graph.sparse_initializer)
    bodies: list[Iterable[onnx.NodeProto]] = [model.graph.node]
    for function in model.functions:
        bodies.append(function.node)
        for attribute in function.attribute_proto:
            yield from _held_by(attribute, f"the function {function.name!r}")
    for node in (node for nodes in bodies for node in all_nodes(nodes)):
        for attribute in node.attribute:
            yield from _held_by(attribute, f"node {node.name or node.op_type!r}")


def all_nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """Nodes, and those of their subgraphs."""
    pending = list(nodes)
    while pending:
        node = pending.pop()
        yield node
        for attribute in node.attribute:
            for graph in subgraphs(attribute):
                pending.extend(graph.node)


def subgraphs(attribute: onnx.AttributeProto) -> Iterator[onnx.GraphProto]:
    """The graphs that an attribute holds."""
    if attribute.HasField("g"):
        yield attribute.g
    yield from attribute.graphs


def _held_by(attribute: onnx.AttributeProto, owner: str) -> Iterator[Described]:
    """The tensors of an attribute; those of its subgraphs' nodes are theirs."""
    described = f"constant {attribute.name!r} of {owner}"
    if attribute.HasField("t"):
        yield described, attribute.t
    for tensor in attribute.tensors:
        yield described, tensor
    if attribute.HasField("sparse_tensor"):
        yield from ((described, part) for part in (attribute.sparse_tensor.values, attribute.sparse_tensor.indices))
    for sparse in attribute.sparse_tensors:
        yield from ((described, part) for part in (sparse.values, sparse.indices))
    for graph in subgraphs(attribute):
        for tensor in graph.initializer:
            yield f"weight {tensor.name!r} of {owner}", tensor
        yield from _sparse(graph.sparse_initializer)


def _sparse(tensors: Iterable[onnx.SparseTensorProto]) -> Iterator[Described]:
    for sparse in tensors:
        described = f"sparse weight {sparse.values.name!r}"
        yield described, sparse.values
        yield described, sparse.indices

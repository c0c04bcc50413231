"""Subgraphs of nodes (If, Loop, Scan), and what they read of the graph around them."""

from __future__ import annotations

import onnx


def bodies_of(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    """The subgraphs of a node."""
    bodies = [attribute.g for attribute in node.attribute if attribute.type == onnx.AttributeProto.GRAPH]
    return bodies + [graph for attribute in node.attribute for graph in attribute.graphs]


def captured_by(body: onnx.GraphProto) -> set[str]:
    """The names that a subgraph reads and does not define, in whatever order its nodes stand."""
    own = {info.name for info in body.input} | {tensor.name for tensor in body.initializer}
    own |= {tensor.values.name for tensor in body.sparse_initializer}
    own.update(name for node in body.node for name in node.output)
    read = {info.name for info in body.output}.union(*(read_by(node) for node in body.node))
    return read - own - {""}


def read_by(node: onnx.NodeProto) -> set[str]:
    """The names that a node reads, those that its subgraphs capture too."""
    return set(node.input).union(*(captured_by(body) for body in bodies_of(node))) - {""}

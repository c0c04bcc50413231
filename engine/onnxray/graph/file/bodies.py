"""Subgraphs of nodes (If, Loop, Scan), and what they read of the graph around them."""

from __future__ import annotations

import onnx


def bodies_of(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    """The subgraphs of a node."""
    bodies = [attribute.g for attribute in node.attribute if attribute.type == onnx.AttributeProto.GRAPH]
    return bodies + [graph for attribute in node.attribute for graph in attribute.graphs]


def captured_by(body: onnx.GraphProto) -> set[str]:
    """The names that a subgraph reads and does not define."""
    own = {info.name for info in body.input} | {tensor.name for tensor in body.initializer}
    own |= {tensor.values.name for tensor in body.sparse_initializer}
    captured: set[str] = set()
    for node in body.node:
        reads = set(node.input).union(*(captured_by(inner) for inner in bodies_of(node)))
        captured |= reads - own
        own |= set(node.output)
    return (captured | {info.name for info in body.output} - own) - {""}

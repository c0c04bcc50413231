"""Shapes and types of inner values, as onnx infers them."""

from __future__ import annotations

import onnx
import onnx.shape_inference

from onnxray.graph.file.checks import check_equation
from onnxray.graph.file.tensors import all_nodes, subgraphs

MOST_IN_BODIES = 100_000_000
"""Subgraphs times nodes: onnx copies what is known of every value for each subgraph that it enters, some seconds."""


def with_inferred_types(model: onnx.ModelProto) -> onnx.ModelProto:
    """Shapes as onnx infers them; those that the file states where inference gives up, or would take too long.

    Errors: ModelFileError where it would never come to an end.
    """
    nodes = bodies = 0
    for node in all_nodes(model.graph.node):
        check_equation(node)
        nodes += 1
        bodies += sum(1 for attribute in node.attribute for _ in subgraphs(attribute))
    if nodes * bodies > MOST_IN_BODIES:
        return model
    try:
        return onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception:  # inference raises whatever the C++ side threw; the judge says what is wrong with a model
        return model

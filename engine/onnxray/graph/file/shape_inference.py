"""Shapes and types of inner values, as onnx infers them."""

from __future__ import annotations

import onnx
import onnx.shape_inference

from onnxray.graph.file.checks import check_equation
from onnxray.graph.file.tensors import all_nodes, subgraphs

_CLASSICAL = "ai.onnx.ml"
_COLUMNS = ("nodes_", "class_", "target_")
_LONG = 10_000
"""Of the numbers of a column, from which on it is left out."""

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
    asked = without_long_columns(model)
    try:
        inferred = onnx.shape_inference.infer_shapes(asked, data_prop=True)
    except Exception:  # inference raises whatever the C++ side threw; the judge says what is wrong with a model
        return model
    if asked is model:
        return inferred
    for held, known in (
        (model.graph.value_info, inferred.graph.value_info),
        (model.graph.output, inferred.graph.output),
    ):
        del held[:]
        held.extend(known)
    return model


def without_long_columns(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with classical learners' nodes short of their long columns, which no shape depends on.

    An ensemble of trees holds its nodes as millions of numbers, and inference writes and reads the model several times.
    A model that has none is given back itself.
    """
    if not any(_long(entry) for node in model.graph.node if node.domain == _CLASSICAL for entry in node.attribute):
        return model
    graph, short = model.graph, onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    short.graph.name = graph.name
    short.graph.input.extend(graph.input)
    short.graph.output.extend(graph.output)
    short.graph.value_info.extend(graph.value_info)
    short.graph.initializer.extend(graph.initializer)
    short.graph.sparse_initializer.extend(graph.sparse_initializer)
    for node in graph.node:
        entries = [entry for entry in node.attribute if node.domain != _CLASSICAL or not _long(entry)]
        kept = short.graph.node.add(op_type=node.op_type, domain=node.domain, input=node.input, output=node.output)
        kept.attribute.extend(entries)
    return short


def _long(entry: onnx.AttributeProto) -> bool:
    return max(len(entry.ints), len(entry.floats), len(entry.strings)) > _LONG and entry.name.startswith(_COLUMNS)

"""Operators that the standard defines by other operators: their definition, as a graph."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import onnx
import onnx.inliner

from onnxray.graph.facts import Graph
from onnxray.graph.file.container import Container
from onnxray.graph.reading import graph_of
from onnxray.importer.nodes.scope import Scope


def function_body(scope: Scope) -> Graph | None:
    """The node's definition as a graph whose inputs and outputs are the node's; None where there is none."""
    node = scope.node
    try:
        schema: Any = onnx.defs.get_schema(node.operator, scope.version, node.domain)
    except onnx.defs.SchemaError:
        return None
    if not (schema.has_function or schema.has_context_dependent_function):
        return None
    source = scope.graph.proto.graph
    infos = {info.name: info for info in (*source.value_info, *source.input, *source.output)}
    model = onnx.ModelProto(ir_version=scope.graph.proto.ir_version, opset_import=scope.graph.proto.opset_import)
    model.graph.name = node.operator
    model.graph.node.append(node.proto)
    stated = {attribute.name for attribute in node.proto.attribute}
    defaults = {name: attribute.default_value for name, attribute in schema.attributes.items() if name not in stated}
    # The inliner leaves out what the node leaves out, defaults and all.
    model.graph.node[0].attribute.extend(default for default in defaults.values() if default.name)
    for name in dict.fromkeys(filter(None, node.inputs)):
        model.graph.input.append(infos.get(name) or _weight_info(scope, name))
    model.graph.output.extend(infos.get(name) or onnx.ValueInfoProto(name=name) for name in node.outputs if name)
    try:
        inlined = onnx.inliner.inline_selected_functions(
            model, [(node.domain, node.operator)], exclude=False, inline_schema_functions=True
        )
    except Exception:  # whatever the C++ side threw: the node is then refused as one without a converter
        return None
    if any(inner.op_type == node.operator and inner.domain == node.domain for inner in inlined.graph.node):
        return None
    return graph_of(Container(None, b"", inlined, MappingProxyType({})), inlined)


def _weight_info(scope: Scope, name: str) -> onnx.ValueInfoProto:
    tensor = scope.graph.initializers.get(name)
    if tensor is None:
        return onnx.ValueInfoProto(name=name)
    return onnx.helper.make_tensor_value_info(name, tensor.data_type, list(tensor.dims))

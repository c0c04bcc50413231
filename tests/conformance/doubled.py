"""A model with every float32, float16 and bfloat16 made float64: what the reference differentiates numerically."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

_REAL = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16}
_TYPE_ATTRIBUTES = {"to", "dtype", "stash_type", "output_dtype", "output_datatype", "softmax_precision"}


def doubled(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy: inputs, outputs, weights, constants and the types that Cast and its like are told."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    _graph(copy.graph)
    for function in copy.functions:
        for node in function.node:
            _node(node)
    return copy


def as_double(value: Any) -> Any:
    """A float array (or list of them) as float64; anything else as it is."""
    if isinstance(value, list):
        return [as_double(part) for part in value]
    return value.astype(np.float64) if is_real(value) else value


def is_real(value: Any) -> bool:
    """Whether this is an array of real numbers that a gradient makes sense for; float8 is storage alone."""
    return isinstance(value, np.ndarray) and str(value.dtype) in {"float16", "bfloat16", "float32", "float64"}


def _graph(graph: onnx.GraphProto) -> None:
    for info in (*graph.input, *graph.output, *graph.value_info):
        _type(info.type)
    for tensor in graph.initializer:
        _tensor(tensor)
    for sparse in graph.sparse_initializer:
        _tensor(sparse.values)
    for node in graph.node:
        _node(node)


def _node(node: onnx.NodeProto) -> None:
    if node.op_type == "ConstantOfShape" and not node.attribute:
        node.attribute.append(onnx.helper.make_attribute("value", numpy_helper.from_array(np.zeros(1))))
    for attribute in node.attribute:
        if attribute.name in _TYPE_ATTRIBUTES and attribute.i in _REAL:
            attribute.i = TensorProto.DOUBLE
        if attribute.HasField("t"):
            _tensor(attribute.t)
        if attribute.HasField("tp"):
            _type(attribute.tp)
        if attribute.HasField("g"):
            _graph(attribute.g)
        constant = node.op_type == "Constant" and attribute.name in {"value_float", "value_floats"}
        if constant:
            numbers = np.array(onnx.helper.get_attribute_value(attribute), np.float64)
            attribute.CopyFrom(onnx.helper.make_attribute("value", numpy_helper.from_array(numbers)))


def _type(kind: onnx.TypeProto) -> None:
    if kind.HasField("sequence_type"):
        _type(kind.sequence_type.elem_type)
    elif kind.HasField("optional_type"):
        _type(kind.optional_type.elem_type)
    elif kind.tensor_type.elem_type in _REAL:
        kind.tensor_type.elem_type = TensorProto.DOUBLE


def _tensor(tensor: onnx.TensorProto) -> None:
    if tensor.data_type in _REAL:
        array = numpy_helper.to_array(tensor).astype(np.float64)
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))

"""Small ONNX models, written as text; their weights are put in by seed."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import numpy_helper

from onnxray.images.profile.profile import Profile

Array = NDArray[Any]


def parse(
    text: str, weights: Mapping[str, Array] | None = None, *, opset: int = 17, ir: int | None = None
) -> onnx.ModelProto:
    """A model from the text of its graph, ``name (inputs) => (outputs) { nodes }``, and its weights by name."""
    ir = ir or (8 if opset < 19 else 10)
    model = onnx.parser.parse_model(f'<ir_version: {ir}, opset_import: ["": {opset}]>\n{text}')
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in (weights or {}).items())
    return model


def random(seed: int, *shape: int, scale: float = 1.0) -> Array:
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(np.float32)


LENET = """
lenet (float[{batch},1,14,14] x) => (float[{batch},5] prob) {{
  [first] conv1 = Conv <kernel_shape = [3, 3]> (x, w1, b1)
  relu1 = Relu (conv1)
  pool1 = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (relu1)
  conv2 = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (pool1, w2, b2)
  relu2 = Relu (conv2)
  pool2 = AveragePool <kernel_shape = [2, 2], strides = [2, 2]> (relu2)
  flat = Flatten <axis = 1> (pool2)
  ip1 = Gemm <transB = 1> (flat, w3, b3)
  ip2 = Gemm (ip1, w4, b4)
  prob = Softmax <axis = 1> (ip2)
}}
"""
LENET_VALUES = ("x", "conv1", "relu1", "pool1", "conv2", "relu2", "pool2", "flat", "ip1", "ip2", "prob")


def lenet_weights(seed: int = 0) -> dict[str, Array]:
    shapes = {"w1": (4, 1, 3, 3), "w2": (32, 4, 3, 3), "w3": (20, 288), "w4": (20, 5)}
    weights = {name: random(seed + k, *shape, scale=0.2) for k, (name, shape) in enumerate(shapes.items())}
    for k, (name, size) in enumerate({"b1": 4, "b2": 32, "b3": 20, "b4": 5}.items()):
        weights[name] = random(seed + 10 + k, size, scale=0.1)
    return weights


def lenet(batch: int | str = "N", weights: Mapping[str, Array] | None = None) -> onnx.ModelProto:
    """Two convolutions, two linear layers, a softmax; grey pictures of 14 x 14. ``w2`` and ``w3`` exceed 4 KiB."""
    return parse(LENET.format(batch=batch), weights or lenet_weights())


GREY = Profile(name="grey", layout="NCHW", channels="GREY", scale=1 / 255, mean=(0.5,), std=(0.5,), size=(14, 14))


def pictures(count: int, seed: int = 0) -> Array:
    """Grey pictures of 14 x 14: float32 NCHW in [0, 255]."""
    return np.random.default_rng(seed).uniform(0, 255, (count, 1, 14, 14)).astype(np.float32)


def run(model: onnx.ModelProto, feeds: Mapping[str, Array], names: Sequence[str] | None = None) -> list[Array]:
    """What a plain ONNX Runtime session gives, ``names`` promoted to outputs by hand."""
    return [np.asarray(value) for value in session(model, names).run(None, dict(feeds))]


def session(model: onnx.ModelProto, names: Sequence[str] | None = None) -> onnxruntime.InferenceSession:
    """A plain session of ONNX Runtime, ``names`` promoted to outputs by hand."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    if names is not None:
        del copy.graph.output[:]
        copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(copy.SerializeToString(), options, providers=["CPUExecutionProvider"])


def node(
    operator: str,
    inputs: Mapping[str, Array],
    *,
    opset: int,
    constants: Mapping[str, Array] | None = None,
    outputs: int = 1,
    order: Sequence[str] | None = None,
    dynamic: bool = False,
    **attributes: Any,
) -> onnx.ModelProto:
    """A model of one node. ``order``: its inputs' names, "" for one left out; by default inputs, then constants."""
    names = list(order) if order is not None else [*inputs, *(constants or {})]
    results = [f"y{k}" for k in range(outputs)]
    made = onnx.helper.make_node(operator, names, results, name="only", **attributes)
    infos = [
        onnx.helper.make_tensor_value_info(
            name, onnx.helper.np_dtype_to_tensor_dtype(a.dtype), [None] * a.ndim if dynamic else a.shape
        )
        for name, a in inputs.items()
    ]
    graph = onnx.helper.make_graph(
        [made], "g", infos, [onnx.ValueInfoProto(name=name) for name in results],
        [numpy_helper.from_array(np.asarray(a), name) for name, a in (constants or {}).items()],
    )  # fmt: skip
    return onnx.shape_inference.infer_shapes(
        onnx.helper.make_model(
            graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=8 if opset < 19 else 11
        )
    )

"""Healthy networks that take pictures, each as small as it can be: every command has something to do with them."""

import json

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, numpy_helper

from onnxray.images.profile.profile import Profile
from onnxray.images.profile.toml_form import toml_of
from support import models

_R = models.random
_HEAD = '<ir_version: 8, opset_import: ["": 17, "own": 1]>'
_DESCRIBED = """g (float[batch,1,8,8] pixels) => (float[batch,3] scores) {
  [first] c = Conv <kernel_shape = [3, 3]> (pixels, w1, b1)
  [rect] r = Relu (c)
  p = GlobalAveragePool (r)
  f = Flatten (p)
  l = Gemm (f, w2, b2)
  scores = Softmax (l)
}"""
_BRANCHES = """g (float[N,1,8,8] x) => (float[N,3] y) {
  m = ReduceMean <keepdims = 0> (x)
  z = Constant <value_float = 0.5> ()
  q = Less (m, z)
  d = If (q) <then_branch = a () => (float[N,1,8,8] p) { p = Mul (x, two) },
              else_branch = b () => (float[N,1,8,8] n) { n = Sub (x, two) }>
  t = own.twice (d)
  i = Constant <value = int64 {2}> ()
  k = Constant <value = bool {1}> ()
  e = Loop (i, k, t) <body = b (int64 j, bool g, float[N,1,8,8] s) => (bool h, float[N,1,8,8] u) {
    h = Identity (g)
    u = Tanh (s)
  }>
  f = Flatten (e)
  y = MatMul (f, w64)
}
<opset_import: ["": 17], domain: "own"> twice (v) => (w) { w = Add (v, v) }"""
_RESIDUAL = """g (float[N,3,8,8] x) => (float[N,4] y) {
  c = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x, w33)
  n = BatchNormalization (c, one3, zero3, zero3, one3)
  r = Relu (n)
  a = Add (r, x)
  g1 = GlobalAveragePool (a)
  f = Flatten (g1)
  l = Gemm (f, w34)
  y = Softmax (l)
}"""
_TRANSFORMER = """g (float[1,1,8,8] x) => (float[1,3] y) {
  e = Conv <kernel_shape = [4, 4], strides = [4, 4]> (x, wp)
  s = Constant <value = int64[3] {1, 4, 4}> ()
  f = Reshape (e, s)
  v = Transpose <perm = [0, 2, 1]> (f)
  n = LayerNormalization <axis = -1> (v, one4, zero4)
  t = Transpose <perm = [0, 2, 1]> (n)
  d = MatMul (n, t)
  p = Softmax <axis = -1> (d)
  m = Einsum <equation = "bij,bjk->bik"> (p, n)
  a = Add (m, v)
  o = ReduceMean <axes = [1], keepdims = 0> (a)
  y = Gemm (o, w43)
}"""
_INTEGERS = """g (float[N,1,8,8] x) => (float[N,3] y) {
  xq = QuantizeLinear (x, s, z)
  xd = DequantizeLinear (xq, s, z)
  k = DequantizeLinear <axis = 0> (wq, ws, wz)
  c = Conv <kernel_shape = [3, 3]> (xd, k)
  cq = QuantizeLinear (c, s, z)
  cd = DequantizeLinear (cq, s, z)
  r = Relu (cd)
  p = GlobalMaxPool (r)
  f = Flatten (p)
  y = Gemm (f, w23)
}"""
_CONSTANTS = {
    "w1": _R(0, 4, 1, 3, 3), "b1": _R(1, 4), "w2": _R(2, 4, 3), "b2": _R(3, 3), "two": np.float32(2),
    "w64": _R(4, 64, 3, scale=0.2), "w33": _R(5, 3, 3, 3, 3, scale=0.3), "one3": np.ones(3, np.float32),
    "zero3": np.zeros(3, np.float32), "w34": _R(6, 3, 4), "wp": _R(7, 4, 1, 4, 4), "one4": np.ones(4, np.float32),
    "zero4": np.zeros(4, np.float32), "w43": _R(8, 4, 3), "s": np.float32(0.05), "z": np.int8(3),
    "wq": np.arange(18, dtype=np.int8).reshape(2, 1, 3, 3), "ws": np.float32([0.02, 0.03]), "wz": np.int8([0, 1]),
    "w23": _R(9, 2, 3),
}  # fmt: skip


def picture_networks() -> dict[str, ModelProto]:
    """By name."""
    return {
        "described": described(), "branches": _parsed(_BRANCHES), "residual": _parsed(_RESIDUAL),
        "transformer": _parsed(_TRANSFORMER), "integers": _parsed(_INTEGERS), "labelled": _labelled(),
    }  # fmt: skip


def described() -> ModelProto:
    """A classifier with a text in every usual place: metadata, labels, denotations, annotations, devices."""
    model = _parsed(_DESCRIBED)
    profile = Profile(
        name="told", layout="NCHW", channels="GREY", scale=1 / 255, mean=(0.5,), std=(0.5,), size=(8, 8),
        labels=("cat", "dog", "a third"),
    )  # fmt: skip
    told = {
        "onnxray.profile": toml_of(profile), "labels": json.dumps(["cat", "dog", "a third"]), "author": "somebody",
        "names": "{0: 'cat', 1: 'dog', 2: 'a third'}", "Image.BitmapPixelFormat": "Gray8",
    }  # fmt: skip
    for key, value in told.items():
        model.metadata_props.add(key=key, value=value)
    model.producer_name, model.producer_version, model.domain, model.doc_string = "maker", "1.0", "made", "a text"
    graph = model.graph
    graph.doc_string = "of the graph"
    graph.metadata_props.add(key="graph", value="has one")
    for info in (*graph.input, *graph.output):
        info.doc_string, info.type.denotation = "of a value", "IMAGE"
        info.type.tensor_type.shape.dim[0].denotation = "DATA_BATCH"
    for node in graph.node:
        node.doc_string = "of a node"
        node.metadata_props.add(key="namespace", value="a/b")
    graph.initializer[0].doc_string = "of a weight"
    note = graph.quantization_annotation.add(tensor_name="c")
    note.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value="b1")
    return model


def _parsed(text: str) -> ModelProto:
    model = onnx.parser.parse_model(f"{_HEAD}\n{text}")
    read = {name for node in model.graph.node for name in node.input}
    read |= {name for node in model.graph.node for a in node.attribute for inner in a.g.node for name in inner.input}
    made = {name for node in model.graph.node for name in node.output}
    for name, array in _CONSTANTS.items():
        if name in read and name not in made and name not in {i.name for i in model.graph.input}:
            model.graph.initializer.append(numpy_helper.from_array(array, name))
    return model


def _labelled() -> ModelProto:
    """A linear classifier of pictures whose class names are in the graph."""
    nodes = [
        onnx.helper.make_node("Flatten", ["x"], ["f"]),
        onnx.helper.make_node(
            "LinearClassifier", ["f"], ["label", "y"], domain="ai.onnx.ml", post_transform="SOFTMAX",
            coefficients=(_R(10, 192) * 0.05).tolist(), intercepts=[0.1, 0.2, 0.3],
            classlabels_strings=["cat", "dog", "a third"],
        ),
    ]  # fmt: skip
    graph = onnx.helper.make_graph(
        nodes, "g", [onnx.helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1, 8, 8])],
        [
            onnx.helper.make_tensor_value_info("label", TensorProto.STRING, ["N"]),
            onnx.helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3]),
        ],
    )  # fmt: skip
    imports = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("ai.onnx.ml", 3)]
    return onnx.helper.make_model(graph, opset_imports=imports, ir_version=8)

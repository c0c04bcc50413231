"""A small QOperator file, as quantisers write them: its layers compute whole numbers, some of which become real ones."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

from support import models

TEXT = """<ir_version: 8, opset_import: ["": 17, "com.microsoft": 1]>
quantised (float[N,1,14,14] x) => (float[N,5] y) {
  q = QuantizeLinear (x, xs, zero)
  c1 = QLinearConv <kernel_shape = [3, 3]> (q, xs, zero, w1, ws, none, cs, mid)
  r1 = DequantizeLinear (c1, cs, mid)
  a = Relu (r1)
  aq = QuantizeLinear (a, as, zero)
  c2 = QLinearConv <kernel_shape = [3, 3]> (aq, as, zero, w2, ws, none, cs, mid, b2)
  p = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (c2)
  r2 = DequantizeLinear (p, cs, mid)
  g = ReduceMean <axes = [2, 3], keepdims = 0> (r2)
  gq = QuantizeLinear (g, as, mid)
  z = com.microsoft.QGemm <transB = 1> (gq, as, mid, w3, ws, none, b3)
  y = Softmax <axis = 1> (z)
}"""
WHOLE = """<ir_version: 8, opset_import: ["": 17, "com.microsoft": 1]>
whole (float[N,1,14,14] x) => (float[N,5] y) {
  q = QuantizeLinear (x, xs, zero)
  c1 = QLinearConv <kernel_shape = [3, 3]> (q, xs, zero, w1, ws, none, as, zero)
  c2 = QLinearConv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (c1, as, zero, w2, ws, none, cs, mid, b2)
  s = com.microsoft.QLinearAdd (c1, as, zero, c2, cs, mid, cs, mid)
  p = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (s)
  g = com.microsoft.QLinearGlobalAveragePool (p, cs, mid, as, mid)
  f = Flatten (g)
  z = com.microsoft.QGemm <transB = 1> (f, as, mid, w3, ws, none, b3, zs, mid)
  y = DequantizeLinear (z, zs, mid)
}"""
"""A file in which nothing between the picture and the scores is a real number."""
TWIN = """<ir_version: 8, opset_import: ["": 17]>
twin (float[N,1,14,14] x) => (float[N,5] y) {
  q = QuantizeLinear (x, xs, zero)
  qr = DequantizeLinear (q, xs, zero)
  v1 = DequantizeLinear (w1, ws, none)
  c1f = Conv <kernel_shape = [3, 3]> (qr, v1)
  c1 = QuantizeLinear (c1f, as, zero)
  c1_dequantized = DequantizeLinear (c1, as, zero)
  v2 = DequantizeLinear (w2, ws, none)
  d2 = DequantizeLinear (b2, b2s)
  c2f = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (c1_dequantized, v2, d2)
  c2 = QuantizeLinear (c2f, cs, mid)
  c2_dequantized = DequantizeLinear (c2, cs, mid)
  sf = Add (c1_dequantized, c2_dequantized)
  s = QuantizeLinear (sf, cs, mid)
  s_dequantized = DequantizeLinear (s, cs, mid)
  pf = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (s_dequantized)
  p = QuantizeLinear (pf, cs, mid)
  p_dequantized = DequantizeLinear (p, cs, mid)
  gf = GlobalAveragePool (p_dequantized)
  g = QuantizeLinear (gf, as, mid)
  g_dequantized = DequantizeLinear (g, as, mid)
  f_dequantized = Flatten (g_dequantized)
  v3 = DequantizeLinear (w3, ws, none)
  d3 = DequantizeLinear (b3, b3s)
  zf = Gemm <transB = 1> (f_dequantized, v3, d3)
  z = QuantizeLinear (zf, zs, mid)
  y = DequantizeLinear (z, zs, mid)
}"""
"""The same network between QuantizeLinear and DequantizeLinear: what ``WHOLE`` stands for has a name."""
DYNAMIC = """<ir_version: 8, opset_import: ["": 17]>
dynamic (float[N,4] x) => (float[N,3] y) {
  q, s, k = DynamicQuantizeLinear (x)
  m = MatMulInteger (q, w, k)
  f = Cast <to = 1> (m)
  t = Mul (s, ws)
  n = Mul (f, t)
  y = Add (n, b)
}"""


def whole(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-90, 91, shape).astype(np.int8)


WEIGHTS = {
    "xs": np.float32(1 / 128), "zero": np.uint8(128), "mid": np.uint8(120), "none": np.int8(0), "cs": np.float32(0.06),
    "as": np.float32(0.02), "ws": np.float32(0.01), "w1": whole(0, 4, 1, 3, 3), "w2": whole(1, 6, 4, 3, 3),
    "b2": np.int32([90, -40, 0, 7, 300, 12]), "w3": whole(2, 5, 6), "b3": np.int32([4000, -9000, 300, 0, 20]),
}  # fmt: skip


SMALL = {
    "w1": whole(0, 4, 1, 3, 3) // 8, "w2": whole(1, 4, 4, 3, 3) // 8, "w3": whole(2, 5, 4),
    "b2": np.int32([90, -40, 0, 7]), "b3": np.int32([40, -90, 30, 0, 20]), "xs": np.float32(0.00811),
    "ws": np.float32(0.00973), "as": np.float32(0.00417), "cs": np.float32(0.00631), "zs": np.float32(0.00377),
    "b2s": np.float32(0.00417 * 0.00973), "b3s": np.float32(0.00417 * 0.00973),
}  # fmt: skip


"""Small weights, and scales whose products are no halves, which two engines would round to either side."""


def whole_network() -> onnx.ModelProto:
    return with_weights(WHOLE, SMALL)


def twin_network() -> onnx.ModelProto:
    return with_weights(TWIN, SMALL)


def network() -> onnx.ModelProto:
    return with_weights(TEXT)


def dynamic() -> onnx.ModelProto:
    return _with(DYNAMIC, {"w": whole(3, 4, 3), "ws": np.float32(0.02), "b": models.random(4, 3)})


def with_weights(text: str, more: dict[str, np.ndarray] | None = None) -> onnx.ModelProto:
    return _with(text, WEIGHTS | (more or {}))


def _with(text: str, weights: dict[str, np.ndarray]) -> onnx.ModelProto:
    model = onnx.parser.parse_model(text)
    model.graph.initializer.extend(numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items())
    return model

"""Steps of quantisation: which values have one, and differences counted in them."""

from typing import Any

import numpy as np
import onnx

from onnxray.engines.agreement.quantisation_steps import Steps
from onnxray.graph.reading import read_graph

TEXT = """<ir_version: 10, opset_import: ["": 21, "com.microsoft": 1]>
g (float[4,6] x) => (float[4,5] y) {
  q = QuantizeLinear (x, s, zp)  t = Transpose (q)  u = Transpose (t)  d = DequantizeLinear (u, s, zp)  e = Relu (d)
  w = DequantizeLinear (wq, rows, none)  m = MatMul (e, w)
  di, ds, dz = DynamicQuantizeLinear (m)  dd = DequantizeLinear (di, ds, dz)
  i = MatMulInteger (q, wi)  f = Cast <to = 1> (i)  r = com.microsoft.DequantizeLinear (u, s, zp)
  p = DequantizeLinear (u, columns, zeros)  o = DequantizeLinear <axis = -2> (u, lines, few)  b = DequantizeLinear <axis = 1, block_size = 3> (u, blocks, zeros2)
  cube = Unsqueeze (u, zero)  top, where = MaxPool <kernel_shape = [2]> (cube)
  y0 = Flatten (f)  l = Add (dd, y0)  y = Neg (l)
}"""
WEIGHTS: dict[str, Any] = {
    "s": np.float32(0.5), "zp": np.uint8(7), "wq": np.ones((6, 5), np.int8), "rows": np.float32(2), "none": np.int8(0),
    "wi": np.ones((6, 5), np.int8), "columns": np.float32([0.5, 1, 2, 4, 8, 16]), "zeros": np.zeros(6, np.uint8),
    "blocks": np.ones((4, 2), np.float32), "zeros2": np.zeros((4, 2), np.uint8), "zero": np.int64([0]), "lines": np.float32([1, 0.5, 4, 8]), "few": np.zeros(4, np.uint8),
}  # fmt: skip


def steps() -> Steps:
    model = onnx.parser.parse_model(TEXT)
    model.graph.initializer.extend(onnx.numpy_helper.from_array(np.asarray(a), name) for name, a in WEIGHTS.items())
    return Steps(read_graph(model))


def test_whole_numbers_that_were_quantised_and_only_moved() -> None:
    """Neither the places of a pooling, nor sums of products, nor scales and zero points of their own."""
    assert steps().quantised == {"q", "t", "u", "di", "cube", "top"}


def test_the_nearest_values_that_have_a_step() -> None:
    sources = steps().sources
    assert {name: set(sources[name]) for name in ("q", "d", "e", "m", "di", "ds", "dd", "f", "p", "b", "l", "w", "where")} == {
        "q": {"q"}, "d": {"d"}, "e": {"d"}, "m": {"d"}, "di": {"di"}, "ds": {"d"}, "dd": {"dd"}, "f": {"q"}, "p": {"p"},
        "b": {"u"}, "l": {"dd", "q"}, "w": set(), "where": {"cube"},
    }  # fmt: skip


def test_differences_in_steps() -> None:
    one, zeros = steps(), np.zeros((4, 6), np.float32)
    away = zeros.copy()
    away[1, 3] = 2
    assert one.between("q", zeros, away, {}) == 2
    assert one.between("d", zeros, away, {}) == 2 / 0.5
    assert one.between("p", zeros, away, {}) == 2 / 4
    assert one.between("o", zeros, away, {}) == 2 / 0.5
    assert one.between("r", zeros, away, {}) == 2 / 0.5
    assert one.between("dd", zeros, away, {"ds": np.float32(-0.25)}) == 2 / 0.25
    assert one.between("dd", zeros, away, {"ds": np.float32(0)}) == np.inf
    assert one.between("dd", zeros, zeros, {"ds": np.float32(0)}) == 0
    assert one.between("q", zeros[:0], zeros[:0], {}) == 0


def test_no_steps_where_there_is_none_or_it_is_not_known() -> None:
    one, zeros = steps(), np.zeros((4, 6), np.float32)
    for name, twin, known in (
        ("q", zeros[:1], {}), ("q", np.zeros((5, 6)), {}), ("e", zeros, {}), ("m", zeros, {}), ("dd", zeros, {}), ("p", zeros.T, {}), ("b", zeros, {}),
    ):  # fmt: skip
        judge = zeros.T if name == "p" else zeros
        assert one.between(name, judge, twin, known) is None


def test_a_scale_that_is_computed() -> None:
    assert {name: steps().computed_scale(name) for name in ("dd", "d", "e", "q")} == {
        "dd": "ds",
        "d": None,
        "e": None,
        "q": None,
    }

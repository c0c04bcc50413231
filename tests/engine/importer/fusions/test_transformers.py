"""Linear layers, GELU, layer normalisation and attention as exporters write them out; and what only looks like them."""

from typing import Any

import numpy as np
import onnx
import pytest

import onnxray
from onnxray.importer.fusions.linear import Linear
from onnxray.importer.ops.neural.normalization import LayerNorm
from support import models
from support.fusing import assert_fused, fused_types
from support.importing import outputs

R = models.random


def test_linear_layers() -> None:
    text = """g (float[N,5,4] x) => (float[N,5,6] y, float[N,5,6] z) {
      p = MatMul (x, w)
      y = Add (p, b)
      q = MatMul (x, w)
      z = Add (b, q)
    }"""
    model = models.parse(text, {"w": R(0, 4, 6), "b": R(1, 6)})
    module = assert_fused(model, {"x": R(2, 2, 5, 4)}, "Linear", "Linear")
    assert type(module.layer("z")) is Linear


@pytest.mark.parametrize("bias", [(1,), (5, 6), (1, 6)])
def test_what_is_added_to_a_product_and_is_no_bias_stays_apart(bias: tuple[int, ...]) -> None:
    model = models.parse(
        "g (float[N,5,4] x) => (float[N,5,6] y) { p = MatMul (x, w) y = Add (p, b) }",
        {"w": R(0, 4, 6), "b": R(1, *bias)},
    )
    assert_fused(model, {"x": R(2, 2, 5, 4)})


GELU = {
    "torch": "d = Div (t, root) e = Erf (d) f = Add (e, one) h = Mul (t, f) y = Mul (h, half)",
    "half first": "d = Mul (t, inverse) e = Erf (d) f = Add (one, e) h = Mul (half, t) y = Mul (f, h)",
    "half in the middle": "d = Div (t, root) e = Erf (d) f = Add (e, one) h = Mul (f, half) y = Mul (t, h)",
}
NO_GELU = {
    "another root": "d = Div (t, half) e = Erf (d) f = Add (e, one) h = Mul (t, f) y = Mul (h, half)",
    "upside down": "d = Div (root, t) e = Erf (d) f = Add (e, one) h = Mul (t, f) y = Mul (h, half)",
    "of another value": "d = Div (x, root) e = Erf (d) f = Add (e, one) h = Mul (t, f) y = Mul (h, half)",
    "another factor": "d = Div (t, root) e = Erf (d) f = Add (e, one) h = Mul (t, f) y = Mul (h, root)",
}
SCALARS = {
    "root": np.array(np.sqrt(2), np.float32), "inverse": np.array([np.sqrt(0.5)], np.float32),
    "half": np.array(0.5, np.float32), "one": np.array(1, np.float32), "w": R(8, 6),
}  # fmt: skip


def exact(nodes: str, shape: str = "N,5,6") -> onnx.ModelProto:
    return models.parse(f"g (float[{shape}] x) => (float[{shape}] y) {{ t = Mul (x, w) {nodes} }}", SCALARS)


@pytest.mark.parametrize("form", GELU)
def test_gelu(form: str) -> None:
    assert_fused(exact(GELU[form]), {"x": R(0, 2, 5, 6)}, "GELU")


@pytest.mark.parametrize("form", NO_GELU)
def test_what_only_looks_like_gelu_stays_apart(form: str) -> None:
    assert_fused(exact(NO_GELU[form]), {"x": R(0, 2, 5, 6) + 3}, tolerance=1e-4)


NORM = """g (float[N,5,6] x) => ({ends}) {{
  mean = ReduceMean <axes = [{axis}], keepdims = 1> (x)
  d = Sub (x, mean)
  square = {square}
  variance = ReduceMean <axes = [-1], keepdims = 1> (square)
  safe = Add (variance, epsilon)
  root = Sqrt (safe)
  n = Div (d, root)
  scaled = Mul (n, s)
  y = Add (scaled, b)
}}"""
NORM_WEIGHTS = {
    "s": R(1, 6), "b": R(2, 6), "epsilon": np.array(1e-3, np.float32), "two": np.array(2, np.float32),
    "four": np.array(4, np.float32),
}  # fmt: skip


def norm(square: str = "Pow (d, two)", axis: int = -1, ends: str = "float[N,5,6] y", **other: Any) -> onnx.ModelProto:
    return models.parse(NORM.format(square=square, axis=axis, ends=ends), NORM_WEIGHTS | other, opset=13)


@pytest.mark.parametrize("square", ["Pow (d, two)", "Mul (d, d)"])
@pytest.mark.parametrize("axis", [-1, 2])
def test_layer_norm(square: str, axis: int) -> None:
    module = assert_fused(norm(square, axis), {"x": R(0, 2, 5, 6)}, "LayerNorm")
    assert type(module.layer("y")) is LayerNorm


@pytest.mark.parametrize(
    "model",
    [
        norm(axis=1), norm("Mul (d, x)"), norm(ends="float[N,5,6] y, float[N,5,6] n"),
        norm(s=R(1, 5, 6)), norm(b=R(2, 1)),
    ],
)  # fmt: skip
def test_what_only_looks_like_layer_norm_stays_apart(model: onnx.ModelProto) -> None:
    assert_fused(model, {"x": np.abs(R(0, 2, 5, 6)) + np.arange(6, dtype=np.float32)}, tolerance=1e-4)


def test_a_fourth_power_is_no_layer_norm() -> None:
    """ONNX Runtime fuses it to one all the same, so the formula is the judge."""
    x = R(0, 2, 5, 6)
    module = onnxray.to_torch(norm("Pow (d, four)"), verify=False, fused=True)
    assert fused_types(module) == []
    d = x - x.mean(-1, keepdims=True)
    expected = d / np.sqrt((d**4).mean(-1, keepdims=True) + 1e-3) * NORM_WEIGHTS["s"] + NORM_WEIGHTS["b"]
    np.testing.assert_allclose(outputs(module, {"x": x})[0], expected, rtol=1e-4, atol=1e-5)


HEADS = "float[N,2,5,4] q, float[N,2,5,4] k, float[N,2,5,4] v"
ATTENTION = {
    "both sides": "a = Mul (q, s) t = Transpose <perm = [0, 1, 3, 2]> (k) c = Mul (t, s) p = MatMul (a, c) w = Softmax <axis = -1> (p)",
    "after, divided": "t = Transpose <perm = [0, 1, 3, 2]> (k) p = MatMul (q, t) r = Div (p, s) w = Softmax <axis = 3> (r)",
    "no factor": "t = Transpose <perm = [0, 1, 3, 2]> (k) p = MatMul (q, t) w = Softmax (p)",
    "by three axes": """f = Reshape (k, flat) u = Transpose <perm = [0, 2, 1]> (f) t = Reshape (u, back)
      a = Mul (q, s) p = MatMul (a, t) w = Softmax (p)""",
}
NO_ATTENTION = {
    "another axis": "t = Transpose <perm = [0, 1, 3, 2]> (k) p = MatMul (q, t) w = Softmax <axis = 2> (p)",
    "a mask": "t = Transpose <perm = [0, 1, 3, 2]> (k) p = MatMul (q, t) r = Add (p, mask) w = Softmax (r)",
    "a factor a column": "t = Transpose <perm = [0, 1, 3, 2]> (k) p = MatMul (q, t) r = Mul (p, row) w = Softmax (r)",
}
FACTORS = {
    "s": np.array(0.7, np.float32), "flat": np.array([-1, 5, 4]), "back": np.array([-1, 2, 4, 5]),
    "mask": R(5, 5, 5), "row": R(6, 5),
}  # fmt: skip
QKV = {name: R(seed, 3, 2, 5, 4) for seed, name in enumerate("qkv")}


def attending(nodes: str, heads: str = HEADS, ends: str = "float[N,2,5,4] y") -> onnx.ModelProto:
    return models.parse(f"g ({heads}) => ({ends}) {{ {nodes} y = MatMul (w, v) }}", FACTORS)


@pytest.mark.parametrize("form", ATTENTION)
def test_attention(form: str) -> None:
    module = assert_fused(attending(ATTENTION[form]), QKV, "Attention")
    assert module.layer("y").transposed == (form != "by three axes")


@pytest.mark.parametrize("form", NO_ATTENTION)
def test_what_attends_otherwise_stays_apart(form: str) -> None:
    assert_fused(attending(NO_ATTENTION[form]), QKV)


def test_attention_whose_weights_are_asked_for_stays_apart() -> None:
    model = attending(ATTENTION["no factor"], ends="float[N,2,5,4] y, float[N,2,5,5] w")
    assert_fused(model, QKV)


def test_attention_by_a_temperature_that_the_input_sets_keeps_its_gradient() -> None:
    """J of softmax(s q k') v with respect to s, by central differences of the module in float64."""
    nodes = "t = Transpose <perm = [0, 1, 3, 2]> (k) p = MatMul (q, t) r = Mul (p, heat) w = Softmax (r)"
    model = attending(nodes, heads=f"float heat, {HEADS}")
    assert_fused(model, {"heat": np.array(0.7, np.float32), **QKV}, "Attention")


def test_attention_of_heads_that_are_broadcast() -> None:
    model = attending(ATTENTION["no factor"], heads="float[N,2,5,4] q, float[N,1,5,4] k, float[N,2,5,4] v")
    feeds = QKV | {"k": R(1, 3, 1, 5, 4)}
    assert_fused(model, feeds, "Attention")

"""Which values of two models are the same layer: by name, by position, behind quantisation; and networks that differ."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import onnxray
from onnxray.assess.models.alignment import Alignment, align
from support import models
from support.models import LENET, lenet_weights, parse, random


def opened(text: str = LENET, weights: dict[str, np.ndarray] | None = None) -> onnxray.Model:
    return onnxray.open(parse(text.format(batch=1), weights or lenet_weights()), models.GREY)


def pairs(found: Alignment) -> list[tuple[str, str, str]]:
    return [(pair.a, pair.b, pair.by) for pair in found.pairs]


def renamed(text: str, names: dict[str, str]) -> str:
    for before, after in names.items():
        text = (
            text.replace(f"{before} =", f"{after} =")
            .replace(f"({before}", f"({after}")
            .replace(f" {before})", f" {after})")
        )
    return text


VALUES = ["conv1", "relu1", "pool1", "conv2", "relu2", "pool2", "ip1", "ip2", "prob"]
OTHERS = {name: f"v{k}" for k, name in enumerate(VALUES[:-1])}


def test_by_name() -> None:
    found = align(opened(), opened())
    assert pairs(found) == [(name, name, "name") for name in VALUES]  # flat moves numbers alone
    assert (found.layers, found.matched, found.reason) == ((4, 4), (4, 0), None)


def test_by_position_where_no_name_is_the_same() -> None:
    found = align(opened(), opened(renamed(LENET, OTHERS)))
    assert pairs(found) == [
        *((name, OTHERS[name], "position") for name in ("conv1", "conv2", "ip1", "ip2")), ("prob", "prob", "name"),
    ]  # fmt: skip
    assert found.matched == (0, 4)


def test_names_and_positions_together_in_order() -> None:
    names = {"conv2": "other", "relu2": "another"}
    found = align(opened(), opened(renamed(LENET, names)))
    layers = {a: (b, by) for a, b, by in pairs(found) if a in {"conv1", "conv2", "ip1", "ip2"}}
    assert layers == {
        "conv1": ("conv1", "name"), "conv2": ("other", "position"), "ip1": ("ip1", "name"), "ip2": ("ip2", "name"),
    }  # fmt: skip


def test_a_name_of_another_shape_is_no_match() -> None:
    weights = lenet_weights() | {"w2": random(5, 16, 4, 3, 3), "b2": random(6, 16), "w3": random(7, 20, 144)}
    found = align(opened(), opened(weights=weights))
    assert [pair.a for pair in found.pairs] == ["conv1", "relu1", "pool1", "ip1", "ip2", "prob"]
    assert found.matched == (3, 0)


def test_different_networks_are_not_compared() -> None:
    other = parse(
        "other (float[1,1,14,14] x) => (float[1,5] prob) { c = Conv (x, w1) r = Relu (c) c2 = Conv (r, w2) "
        "g = GlobalAveragePool (c2) f = Flatten (g) z = Gemm <transB = 1> (f, w3) prob = Softmax (z) }",
        {"w1": random(0, 7, 1, 5, 5), "w2": random(1, 9, 7, 5, 5), "w3": random(2, 5, 9)},
    )
    found = align(opened(), onnxray.open(other, models.GREY))
    assert found.pairs == ()
    assert found.reason is not None
    assert "1 of the 4 and 3 layers with weights match" in found.reason
    assert "different networks" in found.reason


QUANTISED = """
q (float[1,1,14,14] x) => (float[1,5] prob) {{
  xq = QuantizeLinear (x, sx, zx)
  c_quantized = QLinearConv <kernel_shape = [3, 3]> (xq, sx, zx, wq, sw, zw, sc, zc, bq)
  c_read = DequantizeLinear (c_quantized, sc, zc)
  flat = Flatten <axis = 1> (c_read)
  z = Gemm <transB = 1> (flat, w3)
  prob = Softmax <axis = 1> (z)
}}
"""
REAL = """
r (float[1,1,14,14] x) => (float[1,5] prob) {{
  c = Conv <kernel_shape = [3, 3]> (x, w, b)
  {activation}
  flat = Flatten <axis = 1> ({read})
  z = Gemm <transB = 1> (flat, w3)
  prob = Softmax <axis = 1> (z)
}}
"""
QDQ = """
d (float[1,1,14,14] x) => (float[1,5] prob) {{
  {name} = Conv <kernel_shape = [3, 3]> (x, w, b)
  {name}_QuantizeLinear_Output = QuantizeLinear ({name}, sc, zc)
  {name}_DequantizeLinear_Output = DequantizeLinear ({name}_QuantizeLinear_Output, sc, zc)
  flat = Flatten <axis = 1> ({name}_DequantizeLinear_Output)
  z = Gemm <transB = 1> (flat, w3)
  prob = Softmax <axis = 1> (z)
}}
"""
W, B, W3 = random(0, 4, 1, 3, 3, scale=0.1), random(1, 4), random(2, 5, 576, scale=0.1)
SCALES = {"sc": np.float32(0.05), "zc": np.uint8(0)}


def plain(activation: str = "", read: str = "c") -> onnxray.Model:
    text = REAL.format(activation=activation, read=read)
    return onnxray.open(parse(text, {"w": W, "b": B, "w3": W3}), models.GREY)


def quantised() -> onnxray.Model:
    weights = {
        "sx": np.float32(1 / 64), "zx": np.uint8(128), "sw": np.float32(0.01), "zw": np.int8(0), **SCALES,
        "wq": np.rint(W / 0.01).astype(np.int8), "bq": np.rint(B * 6400).astype(np.int32), "w3": W3,
    }  # fmt: skip
    return onnxray.open(parse(QUANTISED.format(), weights), models.GREY)


def qdq(name: str) -> onnxray.Model:
    return onnxray.open(parse(QDQ.format(name=name), {"w": W, "b": B, "w3": W3, **SCALES}), models.GREY)


def test_what_whole_numbers_stand_for() -> None:
    found = align(plain(), quantised())
    assert pairs(found)[0] == ("c", "c_read", "name")


@pytest.mark.parametrize("make", [quantised, lambda: qdq("c"), lambda: qdq("r")], ids=["operators", "qdq", "its name"])
def test_an_activation_that_quantisation_took_in_is_compared_with_the_activation(make: object) -> None:
    assert callable(make)
    a, b = plain("r = Relu (c)", "r"), make()
    found = align(a, b)
    (one, other, by) = next(pair for pair in pairs(found) if pair[0] == "r")
    assert by == "name"
    assert (other, one) in {(pair.a, pair.b) for pair in align(b, a).pairs}
    images = models.pictures(2)
    values, others = a.values(images, [one])[one], b.values(images, [other])[other]
    assert np.abs(values - others).max() < 0.2  # a few steps of quantisation; relu cut nothing that is compared
    assert (a.values(images, ["c"])["c"] < -0.5).any()


def test_what_is_no_quantisation_of_the_whole_is_left_as_it_is() -> None:
    """A convolution whose activation is a node in both is compared before it."""
    a = plain("r = Relu (c)", "r")
    assert pairs(align(a, a))[:2] == [("c", "c", "name"), ("r", "r", "name")]


def test_float16_keeps_its_names() -> None:
    model = models.lenet()
    for one in model.graph.initializer:
        one.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(one).astype(np.float16), one.name))
    text = onnx.printer.to_text(model).replace("float[", "float16[")
    half = onnxray.open(onnx.parser.parse_model(text), models.GREY)
    assert [pair.a for pair in align(opened(), half).pairs] == VALUES


def test_what_is_about_to_be_quantised_is_not_read_beside_it() -> None:
    """Reading it would take the fused layer apart."""
    found = align(plain(), qdq("c"))
    assert [pair.b for pair in found.pairs] == ["c_DequantizeLinear_Output", "z", "prob"]


def test_models_without_layers_are_matched_by_name() -> None:
    text = "n (float[N,4] x) => (float[N,4] y) { h = Relu (x) y = Softmax (h) }"
    one, renamed_ = (onnxray.open(parse(body)) for body in (text, text.replace("h", "g").replace("y", "z")))
    assert pairs(align(one, one)) == [("h", "h", "name"), ("y", "y", "name")]
    found = align(one, renamed_)
    assert (found.pairs, found.layers) == ((), (0, 0))
    assert found.reason is not None
    assert "none of the one has name and shape" in found.reason

"""What stands behind a convolution or a product is part of it: the same relevance as of a file with merged weights."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import onnxray
from onnxray.importer.relevance.assignment import parts_of
from onnxray.methods.saliency.relevance.lrp import LRP
from support import models
from support.trusted import trusted

Array = NDArray[Any]

RULES = (LRP(rule="gamma", dense_rule="gamma"), LRP(rule="alpha2-beta1", dense_rule="alpha2-beta1"))
X = models.random(0, 2, 4, 5, 5)
W = {"conv": models.random(1, 6, 4, 3, 3), "grouped": models.random(1, 6, 2, 3, 3), "up": models.random(1, 4, 3, 2, 2)}
B, F, C, M = models.random(2, 6), models.random(3, 6), models.random(4, 6), models.random(5, 6)
V = np.abs(models.random(6, 6)) + 0.5
STATISTICS = {"f": F, "c": C, "m": M, "v": V}
SIX = {"f6": F.reshape(6, 1, 1), "c6": C.reshape(6, 1, 1)}


def opened(text: str, weights: dict[str, Array], **options: Any) -> onnxray.Model:
    model = onnxray.open(models.parse(text, weights, **options))
    trusted(model)
    return model


def net(lines: str, *, weights: dict[str, Array], shape: str = "N,4,5,5", **options: Any) -> onnxray.Model:
    """A linear layer ``y``, a rectifier, and a sum over all with signs."""
    text = (
        f"net (float[{shape}] x) => (float[N,k] z) {{ {lines}\n r = Relu (y)\n f0 = Flatten (r)\n z = MatMul (f0, u) }}"
    )
    return opened(text, weights, **options)


def same(one: onnxray.Model, other: onnxray.Model, x: Array, target: str = "z:1") -> None:
    np.testing.assert_allclose(one.values(x, ["z"])["z"], other.values(x, ["z"])["z"], rtol=1e-3, atol=1e-3)
    for rule in RULES:
        found, wanted = ([item.attribution for item in rule(each, x, target).items] for each in (one, other))
        assert np.abs(wanted).max() > 0
        np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-5 * np.abs(wanted).max())


def layers(model: onnxray.Model) -> list[tuple[str, ...]]:
    parts = parts_of(model.twin.importer, ("z",))
    return [tuple(node.operator for node in layer.nodes) for layer in parts.layers.values()]


FACTOR = F.astype(np.float64) / np.sqrt(V.astype(np.float64) + 1e-5)
BEHIND: dict[str, tuple[str, Array, Array]] = {
    # what follows y0: (lines, factor, shift)
    "BatchNormalization": ("y = BatchNormalization (y0, f, c, m, v)", FACTOR, C - M * FACTOR),
    "a scale and a shift": ("s = Mul (f6, y0)\n y = Add (s, c6)", F, C),
    "a division and a subtraction": ("s = Div (y0, f6)\n y = Sub (s, c6)", 1 / F, -C),
    "what it is taken from": ("y = Sub (c6, y0)", -np.ones(6), C),
    "one number": ("s = Mul (y0, two)\n y = Add (two, s)", np.full(6, 2.0), np.full(6, 2.0)),
    "all of them": (
        "n = BatchNormalization (y0, f, c, m, v)\n s = Mul (n, f6)\n y = Add (s, c6)", FACTOR * F, (C - M * FACTOR) * F + C
    ),
}  # fmt: skip
LAYERS = {
    "Conv": ("Conv <pads = [1,1,1,1]> (x, w, b)", "conv", 0), "Conv without bias": ("Conv (x, w)", "conv", 0),
    "Conv of groups": ("Conv <group = 2, strides = [2,2]> (x, w, b)", "grouped", 0),
    "Conv, uneven padding": ("Conv <pads = [0,1,1,0]> (x, w, b)", "conv", 0),
    "ConvTranspose": ("ConvTranspose <group = 2, strides = [2,2]> (x, w, b)", "up", 1),
}  # fmt: skip


@pytest.mark.parametrize("behind", BEHIND)
@pytest.mark.parametrize("layer", LAYERS)
def test_factors_and_shifts_behind_a_convolution(layer: str, behind: str) -> None:
    call, weight, axis = LAYERS[layer]
    lines, factor, shift = BEHIND[behind]
    w, bias = W[weight].astype(np.float64), (B if ", b)" in call else np.zeros(6)).astype(np.float64)
    parts = factor.reshape(2, 3) if axis else factor  # transposed, of two groups: two input channels of each
    along = parts.repeat(2, 0)[:, :, None, None] if axis else factor[:, None, None, None]
    merged = {"w": (w * along).astype(np.float32), "b": (bias * factor + shift).astype(np.float32)}
    probe = models.parse(f"net (float[N,4,5,5] x) => (float[N,6,h,l] y) {{ y = {call} }}", {"w": W[weight], "b": B})
    size = models.run(probe, {"x": X})[0][0].size
    u = models.random(9, size, 3)
    two = np.float32([2])
    own = {"w": W[weight], "b": B, "u": u, "two": two, **STATISTICS, **SIX}
    one = net(f"y0 = {call}\n {lines}", weights=own)
    other = net(f"y = {call.replace('(x, w)', '(x, w, b)')}", weights={**merged, "u": u})
    assert len(layers(one)) == 2
    assert len(layers(one)[0]) == len(lines.splitlines()) + 1
    same(one, other, X)


@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("kind", ["Gemm", "MatMul", "Gemm, transposed and scaled", "MatMul and a bias"])
def test_products(kind: str, normalised: bool) -> None:
    w = models.random(1, 7, 6)
    calls = {
        "Gemm": ("Gemm (x, w, b)", w, B), "MatMul": ("MatMul (x, w)", w, 0 * B),
        "Gemm, transposed and scaled": ("Gemm <transB = 1, alpha = 0.5, beta = 2.0> (x, wt, b)", 0.5 * w, 2 * B),
        "MatMul and a bias": ("MatMul (x, w)\n y0 = Add (b, y1)", w, B),
    }  # fmt: skip
    call, matrix, bias = calls[kind]
    lines = ("y1 = " if "y1" in call else "y0 = ") + call
    factor, shift = (FACTOR, C - M * FACTOR) if normalised else (np.ones(6), np.zeros(6))
    lines += "\n y = BatchNormalization (y0, f, c, m, v)" if normalised else "\n y = Identity (y0)"
    u = models.random(9, 6, 3)
    own = {"w": w, "wt": w.T.copy(), "b": B, "u": u, **STATISTICS}
    merged = {"w": (matrix * factor).astype(np.float32), "b": (bias * factor + shift).astype(np.float32), "u": u}
    other = net("y = Gemm (x, w, b)", weights=merged, shape="N,7")
    same(net(lines, weights=own, shape="N,7"), other, models.random(0, 3, 7))


def test_weights_that_the_graph_computes_of_weights_alone() -> None:
    """As quantised and standardised weights are written; and what two read, or is asked for, stays apart."""
    w, u = models.random(1, 7, 6), models.random(9, 6, 3)
    lines = "h = Mul (w, two)\n t = Transpose <perm = [1, 0]> (h)\n y = Gemm <transB = 1> (x, t, b)"
    computed = net(lines, weights={"w": w, "two": np.float32([2]), "b": B, "u": u}, shape="N,7")
    plain = net("y = Gemm (x, w, b)", weights={"w": 2 * w, "b": B, "u": u}, shape="N,7")
    same(computed, plain, models.random(0, 3, 7))
    twice = "y0 = MatMul (x, w)\n y1 = Add (y0, b)\n y = Add (y1, y0)"
    assert layers(net(twice, weights={"w": w, "b": B, "u": u}, shape="N,7"))[0] == ("MatMul",)
    parts = parts_of(net("y = Add (x, b)", weights={"b": B, "u": u}, shape="N,6").twin.importer, ("y",))
    assert not parts.layers


def test_a_normalisation_along_another_axis_is_no_part_of_a_product() -> None:
    """BatchNormalization counts channels on axis 1; those of MatMul are on the last."""
    text = """net (float[N,6,7] x) => (float[N,6,6] z) {
      y = MatMul (x, w)
      z = BatchNormalization (y, f, c, m, v)
    }"""
    model = opened(text, {"w": models.random(1, 7, 6), **STATISTICS})
    assert layers(model) == [("MatMul",)]


def test_zeros_that_are_padded_before_a_convolution_get_nothing() -> None:
    """Pad, then Conv, is the padded convolution: flat and w-square go by the numbers that there are."""
    pads = "pads = Constant <value = int64[8] {0,0,1,0,0,0,0,2}> ()\n p = Pad (x, pads)\n"
    u = models.random(9, 6 * 4 * 5, 3)
    weights = {"w": W["conv"], "b": B, "u": u}
    apart = net(f"{pads} y = Conv (p, w, b)", weights=weights)
    inside = net("y = Conv <pads = [1,0,0,2]> (x, w, b)", weights=weights)
    assert layers(apart)[0] == ("Pad", "Conv")
    same(apart, inside, X)
    for rule in (LRP(first_rule="flat"), LRP(first_rule="w-square")):
        found, wanted = ([i.attribution for i in rule(each, X, "z:1").items] for each in (apart, inside))
        np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-5 * np.abs(wanted).max())
    ones = net(f"one = Constant <value_float = 1.0> ()\n {pads.replace('pads)', 'pads, one)')} y = Conv (p, w, b)",
               weights=weights)  # fmt: skip
    assert layers(ones)[0] == ("Conv",)

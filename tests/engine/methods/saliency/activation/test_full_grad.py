"""FullGrad: the terms of piecewise linear networks add up to the score; the map restated from gradients by hand."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

import onnxray
from onnxray.errors import InputError
from onnxray.images.interpolation import bilinear
from onnxray.methods.saliency.activation.full_grad import FullGrad
from support import models
from support.perturbing import deep, rgb
from support.trusted import trusted

X = models.pictures(2, seed=3)

MIXED = """
m (float[{batch},1,14,14] x) => (float[{batch},3] z) {{
  a = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x, w1)
  b = BatchNormalization <epsilon = 0.01> (a, scale, shift, mean, variance)
  c = Clip (b, low, high)
  d = Sub (c, s1)
  e = LeakyRelu <alpha = 0.2> (d)
  f = Sub (s2, e)
  g = ConvTranspose <kernel_shape = [2, 2], strides = [2, 2]> (f, w2, b2)
  h = PRelu (g, slope)
  twice = Add (shift2, shift2)
  i = Add (h, twice)
  j = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (i)
  k = Add (j, f)
  p = GlobalAveragePool (k)
  flat = Flatten (p)
  z = Gemm <alpha = 0.5, beta = 3.0> (flat, w3, b3)
}}
"""
WEIGHTS = {
    "w1": models.random(1, 4, 1, 3, 3), "scale": models.random(2, 4), "shift": models.random(3, 4), "mean": models.random(4, 4),
    "variance": np.abs(models.random(5, 4)), "low": np.float32(-0.5), "high": np.float32(0.8), "s1": models.random(6, 4, 1, 1),
    "s2": np.float32([0.7]), "w2": models.random(7, 4, 4, 2, 2), "b2": models.random(8, 4), "slope": np.abs(models.random(9, 4, 1, 1)),
    "shift2": models.random(10, 4, 1, 1), "w3": models.random(11, 4, 3), "b3": models.random(12, 3),
}  # fmt: skip


def opened(text: str = MIXED, weights: Any = WEIGHTS, batch: Any = "N") -> onnxray.Model:
    model = onnxray.open(models.parse(text.format(batch=batch), weights), models.GREY)
    trusted(model)
    return model


@pytest.mark.parametrize("batch", ["N", 1, 3])
@pytest.mark.parametrize("target", [0, 2])
def test_the_terms_add_up_to_the_score(batch: Any, target: int) -> None:
    result = FullGrad()(opened(batch=batch), X, target)
    for item in result.items:
        parts = item.numbers_["input_part"] + item.numbers_["bias_part"]
        assert parts == pytest.approx(item.target_score, rel=1e-4)
        assert abs(item.numbers_["bias_part"]) > 0.05
        assert item.numbers_["gap"] < 1e-4
        assert item.reason is None
    said = "biases of 2 Add, 1 BatchNormalization, 1 Clip, 1 ConvTranspose, 1 Gemm, 2 Sub; 1 of them without rows and"
    said = said.replace("2 Add", "1 Add")  # the other adds one part of the network to another
    assert any(note.startswith(said) for note in result.provenance.notes), result.provenance.notes


def test_without_what_clip_cuts_off_they_do_not() -> None:
    item = FullGrad(clipped=False)(opened(), X[:1], 0).items[0]
    assert item.numbers_["gap"] > 1e-3


def test_every_score_that_is_linear_in_the_logits_adds_up() -> None:
    model = onnxray.open(deep(20, 18), rgb(20, 18))
    image = np.random.default_rng(0).uniform(0, 255, (1, 3, 20, 18)).astype(np.float32)
    flat = deep(20, 18)
    norm = next(node for node in flat.graph.node if node.op_type == "LRN")
    norm.op_type = "Identity"  # in place of what is not linear
    del norm.attribute[:]
    linear = onnxray.open(flat, rgb(20, 18))
    for score in ("logit", "margin"):
        item = FullGrad(score=score)(linear, image, 1).items[0]  # type: ignore[arg-type]
        assert item.numbers_["gap"] < 1e-4
    item = FullGrad()(model, image, 1).items[0]
    assert item.numbers_["gap"] is not None


def by_hand(x: models.Array, target: int, rescale: str) -> models.Array:
    """Two convolutions with biases, by torch; everything at the size of the picture."""
    w = {name: torch.from_numpy(array) for name, array in models.lenet_weights().items()}
    u = torch.from_numpy((x / 255 - 0.5) / 0.5).requires_grad_()
    conv1 = functional.conv2d(u, w["w1"], w["b1"])
    pooled = functional.max_pool2d(conv1.relu(), 2)
    conv2 = functional.conv2d(pooled, w["w2"], w["b2"], padding=1)
    flat = functional.avg_pool2d(conv2.relu(), 2).flatten(1)
    logits = (flat @ w["w3"].T + w["b3"]) @ w["w4"] + w["b4"]
    g = torch.autograd.grad(logits[0, target], (u, conv1, conv2))
    terms = [u * g[0], w["b1"].view(1, -1, 1, 1) * g[1], w["b2"].view(1, -1, 1, 1) * g[2]]
    total = np.zeros(x.shape[2:])
    for term in terms:
        maps = np.abs(term[0].detach().double().numpy())
        for channel in maps:
            low, high = (channel.min(), channel.max()) if rescale == "channel" else (maps.min(), maps.max())
            if high > low:
                total += bilinear((channel - low) / (high - low), x.shape[2:])
    return total


@pytest.mark.parametrize("rescale", ["channel", "layer"])
def test_the_map(rescale: Any) -> None:
    model = opened(models.LENET, models.lenet_weights())
    for item, image in zip(FullGrad(rescale=rescale)(model, X, 2).items, X):
        expected = by_hand(image[None], 2, rescale)
        np.testing.assert_allclose(item.heat, expected, atol=1e-4 * expected.max())
        assert not item.signed


def test_a_gap_that_stays_is_said() -> None:
    text = """
    s (float[N,1,14,14] x) => (float[N,2] z) {{
      a = Conv <kernel_shape = [3, 3]> (x, w, b)
      t = Sigmoid (a)
      p = GlobalAveragePool (t)
      f = Flatten (p)
      z = MatMul (f, v)
    }}"""
    weights = {"w": models.random(0, 3, 1, 3, 3), "b": models.random(1, 3), "v": models.random(2, 3, 2)}
    item = FullGrad()(opened(text, weights), X[:1], 0).items[0]
    assert item.numbers_["gap"] > 0.05
    assert item.reason is not None
    assert "not piecewise linear hold the rest" in item.reason


def test_biases_of_quantised_weights_are_computed_ones() -> None:
    text = """
    q (float[N,1,14,14] x) => (float[N,2] z) {{
      b = DequantizeLinear (bq, s, zero)
      a = Conv <kernel_shape = [3, 3]> (x, w, b)
      r = Relu (a)
      p = GlobalAveragePool (r)
      f = Flatten (p)
      z = MatMul (f, v)
    }}"""
    weights = {
        "w": models.random(0, 3, 1, 3, 3), "bq": np.int32([40, -70, 20]), "s": np.float32(0.02),
        "zero": np.int32(0), "v": models.random(2, 3, 2),
    }  # fmt: skip
    item = FullGrad()(opened(text, weights), X[:1], 0).items[0]
    assert item.numbers_["gap"] < 1e-4
    assert item.numbers_["bias_part"] != 0


def test_a_network_without_biases_has_its_input_alone() -> None:
    text = "n (float[N,1,14,14] x) => (float[N,2] z) {{ a = Conv <kernel_shape = [14, 14]> (x, w) z = Flatten (a) }}"
    weights = {"w": models.random(0, 2, 1, 14, 14)}
    result = FullGrad()(opened(text, weights), X[:1], 0)
    assert result.items[0].numbers_["bias_part"] == 0
    assert "biases of no node" in result.provenance.notes


def test_samples_without_rows_and_columns_are_refused() -> None:
    model = onnxray.open(
        models.parse("f (float[N,6] x) => (float[N,3] y) { y = MatMul (x, w) }", {"w": models.random(0, 6, 3)})
    )
    with pytest.raises(InputError, match="no rows and columns") as found:
        FullGrad()(model, models.random(1, 1, 6), 1)
    assert "\n" not in str(found.value)


def test_an_activation_in_pieces_has_no_bias_of_its_own() -> None:
    """GELU as older exporters write it, x (1 + erf(x / sqrt 2)) / 2: its 1 is none of the network's."""
    text = """
    g (float[N,1,14,14] x) => (float[N,2] z) {{
      a = Conv <kernel_shape = [3, 3]> (x, w, b)
      scaled = Div (a, root)
      e = Erf (scaled)
      up = Add (e, one)
      both = Mul (a, up)
      h = Mul (both, half)
      shifted = Add (h, one)
      p = GlobalAveragePool (shifted)
      f = Flatten (p)
      z = MatMul (f, v)
    }}"""
    weights = {
        "w": models.random(0, 3, 1, 3, 3), "b": models.random(1, 3), "v": models.random(2, 3, 2),
        "root": np.float32(2**0.5), "one": np.float32(1), "half": np.float32(0.5),
    }  # fmt: skip
    assert "biases of 1 Add, 1 Conv" in FullGrad()(opened(text, weights), X[:1], 0).provenance.notes

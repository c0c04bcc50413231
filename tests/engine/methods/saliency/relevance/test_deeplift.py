"""DeepLIFT's rescale rule: restated in numpy in float64, and the sum of contributions for every kind of node."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import onnxray
from onnxray.errors import InputError, UnsupportedOperator
from onnxray.methods.saliency.relevance.deeplift import DeepLIFT
from support import models
from support.trusted import trusted

Array = NDArray[Any]

SAMPLES = models.random(5, 3, 2, 6)
WEIGHTS = {
    "w": models.random(1, 6, 6), "v": models.random(2, 6, 6), "c": models.random(3, 6), "g": models.random(4, 6),
    "p": np.abs(models.random(6, 6)) + 1, "two": models.random(7, 2), "one": models.random(8, 1),
}  # fmt: skip


def opened(text: str, weights: dict[str, Array], profile: Any = None, **options: Any) -> onnxray.Model:
    model = onnxray.open(models.parse(text, weights, **options), profile)
    trusted(model)
    return model


def close(found: Any, wanted: Any, relative: float = 2e-5) -> None:
    assert np.abs(wanted).max() > 0
    np.testing.assert_allclose(found, wanted, rtol=0, atol=relative * np.abs(wanted).max())


TEXT = """
net (float[N,6] x) => (float[N,6] z) {
  y = Gemm (x, w, c)
  r = Relu (y)
  h = MatMul (r, v)
  t = Tanh (h)
  z = MatMul (t, w)
}
"""


def multipliers(x: Array, x0: Array, row: int) -> Array:
    """The chain rule by hand, with D y / D x in place of each derivative."""
    w, v, c = (WEIGHTS[name].astype(np.float64) for name in "wvc")
    y, y0 = x @ w + c, x0 @ w + c
    r, r0 = np.maximum(y, 0), np.maximum(y0, 0)
    h, h0 = r @ v, r0 @ v
    m = w[:, row] * (np.tanh(h) - np.tanh(h0)) / (h - h0)
    return np.asarray(w @ (v @ m * (r - r0) / (y - y0)))


def test_the_rescale_rule() -> None:
    model = opened(TEXT, WEIGHTS)
    samples = SAMPLES[:, 0]
    items = DeepLIFT()(model, samples, "z:3").items
    for item, sample in zip(items, samples.astype(np.float64)):
        close(item.attribution, sample * multipliers(sample, np.zeros(6), 3))
        close(item.heat, item.attribution)
        assert item.signed
        assert item.unit == "score"
        assert item.numbers_["gap"] < 1e-5


def test_where_nothing_changes_the_multiplier_is_the_derivative() -> None:
    """D y / D x is 0 / 0 at a number that is the baseline's, and what goes through it must stay finite."""
    model = opened(TEXT.replace("Gemm (x, w, c)", "MatMul (x, d)"), {**WEIGHTS, "d": np.eye(6, dtype=np.float32)})
    sample = np.float32([[1.5, 0, 2, 0, -1, 0.5]])
    (item,) = DeepLIFT()(model, sample, "z:3").items
    assert np.isfinite(item.attribution).all()
    assert (item.attribution[[1, 3]] == 0).all()
    assert item.numbers_["gap"] < 1e-5


KINDS = {
    "a product of two": "a = MatMul (x, w)\n b = Tanh (a)\n z = Mul (a, b)",
    "a square": "a = MatMul (x, w)\n z = Mul (a, a)",
    "a quotient": "a = MatMul (x, w)\n b = Softplus (a)\n d = MatMul (x, v)\n z = Div (d, b)",
    "a constant over it": "a = MatMul (x, w)\n b = Softplus (a)\n z = Div (p, b)",
    "softmax": "a = MatMul (x, w)\n s = Softmax <axis = -1> (a)\n z = Mul (s, g)",
    "softmax along all axes": "a = MatMul (x, w)\n s = Softmax <axis = 1> (a)\n z = Mul (s, g)",
    "attention": "q = MatMul (x, w)\n k = MatMul (x, v)\n t = Transpose <perm = [0, 2, 1]> (k)\n s = MatMul (q, t)\n"
    "l = Softmax <axis = -1> (s)\n z = MatMul (l, x)",
    "layer normalisation": "a = MatMul (x, w)\n z = LayerNormalization <axis = -1> (a, g, c)",
    "layer normalisation over two axes": "a = MatMul (x, w)\n z = LayerNormalization <axis = 1> (a, g)",
    "instance normalisation": "a = MatMul (x, w)\n z = InstanceNormalization (a, two, two)",
    "group normalisation": "a = MatMul (x, w)\n z = GroupNormalization <num_groups = 1> (a, one, one)",
    "a maximum of two": "a = MatMul (x, w)\n b = MatMul (x, v)\n z = Max (a, b)",
    "a maximum and a constant": "a = MatMul (x, w)\n z = Max (a, c)",
    "a maximum along an axis": "a = MatMul (x, w)\n r = ReduceMax <axes = [1]> (a)\n z = Add (a, r)",
    "max-pooling with overlaps": "a = MatMul (x, w)\n z = MaxPool <kernel_shape = [3], pads = [1, 1]> (a)",
    "gelu written out": "a = MatMul (x, w)\n h = Div (a, p)\n e = Erf (h)\n s = Add (e, p)\n z = Mul (a, s)",
    "powers and roots": "a = MatMul (x, w)\n b = Abs (a)\n d = Sqrt (b)\n z = Pow (d, p)",
    "sums and means": "a = MatMul (x, w)\n m = ReduceMean <axes = [2]> (a)\n s = Sub (a, m)\n z = Sum (s, x, a)",
    "moved numbers": "a = Tanh (x)\n b, d = Split <axis = 2, num_outputs = 2> (a)\n z = Concat <axis = 2> (d, b)",
}


@pytest.mark.parametrize("kind", KINDS)
def test_contributions_sum_to_the_change_of_the_score(kind: str) -> None:
    limit = 1e-3 if "normalisation" in kind else 1e-4  # what is the same throughout, as this baseline, is 316 times 0
    opset = 18 if "num_" in KINDS[kind] else 11 if "all axes" in kind else 17
    model = opened(f"net (float[N,2,6] x) => (float[N,2,6] z) {{ {KINDS[kind]} }}", WEIGHTS, opset=opset)
    for item in DeepLIFT()(model, SAMPLES, "z[1,3]").items:
        assert item.attribution.shape == (2, 6)
        assert item.numbers_["gap"] < limit
        assert item.reason is None
        assert item.attribution.sum() == pytest.approx(item.numbers_["score_change"], rel=2 * limit)


def test_a_product_gives_each_factor_its_mean_of_the_other() -> None:
    text = "net (float[N,6] x) => (float[N,6] z) { a = Mul (x, g)\n b = Add (x, c)\n z = Mul (a, b) }"
    x, g, c = (array.astype(np.float64) for array in (SAMPLES[:, 0], WEIGHTS["g"], WEIGHTS["c"]))
    found = [item.attribution for item in DeepLIFT()(opened(text, WEIGHTS), SAMPLES[:, 0], "z:2").items]
    wanted = x * g * (x + c + c) / 2 + x * (x * g) / 2
    close(found, np.where(np.arange(6) == 2, wanted, 0))


def test_baselines_of_pictures_and_their_average() -> None:
    model = opened(models.LENET.format(batch="N"), models.lenet_weights(), models.GREY)
    pixels = models.pictures(2)
    kinds = ("black", "mean", "white", "blurred")
    found = {kind: DeepLIFT(baseline=kind)(model, pixels, "ip2:1").items for kind in kinds}  # type: ignore[arg-type]
    scores = model.values(pixels, ["ip2"])["ip2"][:, 1]
    for kind, grey in (("black", 0), ("mean", 127.5), ("white", 255)):
        start = model.values(np.full_like(pixels, grey), ["ip2"])["ip2"][:, 1]
        sums = [float(item.attribution.sum()) for item in found[kind]]
        np.testing.assert_allclose(sums, scores - start, rtol=1e-4)
    assert len({float(items[0].attribution.max()) for items in found.values()}) == len(kinds)
    (one,) = DeepLIFT(baseline="random", trials=3)(model, pixels[:1], "ip2:1").items
    assert one.numbers_["gap"] < 1e-4
    again = DeepLIFT(baseline="random", trials=3)(model, pixels[:1], "ip2:1", seed=1).items[0]
    assert np.abs(again.attribution - one.attribution).max() > 0
    with pytest.raises(InputError, match="is its own black baseline, so there is nothing to count"):
        DeepLIFT()(model, np.zeros_like(pixels), "ip2:1")
    with pytest.raises(InputError, match=r"no sum of summands .* \(--score\)"):
        DeepLIFT(score="probability")(model, pixels, "class:1")


def test_a_file_of_a_fixed_batch_gives_each_sample_its_own() -> None:
    free, fixed = (opened(TEXT.replace("[N,", f"[{batch},"), WEIGHTS) for batch in ("N", "2"))
    found, alone = ([i.attribution for i in DeepLIFT()(m, SAMPLES[:, 0], "z:3").items] for m in (fixed, free))
    close(found, alone, 1e-6)


def test_what_has_no_rule_is_refused_by_name() -> None:
    text = (
        "net (float[N,2,6] x) => (float[N,2,6] z) { a = LpNormalization (x)\n b = Round (a)\n z = LRN <size = 3> (b) }"
    )
    text = text.replace("LRN <size = 3> (b)", "LogSoftmax (b)")
    with pytest.raises(UnsupportedOperator, match="deeplift has no rule for 1 LogSoftmax, 1 Round, 1 LpNormalization"):
        DeepLIFT()(opened(text, WEIGHTS), SAMPLES, "z[1,3]")

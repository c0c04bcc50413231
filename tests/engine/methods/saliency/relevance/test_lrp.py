"""Layer-wise relevance propagation, restated in numpy in float64: each rule, each place, and what is refused."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import onnxray
from onnxray.errors import InputError, UnsupportedOperator
from onnxray.methods.saliency.item import MapItem
from onnxray.methods.saliency.relevance.deeplift import DeepLIFT
from onnxray.methods.saliency.relevance.lrp import LRP
from onnxray.objectives.targets import Like
from support import models
from support.trusted import trusted

Array = NDArray[Any]

CONVOLUTION = (
    "net (float[N,2,5,4] x) => (float[N,3,5,2] y) { y = Conv <pads = [1,0,1,0], strides = [1,2], group = 1> (x, w) }"
)
TEXT = """
net (float[N,2,5,4] x) => (float[N,4] z) {
  y = Conv <pads = [1,0,1,0], strides = [1,2]> (x, w, b)
  r = Relu (y)
  f = Flatten (r)
  z = Gemm (f, v, c)
}
"""
WEIGHTS = {
    "w": models.random(1, 3, 2, 3, 2), "b": models.random(2, 3), "v": models.random(3, 30, 4), "c": models.random(4, 4)
}  # fmt: skip
SAMPLES = models.random(5, 3, 2, 5, 4)
CLASS = 2
RULES = ("epsilon", "gamma", "alpha2-beta1", "alpha1-beta0", "z-plus", "w-square", "flat")


def opened(text: str, weights: dict[str, Array], profile: Any = None, **options: Any) -> onnxray.Model:
    model = onnxray.open(models.parse(text, weights, **options), profile)
    trusted(model)
    return model


def items(method: LRP, model: onnxray.Model, samples: Array, target: Any = f"z:{CLASS}") -> tuple[MapItem, ...]:
    return tuple(method(model, samples, target).items)


def matrix(text: str, weights: dict[str, Array], shape: tuple[int, ...]) -> Array:
    """A linear map without bias as a matrix, (numbers in, numbers out): what it makes of unit vectors."""
    units = np.eye(int(np.prod(shape)), dtype=np.float32).reshape(-1, *shape)
    (found,) = models.run(models.parse(text, weights), {"x": units})
    return found.reshape(len(units), -1).astype(np.float64)


def stable(z: Array, epsilon: float = 1e-6) -> Array:
    return z + np.where(z < 0, -epsilon, epsilon)


def positive(a: Array) -> Array:
    return np.maximum(a, 0)


def negative(a: Array) -> Array:
    return np.minimum(a, 0)


def halves(x: Array, up: Array, down: Array, bias: Array) -> tuple[Array, Array]:
    """(contributions that add to the sum, and the sum): of each input (rows) to each output (columns)."""
    parts = positive(x)[:, None] * up + negative(x)[:, None] * down
    return parts, parts.sum(0) + bias


def by_rule(rule: str, x: Array, w: Array, b: Array, relevance: Array, *, flat: Array, gamma: float = 0.25) -> Array:
    """R of the inputs of one sample. flat: where there is a weight at all, which a convolution's matrix leaves out."""
    if rule == "epsilon":
        return (x[:, None] * w / stable(x @ w + b)) @ relevance
    if rule in {"alpha1-beta0", "z-plus", "alpha2-beta1"}:
        beta = 1.0 if rule == "alpha2-beta1" else 0.0
        above, z_above = halves(x, positive(w), negative(w), positive(b))
        below, z_below = halves(x, negative(w), positive(w), negative(b))
        return (1 + beta) * (above / stable(z_above)) @ relevance - beta * (below / stable(z_below)) @ relevance
    if rule == "gamma":
        z = x @ w + b
        up, down = w + gamma * positive(w), w + gamma * negative(w)
        above, z_above = halves(x, up, down, b + gamma * positive(b))
        below, z_below = halves(x, down, up, b + gamma * negative(b))
        return (above / stable(z_above)) @ (relevance * (z > 0)) + (below / stable(z_below)) @ (relevance * (z < 0))
    if rule == "w-square":
        return (w**2 / stable((w**2).sum(0) + b**2)) @ relevance
    assert rule == "flat"
    return (flat / stable(flat.sum(0))) @ relevance


def expected(sample: Array, *, rule: str, dense: str, gamma: float = 0.25) -> Array:
    """The relevance of one sample of TEXT, its convolution by one rule and its product by another."""
    w = matrix(CONVOLUTION, {"w": WEIGHTS["w"]}, (2, 5, 4))
    ones = matrix(CONVOLUTION, {"w": np.ones_like(WEIGHTS["w"])}, (2, 5, 4))
    b, v, c = np.repeat(WEIGHTS["b"], 10).astype(np.float64), *(WEIGHTS[name].astype(np.float64) for name in "vc")
    x = sample.astype(np.float64).ravel()
    r = positive(x @ w + b)
    z = r @ v + c
    start = np.where(np.arange(4) == CLASS, z, 0)
    middle = by_rule(dense, r, v, c, start, flat=np.ones_like(v), gamma=gamma)
    return by_rule(rule, x, w, b, middle, flat=ones, gamma=gamma).reshape(sample.shape)


def close(found: Any, wanted: Any, relative: float = 2e-5) -> None:
    assert np.abs(wanted).max() > 0
    np.testing.assert_allclose(found, wanted, rtol=0, atol=relative * np.abs(wanted).max())


@pytest.fixture(scope="module")
def model() -> onnxray.Model:
    return opened(TEXT, WEIGHTS)


@pytest.mark.parametrize("dense", ["epsilon", "gamma", "alpha2-beta1", "z-plus", "flat"])
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_at_a_convolution_and_at_a_product(model: onnxray.Model, rule: Any, dense: Any) -> None:
    found = items(LRP(rule=rule, dense_rule=dense), model, SAMPLES)
    for item, sample in zip(found, SAMPLES):
        close(item.attribution, expected(sample, rule=rule, dense=dense))


def test_gamma_and_epsilon_are_options(model: onnxray.Model) -> None:
    found = items(LRP(rule="gamma", dense_rule="gamma", gamma=1.5), model, SAMPLES)
    close(found[0].attribution, expected(SAMPLES[0], rule="gamma", dense="gamma", gamma=1.5))
    close(found[0].heat, found[0].attribution)
    none = items(LRP(rule="epsilon", epsilon=0.0), model, SAMPLES)
    close(none[0].attribution, expected(SAMPLES[0], rule="epsilon", dense="epsilon"), 1e-4)
    lone = np.zeros_like(SAMPLES[:1])
    lone[..., -1, -1] = 1
    found = items(LRP(rule="epsilon", epsilon=0.0), opened(TEXT.replace(", b)", ")"), WEIGHTS), lone)
    assert np.isfinite(found[0].attribution).all()  # most sums of the convolution are 0, of which nothing comes
    assert np.count_nonzero(found[0].attribution) == 2
    large = items(LRP(rule="epsilon", epsilon=1e4), model, SAMPLES)[0].numbers_["conservation_gap"]
    assert large == pytest.approx(1, abs=1e-2)  # all of it is kept


@pytest.mark.parametrize(("composite", "rule", "first"), [
    ("epsilon-plus", "z-plus", None), ("epsilon-plus-flat", "z-plus", "flat"),
    ("epsilon-alpha2-beta1", "alpha2-beta1", None), ("epsilon-alpha2-beta1-flat", "alpha2-beta1", "flat"),
])  # fmt: skip
def test_composites(composite: Any, rule: Any, first: Any) -> None:
    """The first layer is the one that no linear layer stands before; a second one has the convolutions' rule."""
    text = TEXT.replace("z = Gemm (f, v, c)", "g = Reshape (f, s)\n  h = Conv (g, u)\n  z = Flatten (h)")
    own = {name: WEIGHTS[name] for name in "wb"}
    text = text.replace("float[N,4] z", "float[N,k] z")
    deep = opened(text, {**own, "u": models.random(7, 4, 3, 5, 2), "s": np.array([-1, 3, 5, 2])})
    found = items(LRP(composite=composite), deep, SAMPLES)
    same = items(LRP(rule=rule, first_rule=first or rule), deep, SAMPLES)
    close([item.attribution for item in found], [item.attribution for item in same])
    if first:
        other = items(LRP(rule=rule, first_rule=rule), deep, SAMPLES)
        assert np.abs(found[0].attribution - other[0].attribution).max() > 1e-3


def test_z_box_goes_by_the_bounds_of_what_the_first_layer_reads() -> None:
    """x * W - l * W^+ - h * W^-, of grey levels between 0 and 255 as the profile and the graph make them."""
    text = """
    net (float[N,1,14,14] x) => (float[N,2] z) {
      d = Sub (x, m)
      q = Div (d, s)
      f = Flatten (q)
      h = Gemm (f, w, b)
      r = Relu (h)
      z = Gemm (r, v)
    }"""
    weights = {
        "m": np.float32(0.25).reshape(1), "s": np.float32(-0.5).reshape(1), "w": models.random(1, 196, 6),
        "b": models.random(2, 6), "v": models.random(3, 6, 2),
    }  # fmt: skip
    net = opened(text, weights, models.GREY)
    pixels = models.pictures(2)
    found = items(LRP(first_rule="z-box"), net, pixels, "z:1")
    wide = {name: array.astype(np.float64) for name, array in weights.items()}
    for item, picture in zip(found, pixels):
        q, ends = ((p.astype(np.float64).ravel() / 255 - 0.5) / 0.5 for p in (picture, np.array([0, 255.0])))
        q, ends = (q - 0.25) / -0.5, np.sort((ends - 0.25) / -0.5)
        h = positive(q @ wide["w"] + wide["b"])
        middle = h * wide["v"][:, 1]
        parts = q[:, None] * wide["w"] - ends[0] * positive(wide["w"]) - ends[1] * negative(wide["w"])
        close(item.attribution.ravel(), (parts / stable(parts.sum(0))) @ middle)


def test_what_biases_keep_is_the_gap(model: onnxray.Model) -> None:
    """S - sum R = sum over the layers of b_k R_k / z_k, under epsilon."""
    w = matrix(CONVOLUTION, {"w": WEIGHTS["w"]}, (2, 5, 4))
    b, v, c = np.repeat(WEIGHTS["b"], 10).astype(np.float64), *(WEIGHTS[name].astype(np.float64) for name in "vc")
    for item, sample in zip(items(LRP(rule="epsilon"), model, SAMPLES), SAMPLES):
        y = sample.astype(np.float64).ravel() @ w + b
        z = positive(y) @ v + c
        middle = positive(y) * v[:, CLASS]
        kept = c[CLASS] + (b * middle / stable(y)).sum()
        gap = item.numbers_["conservation_gap"]
        assert gap == pytest.approx((z[CLASS] - item.attribution.sum()) / abs(z[CLASS]), abs=1e-5)
        assert item.numbers_["kept_by_biases"] == pytest.approx(kept / abs(z[CLASS]), abs=1e-4)
        assert gap == pytest.approx(item.numbers_["kept_by_biases"], abs=1e-4)
        assert item.numbers_["relevance"] == pytest.approx(float(item.attribution.sum()), abs=1e-4)


def test_without_biases_all_of_the_score_arrives() -> None:
    text = TEXT.replace("(x, w, b)", "(x, w)").replace("(f, v, c)", "(f, v)")
    net = opened(text, {name: WEIGHTS[name] for name in "wv"})
    for rule in ("epsilon", "z-plus", "w-square", "flat"):
        for item in items(LRP(rule=rule), net, SAMPLES):
            assert abs(item.numbers_["conservation_gap"]) < 1e-3
            assert item.numbers_["kept_by_biases"] == 0


def test_a_file_of_a_fixed_batch_gives_each_sample_its_own(model: onnxray.Model) -> None:
    fixed = opened(TEXT.replace("[N,", "[4,"), WEIGHTS)
    found, alone = (items(LRP(), net, SAMPLES) for net in (fixed, model))
    close([item.attribution for item in found], [item.attribution for item in alone], 1e-6)
    assert [item.numbers_["kept_by_biases"] for item in found] == pytest.approx(
        [item.numbers_["kept_by_biases"] for item in alone], rel=1e-4
    )


def test_a_margin_is_shared_out_and_a_probability_is_refused() -> None:
    net = opened(models.LENET.format(batch="N"), models.lenet_weights(), models.GREY)
    pixels = models.pictures(2)
    (own, other) = (items(LRP(score=score), net, pixels, "class:1") for score in ("logit", "margin"))
    assert own[0].numbers_["relevance"] != pytest.approx(other[0].numbers_["relevance"])
    for item in other:
        assert item.numbers_["relevance"] == pytest.approx(
            item.target_score - item.numbers_["conservation_gap"] * abs(item.target_score), rel=1e-3
        )
    for score in ("probability", "log-probability"):
        with pytest.raises(InputError, match=r"no sum of summands .* \(--score\)"):
            LRP(score=score)(net, pixels, "class:1")


def test_the_likeness_of_an_embedding_takes_its_length_as_a_factor(model: onnxray.Model) -> None:
    """R = z * r / (|z| |r|) at the embedding: of all numbers of z at once, as of one after the other."""
    reference = models.random(8, 1, 2, 5, 4)
    (item,) = LRP(rule="epsilon")(model, SAMPLES[:1], Like(image=reference)).items
    ends = [z.astype(np.float64)[0] for z in (model.values(one, ["z"])["z"] for one in (SAMPLES[:1], reference))]
    summands = ends[0] * ends[1] / np.linalg.norm(ends[0]) / np.linalg.norm(ends[1])
    parts = [LRP(rule="epsilon")(model, SAMPLES[:1], f"z:{k}").items[0].attribution for k in range(4)]
    close(item.attribution, sum(part * summands[k] / ends[0][k] for k, part in enumerate(parts)), 1e-4)


@pytest.mark.parametrize(("lines", "operators"), [
    ("a = Abs (x)\n z = Exp (a)", "1 Exp, 1 Abs"), ("a = Exp (x)\n b = Exp (a)\n z = Sqrt (b)", "2 Exp, 1 Sqrt"),
    ("z = Mul (x, x)", "1 Mul"), ("z = LogSoftmax (x)", "1 LogSoftmax"), ("z = Pow (x, p)", "1 Pow"),
    ("z = Einsum <equation = \"ij->ij\"> (x)", "1 Einsum"), ("one = Div (p, x)\n z = Neg (one)", "1 Div"),
])  # fmt: skip
def test_what_has_no_rule_is_refused_by_name(lines: str, operators: str) -> None:
    net = opened(f"net (float[N,4] x) => (float[N,4] z) {{ {lines} }}", {"p": np.float32(2).reshape(1)})
    with pytest.raises(UnsupportedOperator, match=f"lrp has no rule for {operators} between") as caught:
        LRP()(net, models.random(0, 2, 4), "z:1")
    assert "\n" not in str(caught.value)
    assert "integrated-gradients" in str(caught.value)


@pytest.mark.parametrize("method", [LRP(), DeepLIFT()])
def test_products_of_quantised_numbers_are_refused_by_name(method: Any) -> None:
    """Their modules carry whole numbers as floats, through which a gradient would come: no rule, no map."""
    text = """net (float[N,4] x) => (float[N,3] z) {
      q = QuantizeLinear (x, s, o)
      p = QLinearMatMul (q, s, o, w, s, o, s, o)
      z = DequantizeLinear (p, s, o)
    }"""
    weights = {"s": np.float32(0.05), "o": np.uint8(128), "w": np.full((4, 3), 140, np.uint8)}
    net = opened(text, {name: np.asarray(array) for name, array in weights.items()})
    with pytest.raises(UnsupportedOperator, match=f"{method.name} has no rule for 1 QLinearMatMul between"):
        method(net, models.random(0, 1, 4), "z:1")


def test_z_box_is_refused_where_the_bounds_are_not_known(model: onnxray.Model) -> None:
    with pytest.raises(InputError, match="no image; take --first-rule"):
        LRP(composite="epsilon-gamma-box")(model, SAMPLES, "z:1")
    text = models.LENET.replace("(x, w1, b1)", "(t, w1, b1)").replace("[first]", "t = Tanh (x)\n  [first]")
    net = opened(text.format(batch="N"), models.lenet_weights(), models.GREY)
    with pytest.raises(InputError, match="Tanh .* stands between it and the input; take --first-rule"):
        LRP(composite="epsilon-gamma-box")(net, models.pictures(1), "ip2:1")

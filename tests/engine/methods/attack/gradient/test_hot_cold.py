"""Hot/cold restated from the paper, the trap of its sign, and the boundary that it ends on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import onnxray
from onnxray.errors import InputError
from onnxray.images.pixels import Pixels
from onnxray.images.profile.profile import Profile
from onnxray.methods.attack.gradient.hot_cold import HotCold
from support import models

PROFILE = Profile(name="unit", layout="NCHW", channels="RGB", scale=1 / 255, mean=(0,) * 3, std=(1,) * 3, size=(8, 8))
X = np.random.default_rng(0).integers(40, 215, (2, 3, 8, 8)).astype(np.float32)
TEXT = (
    "g (float[N,3,8,8] x) => (float[N,5] y) {{ f = Flatten (x) h = MatMul (f, w) r = Tanh (h) z = Gemm (r, v) {end} }}"
)

BELOW = "k = Constant <value_float = 50.0> () y = Sub (z, k)"


def network(end: str) -> Any:
    weights = {"w": models.random(0, 192, 16), "v": models.random(1, 16, 5)}
    return onnxray.open(models.parse(TEXT.format(end=end), weights).SerializeToString(), PROFILE, output="y=logits")


@pytest.mark.parametrize(("end", "rank"), [("y = Identity (z)", 1), ("y = Identity (z)", 3), (BELOW, 1)])
def test_the_direction_heats_one_logit_and_cools_another(end: str, rank: int) -> None:
    model = network(end)
    said = model.predict(X)
    value = model.aliases["logits"]
    h = said.scores
    cold = said.classes
    order = np.argsort(-np.where(np.arange(5) == cold[:, None], -np.inf, h), axis=1)
    hot = order[:, rank - 1]
    w = np.zeros_like(h)
    rows = np.arange(2)
    w[rows, hot], w[rows, cold] = np.abs(h[rows, hot]), -np.abs(h[rows, cold])
    eta = model.pullback(X, {value: w.astype(np.float32)})
    result = HotCold(rank=rank, search="exhaustive")(model, X)
    for k, item in enumerate(result.items):
        scale = item.numbers_["scale"]
        direction = eta[k] / np.abs(eta[k]).max()
        assert item.success
        image = np.rint(np.clip(X[k] + scale * direction, 0, 255))
        assert np.abs(image - item.images["image"]).max() <= 1
        assert (image != item.images["image"]).mean() < 0.02
        before = np.rint(np.clip(X[k] + (scale - 1 / 16) * direction, 0, 255)).astype(np.float32)
        assert model.predict(Pixels.of(before[None])).classes[0] == cold[k]


def test_logits_below_zero_throughout_are_still_cooled() -> None:
    model = network(BELOW)
    before = model.predict(X)
    assert (before.scores <= 0).all()
    for k, item in enumerate(HotCold()(model, X).items):
        after = model.predict(Pixels.of(item.images["image"][None].astype(np.float32)))
        assert after.scores[0, before.classes[k]] < before.scores[k, before.classes[k]]


def test_hard_positives_go_beyond_the_boundary() -> None:
    model = network("y = Identity (z)")
    near, far = (HotCold(beyond=beyond)(model, X).items for beyond in (1.0, 1.5))
    for one, other in zip(near, far):
        assert other.numbers_["scale"] == pytest.approx(1.5 * one.numbers_["scale"])
        assert other.l2 > one.l2


def test_what_is_asked_in_vain() -> None:
    with pytest.raises(InputError, match="there are 4 other classes"):
        HotCold(rank=5)(network("y = Identity (z)"), X)
    weights = {"w": models.random(0, 192, 16), "v": models.random(1, 16, 5)}
    proto = models.parse(TEXT.format(end="y = Identity (z)"), weights)
    embedding = onnxray.open(proto.SerializeToString(), PROFILE, output="y=embedding")
    with pytest.raises(InputError, match="hot-cold needs classes"):
        HotCold()(embedding, X)

"""Feature adversaries on a layer whose best answer a solver gives: bounded least squares."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import lsq_linear

import onnxray
from onnxray.errors import InputError
from onnxray.images.files import save_png
from onnxray.images.profile.profile import Profile
from onnxray.methods.attack.gradient.feature_adversary import FeatureAdversary
from support import models

PROFILE = Profile(name="unit", layout="NCHW", channels="RGB", scale=1 / 255, mean=(0,) * 3, std=(1,) * 3, size=(4, 4))
RANDOM = np.random.default_rng(0)
X, GUIDE = (RANDOM.integers(5, 250, (2, 3, 4, 4)).astype(np.float32) for _ in range(2))
WEIGHTS = models.random(0, 48, 20)
TEXT = "g (float[N,3,4,4] x) => (float[N,3] y) { f = Flatten (x) h = MatMul (f, w) y = Gemm (h, v) }"


def network() -> Any:
    proto = models.parse(TEXT, {"w": WEIGHTS, "v": models.random(1, 20, 3)})
    return onnxray.open(proto.SerializeToString(), PROFILE, output="y=logits")


@pytest.mark.parametrize("eps", [10.0, 40.0])
def test_the_nearest_in_the_box(eps: float) -> None:
    matrix = WEIGHTS.T.astype(np.float64) / 255
    result = FeatureAdversary(layer="h", eps=eps, float_=True)(network(), X, GUIDE)
    for item, x, guide in zip(result.items, X, GUIDE):
        origin, wanted = x.reshape(-1).astype(float), matrix @ (guide - x).reshape(-1)
        low, high = np.maximum(-eps, -origin), np.minimum(eps, 255 - origin)
        best = lsq_linear(matrix, wanted, (low, high))
        apart = np.linalg.norm(wanted)
        least = np.linalg.norm(matrix @ best.x - wanted) / apart
        moved = (item.images["image"].astype(float) - x).reshape(-1)
        assert np.abs(moved).max() <= eps
        assert item.numbers_["distance_ratio"] == pytest.approx(
            np.linalg.norm(matrix @ moved - wanted) / apart, rel=1e-3
        )
        assert least - 1e-4 <= item.numbers_["distance_ratio"] <= least + 0.03  # whole grey levels
        assert item.success == (item.numbers_["distance_ratio"] < 0.5)


def test_one_guide_serves_all_and_none_is_refused() -> None:
    result = FeatureAdversary(layer="h", eps=20.0, steps=5)(network(), X, GUIDE[:1])
    assert len(result.items) == 2
    for goal, said in ((None, "needs a guide"), (RANDOM.uniform(0, 255, (3, 3, 4, 4)), "3 guides for 2 images"),
                       (X, "representation at 'h' already")):  # fmt: skip
        with pytest.raises(InputError, match=said):
            FeatureAdversary(layer="h")(network(), X, goal)
    with pytest.raises(InputError, match="bounded by linf"):
        FeatureAdversary(norm="l2")


def test_ranks_among_neighbours_restated(tmp_path: Path) -> None:
    """By lists that are sorted, on what is saved; the source is nearest where hardly anything was moved."""
    model = network()
    beside = RANDOM.integers(0, 256, (9, 3, 4, 4)).astype(np.uint8)
    for k, image in enumerate(beside):
        save_png(tmp_path / f"{k}.png", image)
    matrix = WEIGHTS.T.astype(np.float64) / 255

    def apart(a: Any, b: Any) -> float:
        return float(np.linalg.norm(matrix @ (np.asarray(a, float) - b).ravel()))

    for eps in (1.0, 60.0, 250.0):
        method = FeatureAdversary(layer="h", eps=eps, neighbours=str(tmp_path))
        for item, x, guide in zip(method(model, X, GUIDE).items, X, GUIDE):
            own = item.images["image"].astype(float)
            everyone = {**dict(enumerate(beside)), "source": x, "guide": guide}
            order = sorted(everyone, key=lambda name: apart(everyone[name], own))
            numbers = item.numbers_
            assert numbers["guide_rank"] == order.index("guide") + 1
            assert numbers["source_rank"] == order.index("source") + 1
            around = [sorted(range(9), key=lambda k, of=of: apart(beside[k], of)) for of in (own, guide)]
            near = around[0][:3]
            assert numbers["neighbours_shared"] == pytest.approx(len({*near} & {*around[1][:3]}) / 3)
            shift = np.mean([around[1].index(k) - around[0].index(k) for k in near])
            assert numbers["rank_shift"] == pytest.approx(shift)
            assert numbers["source_ratio"] == pytest.approx(apart(own, x) / apart(x, guide), rel=1e-3)
            assert numbers["source_rank"] == 1 or eps > 1
            assert numbers["guide_rank"] == 1 or eps < 250
    with pytest.raises(InputError, match="2 pictures are among the neighbours; at least 3 are needed"):
        FeatureAdversary(layer="h", neighbours=(str(tmp_path / "1.png"), str(tmp_path / "2.png")))(model, X, GUIDE)

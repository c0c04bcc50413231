"""NES and SPSA on a linear classifier: the gradient is known, and so is the budget below which nothing succeeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onnxray.methods.attack.score.nes import NES
from onnxray.methods.attack.score.spsa import SPSA
from support.attacking import attacked
from support.linear import SIDE, Linear

LINEAR = Linear.random(0, features=6, classes=2)
IMAGES = np.random.default_rng(3).integers(90, 166, (4, 1, SIDE, SIDE)).astype(np.float32)
W = LINEAR.v.astype(float) @ LINEAR.w


@pytest.fixture(scope="module")
def model() -> Any:
    return LINEAR.open()


def smallest(order: float) -> Any:
    """|z_y - z_j| / ||w_y - w_j||_q of each image, q the dual of the norm."""
    z = IMAGES.reshape(4, -1).astype(float) @ W.T + LINEAR.b
    return np.abs(z[:, 0] - z[:, 1]) / np.linalg.norm(W[0] - W[1], order)


@pytest.mark.parametrize("kind", [NES, SPSA])
def test_the_estimate_points_down_the_margin(model: Any, kind: Any) -> None:
    """With five times as many pairs as numbers its cosine with the gradient is near sqrt(q / (q + K))."""
    asked = attacked(model, IMAGES, 8.0)
    pairs = 5 * SIDE * SIDE
    seen = []

    class Watched(kind):  # type: ignore[misc]
        def followed(self, gradient: Any, moments: Any, step: int) -> Any:
            seen.append(gradient.copy())
            return super().followed(gradient, moments, step)

    Watched(pairs=pairs, steps=1, spread=1.0).perturb(asked)
    for image, gradient in zip(IMAGES, seen[0]):
        own = LINEAR.class_of(image)
        exact = W[own] - W[1 - own]
        cosine = gradient @ exact / np.linalg.norm(gradient) / np.linalg.norm(exact)
        assert cosine > 0.88
        assert gradient @ exact / (exact @ exact) == pytest.approx(1, abs=0.15)
    assert (asked.oracle.queries.judge <= 2 * pairs + 2).all()


@pytest.mark.parametrize("kind", [NES, SPSA])
@pytest.mark.parametrize(("norm", "order"), [("linf", 1), ("l2", 2)])
def test_they_succeed_above_the_smallest_norm_and_never_below(model: Any, kind: Any, norm: Any, order: int) -> None:
    least = smallest(order)
    enough = kind(norm=norm, eps=2 * least.max() + 1, steps=60, pairs=60)(model, IMAGES).items
    assert all(item.success for item in enough)
    hardest = kind(norm=norm, eps=0.95 * least.max(), steps=20, pairs=60)(model, IMAGES[[least.argmax()]]).items
    assert not hardest[0].success

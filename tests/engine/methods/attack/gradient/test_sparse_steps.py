"""APGD under l1: the projection against its own conditions, the run against the authors' code on the same start."""

from __future__ import annotations

import numpy as np
import pytest

import onnxray
from onnxray.methods.attack.gradient.apgd import APGD
from onnxray.methods.attack.gradient.l1_box import nearest_in_box
from onnxray.methods.attack.gradient.sparse_steps import SparseSteps
from support.attacking import attacked, bent
from support.linear import pictures


@pytest.mark.parametrize("numbers", [1, 7, 300])
def test_the_nearest_point_of_ball_and_box(numbers: int) -> None:
    """By bisection of t, and no point near it in both is nearer."""
    random = np.random.default_rng(numbers)
    d = random.normal(0, 50, (40, numbers)).astype(np.float32)
    low, high = -random.uniform(0, 60, d.shape), random.uniform(0, 60, d.shape)
    low[:5], high[5:9] = 0, np.inf
    eps = random.uniform(0.01, 40 * numbers, 40)
    found = nearest_in_box(d, eps, low, high)
    assert (found >= low - 1e-3).all()
    assert (found <= high + 1e-3).all()
    assert (np.abs(found).sum(1) <= eps * (1 + 1e-5) + 1e-4).all()
    for row in range(40):
        room, size = np.where(d[row] > 0, high[row], -low[row]), np.abs(d[row].astype(float))
        least, most = 0.0, float(size.max())
        for _ in range(200):
            middle = (least + most) / 2
            over = np.minimum(np.maximum(size - middle, 0), room).sum() > eps[row]
            least, most = (middle, most) if over else (least, middle)
        t = most if np.minimum(size, room).sum() > eps[row] else 0.0
        by_hand = np.sign(d[row]) * np.minimum(np.maximum(size - t, 0), room)
        assert found[row] == pytest.approx(by_hand, abs=2e-3)


def test_the_projection_is_the_authors() -> None:
    base = pytest.importorskip("autoattack.autopgd_base")
    import torch

    random = np.random.default_rng(0)
    x, d = random.random((20, 50)), random.normal(0, 0.5, (20, 50))
    for eps in (0.5, 3.0, 12.0):
        theirs = d + base.L1_projection(torch.from_numpy(x), torch.from_numpy(d), eps).numpy()
        ours = nearest_in_box(255 * d, np.full(20, 255 * eps), -255 * x, 255 * (1 - x))
        assert ours == pytest.approx(255 * theirs, abs=2e-3)


def test_the_run_is_the_authors_on_the_same_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """In float64, and numbers that rounding alone has moved count as unchanged, of which the authors' code takes no
    care. Neither run stops at the first success.
    """
    base = pytest.importorskip("autoattack.autopgd_base")
    import torch

    model, images, eps, steps = bent(2), pictures(6), 60.0, 40
    inner = onnxray.to_torch(model).double()
    x = torch.from_numpy(images.astype(np.float64)) / 255
    labels = torch.from_numpy(model.predict(model.pixels(images)).classes)
    start = np.random.default_rng(1).normal(0, 40, (6, images[0].size)).astype(np.float32)
    with monkeypatch.context() as patched:
        patched.setattr(base, "L0_norm", lambda d: (d.abs().reshape(len(d), -1) > 1e-6).double().sum(-1))
        patched.setattr(torch.Tensor, "float", torch.Tensor.double)
        peer = base.APGDAttack(lambda x: inner(255 * x), n_iter=steps, norm="L1", eps=eps / 255, device="cpu")
        peer.init_hyperparam(x)
        moved = torch.from_numpy(start.reshape(x.shape).astype(np.float64)) / 255
        begun = x + moved + base.L1_projection(x, moved, eps / 255)
        theirs, _, loss, _ = peer.attack_single_run(x, labels, x_init=begun)
    asked = attacked(model, images, eps, start)
    method = APGD(norm="l1", eps=eps, steps=steps + 1, loss="cross-entropy")
    ours = SparseSteps(method, asked, np.arange(6), None, steps + 1, fresh=False, asking=False)
    ours.descend()
    assert -ours.best == pytest.approx(loss.numpy(), rel=1e-3, abs=1e-4)
    assert np.abs(ours.best_d - 255 * (theirs - x).reshape(6, -1).numpy()).max() < 0.02 * eps
    assert (ours.best_d != 0).mean() < 0.2


def test_larger_budgets_come_first_and_the_budget_is_kept() -> None:
    model, images = bent(6), pictures(12, 4)
    found = {
        shrink: list(APGD(norm="l1", eps=80.0, steps=40, shrink=shrink)(model, images).items)
        for shrink in (False, True)
    }
    for items in found.values():
        for item in items:
            assert item.l1 <= 80
            assert item.success == (item.judged.class_ != item.origin.class_)
            assert item.queries["backward"] <= 40
    assert sum(item.success for item in found[True]) >= sum(item.success for item in found[False]) > 0

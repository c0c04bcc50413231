"""APGD against torchattacks on the same start, and where the ratio of logits has no slope."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import onnxray
from onnxray.errors import InputError
from onnxray.methods.attack.base import Attacked
from onnxray.methods.attack.gradient.apgd import APGD
from onnxray.methods.attack.oracle import Oracle
from support.attacking import attacked, bent
from support.linear import pictures


@pytest.mark.parametrize(("norm", "eps"), [("linf", 0.9), ("l2", 6.0)])
def test_it_is_the_peers_on_the_same_start(norm: str, eps: float) -> None:
    """Of two classes the cross-entropy falls where the margin does, so that both keep the same iterate."""
    torchattacks = pytest.importorskip("torchattacks")
    import torch

    model, images = bent(2), pictures(6)
    inner = onnxray.to_torch(model).double()

    class Unit(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return inner(255 * x)

    x = torch.from_numpy(images.astype(np.float64)) / 255
    labels = torch.from_numpy(model.predict(model.pixels(images)).classes)
    peer = torchattacks.APGD(
        Unit().eval(), norm={"linf": "Linf", "l2": "L2"}[norm], eps=eps / 255, steps=50, loss="ce", verbose=False
    )
    torch.manual_seed(0)
    drawn = 2 * torch.rand(x.shape) - 1 if norm == "linf" else torch.randn(x.shape)
    flat = drawn.reshape(6, -1).numpy().astype(np.float64)
    start = flat * eps / np.linalg.norm(flat, np.inf if norm == "linf" else 2, axis=1)[:, None]
    torch.manual_seed(0)
    theirs, still, _, _ = peer.attack_single_run(x, labels)
    kept = np.flatnonzero(still.numpy())  # the others are dropped on the way
    assert len(kept) >= 3
    asked = attacked(model, images, eps, np.asarray(start, np.float32))
    ours = APGD(norm=norm, eps=eps, steps=51, loss="cross-entropy").perturb(asked).d  # type: ignore[arg-type]
    other = 255 * theirs.numpy().reshape(6, -1) - images.reshape(6, -1)
    assert np.abs(ours - other)[kept].max() < 2e-3 * eps
    assert (asked.oracle.queries.backward[kept] == 51).all()


def test_nearest_classes_are_aimed_at_and_any_other_counts() -> None:
    model, images = bent(6), pictures(12, 4)
    plain, aimed = (list(APGD(eps=2.0, steps=20, classes=n)(model, images).items) for n in (0, 5))
    assert sum(item.success for item in aimed) >= sum(item.success for item in plain) > 0
    for item in aimed:
        assert item.success == (item.judged.class_ != item.origin.class_)
        assert item.queries["backward"] <= 5 * 20


def test_a_ratio_without_slope_goes_on_by_the_margin() -> None:
    """The oracle is made to answer for it with no slope: the run is the margin's, one question later."""
    model = bent(5)
    images = pictures(1, 2)
    asked = attacked(model, images, 4.0)
    oracle = asked.oracle

    class Flat(Oracle):
        def slopes_of(self, d: Any, rows: Any, objective: Any) -> Any:
            found = oracle.slopes_of(d, rows, objective)
            if objective.kind == "difference-of-logits-ratio":
                found.gradient[:] = 0
            return found

    flat = Flat(variable=oracle.variable, criterion=oracle.criterion, queries=oracle.queries)
    again = Attacked(**{**vars(asked), "oracle": flat})
    found = APGD(eps=4.0, steps=20).perturb(again).d
    margins = attacked(model, images, 4.0)
    other = APGD(eps=4.0, steps=20, loss="margin").perturb(margins).d
    assert np.array_equal(found, other)
    assert oracle.queries.backward[0] == margins.oracle.queries.backward[0] + 1


def test_what_it_cannot_do_is_refused() -> None:
    with pytest.raises(InputError, match="norm is 'l0'; apgd keeps to linf, l2 or l1"):
        APGD(norm="l0")
    model, images = bent(5), pictures(1)
    other = (model.predict(model.pixels(images)).classes[0] + 1) % 5
    with pytest.raises(InputError, match="classes is 3: the nearest classes"):
        list(APGD(classes=3)(model, images, int(other)).items)

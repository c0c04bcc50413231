"""What is found of a linear model, whose smallest perturbation is known in closed form, and what is done with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onnxray.methods.attack.base import Attack, WithinBudget
from onnxray.methods.catalogue import family
from support.attacking import attacked, bent, nearest, straight
from support.linear import SIDE

OPTIONS: dict[str, tuple[dict[str, Any], float]] = {
    "bisection": ({"setting": ("steps=20",)}, 1.02),
    "bisection l2": ({"norm": "l2", "setting": ("steps=20",)}, 1.03),
    "ddn": ({"levels": False}, 1.03),
    "carlini-wagner": ({"steps": 200, "constant": 0.01}, 1.02),
    "deepfool": ({}, 1.03),
    "deepfool linf": ({"norm": "linf"}, 1.03),
    "fmn": ({}, 1.01),
    "fmn l2": ({"norm": "l2"}, 1.01),
    "fmn l1": ({"norm": "l1"}, 1.02),
    "lbfgs": ({}, 1.03),
    "pdpgd": ({}, 1.03),
    "pdpgd l2": ({"norm": "l2"}, 1.04),
    "pdpgd linf": ({"norm": "linf"}, 1.02),
    "sigma-zero": ({"steps": 300}, 1.5),
    "fmn l0": ({"norm": "l0", "steps": 200}, 1.5),
}
"""Attack and the norm in its options -> options, and how much more than the smallest it may give, in floats."""


def pictures(count: int) -> Any:
    """Away from 0 and 255, which closed forms know nothing of."""
    return np.random.default_rng(1).integers(70, 186, (count, 1, SIDE, SIDE)).astype(np.uint8)


@pytest.mark.parametrize("case", OPTIONS)
def test_the_smallest_of_a_linear_model_is_found(case: str) -> None:
    (model, weights), images = straight(2), pictures(6)
    options, most = OPTIONS[case]
    method = family(Attack)[case.split()[0]](float_=True, **options)  # type: ignore[type-abstract]
    for item, image in zip(method(model, images).items, images):
        known = nearest(weights, image, item.norm)
        assert item.unrounded is not None
        assert item.unrounded["success"]
        assert known * (1 - 1e-4) <= item.unrounded[item.norm] <= known * most
        assert item.success
        if item.norm == "linf":
            assert known <= item.linf <= np.floor(known) + 2


def test_what_is_smaller_than_rounding_is_scaled_until_it_shows() -> None:
    """A hundredth of a grey level is enough, and four times as much would still be rounded to nothing."""
    image = pictures(1)
    margin = float(np.diff(straight(2)[1] @ image.ravel())[0])
    model, weights = straight(2, bias=(margin + 0.003, 0.0))
    assert 0.003 / np.abs(np.diff(weights, axis=0)).sum() < 0.02
    item = family(Attack)["fmn"](float_=True)(model, image).items[0]  # type: ignore[type-abstract]
    assert item.unrounded is not None
    assert item.unrounded["linf"] < 0.02
    assert item.success
    assert item.linf == 1


@pytest.mark.parametrize("name", sorted(set(family(WithinBudget)) - {"feature-adversary"}))  # type: ignore[type-abstract]
def test_each_sample_keeps_to_a_budget_of_its_own(name: str) -> None:
    """What a bisection needs, which asks of each sample another one (a feature adversary is asked for a guide)."""
    model, images = bent(5), pictures(4)
    method = family(WithinBudget)[name](eps=200.0)  # type: ignore[type-abstract]
    asked = attacked(model, images, 1.0)
    asked.eps[:] = [1.0, 2.0, 4.0, 8.0]
    size = method.measure.size(method.perturb(asked).d)
    assert (size <= asked.eps * (1 + 1e-5)).all()
    assert (size > 0).all()

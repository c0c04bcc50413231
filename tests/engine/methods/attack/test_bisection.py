"""Which attacks a bisection repeats, and that it looks below what is reached already."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest

from onnxray.errors import InputError
from onnxray.methods.attack.base import WithinBudget
from onnxray.methods.attack.bisection import Bisection
from onnxray.methods.catalogue import family
from support.attacking import attacked, nearest, straight
from support.linear import SIDE


@pytest.mark.parametrize("name", family(WithinBudget))  # type: ignore[type-abstract]
def test_an_attack_with_a_goal_of_its_own_is_not_repeated(name: str) -> None:
    """A bisection asks whether a class is left; an attack on a layer's values has no word on that."""
    if name == "feature-adversary":
        with pytest.raises(InputError, match=f"there is no method '{name}'; there are: apgd, eot, fgsm"):
            Bisection(of=name)
    else:
        assert Bisection(of=name).repeated().name == name


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_below_a_norm_that_is_reached_it_finds_the_smaller_or_nothing(norm: Literal["linf", "l2"]) -> None:
    """Of a linear model the least is known. From one level, or a percent, above it nothing is left to find; from far above
    it is found, and no budget above what is reached is tried.
    """
    model, weights = straight()
    images = np.random.default_rng(3).integers(90, 166, (4, 1, SIDE, SIDE)).astype(np.float32)
    least = np.array([nearest(weights, image, norm) for image in images])
    least = np.ceil(least) if norm == "linf" else least
    method = Bisection(of="pgd", setting="steps=20", norm=norm)

    def smallest(reached: Any) -> tuple[Any, Any]:
        given = replace(attacked(model, images, np.inf), eps=reached)
        whole = method.perturb(given).whole
        assert whole is not None
        size = method.measure.size(whole)
        assert (size < reached).all()
        return size, given.oracle.queries.total

    found, all_of_it = smallest(np.full(4, np.inf))
    assert (found <= least * 1.05 + 1).all()
    nothing, once = smallest(found.copy())
    assert ((nothing == 0) | (nothing < found)).all()
    from_afar, some = smallest(np.maximum(found * 1.3, found + 3))
    assert (from_afar <= found * 1.02 + 1).all()
    assert (from_afar > 0).all()
    assert once.sum() < some.sum()
    assert once.sum() < all_of_it.sum()

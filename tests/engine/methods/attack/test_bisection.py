"""Which attacks a bisection repeats."""

from __future__ import annotations

import pytest

from onnxray.errors import InputError
from onnxray.methods.attack.base import WithinBudget
from onnxray.methods.attack.bisection import Bisection
from onnxray.methods.catalogue import family


@pytest.mark.parametrize("name", family(WithinBudget))  # type: ignore[type-abstract]
def test_an_attack_with_a_goal_of_its_own_is_not_repeated(name: str) -> None:
    """A bisection asks whether a class is left; an attack that asks anything else has no word on that."""
    if name == "feature-adversary":
        with pytest.raises(InputError, match="there is no method 'feature-adversary'; there are: apgd, fgsm"):
            Bisection(of=name)
    else:
        assert Bisection(of=name).repeated().name == name

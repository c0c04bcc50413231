"""The summands of a score: their sum is the score, or there are none."""

import numpy as np
import pytest
import torch

from onnxray.errors import InputError
from onnxray.objectives.class_score import ClassScore
from onnxray.objectives.likeness import Similarity
from onnxray.objectives.objective import Objective
from onnxray.objectives.shares import factors_of_sum, shares
from support import models

Z = models.random(0, 3, 5)
VALUES = {"z": torch.from_numpy(Z)}
PLACE = slice(0, 3)


@pytest.mark.parametrize("objective", [
    ClassScore("z", 2), ClassScore("z", np.array([0, 3, 4])), ClassScore("z", 1, "margin"),
    ClassScore("z", 4) - 0.5 * ClassScore("z", 9 - 8), Similarity("z", models.random(1, 3, 5).astype(np.float64)),
])  # fmt: skip
def test_summands_sum_to_the_score(objective: Objective) -> None:
    found = shares(objective)(VALUES, PLACE)["z"]
    np.testing.assert_allclose(found.sum(1), objective.score({"z": Z.astype(np.float64)}, PLACE), rtol=1e-4, atol=1e-5)
    assert found.shape == Z.shape


def test_a_class_s_logit_is_its_one_summand() -> None:
    found = shares(ClassScore("z", 2))(VALUES, PLACE)["z"].numpy()
    np.testing.assert_array_equal(found, np.where(np.arange(5) == 2, Z, 0))
    np.testing.assert_array_equal(factors_of_sum(ClassScore("z", 2))(VALUES, PLACE)["z"], np.eye(5)[[2] * 3])


@pytest.mark.parametrize("kind", ["probability", "log-probability"])
def test_a_score_that_is_no_sum_is_refused(kind: str) -> None:
    for start in (shares, factors_of_sum):
        with pytest.raises(InputError, match=f"the {kind} of class 2 is no sum of summands at 'z'"):
            start(ClassScore("z", 2, kind))(VALUES, PLACE)  # type: ignore[arg-type]


def test_a_likeness_has_no_factors() -> None:
    with pytest.raises(InputError, match="nothing to share out"):
        factors_of_sum(Similarity("z", np.ones((3, 5))))(VALUES, PLACE)

"""The likeness to an embedding, and how far a value goes in a direction, against numpy and torch."""

import warnings

import numpy as np
import torch
from torch.nn import functional

from onnxray.objectives.likeness import Similarity

VALUES = np.random.default_rng(0).standard_normal((3, 4, 2)).astype(np.float32)
REFERENCES = np.random.default_rng(1).standard_normal((3, 8))


def test_the_cosine_is_that_of_torch() -> None:
    expected = functional.cosine_similarity(torch.from_numpy(VALUES).double().flatten(1), torch.from_numpy(REFERENCES))
    for values in (VALUES, torch.from_numpy(VALUES)):
        found = Similarity("v", REFERENCES).score({"v": values}, slice(0, 3))
        np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-6)


def test_a_dead_embedding_is_like_nothing_and_its_slope_is_the_way_out() -> None:
    dead = VALUES.copy()
    dead[1] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # numpy's, of 0 / 0
        found = Similarity("v", REFERENCES).score({"v": dead}, slice(0, 3))
    assert found[1] == 0
    alive = Similarity("v", REFERENCES).score({"v": VALUES}, slice(0, 3))
    np.testing.assert_array_equal(found[[0, 2]], alive[[0, 2]])
    variable = torch.from_numpy(dead).requires_grad_()
    score = Similarity("v", REFERENCES).score({"v": variable}, slice(0, 3))
    (slope,) = torch.autograd.grad(score.sum(), variable)
    assert score[1] == 0
    np.testing.assert_allclose(slope[1].flatten(), REFERENCES[1] / np.linalg.norm(REFERENCES[1]), rtol=1e-6)

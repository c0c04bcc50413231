"""Shares of variance and distances are those of all codes at once; a linear map is found where there is one."""

import numpy as np
import pytest

from onnxray.methods.features.parts.moments import Moments, linear_map


def test_the_sums_give_what_all_codes_together_give() -> None:
    random = np.random.default_rng(0)
    codes = random.standard_normal((9, 5, 12)) + random.standard_normal((9, 1, 12)) + np.arange(5)[None, :, None] / 3
    moments = Moments(5, 12, own=2)
    for one in codes:
        moments.add(one.astype(np.float64))
    apart = codes - codes.mean((0, 1))
    whole = np.square(apart).sum(2).mean()
    shares = moments.shares()
    assert shares is not None
    assert shares["factor"] == pytest.approx(np.square(apart.mean(0)).sum(1).mean() / whole)
    assert shares["picture"] == pytest.approx(np.square(apart.mean(1)).sum(1).mean() / whole)
    both = apart - apart.mean(0)[None] - apart.mean(1)[:, None]
    assert shares["interaction"] == pytest.approx(np.square(both).sum(2).mean() / whole)
    own = codes[:, 2]
    between = np.mean([np.square(a - b).sum() for i, a in enumerate(own) for j, b in enumerate(own) if i != j])
    moved = np.sqrt(np.square(codes - own[:, None]).sum(2).mean(0) / between)
    np.testing.assert_allclose(moments.moved(), moved)
    assert moments.moved()[2] == 0  # type: ignore[index]
    relative = np.sqrt(np.square(codes - own[:, None]).sum(2).sum(0) / np.square(own).sum())
    np.testing.assert_allclose(moments.relative(), relative)


def test_an_invariant_code_and_one_that_is_the_factor_alone() -> None:
    still, own = Moments(3, 4, 0), Moments(3, 4, 0)
    for k in range(5):
        still.add(np.tile(np.full(4, float(k)), (3, 1)))
        own.add(np.arange(3.0)[:, None] * np.ones(4))
    assert still.shares() == pytest.approx({"factor": 0, "picture": 1, "interaction": 0})
    assert not np.any(still.moved())
    assert own.shares() == pytest.approx({"factor": 1, "picture": 0, "interaction": 0})
    assert own.moved() is None  # all pictures have one code
    nothing = Moments(2, 3, 0)
    nothing.add(np.zeros((2, 3)))
    assert nothing.shares() is None
    assert nothing.relative() is None


def test_a_code_that_follows_by_a_linear_map_is_found_to() -> None:
    random = np.random.default_rng(0)
    before = random.standard_normal((100, 6))
    after = before @ random.standard_normal((6, 6)) + 3
    found = linear_map(before, after)
    assert found is not None
    assert found.r2 > 0.999
    assert found.unchanged_r2 < 0
    assert (found.found_on, found.tested_on) == (50, 50)
    noise = linear_map(before, random.standard_normal((100, 6)))
    assert noise is not None
    assert noise.r2 < 0.1


def test_of_more_numbers_than_pictures_a_code_that_hardly_moves_is_mapped_by_hardly_anything() -> None:
    random = np.random.default_rng(0)
    before = random.standard_normal((40, 500))
    found = linear_map(before, before + 0.01 * random.standard_normal(before.shape))
    assert found is not None
    assert found.r2 > 0.99
    assert linear_map(before, np.ones((40, 500))) is None

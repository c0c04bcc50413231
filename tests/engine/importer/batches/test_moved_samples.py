"""Samples moved from axis to axis, restated by joining and parting; how many batches are fed."""

import itertools

import numpy as np
import pytest
import torch

import onnxray
from onnxray.errors import InputError
from onnxray.importer.batches.moved_samples import batches, deepened, refolded, repeated
from support import models

COUNT = 3
PARTS = [torch.from_numpy(models.random(k, 2, 4, 5)) for k in range(COUNT)]


@pytest.mark.parametrize(("source", "target"), [*itertools.product(range(3), range(3))])
def test_samples_joined_along_one_axis_are_joined_along_another(source: int, target: int) -> None:
    torch.testing.assert_close(refolded(torch.cat(PARTS, source), COUNT, source, target), torch.cat(PARTS, target))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_same_for_each_batch(axis: int) -> None:
    torch.testing.assert_close(repeated(PARTS[0], COUNT, axis), torch.cat([PARTS[0]] * COUNT, axis))


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_axes_in_front(missing: int) -> None:
    assert deepened(PARTS[0], missing).shape == (1,) * missing + (2, 4, 5)
    torch.testing.assert_close(deepened(PARTS[0], missing).reshape(2, 4, 5), PARTS[0])


@pytest.mark.parametrize(
    ("own", "lengths", "expected"), [(1, (3,), 3), (2, (6, 6), 3), (2, (2,), 1), (4, (4, 4, 4), 1)]
)
def test_how_many_batches_are_fed(own: int, lengths: tuple[int, ...], expected: int) -> None:
    assert batches(own, *(torch.zeros(length, 2) for length in lengths)) == expected


@pytest.mark.parametrize(
    ("own", "shapes"),
    [
        (2, ((3, 2),)),
        (2, ((0, 2),)),
        (1, ((0,),)),
        (2, ((4, 2), (2, 2))),
        (2, ((1, 2),)),
        (2, ((),)),
        (1, ((2, 2), ())),
    ],
)
def test_no_whole_number_of_batches_is_refused(own: int, shapes: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(
        InputError, match=f"^the file fixes its batch at {own}, and was given .*; give the same multiple of {own}"
    ):
        batches(own, *map(torch.zeros, shapes))


def test_what_is_no_multiple_of_the_batch_cannot_be_joined() -> None:
    text = "g (float[2,3] x) => (float[3] y, float[2,3] o) { y = ReduceSum <keepdims = 0> (x, zero)  o = Neg (x) }"
    module = onnxray.to_torch(models.parse(text, {"zero": np.int64([0])}), verify=False)
    assert module(torch.ones(2, 3))[0].tolist() == [2, 2, 2]
    with pytest.raises(InputError, match=r"value 'y' of shape \[3\] has no batch axis; give one batch of 2 at most"):
        module(torch.ones(4, 3))

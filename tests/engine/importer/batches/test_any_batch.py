"""The modules that stand for nodes which state the file's own batch, restated by joining."""

import pytest
import torch

from onnxray.errors import InputError
from onnxray.importer.batches.any_batch import Each, OwnShape, SamplesExpand, SamplesGather, SamplesReshape
from support import models

PARTS = [torch.from_numpy(models.random(k, 2, 6)) for k in range(3)]


def test_what_is_the_same_for_all_comes_once_for_each() -> None:
    value = PARTS[0]
    assert Each("v")(value, 1) is value
    torch.testing.assert_close(Each("v")(value, 3), torch.cat([value] * 3))
    alone = torch.tensor(1.5)
    assert Each("v")(alone, 1) is alone
    with pytest.raises(
        InputError, match=r"value 'v' of shape \[\] has no batch axis; give one batch of the file's own"
    ):
        Each("v")(alone, 2)


@pytest.mark.parametrize("axis", [0, 1])
def test_shapes_are_so_many_times_as_long(axis: int) -> None:
    module = SamplesReshape((4, 3), 0)
    torch.testing.assert_close(module(torch.cat(PARTS), 3), torch.cat([part.reshape(4, 3) for part in PARTS]))
    expanded = SamplesExpand((5, 2, 6), axis + 1)(torch.cat(PARTS, axis), 3)
    torch.testing.assert_close(expanded, torch.cat([part.expand(5, 2, 6) for part in PARTS], axis + 1))


def test_each_list_is_picked_from_by_itself() -> None:
    lists, picked = [part.reshape(-1) for part in PARTS], torch.tensor([[0, 11], [-1, -12], [5, -7]])
    found = SamplesGather()(torch.cat(lists), 3, picked)
    torch.testing.assert_close(found, torch.cat([one[picked] for one in lists]))


def test_a_shape_is_that_of_one_batch_and_no_state() -> None:
    module = OwnShape((2, 6), (2,))
    assert module(torch.cat(PARTS)).tolist() == [2, 6]
    assert module.state_dict() == {}
    assert OwnShape((12,), ())(PARTS[0]).shape == ()

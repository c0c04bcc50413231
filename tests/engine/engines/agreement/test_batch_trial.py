"""What is said of the way that a file of a fixed batch goes: how near, on how many values, at which batches."""

import re

import numpy as np
import pytest

import onnxray
from support import models

FREE = "g (float[1,2,T] x) => (float[1,T,2] y) { t = Transpose <perm = [0, 2, 1]> (x) y = MatMul (t, w) }"


@pytest.mark.parametrize(("own", "batches"), [(1, "2 and 3"), (2, "4 and 6")])
def test_a_rewrite_says_how_near_it_is(own: int, batches: str) -> None:
    batch = onnxray.open(models.lenet(own), models.GREY).batch()
    found = re.fullmatch(rf"within (\S+) of the judge on (\d+) values at batches of {batches}", batch.reason)
    assert (batch.file, batch.twin) == (own, "rewrite")
    assert found is not None, batch.reason
    assert float(found[1]) < 1e-4
    assert int(found[2]) == 10  # all but the input


def test_free_dimensions_are_said_to_be_tried_at_two() -> None:
    batch = onnxray.open(models.parse(FREE, {"w": models.random(0, 1, 2, 2)})).batch()
    assert batch.reason.endswith("at batches of 2 and 3; shapes were tried with free dimensions of 2")


def test_a_way_that_is_not_right_says_how_far_it_is() -> None:
    text = "g (float[1,4] x) => (float[1,4] y) { y = ScatterElements <axis = 1> (x, at, new) }"
    batch = onnxray.open(models.parse(text, {"at": np.int64([[2, 0]]), "new": models.random(1, 1, 2)})).batch()
    assert batch.twin == "vmap"
    assert batch.reason.startswith("no rewrite: node")
    assert "; within 0 of the judge on 1 values at batches of 2 and 3" in batch.reason

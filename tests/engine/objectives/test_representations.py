"""Representations alone: by layer, one or several, of the layer's own shape, finite."""

from typing import Any

import numpy as np
import pytest

import onnxray
from onnxray.errors import InputError
from onnxray.objectives.goals import TargetValues
from onnxray.objectives.representations import given_representations
from support import models

SHAPES = {"ip1": (20,), "relu2": (32, 6, 6)}
IP1, RELU2 = models.random(0, 3, 20), models.random(1, 3, 32, 6, 6)


def given(values: Any, shapes: dict[str, tuple[int, ...]] = SHAPES) -> tuple[Any, int]:
    return given_representations(onnxray.open(models.lenet(), models.GREY), TargetValues(values=values), shapes)


def test_several_of_several_layers_by_whole_and_short_names() -> None:
    found, count = given({"ip1": IP1, "relu2": RELU2})
    assert count == 3
    assert list(found) == ["ip1", "relu2"]
    np.testing.assert_array_equal(found["ip1"], IP1)
    np.testing.assert_array_equal(found["relu2"], RELU2)


def test_one_alone_is_a_batch_of_one() -> None:
    found, count = given(IP1[0], {"ip1": (20,)})
    assert (count, found["ip1"].shape, found["ip1"].dtype) == (1, (1, 20), np.float32)
    np.testing.assert_array_equal(given(IP1[0].tolist(), {"ip1": (20,)})[0]["ip1"][0], IP1[0])
    assert given(np.ones(20, np.int64), {"ip1": (20,)})[0]["ip1"].dtype == np.float32


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (IP1, "one representation was given for 2 layers"),
        ({"ip1": IP1}, r"no target representation was given for 'relu2'; there are some for \['ip1'\]"),
        ({"ip1": IP1, "relu2": RELU2[:2]}, r"different numbers of target representations: \[2, 3\]"),
        ({"ip1": IP1[:, :19], "relu2": RELU2}, r"has the shape \[3, 19\]; 'ip1' has \[20\] an image"),
        ({"ip1": IP1[:0], "relu2": RELU2}, r"has the shape \[0, 20\]"),
        ({"ip1": IP1, "relu*": RELU2}, "the representation named 'relu\\*' is of no single layer"),
        ({"ip1": [[1.0], [1.0, 2.0]], "relu2": RELU2}, "for 'ip1' must hold finite numbers alone"),
        ({"ip1": np.full((3, 20), np.nan), "relu2": RELU2}, "must hold finite numbers alone"),
        ({"ip1": np.full((3, 20), 1e300), "relu2": RELU2}, "must hold finite numbers alone"),
        ({"ip1": np.full((3, 20), "a"), "relu2": RELU2}, "must hold finite numbers alone"),
    ],
)
def test_what_does_not_fit_is_said(values: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        given(values)


def test_two_names_of_one_layer_are_one_too_many() -> None:
    with pytest.raises(InputError, match="'logits' is of no single layer, or of another one's"):
        given({"ip2": np.ones(5), "logits": np.ones(5)}, {"ip2": (5,)})

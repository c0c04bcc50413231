"""An array's numbers reach the model as they are, or are refused with the first that does not fit."""

from typing import Any

import numpy as np
import pytest

import onnxray
from onnxray.errors import InputError
from onnxray.model.model import Model
from support import models

READ = "g ({kind}[N,4] x) => (float[N,4] y) {{ y = Cast <to = 1> (x) }}"


def reader(kind: str) -> Model:
    return onnxray.open(models.parse(READ.format(kind=kind)))


@pytest.mark.parametrize(
    ("kind", "row", "said"),
    [
        ("uint8", [1, 300, 2, 3], r"300 at \[0, 1\]; uint8 takes a whole number from 0 to 255"),
        ("uint8", [-1, 0, 0, 0], r"-1 at \[0, 0\]"),
        ("uint8", [0, 0, 3.7, 0], r"3\.7 at \[0, 2\]"),
        ("uint8", [0, 0, 0, np.nan], r"nan at \[0, 3\]"),
        ("uint8", [np.inf, 0, 0, 0], r"inf at \[0, 0\]"),
        ("int8", [200, 0, 0, 0], "200 at"),
        ("int8", [-129, 0, 0, 0], "-129 at"),
        ("int16", [40_000, 0, 0, 0], "40000 at"),
        ("int32", [2**40, 0, 0, 0], "1099511627776 at"),
        ("int32", [3.7, 0, 0, 0], r"3\.7 at"),
        ("int64", [1e19, 0, 0, 0], r"1e\+19 at"),
        ("int64", [float(2**63), 0, 0, 0], r"9\.22"),
        ("int64", [-np.inf, 0, 0, 0], "-inf at"),
        ("int64", [0.9, 0, 0, 0], r"0\.9 at"),
        ("uint64", [-1, 0, 0, 0], "-1 at"),
        ("uint64", [float(2**64), 0, 0, 0], r"1\.84"),
        ("bool", [2, 0, 0, 0], "2 at .*; bool takes 0 or 1"),
        ("bool", [np.nan, 0, 0, 0], "nan at"),
        ("float16", [70_000, 0, 0, 0], "70000 at .*; float16 takes 0 and sizes from 6e-08 to 65504"),
        ("float16", [1e-9, 0, 0, 0], "1e-09 at"),
        ("float", [1e39, 0, 0, 0], r"1e\+39 at"),
        ("float", [1e-60, 0, 0, 0], "1e-60 at"),
    ],
)
def test_a_number_that_does_not_fit_is_refused(kind: str, row: list[Any], said: str) -> None:
    model, x = reader(kind), np.array([row])
    for ask in (
        lambda: model.values(x, ["y"]),
        lambda: model.values({"x": x}, ["y"], engine="twin"),
        lambda: model.predict(x),
        lambda: model.feeds(x),
    ):
        with pytest.raises(InputError, match=said) as caught:
            ask()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ("uint8", [0, 255, 3.0, 7]),
        ("int8", [-128, 127, -1.0, 0]),
        ("int32", [-(2**31), 2**31 - 1, 0, 1]),
        ("int64", [-float(2**63), 2.0**62, 0, 1]),
        ("bool", [0.0, 1.0, 1, 0]),
        ("float16", [65504, 0, 0.1, 6e-8]),
        ("float16", [np.inf, -np.inf, np.nan, -0.0]),
        ("float", [1e38, 0.1, 1e-45, 16_777_217]),
    ],
)
def test_a_number_that_fits_arrives(kind: str, row: list[Any]) -> None:
    x = np.array([row])
    found = reader(kind).feeds(x)["x"]
    np.testing.assert_array_equal(found, x.astype(found.dtype))
    if found.dtype.kind in "iu":
        assert found[0].tolist() == [int(number) for number in row]


@pytest.mark.parametrize("given", [np.array([["a"]]), np.array([[None]]), np.zeros((1, 4), complex), np.array([b"x"])])
def test_arrays_of_no_numbers_are_refused(given: np.ndarray) -> None:
    for images in (given, {"x": given}):
        with pytest.raises(InputError, match="an array of real numbers was expected"):
            reader("float").values(images, ["y"])


def test_rows_of_different_lengths_are_refused() -> None:
    with pytest.raises(InputError, match="gives no array"):
        reader("float").values({"x": [[1.0], [1.0, 2.0]]}, ["y"])


BYTES = """g (uint8[N,1,8,8] x) => (float[N,2] y) {
  f = Cast <to = 1> (x)  p = GlobalAveragePool (f)  q = Flatten (p)  y = Concat <axis = 1> (q, q)
}"""


def test_pixels_that_whole_numbers_do_not_hold_are_refused_rather_than_wrapped() -> None:
    """A method's own pixels may lie outside [0, 255]: as uint8 a black pixel with noise would be a white one."""
    model = onnxray.open(models.parse(BYTES), "raw")
    pixels = model.pixels(np.zeros((1, 1, 8, 8), np.uint8))
    assert model.predict(pixels, scores=True).scores[0, 0] == 0
    with pytest.raises(InputError, match=r"the profile makes the input 'x' hold -3.0 at \[0, 0, 0, 0\]; uint8 takes"):
        model.predict(pixels.replaced(np.full((1, 1, 8, 8), -3)))


def test_pixels_given_in_0_to_1_are_said() -> None:
    model = onnxray.open(models.lenet(), models.GREY)
    small = models.pictures(2) / 255
    with pytest.warns(UserWarning, match=r"image 0: values in \[0, 1\]: taken as shares of 255"):
        found = model.predict(small)
    assert any("values in [0, 1]" in note for note in found.notes)
    assert model.predict(models.pictures(2)).notes == ()


def test_a_picture_that_is_resized_is_in_the_notes_without_a_warning() -> None:
    found = onnxray.open(models.lenet(), models.GREY).predict(np.zeros((1, 20, 20), np.uint8))
    assert found.notes == ("image 0: resized 20x20 -> 16x16, centre crop 14x14",)

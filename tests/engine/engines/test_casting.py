"""What a type holds arrives exactly or rounded, as numpy has it; what it does not hold is refused, and says what to do."""

import numpy as np
import pytest
from PIL import Image

import onnxray
from onnxray.engines.casting import as_array, cast, fed_arrays
from onnxray.errors import InputError
from onnxray.graph.facts import Value
from onnxray.graph.reading import read_graph
from support import models

WHOLE = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")


def value_of(dtype: str) -> Value:
    name = "float" if dtype == "float32" else dtype
    return read_graph(models.parse(f"g ({name}[N] x) => ({name}[N] y) {{ y = Identity (x) }}")).inputs[0]


@pytest.mark.parametrize("dtype", WHOLE)
def test_whole_numbers_up_to_the_ends_of_a_type(dtype: str) -> None:
    ends, value = np.iinfo(dtype), value_of(dtype)
    for number in (ends.min, ends.max, 0, 1):
        given = np.array([number], np.uint64 if number > 2**62 else np.int64)
        found = cast(given, value)
        assert found.dtype == dtype
        assert int(found[0]) == number
    low, high = float(ends.min), float(ends.max) + 1  # powers of two
    assert int(cast(np.array([low]), value)[0]) == ends.min
    assert int(cast(np.array([np.nextafter(high, 0) // 1]), value)[0]) <= ends.max
    for wrong in (high, 2 * low - 1 if low else -1.0, 0.5, np.nan, np.inf, -np.inf):
        with pytest.raises(
            InputError,
            match=f"the array for 'x' holds .* at \\[1\\]; {dtype} takes a whole number from {ends.min} to {ends.max}",
        ):
            cast(np.array([0, wrong]), value)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint32"])
def test_whole_numbers_beyond_the_ends_of_a_type(dtype: str) -> None:
    ends = np.iinfo(dtype)
    for wrong in (int(ends.min) - 1, int(ends.max) + 1):
        with pytest.raises(InputError, match=f"holds {wrong}; {dtype} takes a whole number"):
            cast(np.array(wrong), value_of(dtype))


def test_truth_is_0_or_1() -> None:
    assert cast(np.float32([0, 1]), value_of("bool")).tolist() == [False, True]
    for wrong in (2, -1, 0.5):
        with pytest.raises(InputError, match="bool takes 0 or 1"):
            cast(np.array([wrong]), value_of("bool"))


@pytest.mark.parametrize(
    ("dtype", "known"),
    [("float16", "0 and sizes from 6e-08 to 65504"), ("float32", "0 and sizes from 1.4e-45 to 3.4028e\\+38")],
)
def test_real_numbers_are_rounded_as_numpy_rounds_them(dtype: str, known: str) -> None:
    value, most, least = value_of(dtype), float(np.finfo(dtype).max), float(np.finfo(dtype).smallest_subnormal)
    given = np.array([0.1, -most, least, 0.0, np.inf, np.nan])
    np.testing.assert_array_equal(cast(given, value), given.astype(dtype))
    for wrong in (2 * most, least / 4):
        with pytest.raises(InputError, match=f"holds .* at \\[1\\]; {dtype} takes {known}"):
            cast(np.array([1.0, wrong]), value)
    assert cast(np.array([least / 4]), value, computed=True)[0] == 0
    with pytest.raises(InputError, match="the profile makes the input 'x' hold"):
        cast(np.array([2 * most]), value, computed=True)


def test_double_precision_takes_every_number() -> None:
    given = np.array([5e-324, 1.7e308])
    found = cast(given, value_of("double"))
    np.testing.assert_array_equal(found, given)
    assert found is not given


def test_text_is_refused() -> None:
    with pytest.raises(InputError, match="the input 'x' holds text"):
        cast(np.array([1.0]), value_of("string"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([[1, 2], [3]], "a list that gives no array"),
        (np.array(["a"]), "has the type <U1"),
        (None, "has the type NoneType"),
        (np.array([1j]), "has the type complex128"),
        (np.array([None]), "has the type object"),
    ],
)  # fmt: skip
def test_what_is_no_array_of_real_numbers_is_called_by_its_type(given: object, said: str) -> None:
    with pytest.raises(InputError, match=f"it:? {said}.*an array of real numbers was expected"):
        as_array(given, "it")


def test_arrays_are_told_apart_by_the_names_of_inputs() -> None:
    inputs = read_graph(
        models.parse("g (float[N] x, int64[N] k) => (float[N] y) { c = Cast <to = 1> (k)  y = Add (x, c) }")
    ).inputs
    found = fed_arrays(inputs, {"k": np.float32([2]), "x": [0.5]})
    assert {name: (array.dtype, array.tolist()) for name, array in found.items()} == {
        "x": ("float32", [0.5]),
        "k": ("int64", [2]),
    }
    assert list(fed_arrays(inputs[:1], np.float64([1]))) == ["x"]
    with pytest.raises(InputError, match="also reads the input 'k'"):
        fed_arrays(inputs, {"x": np.float32([1])})
    with pytest.raises(InputError, match="a dict of arrays for 'x', 'k'"):
        fed_arrays(inputs, np.float32([1]))
    with pytest.raises(InputError, match="a dict of arrays for 'x'"):
        fed_arrays(inputs[:1], "x.png")


@pytest.mark.parametrize("shape", ["N,C,H,W", ""])
def test_a_picture_for_an_input_of_any_shape_is_told_of_profiles(shape: str) -> None:
    text = f"g (float[{shape}] x) => (float[] y) {{ p = GlobalAveragePool (x) y = Flatten (p) }}"
    model = models.parse(text).SerializeToString()
    picture = Image.fromarray(np.zeros((16, 16, 3), np.uint8))
    with pytest.raises(InputError, match="--profile unit"):
        onnxray.open(model).predict(picture)
    assert onnxray.open(model, profile="unit").predict(picture).classes.tolist() == [0]

"""Arrays into the type of a graph's input: every number arrives, or none does.

Whole numbers and bool take only what they hold exactly. Real numbers are rounded to the nearest that the type holds, as
ever; one that is too large for it, or so small that it would become 0, is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from onnxray.arrays import Array
from onnxray.engines.readable_copies import carried
from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.graph.facts import Value

_RANGES: Final = {
    "bool": (0, 1),
    **{f"{sign}int{bits}": (0 if sign else -(2 ** (bits - 1)), 2 ** (bits if sign else bits - 1) - 1)
       for bits in (2, 4, 8, 16, 32, 64) for sign in ("", "u")},
}  # fmt: skip
_SIZES: Final = {"float16": (6e-8, 65504.0), "bfloat16": (9.2e-41, 3.39e38), "float32": (1.4e-45, 3.4028235e38)}


def as_array(given: object, described: str) -> Array:
    """Something given as an array of real numbers. Errors: InputError saying what it is instead."""
    expected = "an array of real numbers was expected"
    try:
        array = np.asarray(given)
    except Exception as error:  # rows of different lengths; what other libraries' arrays say in words of their own
        raise InputError(f"{described}: a {type(given).__name__} that gives no array ({error}); {expected}") from None
    array = carried(array)
    if array.dtype.kind not in "fiub":
        held = type(given).__name__ if array.dtype.kind == "O" and not isinstance(given, np.ndarray) else array.dtype
        raise InputError(f"{described} has the type {held}; {expected}")
    return array


def as_given(value: Any) -> Any:
    """What an engine gives, as an array; a sequence of arrays as the list, an empty optional as the None that it is."""
    sequence = isinstance(value, list) and all(isinstance(part, np.ndarray) for part in value)
    return value if sequence or value is None else np.asarray(value)


def as_text(given: object, name: str) -> Array:
    """Text as ONNX Runtime takes it, an array of Python's own. Errors: InputError where a number or else is in it."""
    array = np.asarray(given)
    items = array.reshape(-1).tolist()
    wrong = next((item for item in items if not isinstance(item, str)), None)
    if wrong is not None:
        raise InputError(f"the array for {name!r} holds {short(wrong)}; the input takes text")
    return np.array(items, dtype=object).reshape(array.shape)


def fed_arrays(inputs: Sequence[Value], images: object) -> dict[str, Array]:
    """What is given for a model's inputs, an array or a dict of them, in the inputs' types. Errors: InputError."""
    texts = {value.name for value in inputs if value.dtype == "object"}

    def read(name: str, array: object) -> Array:
        return as_text(array, name) if name in texts else as_array(array, f"input {name!r}")

    if isinstance(images, Mapping):
        given = {str(name): read(str(name), array) for name, array in images.items()}
    elif len(inputs) == 1 and isinstance(images, np.ndarray):
        given = {inputs[0].name: read(inputs[0].name, images)}
    else:
        names = ", ".join(repr(value.name) for value in inputs)
        raise InputError(
            f"the model's input is no image (no profile fits it); give an array, or a dict of arrays for {names}; "
            "where it is an image, name how pixels enter it: --profile unit, onnxray.open(..., profile='unit')"
        )
    for value in inputs:
        if value.name not in given:
            raise InputError(f"the model also reads the input {value.name!r}; give an array for it")
    return {value.name: cast(given[value.name], value) for value in inputs}


def cast(array: Array, value: Value, *, computed: bool = False) -> Array:
    """A copy in the type of the graph's input: exact, or, in real numbers, rounded to the nearest.

    computed: the numbers were made from pixels by the profile; a difference that is nearly 0 may then become 0.
    Errors: InputError with the first number that the type does not hold, its place, and what it holds.
    """
    if not value.dtype or str(array.dtype) == value.dtype:
        return array.copy()
    described = (
        f"the profile makes the input {value.name!r} hold" if computed else f"the array for {value.name!r} holds"
    )
    if value.dtype in _RANGES:
        low, high = _RANGES[value.dtype]
        if array.dtype.kind == "f":  # powers of two are exact in every kind of float, the numbers before them are not
            outside = ~np.isfinite(array) | (array != np.rint(array)) | (array < low) | (array >= high + 1)
        else:
            outside = (array < low) | (array > high)
        if outside.any():
            known = "0 or 1" if value.dtype == "bool" else f"a whole number from {low} to {high}"
            raise InputError(f"{described} {_first(array, outside)}; {value.dtype} takes {known}")
    try:
        with np.errstate(over="ignore", under="ignore"):
            found = array.astype(value.dtype)
            back = found if found.dtype.kind in "fiub" else found.astype(np.float64)
    except (TypeError, ValueError):
        raise InputError(f"the input {value.name!r} is of {value.dtype}, which no array of numbers holds") from None
    if found.dtype.kind == "O":
        raise InputError(f"the input {value.name!r} holds text, and arrays of numbers alone are fed")
    if value.dtype not in _RANGES:
        lost = ~np.isfinite(back) & np.isfinite(array)
        if not computed:
            lost |= (back == 0) & (array != 0)
        if lost.any():
            least, most = _SIZES.get(value.dtype, (0.0, 0.0))
            known = f"0 and sizes from {least:.2g} to {most:.5g}" if most else "smaller numbers"
            raise InputError(f"{described} {_first(array, lost)}; {value.dtype} takes {known}")
    return found


def _first(array: Array, marked: Array) -> str:
    """The first marked number, and its place."""
    place = tuple(int(k) for k in np.argwhere(marked)[0])
    return str(array[place]) + (f" at {list(place)}" if place else "")

"""An array held against what an input takes: its axes, sizes and type, in one line where they do not fit."""

from __future__ import annotations

import math

from onnxray.arrays import Array
from onnxray.engines.casting import as_text, cast
from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.model.inputs.stated import Input

_MOST_EXAMPLE = 10_000_000


def fitted(one: Input, array: Array, label: str) -> Array:
    """The array as samples of an input, in its type: one sample gets its axis of samples.

    label: where the array came from. Errors: InputError with both shapes and how to make one that fits.
    """
    if one.value.dtype == "object":
        array = as_text(array, one.name)
    shape = one.value.shape
    if shape is not None:
        if array.ndim == len(shape) - 1 and not _is_fixed(shape[0]) and _agrees(array.shape, shape[1:]):
            array = array[None]
        if array.ndim != len(shape) or not _agrees(array.shape[1:], shape[1:]):
            raise InputError(
                f"{label} holds {array.dtype} of shape {list(array.shape)}, and the input {short(one.name)} takes "
                f"{one.takes}; {_how(one)}"
            )
    if array.dtype.kind in "OUS" and one.value.dtype != "object":
        text = next((item for item in array.reshape(-1).tolist() if _is_word(item)), "")
        raise InputError(f"{label} holds the text {short(text)}, and the input {short(one.name)} takes {one.takes}")
    if array.dtype.kind not in "fiubOUS":
        raise InputError(f"{label} holds {array.dtype}, and the input {short(one.name)} takes {one.takes}; {_how(one)}")
    return cast(array, one.value)


def _is_word(item: object) -> bool:
    """Whether a cell is text that is no number."""
    try:
        float(str(item))
    except ValueError:
        return True
    return False


def _is_fixed(size: object) -> bool:
    return isinstance(size, int) and size > 1


def _agrees(given: tuple[int, ...], wanted: tuple[object, ...]) -> bool:
    return all(not isinstance(size, int) or size <= 0 or size == own for own, size in zip(given, wanted))


def _how(one: Input) -> str:
    """An example of what fits."""
    sizes = [size if isinstance(size, int) and size > 0 else 1 for size in one.value.shape or (1,)]
    if one.value.dtype == "object":
        return f"for one sample {math.prod(sizes)} texts are needed, as rows of a CSV or JSON file"
    dtype = one.value.dtype or "float32"
    known = f"numpy.zeros({tuple(sizes)}, {dtype!r})"
    return f"{known} is one that fits, numpy.save(FILE, array) writes it" if math.prod(sizes) < _MOST_EXAMPLE else known

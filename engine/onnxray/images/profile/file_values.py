"""Values of the JSON files beside a model, checked: what is not as it should be is named with its key and file."""

from __future__ import annotations

from collections.abc import Mapping

from onnxray.errors import ProfileError
from onnxray.errors.short_values import short
from onnxray.images.profile.profile import MAX_SIDE


def sides(value: object, key: str, origin: str) -> tuple[int, int]:
    """Return (height, width) from one number, a pair, or a mapping of height and width. Errors: ProfileError."""
    pair = (value.get("height"), value.get("width")) if isinstance(value, Mapping) else value
    if isinstance(pair, int):
        pair = (pair, pair)
    if (
        not isinstance(pair, list | tuple)
        or len(pair) != 2
        or not all(type(n) is int and 0 < n <= MAX_SIDE for n in pair)
    ):
        raise ProfileError(f"{origin}: {key} is {short(value)}; expected height and width, 1 to {MAX_SIDE} each")
    return pair[0], pair[1]


def numbers(value: object, key: str, origin: str) -> tuple[float, ...]:
    """Return a list of numbers; how many there must be, the Profile says. Errors: ProfileError."""
    try:
        if isinstance(value, list) and value and all(type(one) in (int, float) for one in value):
            return tuple(float(one) for one in value)
    except OverflowError:
        pass
    raise ProfileError(f"{origin}: {key} is {short(value)}; expected a list of numbers")


def name_of(value: object, otherwise: str) -> str:
    """Return what a file calls itself."""
    return value if isinstance(value, str) and value else otherwise

"""Options held against their annotations and ranges."""

from __future__ import annotations

from typing import ClassVar, get_origin, get_type_hints

from onnxray.errors import InputError
from onnxray.errors.type_checks import check_kind


def check_choices(method: object) -> None:
    """Refuse options that are none of their choices, or of the wrong type. Errors: InputError."""
    for name, kind in get_type_hints(type(method)).items():
        if get_origin(kind) is not ClassVar:
            check_kind(name, getattr(method, name), kind)


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Refuse an option outside of its range. Errors: InputError."""
    check_kind(name, value, float)
    if not low <= value <= high:
        raise InputError(f"{name} is {value!r}; {low:g} to {high:g} was expected")

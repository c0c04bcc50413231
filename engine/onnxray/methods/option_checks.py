"""Options held against their annotations and ranges, and what is asked of a model against what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, get_origin, get_type_hints

from onnxray.errors import InputError
from onnxray.errors.type_checks import check_kind

if TYPE_CHECKING:
    from onnxray.model.model import Model


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


def refuse_without_images(model: Model, demand: str) -> None:
    """Refuse a model whose input is no image. demand: as ``rise works on images``. Errors: InputError."""
    if model.profile is None:
        raise InputError(
            f"{demand}, and this model's input is no image (no profile fits it); "
            "state how pixels enter it with --profile"
        )

"""Options held against how they are annotated, ``Annotated[kind, help text, Range(least, most)]``, and models too."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, get_args, get_origin, get_type_hints

from onnxray.errors import InputError
from onnxray.errors.type_checks import check_kind

if TYPE_CHECKING:
    from onnxray.model.model import Model


@dataclass(frozen=True)
class Range:
    """least <= value <= most: stated beside an option's help, for the check, and for the command line's help.

    Stated in whole numbers where the option is one, else in floats.
    """

    least: float
    most: float = math.inf

    def __str__(self) -> str:
        if self.most == math.inf:
            return f"from {_number(self.least)}"
        return f"from {_number(self.least)} to {_number(self.most)}"

    def check(self, name: str, value: float) -> None:
        """Refuse a number outside of it, NaN and infinity too, which no result could state. Errors: InputError."""
        if not self.least <= value <= self.most or value == math.inf:
            kind = "whole number" if isinstance(self.least, int) else "number"
            raise InputError(f"{name} is {value!r}; a {kind} {self} was expected")


def check_choices(options: object) -> None:
    """Refuse options that are none of their choices, of the wrong type or out of their range. Errors: InputError."""
    for name, hint in get_type_hints(type(options), include_extras=True).items():
        if get_origin(hint) is ClassVar:
            continue
        kind, limits = described(hint)[::2]
        value = getattr(options, name)
        check_kind(name, value, kind)
        if limits is not None and value is not None:
            limits.check(name, value)


def described(hint: Any) -> tuple[Any, str, Range | None]:
    """An option's kind, its help text and its range, of how it is annotated."""
    kind, *stated = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    limits = next((one for one in stated if isinstance(one, Range)), None)
    return kind, next((one for one in stated if isinstance(one, str)), ""), limits


def check_range(name: str, value: float, least: float, most: float) -> None:
    """Refuse an option outside of a range that other options make. Errors: InputError."""
    check_kind(name, value, float)
    Range(least, most).check(name, value)


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"


def refuse_without_images(model: Model, demand: str) -> None:
    """Refuse a model whose input is no image. demand: as ``rise works on images``. Errors: InputError."""
    if model.profile is None:
        raise InputError(
            f"{demand}, and this model's input is no image (no profile fits it); "
            "state how pixels enter it with --profile"
        )

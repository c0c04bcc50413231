"""Options held against how they are annotated, ``Annotated[kind, help text, Range(least, most)]``, and models too."""

from __future__ import annotations

import dataclasses
import math
from abc import ABCMeta
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, get_args, get_origin, get_type_hints

from onnxray.errors import InputError
from onnxray.errors.near_misses import did_you_mean
from onnxray.errors.short_values import short
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


class OptionsByName(ABCMeta):
    """The kind of every method, which is given its options by their names: says what else it was given, or lacks."""

    def __call__(cls, *nameless: Any, **options: Any) -> Any:
        """A configured method. Errors: InputError."""
        if dataclasses.is_dataclass(cls):
            _refuse(cls, nameless, options)
        return super().__call__(*nameless, **options)


def _refuse(kind: type[Any], nameless: Sequence[Any], options: dict[str, Any]) -> None:
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}
    known = f"its options: {', '.join(fields)}" if fields else "it has no options"
    if nameless:
        first = "layer" if "layer" in fields else next(iter(fields), "")
        example = f"{kind.__name__}({first}=...); " if fields else ""
        raise InputError(f"{kind.__name__} was given {short(nameless[0])} without a name; {example}{known}")
    for name in options:
        if name not in fields:
            raise InputError(f"{kind.__name__} has no option {short(name)}; {_meant(name, list(fields))}{known}")
    empty = dataclasses.MISSING
    needed = [name for name, one in fields.items() if one.default is empty and one.default_factory is empty]
    missing = [name for name in needed if name not in options]
    if missing:
        raise InputError(f"{kind.__name__} needs {' and '.join(missing)}: {kind.__name__}({missing[0]}=...); {known}")


def _meant(name: str, known: Sequence[str]) -> str:
    """The option that a word is most like, or that stands in it: ``target_layers`` is pytorch-grad-cam's ``layer``."""
    inside = [option for option in known if option in name or name in option]
    return did_you_mean(name, known) or (f"did you mean {max(inside, key=len)!r}? " if inside else "")

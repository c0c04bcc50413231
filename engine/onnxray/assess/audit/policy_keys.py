"""The keys of a policy's tables, and their values as they must be."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, Union, final, get_args, get_origin, get_type_hints

from onnxray.assess.audit.check import Check
from onnxray.errors import InputError
from onnxray.errors.near_misses import did_you_mean
from onnxray.errors.short_values import short
from onnxray.methods.option_checks import described

LIMITS: Final[tuple[Literal["min", "max", "max_drop", "max_drop_relative"], ...]] = (
    "min", "max", "max_drop", "max_drop_relative",
)  # fmt: skip
LEVELS: Final = ("block", "warn", "record")
DEFAULT_KEYS: Final = ("level", "confidence", "min_images", "sequential")
SLICE_KEYS: Final = ("by", "min_images", *LIMITS)
CHECK_KEYS: Final = ("use", "name", "figure", "images", "models", "slices", *DEFAULT_KEYS, *LIMITS)
"""What no option of a check may be called."""

_KINDS: Final = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


@final
class Table:
    """A table of a policy and where it stands, for errors."""

    def __init__(self, told: Mapping[str, Any], place: str) -> None:
        self.told, self.place = told, place

    def error(self, key: str, value: object, expected: str) -> InputError:
        """What is wrong with a key."""
        had = "is missing" if value is None else f"is {short(value)}"
        return InputError(f"{self.place}: {key} {had}; {expected} was expected")

    def refuse_unknown(self, known: Sequence[str]) -> None:
        """Errors: InputError with the near miss."""
        for key in self.told:
            if key not in known:
                near = did_you_mean(key, known) or f"there are: {', '.join(sorted(known))}"
                raise InputError(f"{self.place}: the key {short(key)} is unknown; {near.rstrip()}")

    def value(self, key: str, kind: type, *, default: Any = None, required: bool = False) -> Any:
        """What a key holds, of that kind."""
        if key not in self.told:
            if required:
                raise self.error(key, None, _KINDS[kind])
            return default
        value = self.told[key]
        fits = isinstance(value, (int, float) if kind is float else kind) and (
            kind is bool or not isinstance(value, bool)
        )
        if not fits or (kind in {int, float} and not abs(value) < 2**63):  # NaN too
            raise self.error(key, value, _KINDS[kind])
        return value

    def choice(self, key: str, choices: Sequence[str], default: str | None) -> str:
        """One of these words."""
        value = self.told.get(key, default)
        if not isinstance(value, str) or value not in choices:
            near = did_you_mean(value, choices) if isinstance(value, str) else ""
            raise self.error(key, value, f"{near}one of {', '.join(choices)}")
        return value

    def texts(self, key: str) -> list[str]:
        """Text, or a list of text."""
        value = self.told.get(key, [])
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, list) or not all(isinstance(one, str) and one and "\0" not in one for one in found):
            raise self.error(key, value, "text, or a list of text,")
        return found

    def table(self, key: str) -> Table:
        """A table inside it, empty where there is none."""
        value = self.told.get(key, {})
        if not isinstance(value, dict):
            raise self.error(key, value, "a table")
        return Table(value, f"{self.place}: [{key}]")

    def tables(self, key: str) -> list[Table]:
        """Tables in a list, empty where there is none."""
        value = self.told.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise self.error(key, value, f"tables headed [[{key}]]")
        return [Table(one, f"{self.place}: [[{key}]] {number}") for number, one in enumerate(value, 1)]


def option_names(kind: type[Check]) -> list[str]:
    """The options of a check."""
    return [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]


def options_from(table: Table, kind: type[Check], folder: Path) -> Check:
    """A check with the options that a table states; files lie in ``folder``. Errors: InputError."""
    hints = get_type_hints(kind, include_extras=True)
    own = {
        name: _fitted(described(hints[name])[0], table.told[name]) for name in option_names(kind) if name in table.told
    }
    own |= {name: _placed(folder, own[name]) for name in kind.files if name in own}
    try:
        return kind(**own)
    except InputError as error:
        raise InputError(f"{table.place}: {error}") from None


def _placed(folder: Path, value: Any) -> Any:
    """A file of the policy's folder where there is one, else as it stands: the name of a bundled model."""
    return str(folder / value) if isinstance(value, str) and (folder / value).exists() else value


def _fitted(kind: Any, value: Any) -> Any:
    """A value of TOML as an option takes it: a list as text with commas or a tuple, a number as text or a float."""
    kinds = set(get_args(kind)) if get_origin(kind) in {Union, types.UnionType} else {kind}
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(value, list):
        return ",".join(map(_text, value)) if str in kinds else tuple(value)
    if plain and float in kinds and int not in kinds:
        return float(value)
    return _text(value) if plain and str in kinds and not kinds & {int, float} else value


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)

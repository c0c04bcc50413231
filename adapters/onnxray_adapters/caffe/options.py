"""A layer's options, each read as what it has to be. What is not so is refused with its line."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from onnxray.errors.near_misses import did_you_mean
from onnxray.errors.short_values import short
from onnxray_adapters.caffe.fields import KINDS, FieldKind
from onnxray_adapters.caffe.text_format import Message, Word

_EMPTY: Final = Message(MappingProxyType({}))
_LARGEST: Final = 2**31 - 1
_TRUE: Final = {"true": True, "t": True, "True": True, "false": False, "f": False, "False": False}


@dataclass(frozen=True, slots=True)
class Options:
    """A message of a known kind. Every field was looked at when it was made. Errors: ValueError."""

    kind: str
    message: Message = _EMPTY

    def __post_init__(self) -> None:
        known = KINDS[self.kind]
        for name, values in self.message.fields.items():
            if name not in known:
                hint = did_you_mean(name, known) or "mend it, for it would be passed over. "
                raise ValueError(
                    f"line {self.message.line}: {self.kind} has no field {short(name[:80])}; {hint}".strip()
                )
            if len(values) > 1 and not known[name].repeated:
                raise ValueError(f"line {self.message.line}: {name} stands {len(values)} times in one {self.kind}")
            for value in values:
                _checked(name, value, known[name], self.message.line)

    def has(self, name: str) -> bool:
        """Whether a field is stated."""
        return name in self.message.fields

    def all(self, name: str) -> tuple[Any, ...]:
        """The values of a repeated field."""
        kind = KINDS[self.kind][name]
        return tuple(_checked(name, one, kind, self.message.line) for one in self.message.fields.get(name, ()))

    def one(self, name: str, otherwise: Any = None) -> Any:
        """The value of a field, or what it is where it is left out."""
        found = self.all(name)
        return found[0] if found else otherwise

    def messages(self, name: str) -> tuple[Options, ...]:
        """The messages of a field."""
        kind = KINDS[self.kind][name].kind
        return tuple(Options(kind, one) for one in self.message.fields.get(name, ()) if isinstance(one, Message))


def _checked(name: str, value: object, field: FieldKind, line: int) -> Any:
    """A value as what its field holds. Errors: ValueError."""
    kind = field.kind
    if kind == "any":
        return None
    if kind in KINDS:
        found: Any = value if isinstance(value, Message) else None
    elif isinstance(value, Message):
        found = None
    elif kind == "text":
        found = str(value) if isinstance(value, str) else None
    elif kind == "bool":
        found = _TRUE.get(value) if isinstance(value, Word) else bool(value) if value in (0, 1) else None
    elif kind == "float":
        found = _float(value)
    elif kind in ("int", "uint"):
        least = 0 if kind == "uint" else -_LARGEST - 1
        found = value if isinstance(value, int) and least <= value <= _LARGEST else None
    else:
        found = _enum(value, kind.split("|"))
    if found is None:
        shown = "a message" if isinstance(value, Message) else short(value)
        raise ValueError(f"line {line}: {name} is {shown}; {_EXPECTED.get(kind, kind.replace('|', ', '))} was expected")
    return found


_EXPECTED: Final = {
    "int": "a whole number of 32 bits", "uint": "a whole number from 0 on, of 32 bits", "float": "a finite number",
    "bool": "true or false", "text": "text in quotes",
}  # fmt: skip


def _float(value: object) -> float | None:
    if isinstance(value, str):  # inf and nan are words
        return None
    number = float(value) if isinstance(value, int) and abs(value) < 10**38 else value
    return number if isinstance(number, float) and math.isfinite(number) and abs(number) < 3.5e38 else None


def _enum(value: object, names: list[str]) -> str | None:
    if isinstance(value, Word):
        return str(value) if value in names else None
    index = value if isinstance(value, int) and not isinstance(value, bool) else -1
    return names[index] if 0 <= index < len(names) else None

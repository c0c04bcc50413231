"""What may be stated with a question of the page, and of what kind each of it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from onnxray.errors.short_values import short
from onnxray.web.server.bodies import Refused

Kind = tuple[Callable[[Any], bool], str]


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_fields(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(one, str | None) for one in value.values())


def _is_options(value: Any) -> bool:
    plain = (str, int, float, type(None))
    return isinstance(value, dict) and all(
        isinstance(one, plain) or (isinstance(one, list) and all(isinstance(each, plain) for each in one))
        for one in value.values()
    )


_WHOLE: Final[Kind] = (_is_whole, "a whole number")
_NUMBER: Final[Kind] = (lambda value: _is_whole(value) or isinstance(value, float), "a number")
_TEXT: Final[Kind] = (lambda value: isinstance(value, str), "text")
_SWITCH: Final[Kind] = (lambda value: isinstance(value, bool), "true or false")
_TEXTS: Final[Kind] = (lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value), "texts")
_OPTIONAL_TEXT: Final[Kind] = (lambda value: isinstance(value, str | None), "text or nothing")
_FIELDS: Final[Kind] = (_is_fields, "fields with text or nothing")
_OPTIONS: Final[Kind] = (_is_options, "options with text, numbers or lists of them")

_CELL: Final = {"channel": _WHOLE, "row": _WHOLE, "column": _WHOLE}
ASKED: Final[Mapping[str, Mapping[str, Kind]]] = MappingProxyType({
    "model": {"model": _WHOLE}, "profile": {"model": _WHOLE, "fields": _FIELDS},
    "graph": {"model": _WHOLE, "opened": _TEXTS, "around": _WHOLE, "everything": _SWITCH},
    "way": {"model": _WHOLE, "value": _TEXT, "opened": _TEXTS}, "search": {"model": _WHOLE, "text": _TEXT},
    "node": {"model": _WHOLE, "node": _WHOLE, "picture": _OPTIONAL_TEXT}, "own": {"path": _TEXT},
    "seen": {"model": _WHOLE, "path": _TEXT},
    "value": {"model": _WHOLE, "value": _TEXT, "picture": _TEXT, "first": _WHOLE},
    "cell": {"model": _WHOLE, "value": _TEXT, "picture": _TEXT, **_CELL}, "forms": {},
})  # fmt: skip
"""Question -> what may be stated with it; ``picture`` and ``path`` are ids of pictures."""
OF_RUNS: Final[Mapping[str, Kind]] = MappingProxyType({
    "options": _OPTIONS, "target": _OPTIONAL_TEXT, "seed": _WHOLE, "model": _WHOLE,
})  # fmt: skip
OF_SLIDERS: Final[Mapping[str, Kind]] = MappingProxyType({"run": _TEXT, "item": _WHOLE, "scale": _NUMBER})


def check(stated: Mapping[str, Any], kinds: Mapping[str, Kind]) -> None:
    """Refuse with 400 what may not be stated, and what is of another kind."""
    for name, value in stated.items():
        if name not in kinds:
            raise Refused(400, f"{short(name)} may not be stated here")
        fits, said = kinds[name]
        if not fits(value):
            raise Refused(400, f"{name} is {short(value)}; {said} was expected")

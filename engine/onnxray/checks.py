"""Values of a wrong type, refused at the door in one line: what was given, and what was expected."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from onnxray.errors import InputError

_LONGEST = 60


def shown(value: object) -> str:
    """A value as an error shows it: short, whatever it holds."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # a number of more digits than Python prints, a list that holds itself, a class of the user's
        return f"a {type(value).__name__}"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def check_kind(name: str, value: object, kind: Any) -> None:
    """Refuse a value that is not of a kind as it is annotated: plain types, Literal, tuples, and unions of these.

    A float takes whole numbers, and no bool is a number. What is annotated otherwise is not looked at.
    Errors: InputError.
    """
    if not _fits(value, kind):
        raise InputError(f"{name} is {shown(value)}; {_described(kind)} was expected")


def _fits(value: object, kind: Any) -> bool:
    origin, inner = get_origin(kind), get_args(kind)
    if origin in {Union, types.UnionType}:
        return any(_fits(value, one) for one in inner)
    if origin is Literal:
        return any(type(value) is type(one) and value == one for one in inner)
    if origin is tuple and inner:
        several = isinstance(value, tuple) and (inner[-1] is Ellipsis or len(value) == len(inner))
        kinds = inner[:1] * len(value) if several and inner[-1] is Ellipsis else inner  # type: ignore[arg-type]
        return several and all(_fits(one, own) for one, own in zip(value, kinds))  # type: ignore[call-overload]
    if kind in {int, float}:
        return isinstance(value, int if kind is int else (int, float)) and not isinstance(value, bool)
    if kind in {str, bool, bytes, Path, types.NoneType, None}:
        return value is None if kind in {types.NoneType, None} else isinstance(value, kind)
    return True


def _described(kind: Any) -> str:
    origin, inner = get_origin(kind), get_args(kind)
    if origin in {Union, types.UnionType}:
        return " or ".join(_described(one) for one in inner)
    if origin is Literal:
        return " or ".join(map(repr, inner))
    if origin is tuple and inner:
        return f"a tuple, each of it {_described(inner[0])},"
    words = {int: "a whole number", float: "a number", bool: "True or False", str: "text", types.NoneType: "None"}
    return words.get(kind, getattr(kind, "__name__", str(kind)))

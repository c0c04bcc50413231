"""Values of a wrong type, refused at the door in one line: what was given, and what was expected."""

from __future__ import annotations

import contextlib
import inspect
import os
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import numpy as np

from onnxray.errors import InputError, OnnxrayError
from onnxray.errors.short_values import short

_LARGEST = 2**63


def check_kind(name: str, value: object, kind: Any) -> None:
    """Refuse a value that is not of a kind as it is annotated: plain types, Literal, tuples, and unions of these.

    A float takes whole numbers, and no bool is a number; a list will do for a tuple. What is annotated otherwise is
    not looked at.
    Errors: InputError.
    """
    if not _fits(value, kind):
        raise InputError(f"{name} is {short(value)}; {_described(kind)} was expected")


def check_seed(seed: object) -> None:
    """Refuse what is no whole number from 0. Errors: InputError."""
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise InputError(f"seed is {short(seed)}; a whole number from 0 was expected")


def check_callable(name: str, value: object, *arguments: str, optional: bool = False) -> None:
    """Refuse what is no function of these arguments, or None where it is ``optional``. Errors: InputError."""
    if optional and value is None:
        return
    takes = callable(value) and not isinstance(value, type)
    if takes:
        with contextlib.suppress(ValueError):  # some functions of C do not tell what they take
            try:
                inspect.signature(value).bind(*arguments)  # type: ignore[arg-type]
            except TypeError:
                takes = False
    if not takes:
        raise InputError(f"{name} is {short(value)}; a function of ({', '.join(arguments)}) was expected")


def check_has(name: str, value: object, *attributes: str) -> None:
    """Refuse what is neither a numpy array nor a torch tensor, by what these have. Errors: InputError."""
    if isinstance(value, type | np.generic) or not all(hasattr(value, attribute) for attribute in attributes):
        raise InputError(f"{name} is {short(value)}; an array or a torch tensor was expected")


def check_subclass(name: str, value: object, base: type) -> None:
    """Refuse what is no subclass of ``base``. Errors: InputError."""
    if not (isinstance(value, type) and issubclass(value, base)):
        raise InputError(f"{name} is {short(value)}; a subclass of {base.__name__} was expected")


def check_names(texts: object) -> tuple[str, ...]:
    """One name, or several in a list, as a tuple. Errors: InputError."""
    names = (texts,) if isinstance(texts, str) else tuple(texts) if isinstance(texts, list | tuple) else None
    if names is None or not all(isinstance(name, str) for name in names):
        raise InputError(f"{short(texts)} was given as names of values; text, or a list of text, was expected")
    return names


def check_files(name: str, value: object) -> None:
    """Refuse what is no dict of bytes by file name. Errors: InputError."""
    files = value if isinstance(value, Mapping) else {"": None}
    if not all(isinstance(file, str) and isinstance(data, bytes) for file, data in files.items()):
        raise InputError(f"{name} are {short(value)}; a dict of bytes by file name was expected")


def as_path(name: str, value: object, error: type[OnnxrayError] = InputError) -> Path:
    """A path that was given as text or as a Path. Errors: ``error``."""
    if not isinstance(value, str | os.PathLike) or not isinstance(os.fspath(value), str) or "\0" in os.fspath(value):
        raise error(f"{name} is {short(value)}; a path was expected")
    return Path(value)


def _fits(value: object, kind: Any) -> bool:
    origin, inner = get_origin(kind), get_args(kind)
    if origin in {Union, types.UnionType}:
        return any(_fits(value, one) for one in inner)
    if origin is Literal:
        return any(type(value) is type(one) and value == one for one in inner)
    if origin is tuple and inner:
        several = isinstance(value, tuple | list) and (inner[-1] is Ellipsis or len(value) == len(inner))
        kinds = inner[:1] * len(value) if several and inner[-1] is Ellipsis else inner  # type: ignore[arg-type]
        return several and all(_fits(one, own) for one, own in zip(value, kinds))  # type: ignore[call-overload]
    if kind in {int, float}:
        return isinstance(value, int if kind is int else (int, float)) and not isinstance(value, bool) and _sane(value)
    if kind in {str, bool, bytes, Path, np.ndarray, types.NoneType, None}:
        return value is None if kind in {types.NoneType, None} else isinstance(value, kind)
    return not isinstance(kind, type) or get_origin(kind) is not None or isinstance(value, kind)


def _sane(value: float) -> bool:
    """Whether a number is one that can be reckoned with: Python's whole numbers know no end."""
    return not isinstance(value, int) or abs(value) < _LARGEST


def _described(kind: Any) -> str:
    origin, inner = get_origin(kind), get_args(kind)
    if origin in {Union, types.UnionType}:
        return " or ".join(_described(one) for one in inner)
    if origin is Literal:
        return " or ".join(map(repr, inner))
    if origin is tuple and inner:
        return f"a tuple of {_described(inner[0])}"
    words: dict[Any, str] = {
        int: "a whole number",
        float: "a number",
        bool: "True or False",
        str: "text",
        np.ndarray: "an array",
        types.NoneType: "None",
    }
    return words.get(kind, getattr(kind, "__name__", str(kind)))

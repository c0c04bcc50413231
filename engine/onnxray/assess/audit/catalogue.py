"""The checks there are: found in the folder ``checks``, imported when they are asked for."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from onnxray.assess.audit.check import Check
from onnxray.errors import InputError
from onnxray.errors.near_misses import did_you_mean
from onnxray.errors.short_values import short

_FOLDER: Final = "onnxray.assess.audit.checks"


@functools.cache
def _files() -> tuple[str, ...]:
    return tuple(sorted(file.name for file in pkgutil.iter_modules([str(Path(__file__).parent / "checks")])))


@functools.cache
def _check_in(file: str) -> type[Check] | None:
    """The check of a file; None of one that holds what checks share."""
    module = importlib.import_module(f"{_FOLDER}.{file}")
    for thing in vars(module).values():
        own = isinstance(thing, type) and issubclass(thing, Check) and thing.__module__ == module.__name__
        if own and getattr(thing, "name", "").replace("-", "_") == file:
            found: type[Check] = thing
            return found
    return None


def checks() -> Mapping[str, type[Check]]:
    """Name -> class of every check, in order of name. Imports them all."""
    found = [check for file in _files() if (check := _check_in(file)) is not None]
    return MappingProxyType({check.name: check for check in found})


def check_class(name: str) -> type[Check]:
    """The check of a name, of which no other is imported. Errors: InputError with the near miss."""
    file = name.replace("-", "_")
    found = _check_in(file) if file in _files() else None
    if found is None or found.name != name:
        near = did_you_mean(name, checks())
        raise InputError(f"there is no check {short(name)}; {near}there are: {', '.join(checks())}")
    return found

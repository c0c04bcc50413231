"""The checks there are: found in the folder ``checks``, imported when they are asked for."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from pathlib import Path
from types import MappingProxyType
from typing import Final

from onnxray.assess.audit.check import Check
from onnxray.errors import InputError
from onnxray.errors.near_misses import did_you_mean
from onnxray.errors.short_values import short

_FOLDER: Final = "onnxray.assess.audit.checks"


@functools.cache
def checks() -> MappingProxyType[str, type[Check]]:
    """Name -> class of every check, in order of name."""
    files = pkgutil.iter_modules([str(Path(__file__).parent / "checks")])
    found: dict[str, type[Check]] = {}
    for file in files:
        module = importlib.import_module(f"{_FOLDER}.{file.name}")
        for thing in vars(module).values():
            own = isinstance(thing, type) and issubclass(thing, Check) and thing.__module__ == module.__name__
            if own and thing.name.replace("-", "_") == file.name:
                found[thing.name] = thing
    return MappingProxyType(dict(sorted(found.items())))


def check_class(name: str) -> type[Check]:
    """The check of a name. Errors: InputError with the near miss."""
    if name not in checks():
        near = did_you_mean(name, checks())
        raise InputError(f"there is no check {short(name)}; {near}there are: {', '.join(checks())}")
    return checks()[name]

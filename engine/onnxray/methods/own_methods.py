"""A user's own method, from a file that the user names: ``my.py:MyMap``.

The file is the user's program and is run, as ``import`` would. None is ever looked for: neither beside a model nor in
the working folder, and no configuration names one. Results say which file a method is from, with its SHA-256.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from onnxray.errors import InputError
from onnxray.errors.near_misses import did_you_mean

T = TypeVar("T")

_MODULE = "onnxray_own_method_"


def load_method(stated: str, base: type[T]) -> type[T]:
    """The class that ``FILE.py:CLASS`` names, a method of the family of ``base``. Errors: InputError."""
    file, _, name = stated.rpartition(":")
    path = Path(file)
    if not file or path.suffix != ".py" or not name.isidentifier():
        raise InputError(f"the method is {stated!r}; FILE.py:CLASS was expected")
    module = _module(path)
    known = {
        key: one
        for key, one in vars(module).items()
        if isinstance(one, type) and issubclass(one, base) and one.__module__ == module.__name__ and "name" in vars(one)
    }
    if name not in known:
        kind = f"a class of that name which is a {base.__module__}.{base.__name__} and has a name of its own"
        there = f"there are: {', '.join(known)}" if known else f"{kind} was expected"
        raise InputError(f"{file} has no such method {name!r}; {did_you_mean(name, known)}{there}")
    return known[name]


def note_of_own(method: type[Any]) -> str | None:
    """What a result says of a user's own method; None of those that onnxray has."""
    if not method.__module__.startswith(_MODULE):
        return None
    file = Path(str(sys.modules[method.__module__].__file__)).name
    return (
        f"method {method.name!r} is the user's own: {method.__name__} of {file}, sha256 "
        f"{method.__module__.removeprefix(_MODULE)}"
    )


def _module(path: Path) -> ModuleType:
    """The file, run as a module of its own. Errors: InputError, for what it raises too."""
    try:
        name = _MODULE + hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if name in sys.modules:
        return sys.modules[name]
    made = importlib.util.spec_from_file_location(name, path)
    assert made is not None
    assert made.loader is not None
    module = importlib.util.module_from_spec(made)
    sys.modules[name] = module  # dataclasses and annotations look their module up
    try:
        made.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise InputError(f"{path}: fails when it is run ({type(error).__name__}: {error})") from error
    return module

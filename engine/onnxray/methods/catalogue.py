"""Every method there is: found in the folders of the families, imported when it is asked for.

A method is one file with one class in it. It is known by its file's name and by its class's, and neither is the name of
another. Nothing has to be told here when one is added.
"""

from __future__ import annotations

import functools
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import pkgutil
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, TypeVar, cast, final

from onnxray.errors.near_misses import did_you_mean

T = TypeVar("T")

ROOT = "onnxray.methods"
SHARED = frozenset({"ascent", "parts"})
"""Folders of a family that hold what its methods are put together from, and no method (and import torch)."""


@functools.cache
def files() -> MappingProxyType[str, str]:
    """File name -> module, of every file of a family whose name no other has: the methods, and what they share."""
    found = sorted(_walk(Path(__file__).parent, ROOT, top=True))
    count = Counter(name for name, _ in found)
    return MappingProxyType({name: module for name, module in found if count[name] == 1})


@functools.cache
def methods() -> MappingProxyType[str, type[Any]]:
    """File name -> class, of every method. Imports them all, which imports neither torch nor onnxruntime."""
    return MappingProxyType({name: found for name in files() if (found := _method_in(name)) is not None})


def family(base: type[T]) -> dict[str, type[T]]:
    """The method's own name -> its class, of every method that is a ``base``, in order of name."""
    known: dict[str, type[Any]] = {method.name: method for method in methods().values()}
    return {name: method for name, method in sorted(known.items()) if issubclass(method, base)}


def member(base: type[T], name: str) -> type[T] | None:
    """The method of a family by its own name, None where there is none; imports its file alone if that is named so."""
    file = name.replace("-", "_")
    method = _method_in(file) if file in files() else None
    if method is not None and method.name == name:
        return method if issubclass(method, base) else None
    return family(base).get(name)


def look_up(name: str) -> Any:
    """A method by its class's name, or its file. Errors: AttributeError."""
    if name in files() and _method_in(name) is not None:
        return importlib.import_module(files()[name])
    # Most classes are named as their files are, and then no other file is imported.
    likely = [file for file in files() if file.replace("_", "") == name.lower()]
    for found in (*map(_method_in, likely), *methods().values()):
        if found is not None and found.__name__ == name:
            return found
    near = did_you_mean(name, [found.__name__ for found in methods().values()], count=2)
    raise AttributeError(f"onnxray.methods has no method {name!r}; {near}dir(onnxray.methods) lists them")


def names() -> list[str]:
    """Every method's class and file."""
    return sorted({*methods(), *(found.__name__ for found in methods().values())})


@final
class ByFile(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """``import onnxray.methods.grad_cam``, whichever family's folder the file lies in; the module is the same one."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """A spec for the files of the families alone."""
        above, _, name = fullname.rpartition(".")
        if above != ROOT or name not in files() or _method_in(name) is None:
            return None
        return importlib.util.spec_from_loader(fullname, self)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """The module where it lies, with its own spec kept aside."""
        found = importlib.import_module(files()[spec.name.rpartition(".")[2]])
        spec.loader_state = found.__spec__
        return found

    def exec_module(self, module: ModuleType) -> None:
        """It is executed already; what the import system wrote over is put back."""
        assert module.__spec__ is not None
        module.__spec__ = module.__spec__.loader_state


def serve_by_file() -> None:
    """Let the import statement know the methods by their files; once, however often this is called."""
    if not any(isinstance(finder, ByFile) for finder in sys.meta_path):
        sys.meta_path.append(ByFile())


def _walk(folder: Path, package: str, *, top: bool = False) -> Iterator[tuple[str, str]]:
    for found in pkgutil.iter_modules([str(folder)]):
        if found.ispkg:
            if found.name not in SHARED:
                yield from _walk(folder / found.name, f"{package}.{found.name}")
        elif not top:
            yield found.name, f"{package}.{found.name}"


@functools.cache
def _method_in(name: str) -> type[Any] | None:
    """The class of the method in a file, if there is one."""
    from onnxray.methods.method import Method

    module = files()[name]
    for thing in vars(importlib.import_module(module)).values():
        own = isinstance(thing, type) and thing.__module__ == module and issubclass(thing, Method)
        if own and isinstance(getattr(thing, "name", None), str):
            return cast(type[Any], thing)
    return None

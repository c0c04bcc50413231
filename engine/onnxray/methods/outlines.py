"""What the methods' files say of them, read without importing any: for lists of commands and near misses.

A method's file is parsed (a millisecond or two), its class's name, first paragraph and annotated options are taken from
the text; options of its bases are looked up in their files.
"""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from onnxray.methods.catalogue import SHARED


@dataclass(frozen=True)
class Outline:
    """A class as its file states it. name: the method's own, None of a base. options: without those of its bases."""

    name: str | None
    summary: str
    bases: tuple[str, ...]
    options: tuple[str, ...]


@functools.cache
def outlines(family: str) -> MappingProxyType[str, Outline]:
    """The method's own name -> what its file says, of every method in a family's folder, in order of name."""
    named = {str(one.name): one for one in _classes(family).values() if one.name is not None}
    return MappingProxyType(dict(sorted(named.items())))


def outline(family: str, name: str) -> Outline | None:
    """What the file of one method says, None where the family has none; parses that file alone if it is named so."""
    for path in _files(family):
        if path.stem == name.replace("-", "_"):
            own = next((one for _, one in _in_file(path) if one.name == name), None)
            if own is not None:
                return own
    return outlines(family).get(name)


def methods_with(family: str, option: str) -> list[str]:
    """The names of the methods that have an option of this name, own or inherited."""
    return [name for name, own in outlines(family).items() if option in _options(family, own)]


def _options(family: str, own: Outline) -> frozenset[str]:
    classes = _classes(family)
    inherited = (_options(family, classes[base]) for base in own.bases if base in classes)
    return frozenset(own.options).union(*inherited)


@functools.cache
def _classes(family: str) -> MappingProxyType[str, Outline]:
    return MappingProxyType({name: found for path in _files(family) for name, found in _in_file(path)})


def _files(family: str) -> list[Path]:
    folder = Path(__file__).parent / family
    return [path for path in sorted(folder.rglob("*.py")) if not SHARED & set(path.relative_to(folder).parts)]


def _in_file(path: Path) -> Iterator[tuple[str, Outline]]:
    """The classes of a file by their names."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            stated = [one for one in node.body if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)]
            names = [one.value for one in stated if ast.unparse(one.target) == "name"]
            name = names[0].value if names and isinstance(names[0], ast.Constant) else None
            yield (
                node.name,
                Outline(
                    name=name if isinstance(name, str) else None,
                    summary=inspect.cleandoc(ast.get_docstring(node) or ""),
                    bases=tuple(base.id for base in node.bases if isinstance(base, ast.Name)),
                    options=tuple(
                        ast.unparse(one.target) for one in stated if "Annotated" in ast.unparse(one.annotation)
                    ),
                ),
            )

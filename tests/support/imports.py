"""The engine's files and what each imports of the others, read from the source without running it."""

from __future__ import annotations

import ast
import functools
from dataclasses import dataclass
from pathlib import Path

from support.paths import ROOT

ENGINE = ROOT / "engine" / "onnxray"


@dataclass(frozen=True, slots=True)
class Import:
    """One imported thing: the module it is taken from, the name taken ("" where the module itself is), the line.

    typed: for type checkers alone. inner: inside a function, so not when the file is imported.
    """

    module: str
    name: str
    line: int
    typed: bool
    inner: bool


@functools.cache
def files() -> dict[str, Path]:
    """Every file of the engine by its dotted name below ``onnxray`` ("" is the face of all)."""
    found = {}
    for path in sorted(ENGINE.rglob("*.py")):
        parts = path.relative_to(ENGINE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def is_face(name: str) -> bool:
    """Whether a file is the ``__init__.py`` of its folder."""
    return files()[name].name == "__init__.py"


def folder(name: str) -> str:
    """The dotted name of the folder that a file lies in."""
    return name if is_face(name) else name.rpartition(".")[0]


@functools.cache
def imports(name: str) -> tuple[Import, ...]:
    """Everything that a file imports, in order, also inside functions and for type checkers alone."""
    found: list[Import] = []

    def visit(node: ast.AST, typed: bool, inner: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend(Import(alias.name, "", node.lineno, typed, inner) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}:{node.lineno}: relative import"
            found.extend(Import(*_split(node.module or "", a.name), node.lineno, typed, inner) for a in node.names)
        typed = typed or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
        inner = inner or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for child in ast.iter_child_nodes(node):
            visit(child, typed, inner)

    visit(ast.parse(files()[name].read_text(encoding="utf-8")), False, False)
    return tuple(found)


def arrows(name: str) -> tuple[tuple[str, Import], ...]:
    """Which files of the engine a file imports, by their dotted names, each with the statement."""
    return tuple(
        (each.module.removeprefix("onnxray").removeprefix("."), each)
        for each in imports(name)
        if each.module.split(".")[0] == "onnxray"
    )


def _split(module: str, name: str) -> tuple[str, str]:
    whole = f"{module}.{name}"
    return (whole, "") if whole.removeprefix("onnxray.") in files() else (module, name)

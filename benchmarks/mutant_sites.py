"""The places in a file that can be mutated, by cosmic-ray's operators."""

from __future__ import annotations

import ast
import functools
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cosmic_ray.plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code

ARITHMETIC = {"Add", "Sub", "Mul", "Div", "FloorDiv", "Mod", "Pow"}
BITS = {"BitAnd", "BitOr", "BitXor", "LShift", "RShift"}
IDENTITY = {"Is", "IsNot"}


@dataclass(frozen=True)
class Mutant:
    """One change: the operator's ``occurrence``-th place in the file."""

    path: str
    operator: str
    occurrence: int
    first_line: int
    last_line: int
    column: int
    was: str

    def __str__(self) -> str:
        name = self.operator.partition("/")[2]
        return f"`{self.path}`:{self.first_line}:{self.column} {name} in `{self.was}`"


@functools.cache
def operators() -> dict[str, object]:
    """The operators whose mutants can run and can mean something else."""
    names = [name for name in cosmic_ray.plugins.operator_names() if telling(name)]
    return {name: cosmic_ray.plugins.get_operator(name)() for name in sorted(names)}


def telling(name: str) -> bool:
    """``is`` for ``==`` means the same here; bits of a float, or an order of identities, end at once."""
    kind, _, swap = name.rpartition("/")[2].partition("_")
    if kind.startswith("Variable"):
        return False
    if kind == "ReplaceBinaryOperator":
        return any(set(swap.split("_")) <= family for family in (ARITHMETIC, BITS))
    if kind == "ReplaceComparisonOperator":
        return len(set(swap.split("_")) & IDENTITY) != 1
    return True


def mutants_of(root: Path, file: Path) -> Iterator[Mutant]:
    """Every mutant of one file, annotations left out."""
    source = (root / file).read_text(encoding="utf-8")
    lines = source.splitlines()
    silent = annotations(source)
    nodes = list(ast_nodes(get_ast(source)))
    for name, operator in operators().items():
        occurrence = -1
        for node in nodes:
            for start, stop in operator.mutation_positions(node):  # type: ignore[attr-defined]
                occurrence += 1
                if not any(first <= start and stop <= last for first, last in silent):
                    was = lines[start[0] - 1].strip()
                    yield Mutant(file.as_posix(), name, occurrence, start[0], stop[0], start[1], was)


def annotations(source: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Where annotations stand, and what is imported for them alone: nothing of it runs."""
    places: list[ast.AST | None] = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.arg() | ast.AnnAssign():
                places.append(node.annotation)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                places.append(node.returns)
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                places.append(node)
            case _:
                pass
    return [
        ((place.lineno, place.col_offset), (place.end_lineno or place.lineno, place.end_col_offset or 0))  # type: ignore[attr-defined]
        for place in places
        if place is not None
    ]


def mutated(source: str, mutant: Mutant) -> str:
    """The file's text with this one change."""
    changed = mutate_code(source, operators()[mutant.operator], mutant.occurrence)
    if changed is None or changed == source:
        raise ValueError(f"{mutant} changes nothing")
    return str(changed)


def compiles(root: Path, mutant: Mutant) -> bool:
    """Whether the change leaves a program: ``**options`` in a call is no power."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(mutated((root / mutant.path).read_text(encoding="utf-8"), mutant), mutant.path, "exec")
        except SyntaxError:
            return False
    return True

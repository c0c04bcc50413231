"""Values are frozen, arrays are never compared by ``==``, and what a base leaves to others is abstract."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.paths import ROOT

FILES = sorted((ROOT / "engine/onnxray").rglob("*.py"))
NOTHING_TO_DO = (
    {
        ("parametrizations.py", "settle"),
        ("base.py", "check_variable"),
        ("profile.py", "encode"),
        ("to_torch.py", "__call__"),
    }
    | {("result.py", "__getitem__"), ("executors.py", "close"), ("sparse_steps.py", "begin")}
    | {(name, "setup_context") for name in ("backward_rules.py", "arithmetic.py")}
)
"""Methods that do nothing by default, that torch asks for, and overloads."""
MOVES = {("loop.py", "Climb"), ("runs.py", "Run"), ("groups.py", "Group")}
"""The state of a loop, of a run that is under way, and of a tree while it is built."""
ARRAYS = ("NDArray[", "Array", "Index", "torch.Tensor")


def classes(path: Path) -> Iterator[ast.ClassDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef):
            yield node


def options(found: ast.ClassDef) -> dict[str, str] | None:
    """What a dataclass is told; None of other classes."""
    for decorator in found.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if ast.unparse(called).rpartition(".")[2] == "dataclass":
            keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
            return {keyword.arg or "": ast.unparse(keyword.value) for keyword in keywords}
    return None


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_values_are_frozen_and_arrays_not_compared(path: Path) -> None:
    for found in classes(path):
        told = options(found)
        held = [ast.unparse(line.annotation) for line in found.body if isinstance(line, ast.AnnAssign)]
        if told is None:
            continue
        if (path.name, found.name) not in MOVES:
            assert told.get("frozen") == "True", f"{found.name} is not frozen"
        if any(annotation.startswith(ARRAYS) and "|" not in annotation for annotation in held):
            assert told.get("eq") == "False", f"{found.name} holds arrays, and compares them"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_a_base_leaves_to_others_is_abstract(path: Path) -> None:
    for found in classes(path):
        if any(ast.unparse(base).startswith("Protocol") for base in found.bases):
            continue
        for line in found.body:
            if isinstance(line, ast.FunctionDef) and (path.name, line.name) not in NOTHING_TO_DO:
                empty = all(isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant) for part in line.body)
                assert empty == ("abstractmethod" in map(ast.unparse, line.decorator_list)), f"{found.name}.{line.name}"

"""Adapters stay small, and import the engine alone beside what they stand for."""

import ast
import sys
from pathlib import Path

import pytest

from support.paths import ROOT

FOLDER = ROOT / "adapters" / "onnxray_adapters"
FILES = sorted(FOLDER.rglob("*.py"))
THIRD = {"numpy", "onnx"}
"""Libraries that readers of files need: no framework, and no protocol buffers but onnx's own."""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(FOLDER).as_posix())
def test_a_file_is_small_and_imports_the_engine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 350
    tree = ast.parse(text)
    taken = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    taken |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    tops = {name.split(".")[0] for name in taken}
    assert tops <= {"onnxray", "onnxray_adapters", *THIRD, *sys.stdlib_module_names}


def test_folders_stay_small() -> None:
    for folder in {path.parent for path in FILES}:
        assert len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= 15

"""Adapters stay small; the reader of Caffe's files needs no framework, and no protocol buffers but onnx's own."""

import ast
import sys
from pathlib import Path

import pytest

from support.paths import ROOT

FOLDER = ROOT / "adapters" / "onnxray_adapters"
FILES = sorted(FOLDER.rglob("*.py"))


@pytest.mark.parametrize("path", sorted((FOLDER / "caffe").rglob("*.py")), ids=lambda path: path.stem)
def test_caffe_is_read_without_anything_but_the_engine(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    taken = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    taken |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    tops = {name.split(".")[0] for name in taken}
    assert tops <= {"onnxray", "onnxray_adapters", "numpy", "onnx", *sys.stdlib_module_names}


def test_files_and_folders_stay_small() -> None:
    assert [path.name for path in FILES if len(path.read_text(encoding="utf-8").splitlines()) > 350] == []
    for folder in {path.parent for path in FILES}:
        assert len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= 15

"""The notebooks of the documentation: each runs from top to bottom, shows what it ends its cells with, and is small."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from support.html_pages import Page
from support.paths import ROOT

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


def cells(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return found


def test_there_are_notebooks() -> None:
    assert {path.name for path in NOTEBOOKS} == {"first-look.ipynb", "one-value.ipynb"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path: Path) -> None:
    code = [cell for cell in cells(path) if cell["cell_type"] == "code"]
    assert code
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert len({cell["id"] for cell in cells(path)}) == len(cells(path))
    assert path.stat().st_size < 50_000


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_cell_by_cell(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    shown = 0
    for cell in cells(path):
        if cell["cell_type"] != "code":
            continue
        *before, last = ast.parse("".join(cell["source"]), filename=f"{path.name} {cell['id']}").body
        ends = isinstance(last, ast.Expr)
        exec(compile(ast.Module([*before, *([] if ends else [last])], []), path.name, "exec"), names)
        if not ends:
            continue
        assert isinstance(last, ast.Expr)
        value = eval(compile(ast.Expression(last.value), path.name, "eval"), names)
        assert len(repr(value)) < 2000
        if hasattr(value, "_repr_html_"):
            html = value._repr_html_()
            assert Page(html).faults == []
            assert len(html) < 400_000
            shown += 1
    assert shown >= 3


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_in_a_kernel(path: Path, tmp_path: Path) -> None:
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    done = nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    kinds = {kind for cell in done.cells for output in cell.get("outputs", ()) for kind in output.get("data", ())}
    assert {"text/plain", "text/html", "image/png"} <= kinds
    streams = [
        output.text for cell in done.cells for output in cell.get("outputs", ()) if output.output_type == "stream"
    ]
    assert streams == []

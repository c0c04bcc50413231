"""What makes models of files of other kinds: found by entry point, installed or in the source tree."""

import importlib.metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnx.parser
import pytest

import onnxray
from onnxray.errors import ModelFileError
from onnxray.graph.file import made_model
from onnxray.graph.file.made_model import GROUP, MadeModel, Wishes, kinds, made_of

MODEL = onnx.parser.parse_model(
    '<ir_version: 8, opset_import: ["": 17]> g (float[N,4] x) => (float[N,4] y) { y = Relu (x) }'
)


def make(source: str, wishes: Wishes) -> MadeModel:
    path = Path(source)
    return MadeModel(MODEL, path, {}, source, notes=(f"made of {path.name} at {wishes.size}",))


def entry(value: str, loaded: Any) -> SimpleNamespace:
    def load() -> Any:
        if isinstance(loaded, Exception):
            raise loaded
        return loaded

    return SimpleNamespace(value=value, load=load)


def only(monkeypatch: pytest.MonkeyPatch, loaded: Any) -> None:
    real = importlib.metadata.entry_points

    def entry_points(*, group: str, **stated: str) -> Any:
        if group != GROUP:  # torch looks for its own, when it is imported
            return real(group=group, **stated)
        return [entry("toy.module:make", loaded)] if stated.get("name", "toy") == "toy" else []

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)


def test_a_file_of_another_kind_is_opened_by_what_makes_a_model_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, make)
    path = tmp_path / "net.toy"
    path.write_bytes(b"toy")
    model = onnxray.open(path)
    assert model.graph.path == path
    assert model.graph.container.again == str(path)
    assert model.notes == ("made of net.toy at None",)
    assert model.judge.outputs({"x": np.float32([[-1, 0, 1, 2]])})["y"].tolist() == [[0, 0, 1, 2]]
    assert model.verify().agrees


def test_what_cannot_be_imported_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, ImportError("no module named 'toy'"))
    with pytest.raises(ModelFileError, match=r"files \.toy are read by toy\.module:make, which cannot be imported"):
        onnxray.open(tmp_path / "net.toy")


@pytest.mark.parametrize("source", ["net.onnx", "net.ONNX", "net", "net.other", "folder/net."])
def test_other_files_are_read_as_they_are(source: str) -> None:
    assert made_of(source) is None


def test_the_source_tree_states_its_own_where_nothing_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: importlib.metadata.EntryPoints())
    assert {".caffemodel", ".prototxt", ".joblib"} <= set(kinds())
    with pytest.raises(ModelFileError, match="none.caffemodel: no such file"):
        made_of("none.caffemodel")


@pytest.mark.parametrize("text", ["", "nonsense", "[project]\nname = 'other'\n", "[project]\nname = 'onnxray'\n"])
def test_a_project_of_another_is_none_of_ours(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    monkeypatch.setattr(made_model, "_PROJECT", tmp_path / "pyproject.toml")
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: importlib.metadata.EntryPoints())
    assert kinds() == []
    assert made_of("net.caffemodel") is None

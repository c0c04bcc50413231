"""A folder holds the files of one run: those of an earlier one go, what is not of a run stays."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import onnxray
from onnxray.errors import OutputError
from onnxray.methods.saliency.gradient.gradient import Gradient
from onnxray.methods.saliency.perturbation.occlusion import Occlusion
from onnxray.results.earlier_run import files_of_earlier_run, holds_a_run
from onnxray.results.keeping import Keeping
from support import models

IMAGES = models.pictures(3).astype(np.uint8)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture(scope="module")
def model():
    return onnxray.open(models.lenet().SerializeToString(), profile="lenet")


@pytest.fixture
def folder(model, tmp_path: Path) -> Path:
    """A run of three images with a sheet, and files that are no run's."""
    place = tmp_path / "run"
    Gradient()(model, IMAGES, 0).save(place, {"sheet.png": b"png", "plot.png": b"png"})
    (place / "mine.txt").write_text("mine")
    (place / "folder").mkdir()
    return place


def test_the_files_of_a_run_are_those_of_its_items_and_those_beside_them(folder: Path):
    assert holds_a_run(folder)
    assert files_of_earlier_run(folder) == names(folder) - {"result.json", "mine.txt", "folder"}


def test_saving_replaces_the_whole_run(folder: Path, model, tmp_path: Path):
    result = Occlusion(size=14, stride=14)(model, IMAGES[:1], 0)
    result.save(folder, {"sheet.png": b"other"})
    result.save(tmp_path / "fresh", {"sheet.png": b"other"})
    assert names(folder) == names(tmp_path / "fresh") | {"mine.txt", "folder"}
    assert (folder / "sheet.png").read_bytes() == b"other"


def test_a_kept_run_replaces_it_once_there_is_something_in_its_place(folder: Path, model, tmp_path: Path):
    method, before = Occlusion(size=14, stride=14), names(folder)
    with Keeping.into(folder, "saliency") as keep:
        keep.complete(method(model, IMAGES[:1], 0, keep=keep))
    assert before - names(folder) >= {"plot.png", "sheet.png"}
    with Keeping.into(tmp_path / "fresh", "saliency") as keep:
        keep.complete(method(model, IMAGES[:1], 0, keep=keep))
    assert names(folder) == names(tmp_path / "fresh") | {"mine.txt", "folder"}


def test_a_run_that_is_cut_short_takes_the_rest_away_when_it_is_gone_on_with(folder: Path, model, tmp_path: Path):
    def stop(done: int, total: int, what: str) -> None:
        if done >= 1500:
            raise KeyboardInterrupt

    method = Occlusion(size=14, stride=14)
    with pytest.raises(KeyboardInterrupt), Keeping.into(folder, "saliency") as keep:
        method(model, IMAGES, 0, keep=keep, progress=stop)
    assert json.loads((folder / "result.json").read_text())["incomplete"] is True
    with Keeping.into(folder, "saliency", resume=True) as keep:
        keep.complete(method(model, IMAGES, 0, keep=keep))
    with Keeping.into(tmp_path / "fresh", "saliency") as keep:
        keep.complete(method(model, IMAGES, 0, keep=keep))
    assert names(folder) == names(tmp_path / "fresh") | {"mine.txt", "folder"}


@pytest.mark.parametrize(
    "name", ["../outside.txt", "folder/inside.txt", ".", "..", "", "nul\0", "link.png", "a" * 5000]
)
@pytest.mark.parametrize("where", ["items", "files", "journal"])
def test_a_document_that_names_files_elsewhere_removes_none(name: str, where: str, folder: Path, model, tmp_path: Path):
    outside, inside = tmp_path / "outside.txt", folder / "folder" / "inside.txt"
    for path in (outside, inside):
        path.write_text("kept")
    (folder / "link.png").symlink_to(outside)
    if where == "journal":
        lines = [{"run": {}}, {"beside": [name]}]
        (folder / "result.json").unlink()
        (folder / "items.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    else:
        forged = {"files": [name]} if where == "files" else {"items": [{"files": {"x": name}}]}
        (folder / "result.json").write_text(json.dumps(forged))
    assert files_of_earlier_run(folder) == frozenset()
    Gradient()(model, IMAGES[:1], 0).save(folder)
    assert outside.read_text() == inside.read_text() == "kept"
    assert (folder / "link.png").is_symlink()


@pytest.mark.parametrize(
    "text", ["", "[]", "1", "{", '{"files": 3, "items": 4}', '{"files": [1], "items": [2, {"files": 5}]}']
)
def test_whatever_a_result_holds(text: str, tmp_path: Path):
    (tmp_path / "result.json").write_text(text)
    assert holds_a_run(tmp_path)
    assert files_of_earlier_run(tmp_path) == frozenset()


def test_a_folder_without_a_run(tmp_path: Path):
    (tmp_path / "sheet.png").write_text("mine")
    assert not holds_a_run(tmp_path)
    assert not holds_a_run(tmp_path / "nothing")
    assert files_of_earlier_run(tmp_path / "nothing") == frozenset()


def test_a_file_in_place_of_the_folder_is_refused(model, tmp_path: Path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError):
        Gradient()(model, IMAGES[:1], 0).save(tmp_path / "file")

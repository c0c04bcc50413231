"""What a result says that it was made from: files by their contents, class names, and no more than that."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest

import onnxray
from onnxray.errors.shown_text import json_text
from onnxray.images.files import save_png
from onnxray.results.made_from import MOST_NAMES, Call, contents_of, made_from, named_files
from support import models


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "folder/b.png", "folder/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        save_png(tmp_path / name, np.full((1, 3, 3), len(name), np.uint8))
    (tmp_path / "folder" / "notes.txt").write_text("no picture")
    (tmp_path / "my.py").write_text("x = 1")
    return tmp_path


@pytest.mark.parametrize("text", ["a.png", "like:a.png", "like:a.png@features", "rgb=a.png", "./a.png"])
def test_a_file_within_a_text(text: str, place: Path) -> None:
    (found,) = named_files({"target": text})
    path = "./a.png" if text.startswith(".") else "a.png"
    assert found == {"path": path, "absolute": str(place / "a.png"), "sha256": sha(place / "a.png")}


def test_an_own_method_is_a_file(place: Path) -> None:
    (found,) = named_files({"command": ("saliency", "--method-file=my.py:MyMap")})
    assert (found["path"], found["sha256"]) == ("my.py", sha(place / "my.py"))


def test_pictures_of_folders_and_each_file_once(place: Path) -> None:
    found = named_files({"images": ["folder", "a.png", Path("a.png")], "profile": "nowhere.toml", "seed": 3})
    assert [one["path"] for one in found] == ["folder", "a.png"]
    assert found[0]["pictures"] == {name: sha(place / "folder" / name) for name in ("b.png", "c.png")}


def test_names_of_values_and_titles_are_no_files(place: Path) -> None:
    (place / "conv1").write_text("a file that is called as a layer")
    assert named_files({"layer": "conv1", "value": ["conv1"], "title": "conv1", "target": "folder"}) == []


def test_folders_of_classes_and_of_concepts(place: Path) -> None:
    (place / "classes").mkdir()
    (place / "folder").rename(place / "classes" / "cat")
    (found,) = named_files({"images": ["classes"]})
    assert list(found["pictures"]) == ["cat/b.png", "cat/c.png"]
    assert [one["path"] for one in named_files({"concept": ["classes/cat"]})] == ["classes/cat"]


def test_a_target_that_is_called_as_a_folder_is_a_class(place: Path) -> None:
    assert named_files({"command": ("saliency", "rise"), "target": "folder"}) == []
    assert len(named_files({"command": ("lots",), "target": ["folder"]})) == 1


def test_pipes_are_not_read(place: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("no pipes here")
    os.mkfifo(place / "pipe")
    assert named_files({"target": "pipe", "images": ["pipe"]}) == []


def test_a_model_and_its_class_names(place: Path) -> None:
    import onnx

    onnx.save(models.lenet(), "m.onnx")
    model = onnxray.open("m.onnx", models.GREY, labels=list("abcde"))
    found = made_from(Call(command=("classify",), options={"model": "m.onnx", "top": float("inf"), "n": None}), model)
    assert found["options"] == {"model": "m.onnx", "top": "inf"}
    assert found["folder"] == str(place)
    assert found["files"] == [{"path": "m.onnx", "absolute": str(place / "m.onnx"), "sha256": sha(place / "m.onnx")}]
    expected = hashlib.sha256(json_text(list("abcde"), ascii=True).encode()).hexdigest()
    assert found["labels"] == {"count": 5, "sha256": expected, "names": list("abcde")}
    json.dumps(found, allow_nan=False)
    assert made_from(Call(reason="why"), model)["reason"] == "why"
    assert "labels" not in made_from(Call(reason="why"), onnxray.open(models.lenet(), models.GREY))


def test_many_class_names_stand_by_their_number(place: Path) -> None:
    count = MOST_NAMES + 1
    text = "n (float[1,4] x) => (float[1,2001] y) { y = Gemm (x, w) }"
    weights = {"w": np.zeros((4, count), np.float32)}
    names = [f"class {k}" for k in range(count)]
    model = onnxray.open(models.parse(text, weights), labels=names, output="y=classes")
    told = made_from(Call(reason="bytes"), model)["labels"]
    assert (told["count"], "names" in told) == (count, False)


def test_a_file_that_cannot_be_read_has_no_sha256(place: Path) -> None:
    assert contents_of(place / "a.png") == {"sha256": sha(place / "a.png")}
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    (place / "a.png").chmod(0)
    assert contents_of(place / "a.png") == {"sha256": None}

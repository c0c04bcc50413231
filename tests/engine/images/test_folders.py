"""Folders of pictures: broken ones are left out, counted and named, or refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import onnxray
import onnxray_models
from onnxray.errors import ImageError, InputError
from onnxray.images.folders import folders_below
from onnxray.images.pixels import read_at_own_size, read_images
from onnxray.methods.lots.lots import LOTS
from onnxray.methods.saliency.gradient.gradient import Gradient
from onnxray.objectives.goals import TargetImages

PROFILE = onnxray.open("lenet").profile
WHOLE = {"a": "0_0", "c": "3_0", "e": "4_0"}
BROKEN = {
    "text": b"cut off",
    "empty": b"",
    "cut": Path(onnxray_models.samples("lenet")[0]).read_bytes()[:60],
    "header": b"\x89PNG\r\n\x1a\n" + bytes(40),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three digits, and one picture broken in each way between them."""
    place = tmp_path / "digits"
    place.mkdir()
    samples = {path.stem: path for path in onnxray_models.samples("lenet")}
    for name, digit in WHOLE.items():
        shutil.copy(samples[digit], place / f"{name}.png")
    for name, data in BROKEN.items():
        (place / f"b-{name}.png").write_bytes(data)
    return place


def test_broken_pictures_of_a_folder_are_left_out_counted_and_named(folder: Path):
    pixels = read_images(folder, PROFILE)
    assert [Path(str(name)).stem for name in pixels.names] == [*WHOLE]
    assert np.array_equal(pixels.array, read_images([folder / f"{name}.png" for name in WHOLE], PROFILE).array)
    assert pixels.left_out == len(BROKEN)
    assert pixels.notes[0] == "4 of 7 pictures cannot be read and are left out (--strict refuses them):"
    for name in BROKEN:
        assert sum(f"left out: {folder / f'b-{name}.png'}: " in note for note in pixels.notes) == 1


def test_strict_refuses_them(folder: Path):
    for read in (
        lambda: read_images(folder, PROFILE, strict=True),
        lambda: read_at_own_size(folder, PROFILE, 99, strict=True),
    ):
        with pytest.raises(ImageError, match=r"b-cut\.png"):
            read()
    with pytest.raises(ImageError, match=r"b-cut\.png"):
        onnxray.open("lenet", strict=True).predict(folder)


@pytest.mark.parametrize("name", BROKEN)
def test_a_picture_that_is_named_is_refused(name: str, folder: Path):
    for given in (folder / f"b-{name}.png", [folder, folder / f"b-{name}.png"]):
        with pytest.raises(ImageError, match=f"b-{name}"):
            read_images(given, PROFILE)


def test_a_folder_of_broken_pictures_alone_is_refused(folder: Path):
    for name in WHOLE:
        (folder / f"{name}.png").unlink()
    for read in (read_images, lambda given, profile: read_at_own_size(given, profile, 99)):
        with pytest.raises(ImageError, match=r"b-cut\.png.*; nor can 3 others of the folder"):
            read(folder, PROFILE)


def test_pictures_at_their_own_size_too(folder: Path):
    found = read_at_own_size(folder, PROFILE, 99)
    assert [Path(str(one.names[0])).stem for one in found] == [*WHOLE]
    assert "4 of 7 pictures cannot be read and are left out (--strict refuses them):" in found[0].notes
    assert not any(one.notes for one in found[1:])


def test_a_result_says_it(folder: Path):
    result = Gradient()(onnxray.open("lenet"), folder)
    assert len(result.items) == 3
    assert sum(note.startswith("left out: ") for note in result.provenance.notes) == 4


def test_pairs_in_turn_are_refused_where_a_picture_is_left_out(folder: Path, tmp_path: Path):
    model = onnxray.open("lenet")
    samples = {path.stem: path for path in onnxray_models.samples("lenet")}
    targets = [samples[name] for name in ("9_0", "8_0", "7_0")]
    with pytest.raises(InputError, match=r"4 pictures of folders cannot be read, so which target belongs to which"):
        LOTS(layer="ip2", steps=1)(model, folder, TargetImages(images=targets))
    with pytest.raises(InputError, match=r"4 pictures of folders"):
        LOTS(layer="ip2", steps=1)(model, targets, TargetImages(images=folder))
    assert len(LOTS(layer="ip2", steps=1)(model, folder, TargetImages(images=targets[:1])).items) == 3
    assert len(LOTS(layer="ip2", steps=1)(model, folder, TargetImages(images=targets[:2], pairing="all")).items) == 6


def test_folders_inside_are_said_and_not_looked_into(folder: Path):
    assert folders_below(folder) == ""
    for name in ("cat", ".hidden"):
        (folder / name).mkdir()
    Image.new("L", (28, 28)).save(folder / "cat" / "1.png")
    pixels = read_images(folder, PROFILE)
    assert len(pixels) == 3
    assert pixels.notes[-1] == f"{folder}: 1 folder inside it (cat) not looked into"
    for name in ("dog", "eel", "fox"):
        (folder / name).mkdir()
    assert folders_below(folder) == "4 folders inside it (cat, dog, eel, ...)"


def test_a_folder_of_folders_says_what_to_do(tmp_path: Path):
    (tmp_path / "cat").mkdir()
    with pytest.raises(
        ImageError,
        match=r"a folder without image files; .*; 1 folder inside it \(cat\) not looked into: give it by name",
    ):
        read_images(tmp_path, PROFILE)

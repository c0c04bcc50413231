"""Values of many pictures: those of the model, whatever the blocks, and the same where a run was stopped on the way."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

import onnxray
import onnxray_models
from onnxray.errors import ImageError, InputError
from onnxray.images.files import save_png
from onnxray.images.picture_list import PictureList
from onnxray.methods.features.parts import walk as walking
from onnxray.methods.features.parts.walk import Block, Question, Walked, walk
from support import models
from support.children import child


@pytest.fixture
def model() -> onnxray.Model:
    return onnxray.open(models.lenet(), models.GREY)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "pictures"
    place.mkdir()
    for k, picture in enumerate(models.pictures(23).astype(np.uint8)):
        save_png(place / f"{k:02}.png", picture)
    return place


@pytest.fixture(autouse=True)
def blocks_of_four(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "block_size", lambda _: 4)


def keep(block: Block) -> Mapping[str, np.ndarray]:
    return {"ip1": block.values["ip1"], "sums": block.values["conv1"].sum((1, 2, 3))}


QUESTION = Question(layers=("ip1", "conv1"), keep=keep)


def walked(model: onnxray.Model, folder: Path, work: Path, stop_after: int = 10**9) -> Walked:
    work.mkdir(exist_ok=True)
    assert model.profile is not None

    def tick(done: int, _: int) -> None:
        if done > stop_after:
            raise KeyboardInterrupt

    return walk(model, PictureList.of(str(folder), model.profile), QUESTION, work, tick)


def test_they_are_the_models_own(model: onnxray.Model, folder: Path, tmp_path: Path) -> None:
    found = walked(model, folder, tmp_path / "work")
    expected = model.values(str(folder), ["ip1", "conv1"])
    np.testing.assert_allclose(found.arrays["ip1"], expected["ip1"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.arrays["sums"], expected["conv1"].sum((1, 2, 3)), rtol=1e-4)
    np.testing.assert_array_equal(found.places, np.arange(23))


@pytest.mark.parametrize("stop_after", [0, 4, 11])
def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(
    model: onnxray.Model, folder: Path, tmp_path: Path, stop_after: int
) -> None:
    whole = walked(model, folder, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        walked(model, folder, tmp_path / "work", stop_after)
    asked: list[int] = []

    def counted(block: Block) -> Mapping[str, np.ndarray]:
        asked.append(len(block.pixels))
        return keep(block)

    assert model.profile is not None
    question = Question(layers=QUESTION.layers, keep=counted)
    found = walk(model, PictureList.of(str(folder), model.profile), question, tmp_path / "work", lambda *_: None)
    assert sum(asked) == 23 - (stop_after // 4 + 1) * 4
    for key in ("ip1", "sums"):
        np.testing.assert_array_equal(found.arrays[key], whole.arrays[key])


@pytest.mark.parametrize("damage", ["torn", "lines", "rows", "other", "nonsense"])
def test_what_is_not_as_it_was_written_is_computed_again(
    model: onnxray.Model, folder: Path, tmp_path: Path, damage: str
) -> None:
    whole = walked(model, folder, tmp_path / "work")
    arrays = {key: np.array(value) for key, value in whole.arrays.items()}
    lines, rows = tmp_path / "work" / "walked.jsonl", tmp_path / "work" / "rows-0.bin"
    text = lines.read_bytes()
    if damage == "torn":
        lines.write_bytes(text[:-20])
    elif damage == "lines":
        lines.write_bytes(b"".join(text.splitlines(keepends=True)[2:]))
    elif damage == "rows":
        data = bytearray(rows.read_bytes())
        data[400] ^= 1
        rows.write_bytes(data)
    elif damage == "other":
        changed = [json.loads(line) for line in text.splitlines()]
        changed[1]["kinds"] = {"ip1": ["|O8", [20]], "sums": ["<f4", []]}
        lines.write_bytes(b"".join(json.dumps(line).encode() + b"\n" for line in changed))
    else:
        lines.write_bytes(b"[1]\n\xff\n")
    found = walked(model, folder, tmp_path / "work")
    for key, value in arrays.items():
        np.testing.assert_array_equal(found.arrays[key], value)
    assert len(lines.read_bytes().splitlines()) == 6


def test_what_cannot_be_read_is_left_out_and_told(model: onnxray.Model, folder: Path, tmp_path: Path) -> None:
    for name in ("03.png", "09.png"):
        (folder / name).write_bytes(b"no picture")
    found = walked(model, folder, tmp_path / "work")
    assert found.places.tolist() == [k for k in range(23) if k not in {3, 9}]
    assert len(found.left_out) == 2
    expected = model.values(str(folder), ["ip1"])["ip1"]
    np.testing.assert_allclose(found.arrays["ip1"], expected, rtol=1e-5, atol=1e-6)
    assert model.profile is not None
    named = PictureList.of([str(folder / "03.png")], model.profile)
    for k, pictures in enumerate((PictureList.of(str(folder), model.profile, strict=True), named)):
        (tmp_path / f"{k}").mkdir()
        with pytest.raises(ImageError, match=r"03\.png"):
            walk(model, pictures, QUESTION, tmp_path / f"{k}", lambda *_: None)


def test_a_block_of_nothing_but_broken_pictures(model: onnxray.Model, folder: Path, tmp_path: Path) -> None:
    for k in range(8):
        (folder / f"{k:02}.png").write_bytes(b"")
    found = walked(model, folder, tmp_path / "work")
    again = walked(model, folder, tmp_path / "work")
    assert found.places.tolist() == list(range(8, 23))
    np.testing.assert_array_equal(found.arrays["ip1"], again.arrays["ip1"])


def test_a_value_without_a_row_for_each_is_refused(model: onnxray.Model, folder: Path, tmp_path: Path) -> None:
    del model
    text = """g (float[N,1,14,14] x) => (float y) {
      y = ReduceMean <keepdims = 0> (x)
    }"""
    one = onnxray.open(models.parse(text), models.GREY)
    assert one.profile is not None
    question = Question(layers=("y",), keep=lambda block: dict(block.values))
    (tmp_path / "work").mkdir()
    with pytest.raises(InputError, match="one for all samples|no row for each picture"):
        walk(one, PictureList.of(str(folder), one.profile), question, tmp_path / "work", lambda *_: None)


CHILD = """
import sys
from pathlib import Path

import onnxray
from onnxray.images.picture_list import PictureList
from onnxray.methods.features.extraction import Extracted, Extraction

model, (folder, work, out) = onnxray.open("lenet"), map(Path, sys.argv[1:])
pictures = PictureList.of(str(folder), model.profile)
found = Extraction(layers=("ip1",), predictions=True).walk(model, pictures, work, lambda *_: None)
Extracted.of(model, pictures, found, None).write(out)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("RssAnon")))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_memory_is_flat_from_a_thousand_to_twenty_thousand_pictures(tmp_path: Path) -> None:
    """What is not of files, after all was extracted and written: names and predictions of each picture alone grow."""
    samples = onnxray_models.samples("lenet")
    took = []
    for count in (1_000, 20_000):
        folder, work = tmp_path / f"in{count}", tmp_path / f"work{count}"
        folder.mkdir()
        work.mkdir()
        for k in range(count):
            shutil.copyfile(samples[k % 100], folder / f"{k:05}.png")
        out, error = child("-c", CHILD, str(folder), str(work), str(work / "features.npz")).communicate(timeout=900)
        assert out, error
        took.append(int(out.split()[-1]))
        assert (work / "features.npz").stat().st_size > count * 500 * 4
    assert took[1] - took[0] < 60_000  # KiB; the values themselves are 40 MB in 20,000 rows, and more than that before

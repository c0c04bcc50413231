"""Inversion of arrays and of values inside: the error is ONNX Runtime's on what is saved, by the file or the cut one."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from PIL import Image

import onnxray
from onnxray.errors import InputError, NotDifferentiable
from onnxray.methods.synthesis.invert import Invert
from onnxray.methods.synthesis.item import SynthesisItem
from onnxray.objectives.goals import TargetValues
from onnxray.report.inversion_report import sheets
from onnxray.results.result import Result
from support import kinds_of_input
from support.cut_models import from_value_on
from support.models import lenet, pictures, random

FEEDS = {"rgb": random(1, 2, 3, 16, 16), "depth": random(2, 2, 1, 16, 16)}
IDS = {"input_ids": np.array([[2, 5, 9, 3], [1, 0, 7, 7]]), "attention_mask": np.array([[1, 1, 1, 0], [1, 1, 1, 1]])}


def opened(kind: str) -> Any:
    return onnxray.open(getattr(kinds_of_input, kind)().SerializeToString())


def array(item: Any, role: str) -> Any:
    return item.arrays()[role][1]


@pytest.mark.parametrize("wrt", ["depth", ("rgb", "depth"), None])
def test_inputs_are_made_anew_and_the_others_held(wrt: Any) -> None:
    model, session = opened("two"), onnxruntime.InferenceSession(kinds_of_input.two().SerializeToString())
    result = Invert(layer="f", preset="plain", steps=150, wrt=wrt)(model, FEEDS)
    names = ("depth",) if wrt == "depth" else ("rgb", "depth")
    for row, item in enumerate(result.items):
        own = {name: feed[row : row + 1] for name, feed in FEEDS.items()}
        made = {**own, **{name: array(item, f"image {name}")[None] for name in names}}
        assert tuple(item.moved) == names
        f0, f = (model.values(fed, ["f"])["f"].astype(np.float64) for fed in (own, made))
        error = np.square(f - f0).sum() / np.square(f0).sum()
        assert item.numbers_["error"] == pytest.approx(error, rel=1e-3, abs=1e-7)
        assert error < 0.05 < item.trace["objective"][0] * -1
        assert item.class_ == session.run(None, made)[0].argmax()
        assert item.numbers_["original_class"] == session.run(None, own)[0].argmax()
        parts = [made[name] - own[name] for name in names]
        assert item.numbers_["l2"] == pytest.approx(np.sqrt(sum(np.square(p).sum() for p in parts)), rel=1e-5)
        for name in names:
            np.testing.assert_array_equal(array(item, f"original {name}"), own[name][0])
    assert result.provenance.notes[0].startswith("changed: " + ", ".join(names))


@pytest.mark.parametrize(("kind", "given", "value", "layer"), [
    ("tokens", IDS, "e", "s"), ("tokens", IDS, "h", "logits"), ("two", FEEDS, "c", "f"),
])  # fmt: skip
def test_a_value_inside_is_judged_on_the_file_from_there_on(kind: str, given: Any, value: str, layer: str) -> None:
    model = opened(kind)
    at, run = from_value_on(model, value, layer, given)
    items = Invert(layer=layer, preset="plain", steps=150, wrt=value, samples=2)(model, given).items
    assert len(items) == 4
    f0 = run(at)
    for k, item in enumerate(items):
        row, made = k // 2, at.copy()
        made[row] = array(item, f"image {value}")
        error = np.square(run(made)[row] - f0[row]).sum() / np.square(f0[row]).sum()
        assert item.numbers_["error"] == pytest.approx(error, rel=2e-3, abs=1e-6)
        assert error < -item.trace["objective"][0] / 4
    assert not np.array_equal(array(items[0], f"image {value}"), array(items[1], f"image {value}"))


def test_of_a_picture_too() -> None:
    model = onnxray.open(lenet().SerializeToString())
    item = Invert(layer="ip2", preset="plain", steps=100, wrt="ip1")(model, pictures(1)).items[0]
    assert item.numbers_["error"] < 0.05
    assert item.numbers_["same_class"] == (item.class_ == item.numbers_["original_class"])


@pytest.mark.parametrize("kind", ["table", "wave", "clip", "spectrogram", "series"])
def test_every_kind_of_input(kind: str) -> None:
    given = {
        "table": random(0, 1, 5), "wave": random(0, 1, 1, 800), "clip": random(0, 1, 3, 4, 16, 16),
        "spectrogram": random(0, 1, 1, 20, 30), "series": random(0, 1, 1, 100),
    }[kind]  # fmt: skip
    layer = "h" if kind == "table" else "f"
    model = opened(kind)
    first, again = (Invert(layer=layer, preset="plain", steps=120)(model, given).items[0] for _ in range(2))
    (name,) = first.moved
    assert first.numbers_["error"] < 0.1 < -first.trace["objective"][0]
    np.testing.assert_array_equal(array(first, f"image {name}"), array(again, f"image {name}"))


def test_a_run_is_kept_and_read_back(tmp_path: Path) -> None:
    result = Invert(layer="f", preset="plain", steps=5)(opened("two"), FEEDS)
    result.save(tmp_path / "run")
    again = Result.load(tmp_path / "run", SynthesisItem)
    for one, other in zip(again.items, result.items, strict=True):
        assert one.stem == other.stem
        assert one.moved == other.moved
        for role, (_, numbers) in other.arrays().items():
            np.testing.assert_array_equal(one.arrays()[role][1], numbers)
        for role, picture in other.images.items():
            np.testing.assert_array_equal(one.images[role], picture)
    assert set(sheets(result)) == {"trace.png"}


def test_what_is_of_pictures_is_refused_with_what_works() -> None:
    model = opened("two")
    for options, match in [
        ({}, "--preset tv1 is for pictures, and arrays are inverted here; --preset plain inverts them"),
        ({"preset": "plain", "jitter": 3}, "--jitter is for pictures"),
        ({"preset": "plain", "every": 3}, "--every is for pictures"),
    ]:
        with pytest.raises(InputError, match=match):
            Invert(layer="f", **options)(model, FEEDS)
    alone = TargetValues(values={"ip2": np.ones(5, np.float32)})
    with pytest.raises(InputError, match="give the samples that it is of, in place of --values"):
        Invert(preset="plain", wrt="ip1")(onnxray.open(lenet().SerializeToString()), None, alone)
    with pytest.raises(InputError, match="was given no samples"):
        Invert(preset="plain", layer="f")(model, None, TargetValues(values=np.ones(4, np.float32)))
    with pytest.raises(NotDifferentiable, match="gradients exist for real numbers alone"):
        Invert(preset="plain", layer="s", wrt="input_ids")(opened("tokens"), IDS)


def test_a_picture_that_is_given_for_one_of_several_inputs_is_made_in_8_bits(tmp_path: Path) -> None:
    model = opened("two")
    colour = np.random.default_rng(3).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(colour).save(tmp_path / "colour.png")
    given = {"rgb": str(tmp_path / "colour.png"), "depth": FEEDS["depth"][:1]}
    item = Invert(layer="f", preset="plain", steps=60, wrt="rgb")(model, given).items[0]
    made = item.images["image rgb"]
    assert made.dtype == np.uint8
    np.testing.assert_array_equal(item.images["original rgb"], colour.transpose(2, 0, 1))
    f0 = model.values(given, ["f"])["f"].astype(np.float64)
    f = model.values({**given, "rgb": (made[None] / np.float32(255)).astype(np.float32)}, ["f"])["f"]
    assert item.numbers_["error"] == pytest.approx(np.square(f - f0).sum() / np.square(f0).sum(), rel=1e-3, abs=1e-7)
    assert item.numbers_["error"] < -item.trace["objective"][0] / 4

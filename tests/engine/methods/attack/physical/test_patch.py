"""Patches: where they lie, what is best on a linear model, what is stated of them, and the sheet to be printed."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import onnxray
from onnxray.errors import InputError
from onnxray.images.files import read_png
from onnxray.methods import Patch
from onnxray.methods.attack.physical.placements import Placement, outline, place, side_of, with_patch
from onnxray.methods.attack.physical.transformations import Draw, read_transformations
from onnxray.report.parts.print_sheet import print_sheet
from support.attacking import straight
from support.linear import SIDE
from support.paths import ROOT

SAMPLES = ROOT / "models" / "onnxray_models" / "lenet" / "samples"


def test_a_patch_that_is_not_turned_lies_pixel_by_pixel() -> None:
    random = np.random.default_rng(0)
    x, patch = (random.uniform(0, 255, shape).astype(np.float32) for shape in ((2, 3, 20, 24), (3, 6, 6)))
    places = [Placement(down=8.0, across=15.0, seen=Draw()), Placement(down=3.0, across=3.0, seen=Draw())]
    seen = with_patch(x, patch, "square", places).array
    expected = x.copy()
    expected[0, :, 5:11, 12:18] = patch
    expected[1, :, :6, :6] = patch
    assert np.abs(seen - expected).max() < 1e-2


def test_a_turned_patch_covers_its_share() -> None:
    white = np.full((1, 20, 20), 255, np.float32)
    random, kinds = np.random.default_rng(2), read_transformations("rotation=-180..180")
    for shape, area in (("square", 400.0), ("circle", 400 * np.pi / 4)):
        places = [place(kinds, 20, shape, (1, 60, 60), random) for _ in range(8)]  # type: ignore[arg-type]
        seen = with_patch(np.zeros((8, 1, 60, 60), np.float32), white, shape, places).array  # type: ignore[arg-type]
        assert np.abs(seen.sum((1, 2, 3)) / 255 / area - 1).max() < 0.02
        assert seen[:, :, [0, -1]].max() <= 255 * 0.51  # within the picture as a whole, but for half a pixel
        assert seen[:, :, :, [0, -1]].max() <= 255 * 0.51
    for share in (0.05, 0.3):
        assert side_of(share, "square", 224, 224) ** 2 / 224**2 == pytest.approx(share, rel=0.02)
        assert outline("circle", side_of(share, "circle", 224, 224)).sum() / 224**2 == pytest.approx(share, rel=0.03)


def test_the_way_back_is_the_derivative() -> None:
    random = np.random.default_rng(1)
    x, patch, h = (
        random.uniform(60, 190, shape).astype(np.float32) for shape in ((3, 1, 16, 16), (1, 7, 7), (1, 7, 7))
    )
    kinds = read_transformations(("scale=0.7..1.4", "rotation=-60..60", "brightness=-9..9", "blur=0.5..1"))
    places = [place(kinds, 7, "circle", (1, 16, 16), random) for _ in range(3)]
    g = random.normal(size=x.shape).astype(np.float32)
    views = with_patch(x, patch, "circle", places)
    change = float((g * (with_patch(x, patch + h / 100, "circle", places).array - views.array)).sum())
    assert float((views.back(g)[0] * h).sum()) / 100 == pytest.approx(change, rel=1e-2)


def test_the_best_patch_of_a_linear_model_is_found() -> None:
    """It covers all, so that all numbers end where w_1 - w_0 is highest, and success is that of this picture."""
    model, w = straight(classes=2)
    images = np.random.default_rng(0).integers(0, 256, (6, 1, SIDE, SIDE)).astype(np.uint8)
    wanted = 1 - int((images.reshape(6, -1).astype(np.float64) @ w.T).argmax(1)[0])
    method = Patch(share=1.0, transform=(), steps=25, batch=4, step_size=12.0, trials=10, loss="margin")
    item = method(model, images, wanted).items[0]
    best = np.where(w[wanted] > w[1 - wanted], 255, 0).reshape(1, SIDE, SIDE)
    assert np.array_equal(item.images["patch"], best)
    success = bool((best.ravel() @ w.T).argmax() == wanted)
    assert item.rates["fitted"]["share"] == float(success)
    assert item.rates["held_out"] is None
    assert item.reason == "no pictures were held out"


def test_what_is_stated_is_of_the_saved_patch(tmp_path: Path) -> None:
    model, files = onnxray.open("lenet"), sorted(SAMPLES.glob("*_[0-2].png"))
    method = Patch(
        share=0.2, shape="circle", steps=30, batch=8, step_size=20.0, trials=24, held_out="0.3", loss="margin"
    )
    result = method(model, files, "3")
    result.save(tmp_path / "run")
    item = result.items[0]
    assert item.rates["held_out"]["count"] == item.rates["random_held_out"]["count"] == 24
    assert item.rates["fitted"]["share"] > item.rates["random_fitted"]["share"]
    assert sum(one["trials"] for one in item.classes) == item.rates["held_out"]["reached"]
    for number, example in enumerate(item.examples, 1):
        said = model.label(int(model.classify(item.images[f"placed-{number}"][None])[0]))
        assert said == example["label_after"]
        assert example["reached"] == (said == "3")
    patch = read_png(tmp_path / "run" / "patch.png")
    assert patch.shape == (1, item.side, item.side)
    assert (patch[:, outline("circle", item.side) == 0] == 255).all()
    again = method(model, files[::-1], "3").items[0]
    assert np.array_equal(again.images["patch"], item.images["patch"])
    assert again.rates == item.rates
    loaded = onnxray.load(tmp_path / "run").items[0]
    assert loaded.numbers() == item.numbers()


def test_the_sheet_has_the_size_that_is_stated() -> None:
    patch = np.zeros((3, 10, 10), np.uint8)
    patch[0] = 255
    files = print_sheet(patch, 80.0, 100, ["a\u202etitle" * 40], disc=False)
    page = Image.open(io.BytesIO(files["print.png"]))
    assert page.size == (round(210 / 25.4 * 100), round(297 / 25.4 * 100))
    assert page.info["dpi"] == pytest.approx((100, 100), abs=0.1)
    red = np.asarray(page.convert("RGB")) == [255, 0, 0]
    assert red.all(2).sum() == round(80 / 25.4 * 100) ** 2
    assert files["print.pdf"].startswith(b"%PDF")
    box = files["print.pdf"].partition(b"/MediaBox [ 0 0 ")[2].split()[:2]
    assert [float(one) for one in box] == pytest.approx([210 / 25.4 * 72, 297 / 25.4 * 72], abs=0.5)
    assert (
        print_sheet(patch, 80.0, 100, ["a"], disc=True)["print.pdf"]
        == print_sheet(patch, 80.0, 100, ["a"], disc=True)["print.pdf"]
    )
    disc = np.asarray(
        Image.open(io.BytesIO(print_sheet(patch, 80.0, 100, ["a"], disc=True)["print.png"])).convert("RGB")
    )
    assert (disc == [255, 0, 0]).all(2).sum() == pytest.approx(np.pi * (40 / 25.4 * 100) ** 2, rel=0.02)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"share": 0.0}, "share is 0.0"),
        ({"share": 1.5}, "share is 1.5"),
        ({"shape": "star"}, "shape is 'star'"),
        ({"transform": "translation=0..0.1"}, "leave translation=0..0.1 out"),
        ({"print_mm": 300.0}, "print_mm is 300.0"),
        ({"dpi": 5}, "dpi is 5"),
    ],
)
def test_options_that_make_no_patch_are_refused(options: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Patch(**options)


def test_a_single_picture_and_many_targets_are_refused() -> None:
    model = onnxray.open("lenet")
    with pytest.raises(InputError, match="a patch was given 1 picture"):
        Patch()(model, [SAMPLES / "4_0.png"])
    with pytest.raises(InputError, match="one class or comparison was expected"):
        Patch()(model, [SAMPLES / "4_0.png", SAMPLES / "4_1.png"], ["1", "2"])

"""What channels look for: the largest numbers of the model's own values, and the pixels that the graph says they see."""

from pathlib import Path

import numpy as np
import pytest

import onnxray
from onnxray.display.sheets import drawn
from onnxray.images.files import read_png, save_png
from onnxray.methods.features.parts.effective_field import effective_field
from onnxray.methods.features.parts.unit_layers import unit_layers
from onnxray.methods.features.patches import Patches
from support import models
from support.feature_folders import plain
from support.trusted import trusted


@pytest.fixture(scope="module")
def lenet() -> onnxray.Model:
    return trusted(onnxray.open("lenet"))


def test_the_strongest_pictures_and_what_their_units_see(lenet: onnxray.Model, tmp_path: Path) -> None:
    folder = plain(tmp_path, 12)
    result = Patches(layer="conv2", channels="3,7-8", patches=4, picture="none")(lenet, str(folder))
    paths = [str(path) for path in sorted(folder.iterdir())]
    values = lenet.values(paths, ["conv2"])["conv2"]
    assert [item.channel for item in result.items] == [3, 7, 8]
    for item in result.items:
        own = values[:, item.channel]
        order = np.argsort(-own.max((1, 2)), kind="stable")[:4]
        assert [patch["path"] for patch in item.patches] == [paths[k] for k in order]
        np.testing.assert_allclose([patch["value"] for patch in item.patches], own.max((1, 2))[order], rtol=1e-5)
        assert item.mean == pytest.approx(own.mean(), rel=1e-4)
        # 5 x 5, a pooling of 2 by 2, 5 x 5: 14 pixels in steps of 2, the first from 0 to 13.
        assert {k: item.receptive_field[k] for k in ("size", "step", "offset", "reason")} == {
            "size": [14, 14], "step": [2.0, 2.0], "offset": [6.5, 6.5], "reason": None,
        }  # fmt: skip
        for patch, k in zip(item.patches, order):
            row, column = np.unravel_index(own[k].argmax(), own[k].shape)
            assert patch["place"] == [row, column]
            assert patch["box"] == [2 * row, 2 * column, 2 * row + 14, 2 * column + 14]
        top, left, bottom, right = item.patches[0]["box"]
        shown = read_png(str(item.patches[0]["path"]))[:, top:bottom, left:right].repeat(2, 1).repeat(2, 2)
        np.testing.assert_array_equal(item.images["patches"][:, 2:30, 2:30], shown)
    assert list(drawn(result)) == ["sheet.png"]


def test_gradients_stand_beside_patches_and_only_where_the_unit_sees(lenet: onnxray.Model, tmp_path: Path) -> None:
    folder = plain(tmp_path, 6)
    for picture, said in (("deconvnet", "Relu"), ("guided", "Relu"), ("gradient", None)):
        result = Patches(layer="relu1", most=2, patches=3, picture=picture)(lenet, str(folder))  # type: ignore[arg-type]
        item = result.items[0]
        assert item.receptive_field["size"] is None
        assert "reads all places" in item.receptive_field["reason"]
        assert item.patches[0]["place"] is None
        assert item.patches[0]["box"] == [0, 0, 28, 28]
        assert item.images["gradients"].shape == item.images["patches"].shape
        assert np.ptp(item.images["gradients"]) > 50
        assert any("rule on" in note for note in result.provenance.notes) == (said is not None)
        assert item.receptive_field["effective"] > 3
    local = Patches(layer="conv2", channels="0", patches=1, picture="gradient")(lenet, str(folder)).items[0]
    # LeNet has no rectifier before conv2, so the gradient is the plain one whatever is asked for.
    assert local.images["gradients"].shape == local.images["patches"].shape == (1, 32, 32)
    plain_ = Patches(layer="conv2", channels="0", patches=1)(lenet, str(folder))
    assert any("no Relu before it" in note for note in plain_.provenance.notes)
    np.testing.assert_array_equal(plain_.items[0].images["gradients"], local.images["gradients"])


def test_a_patch_at_the_border_keeps_its_place(tmp_path: Path) -> None:
    """A unit in the upper left corner sees padding there: its patch stands at the lower right of the canvas."""
    text = "g (float[N,1,14,14] x) => (float[N,1,14,14] y) { y = Conv <pads = [2, 2, 2, 2]> (x, w) }"
    model = onnxray.open(models.parse(text, {"w": np.ones((1, 1, 5, 5), np.float32) / 25}), models.GREY)
    for name, place in (("corner", (0, 0)), ("middle", (7, 7))):
        picture = np.zeros((1, 14, 14), np.uint8)
        picture[0, place[0] : place[0] + 1, place[1] : place[1] + 1] = 255
        save_png(tmp_path / f"{name}.png", picture)
    item = Patches(layer="y", channels="0", picture="none")(model, str(tmp_path)).items[0]
    boxes = {Path(patch["path"]).stem: tuple(patch["box"]) for patch in item.patches}
    places = {Path(patch["path"]).stem: tuple(patch["place"]) for patch in item.patches}
    field = unit_layers(model, ("y",))[0].field
    assert field is not None
    assert boxes == {name: field.box(*place) for name, place in places.items()}
    assert item.receptive_field["size"] == [5, 5]
    assert item.receptive_field["offset"] == [0.0, 0.0]


def test_channels_last_and_pooled_values_are_channels_too(tmp_path: Path) -> None:
    text = """g (float[N,1,14,14] x) => (float[N,3] f) {
      c = Conv (x, w)
      r = Relu (c)
      t = Transpose <perm = [0, 2, 3, 1]> (r)
      p = ReduceMean <axes = [2, 3], keepdims = 1> (r)
      f = Flatten (p)
    }"""
    model = trusted(onnxray.open(models.parse(text, {"w": models.random(0, 3, 1, 3, 3)}), models.GREY))
    for k, picture in enumerate(models.pictures(5).astype(np.uint8)):
        save_png(tmp_path / f"{k}.png", picture)
    first, last = (Patches(layer=name, channels="0-2", picture="gradient")(model, str(tmp_path)) for name in ("r", "t"))
    for one, other in zip(first.items, last.items):
        assert [patch["box"] for patch in one.patches] == [patch["box"] for patch in other.patches]
        assert one.receptive_field["size"] == other.receptive_field["size"] == [3, 3]
        np.testing.assert_array_equal(one.images["gradients"], other.images["gradients"])
    pooled = Patches(layer="p", channels="0-2", picture="none")(model, str(tmp_path))
    flat = Patches(layer="f", channels="0-2", picture="none")(model, str(tmp_path))
    assert [item.patches for item in pooled.items] == [item.patches for item in flat.items]


def test_the_effective_field_of_a_box_is_all_of_it_and_of_several_less(tmp_path: Path) -> None:
    """A convolution of equal weights counts everywhere alike: its field is 5 x 5; three in a row see 13 x 13, of which
    the middle counts most (Luo et al. 2016).
    """
    del tmp_path
    nodes = "a = Conv <pads = [2, 2, 2, 2]> (x, w)\n b = Conv <pads = [2, 2, 2, 2]> (a, w)"
    text = f"g (float[N,1,14,14] x) => (float[N,1,14,14] c) {{ {nodes}\n c = Conv <pads = [2, 2, 2, 2]> (b, w) }}"
    model = trusted(onnxray.open(models.parse(text, {"w": np.ones((1, 1, 5, 5), np.float32)}), models.GREY))
    pixels = model.pixels(models.pictures(2))
    found = {name: effective_field(model, pixels, unit_layers(model, (name,))[0]) for name in ("a", "c")}
    assert found["a"].side == pytest.approx(5)
    one = np.ones(5)
    line = np.convolve(np.convolve(one, one), one)
    heat = np.outer(line, line)
    assert found["c"].side == pytest.approx(np.sqrt((heat > (1 - 0.9545) * heat.max()).sum()), abs=0.6)
    assert 5 < found["c"].side < 13

"""Filters, activations and apply: pictures against their formulas; tiles against the whole; bad input."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

import onnxray
from onnxray.cli.app import app
from onnxray.errors import InputError, OnnxrayError
from onnxray.images.drawing.mosaic import mosaic
from onnxray.images.pixels import png_bytes, read_png
from onnxray.images.profile.profile import Profile
from onnxray.images.profile.toml_form import toml_of
from onnxray.methods.synthesis.activations import Activations
from onnxray.methods.synthesis.filters import Filters
from onnxray.model.picture_network import apply_network
from support import models

TEXT = """
net (float[N,3,12,12] x) => (float[N,2] z) {
  a = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x, w1)
  r = Relu (a)
  b = Conv <kernel_shape = [5, 5], pads = [2, 2, 2, 2]> (r, w2)
  g = GlobalAveragePool (b)
  f = Flatten <axis = 1> (g)
  z = Gemm (f, u)
}
"""
W1, W2 = models.random(0, 6, 3, 3, 3), models.random(1, 4, 6, 5, 5)


def net(channels: str = "RGB") -> onnxray.Model:
    profile = Profile(
        name="p", layout="NCHW", channels=channels, scale=1 / 255, mean=(0.5,) * 3, std=(1.0,) * 3, size=(12, 12)
    )
    return onnxray.open(models.parse(TEXT, {"w1": W1, "w2": W2, "u": models.random(2, 4, 2)}), profile)


def picture(height: int = 12, width: int = 12) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, height, width)).astype(np.uint8)


def cell(grid: np.ndarray, place: int, columns: int, side: int, factor: int) -> np.ndarray:
    """One map of a mosaic, at its own size again."""
    step = side * factor + 2
    top, left = place // columns * step + 2, place % columns * step + 2
    return grid[:, top : top + side * factor : factor, left : left + side * factor : factor]


@pytest.mark.parametrize("channels", ["RGB", "BGR"])
def test_first_filters_are_red_green_blue_whatever_the_model_takes(channels: str) -> None:
    found = Filters()(net(channels), None).items[0].images["image"]
    for k in range(6):
        expected = np.rint(127.5 * (1 + W1[k].astype(float) / np.abs(W1[k]).max()))
        expected = expected[::-1] if channels == "BGR" else expected
        assert np.array_equal(cell(found, k, 3, 3, 8), expected)


def test_later_filters_are_a_row_each_and_what_is_left_out_is_said() -> None:
    result = Filters(layer="b", most=5)(net(), None)
    assert result.provenance.notes[0] == "b: 4 of 4 filters and 5 of 6 channels shown"
    found = result.items[0].images["image"]
    for row in range(4):
        for column in range(5):
            expected = np.rint(127.5 * (1 + W2[row, column].astype(float) / np.abs(W2[row]).max()))
            # One kernel, one scale: channels of a filter can be compared.
            assert np.array_equal(cell(found, row * 5 + column, 5, 5, 5)[0], expected)


@pytest.mark.parametrize("by", ["layer", "channel"])
def test_activations_are_the_judges_between_black_and_white(by: str) -> None:
    model = net()
    values = models.run(
        models.parse(TEXT, {"w1": W1, "w2": W2, "u": models.random(2, 4, 2)}),
        {"x": ((picture() / 255.0) - 0.5).astype(np.float32)[None]}, ["r"],
    )[0][0].astype(float)  # fmt: skip
    item = Activations(layer="r", normalise=by)(model, picture()[None]).items[0]
    axes = None if by == "layer" else (1, 2)
    low, high = values.min(axes, keepdims=True), values.max(axes, keepdims=True)
    expected = 255 * (values - low) / (high - low)
    for k in range(6):
        assert np.abs(cell(item.images["image"], k, 3, 12, 2)[0] - expected[k]).max() <= 0.51
    assert (item.numbers_["least"], item.numbers_["largest"]) == pytest.approx((values.min(), values.max()), abs=1e-5)


def test_activations_of_the_bundled_lenet_by_default() -> None:
    import onnxray_models

    sample = next(iter(onnxray_models.samples("lenet")))
    items = Activations()(onnxray.open("lenet"), sample).items
    assert [item.layer for item in items] == ["conv1", "pool1", "conv2", "pool2"]


def test_a_mosaic_of_one_map_is_the_map_grown() -> None:
    one = np.arange(12, dtype=np.uint8).reshape(1, 1, 3, 4)
    found = mosaic(one)
    assert np.array_equal(found[0, 2:-2:6, 2:-2:6], one[0, 0])


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (lambda: Filters(layer="r")(net(), None), "'r' is not what a convolution"),
        (lambda: Filters()(net(), picture()[None]), "neither images nor targets"),
        (lambda: Filters()(net(), None, "class:1"), "neither images nor targets"),
        (lambda: Activations(layer="f")(net(), picture()[None]), "no rows and columns"),
        (lambda: Activations(normalise="x")(net(), picture()[None]), "normalise is 'x'"),
        (lambda: Activations(most=0)(net(), picture()[None]), "most is 0"),
    ],
)
def test_bad_input_is_refused(run, said: str) -> None:
    with pytest.raises(OnnxrayError) as caught:
        run()
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


BLUR = "blur (float[{n},{c},{h},{w}] x) => (float[{n},{c2},{h2},{w2}] y) {{ y = Conv <kernel_shape = [5, 5], pads = [2, 2, 2, 2]> (x, k) }}"
LARGER = """
large (float[N,3,16,16] x) => (float[N,3,32,32] y) {
  y = Resize <mode = "nearest", coordinate_transformation_mode = "asymmetric", nearest_mode = "floor"> (x, , s)
}
"""


def kernel() -> np.ndarray:
    """Each colour blurred, and moved on by one channel: the order of channels matters."""
    k = np.zeros((3, 3, 5, 5), np.float32)
    taps = np.abs(models.random(4, 5, 5))
    for channel in range(3):
        k[channel, (channel + 1) % 3] = taps / taps.sum()
    return k


def blur(side: int | str, channels: str = "RGB") -> onnxray.Model:
    text = BLUR.format(n="N", c=3, c2=3, h=side, w=side, h2=side, w2=side)
    profile = Profile(
        name="raw", layout="NCHW", channels=channels, scale=1.0, mean=(0.0,) * 3, std=(1.0,) * 3, size=(16, 16)
    )
    return onnxray.open(models.parse(text, {"k": kernel()}), profile)


def whole(image: np.ndarray) -> np.ndarray:
    fed = {"x": image.astype(np.float32)[None]}
    text = BLUR.format(n="N", c=3, c2=3, h="H", w="W", h2="H", w2="W")
    return models.run(models.parse(text, {"k": kernel()}), fed)[0][0]


def test_a_network_of_free_size_sees_the_whole_picture() -> None:
    applied = apply_network(blur("S"), picture(20, 20).astype(np.float32))
    assert applied.tiles == 1
    assert applied.range == "255"
    assert np.abs(applied.image - whole(picture(20, 20))).max() <= 0.51


def test_tiles_blend_into_the_whole_away_from_their_ends() -> None:
    """A tile is wrong on the two places at its ends; blended, less so, and not at all elsewhere."""
    image = picture(40, 28)
    applied = apply_network(blur(16), image.astype(np.float32), overlap=8)
    off = np.abs(applied.image - whole(image))
    assert applied.image.shape == (3, 40, 28)
    starts = ([0, 8, 16, 24], [0, 8, 12])
    ends = [sorted({e for s in found for e in (s, s + 1, s + 14, s + 15)}) for found in starts]
    clean = ~(np.isin(np.arange(40), ends[0])[:, None] | np.isin(np.arange(28), ends[1]))
    assert clean.sum() > 100
    assert off[:, clean].max() <= 0.51
    assert off.max() < np.abs(apply_network(blur(16), image.astype(np.float32), overlap=0).image - whole(image)).max()


def test_a_model_of_bgr_is_fed_and_read_as_such() -> None:
    image = picture(16, 16)
    applied = apply_network(blur(16, "BGR"), image.astype(np.float32))
    assert np.abs(applied.image - whole(image[::-1])[::-1]).max() <= 0.51


def test_a_network_that_enlarges_enlarges_tiles_too() -> None:
    scales = {"s": np.array([1, 1, 2, 2], np.float32)}
    model = onnxray.open(models.parse(LARGER, scales), blur(16).profile)
    image = picture(24, 20)
    applied = apply_network(model, image.astype(np.float32), overlap=4)
    assert np.array_equal(applied.image, image.repeat(2, 1).repeat(2, 2))


def test_a_picture_smaller_than_a_fixed_size_is_mirrored_and_cut() -> None:
    applied = apply_network(blur(16), picture(10, 12).astype(np.float32))
    inner = np.s_[:, 2:-2, 2:-2]
    assert applied.image.shape == (3, 10, 12)
    assert np.abs(applied.image - whole(picture(10, 12)))[inner].max() <= 0.51


@pytest.mark.parametrize(
    ("factor", "shift", "found"), [(1.0, 0.0, "255"), (1 / 255, 0.0, "1"), (2 / 255, -1.0, "signed")]
)
def test_the_range_is_found_and_said(factor: float, shift: float, found: str) -> None:
    text = "n (float[N,3,16,16] x) => (float[N,3,16,16] y) { m = Mul (x, f) y = Add (m, s) }"
    parts = {"f": np.float32(factor), "s": np.float32(shift)}
    model = onnxray.open(models.parse(text, {k: np.asarray(v) for k, v in parts.items()}), blur(16).profile)
    applied = apply_network(model, picture(16, 16).astype(np.float32))
    assert applied.range == found
    assert np.array_equal(applied.image, picture(16, 16))


def test_what_is_no_picture_and_bad_options_are_refused() -> None:
    image = picture(16, 16).astype(np.float32)
    with pytest.raises(InputError, match=r"no picture of 1 or 3 channels"):
        apply_network(net(), picture().astype(np.float32), overlap=0)
    with pytest.raises(InputError, match="overlap is 16"):
        apply_network(blur(16), image, overlap=16)
    with pytest.raises(InputError, match="range is '2'"):
        apply_network(blur(16), image, overlap=2, range="2")


def test_commands(tmp_path: Path) -> None:
    model, photo = tmp_path / "blur.onnx", tmp_path / "photo.png"
    text = BLUR.format(n="N", c=3, c2=3, h=16, w=16, h2=16, w2=16)
    onnx.save(models.parse(text, {"k": kernel()}), model)
    (tmp_path / "blur.toml").write_text(toml_of(blur(16).profile))
    photo.write_bytes(png_bytes(picture(30, 20)))
    out = tmp_path / "out"
    result = CliRunner().invoke(app, ["apply", str(model), str(photo), "--overlap", "6", "--json", "-o", str(out)])
    assert result.exit_code == 0, result.stderr
    item = json.loads(result.stdout)["items"][0]
    assert (item["size"], item["range"]) == ([30, 20], "255")
    saved = read_png(out / item["files"]["image"])
    assert np.array_equal(saved, apply_network(blur(16), picture(30, 20).astype(np.float32), overlap=6).image)
    refused = CliRunner().invoke(app, ["apply", "lenet", str(photo)])
    assert refused.exit_code == 1
    assert "is no picture" in refused.stderr
    for name in ("filters", "activations", "deepdream", "caricature", "style", "texture"):
        found = CliRunner().invoke(app, ["visualize", name, "--help"])
        assert found.exit_code == 0
        assert "--layer" in found.stdout


@pytest.mark.parametrize("name", ["filters", "activations"])
def test_what_takes_no_steps_offers_no_snapshots(name: str, tmp_path: Path) -> None:
    refused = CliRunner().invoke(app, ["visualize", name, "lenet", "--every", "3", "-o", str(tmp_path / "out")])
    assert refused.exit_code == 2
    others = "caricature, deepdream, maximize, style, texture"
    assert f"--every is an option of {others}, not of {name}" in refused.stderr
    assert not (tmp_path / "out").exists()

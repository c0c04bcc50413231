"""How far codes move: by the definition, on networks that ignore a factor and on one that follows it."""

import csv
from pathlib import Path

import numpy as np
import pytest

import onnxray
from onnxray.display.sheets import drawn
from onnxray.errors import InputError
from onnxray.images.files import read_png, save_png
from onnxray.images.pixels import Pixels
from onnxray.methods.features.invariance import Invariance
from onnxray.methods.features.parts.transformations import FACTORS
from support import models
from support.feature_folders import plain


@pytest.fixture(scope="module")
def lenet() -> onnxray.Model:
    return onnxray.open("lenet")


def test_codes_move_by_the_definition(lenet: onnxray.Model, tmp_path: Path) -> None:
    folder = plain(tmp_path, 6)
    result = Invariance(layer=("pool1", "ip1"), factor=("rotation", "blur"))(lenet, str(folder))
    assert [(item.layer, item.factor) for item in result.items] == [
        ("pool1", "rotation"), ("pool1", "blur"), ("ip1", "rotation"), ("ip1", "blur"),
    ]  # fmt: skip
    pictures = [read_png(path).astype(np.float32) for path in sorted(folder.iterdir())]
    item, factor = result.items[2], FACTORS["rotation"]
    codes = np.stack([lenet.values(Pixels.of(factor.variants(one)), ["ip1"])["ip1"] for one in pictures])
    codes = codes.astype(np.float64)
    own = codes[:, factor.levels.index(0)]
    between = np.mean([np.square(a - b).sum() for i, a in enumerate(own) for j, b in enumerate(own) if i != j])
    moved = np.sqrt(np.square(codes - own[:, None]).sum(2).mean(0) / between)
    np.testing.assert_allclose(item.moved, moved, rtol=1e-4, atol=1e-9)
    assert item.shares is not None
    assert sum(item.shares.values()) == pytest.approx(1)
    assert sorted(drawn(result)) == ["invariance.png", "shares.png", "sheet.png"]
    assert result.items[0].images["levels"].shape == (1, 28, 7 * 28)
    assert not result.items[2].images


TEXT = """
g (float[N,1,14,14] x) => (float[N,1,14,14] y, float[N,1,1,1] mean) {
  y = Identity (x)
  mean = GlobalAveragePool (x)
}"""


def test_a_mean_ignores_a_flip_and_pixels_follow_it_by_a_map(tmp_path: Path) -> None:
    """A flip moves the pixels as far as it may, and a linear map of them, a permutation, tells all of it."""
    model = onnxray.open(models.parse(TEXT), models.GREY)
    random = np.random.default_rng(0)
    basis = random.standard_normal((5, 14, 14))
    for k in range(60):  # of five numbers each, so that a map can be learnt from thirty
        picture = 127 + 15 * np.tensordot(random.standard_normal(5), basis, 1)
        save_png(tmp_path / f"{k:02}.png", np.clip(np.rint(picture), 0, 255).astype(np.uint8)[None])
    found = {item.layer: item for item in Invariance(layer=("y", "mean"), factor="flip")(model, str(tmp_path)).items}
    assert found["mean"].moved is not None
    assert found["mean"].moved[1] == pytest.approx(0, abs=1e-4)
    assert found["mean"].shares == pytest.approx({"factor": 0, "picture": 1, "interaction": 0}, abs=1e-6)
    pixels = found["y"]
    assert pixels.moved is not None
    assert pixels.moved[1] > 0.8
    assert pixels.equivariance is not None
    assert pixels.equivariance["r2"] > 0.95
    assert pixels.equivariance["unchanged_r2"] < 0.2


def test_pairs_of_the_users_own(lenet: onnxray.Model, tmp_path: Path) -> None:
    folder = plain(tmp_path / "in", 6)
    names = sorted(path.name for path in folder.iterdir())
    with (tmp_path / "pairs.csv").open("w", newline="", encoding="utf-8") as stream:
        rows = [("before", "after"), (f"in/{names[0]}", f"in/{names[1]}"), (f"in/{names[2]}", f"in/{names[2]}")]
        csv.writer(stream).writerows(rows)
    result = Invariance(layer="ip1", factor="light", pairs=str(tmp_path / "pairs.csv"))(lenet, str(folder))
    item = result.items[-1]
    assert item.factor == "pairs"
    codes = lenet.values(str(folder), ["ip1"])["ip1"].astype(np.float64)
    between = np.mean([np.square(a - b).sum() for i, a in enumerate(codes) for j, b in enumerate(codes) if i != j])
    assert item.pairs is not None
    far = np.sqrt(np.square(codes[0] - codes[1]).sum() / between)
    assert [pair["moved"] for pair in item.pairs] == pytest.approx([far, 0], rel=1e-4, abs=1e-9)
    (tmp_path / "pairs.csv").write_text("only one\n", encoding="utf-8")
    with pytest.raises(InputError, match="row 1 is 'only one'"):
        Invariance(layer="ip1", factor="light", pairs=str(tmp_path / "pairs.csv"))(lenet, str(folder))


def test_what_would_not_fit_is_refused(lenet: onnxray.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnxray.methods.features.invariance._LARGEST", 999)
    with pytest.raises(InputError, match="1000 numbers, more than 999"):
        Invariance(layer="ip1", factor="flip")(lenet, str(plain(tmp_path, 2)))


def test_colours_are_changed_where_there_are_some(tmp_path: Path) -> None:
    from onnxray.images.profile.profile import Profile

    text = "g (float[N,3,8,8] x) => (float[N,3,1,1] m) { m = GlobalAveragePool (x) }"
    profile = Profile(
        name="rgb", layout="NCHW", channels="RGB", scale=1.0, mean=(0.0,) * 3, std=(1.0,) * 3, size=(8, 8)
    )
    model = onnxray.open(models.parse(text), profile)
    for k, picture in enumerate(np.random.default_rng(0).integers(0, 256, (5, 3, 8, 8)).astype(np.uint8)):
        save_png(tmp_path / f"{k}.png", picture)
    result = Invariance(layer="m")(model, str(tmp_path))
    assert [item.factor for item in result.items] == list(FACTORS)
    hue = next(item for item in result.items if item.factor == "hue")
    assert hue.moved is not None
    assert min(hue.moved[:3]) > 0.05

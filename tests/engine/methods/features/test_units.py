"""Statistics of channels: the formulas restated on the model's own values."""

from pathlib import Path

import numpy as np
import pytest

import onnxray
from onnxray.display.sheets import drawn
from onnxray.errors import InputError
from onnxray.images.files import save_png
from onnxray.methods.features.units import Units
from support import models
from support.feature_folders import digits, plain


@pytest.fixture(scope="module")
def lenet() -> onnxray.Model:
    return onnxray.open("lenet")


def test_they_are_those_of_the_formulas(lenet: onnxray.Model, tmp_path: Path) -> None:
    folder = digits(tmp_path, 4)
    item = Units(layer="relu1", true_labels="folders")(lenet, str(folder)).items[0]
    paths = [str(path) for path in sorted(folder.glob("*/*.png"))]
    values = lenet.values(paths, ["relu1"])["relu1"].astype(np.float64)
    classes = np.array([int(Path(path).parent.name) for path in paths])
    got = {name: np.array([one[name] for one in item.channels], float) for name in ("mean", "zeros", "deviation")}
    np.testing.assert_allclose(got["mean"], values.mean(0), rtol=1e-5)
    np.testing.assert_allclose(got["zeros"], (values == 0).mean(0), atol=1e-7)
    np.testing.assert_allclose(got["deviation"], values.std(0), rtol=1e-4, atol=1e-7)
    of_class = np.stack([values[classes == k].mean(0) for k in range(10)])
    top = of_class.max(0)
    rest = (of_class.sum(0) - top) / 9
    with np.errstate(invalid="ignore"):
        correlations = np.corrcoef(values.T)
    for c, one in enumerate(item.channels):
        if top[c] > 0:
            assert one["selectivity"] == pytest.approx((top[c] - rest[c]) / (top[c] + rest[c]), rel=1e-4)
            assert one["class"] == str(of_class[:, c].argmax())
        assert one["dead"] == (values[:, c] == 0).all()
        if one["correlation"] is not None:
            beside = np.abs(np.where(np.arange(500) == c, 0, np.nan_to_num(correlations[c])))
            assert abs(one["correlation"]) == pytest.approx(beside.max(), abs=1e-4)
            assert one["correlation"] == pytest.approx(correlations[c, one["correlated_with"]], abs=1e-4)
    assert item.dead == int((values == 0).all(0).sum())
    assert (item.classes, item.labelled_by) == (10, "labels")
    assert np.abs(np.nan_to_num(item.correlations)).max() <= 1


TEXT = """
g (float[N,1,14,14] x) => (float[N,4,12,12] r) {
  c = Conv (x, w, b)
  r = Relu (c)
}"""


def test_dead_and_constant_channels_and_those_below_zero(tmp_path: Path) -> None:
    """Channel 0 is never on, 1 is always 5, 2 and 3 are each other's copies."""
    weights = np.zeros((4, 1, 3, 3), np.float32)
    weights[2:, 0, 1, 1] = 1
    model = onnxray.open(models.parse(TEXT, {"w": weights, "b": np.float32([-9, 5, 0, 0])}), models.GREY)
    for k, picture in enumerate(models.pictures(6).astype(np.uint8)):
        save_png(tmp_path / f"{k}.png", picture)
    result = Units(layer=("r", "c"))(model, str(tmp_path))
    rectified, plain_ = result.items
    assert (rectified.dead, rectified.constant) == (1, 1)
    assert [one["dead"] for one in rectified.channels] == [True, False, False, False]
    assert [one["correlated_with"] for one in rectified.channels] == [None, None, 3, 2]
    assert rectified.channels[2]["correlation"] == pytest.approx(1)
    assert "does not vary" in rectified.channels[0]["reason"]
    assert (rectified.classes, rectified.labelled_by) == (0, None)
    assert any("no classifier" in note for note in result.provenance.notes)
    assert any("1 of 4 channels" in note for note in result.provenance.notes)
    assert plain_.dead == 0
    assert list(drawn(result)) == ["units.png"]


def test_classes_are_the_files_own_where_none_are_stated(lenet: onnxray.Model, tmp_path: Path) -> None:
    result = Units(layer="conv2")(lenet, str(plain(tmp_path, 9)))
    item = result.items[0]
    assert item.labelled_by == "predictions"
    assert all(one["selectivity"] is None for one in item.channels)
    assert "below 0" in item.channels[0]["reason"]
    assert any("what the file says" in note for note in result.provenance.notes)


def test_more_channels_than_can_be_compared_are_refused(
    lenet: onnxray.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onnxray.methods.features.units._MOST", 49)
    with pytest.raises(InputError, match="50 channels"):
        Units(layer="conv2")(lenet, str(plain(tmp_path, 3)))

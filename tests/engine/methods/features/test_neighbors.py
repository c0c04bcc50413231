"""Neighbours of digits: by the definition, beside pixel space, between folders, and those that are near duplicates."""

from pathlib import Path

import numpy as np
import pytest

import onnxray
from onnxray.display.sheets import drawn
from onnxray.images.files import read_png, save_png
from onnxray.methods.features.neighbors import Neighbors
from onnxray.methods.features.parts.pixel_space import pixel_codes, reduced
from support.feature_folders import digits, plain


@pytest.fixture(scope="module")
def lenet() -> onnxray.Model:
    return onnxray.open("lenet")


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_they_are_the_nearest_by_the_models_own_values(lenet: onnxray.Model, tmp_path: Path, metric: str) -> None:
    folder = digits(tmp_path, 4)
    result = Neighbors(layer=("ip1", "pool2"), k=3, metric=metric, true_labels="folders")(lenet, str(folder))  # type: ignore[arg-type]
    paths = [str(path) for path in sorted(folder.glob("*/*.png"))]
    values = lenet.values(paths, ["ip1", "pool2"])
    pixels = np.stack([read_png(path) for path in paths])
    assert len(result) == 80
    for place, layer in enumerate(("ip1", "pool2")):
        for space, role in ((values[layer], "neighbors"), (pixels, "pixel_neighbors")):
            codes = space.reshape(40, -1).astype(np.float64)
            if metric == "cosine":
                codes /= np.linalg.norm(codes, axis=1, keepdims=True)
            far = np.linalg.norm(codes[:, None] - codes, axis=2)
            far = far**2 / 2 if metric == "cosine" else far
            np.fill_diagonal(far, np.inf)
            for row, item in enumerate(result.items[40 * place : 40 * (place + 1)]):
                assert (item.path, item.layer, item.label) == (paths[row], layer, Path(paths[row]).parent.name)
                listed = getattr(item, role)
                nearest = np.argsort(far[row], kind="stable")[:3]
                assert [one["path"] for one in listed] == [paths[k] for k in nearest]
                np.testing.assert_allclose([one["distance"] for one in listed], far[row][nearest], rtol=2e-4)
                assert [one["label"] for one in listed] == [Path(paths[k]).parent.name for k in nearest]
    space = result.extra["spaces"][0]
    own = [[one["label"] == item.label for one in item.neighbors] for item in result.items[:40]]
    assert space["share_of_label"] == pytest.approx(np.mean(own))


def test_a_layers_neighbours_share_the_digit_more_often_than_pixels_do(lenet: onnxray.Model, tmp_path: Path) -> None:
    """Of the 100 bundled digits; docs/features.md states the figures of 1,000."""
    spaces = Neighbors(layer="relu1", true_labels="folders")(lenet, str(digits(tmp_path, 10))).extra["spaces"]
    assert [space["space"] for space in spaces] == ["relu1", "pixels"]
    assert spaces[0]["share_of_label"] > 0.85 > 0.65 > spaces[1]["share_of_label"]
    assert spaces[0]["majority_right"] > spaces[1]["majority_right"]


def test_pictures_of_one_folder_that_stand_in_another_are_told(lenet: onnxray.Model, tmp_path: Path) -> None:
    """Two copies, one of them a grey level brighter here and there, among others."""
    test, train = plain(tmp_path / "test", 10), tmp_path / "train"
    train.mkdir()
    paths = sorted(test.iterdir())
    for k, path in enumerate(plain(tmp_path / "more", 40).iterdir()):
        if path.name not in {one.name for one in paths}:
            (train / f"own{k}.png").write_bytes(path.read_bytes())
    (train / "copy.png").write_bytes(paths[2].read_bytes())
    noisy = read_png(paths[5]).astype(int) + np.random.default_rng(0).integers(0, 8, (1, 28, 28))
    save_png(train / "almost.png", np.clip(noisy, 0, 255).astype(np.uint8))
    result = Neighbors(layer="ip1", among=str(train))(lenet, str(test))
    twins = {Path(item.path or "").name: [Path(str(one)).name for one in item.duplicate_of] for item in result.items}
    assert {name: found for name, found in twins.items() if found} == {
        paths[2].name: ["copy.png"], paths[5].name: ["almost.png"],
    }  # fmt: skip
    assert result.items[2].neighbors[0]["distance"] == 0
    assert any("2 of 10 pictures have a near duplicate" in note for note in result.provenance.notes)
    assert len(result.items[0].neighbors) == 5


def test_sheets_show_some_queries_with_both_rows(lenet: onnxray.Model, tmp_path: Path) -> None:
    result = Neighbors(layer="ip1", k=2, sheets=3)(lenet, str(plain(tmp_path, 8)))
    shown = [item for item in result.items if item.images]
    assert [item.place for item in shown] == [0, 4, 7]
    for item in shown:
        assert item.images["query"].shape == (1, 28, 28)
        assert item.images["neighbors"].shape == (1, 28, 56)
        first = read_png(str(item.neighbors[0]["path"]))
        np.testing.assert_array_equal(item.images["neighbors"][:, :, :28], first)
    assert list(drawn(result)) == ["sheet.png"]
    assert not drawn(Neighbors(layer="ip1", sheets=0)(lenet, str(plain(tmp_path, 8))))


def test_arrays_in_memory_and_numbers_that_are_not_finite(lenet: onnxray.Model) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (7, 1, 28, 28)).astype(np.uint8)
    result = Neighbors(layer="ip1", k=2)(lenet, pictures)
    assert [item.path for item in result.items] == [None] * 7
    assert all(len(item.neighbors) == 2 for item in result.items)


def test_pixel_space_is_means_of_whole_pixels() -> None:
    picture = np.arange(2 * 3 * 10 * 7, dtype=np.float32).reshape(2, 3, 10, 7) / 2
    np.testing.assert_array_equal(pixel_codes(picture, 10).reshape(picture.shape), np.rint(picture))
    small = reduced(picture, 5)
    assert small.shape == (2, 3, 5, 3)
    np.testing.assert_array_equal(small[1, 2, 4, 2], np.rint(picture[1, 2, 8:10, 4:6].mean()))

"""Two models layer by layer: the same file, one that is broken at a layer, an int8 file, and another network."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from typer.testing import CliRunner

import onnxray
import onnxray_models
from onnxray.assess.models.kernel_alignment import cka
from onnxray.assess.models.similarity import LayerSimilarity
from onnxray.cli.app import app
from onnxray.display.sheets import drawn
from support import models
from support.feature_folders import plain, spoilt

LENET = onnxray_models.path("lenet")


def spoilt_at(name: str, place: Path, by: float = 2) -> Path:
    """The digits' network with one layer's weights made noisy."""
    model = onnx.load(LENET)
    for tensor in model.graph.initializer:
        if tensor.name == name:
            weights = numpy_helper.to_array(tensor)
            noise = models.random(0, *weights.shape) * weights.std() * by
            tensor.CopyFrom(numpy_helper.from_array((weights + noise).astype(np.float32), name))
    onnx.save(model, place)
    return place


def weights_of(value: str) -> str:
    node = next(node for node in onnx.load(LENET).graph.node if value in node.output)
    return str(node.input[1])


@pytest.fixture(scope="module")
def lenet() -> onnxray.Model:
    return onnxray.open("lenet")


def test_a_model_beside_itself(lenet: onnxray.Model, tmp_path: Path) -> None:
    result = LayerSimilarity(other=onnxray.open("lenet"))(lenet, str(plain(tmp_path, 14)))
    assert {item.layer for item in result.items} >= {"conv1", "conv2", "ip2"}
    for item in result.items:
        assert item.layer == item.other_layer
        assert (item.matched_by, item.pictures_seen, item.reason) == ("name", 14, None)
        assert item.cka == pytest.approx(1, abs=1e-9)
        assert item.procrustes == pytest.approx(1, abs=1e-6)
        assert item.mutual_neighbors == 1
    assert result.extra["parts_at"] is None
    assert result.extra["agreement"] == {"same_class": 14, "pictures": 14, "share": 1.0}
    saliency = result.extra["saliency"]
    assert (saliency["method"], saliency["pictures"], saliency["reason"]) == ("grad-cam", 8, None)
    assert saliency["rank_correlation"] == {"mean": pytest.approx(1), "median": pytest.approx(1), "count": 8}
    assert list(drawn(result)) == ["similarity.png"]


def test_maps_of_another_model_agree_less_and_are_those_of_the_methods(lenet: onnxray.Model, tmp_path: Path) -> None:
    from scipy.stats import spearmanr

    from onnxray.methods.saliency.gradient.gradient import Gradient

    noisy = onnxray.open(spoilt_at(weights_of("conv2"), tmp_path / "noisy.onnx"), profile=lenet.profile)
    paths = [str(path) for path in sorted(plain(tmp_path / "in", 6).iterdir())]
    result = LayerSimilarity(other=noisy, layer="conv1", maps=3, map_method="gradient")(lenet, paths)
    found = []
    for path in (paths[0], paths[2], paths[5]):
        target = f"class:{int(lenet.predict(path).classes[0])}"
        maps = [Gradient()(model, path, target).items[0].heat for model in (lenet, noisy)]
        found.append(spearmanr(*(np.asarray(one, np.float64).reshape(-1) for one in maps)).statistic)
    told = result.extra["saliency"]
    assert told["rank_correlation"]["count"] == 3
    assert told["rank_correlation"]["mean"] == pytest.approx(np.mean(found), abs=1e-6)
    assert told["rank_correlation"]["mean"] < 0.9
    assert LayerSimilarity(other=noisy, layer="conv1", maps=0)(lenet, paths).extra["saliency"] is None
    with pytest.raises(onnxray.errors.InputError, match="there is no method 'nonsense'"):
        LayerSimilarity(other=noisy, map_method="nonsense")(lenet, paths)


def test_models_part_at_the_layer_that_was_broken(lenet: onnxray.Model, tmp_path: Path) -> None:
    folder = plain(tmp_path / "in", 14)
    other = onnxray.open(spoilt_at(weights_of("conv2"), tmp_path / "broken.onnx"), "lenet")
    result = LayerSimilarity(other=other)(lenet, str(folder))
    assert result.extra["parts_at"] == "conv2"
    paths = sorted(map(str, folder.glob("*.png")))
    names = [item.layer for item in result.items]
    own, theirs = lenet.values(paths, names), other.values(paths, names)
    matrix = cka(*([values[name].reshape(len(paths), -1) for name in names] for values in (own, theirs)))
    np.testing.assert_allclose(np.array(result.extra["cka"]), matrix, atol=1e-5)
    for k, item in enumerate(result.items):
        assert item.cka == pytest.approx(matrix[k, k], abs=1e-5)
        codes = [values[item.layer].reshape(len(paths), -1).astype(np.float64) for values in (own, theirs)]
        near = []
        for some in codes:
            apart = np.linalg.norm(some[:, None] - some[None], axis=2)
            np.fill_diagonal(apart, np.inf)
            near.append(np.argsort(apart, 1, kind="stable")[:, :5])
        shared = np.mean([len({*a} & {*b}) / 5 for a, b in zip(*near)])
        assert item.mutual_neighbors == pytest.approx(shared, abs=0.02)
    same = lenet.predict_classes(paths).classes == other.predict_classes(paths).classes
    assert result.extra["agreement"]["same_class"] == same.sum()


def test_of_different_networks_each_layer_stands_beside_the_most_alike(tmp_path: Path) -> None:
    text = """g (float[N,1,28,28] x) => (float[N,4] y) {
      c = Conv <kernel_shape = [3, 3], strides = [3, 3]> (x, w)
      r = Relu (c)
      f = Flatten (r)
      y = MatMul (f, v)
    }"""
    weights = {"w": models.random(0, 6, 1, 3, 3), "v": models.random(1, 486, 4)}
    other = onnxray.open(models.parse(text, weights), "lenet")
    result = LayerSimilarity(other=other)(onnxray.open("lenet"), str(plain(tmp_path)))
    matrix = np.array(result.extra["cka"])
    assert result.extra["other_layers"] == ["c", "y"]
    for item, row in zip(result.items, matrix):
        assert item.matched_by == "cka"
        assert item.other_layer == result.extra["other_layers"][row.argmax()]
    assert result.extra["parts_at"] is None
    assert any("different networks" in note for note in result.provenance.notes)


def invoke(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["features", "compare", *map(str, arguments)])


def test_the_command_with_broken_pictures_few_pictures_and_named_layers(tmp_path: Path) -> None:
    folder = spoilt(plain(tmp_path / "in", 3))
    result = invoke("lenet", "lenet", folder, "--layer", "ip1", "--json", "-o", tmp_path / "out")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert (found["left_out"], [item["layer"] for item in found["items"]]) == (2, ["ip1"])
    assert found["items"][0]["cka"] is None
    assert "3 pictures alone" in found["items"][0]["reason"]
    assert (tmp_path / "out" / "similarity.png").exists()
    assert onnxray.load(tmp_path / "out").items[0].layer == "ip1"
    huge = invoke("lenet", "nowhere.onnx", folder, "-o", tmp_path / "none")
    assert (huge.exit_code, (tmp_path / "none").exists()) == (1, False)
    said = invoke("lenet", "lenet", plain(tmp_path / "more"), "-o", tmp_path / "table")
    assert said.exit_code == 0
    assert "they do not part" in said.stdout
    assert "both say the same class of 12 of 12" in said.stdout


def test_pooled_values_are_means_of_channels(lenet: onnxray.Model, tmp_path: Path) -> None:
    folder = plain(tmp_path)
    broken = onnxray.open(spoilt_at(weights_of("conv1"), tmp_path / "b.onnx"), "lenet")
    (item,) = LayerSimilarity(other=broken, layer="conv2", pool="mean")(lenet, str(folder)).items
    paths = sorted(map(str, folder.glob("*.png")))
    codes = [one.values(paths, ["conv2"])["conv2"].mean((2, 3)) for one in (lenet, broken)]
    assert item.cka == pytest.approx(cka(codes[:1], codes[1:])[0, 0], abs=1e-4)

"""Parts of a sample, what stands in for those that are taken out, and how scores come in batches."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

import onnxray
from onnxray.cli.app import app
from onnxray.errors import InputError
from onnxray.images.files import save_png
from onnxray.methods.saliency.perturbation.coalitions import superpixels
from onnxray.methods.saliency.perturbation.kernel_shap import KernelSHAP
from onnxray.methods.saliency.perturbation.lime import LIME, drawn, kernel, local_fit
from support import models
from support.perturbing import logits

X = models.pictures(2, seed=3)
GRID: dict[str, Any] = {"superpixels": "grid", "segments": 4}
TABLE = "t (float[N,5] x) => (float[N,3] z) { a = MatMul (x, v) b = Tanh (a) z = MatMul (b, w) }"
TABLE_WEIGHTS = {"v": models.random(0, 5, 8), "w": models.random(1, 8, 3)}


def table(x: models.Array) -> models.Array:
    return (np.tanh(x.astype(np.float64) @ TABLE_WEIGHTS["v"]) @ TABLE_WEIGHTS["w"]).astype(np.float64)


def photograph() -> models.Array:
    """Smooth colours, one noisy corner."""
    y, x = np.mgrid[:40, :60]
    image = np.stack([y * 6.0, x * 4.0, (x + y) * 2.0])
    image[:, :10, :10] += np.random.default_rng(0).uniform(0, 20, (3, 10, 10))
    return np.clip(image, 0, 255).astype(np.float32)


def test_superpixels_are_scikit_images_own() -> None:
    from skimage.segmentation import quickshift, slic

    image = photograph()
    colours = image.transpose(1, 2, 0) / 255
    found = superpixels(image, "slic", 12, 10.0, np.random.default_rng(0))
    expected = slic(colours, n_segments=12, compactness=10, start_label=0)
    np.testing.assert_array_equal(found.index, expected)
    assert found.count == expected.max() + 1 > 4
    drawn_ = [superpixels(image, "quickshift", 0, 0.0, np.random.default_rng(seed)) for seed in (5, 5)]
    seed = int(np.random.default_rng(5).integers(2**31))
    theirs = quickshift(colours, kernel_size=4, max_dist=200, ratio=0.2, rng=seed)
    np.testing.assert_array_equal(drawn_[0].index, theirs)
    np.testing.assert_array_equal(drawn_[0].index, drawn_[1].index)


@pytest.mark.parametrize(
    ("plane", "segments", "sizes"), [((14, 14), 4, {49}), ((9, 1), 3, {3}), ((10, 20), 8, {25}), ((2, 2), 99, {1})]
)
def test_a_grid_is_of_squares(plane: tuple[int, int], segments: int, sizes: set[int]) -> None:
    found = superpixels(np.zeros((1, *plane), np.float32), "grid", segments, 0.0, np.random.default_rng(0))
    assert found.count == min(segments, plane[0] * plane[1])
    assert set(np.bincount(found.index.ravel())) == sizes


def quarters(image: models.Array, z: models.Array, fill: float) -> models.Array:
    """The picture of 14 x 14, quarters of it filled where z is 0."""
    copies = np.repeat(image[None], len(z), 0)
    for copy, row in zip(copies, z):
        for k in np.flatnonzero(~row):
            copy[:, 7 * (k // 2) : 7 * (k // 2) + 7, 7 * (k % 2) : 7 * (k % 2) + 7] = fill
    return copies


@pytest.mark.parametrize("batch", ["N", 1, 3])
def test_pictures(batch: int | str) -> None:
    model = onnxray.open(models.lenet(batch), models.GREY)
    items = LIME(**GRID, samples=40, fill="30")(model, X, 2, seed=7).items
    for place, (item, image) in enumerate(zip(items, X, strict=True)):
        random = np.random.default_rng(7) if place == 0 else None
        assert item.numbers_["parts"] == 4
        assert item.numbers_["background"] == "fill 30"
        np.testing.assert_array_equal(item.more["parts"][[0, 0, 13, 13], [0, 13, 0, 13]], [0, 1, 2, 3])
        np.testing.assert_array_equal(item.heat, item.attribution[item.more["parts"]])
        if random is not None:
            z = drawn(40, 4, random)
            expected = local_fit(z, logits(quarters(image, z, 30.0))[:, 2], kernel(z, "cosine", 0.354), 1.0)[0]
            np.testing.assert_allclose(item.attribution, expected, atol=1e-5)


def test_a_table_against_the_mean_of_a_background(tmp_path: Path) -> None:
    """Shapley values of v(z) = mean_b f(x_z,b), by the formula over all orders' subsets."""
    model, x, background = (
        onnxray.open(models.parse(TABLE, TABLE_WEIGHTS)),
        models.random(2, 2, 5),
        models.random(3, 7, 5),
    )
    np.save(tmp_path / "background.npy", background)
    method = KernelSHAP(background_samples=str(tmp_path / "background.npy"))
    for item, row in zip(method(model, x, 1).items, x, strict=True):

        def v(z: tuple[bool, ...], row: models.Array = row) -> float:
            return float(table(np.where(z, row, background))[:, 1].mean())

        np.testing.assert_allclose(item.heat, brute_force(v, 5), atol=1e-5)
        assert item.numbers_["background"] == f"7 samples of {tmp_path / 'background.npy'}"
        assert item.numbers_["complete"]
        assert item.heat.sum() == pytest.approx(table(row[None])[0, 1] - table(background)[:, 1].mean(), abs=1e-5)


def brute_force(v: Any, parts: int) -> models.Array:
    """phi_i = sum_S |S|! (d - |S| - 1)! / d! (v(S + i) - v(S))."""
    import itertools
    import math

    found = np.zeros(parts)
    for z in itertools.product([False, True], repeat=parts):
        for i in range(parts):
            if not z[i]:
                weight = math.factorial(sum(z)) * math.factorial(parts - sum(z) - 1) / math.factorial(parts)
                found[i] += weight * (v((*z[:i], True, *z[i + 1 :])) - v(z))
    return found


def test_a_folder_of_pictures_is_a_background(tmp_path: Path) -> None:
    others = models.pictures(3, seed=8).astype(np.uint8)
    for k, one in enumerate(others):
        save_png(tmp_path / f"{k}.png", one)
    model = onnxray.open(models.lenet(), models.GREY)
    item = KernelSHAP(**GRID, background_samples=str(tmp_path))(model, X[:1], 2).items[0]

    def v(z: tuple[bool, ...]) -> float:
        mask = np.kron(np.array(z, float).reshape(2, 2), np.ones((7, 7)))
        return float(logits((X[:1] * mask + others * (1 - mask)).astype(np.float32))[:, 2].mean())

    np.testing.assert_allclose(item.attribution, brute_force(v, 4), atol=1e-5)


TREE = (
    "tree (float[N,3] x) => (int64[N] label, float[N,2] p) {{ label, p = ai.onnx.ml.TreeEnsembleClassifier <{}> (x) }}"
)
NODES = """nodes_treeids = [0,0,0,0,0], nodes_nodeids = [0,1,2,3,4], nodes_featureids = [0,0,2,0,0],
nodes_values = [0.0,0.0,0.5,0.0,0.0], nodes_modes = ["BRANCH_LEQ","LEAF","BRANCH_LEQ","LEAF","LEAF"],
nodes_truenodeids = [1,0,3,0,0], nodes_falsenodeids = [2,0,4,0,0], class_treeids = [0,0,0], class_nodeids = [1,3,4],
class_ids = [0,0,0], class_weights = [0.1,0.3,0.9], classlabels_int64s = [0,1], post_transform = "NONE" """


def test_a_tree_has_no_gradient_and_has_shapley_values() -> None:
    text = f'<ir_version: 8, opset_import: ["": 17, "ai.onnx.ml": 1]>\n{TREE.format(NODES)}'
    proto = onnx.parser.parse_model(text)
    x = np.float32([[1.0, 4.0, 1.0]])
    item = KernelSHAP(fill="0")(onnxray.open(proto), x, "value:p[1]").items[0]

    def v(z: tuple[bool, ...]) -> float:
        return float(models.run(proto, {"x": np.where(z, x, 0).astype(np.float32)}, ["p"])[0][0, 1])

    np.testing.assert_allclose(item.heat, brute_force(v, 3), atol=1e-6)
    assert item.heat[1] == pytest.approx(0, abs=1e-7)
    assert abs(item.heat[0]) > 0.1


INPUTS = """two (float[N,3] x, float[N,4] y) => (float[N,2] z) {
  a = MatMul (x, v)
  b = MatMul (y, w)
  z = Add (a, b)
}"""


def test_several_inputs_have_a_map_each() -> None:
    weights = {"v": models.random(0, 3, 2), "w": models.random(1, 4, 2)}
    model = onnxray.open(models.parse(INPUTS, weights))
    x, y = models.random(2, 1, 3), models.random(3, 1, 4)
    found = {item.wrt: item.heat for item in KernelSHAP(fill="0")(model, {"x": x, "y": y}, 1).items}
    np.testing.assert_allclose(found["x"], x[0] * weights["v"][:, 1], atol=1e-5)
    np.testing.assert_allclose(found["y"], y[0] * weights["w"][:, 1], atol=1e-5)


BAD: list[tuple[Any, dict[str, Any], str]] = [
    (LIME, {"samples": 1}, "samples is 1"),
    (LIME, {"width": 0.0}, "width is 0.0"),
    (LIME, {"ridge": -1.0}, "ridge is -1.0"),
    (LIME, {"distance": "far"}, "distance is 'far'"),
    (LIME, {"fill": "pink"}, "fill is 'pink'"),
    (LIME, {"superpixels": "watershed"}, "superpixels is 'watershed'"),
    (LIME, {"superpixels": "quickshift", "segments": 9}, "segments are for slic and grid"),
    (LIME, {"superpixels": "grid", "compactness": 1.0}, "compactness is for slic"),
    (LIME, {"superpixels": "grid", "segments": 1}, "grid makes one superpixel of image 0"),
    (LIME, {"samples": 10_000_000, **GRID, "segments": 196}, "make a matrix of more than 1 GiB"),
    (LIME, {"batch_memory": 0}, "batch_memory is 0 MiB"),
    (LIME, {"background_samples": "no/such.npy"}, "no/such.npy"),
    (KernelSHAP, {"samples": 1}, "samples is 1"),
    (KernelSHAP, {**GRID, "segments": 16, "samples": 6}, "6 samples do not tell 16 parts apart; take more of them, at"),
]


@pytest.mark.parametrize(("method", "options", "message"), BAD)
def test_bad_options(method: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(onnxray.errors.OnnxrayError) as found:
        method(**options)(onnxray.open(models.lenet(), models.GREY), X[:1], 0)
    assert message in str(found.value)
    assert "\n" not in str(found.value)


def test_a_background_of_another_shape_and_superpixels_of_a_table(tmp_path: Path) -> None:
    model, x = onnxray.open(models.parse(TABLE, TABLE_WEIGHTS)), models.random(2, 1, 5)
    for options, message in (
        ({"superpixels": "grid"}, "are for pictures; of a sample each number or token is a part"),
        ({"segments": 3}, "are for pictures"),
        ({"fill": "blur"}, "for images"),
    ):
        with pytest.raises(InputError, match=message):
            LIME(**options)(model, x)
    np.save(tmp_path / "b.npy", models.random(0, 3, 4))
    with pytest.raises(onnxray.errors.OnnxrayError) as found:
        LIME(background_samples=str(tmp_path / "b.npy"))(model, x)
    assert "b.npy" in str(found.value)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("name", ["lime", "kernel-shap"])
def test_the_command_line(name: str, tmp_path: Path) -> None:
    save_png(tmp_path / "seven.png", np.random.default_rng(0).integers(0, 256, (1, 28, 28), np.uint8))
    command = ["saliency", name, "lenet", str(tmp_path / "seven.png"), "--target", "3", "-o", str(tmp_path / "run")]
    command += ["--samples", "60", "--superpixels", "grid", "--segments", "9", "--json"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    item = json.loads(done.stdout)["items"][0]
    assert item["target"] == "logit of class 3"
    assert item["unit"] == "logit"
    assert np.load(tmp_path / "run" / item["files"]["parts"]).max() == 8
    assert np.load(tmp_path / "run" / item["files"]["attribution"]).shape == (9,)


TARGETS = [3, "relu1:2", "relu1:2,Y,X", "ip1[11]", "like:"]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", ["lime", "kernel_shap", "ablation_cam", "full_grad"])
def test_every_target_that_others_take(name: str, target: Any, tmp_path: Path) -> None:
    """What is explained is ONNX Runtime's number, whatever it is; the parts of KernelSHAP add up to its change."""
    model = onnxray.open(models.lenet(), models.GREY)
    if target == "relu1:2,Y,X":  # a place that is not switched off
        place = np.unravel_index(model.values(X[:1], ["relu1"])["relu1"][0, 2].argmax(), (12, 12))
        target = f"relu1:2,{place[0]},{place[1]}"
    if target == "like:":
        save_png(tmp_path / "other.png", models.pictures(1, seed=9)[0].astype(np.uint8))
        target = f"like:{tmp_path / 'other.png'}@ip1"
    options: dict[str, Any] = {**GRID, "samples": 30} if name in {"lime", "kernel_shap"} else {}
    if name == "ablation_cam":
        options["layer"] = "conv1"
    (item,) = onnxray.methods.catalogue.methods()[name](**options)(model, X[:1], target).items
    gradient = onnxray.methods.Gradient()(model, X[:1], target).items[0]
    assert item.target == gradient.target
    assert item.target_score == pytest.approx(gradient.target_score, rel=1e-5)
    assert np.isfinite(item.heat).all()
    assert item.heat.any()
    if name == "kernel_shap":
        assert item.attribution.sum() == pytest.approx(item.numbers_["score_change"], abs=1e-5)
        assert item.numbers_["additivity_gap"] < 1e-12


QUANTISED = """
q (float[N,1,14,14] x) => (float[N,3] z) {
  a = QuantizeLinear (x, sx, zx)
  b = QLinearConv <kernel_shape = [3, 3]> (a, sx, zx, w, sw, zw, sy, zx)
  r = DequantizeLinear (b, sy, zx)
  p = GlobalAveragePool (r)
  z = Flatten (p)
}"""


def test_quantised_operators_need_no_gradient() -> None:
    weights = {
        "w": np.random.default_rng(0).integers(-60, 60, (3, 1, 3, 3)).astype(np.int8), "sx": np.float32(0.02),
        "sw": np.float32(0.01), "sy": np.float32(0.02), "zx": np.int8(0), "zw": np.int8(0),
    }  # fmt: skip
    proto = models.parse(QUANTISED, weights)
    item = KernelSHAP(**GRID, fill="127.5")(onnxray.open(proto, models.GREY), X[:1], 1).items[0]

    def v(z: tuple[bool, ...]) -> float:
        pixels = quarters(X[0], np.array([z]), 127.5)
        return float(models.run(proto, {"x": ((pixels / 255 - 0.5) / 0.5).astype(np.float32)}, ["z"])[0][0, 1])

    np.testing.assert_allclose(item.attribution, brute_force(v, 4), atol=1e-5)
    assert item.attribution.any()

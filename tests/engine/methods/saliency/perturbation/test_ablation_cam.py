"""Ablation-CAM restated: the network from the layer on, one channel after the other zero, by plain ONNX Runtime."""

from typing import Any

import numpy as np
import pytest

import onnxray
from onnxray.errors import InputError
from onnxray.methods.saliency.perturbation.ablation_cam import AblationCAM
from support import models
from support.perturbing import deep, encoded, logits, rgb

X = models.pictures(2, seed=3)
TAIL = """
tail (float[N,32,6,6] relu2) => (float[N,5] ip2) {
  pool2 = AveragePool <kernel_shape = [2, 2], strides = [2, 2]> (relu2)
  flat = Flatten <axis = 1> (pool2)
  ip1 = Gemm <transB = 1> (flat, w3, b3)
  ip2 = Gemm (ip1, w4, b4)
}"""


def by_hand(target: int) -> list[models.Array]:
    """L of every picture at relu2."""
    weights = {name: array for name, array in models.lenet_weights().items() if name[1] in "34"}
    found = []
    for value in models.run(models.lenet(), {"x": encoded(X)}, ["relu2"])[0]:
        y = models.run(models.parse(TAIL, weights), {"relu2": value[None]})[0][0, target]
        total = np.zeros((6, 6))
        for k, channel in enumerate(value):
            ablated = value.copy()
            ablated[k] = 0
            without = models.run(models.parse(TAIL, weights), {"relu2": ablated[None]})[0][0, target]
            total += (float(y) - float(without)) / abs(float(y)) * channel
        found.append(total)
    return found


@pytest.mark.parametrize("batch", ["N", 1, 3])
@pytest.mark.parametrize("target", range(3))
def test_the_formula(batch: int | str, target: int) -> None:
    items = AblationCAM(layer="relu2")(onnxray.open(models.lenet(batch), models.GREY), X, target).items
    for item, expected in zip(items, by_hand(target), strict=True):
        np.testing.assert_allclose(item.attribution, expected, atol=1e-4 * np.abs(expected).max())
        assert (item.heat >= 0).all()


def test_what_speaks_for_a_negative_score_is_positive() -> None:
    scores = logits(X)
    row, target = np.argwhere(scores < 0)[0]
    item = AblationCAM(layer="relu2")(onnxray.open(models.lenet(), models.GREY), X[row : row + 1], int(target)).items[0]
    assert item.target_score < 0
    np.testing.assert_allclose(item.attribution, by_hand(int(target))[row], atol=1e-4)


LINEAR = """
l (float[N,1,4,6] x) => (float[N,2] z) {{
  a = Conv <kernel_shape = [1, 1]> (x, w)
  p = GlobalAveragePool (a)
  f = Flatten (p)
  z = Gemm (f, v, b)
}}"""


def test_a_score_of_zero_is_not_divided_by() -> None:
    """z = v . mean_ij a + b; b takes the score away."""
    w, v = np.float32([1, 2]).reshape(2, 1, 1, 1), np.float32([[1, 0], [1, 0]])
    profile = onnxray.images.profile.profile.Profile(
        name="raw", layout="NCHW", channels="GREY", scale=1.0, mean=(0.0,), std=(1.0,), size=(4, 6)
    )
    model = onnxray.open(models.parse(LINEAR.format(), {"w": w, "v": v, "b": np.float32([-30, 0])}), profile)
    x = np.full((1, 1, 4, 6), 10, np.float32)
    item = AblationCAM(layer="a")(model, x, 0).items[0]
    assert item.target_score == 0
    np.testing.assert_allclose(item.attribution, 10 * 10 + 20 * 20, rtol=1e-5)


def test_what_goes_around_the_layer_stays_as_it_is() -> None:
    """``d`` of the deep network is added to ``c``, which is kept."""
    model, height, width = onnxray.open(deep(20, 18), rgb(20, 18)), 20, 18
    image = np.random.default_rng(0).uniform(0, 255, (1, 3, height, width)).astype(np.float32)
    item = AblationCAM(layer="d")(model, image, 1).items[0]
    values = model.values(image, ["c", "d", "z"])
    proto = deep(20, 18)
    from onnx import utils

    cut = utils.Extractor(_shaped(proto, values)).extract_model(["c", "d"], ["z"])
    y = values["z"][0, 1]
    total = np.zeros(values["d"].shape[2:])
    for k, channel in enumerate(values["d"][0]):
        ablated = values["d"].copy()
        ablated[0, k] = 0
        total += (y - models.run(cut, {"c": values["c"], "d": ablated})[0][0, 1]) / abs(y) * channel
    np.testing.assert_allclose(item.attribution, total, atol=1e-4 * np.abs(total).max())


def _shaped(proto: Any, values: dict[str, models.Array]) -> Any:
    from onnx import TensorProto, helper

    proto.graph.value_info.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, values[name].shape) for name in ("c", "d")
    )
    return proto


def test_what_it_refuses() -> None:
    model = onnxray.open(models.lenet(), models.GREY)
    for options, message in (
        ({"layer": "ip1"}, "no rows and columns"), ({"batch_memory": 0}, "batch_memory is 0 MiB"),
        ({"layer": "prob"}, "does not stand before"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message) as found:
            AblationCAM(**options)(model, X[:1])
        assert "\n" not in str(found.value)

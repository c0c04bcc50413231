"""The occlusion of a middle value: against a model that starts at the changed value."""

import numpy as np
import onnx
import pytest

import onnxray
from onnxray.methods.value_occlusion import ValueOcclusion
from onnxray.windows import sliding_windows
from support import models
from support.perturbing import encoded

X = models.pictures(2, seed=3)


@pytest.mark.parametrize("fill", ["zero", "mean"])
@pytest.mark.parametrize("batch", ["N", 1, 3])
@pytest.mark.parametrize("layer", ["conv1", "pool1", "conv2"])
def test_occlusion_of_positions(layer: str, batch: int | str, fill: str) -> None:
    model = onnxray.open(models.lenet(batch), models.GREY)
    item = ValueOcclusion(layer=layer, size=3, stride=2, fill=fill)(model, X, 1).items[1]
    value = models.run(models.lenet(), {"x": encoded(X[1:])}, [layer])[0][0]
    expected, at = occluded_value(layer, value, fill, 3, 2)
    np.testing.assert_allclose(item.attribution, at, atol=2e-5)
    assert item.heat.shape == (14, 14)
    if value.shape[1:] == (14, 14):
        np.testing.assert_allclose(item.heat, expected, atol=2e-5)


def from_layer(layer: str, value: models.Array) -> models.Array:
    """ip2 from a value on, by a model that starts there."""
    copy = models.lenet()
    kept = []
    reached = {layer}
    for node in copy.graph.node:
        if set(node.input) & reached:
            kept.append(node)
            reached.update(node.output)
    del copy.graph.node[:], copy.graph.input[:], copy.graph.output[:]
    copy.graph.node.extend(kept)
    copy.graph.input.append(onnx.helper.make_tensor_value_info(layer, 1, None))
    copy.graph.output.append(onnx.ValueInfoProto(name="ip2"))
    return models.run(copy, {layer: value})[0].astype(np.float64)


def occluded_value(
    layer: str, value: models.Array, fill: str, size: int, stride: int
) -> tuple[models.Array, models.Array]:
    windows, grid = sliding_windows(value.shape[1:], size, stride)
    clean, drops = from_layer(layer, value[None])[0, 1], []
    total, count = np.zeros(value.shape[1:]), np.zeros(value.shape[1:])
    for top, bottom, left, right in windows:
        changed = value.copy()
        for c in range(len(value)):
            changed[c, top:bottom, left:right] = value[c].mean() if fill == "mean" else 0
        drops.append(clean - from_layer(layer, changed[None])[0, 1])
        total[top:bottom, left:right] += drops[-1]
        count[top:bottom, left:right] += 1
    return total / count, np.array(drops).reshape(grid)


@pytest.mark.parametrize("layer", ["relu1", "conv2", "ip1"])
def test_occlusion_of_channels(layer: str) -> None:
    model = onnxray.open(models.lenet(), models.GREY)
    item = ValueOcclusion(layer=layer, parts="channels")(model, X[:1], 1).items[0]
    value = models.run(models.lenet(), {"x": encoded(X[:1])}, [layer])[0]
    clean, expected = from_layer(layer, value)[0, 1], []
    for c in range(value.shape[1]):
        changed = value.copy()
        changed[:, c] = 0
        expected.append(clean - from_layer(layer, changed)[0, 1])
    np.testing.assert_allclose(item.attribution, expected, atol=2e-5)
    assert item.numbers_["channels"][0]["channel"] == int(np.argmax(expected))
    assert (item.reason is not None) == (layer == "ip1")


SKIP = """
skip (float[N,1,14,14] x) => (float[N,5] z) {
  a = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x, w1)
  b = Relu (a)
  c = Add (b, x)
  shape = Shape (x)
  zero = Constant <value_ints = [0]> ()
  one = Constant <value_ints = [1]> ()
  n = Slice (shape, zero, one)
  rest = Constant <value_ints = [-1]> ()
  flat_shape = Concat <axis = 0> (n, rest)
  d = Reshape (c, flat_shape)
  z = MatMul (d, w2)
}
"""


def test_what_goes_around_the_layer_stays() -> None:
    weights = {"w1": models.random(0, 4, 1, 3, 3), "w2": models.random(1, 784, 5)}
    model = onnxray.open(models.parse(SKIP, weights), models.GREY)
    item = ValueOcclusion(layer="b", parts="channels")(model, X[:1], 1).items[0]
    x = encoded(X[:1])
    b = models.run(models.parse(SKIP, weights), {"x": x}, ["b"])[0]
    expected = (b.reshape(1, 4, -1) * weights["w2"][:, 1].reshape(1, 4, -1)).sum(2)[0]
    np.testing.assert_allclose(item.attribution, expected, rtol=1e-4, atol=1e-4)

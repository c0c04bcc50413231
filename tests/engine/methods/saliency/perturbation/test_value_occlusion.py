"""The occlusion of a middle value: against a model that starts at the changed value."""

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest

import onnxray
from onnxray.errors import InputError
from onnxray.methods.saliency.perturbation.value_occlusion import ValueOcclusion
from onnxray.methods.saliency.perturbation.windows import sliding_windows
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


TOKENS = """
net (float[N,1,8,12] x) => (float[N,5] z) {
  a = Conv <kernel_shape = [2, 2], strides = [2, 2]> (x, w)
  last = Transpose <perm = [0, 2, 3, 1]> (a)
  flat = Reshape (last, to_flat)
  cls = Slice (flat, from, to, along)
  zero = Mul (cls, nothing)
  class = Add (zero, token)
  JOINED
  normed = LayerNormalization (stream, scale)
  q = MatMul (normed, wq)
  k0 = MatMul (normed, wk)
  k = Transpose <perm = [0, 2, 1]> (k0)
  score = MatMul (q, k)
  near = Softmax <axis = -1> (score)
  seen = MatMul (near, normed)
  added = Add (stream, seen)
  read = ReduceMean <axes = [1], keepdims = 0> (added)
  z = MatMul (read, wz)
}
"""
BEFORE, AFTER = "stream = Concat <axis = 1> (class, class, flat)", "stream = Concat <axis = 1> (flat, class)"
TOKEN_WEIGHTS = {
    "w": models.random(1, 6, 1, 2, 2), "token": models.random(2, 1, 1, 6), "scale": np.ones(6, np.float32),
    "nothing": np.zeros(1, np.float32), **{f"w{k}": models.random(i, 6, 6) for i, k in enumerate("qk", 5)},
    "wz": models.random(9, 6, 5), "to_flat": np.array([0, 24, 6]), "from": np.array([0]), "to": np.array([1]),
    "along": np.array([1]),
}  # fmt: skip
WIDE = replace(models.GREY, size=(8, 12))


def starting_at(proto: onnx.ModelProto, layer: str, feeds: dict[str, models.Array]) -> Any:
    """z as a function of a layer: nodes after it kept by hand; what goes around it is fed as it was."""
    kept, reached = [], {layer}
    for node in proto.graph.node:
        if set(node.input) & reached:
            kept.append(node)
            reached.update(node.output)
    made = {name for node in kept for name in node.output}
    weights = {tensor.name for tensor in proto.graph.initializer}
    around = sorted({name for node in kept for name in node.input} - made - weights - {layer})
    beside = dict(zip(around, models.run(proto, feeds, around), strict=True)) if around else {}
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    del copy.graph.node[:], copy.graph.input[:], copy.graph.output[:]
    copy.graph.node.extend(kept)
    copy.graph.input.extend(onnx.helper.make_tensor_value_info(name, 1, None) for name in [layer, *around])
    copy.graph.output.append(onnx.ValueInfoProto(name="z"))
    return lambda value: models.run(copy, {layer: value, **beside})[0].astype(np.float64)


@pytest.mark.parametrize("fill", ["zero", "mean"])
@pytest.mark.parametrize("parts", ["positions", "channels"])
@pytest.mark.parametrize(("joined", "first"), [(BEFORE, 2), (AFTER, 0)])
@pytest.mark.parametrize("layer", ["stream", "normed", "flat", "last"])
def test_occlusion_of_tokens_leaves_those_beside_the_pictures(
    layer: str, joined: str, first: int, parts: str, fill: str
) -> None:
    proto = models.parse(TOKENS.replace("JOINED", joined), TOKEN_WEIGHTS)
    image = np.random.default_rng(2).uniform(0, 255, (1, 1, 8, 12)).astype(np.float32)
    feeds = {"x": encoded(image)}
    value = models.run(proto, feeds, [layer])[0]
    ends = starting_at(proto, layer, feeds)
    tokens = value.reshape(1, -1, 6)
    own = range(24) if layer in {"flat", "last"} else range(first, first + 24)
    means = tokens[0, own].mean(0) if fill == "mean" else np.zeros(6)
    expected = []
    for k in own if parts == "positions" else range(6):
        changed = tokens.copy()
        if parts == "positions":
            changed[0, k] = means
        else:
            changed[0, own, k] = means[k]
        expected.append(ends(value)[0, 1] - ends(changed.reshape(value.shape))[0, 1])
    item = ValueOcclusion(layer=layer, parts=parts, fill=fill)(onnxray.open(proto, WIDE), image, 1).items[0]
    np.testing.assert_allclose(item.attribution.ravel(), expected, atol=2e-5 * max(1, np.abs(expected).max()))
    assert item.attribution.shape == ((4, 6) if parts == "positions" else (6,))
    assert item.heat.shape == (8, 12)


def test_windows_of_tokens() -> None:
    proto = models.parse(TOKENS.replace("JOINED", BEFORE), TOKEN_WEIGHTS)
    image = np.random.default_rng(2).uniform(0, 255, (1, 1, 8, 12)).astype(np.float32)
    item = ValueOcclusion(layer="stream", size=2, stride=2)(onnxray.open(proto, WIDE), image, 1).items[0]
    value = models.run(proto, {"x": encoded(image)}, ["stream"])[0]
    ends = starting_at(proto, "stream", {"x": encoded(image)})
    for row in range(2):
        for column in range(3):
            changed = value.copy()
            for y in (2 * row, 2 * row + 1):
                for x in (2 * column, 2 * column + 1):
                    changed[0, 2 + 6 * y + x] = 0
            expected = ends(value)[0, 1] - ends(changed)[0, 1]
            assert item.attribution[row, column] == pytest.approx(expected, abs=1e-4)


def test_places_that_cannot_be_told_are_refused() -> None:
    proto = models.parse(TOKENS.replace("JOINED", BEFORE), TOKEN_WEIGHTS)
    with pytest.raises(InputError, match="'near' has the shape"):
        ValueOcclusion(layer="near")(onnxray.open(proto, WIDE), np.zeros((1, 1, 8, 12), np.float32), 1)

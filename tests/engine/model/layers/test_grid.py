"""Rows and columns followed through every layout: whatever the value, the maps are those of the convolution."""

from dataclasses import replace

import numpy as np
import pytest

import onnxray
from onnxray.errors import InputError
from onnxray.images.interpolation import bilinear
from onnxray.images.profile.profile import Profile
from onnxray.model.layers.grid import Space, read_space
from onnxray.model.layers.map_layers import choose_layers, find_layers
from support import models
from support.trusted import trusted

PROFILE = replace(models.GREY, size=(8, 12))
LAYOUTS = """
net (float[{batch},1,8,12] x) => (float[{batch},5] z) {{
  a = Conv <kernel_shape = [2, 2], strides = [2, 2]> (x, w)
  last = Transpose <perm = [0, 2, 3, 1]> (a)
  flat = Reshape (a, to_flat)
  tokens = Transpose <perm = [0, 2, 1]> (flat)
  cls = Expand (token, one)
  joined = Concat <axis = 1> (cls, tokens)
  after = Concat <axis = 1> (tokens, cls)
  both = Concat <axis = 1> (joined, cls)
  own = Slice (both, from, to, along)
  padded = Pad (tokens, beside)
  split = Reshape (last, to_windows)
  windows = Transpose <perm = [0, 1, 3, 2, 4, 5]> (split)
  inside = Reshape (windows, to_inside)
  back = Reshape (inside, to_back)
  unsplit = Transpose <perm = [0, 1, 3, 2, 4, 5]> (back)
  whole = Reshape (unsplit, to_whole)
  heads = Reshape (joined, to_heads)
  moved = Transpose <perm = [0, 2, 1, 3]> (heads)
  score = MatMul (tokens, flat)
  near = Softmax <axis = -1> (score)
  seen = MatMul (near, tokens)
  back_again = Reshape (seen, to_whole)
  mixed = Gather <axis = 1> (tokens, shuffle)
  deep = Reshape (last, to_deep)
  deeper = Transpose <perm = [0, 1, 3, 2, 4, 5]> (deep)
  merged = Reshape (deeper, to_merged)
  pooled = ReduceMean <axes = [1], keepdims = 0> (seen)
  sum = ReduceMean <axes = [1], keepdims = 0> (mixed)
  more = Add (pooled, sum)
  z = MatMul (more, v)
}}
"""
WEIGHTS = {
    "w": models.random(1, 6, 1, 2, 2), "token": models.random(2, 1, 1, 6), "v": models.random(3, 6, 5),
    **{
        name: np.array(numbers, np.int64)
        for name, numbers in {
            "to_flat": [0, 0, 24], "one": [1, 1, 1], "from": [1], "to": [25], "along": [1], "beside": [0, 2, 0, 0, 1, 0],
            "to_windows": [0, 2, 2, 2, 3, 6], "to_inside": [-1, 6, 6], "to_back": [-1, 2, 2, 2, 3, 6],
            "to_whole": [-1, 4, 6, 6], "to_heads": [0, 25, 2, 3], "shuffle": list(range(24))[::-1],
            "to_deep": [0, 2, 2, 3, 2, 6], "to_merged": [0, 2, 3, 24],
        }.items()
    },
}  # fmt: skip
SAME = ("a", "last", "flat", "tokens", "joined", "after", "both", "own", "padded", "whole", "moved", "heads")


@pytest.fixture(scope="module", params=["N", 1])
def space(request: pytest.FixtureRequest) -> Space:
    model = onnxray.open(models.parse(LAYOUTS.format(batch=request.param), WEIGHTS, opset=13), PROFILE)
    trusted(model)
    return read_space(model)


def pictures(count: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (count, 1, 8, 12)).astype(np.float32)


@pytest.mark.parametrize("name", SAME)
def test_every_layout_gives_the_convolution_s_maps(name: str, space: Space) -> None:
    values = space.model.judge.values(space.model.feeds(pictures(1)), ["a", name])
    np.testing.assert_array_equal(space.grid(name).maps(values[name]), values["a"])


def test_what_attention_gives_to_tokens_has_their_rows_and_columns(space: Space) -> None:
    values = space.model.judge.values(space.model.feeds(pictures(1)), ["seen", "back_again"])
    expected = values["back_again"].transpose(0, 3, 1, 2)
    for name in ("seen", "back_again"):
        np.testing.assert_array_equal(space.grid(name).maps(values[name]), expected)


def test_places_that_became_channels(space: Space) -> None:
    """Space to depth: half the rows and columns, four times the channels."""
    values = space.model.judge.values(space.model.feeds(pictures(1)), ["a", "merged"])
    grid = space.grid("merged")
    assert (grid.height, grid.width, grid.channels) == (2, 3, 24)
    maps = grid.maps(values["merged"])
    for offset, (row, column) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        np.testing.assert_array_equal(maps[:, offset * 6 : offset * 6 + 6], values["a"][:, :, row::2, column::2])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("inside", "not one grid over the picture"),
        ("score", "not one grid"),
        ("near", "not one grid"),
        ("mixed", "cannot be told from the graph"),
        ("pooled", r"'pooled' has the shape \[1, 6\], no rows and columns"),
        ("z", "no rows and columns"),
    ],
)
def test_values_without_rows_and_columns_are_refused_by_name(name: str, message: str, space: Space) -> None:
    with pytest.raises(InputError, match=message) as error:
        space.grid(name)
    assert repr(name) in str(error.value)


def test_an_array_of_another_shape_is_refused(space: Space) -> None:
    with pytest.raises(InputError, match="was expected"):
        space.grid("a").maps(np.zeros((1, 6, 4, 5)))


def test_models_without_images_have_none() -> None:
    model = onnxray.open(models.parse("g (float[N,4] x) => (float[N,4] y) { y = Relu (x) }"))
    with pytest.raises(InputError, match="no image"):
        read_space(model)


CLASS_TOKEN = """
net (float[N,1,8,12] x) => (float[N,5] z) {
  a = Conv <kernel_shape = [2, 2], strides = [2, 2]> (x, w)
  flat = Reshape (a, to_flat)
  tokens = Transpose <perm = [0, 2, 1]> (flat)
  cls = Slice (tokens, from, to, along)
  zero = Mul (cls, nothing)
  class = Add (zero, token)
  stream = Concat <axis = 1> (class, tokens)
  normed = LayerNormalization (stream, scale)
  q = MatMul (normed, wq)
  k0 = MatMul (normed, wk)
  k = Transpose <perm = [0, 2, 1]> (k0)
  v = MatMul (normed, wv)
  score = MatMul (q, k)
  near = Softmax <axis = -1> (score)
  seen = MatMul (near, v)
  added = Add (stream, seen)
  wide = MatMul (added, wm)
  active = Relu (wide)
  out = Add (added, active)
  read = READ
  z = MatMul (read, wz)
}
"""
TOKEN_WEIGHTS = {
    "w": models.random(1, 6, 1, 2, 2), "token": models.random(2, 1, 1, 6), "scale": np.ones(6, np.float32),
    "nothing": np.zeros(1, np.float32), **{f"w{k}": models.random(i, 6, 6) for i, k in enumerate("qkvm", 5)},
    "wz": models.random(9, 6, 5), "to_flat": np.array([0, 0, 24]), "from": np.array([0]), "to": np.array([1]),
    "along": np.array([1]), "first": np.array(0),
}  # fmt: skip


def transformer(read: str) -> onnxray.Model:
    model = onnxray.open(models.parse(CLASS_TOKEN.replace("READ", read), TOKEN_WEIGHTS), PROFILE)
    trusted(model)
    return model


@pytest.mark.parametrize(
    ("read", "default"),
    [("Gather <axis = 1> (out, first)", "normed"), ("ReduceMean <axes = [1], keepdims = 0> (out)", "out")],
)
def test_where_the_class_token_alone_is_read_the_last_attention_looks_at_the_default(read: str, default: str) -> None:
    """Beyond it the gradient of the picture's own tokens is zero."""
    from onnxray.images.pixels import Pixels
    from onnxray.objectives.class_score import ClassScore
    from onnxray.objectives.gradients import layer_gradient

    model, x = transformer(read), pictures(2)
    space = read_space(model)
    found = find_layers(space, ["z"])
    assert found.default == default
    objective = ClassScore("z", np.array([1, 3]))
    pixels = Pixels(x, (None, None))
    assert space.grid(default).maps(layer_gradient(model, pixels, default, objective)[1]).any(axis=(1, 2, 3)).all()
    beyond = space.grid("out").maps(layer_gradient(model, pixels, "out", objective)[1])
    assert beyond.any() == (default == "out")


def test_the_default_of_a_convolutional_network_stands_before_the_pooling() -> None:
    model = onnxray.open(models.lenet(), models.GREY)
    space = read_space(model)
    found = find_layers(space, ["ip2"])
    assert found.default == "relu2"
    assert [grid.value for grid in found.candidates] == ["conv1", "relu1", "pool1", "conv2", "relu2", "pool2"]
    assert find_layers(space, ["conv2"]).default == "relu1"
    assert find_layers(space, ["conv1"]).default is None
    assert [grid.value for grid in choose_layers(space, ["ip2"], ["conv1", "pool*"])] == ["conv1", "pool1", "pool2"]
    with pytest.raises(InputError, match="does not stand before 'conv2'"):
        choose_layers(space, ["conv2"], ["pool2"])
    with pytest.raises(InputError, match="no value before 'conv1'"):
        choose_layers(space, ["conv1"], [])


@pytest.mark.parametrize("corners", [False, True])
@pytest.mark.parametrize("size", [(9, 14), (3, 2), (5, 7)])
def test_bilinear_is_torch_s(size: tuple[int, int], corners: bool) -> None:
    import torch

    maps = models.random(4, 2, 3, 5, 7)
    expected = torch.nn.functional.interpolate(torch.from_numpy(maps), size, mode="bilinear", align_corners=corners)
    np.testing.assert_allclose(bilinear(maps, size, corners=corners), expected.numpy(), atol=2e-6)


NHWC = """
net (float[N,8,12,3] x) => (float[N,5] z) {
  first = Transpose <perm = [0, 3, 1, 2]> (x)
  a = Conv <kernel_shape = [2, 2], strides = [2, 2]> (first, w)
  last = Transpose <perm = [0, 2, 3, 1]> (a)
  active = Relu (last)
  pooled = ReduceMean <axes = [1, 2], keepdims = 0> (active)
  z = MatMul (pooled, v)
}
"""


def test_models_with_channels_last_from_the_input_on() -> None:
    """CAM and Grad-CAM at a channels-last value: M = sum_k w_ck F_k, Grad-CAM that over the number of places."""
    from onnxray.methods.saliency.activation.cam import CAM
    from onnxray.methods.saliency.activation.grad_cam import GradCAM

    weights = {"w": models.random(1, 6, 3, 2, 2), "v": models.random(3, 6, 5)}
    profile = Profile(
        name="last", layout="NHWC", channels="RGB", scale=1 / 255, mean=(0.5,) * 3, std=(0.5,) * 3, size=(8, 12)
    )
    model = onnxray.open(models.parse(NHWC, weights), profile)
    x = np.random.default_rng(0).uniform(0, 255, (2, 3, 8, 12)).astype(np.float32)
    features = model.values(x, ["active"])["active"]
    own, kin = CAM()(model, x, 2), GradCAM()(model, x, 2)
    for item, other, f in zip(own.items, kin.items, features):
        assert item.layer == other.layer == "active"
        np.testing.assert_allclose(item.attribution, f @ weights["v"][:, 2], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(other.attribution, item.attribution / 24, rtol=1e-4, atol=1e-6)

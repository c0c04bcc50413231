"""Batch normalisation folded into convolutions: equal to the judge and to single nodes, and only where allowed."""

import numpy as np
import onnx
import pytest
import torch

import onnxray
from onnxray.errors import InputError
from onnxray.graph.reading import read_graph
from onnxray.importer.walk import Importer
from support import models
from support.fusing import Arrays, assert_fused, fused_types
from support.importing import outputs
from support.trusted import trusted

R = models.random


def statistics(channels: int) -> Arrays:
    return {"s": R(1, channels), "b": R(2, channels), "m": R(3, channels), "v": np.abs(R(4, channels)) + 0.5}


def normalised(
    weight: tuple[int, ...], channels: int, attributes: str, *, operator: str = "Conv", bias: bool = True,
    more: str = "", ends: str = "float[N,C,H,W] y", stored: Arrays | None = None, dtype: str = "float", size: tuple[int, ...] = (7, 8),
) -> onnx.ModelProto:  # fmt: skip
    """Convolution, batch normalisation; ``more`` nodes, and outputs, on top."""
    weights = {"w": R(0, *weight), **(stored or statistics(channels))} | ({"c": R(5, channels)} if bias else {})
    kind = {"float": np.float32, "double": np.float64, "float16": np.float16}[dtype]
    weights = {name: array.astype(kind) for name, array in weights.items()}
    axes = ",".join(map(str, size))
    text = f"""g ({dtype}[N,4,{axes}] x) => ({ends.replace("float", dtype)}) {{
      conv = {operator} {f"<{attributes}>" if attributes else ""} (x, w{", c" if bias else ""})
      y = BatchNormalization <epsilon = 0.001> (conv, s, b, m, v)
      {more}
    }}"""
    return models.parse(text, weights)


X = {"x": R(9, 2, 4, 7, 8)}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("operator", "weight", "attributes", "kind"),
    [
        ("Conv", (6, 4, 3, 3), "pads = [1, 1, 1, 1]", "Conv2d"),
        ("Conv", (6, 2, 3, 3), "group = 2, strides = [2, 2]", "Conv2d"),
        ("Conv", (8, 1, 3, 3), "group = 4, dilations = [2, 1]", "Conv2d"),
        ("Conv", (6, 4, 3, 3), "pads = [0, 1, 2, 1]", "WeightedConv"),
        ("Conv", (6, 4, 3, 3), 'auto_pad = "SAME_UPPER", strides = [2, 2]', "WeightedConv"),
        ("ConvTranspose", (4, 6, 3, 3), "strides = [2, 2], pads = [1, 1, 1, 1]", "ConvTranspose2d"),
        ("ConvTranspose", (4, 3, 2, 2), "group = 2, strides = [2, 2]", "ConvTranspose2d"),
        ("ConvTranspose", (4, 1, 3, 3), "group = 4", "ConvTranspose2d"),
    ],
)
def test_batch_normalization_is_folded(
    operator: str, weight: tuple[int, ...], attributes: str, kind: str, bias: bool
) -> None:
    groups = next((int(part.split("=")[1]) for part in attributes.split(", ") if part.startswith("group")), 1)
    channels = weight[0] if operator == "Conv" else weight[1] * groups
    model = normalised(weight, channels, attributes, operator=operator, bias=bias)
    assert_fused(model, X, kind)


@pytest.mark.parametrize("shape", [(5,), (4, 5, 6)])
def test_batch_normalization_is_folded_over_one_and_three_axes(shape: tuple[int, ...]) -> None:
    axes = ",".join("HWD"[: len(shape)])
    model = normalised((6, 4, *(3,) * len(shape)), 6, "", ends=f"float[N,C,{axes}] y", size=shape)
    assert_fused(model, {"x": R(9, 2, 4, *shape)}, f"Conv{len(shape)}d")


def test_folded_weights_are_the_formula_in_float64() -> None:
    model = normalised((6, 4, 3, 3), 6, "")
    w = {tensor.name: onnx.numpy_helper.to_array(tensor).astype(np.float64) for tensor in model.graph.initializer}
    factor = w["s"] / np.sqrt(w["v"] + 0.001)
    module = onnxray.to_torch(model, fused=True).layer("y")
    assert np.array_equal(module.weight.numpy(), (w["w"] * factor[:, None, None, None]).astype(np.float32))
    assert np.array_equal(module.bias.numpy(), ((w["c"] - w["m"]) * factor + w["b"]).astype(np.float32))


def test_a_channel_without_variance_is_folded_by_epsilon() -> None:
    stored = statistics(6)
    stored["v"] = np.array([0, 0, 1, 2, 1e-8, 0.5], np.float32)
    assert_fused(normalised((6, 4, 3, 3), 6, "", stored=stored), X, "Conv2d", tolerance=1e-4)


def test_doubles_are_folded() -> None:
    """ONNX Runtime convolves no doubles, so single nodes are the judge."""
    model, feeds = normalised((6, 4, 3, 3), 6, "", dtype="double"), {"x": X["x"].astype(np.float64)}
    module, plain = (onnxray.to_torch(model, verify=False, fused=fused) for fused in (True, False))
    assert fused_types(module) == ["Conv2d"]
    np.testing.assert_allclose(outputs(module, feeds)[0], outputs(plain, feeds)[0], rtol=1e-11, atol=1e-11)


def test_statistics_in_constant_nodes_are_folded() -> None:
    """As Paddle writes them."""
    model = normalised((6, 4, 3, 3), 6, "")
    tensors_ = list(model.graph.initializer)
    del model.graph.initializer[:]
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(onnx.helper.make_node("Constant", [], [t.name], value=t) for t in tensors_)
    model.graph.node.extend(nodes)
    assert_fused(model, X, "Conv2d")


NOT_FOLDED = {
    "read twice": normalised((6, 4, 3, 3), 6, "", more="z = Relu (conv)", ends="float[N,C,H,W] y, float[N,C,H,W] z"),
    "an output": normalised((6, 4, 3, 3), 6, "", ends="float[N,C,H,W] y, float[N,C,H,W] conv"),
    "normalised twice": normalised(
        (6, 4, 3, 3), 6, "", more="z = BatchNormalization (conv, b, s, m, v)",
        ends="float[N,C,H,W] y, float[N,C,H,W] z",
    ),
    "variance below zero": normalised((6, 4, 3, 3), 6, "", stored=statistics(6) | {"v": np.full(6, -1, np.float32)}),
}  # fmt: skip


@pytest.mark.parametrize("reason", NOT_FOLDED)
def test_batch_normalization_is_left_alone(reason: str) -> None:
    module = onnxray.to_torch(NOT_FOLDED[reason], verify=False, fused=True)
    assert fused_types(module) == []
    for got, judged in zip(outputs(module, X), models.run(NOT_FOLDED[reason], X), strict=True):
        np.testing.assert_allclose(got, judged, rtol=1e-4, atol=1e-4)


def test_half_precision_is_not_folded() -> None:
    """Its folded weights would be rounded to eleven bits."""
    model = normalised((6, 4, 3, 3), 6, "", dtype="float16")
    assert fused_types(onnxray.to_torch(model, verify=False, fused=True)) == []


def test_computed_scales_and_training_are_not_folded() -> None:
    text = """g (float[N,4,7,8] x, float[6] s) => (float[N,6,H,W] y) {
      conv = Conv (x, w)
      y = BatchNormalization (conv, s, b, m, v)
    }"""
    stored = statistics(6)
    scale = stored.pop("s")
    computed = models.parse(text, {"w": R(0, 6, 4, 3, 3), **stored})
    module = onnxray.to_torch(computed, verify=False, fused=True)
    assert fused_types(module) == []
    feeds = X | {"s": scale}
    np.testing.assert_allclose(outputs(module, feeds)[0], models.run(computed, feeds)[0], rtol=1e-4, atol=1e-5)
    training = normalised((6, 4, 3, 3), 6, "")
    training.graph.node[1].attribute.add(name="training_mode", type=onnx.AttributeProto.INT, i=1)
    training.graph.node[1].output.extend(["mean", "variance"])
    assert fused_types(onnxray.to_torch(training, verify=False, fused=True)) == []


def test_weights_of_two_convolutions_are_folded_each_on_its_own() -> None:
    text = """g (float[N,4,7,8] x) => (float[N,4,H,W] y) {
      first = Conv <pads = [1, 1, 1, 1]> (x, w)
      one = BatchNormalization (first, s, b, m, v)
      second = Conv <pads = [1, 1, 1, 1]> (one, w)
      two = BatchNormalization (second, b, s, m, v)
      third = Conv <pads = [1, 1, 1, 1]> (two, w)
      y = Relu (third)
    }"""
    assert_fused(models.parse(text, {"w": R(0, 4, 4, 3, 3), **statistics(4)}), X, "Conv2d", "Conv2d", tolerance=1e-4)


def test_a_value_that_is_asked_for_is_given_whatever_was_folded_before() -> None:
    model = normalised((6, 4, 3, 3), 6, "", more="z = Relu (y)", ends="float[N,C,H,W] z")
    importer = Importer(read_graph(model), channels_last=True, fused=True)
    assert fused_types(importer.cut(("z",))) == ["Conv2d"]
    assert importer.weights.loaded() == {}  # the weights as they were are not held beside the folded ones
    asked = importer.cut(("conv", "z"))
    assert fused_types(asked) == []
    for got, judged in zip(outputs(asked, X), models.run(model, X, ["conv", "z"]), strict=True):
        np.testing.assert_allclose(got, judged, rtol=1e-4, atol=1e-5)
    assert importer.cut(("y",)).layer("y") is importer.cut(("z",)).layer("y")  # folded once, shared


def test_pullbacks_of_inner_values_equal_those_through_single_nodes() -> None:
    model = normalised((6, 4, 3, 3), 6, "", more="z = Relu (y)", ends="float[N,C,H,W] z")
    opened = onnxray.open(model)
    trusted(opened)
    for name, nodes in (("conv", ["conv"]), ("y", ["y"]), ("z", ["z"])):
        cut = Importer(read_graph(model)).cut(tuple(nodes))
        x = torch.from_numpy(X["x"]).requires_grad_()
        value = cut(x)
        cotangent = R(7, *value.shape)
        expected = torch.autograd.grad(value, x, torch.from_numpy(cotangent))[0].numpy()
        found = opened.pullback(X["x"], {name: cotangent})
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


# What is promised of to_torch


def test_fused_weights_are_not_trainable() -> None:
    with pytest.raises(InputError, match="fused=True .*trainable=True"):
        onnxray.to_torch(models.lenet(), trainable=True, fused=True)


def test_a_fused_module_is_checked_against_the_judge_and_copies_itself() -> None:
    model = normalised((6, 4, 3, 3), 6, "", ends="float[N,C,5,6] y")
    module = onnxray.to_torch(model, fused=True)
    copied = module.__deepcopy__({})
    copied.layer("y").weight.data.zero_()
    assert np.abs(outputs(module, X)[0] - outputs(copied, X)[0]).max() > 0.1

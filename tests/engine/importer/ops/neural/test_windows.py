"""Convolutions and pools against ONNX Runtime: uneven pads, ceil_mode, dilations, computed weights; gradients."""

from typing import Any

import numpy as np
import pytest
import torch

import onnxray
from onnxray.errors import UnsupportedOperator
from support.models import Array, node, random, run


def agrees(model: Any, feeds: dict[str, Array]) -> None:
    wanted = run(model, feeds)
    given = onnxray.to_torch(model, verify=False)(*(torch.from_numpy(feed) for feed in feeds.values()))
    given = [given] if isinstance(given, torch.Tensor) else given
    for one, other in zip(given, wanted, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one.detach().numpy(), other, rtol=1e-4, atol=1e-5)


def slopes(model: Any, *inputs: torch.Tensor) -> bool:
    doubled = onnxray.to_torch(model, verify=False).double()
    leaves = tuple(x.double().requires_grad_(x.is_floating_point()) if x.is_floating_point() else x for x in inputs)
    return torch.autograd.gradcheck(doubled, leaves, fast_mode=True)


POOLS: list[dict[str, Any]] = [
    {"kernel_shape": [3, 2], "strides": [2, 3], "pads": [1, 0, 2, 1], "ceil_mode": 1},
    {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [2, 2, 2, 2]},
    {"kernel_shape": [2, 3], "strides": [3, 1], "pads": [1, 1, 1, 1], "ceil_mode": 1, "dilations": [2, 1]},
    {"kernel_shape": [3, 2], "strides": [2, 2], "auto_pad": "SAME_LOWER"},
    {"kernel_shape": [1, 1], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
]


@pytest.mark.parametrize("attributes", POOLS)
def test_pools(attributes: dict[str, Any]) -> None:
    x = random(0, 2, 3, 9, 7)
    for counted in (0, 1):
        agrees(node("AveragePool", {"x": x}, opset=19, count_include_pad=counted, **attributes), {"x": x})
    agrees(node("MaxPool", {"x": x}, opset=12, **attributes), {"x": x})
    agrees(node("LpPool", {"x": x}, opset=18, p=3, **attributes), {"x": x})
    for order in (0, 1):
        agrees(node("MaxPool", {"x": x}, opset=12, outputs=2, storage_order=order, **attributes), {"x": x})


def test_pools_that_are_refused() -> None:
    x = random(1, 1, 1, 9, 9)
    for attributes in (
        {"kernel_shape": [2, 2], "strides": [2, 2], "auto_pad": "VALID", "ceil_mode": 1},
        {"kernel_shape": [2, 2], "auto_pad": "SAME_UPPER", "dilations": [2, 2]},
        {"kernel_shape": [1, 1], "strides": [3, 3], "auto_pad": "SAME_UPPER"},
        {"kernel_shape": [2, 2], "pads": [-1, 0, 0, 0]},
    ):
        with pytest.raises(UnsupportedOperator, match=r"MaxPool version 12 .* not supported"):
            onnxray.to_torch(node("MaxPool", {"x": x}, opset=12, **attributes), verify=False)


def test_global_norms_and_averages() -> None:
    x = random(2, 2, 3, 4, 5)
    agrees(node("GlobalLpPool", {"x": x}, opset=20, p=3), {"x": x})
    for opset in (1, 22):
        agrees(node("GlobalAveragePool", {"x": x}, opset=opset), {"x": x})
        agrees(node("GlobalMaxPool", {"x": x[:, :, 0]}, opset=opset), {"x": x[:, :, 0]})


TRANSPOSED: list[dict[str, Any]] = [
    {"strides": [2, 3], "pads": [1, 0, 0, 1], "group": 2},
    {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]},
    {"strides": [3, 2], "output_shape": [11, 9]},
    {"strides": [3, 2], "output_shape": [13, 9], "output_padding": [1, 0]},
    {"strides": [2, 2], "auto_pad": "SAME_UPPER", "dilations": [2, 1]},
    {"strides": [2, 2], "auto_pad": "SAME_LOWER", "kernel_shape": [3, 2]},
]


@pytest.mark.parametrize("attributes", TRANSPOSED)
def test_transposed_convolutions(attributes: dict[str, Any]) -> None:
    groups = attributes.get("group", 1)
    x, w, b = random(3, 2, 4, 4, 5), random(4, 4, 3, 3, 2), random(5, 3 * groups)
    for opset in (1, 11):
        agrees(node("ConvTranspose", {"x": x}, opset=opset, constants={"w": w, "b": b}, **attributes), {"x": x})
        feeds = {"x": x, "w": w, "b": b}
        agrees(node("ConvTranspose", feeds, opset=opset, **attributes), feeds)


def test_slopes_of_a_cut_transposed_convolution() -> None:
    x, w, b = (torch.from_numpy(part) for part in (random(6, 1, 2, 3, 3), random(7, 2, 2, 3, 2), random(8, 2)))
    feeds = {"x": x.numpy(), "w": w.numpy(), "b": b.numpy()}
    assert slopes(node("ConvTranspose", feeds, opset=11, strides=[2, 2], pads=[1, 0, 0, 1]), x, w, b)


@pytest.mark.parametrize("opset", [19, 22])
def test_deformed_convolution(opset: int) -> None:
    feeds = {
        "x": random(0, 2, 4, 5, 6), "w": random(1, 6, 2, 2, 3), "o": random(2, 2, 24, 3, 5),
        "b": random(3, 6), "m": random(4, 2, 12, 3, 5),
    }  # fmt: skip
    stated: dict[str, Any] = {"group": 2, "offset_group": 2, "strides": [2, 1], "pads": [0, 1, 1, 0]}
    model = node("DeformConv", feeds, opset=opset, **stated)
    agrees(model, feeds)
    parts = [torch.from_numpy(part[:1] if name in "xom" else part) for name, part in feeds.items()]
    assert slopes(node("DeformConv", feeds, opset=opset, dynamic=True, **stated), *parts)


def test_what_writes_last_gets_the_gradient_of_an_unpooled_place() -> None:
    x, indices = torch.tensor([[[1.0, 2.0, 3.0]]], requires_grad=True), torch.tensor([[[1, 1, 4]]])
    feeds = {"x": x.detach().numpy(), "i": indices.numpy()}
    twin = onnxray.to_torch(node("MaxUnpool", feeds, opset=11, kernel_shape=[2], strides=[2]), verify=False)
    y = twin(x, indices)
    assert y.tolist() == [[[0.0, 2.0, 0.0, 0.0, 3.0, 0.0]]]
    assert torch.autograd.grad(y.sum(), x)[0].tolist() == [[[0.0, 1.0, 1.0]]]


def test_a_norm_of_nothing_has_no_slope() -> None:
    x = torch.zeros(1, 1, 2, 2, requires_grad=True)
    twin = onnxray.to_torch(node("LpPool", {"x": x.detach().numpy()}, opset=11, kernel_shape=[2, 2]), verify=False)
    assert torch.autograd.grad(twin(x).sum(), x)[0].abs().sum() == 0

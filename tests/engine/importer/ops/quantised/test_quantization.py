"""Quantised arithmetic: as ONNX Runtime computes it, with gradients that pass through what only moves it."""

from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

import onnxray
from onnxray.errors import UnsupportedOperator
from support import defined
from support.models import Array, node, parse, random, run
from support.paths import ROOT


def agrees(model: Any, feeds: dict[str, Array], tolerance: float = 0.0) -> None:
    wanted = run(model, feeds)
    given = onnxray.to_torch(model, verify=False)(*(torch.from_numpy(feed) for feed in feeds.values()))
    given = [given] if isinstance(given, torch.Tensor) else given
    for one, other in zip(given, wanted, strict=True):
        assert one.numpy().dtype == other.dtype
        np.testing.assert_allclose(one.numpy().astype(float), other.astype(float), rtol=tolerance, atol=tolerance)


def whole(seed: int, kind: Any, *shape: int) -> Array:
    limits = np.iinfo(kind)
    return np.random.default_rng(seed).integers(limits.min, limits.max + 1, shape).astype(kind)


SCALE, SCALES = np.array(0.05, np.float32), np.array([0.02, 0.05, 0.1], np.float32)


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.uint16, np.int16])
def test_quantised_and_back(kind: Any) -> None:
    x, zero = random(0, 2, 3, 4, scale=4), np.array(7, kind)
    zeros = np.array([3, 0, 9], kind)
    blocks = {"s": np.abs(random(1, 2, 2, 4)) / 20 + 0.01, "z": np.full((2, 2, 4), 5, kind)}
    for constants, stated in (
        ({"s": SCALE, "z": zero}, {}),
        ({"s": SCALES, "z": zeros}, {"axis": -2}),
        (blocks, {"axis": 1, "block_size": 2}),
    ):
        agrees(node("QuantizeLinear", {"x": x}, opset=21, constants=constants, **stated), {"x": x})
        q = whole(2, kind, 2, 3, 4)
        agrees(node("DequantizeLinear", {"x": q}, opset=21, constants=constants, **stated), {"x": q}, 1e-6)
        feeds = {"x": x, **constants}
        agrees(node("QuantizeLinear", feeds, opset=21, **stated), feeds)


def test_halves_and_integers_of_32_bits() -> None:
    x, scale = random(0, 2, 3).astype(np.float16), np.array(0.01, np.float16)
    agrees(node("QuantizeLinear", {"x": x}, opset=19, constants={"s": scale}), {"x": x})
    q = np.array([2**31 - 1, -(2**31), 2**24 + 1], np.int32)
    agrees(node("DequantizeLinear", {"x": q}, opset=13, constants={"s": SCALE}), {"x": q}, 1e-7)


def test_dynamic_quantisation() -> None:
    for x in (random(0, 3, 5), np.abs(random(0, 3, 5)), np.zeros((2, 2), np.float32)):
        agrees(node("DynamicQuantizeLinear", {"x": x}, opset=11, outputs=3), {"x": x}, 1e-7)


def is_right(model: Any, feeds: dict[str, Array], expected: Array, *, saturable: bool, constant: bool) -> None:
    """The twin gives what the operator's definition says, and so does ONNX Runtime in every way in which it is exact."""
    found = onnxray.to_torch(model, verify=False)(*(torch.from_numpy(feed) for feed in feeds.values())).numpy()
    for given in (found, *defined.judged(model, feeds, saturable=saturable, constant=constant)):
        assert given.dtype == expected.dtype
        np.testing.assert_array_equal(given, expected)


@pytest.mark.parametrize("divisor", [1, defined.SEVEN_BITS])
@pytest.mark.parametrize(("left", "right"), [(np.uint8, np.int8), (np.int8, np.int8), (np.uint8, np.uint8)])
def test_integer_products(left: Any, right: Any, divisor: int) -> None:
    a, b = whole(0, left, 2, 5, 700), whole(1, right, 700, 3) // divisor
    zeros = {"za": np.array(3, left), "zb": np.array([1, 2, 3], right)}
    saturable = (left, right, divisor) == (np.uint8, np.int8, 1)
    sums = defined.product(a, zeros["za"], b, zeros["zb"])
    feeds = {"a": a, "b": b}
    model = node("MatMulInteger", feeds, opset=10, constants=zeros)
    is_right(model, feeds, sums.astype(np.int32), saturable=saturable, constant=False)
    model = node("MatMulInteger", {"a": a}, opset=10, constants={"b": b, **zeros}, order=["a", "b", "za", "zb"])
    is_right(model, {"a": a}, sums.astype(np.int32), saturable=saturable, constant=True)
    scaled = {
        "a": a, "sa": SCALE, "za": zeros["za"], "b": b, "sb": SCALES, "zb": zeros["zb"],
        "sy": np.array(5, np.float32), "zy": np.array(4, left),
    }  # fmt: skip
    expected = defined.requantised(sums, SCALE.astype(float) * SCALES / 5, scaled["zy"])
    model = node("QLinearMatMul", {"a": a}, opset=10, constants=_but(scaled, "a"), order=list(scaled))
    is_right(model, {"a": a}, expected, saturable=saturable, constant=True)
    is_right(node("QLinearMatMul", scaled, opset=10), scaled, expected, saturable=saturable, constant=False)


@pytest.mark.parametrize("divisor", [1, defined.SEVEN_BITS])
@pytest.mark.parametrize("kind", [np.uint8, np.int8])
def test_integer_convolutions(kind: Any, divisor: int) -> None:
    x, w = whole(0, kind, 2, 4, 7, 7), whole(1, np.int8, 6, 2, 3, 3) // divisor
    stated: dict[str, Any] = {"group": 2, "pads": [1, 0, 2, 1], "strides": [2, 1]}
    zeros = {"zx": np.array(5, kind), "zw": np.zeros(6, np.int8)}
    single = {**zeros, "zw": np.array(0, np.int8)}
    saturable = (kind, divisor) == (np.uint8, 1)
    sums = defined.convolution(x, zeros["zx"], w, **stated)
    feeds = {"x": x, "w": w}
    model = node("ConvInteger", feeds, opset=10, constants=single, **stated)
    is_right(model, feeds, sums.astype(np.int32), saturable=saturable, constant=False)
    given = {
        "x": x, "sx": SCALE, "zx": zeros["zx"], "w": w, "sw": np.repeat(SCALES, 2), "zw": zeros["zw"],
        "sy": np.array(3, np.float32), "zy": np.array(9, kind), "b": whole(2, np.int16, 6).astype(np.int32),
    }  # fmt: skip
    biased = sums + given["b"].reshape(-1, 1, 1).astype(np.int64)
    factor = (SCALE.astype(float) * given["sw"] / 3).reshape(-1, 1, 1)
    expected = defined.requantised(biased, factor, given["zy"])
    model = node("QLinearConv", {"x": x}, opset=10, constants=_but(given, "x"), order=list(given), **stated)
    is_right(model, {"x": x}, expected, saturable=saturable, constant=True)
    is_right(node("QLinearConv", given, opset=10, **stated), given, expected, saturable=saturable, constant=False)


def _but(given: dict[str, Array], name: str) -> dict[str, Array]:
    return {other: array for other, array in given.items() if other != name}


MOVED = """
moved (float[1,2,4,4] x) => (float[1,4,8] y, int8[1,4,2,2] both) {
  q = QuantizeLinear (x, s, z)
  small = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (q)
  relu = Relu (small)
  both = Concat <axis = 1> (relu, small)
  turned = Transpose <perm = [0, 2, 3, 1]> (both)
  flat = Reshape (turned, shape)
  twice = Concat <axis = 2> (flat, constant)
  y = DequantizeLinear (twice, s, z)
}
"""


def test_gradients_pass_what_only_moves_quantised_values() -> None:
    weights = {
        "s": SCALE,
        "z": np.array(3, np.int8),
        "shape": np.array([1, 4, 4]),
        "constant": whole(9, np.int8, 1, 4, 4),
    }
    model = parse(MOVED, weights, opset=14)
    feeds = {"x": random(1, 1, 2, 4, 4, scale=3)}
    agrees(model, feeds, 1e-6)
    x = torch.from_numpy(feeds["x"]).requires_grad_()
    y, both = onnxray.to_torch(model, verify=False)(x)
    assert both.dtype == torch.int8
    assert not both.requires_grad
    slope = torch.autograd.grad(y.sum(), x)[0]
    pooled, place = torch.nn.functional.max_pool2d(torch.round(x / 0.05).clamp(-131, 124), 2, return_indices=True)
    wanted = torch.zeros(1, 2, 16)
    inside = ((pooled < 124) & (pooled > -131)).float()
    wanted.scatter_(2, place.flatten(2), (inside * (1 + (pooled + 3 > 0).float())).flatten(2))
    torch.testing.assert_close(slope, wanted.reshape(1, 2, 4, 4))


def test_what_computes_with_quantised_values_gets_whole_numbers() -> None:
    text = """
    g (float[2,3] x) => (uint8[2,3] y, float[2,3] back) {
      q = QuantizeLinear (x, s, z)
      y = BitShift <direction = "RIGHT"> (q, one)
      back = DequantizeLinear (q, s, z)
    }
    """
    model = parse(text, {"s": SCALE, "z": np.array(9, np.uint8), "one": np.array(1, np.uint8)})
    agrees(model, {"x": random(0, 2, 3)}, 1e-6)


def test_saturation_stops_gradients_and_rounding_does_not() -> None:
    x = torch.tensor([-9.0, -0.11, 0.02, 9.0, 1.26], requires_grad=True)
    text = "g (float[5] x) => (float[5] y) { q = QuantizeLinear (x, s, z) y = DequantizeLinear (q, s, z) }"
    weights = {"s": np.array(0.01, np.float32), "z": np.array(2, np.int8)}
    y = onnxray.to_torch(parse(text, weights), verify=False)(x)
    assert torch.autograd.grad(y.sum(), x)[0].tolist() == pytest.approx([0, 1, 1, 0, 0])


@pytest.mark.parametrize("divisor", [1, defined.SEVEN_BITS])
def test_gradients_through_dynamic_quantisation(divisor: int) -> None:
    text = """
    g (float[2,8] x) => (float[2,3] y) {
      q, s, z = DynamicQuantizeLinear (x)
      sums = MatMulInteger (q, w, z, zw)
      real = Cast <to = 1> (sums)
      factor = Mul (s, sw)
      y = Mul (real, factor)
    }
    """
    w = whole(3, np.int8, 8, 3) // divisor
    model = parse(text, {"w": w, "zw": np.array(0, np.int8), "sw": SCALE})
    feeds = {"x": random(0, 2, 8)}
    q, scale, zero = defined.dynamically_quantised(feeds["x"])
    expected = defined.product(q, zero, w, 0) * float(scale) * float(SCALE)
    x = torch.from_numpy(feeds["x"]).requires_grad_()
    y = onnxray.to_torch(model, verify=False)(x)
    judged = defined.judged(model, feeds, saturable=divisor == 1, constant=True)
    for given in (y.detach().numpy(), *judged):
        np.testing.assert_allclose(given, expected, rtol=1e-5, atol=1e-5)
    slope = torch.autograd.grad(y.sum(), x)[0]
    np.testing.assert_allclose(slope[0].numpy(), w.astype(np.float32).sum(1) * SCALE, rtol=1e-5, atol=1e-6)


def test_gradients_through_quantised_convolutions_stop_where_they_saturate() -> None:
    text = """
    g (float[1,1,6,6] x) => (float[1,1,4,4] y, uint8[1,1,4,4] c) {
      q = QuantizeLinear (x, s, z)
      c = QLinearConv (q, s, z, w, sw, zw, sy, zy)
      y = DequantizeLinear (c, sy, zy)
    }
    """
    weights = {
        "s": np.array(0.02, np.float32), "z": np.array(128, np.uint8), "w": whole(4, np.int8, 1, 1, 3, 3) // 8,
        "sw": np.array(0.01, np.float32), "zw": np.array(0, np.int8), "sy": np.array(0.01, np.float32),
        "zy": np.array(60, np.uint8),
    }  # fmt: skip
    model, feeds = parse(text, weights), {"x": random(5, 1, 1, 6, 6)}
    agrees(model, feeds, 1e-6)
    x = torch.from_numpy(feeds["x"]).requires_grad_()
    y, c = onnxray.to_torch(model, verify=False)(x)
    kernel = torch.from_numpy(weights["w"]).float() * 0.01
    inside = ((c > 0) & (c < 255)).float()
    wanted = torch.nn.functional.conv_transpose2d(inside, kernel)
    torch.testing.assert_close(torch.autograd.grad(y.sum(), x)[0], wanted)
    assert 4 < inside.sum() < 16


def test_types_that_torch_does_not_hold_are_refused_by_name() -> None:
    text = "g (float[2] x) => (float4e2m1[2] y) { y = QuantizeLinear <output_dtype = 23> (x, s) }"
    model = onnx.parser.parse_model(f'<ir_version: 11, opset_import: ["": 23]> {text}')
    model.graph.initializer.append(numpy_helper.from_array(SCALE, "s"))
    with pytest.raises(UnsupportedOperator, match=r"QuantizeLinear version 23 .* float4"):
        onnxray.to_torch(model, verify=False)
    text = "g (float[2] x) => (float8e4m3fn[2] y) { y = QuantizeLinear <saturate = 0, output_dtype = 17> (x, s) }"
    model = onnx.parser.parse_model(f'<ir_version: 11, opset_import: ["": 21]> {text}')
    model.graph.initializer.append(numpy_helper.from_array(SCALE, "s"))
    with pytest.raises(UnsupportedOperator, match="saturate=0"):
        onnxray.to_torch(model, verify=False)


ZOO = ROOT.parent / "shared" / "zoo"


@pytest.mark.skipif(not ZOO.exists(), reason="the zoo of real models is not here")
@pytest.mark.parametrize("name", ["qdq_int8", "qop_uint8"])
def test_a_quantised_network_has_nearly_the_gradient_of_the_real_one(name: str) -> None:
    folder = ZOO / "squeezenet-v1.1-onnx"
    with np.load(ZOO / "oracle" / "squeezenet-v1.1-onnx__squeezenet_v1.1_fp32_from_fp16.npz") as oracle:
        x = torch.from_numpy(oracle["input"][:1].astype(np.float32)).requires_grad_()
    files = (folder / f"squeezenet_v1.1_{kind}.onnx" for kind in ("fp32_from_fp16", name))
    real, quantized = (onnxray.to_torch(file, verify=False)(x).flatten() for file in files)
    slopes = [torch.autograd.grad(y[int(real.argmax())], x)[0].flatten() for y in (real, quantized)]
    cosine = torch.nn.functional.cosine_similarity(slopes[0], slopes[1], dim=0).item()
    assert cosine > 0.45

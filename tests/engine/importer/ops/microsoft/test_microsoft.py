"""``com.microsoft``: every operator alone against ONNX Runtime, and the gradients of quantised networks."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_dynamic, quantize_static

import onnxray
from onnxray.errors import UnsupportedOperator
from support import defined, models
from support.models import Array, random

SCALES = {"sa": np.float32(0.03), "sb": np.float32(0.02), "sy": np.float32(0.05)}
ZEROS = {"za": 120, "zb": 131, "zy": 127}


def model(text: str, weights: dict[str, Array] | None = None, opset: int = 13) -> onnx.ModelProto:
    parsed = models.parse(text, weights, opset=opset)
    parsed.opset_import.append(onnx.helper.make_opsetid("com.microsoft", 1))
    return parsed


def both(built: onnx.ModelProto, feeds: dict[str, Array]) -> tuple[Array, Array]:
    """What ONNX Runtime gives for the only output, and what the torch twin gives."""
    module = onnxray.to_torch(built, verify=False)
    with torch.no_grad():
        found = module(*(torch.from_numpy(feeds[name]) for name in module.input_names))
    return models.run(built, feeds)[0], found.numpy()


def eight_bits(kind: type[Any], seed: int, *shape: int) -> Array:
    info = np.iinfo(kind)
    return np.random.default_rng(seed).integers(info.min, info.max + 1, shape).astype(kind)


ONE = "a, sa, za, sy, zy"
TWO = "a, sa, za, b, sb, zb, sy, zy"


@pytest.mark.parametrize("kind", [np.uint8, np.int8])
@pytest.mark.parametrize(
    "node",
    [
        f"QLinearAdd ({TWO})", f"QLinearMul ({TWO})",
        f"QLinearLeakyRelu <alpha = 0.2> ({ONE})", f"QLinearSigmoid ({ONE})",
        f"QLinearSoftmax <opset = 13, axis = 1> ({ONE})", f"QLinearSoftmax <opset = 11, axis = 1> ({ONE})",
        f"QLinearGlobalAveragePool ({ONE})", f"QLinearGlobalAveragePool <channels_last = 1> ({ONE})",
        f"QLinearAveragePool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> ({ONE})",
        f"QLinearAveragePool <kernel_shape = [2, 2], strides = [2, 2], channels_last = 1> ({ONE})",
        "QLinearConcat <axis = 1> (sy, zy, a, sa, za, b, sb, zb)", "NhwcMaxPool <kernel_shape = [2, 2]> (a)",
        "QLinearWhere (c, a, sa, za, b, sb, zb, sy, zy)",
    ],
)  # fmt: skip
def test_quantised_operators_are_exact(node: str, kind: type[Any]) -> None:
    name = "uint8" if kind is np.uint8 else "int8"
    shift = 0 if kind is np.uint8 else -128
    inputs = [f"{name}[2,4,6,5] a"]
    feeds = {"a": eight_bits(kind, 0, 2, 4, 6, 5)}
    if " b," in node:
        inputs.append(f"{name}[2,4,6,5] b")
        feeds["b"] = eight_bits(kind, 1, 2, 4, 6, 5)
    if "(c," in node:
        inputs.append("bool[2,4,6,5] c")
        feeds["c"] = feeds["a"] > feeds["b"]
    weights = {**SCALES, **{key: np.array(value + shift, kind) for key, value in ZEROS.items()}}
    built = model(f"g ({', '.join(inputs)}) => ({name}[] y) {{ y = com.microsoft.{node} }}", weights)
    del built.graph.output[0].type.tensor_type.shape.dim[:]
    built.graph.output[0].type.tensor_type.ClearField("shape")
    expected, found = both(built, feeds)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("divisor", [1, defined.SEVEN_BITS])
@pytest.mark.parametrize("columns", [1, 5])
@pytest.mark.parametrize("quantised", [True, False])
def test_qgemm(columns: int, quantised: bool, divisor: int) -> None:
    weights = {
        **SCALES, "sb": random(1, columns) ** 2 + np.float32(0.01), "za": np.uint8(120), "zy": np.uint8(127),
        "zb": np.arange(columns, dtype=np.int8), "b": eight_bits(np.int8, 2, 5, 6) // divisor,
        "c": np.arange(-2, 3, dtype=np.int32) * 400,
    }  # fmt: skip
    end, kind = (", sy, zy", "uint8") if quantised else ("", "float")
    text = "com.microsoft.QGemm <transB = 1, alpha = 0.1> (a, sa, za, b, sb, zb, c" + end + ")"
    built = model(f"g (uint8[N,6] a) => ({kind}[N,5] y) {{ y = {text} }}", weights)
    a = eight_bits(np.uint8, 0, 4, 6)
    sums = defined.product(a, weights["za"], weights["b"].T, weights["zb"]) + weights["c"]
    factor = 0.1 * SCALES["sa"].astype(float) * weights["sb"]
    expected = defined.requantised(sums, factor / SCALES["sy"], weights["zy"]) if quantised else sums * factor
    _, found = both(built, {"a": a})
    for given in (found, *defined.judged(built, {"a": a}, saturable=divisor == 1, constant=True)):
        np.testing.assert_allclose(given, expected, rtol=1e-6)


@pytest.mark.parametrize("divisor", [1, defined.SEVEN_BITS])
@pytest.mark.parametrize("given", ["(a, b, sb)", "(a, b, sb, zb, bias)"])
def test_dynamic_matmul(given: str, divisor: int) -> None:
    columns = 5 if "zb" in given else 1
    weights = {
        "b": eight_bits(np.int8, 2, 6, 5) // divisor, "sb": random(3, columns) ** 2, "bias": random(4, 5),
        "zb": np.arange(columns, dtype=np.int8),
    }  # fmt: skip
    used = {name: array for name, array in weights.items() if name in given}
    built = model(f"g (float[2,3,6] a) => (float[2,3,5] y) {{ y = com.microsoft.DynamicQuantizeMatMul {given} }}", used)
    feeds = {"a": random(5, 2, 3, 6)}
    q, scale, zero = defined.dynamically_quantised(feeds["a"])
    sums = defined.product(q, zero, weights["b"], used.get("zb", 0))
    expected = sums * float(scale) * weights["sb"].astype(float) + used.get("bias", 0)
    _, found = both(built, feeds)
    for result in (found, *defined.judged(built, feeds, saturable=divisor == 1, constant=True)):
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("zeros", [True, False])
@pytest.mark.parametrize("bits", [4, 8])
def test_matmul_bits(bits: int, zeros: bool) -> None:
    weights = {"b": eight_bits(np.uint8, 0, 3, 2, 32 * bits // 8), "s": random(1, 6) ** 2}
    if zeros:
        weights["z"] = eight_bits(np.uint8, 2, 3 * 2 * bits // 8)
    node = (
        f"com.microsoft.MatMulNBits <K = 48, N = 3, bits = {bits}, block_size = 32> (a, b, s{', z' if zeros else ''})"
    )
    expected, found = both(
        model(f"g (float[2,48] a) => (float[2,3] y) {{ y = {node} }}", weights), {"a": random(3, 2, 48)}
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


FUSED = [
    *(
        f"FusedConv <kernel_shape = [3, 3], pads = [1, 1, 1, 1], activation = \"{name}\"{more}> (i, w, b{added})"
        for name, more in [
            ("Relu", ""), ("LeakyRelu", ", activation_params = [0.2]"), ("Clip", ", activation_params = [-0.5, 0.7]"),
        ]
        for added in ("", ", z")
    ),
    *(
        f"FusedMatMul <alpha = 0.7, transA = {a}, transB = {b}, transBatchA = {c}, transBatchB = {c}> (m, m)"
        for a in (0, 1) for b in (0, 1) for c in (0, 1)
    ),
    'FusedGemm <activation = "LeakyRelu", activation_alpha = 0.3, alpha = 0.5> (h, k)', "Gelu (x)", "BiasGelu (x, g)",
    "FastGelu (x)", "FastGelu (x, g)", "QuickGelu (x)", "SkipLayerNormalization (x, x, g)",
    "SkipLayerNormalization <epsilon = 0.01> (x, s, g, g, g)", "SkipSimplifiedLayerNormalization (x, x, g, g)",
    "RotaryEmbedding (x, p, cos, cos)", "RotaryEmbedding <interleaved = 1> (x, p, cos, cos)",
    "RotaryEmbedding <num_heads = 2, rotary_embedding_dim = 2> (x, p, few, few)",
]  # fmt: skip
INPUTS = {
    "i": random(0, 2, 3, 6, 6), "w": random(1, 4, 3, 3, 3), "b": random(2, 4), "z": random(3, 2, 4, 6, 6),
    "m": random(4, 2, 3, 2, 2), "x": random(5, 2, 3, 8), "g": random(6, 8), "s": random(7, 3, 8), "h": random(8, 2, 4),
    "k": random(9, 4, 3), "p": np.array([1]), "cos": random(10, 9, 4), "few": random(11, 9, 1),
    "q": random(12, 2, 4, 8), "v": random(13, 2, 4, 8), "bias": random(14, 24), "lengths": np.array([3, 4], np.int32),
    "mask": np.array([[1, 1, 0, 1], [1, 0, 0, 1]], np.int32), "add": random(15, 1, 2, 4, 4), "wide": random(16, 8, 24),
    "bounds": np.array([3, 4, 1, 0], np.int32),
}  # fmt: skip
ATTENTION = [
    "MultiHeadAttention <num_heads = 2> (q, v, v)", "MultiHeadAttention <num_heads = 2> (q, v, v, bias, mask, add)",
    "MultiHeadAttention <num_heads = 2, unidirectional = 1, scale = 0.3> (q, v, v, , lengths)",
    "Attention <num_heads = 2> (q, wide, bias)",
    "Attention <num_heads = 2, unidirectional = 1> (q, wide, bias, lengths)",
    "Attention <num_heads = 2> (q, wide, bias, mask, , add)", "Attention <num_heads = 2> (q, wide, bias, bounds)",
]  # fmt: skip


@pytest.mark.parametrize("node", FUSED + ATTENTION)
def test_fused_operators(node: str) -> None:
    names = [name.strip() for name in node[node.index("(") + 1 : -1].split(",")]
    feeds = {name: INPUTS[name] for name in names if name}
    kinds = {"float32": "float", "int32": "int32", "int64": "int64"}
    inputs = ", ".join(f"{kinds[str(a.dtype)]}{list(a.shape)} {name}" for name, a in feeds.items())
    built = model(f"g ({inputs}) => (float[] y) {{ y = com.microsoft.{node} }}")
    built.graph.output[0].type.tensor_type.ClearField("shape")
    expected, found = both(built, feeds)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_embedding() -> None:
    ids, mask = np.array([[1, 2, 3], [4, 0, 1]], np.int32), np.array([[1, 1, 0], [1, 0, 0]], np.int32)
    weights = {"word": random(0, 6, 8), "place": random(1, 5, 8), "kind": random(2, 2, 8), "g": random(3, 8)}
    text = "y, count, sum = com.microsoft.EmbedLayerNormalization (ids, kinds, word, place, kind, g, g, mask)"
    built = model(
        f"g (int32[2,3] ids, int32[2,3] kinds, int32[2,3] mask) => (float[2,3,8] y, int32[2] count) {{ {text} }}",
        weights,
    )
    feeds = {"ids": ids, "kinds": 1 - mask, "mask": mask}
    module = onnxray.to_torch(built, verify=False)
    found = module(*(torch.from_numpy(feeds[name]) for name in module.input_names))
    for part, expected in zip(found, models.run(built, feeds)):
        np.testing.assert_allclose(part.numpy(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("opset", [9, 13])
@pytest.mark.parametrize("node", ["SimplifiedLayerNormalization (x, g)", "LayerNormalization (x, g, g)"])
def test_what_the_optimiser_writes_into_the_standard_domain(node: str, opset: int) -> None:
    built = model(f"g (float[2,3,8] x) => (float[2,3,8] y) {{ y = {node} }}", {"g": random(0, 8)}, opset)
    expected, found = both(built, {"x": random(1, 2, 3, 8)})
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("operator", ["GroupQueryAttention", "QAttention", "NhwcConv"])
def test_refused_by_name(operator: str) -> None:
    built = model(f"g (float[2,3] x) => (float[2,3] y) {{ y = com.microsoft.{operator} (x) }}")
    with pytest.raises(UnsupportedOperator, match=rf"com\.microsoft\.{operator} version 1"):
        onnxray.to_torch(built, verify=False)


NETWORK = """
net (float[N,3,12,12] x) => (float[N,6] y) {
  c1 = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x, w1, b1)
  r1 = Relu (c1)
  c2 = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (r1, w2, b2)
  l2 = LeakyRelu <alpha = 0.1> (c2)
  a = Add (r1, l2)
  s = Sigmoid (a)
  m = Mul (a, s)
  t = Concat <axis = 1> (m, r1)
  p = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (t)
  q = AveragePool <kernel_shape = [2, 2], strides = [2, 2]> (p)
  g = GlobalAveragePool (q)
  f = Flatten (g)
  z = Gemm <transB = 1> (f, w3, b3)
  y = Softmax <axis = 1> (z)
}
"""


class Pictures(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self) -> None:
        self.left = iter({"x": random(seed, 4, 3, 12, 12)} for seed in range(6))

    def get_next(self) -> dict[str, Array] | None:
        return next(self.left, None)


def network() -> onnx.ModelProto:
    shapes = {"w1": (8, 3, 3, 3), "w2": (8, 8, 3, 3), "w3": (6, 16), "b1": (8,), "b2": (8,), "b3": (6,)}
    return models.parse(
        NETWORK, {name: random(k, *shape, scale=0.3) for k, (name, shape) in enumerate(shapes.items())}, opset=13
    )


def pulled(path: str) -> torch.Tensor:
    x = torch.from_numpy(random(99, 2, 3, 12, 12)).requires_grad_()
    y = onnxray.to_torch(path, verify=False)(x)
    return torch.autograd.grad((y * torch.linspace(-1, 1, y.numel()).reshape(y.shape)).sum(), x)[0].flatten()


@pytest.mark.parametrize("form", ["QDQ", "QOperator", "dynamic"])
def test_gradients_of_quantised_networks_point_where_those_of_the_float_network_do(form: str, write: Any) -> None:
    plain = write(network())
    quantised = plain.with_name("quantised.onnx")
    if form == "dynamic":
        quantize_dynamic(plain, quantised)
    else:
        quantize_static(plain, quantised, Pictures(), quant_format=QuantFormat[form])
    fused = quantised.with_name("fused.onnx")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(fused)
    session = onnxruntime.InferenceSession(str(quantised), options, providers=["CPUExecutionProvider"])
    x = random(98, 2, 3, 12, 12)
    found = onnxray.to_torch(fused, verify=False)(torch.from_numpy(x))
    np.testing.assert_allclose(found.detach().numpy(), session.run(None, {"x": x})[0], atol=1e-5)
    straight = pulled(str(plain))
    for path in (quantised, fused):
        assert torch.cosine_similarity(pulled(str(path)), straight, 0) > 0.9


def test_saturation_is_the_relu_of_a_quantised_network() -> None:
    text = """g (float[N,4] x) => (float[N,4] y) {
      q = QuantizeLinear (x, s, z)
      a = com.microsoft.QLinearAdd (q, s, z, q, s, z, s, z)
      y = DequantizeLinear (a, s, z)
    }"""
    module = onnxray.to_torch(model(text, {"s": np.float32(0.1), "z": np.uint8(0)}), verify=False)
    x = torch.tensor([[-1.0, 3.0, 14.0, 30.0]], requires_grad=True)
    y = module(x)
    assert y.tolist() == [[0.0, 6.0, 25.5, 25.5]]
    assert torch.autograd.grad(y.sum(), x)[0].tolist() == [[0.0, 2.0, 0.0, 0.0]]

"""Which nodes are layers with weights, in files of whole numbers as well."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import onnxray
from onnxray.errors import InputError
from onnxray.graph.classifier.output import aliases_of
from onnxray.graph.reading import read_graph
from onnxray.graph.weight_layers import layer_weights, weight_layers
from onnxray.methods.lots.lots import LOTS
from onnxray.methods.saliency.activation.grad_cam import GradCAM
from onnxray.objectives.goals import TargetImages
from support import models, quantised


def test_layers_of_a_qoperator_file_and_their_weights_and_biases_alone() -> None:
    """Neither scales nor zero points are weights; the real numbers are meant, in the file or for us alone."""
    graph = read_graph(quantised.network())
    assert layer_weights(graph) == {"r1": ("w1",), "c2_dequantized": ("w2", "b2"), "z": ("w3", "b3")}
    assert weight_layers(graph) == ("r1", "c2_dequantized", "z")
    assert aliases_of(graph) == {"logits": "z", "features": "g", "last-conv": "c2_dequantized"}


def test_a_dynamic_layer_is_what_its_scale_and_its_bias_make_of_it() -> None:
    graph = read_graph(quantised.dynamic())
    assert layer_weights(graph) == {"y": ("w", "b")}
    assert aliases_of(graph) == {"logits": "y", "features": "x"}


def test_a_product_with_no_scale_is_no_layers_real_number() -> None:
    text = quantised.DYNAMIC.replace("n = Mul (f, t)", "l = MatMul (x, b) n = Mul (f, l)")
    weights = {"w": quantised.whole(3, 4, 3), "ws": np.float32(0.02), "b": models.random(4, 4, 3)}
    graph = read_graph(models.parse(text[text.index("dynamic") :], weights))
    assert weight_layers(graph)[0] == "m"


def test_a_weight_that_the_input_reaches_is_none() -> None:
    text = quantised.DYNAMIC.replace("MatMulInteger (q, w, k)", "MatMulInteger (q, q, k, k)")
    assert (
        weight_layers(
            read_graph(models.parse(text[text.index("dynamic") :], {"ws": np.float32(1), "b": np.float32(0)}))
        )
        == ()
    )


def test_lots_takes_the_layers_of_real_numbers() -> None:
    model = onnxray.open(quantised.network(), models.GREY)
    images = models.pictures(2).astype(np.uint8)
    result = LOTS(until="linf", linf=8.0)(model, images[:1], TargetImages(images=images[1:]))
    assert [item.layer for item in result.items] == ["r1", "c2_dequantized", "z"]
    values = models.run(quantised.network(), {"x": models.GREY.encode(images.astype(np.float32))}, ["r1"])[0]
    assert result.items[0].distance_before == pytest.approx(np.linalg.norm(values[0] - values[1]), rel=1e-5)


def test_lots_says_why_it_has_no_layers_of_its_own() -> None:
    """Sums of whole numbers with no scale of their own."""
    text = quantised.TEXT[: quantised.TEXT.index("  r1 = ")].replace("QLinearConv", "ConvInteger")
    text = text.replace("(q, xs, zero, w1, ws, none, cs, mid)", "(q, w1, zero)")
    text += "s = Abs (c1) f = Cast <to = 1> (s) y = ReduceMax <axes = [2, 3], keepdims = 0> (f) }"
    model = onnxray.open(quantised.with_weights(text), models.GREY)
    with pytest.raises(InputError, match="by default, for 'c1' and its like hold whole numbers; name the values"):
        LOTS()(model, models.pictures(1), "magnify")


def test_whole_numbers_that_a_bias_is_added_to_stay_as_they_are() -> None:
    """Only a Cast and the product with a scale make real numbers of them."""
    text = """g (float[N,4] x) => (int32[N,3] y) {
      q, s, k = DynamicQuantizeLinear (x)  m = MatMulInteger (q, w, k)  READ  y = Mul (a, c) }"""
    weights = {"w": quantised.whole(3, 4, 3), "b": np.int32([1, 2, 3]), "c": np.int32([2])}
    for reader in ("a = Add (m, b)", "a = Abs (m)", "a = Neg (m)"):
        graph = read_graph(models.parse(text.replace("READ", reader), weights))
        assert weight_layers(graph)[0] in {"m", "a"}
        assert weight_layers(graph)[0] != "y"


FUSED = """<ir_version: 8, opset_import: ["": 17, "com.microsoft": 1]>
fused (float[N,1,14,14] x) => (float[N,5] y) {
  a = com.microsoft.FusedConv <activation = "Relu", kernel_shape = [3, 3]> (x, w1, b1)
  d = com.microsoft.FusedConv <activation = "Relu", kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (a, w2, b2, a)
  p = GlobalAveragePool (d)
  f = Flatten (p)
  g = com.microsoft.FusedGemm <activation = "Tanh", transB = 1> (f, w3, b3)
  y = com.microsoft.FusedMatMul <alpha = 0.5> (g, w4)
}"""
PLAIN = """
plain (float[N,1,14,14] x) => (float[N,5] y) {
  c = Conv <kernel_shape = [3, 3]> (x, w1, b1)  a = Relu (c)
  h = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (a, w2, b2)  i = Add (h, a)  d = Relu (i)
  p = GlobalAveragePool (d)  f = Flatten (p)  j = Gemm <transB = 1> (f, w3, b3)  g = Tanh (j)
  k = MatMul (g, w4)  y = Mul (k, half)
}"""
FUSED_WEIGHTS = {
    "w1": models.random(0, 4, 1, 3, 3), "b1": models.random(1, 4), "w2": models.random(2, 4, 4, 3, 3, scale=0.3),
    "b2": models.random(3, 4), "w3": models.random(4, 6, 4), "b3": models.random(5, 6), "w4": models.random(6, 6, 5),
}  # fmt: skip


def fused() -> onnx.ModelProto:
    """A file as ONNX Runtime's optimiser writes them: activations, and a sum, within the layers."""
    model = onnx.parser.parse_model(FUSED)
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in FUSED_WEIGHTS.items())
    return model


def test_fused_layers_are_layers() -> None:
    graph = read_graph(fused())
    assert layer_weights(graph) == {"a": ("w1", "b1"), "d": ("w2", "b2"), "g": ("w3", "b3"), "y": ("w4",)}
    assert aliases_of(graph) == {"logits": "y", "features": "g", "last-conv": "d"}


def test_maps_and_lots_of_a_fused_file_are_those_of_the_plain_one() -> None:
    own = onnxray.open(fused(), models.GREY)
    plain = onnxray.open(models.parse(PLAIN, FUSED_WEIGHTS | {"half": np.float32(0.5)}), models.GREY)
    images = models.pictures(2).astype(np.uint8)
    found, expected = (GradCAM()(model, images, 2).items for model in (own, plain))
    for item, other in zip(found, expected):
        assert item.layer == other.layer == "d"
        assert item.heat.max() > 0
        np.testing.assert_allclose(item.heat, other.heat, rtol=1e-4)
    layers = ("a", "d", "g", "y")
    goal = TargetImages(images=images[1:])
    items = LOTS(until="linf", linf=8.0)(own, images[:1], goal).items
    assert tuple(item.layer for item in items) == layers
    others = LOTS(layer=layers, until="linf", linf=8.0)(plain, images[:1], goal).items
    for item, other in zip(items, others):
        np.testing.assert_array_equal(item.images["image"], other.images["image"])

"""Which nodes are layers with weights, in files of whole numbers as well."""

import numpy as np
import pytest

import onnxray
from onnxray.errors import InputError
from onnxray.graph.classifier.output import aliases_of
from onnxray.graph.reading import read_graph
from onnxray.graph.weight_layers import layer_weights, weight_layers
from onnxray.methods.lots.lots import LOTS
from onnxray.objectives.goals import TargetImages
from support import models, quantised


def test_layers_of_a_qoperator_file_and_their_weights_and_biases_alone() -> None:
    """Neither scales nor zero points are weights; the real numbers are meant where the file computes them."""
    graph = read_graph(quantised.network())
    assert layer_weights(graph) == {"r1": ("w1",), "c2": ("w2", "b2"), "z": ("w3", "b3")}
    assert weight_layers(graph) == ("r1", "c2", "z")
    assert aliases_of(graph) == {"logits": "z", "features": "g", "last-conv": "c2"}


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
    assert [item.layer for item in result.items] == ["r1", "z"]
    values = models.run(quantised.network(), {"x": models.GREY.encode(images.astype(np.float32))}, ["r1"])[0]
    assert result.items[0].distance_before == pytest.approx(np.linalg.norm(values[0] - values[1]), rel=1e-5)


def test_lots_says_why_it_has_no_layers_of_its_own() -> None:
    text = quantised.TEXT.replace("r1 = DequantizeLinear (c1, cs, mid)", "").replace("a = Relu (r1)", "")
    text = text.replace("aq = QuantizeLinear (a, as, zero)", "").replace("(aq, as, zero,", "(c1, cs, mid,")
    text = text[: text.index("  g = ")] + "f = Flatten (r2) y = Slice (f, from, to, one) }"
    more = {"from": np.int64([0]), "to": np.int64([5]), "one": np.int64([1])}
    model = onnxray.open(quantised.with_weights(text, more), models.GREY)
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

"""What quantised values stand for, where the file computes it nowhere: against the same network with it named."""

import numpy as np
import pytest

import onnxray
from onnxray.errors import NotDifferentiable
from onnxray.graph.depths import depths
from onnxray.graph.reading import read_graph
from onnxray.methods.lots.lots import LOTS
from onnxray.methods.saliency.activation.grad_cam import GradCAM
from onnxray.methods.saliency.gradient.gradient import Gradient
from onnxray.model.layers.grid import read_space
from onnxray.model.layers.map_layers import find_layers
from onnxray.objectives.goals import TargetImages
from support import models, quantised

PLACES = ("c1_dequantized", "c2_dequantized", "s_dequantized", "p_dequantized", "f_dequantized")
PICTURES = models.pictures(2).astype(np.uint8)


def opened() -> tuple[onnxray.Model, onnxray.Model]:
    """The file of whole numbers, and the one in which what they stand for has a name."""
    whole, named = quantised.whole_network(), quantised.twin_network()
    return onnxray.open(whole, models.GREY), onnxray.open(named, models.GREY)


def test_a_value_stands_beside_each_quantised_one_that_is_read_as_it_is() -> None:
    graph = read_graph(quantised.whole_network())
    ours = [value for value in graph.values.values() if value.kind == "dequantised"]
    assert [value.name for value in ours] == [f"{name}_dequantized" for name in ("c1", "c2", "s", "p", "g", "f")]
    assert {value.dtype for value in ours} == {"float32"}
    assert [node.operator for node in graph.nodes].count("DequantizeLinear") == 1  # the file's own
    assert graph.producer_of["c1_dequantized"].inputs == ("c1", "as", "zero")
    order = list(graph.values)
    assert order.index("c1_dequantized") == order.index("c1") + 1


@pytest.mark.parametrize("text", [quantised.DYNAMIC, quantised.TWIN, quantised.TEXT])
def test_what_the_file_dequantises_is_left_to_it(text: str) -> None:
    made = {quantised.DYNAMIC: quantised.dynamic, quantised.TWIN: quantised.twin_network}
    graph = read_graph(made.get(text, quantised.network)())
    assert set(graph.dequantised) == ({"c2"} if text == quantised.TEXT else set())  # MaxPool reads its whole numbers


def test_a_name_that_is_taken_is_taken_by_nobody_else() -> None:
    text = quantised.WHOLE.replace("f = Flatten (g)", "f = Flatten (g)  c1_dequantized = Identity (x)")
    graph = read_graph(quantised.with_weights(text, quantised.SMALL))
    assert graph.dequantised["c1"].outputs == ("c1_dequantized_",)
    assert graph.producer_of["c1_dequantized"].operator == "Identity"


def test_a_scale_that_is_not_one_constant_number_makes_none() -> None:
    text = quantised.WHOLE.replace("c1 = QLinearConv", "as2 = ReduceMax <keepdims = 0> (x) c1 = QLinearConv")
    text = text.replace("ws, none, as, zero)", "ws, none, as2, zero)")
    graph = read_graph(quantised.with_weights(text, quantised.SMALL))
    assert "c1" not in graph.dequantised
    assert "c2" in graph.dequantised


def test_the_judge_gives_whole_numbers_less_their_zero_point_times_their_scale() -> None:
    model, _ = opened()
    values = model.values(PICTURES, ["c2", "c2_dequantized", "p_dequantized", "p"])
    scale, zero = quantised.SMALL["cs"], float(quantised.WEIGHTS["mid"])
    for name in ("p", "c2"):
        assert values[name].dtype == np.uint8
        expected = (values[name].astype(np.float32) - zero) * scale
        np.testing.assert_array_equal(values[f"{name}_dequantized"], expected)
    twin = model.values(PICTURES, ["c2_dequantized"], "twin")["c2_dequantized"]
    np.testing.assert_array_equal(twin, expected)


@pytest.mark.parametrize("layer", PLACES)
def test_gradients_at_and_from_layers_are_those_of_the_named_network(layer: str) -> None:
    """All of them: also where a branch goes on from the whole numbers."""
    whole, named = opened()
    cotangent = {"y": np.float32([1.0, -2.0, 0.5, 3.0, 0.25])}
    found, expected = (model.pullback(PICTURES, cotangent, wrt=layer) for model in (whole, named))
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6 * np.abs(expected).max())
    values = whole.values(PICTURES, [layer])[layer]
    np.testing.assert_allclose(values, named.values(PICTURES, [layer])[layer], atol=1e-6)
    back = {layer: np.random.default_rng(0).standard_normal(values.shape[1:]).astype(np.float32)}
    found, expected = (model.pullback(PICTURES, back) for model in (whole, named))
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6 * np.abs(expected).max())


def test_maps_and_layers_are_those_of_the_named_network() -> None:
    whole, named = opened()
    found = GradCAM()(whole, PICTURES, 2).items
    assert [item.layer for item in found] == ["s_dequantized"] * 2
    expected = GradCAM(layer="s_dequantized")(named, PICTURES, 2).items
    for item, other in zip(found, expected):
        np.testing.assert_allclose(item.heat, other.heat, rtol=1e-4, atol=1e-9)
        assert item.heat.max() > 0 or other.heat.max() == 0
    candidates = [grid.value for grid in find_layers(read_space(whole), ["y"]).candidates]
    assert candidates == ["c1_dequantized", "s_dequantized", "p_dequantized"]
    chosen = GradCAM(layer=("c1_dequantized", "p_dequantized"))(whole, PICTURES[:1], 2)
    assert [item.layer for item in chosen.items] == ["c1_dequantized", "p_dequantized"]


def test_lots_runs_at_all_layers_by_itself() -> None:
    whole, named = opened()
    goal = TargetImages(images=PICTURES[1:])
    found = LOTS(until="linf", linf=8.0)(whole, PICTURES[:1], goal)
    assert [item.layer for item in found.items] == ["c1_dequantized", "c2_dequantized", "y"]
    expected = LOTS(layer=("c1_dequantized", "c2_dequantized", "y"), until="linf", linf=8.0)(named, PICTURES[:1], goal)
    for item, other in zip(found.items, expected.items):
        np.testing.assert_array_equal(item.images["image"], other.images["image"])
        assert item.distance_before == pytest.approx(other.distance_before, rel=1e-5)


def test_aliases_and_depths_name_real_numbers() -> None:
    model, _ = opened()
    assert dict(model.aliases) == {"logits": "y", "features": "f_dequantized", "last-conv": "c2_dequantized"}
    assert depths(model.graph, "y", 3) == ("c1_dequantized", "s_dequantized", "y")


def test_a_gradient_of_whole_numbers_is_refused_with_what_they_stand_for() -> None:
    model, _ = opened()
    with pytest.raises(NotDifferentiable, match="'c2' holds uint8; gradients exist .* stands for are 'c2_dequantized'"):
        model.pullback(PICTURES, {"c2": np.float32(1)})


def test_the_file_itself_is_told_of_as_it_is() -> None:
    """Verification, its nodes and the gradient at its input are those of the file, whatever stands beside it."""
    model, named = opened()
    verified = model.verify(PICTURES)
    assert verified.agrees
    assert not {row.name for row in verified.comparisons} & set(PLACES)
    np.testing.assert_allclose(
        Gradient()(model, PICTURES, 2).items[0].heat, Gradient()(named, PICTURES, 2).items[0].heat, rtol=1e-4, atol=1e-9
    )


def joined() -> tuple[onnxray.Model, onnxray.Model]:
    """Branches joined in whole numbers, a product of matrices, and a softmax of whole numbers; and the same named."""
    end = """k = com.microsoft.QLinearConcat <axis = 1> (cs, mid, c1, as, zero, c2, cs, mid)
      g = com.microsoft.QLinearGlobalAveragePool (k, cs, mid, as, mid)  f = Flatten (g)
      z = QLinearMatMul (f, as, mid, w4, ws, none, zs, mid)
      p = com.microsoft.QLinearSoftmax <axis = 1, opset = 13> (z, zs, mid, small, low)
      y = DequantizeLinear (p, small, low) }"""
    named = """kf = Concat <axis = 1> (c1_dequantized, c2_dequantized)
      k = QuantizeLinear (kf, cs, mid)  k_dequantized = DequantizeLinear (k, cs, mid)
      gf = GlobalAveragePool (k_dequantized)  g = QuantizeLinear (gf, as, mid)
      g_dequantized = DequantizeLinear (g, as, mid)  f_dequantized = Flatten (g_dequantized)
      v4 = DequantizeLinear (w4, ws, none)  zf = MatMul (f_dequantized, v4)
      z = QuantizeLinear (zf, zs, mid)  z_dequantized = DequantizeLinear (z, zs, mid)
      y = Softmax <axis = 1> (z_dequantized) }"""
    more = quantised.SMALL | {
        "w4": quantised.whole(5, 8, 5) // 4, "small": np.float32(1 / 256), "low": np.uint8(0),
    }  # fmt: skip
    text = quantised.WHOLE[: quantised.WHOLE.index("  s = com")] + end
    other = quantised.TWIN[: quantised.TWIN.index("  sf = Add")] + named
    whole, twin = (quantised.with_weights(part, more) for part in (text, other))
    return onnxray.open(whole, models.GREY), onnxray.open(twin, models.GREY)


def test_class_scores_before_a_softmax_of_whole_numbers_have_gradients() -> None:
    whole, named = joined()
    assert whole.aliases["logits"] == named.aliases["logits"] == "z_dequantized"
    scores = (model.predict(PICTURES, scores=True).scores for model in (whole, named))
    np.testing.assert_allclose(*scores, rtol=1e-6)
    for row, image in enumerate(PICTURES):
        found, expected = (Gradient()(model, image[None], 3).items[0].heat for model in (whole, named))
        assert expected.max() > 0, row
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6 * expected.max())


def test_rows_and_columns_are_followed_through_what_joins_whole_numbers() -> None:
    whole, named = joined()
    found = GradCAM()(whole, PICTURES, 3).items
    expected = GradCAM(layer="k_dequantized")(named, PICTURES, 3).items
    assert [item.layer for item in found] == ["k_dequantized"] * 2
    for item, other in zip(found, expected):
        np.testing.assert_allclose(item.heat, other.heat, rtol=1e-4, atol=1e-9)
    assert any(item.heat.max() > 0 for item in found)


def test_no_network_begins_at_what_stands_beside_whole_numbers() -> None:
    model, _ = opened()
    with pytest.raises(NotDifferentiable, match="'c1_dequantized' stands beside 'c1', .* --layer c1_dequantized"):
        Gradient(wrt="c1_dequantized")(model, PICTURES[:1], 2)

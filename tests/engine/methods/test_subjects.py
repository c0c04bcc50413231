"""Maps of several inputs, of what token ids gather, and of named values."""

from typing import Any

import numpy as np
import pytest

import onnxray
from onnxray.assess.maps.check import Check
from onnxray.assess.maps.comparison import Comparison
from onnxray.errors import InputError, NotDifferentiable
from onnxray.methods.saliency.gradient.gradient import Gradient
from onnxray.methods.saliency.gradient.integrated_gradients import IntegratedGradients
from onnxray.methods.saliency.gradient.smoothgrad import SmoothGrad
from onnxray.methods.saliency.perturbation.occlusion import Occlusion
from onnxray.results.result import Result
from support import kinds_of_input
from support.models import lenet, parse, random

FEEDS = {"rgb": random(1, 2, 3, 16, 16), "depth": random(2, 2, 1, 16, 16)}
IDS = {"input_ids": np.array([[2, 5, 9, 3], [1, 0, 7, 7]]), "attention_mask": np.array([[1, 1, 1, 0], [1, 1, 1, 1]])}


def two() -> Any:
    return onnxray.open(kinds_of_input.two().SerializeToString())


def tokens() -> Any:
    return onnxray.open(kinds_of_input.tokens().SerializeToString())


def test_each_input_has_a_map_of_its_own() -> None:
    model = two()
    items = Gradient(channels="sum")(model, FEEDS, 1).items
    assert [item.wrt for item in items] == ["rgb", "rgb", "depth", "depth"]
    expected = model.pullback(FEEDS, {"y": np.tile(np.eye(4, dtype=np.float32)[1], (2, 1))})
    for item, row in zip(items, (0, 1, 0, 1)):
        np.testing.assert_allclose(item.heat, expected[item.wrt][row], rtol=1e-5, atol=1e-8)
    assert {item.numbers()["wrt"] for item in items} == {"rgb", "depth"}
    assert len({item.files()["map"][0] for item in items}) == 4


def test_wrt_names_one_and_inner_values() -> None:
    model = two()
    items = Gradient(channels="sum", wrt=("depth", "c"))(model, FEEDS, 1).items
    assert [item.wrt for item in items] == ["depth", "depth", "c", "c"]
    expected = model.pullback(FEEDS, {"y": np.tile(np.eye(4, dtype=np.float32)[1], (2, 1))}, wrt=["depth", "c"])
    for item, row in zip(items, (0, 1, 0, 1)):
        np.testing.assert_allclose(item.heat, expected[item.wrt][row], rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("wrt", [None, "e"])
def test_token_ids_are_explained_at_what_they_gather(wrt: str | None) -> None:
    model = tokens()
    items = Gradient(channels="sum", wrt=wrt)(model, IDS, 1).items
    expected = model.pullback(IDS, {"logits": np.tile([0.0, 1.0], (2, 1))}, wrt="e")
    for item, slope in zip(items, expected):
        assert item.wrt == "e"
        np.testing.assert_allclose(item.attribution, slope, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(item.heat, slope.sum(-1), rtol=1e-4, atol=1e-6)
    largest = Gradient(wrt=wrt)(model, IDS, 1).items[0]
    np.testing.assert_allclose(largest.heat, np.abs(expected[0]).max(-1), rtol=1e-5)


def test_integrated_gradients_of_embeddings_add_up_to_the_score() -> None:
    """sum_i IG_i = S(e) - S(0), the completeness axiom."""
    model = tokens()
    items = IntegratedGradients(channels="sum", steps=64)(model, IDS, 1).items
    scores = model.values(IDS, ["logits"])["logits"][:, 1]  # tanh(0) = 0, so S(0) = 0
    for item, score in zip(items, scores):
        assert item.heat.sum() == pytest.approx(score, rel=5e-2)


def test_occlusion_takes_one_token_out_at_a_time() -> None:
    model = tokens()
    items = Occlusion(fill="0")(model, IDS, 1).items
    e, clean = (model.values(IDS, [name])[name] for name in ("e", "logits"))
    for row, item in enumerate(items):
        assert item.heat.shape == (4,)
        for token in range(4):
            hidden = e[row : row + 1].copy()
            hidden[0, token] = 0
            h = np.tanh(hidden @ random(1, 8, 8)) * IDS["attention_mask"][row][None, :, None]
            score = (h.sum(1) @ random(2, 8, 2))[0, 1]
            assert item.heat[token] == pytest.approx(clean[row, 1] - score, abs=1e-4)


def test_smoothgrad_and_occlusion_hold_the_other_inputs() -> None:
    model = two()
    for method in (SmoothGrad(samples=3, wrt="depth"), Occlusion(wrt="depth")):
        items = method(model, FEEDS, 1).items
        assert [item.heat.shape for item in items] == [(1, 16, 16)] * 2
        alone = method(model, {name: array[1:] for name, array in FEEDS.items()}, 1).items[0]
        if isinstance(method, Occlusion):
            np.testing.assert_allclose(items[1].heat, alone.heat, rtol=1e-3, atol=1e-6)


def test_inputs_without_axes_are_held() -> None:
    """A sampling rate beside a signal and a state, as voice detectors have them."""
    text = (
        "g (float[N,T] input, float[2,N,4] state, int64 sr) => (float[N,1] output) { c = Cast <to = 1> (sr) "
        "s = ReduceSum (state, axes) f = Flatten (s) m = Mul (input, input) k = ReduceSum (m, last) q = Mul (k, c) output = Add (q, one) }"
    )
    weights = {"axes": np.array([0, 2]), "last": np.array([1]), "one": np.ones(1, np.float32)}
    model = onnxray.open(parse(text, weights).SerializeToString())
    feeds = {"input": random(0, 2, 6), "state": np.zeros((2, 2, 4), np.float32), "sr": np.array(3)}
    items = Gradient(channels="sum", wrt="input")(model, feeds, "value:output").items
    for item, row in zip(items, feeds["input"], strict=True):
        np.testing.assert_allclose(item.heat, 2 * 3 * row, rtol=1e-5)


def test_a_picture_keeps_its_map_and_an_inner_value_has_one() -> None:
    model = onnxray.open(lenet().SerializeToString())
    picture = np.random.default_rng(0).integers(0, 256, (1, 1, 14, 14), dtype=np.uint8)
    plain, named = Gradient()(model, picture, 1).items[0], Gradient(wrt="x")(model, picture, 1).items[0]
    np.testing.assert_array_equal(plain.heat, named.heat)
    assert (plain.wrt, named.wrt) == (None, None)
    assert "wrt" not in plain.numbers()
    inner = Gradient(channels="sum", wrt="ip1")(model, picture, 1).items[0]
    assert inner.heat.shape == (20,)
    np.testing.assert_allclose(
        inner.heat, model.pullback(picture, {"ip2": np.eye(5, dtype=np.float32)[1]}, wrt="ip1")[0], rtol=1e-5
    )


def test_what_cannot_be_explained_is_one_line() -> None:
    with pytest.raises(NotDifferentiable, match=r"'input_ids' holds int64.*the embeddings that it gathers, 'e'"):
        Gradient(wrt="input_ids")(tokens(), IDS, 1)
    with pytest.raises(NotDifferentiable, match="does not depend on 'y'"):
        Gradient(wrt="y")(two(), FEEDS, "value:r:0")
    with pytest.raises(InputError, match="is a constant"):
        Gradient(wrt="last")(tokens(), IDS, 1)


def test_a_run_of_several_inputs_is_kept_and_read_back(tmp_path: Any) -> None:
    result = Gradient()(two(), FEEDS, 1)
    result.save(tmp_path / "run")
    again = Result.load(tmp_path / "run", type(result.items[0]))
    assert [item.wrt for item in again.items] == [item.wrt for item in result.items]
    for one, other in zip(again.items, result.items):
        np.testing.assert_array_equal(one.heat, other.heat)
        np.testing.assert_array_equal(one.images["map"], other.images["map"])


def test_figures_of_several_inputs_are_refused_and_of_one_are_not() -> None:
    """Else the curve of one input would be drawn by the map of another."""
    for model, given, wrt in ((two(), FEEDS, None), (two(), FEEDS, "depth"), (tokens(), IDS, None)):
        for method in (Check(method=Gradient(wrt=wrt)), Comparison(methods=(Gradient(wrt=wrt),))):
            with pytest.raises(InputError, match="measured at one input, and the maps are of"):
                method(model, given, 1)
    table = onnxray.open(kinds_of_input.table().SerializeToString())
    (item,) = Check(method=Gradient(), curve_steps=5, noise_copies=0, weights="none")(table, random(0, 1, 5), 1).items
    assert len(item.figures["insertion"]["scores"]) == 6

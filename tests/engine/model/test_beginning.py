"""Gradients with respect to inner values, against central differences of ONNX Runtime on the file cut there."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

import onnxray
from onnxray.errors import NotDifferentiable, UnknownValue
from onnxray.methods.saliency.gradient.gradient import Gradient
from onnxray.model.beginning import beginning_at
from support import kinds_of_input, models
from support.cut_models import differences, from_value_on
from support.models import lenet, random

IDS = {"input_ids": np.array([[2, 5, 9, 3], [1, 0, 7, 7]]), "attention_mask": np.array([[1, 1, 1, 0], [1, 1, 1, 1]])}


@pytest.mark.parametrize("value", ["e", "h", "masked", "s"])
def test_token_models_are_pulled_back_to_what_the_ids_gather(value: str) -> None:
    model = onnxray.open(kinds_of_input.tokens().SerializeToString())
    cotangent = random(4, 2, 2)
    at, run = from_value_on(model, value, "logits", IDS)
    found = model.pullback(IDS, {"logits": cotangent}, wrt=value)
    assert found.shape == at.shape
    places = np.random.default_rng(0).choice(at.size, min(at.size, 24), replace=False)
    np.testing.assert_allclose(found.reshape(-1)[places], differences(run, at, cotangent, places), rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("value", ["rgb", "depth", "i", "c"])
def test_several_inputs_and_values_at_once(value: str) -> None:
    model = onnxray.open(kinds_of_input.two().SerializeToString())
    feeds = {"rgb": random(1, 2, 3, 16, 16), "depth": random(2, 2, 1, 16, 16)}
    cotangent = random(4, 2, 4)
    found = model.pullback(feeds, {"y": cotangent}, wrt=["rgb", "depth", "i", "c"])
    assert list(found) == ["rgb", "depth", "i", "c"]
    if value in feeds:
        at, held = feeds[value], dict(feeds)
        session = onnxruntime.InferenceSession(kinds_of_input.two().SerializeToString())

        def run(array: Any) -> Any:
            return session.run(None, {**held, value: array.astype(np.float32)})[0].astype(np.float64)
    else:
        at, run = from_value_on(model, value, "y", feeds)
    places = np.random.default_rng(0).choice(at.size, 24, replace=False)
    expected = differences(run, at, cotangent, places, step=0.05)
    np.testing.assert_allclose(found[value].reshape(-1)[places], expected, rtol=2e-2, atol=3e-4)


def test_of_pictures_an_inner_value_too() -> None:
    model = onnxray.open(lenet().SerializeToString())
    pixels = np.random.default_rng(0).integers(0, 256, (2, 1, 14, 14)).astype(np.float32)
    cotangent = random(4, 2, 5)
    at, run = from_value_on(model, "ip1", "ip2", model.feeds(pixels))
    found = model.pullback(pixels, {"ip2": cotangent}, wrt="ip1")
    np.testing.assert_allclose(found.reshape(-1), differences(run, at, cotangent, range(at.size)), rtol=1e-3, atol=1e-4)
    assert model.pullback(pixels, {"ip2": cotangent}, wrt="x").shape == pixels.shape


def test_what_has_no_gradient_is_refused() -> None:
    model = onnxray.open(kinds_of_input.tokens().SerializeToString())
    with pytest.raises(NotDifferentiable, match="the input 'input_ids' holds int64"):
        model.pullback(IDS, {"logits": random(4, 2, 2)}, wrt="input_ids")
    with pytest.raises(NotDifferentiable, match="does not depend on 'logits'"):
        model.pullback(IDS, {"s": random(4, 2, 8)}, wrt="logits")
    with pytest.raises(UnknownValue):
        model.pullback(IDS, {"logits": random(4, 2, 2)}, wrt="nothing")


@pytest.mark.parametrize("beside", [False, True])
def test_weights_stay_where_they_are_read_from(tmp_path: Path, beside: bool) -> None:
    """Large ones are left in the file, or in one beside it, until they are needed."""
    path = tmp_path / "lenet.onnx"
    onnx.save(lenet(), path, save_as_external_data=beside, location="weights.bin", size_threshold=0)
    model = onnxray.open(path)
    pixels = model.pixels(np.random.default_rng(0).integers(0, 256, (2, 1, 14, 14), dtype=np.uint8))
    inner, samples = beginning_at(model, "relu1", ["ip2"], pixels)
    expected = model.values(pixels, ["ip2", "prob"])
    for name, array in inner.values(samples, ["ip2", "prob"]).items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-4, atol=1e-5)
    assert [value.name for value in inner.graph.outputs] == ["prob", "ip2"]


@pytest.mark.parametrize("value", ["e", "h", "s"])
def test_the_model_from_a_value_on_gives_what_the_file_gives(value: str) -> None:
    model = onnxray.open(kinds_of_input.tokens().SerializeToString())
    inner, samples = beginning_at(model, value, ["logits"], model.pixels(IDS))
    np.testing.assert_allclose(
        inner.values(samples, ["logits"])["logits"], model.values(IDS, ["logits"])["logits"], rtol=1e-5, atol=1e-6
    )
    assert samples.input == value
    assert inner.verify(samples).agrees
    one = samples.rows(np.array([1, 1, 0]))
    expected = model.values({name: array[[1, 1, 0]] for name, array in IDS.items()}, ["logits"])["logits"]
    np.testing.assert_allclose(inner.values(one, ["logits"])["logits"], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rows", [1, 2])
def test_shapes_beside_a_value_are_no_samples(rows: int) -> None:
    """A vector that a Reshape reads is one for all samples, and counts those that are fed."""
    text = kinds_of_input.TOKENS.replace(
        "h = MatMul (e, w1)",
        "n = Shape (input_ids)  wide = Concat <axis = 0> (n, eight)  r = Reshape (e, wide)  h = MatMul (r, w1)",
    )
    weights = {"table": random(0, 30, 8), "w1": random(1, 8, 8), "w2": random(2, 8, 2), "one": np.array([1])}
    model = onnxray.open(models.parse(text, weights | {"eight": np.array([8])}).SerializeToString())
    ids = {name: array[:rows] for name, array in IDS.items()}
    pixels = model.pixels(ids)
    inner, samples = beginning_at(model, "e", ["logits"], pixels)
    assert [value.name for value in inner.graph.inputs] == ["e", "u"]
    cotangent = {"logits": random(4, rows, 2)}
    expected = model.pullback(ids, cotangent, wrt="e")
    found = inner.pullback({"e": samples.array, **samples.beside}, cotangent)["e"]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    (item, *_) = Gradient(wrt="e")(model, ids, 1).items
    assert item.heat.any()

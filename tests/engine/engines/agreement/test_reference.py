"""Models that ONNX Runtime does not take: onnx's reference implementation is what gradients are checked against."""

import numpy as np
import onnx
import pytest
import torch

import onnxray
from onnxray.engines.agreement.reference import outputs_or_reference, reference_values
from onnxray.engines.judge import Judge
from onnxray.errors import MismatchError, RuntimeRefusal
from onnxray.graph.reading import read_graph
from support import models

STATISTICS = {name: np.abs(models.random(k, 5)) for k, name in enumerate(("s", "b", "m", "v"), 1)}
X = models.random(0, 2, 5, 4, 4)


def old() -> onnx.ModelProto:
    """BatchNormalization-6 is too old for ONNX Runtime."""
    text = "g (float[2,5,4,4] x) => (float[2,5,4,4] y) { a = Tanh (x) y = BatchNormalization <is_test = 1> (a, s, b, m, v) }"
    return models.parse(text, STATISTICS, opset=6)


def expected(x: np.ndarray) -> np.ndarray:
    s, b, m, v = (STATISTICS[name].reshape(1, 5, 1, 1) for name in "sbmv")
    return s * (np.tanh(x) - m) / np.sqrt(v + 1e-5) + b


def test_the_reference_gives_outputs_and_inner_values() -> None:
    found = reference_values(read_graph(old()), {"x": X}, ["a", "y"])
    np.testing.assert_allclose(found["a"], np.tanh(X), rtol=1e-5)
    np.testing.assert_allclose(found["y"], expected(X), rtol=1e-4)


def test_weights_of_any_size_are_read(lenet: onnx.ModelProto) -> None:
    x = models.random(3, 1, 1, 14, 14)
    found = reference_values(read_graph(lenet.SerializeToString()), {"x": x}, ["prob"])["prob"]
    np.testing.assert_allclose(found, models.run(lenet, {"x": x})[0], rtol=1e-4, atol=1e-6)


def test_a_gradient_of_such_a_model_is_checked_and_says_so() -> None:
    opened = onnxray.open(old().SerializeToString())
    gradient = opened.pullback(X, {"y": np.ones((5, 4, 4), np.float32)})
    scale = (STATISTICS["s"] / np.sqrt(STATISTICS["v"] + 1e-5)).reshape(1, 5, 1, 1)
    np.testing.assert_allclose(gradient, scale * (1 - np.tanh(X) ** 2), rtol=1e-3, atol=1e-5)
    assert any("reference implementation" in said for said in opened.notes)
    with pytest.raises(RuntimeRefusal):
        opened.values(X, ["y"])


def test_a_wrong_twin_of_it_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "tanh", lambda x: x)
    monkeypatch.setattr(torch.nn.Tanh, "forward", lambda self, x: x)
    with pytest.raises(MismatchError):
        onnxray.to_torch(old())


def test_a_module_of_it_opens_with_the_default_check() -> None:
    module = onnxray.to_torch(old())
    np.testing.assert_allclose(module(torch.from_numpy(X)).numpy(), expected(X), rtol=1e-4, atol=1e-5)


def test_an_input_that_the_judge_refuses_is_not_given_to_the_reference(lenet: onnx.ModelProto) -> None:
    judge = Judge(read_graph(lenet))
    with pytest.raises(RuntimeRefusal, match="ONNX Runtime refuses the input"):
        outputs_or_reference(judge, {"x": models.random(0, 1, 1, 3, 3)})


def test_what_neither_takes_is_refused_in_one_line() -> None:
    graph = read_graph(models.parse("g (float[N] x) => (float[N] y) { y = own.Nothing (x) }"))
    with pytest.raises(RuntimeRefusal, match="reference implementation cannot run") as told:
        outputs_or_reference(Judge(graph), {"x": models.random(0, 2)})
    assert "\n" not in str(told.value)

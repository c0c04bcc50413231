"""Operators by the standard's own definition of them: the body computes what ONNX Runtime does."""

from typing import Any

import numpy as np
import onnx
import pytest
import torch

import onnxray
from onnxray.graph.facts import Graph
from onnxray.graph.reading import read_graph
from onnxray.importer.standard_functions import function_body
from onnxray.importer.walk import Importer
from support import models

R = models.random
LOSS = "g (float[N,3] x) => (float y) { y = NegativeLogLikelihoodLoss (x, t, c) }"
TARGET = {"t": np.int64([2, 0, 1, 1]), "c": np.float32([0.5, 1, 2])}


def body_of(model: onnx.ModelProto) -> tuple[Graph, Graph | None]:
    graph = read_graph(model)
    return graph, function_body(Importer(graph).scope(graph.nodes[-1]))


@pytest.mark.parametrize(
    ("text", "weights", "shape"),
    [
        ("g (float[N,2,3,4] x) => (float[N,2,3,4] y) { y = MeanVarianceNormalization (x) }", {}, (2, 2, 3, 4)),
        ("g (float[N,3] x) => (float[N,3] y) { y = Celu <alpha = 0.5> (x) }", {}, (4, 3)),
        (LOSS, TARGET, (4, 3)),
        ("g (float[N,3] x) => (float y) { y = SoftmaxCrossEntropyLoss (x, t) }", {"t": TARGET["t"]}, (4, 3)),
    ],
)  # fmt: skip
def test_the_body_is_the_operator(text: str, weights: dict[str, Any], shape: tuple[int, ...]) -> None:
    """Functions that are fixed, and those that are made for a node's attributes and types."""
    model = models.parse(text, weights)
    _, body = body_of(model)
    assert body is not None
    fed = {"x": R(0, *shape), **weights}
    found = Importer(body).cut(("y",))(*(torch.from_numpy(fed[value.name]) for value in body.inputs))
    np.testing.assert_allclose(found.numpy(), models.run(model, {"x": fed["x"]})[0], rtol=1e-5, atol=1e-5)


def test_what_is_known_of_a_node_s_operands_is_known_in_the_body() -> None:
    _, body = body_of(models.parse(LOSS, TARGET))
    assert body is not None
    known = {value.name: (value.dtype, value.shape) for value in body.inputs}
    assert known == {"x": ("float32", ("N", 3)), "t": ("int64", (4,)), "c": ("float32", (3,))}


def test_a_node_of_which_nothing_is_known_has_its_body() -> None:
    """Behind an operator that nobody knows no shape and no type is inferred; celu(x) = max(0, x) + min(0, a (e^(x/a) - 1))."""
    graph = read_graph(
        models.parse("g (float[N,3] x) => (float[N,3] z) { a = Strange (x) b = Celu <alpha = 0.5> (a) z = Neg (b) }")
    )
    assert "b" not in graph.stated
    body = function_body(Importer(graph).scope(graph.producer_of["b"]))
    assert body is not None
    x = R(0, 4, 3)
    found = Importer(body).cut(("b",))(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found, np.maximum(0, x) + np.minimum(0, 0.5 * np.expm1(x / 0.5)), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("node", ["y = Conv (x, w)", "y = Strange (x)"])
def test_what_the_standard_does_not_define_has_no_body(node: str) -> None:
    _, body = body_of(models.parse(f"g (float[N,3,4,4] x) => (float[N,2,4,4] y) {{ {node} }}", {"w": R(0, 2, 3, 1, 1)}))
    assert body is None


def test_a_node_that_is_a_body_gives_its_one_output() -> None:
    model = models.parse(LOSS, TARGET)
    x = R(0, 4, 3)
    found = onnxray.to_torch(model, verify=False)(torch.from_numpy(x))
    assert isinstance(found, torch.Tensor)
    np.testing.assert_allclose(found.numpy(), models.run(model, {"x": x})[0], rtol=1e-5)

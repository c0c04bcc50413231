"""TopK with sorted=0: the order is ONNX Runtime's own, so sets are compared, and gradients refused behind it alone."""

import numpy as np
import onnx
import pytest

import onnxray
from onnxray.errors import MismatchError, NotDifferentiable
from onnxray.graph.reading import read_graph
from onnxray.graph.unordered import in_one_order, unordered
from onnxray.importer.ops.tensors.searching import TopK
from support import models

TEXT = """g (float[N,9] x) => (float[N,{k}] y, int64[N,{k}] i, float[N,5] z) {{
  logit = Tanh (x)
  y, i = TopK <axis = {axis}, sorted = {sort}> (logit, k)
  z = MatMul (logit, w)
}}"""
X = models.random(1, 4, 9)


def model_of(k: int = 4, sort: int = 0, axis: int = -1) -> onnx.ModelProto:
    weights = {"w": models.random(0, 9, 5), "k": np.array([k], np.int64)}
    return models.parse(TEXT.format(k=k, sort=sort, axis=axis), weights)


@pytest.mark.parametrize(("k", "axis"), [(2, -1), (4, 1), (7, -1)])
def test_values_before_it_have_their_gradients_and_the_file_is_verified(k: int, axis: int) -> None:
    opened = onnxray.open(model_of(k, axis=axis).SerializeToString())
    gradient = opened.pullback(X, {"logit": np.ones(9, np.float32)})
    np.testing.assert_allclose(gradient, 1 - np.tanh(X) ** 2, rtol=1e-4, atol=1e-6)
    assert opened.pullback(X, {"z": np.ones(5, np.float32)}).shape == X.shape
    assert opened.verify(X).agrees
    assert onnxray.to_torch(model_of(k, axis=axis)) is not None


@pytest.mark.parametrize("name", ["y"])
def test_what_it_gives_has_no_gradient_and_is_named(name: str) -> None:
    opened = onnxray.open(model_of().SerializeToString())
    with pytest.raises(NotDifferentiable, match=r"'y'.*'TopK_1'.*'logit'"):
        opened.pullback(X, {name: np.ones(4, np.float32)})


def test_so_has_what_is_computed_from_it() -> None:
    text = """g (float[N,9] x) => (float[N,2] out) {
      y, i = TopK <sorted = 0> (x, k)
      out = MatMul (y, w)
    }"""
    weights = {"k": np.array([4], np.int64), "w": models.random(0, 4, 2)}
    opened = onnxray.open(models.parse(text, weights).SerializeToString())
    assert set(unordered(opened.graph)) == {"y", "i", "out"}
    with pytest.raises(NotDifferentiable, match="'out' depends on the order"):
        opened.pullback(X, {"out": np.ones(2, np.float32)})
    assert opened.verify(X).agrees


@pytest.mark.parametrize(("k", "sort"), [(4, 1), (1, 0)])
def test_one_order_alone_keeps_its_gradient(k: int, sort: int) -> None:
    opened = onnxray.open(model_of(k, sort).SerializeToString())
    assert not unordered(opened.graph)
    assert opened.pullback(X, {"y": np.ones(k, np.float32)}).any()


def test_another_set_is_still_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The smallest instead of the largest."""
    own = TopK.forward

    def smallest(self: TopK, x: object, *rest: object) -> object:
        values, places = own(self, -x, *rest)  # type: ignore[operator]
        return -values, places

    monkeypatch.setattr(TopK, "forward", smallest)
    with pytest.raises(MismatchError, match="'y'"):
        onnxray.open(model_of().SerializeToString()).pullback(X, {"logit": np.ones(9, np.float32)})


def test_arrays_in_one_order() -> None:
    graph = read_graph(model_of())
    y = np.array([[3.0, 1, 2, 0]])
    np.testing.assert_array_equal(in_one_order(graph, "y", y), [[0, 1, 2, 3]])
    np.testing.assert_array_equal(in_one_order(graph, "z", y), y)

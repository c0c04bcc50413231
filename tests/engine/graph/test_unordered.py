"""TopK with sorted=0: the order is ONNX Runtime's own, and the twin takes it from there, gradients included."""

import numpy as np
import onnx
import pytest
import torch

import onnxray
from onnxray.engines.twin import Twin
from onnxray.errors import MismatchError, NotDifferentiable
from onnxray.graph.reading import read_graph
from onnxray.graph.unordered import in_one_order, unordered
from onnxray.importer.ops.tensors.searching import TopK
from onnxray.methods.saliency.gradient.gradient import Gradient
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


def picked(model: onnxray.Model, name: str = "i") -> np.ndarray:
    return np.asarray(model.values(X, [name])[name])


@pytest.mark.parametrize(("k", "axis"), [(2, -1), (4, 1), (7, -1)])
def test_each_number_has_the_gradient_of_the_place_that_onnx_runtime_picked(k: int, axis: int) -> None:
    """y_j = tanh(x[i_j]): dy_j/dx is 1 - y_j^2 there, and 0 elsewhere."""
    opened = onnxray.open(model_of(k, axis=axis))
    y, i = opened.values(X, ["y"])["y"], picked(opened)
    assert (np.diff(y, axis=1) > 0).any()  # no sorted ones
    np.testing.assert_allclose(opened.values(X, ["y"], "twin")["y"], y, rtol=1e-5)
    for j in range(k):
        found = opened.pullback(X, {"y": np.eye(k, dtype=np.float32)[j]})
        expected = np.zeros_like(X)
        np.put_along_axis(expected, i[:, j : j + 1], 1 - y[:, j : j + 1] ** 2, 1)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
        (item,) = Gradient()(opened, X[:1], f"y[{j}]").items
        np.testing.assert_array_equal(item.heat != 0, expected[0] != 0)


BEHIND = """g (float[N,9] x) => (float[N,2] out, float[N] total) {
  h = Tanh (x)
  y, i = TopK <sorted = 0> (h, k)
  u = Sub (one, h)
  v, j = TopK <sorted = 0> (u, k)
  s = Mul (y, v)
  a = MatMul (s, w)
  b = MatMul (h, r)
  out = Add (a, b)
  total = ReduceSum <keepdims = 0> (y, axes)
}"""
BEHIND_WEIGHTS = {
    "k": np.array([4], np.int64), "w": models.random(0, 4, 2), "r": models.random(1, 9, 2), "axes": np.int64([1]),
    "one": np.float32(1),
}  # fmt: skip


def by_hand(i: np.ndarray, j: np.ndarray, name: str, cotangent: np.ndarray) -> np.ndarray:
    x = torch.from_numpy(X).requires_grad_()
    h = torch.tanh(x)
    y, v = h.gather(1, torch.from_numpy(i)), (1 - h).gather(1, torch.from_numpy(j))
    weights = {name: torch.from_numpy(np.asarray(array)) for name, array in BEHIND_WEIGHTS.items()}
    out = {"out": (y * v) @ weights["w"] + h @ weights["r"], "total": y.sum(1)}[name]
    (found,) = torch.autograd.grad((out * torch.from_numpy(np.asarray(cotangent))).sum(), x)
    return found.numpy()


@pytest.mark.parametrize(("name", "cotangent"), [("out", np.float32([1, -2])), ("total", np.float32(1))])
def test_what_is_computed_from_several_has_its_gradient(name: str, cotangent: np.ndarray) -> None:
    """Also a sum, which no order changes; and a second such node behind the first one's values."""
    opened = onnxray.open(models.parse(BEHIND, BEHIND_WEIGHTS))
    assert {"y", "i", "v", "s", "out", "total"} < set(unordered(opened.graph))
    expected = by_hand(picked(opened), picked(opened, "j"), name, cotangent)
    np.testing.assert_allclose(opened.pullback(X, {name: cotangent}), expected, rtol=1e-4, atol=1e-6)
    assert opened.verify(X).agrees


def test_gradients_at_values_inside_are_of_the_same_order() -> None:
    opened = onnxray.open(models.parse(BEHIND, BEHIND_WEIGHTS))
    cotangent = np.float32([1, -2])
    at_h = opened.pullback(X, {"out": cotangent}, wrt="h")
    np.testing.assert_allclose(
        at_h * (1 - np.tanh(X) ** 2), opened.pullback(X, {"out": cotangent}), rtol=1e-4, atol=1e-6
    )
    at_y = opened.pullback(X, {"out": cotangent}, wrt="y")
    v = opened.values(X, ["v"])["v"]
    np.testing.assert_allclose(at_y, v * (BEHIND_WEIGHTS["w"] @ cotangent), rtol=1e-4)


def test_a_file_that_fixes_its_batch_goes_one_batch_after_the_other() -> None:
    opened, free = (onnxray.open(models.parse(BEHIND.replace("[N", size), BEHIND_WEIGHTS)) for size in ("[2", "[N"))
    expected = free.pullback(X, {"out": np.float32([1, -2])})
    np.testing.assert_allclose(opened.pullback(X, {"out": np.float32([1, -2])}), expected, rtol=1e-4, atol=1e-6)


def test_a_wrong_value_behind_it_is_found_before_the_first_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is computed from them is compared as it is."""
    opened = onnxray.open(models.parse(BEHIND, BEHIND_WEIGHTS))
    own = torch.take_along_dim
    monkeypatch.setattr(torch, "take_along_dim", lambda *arguments: own(*arguments) * 1.01)
    with pytest.raises(MismatchError, match="disagree on value 'out'"):
        opened.pullback(X, {"h": np.ones(9, np.float32)})


def test_a_module_that_asks_nobody_gives_the_set() -> None:
    """``to_torch`` is torch alone: what it gives is sorted, and compared as a set."""
    y, i, _ = onnxray.to_torch(model_of())(torch.from_numpy(X))
    np.testing.assert_allclose(y.detach().numpy(), -np.sort(-np.tanh(X), axis=1)[:, :4], rtol=1e-5)
    np.testing.assert_array_equal(i.numpy(), np.argsort(-X, axis=1)[:, :4])
    twin = Twin(read_graph(model_of()), lambda x: x)
    with pytest.raises(NotDifferentiable, match=r"'y'.*'TopK_1'.*'logit'"):
        twin.pullback({"x": X}, ["y"], lambda values, _: values)


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
        onnxray.to_torch(model_of())


def test_arrays_in_one_order() -> None:
    graph = read_graph(model_of())
    y = np.array([[3.0, 1, 2, 0]])
    np.testing.assert_array_equal(in_one_order(graph, "y", y), [[0, 1, 2, 3]])
    np.testing.assert_array_equal(in_one_order(graph, "z", y), y)

"""A batch that the inputs declare free, over a 1 baked into the graph: one sample at a time, found out by running."""

import numpy as np
import onnx
import pytest

import onnxray
from onnxray.engines.chunks import takes_one_alone
from onnxray.errors import RuntimeRefusal
from onnxray.graph.fixed_batch import fixed_batch_of
from onnxray.graph.reading import read_graph
from support import models

X = models.random(1, 3, 5, 10, 10)
HEAD = "a = Conv <pads = [1, 1, 1, 1]> (x, w) r = Tanh (a) p = GlobalAveragePool (r) f = Flatten (p)"
KINDS = {
    "sizes of a Resize": "z = Resize <mode = \"linear\"> (x, , , sizes) a = Conv <pads = [1, 1, 1, 1]> (z, w) "
    "r = Tanh (a) p = GlobalAveragePool (r) y = Flatten (p)",
    "class token": f"{HEAD} g = Concat <axis = 1> (f, token) y = MatMul (g, m)",
    "Squeeze": f"{HEAD} s = Squeeze (f, zero) y = Unsqueeze (s, zero)",
    "Gather": f"{HEAD} s = Gather <axis = 0> (f, first) y = Unsqueeze (s, zero)",
    "Slice": f"{HEAD} y = Slice (f, zero, one, zero)",
    "Split": f"{HEAD} y, rest = Split <axis = 0> (f2, halves)".replace(
        "f = Flatten (p)", "f = Flatten (p) f2 = Concat <axis = 0> (f, f)"
    ),
}  # fmt: skip
WEIGHTS = {
    "w": models.random(0, 6, 5, 3, 3), "token": models.random(2, 1, 4), "m": models.random(3, 10, 6),
    "sizes": np.array([1, 5, 8, 8], np.int64), "zero": np.array([0], np.int64),
    "one": np.array([1], np.int64), "first": np.array(0, np.int64), "halves": np.array([1, 1], np.int64),
}  # fmt: skip


def model_of(nodes: str) -> onnx.ModelProto:
    used = {name: array for name, array in WEIGHTS.items() if f" {name})" in nodes or f" {name}," in nodes
            or f"({name}," in nodes}  # fmt: skip
    return models.parse(f"g (float[N,5,10,10] x) => (float[N,K] y) {{ {nodes} }}", used)


@pytest.mark.parametrize("kind", KINDS)
def test_several_samples_give_what_each_gives_alone(kind: str) -> None:
    model = model_of(KINDS[kind])
    alone = np.concatenate([models.run(model, {"x": X[k : k + 1]})[0] for k in range(3)])
    opened = onnxray.open(model.SerializeToString())
    np.testing.assert_allclose(opened.values(X, ["y"])["y"], alone, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(opened.values(X, ["y"], "twin")["y"], alone, rtol=1e-4, atol=1e-5)
    assert fixed_batch_of(opened.graph) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_first_then_verification_and_a_module(kind: str) -> None:
    model = model_of(KINDS[kind])
    opened = onnxray.open(model.SerializeToString())
    ones = np.ones(opened.values(X[:1], ["y"])["y"].shape[1:], np.float32)
    gradient = opened.pullback(X, {"y": ones})
    each = np.concatenate([opened.pullback(X[k : k + 1], {"y": ones}) for k in range(3)])
    np.testing.assert_allclose(gradient, each, rtol=1e-3, atol=1e-6)
    assert onnxray.open(model.SerializeToString()).verify().agrees
    module = onnxray.to_torch(model.SerializeToString())
    import torch

    found = module(torch.from_numpy(X)).numpy()
    np.testing.assert_allclose(found, opened.values(X, ["y"])["y"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["class token", "Squeeze", "Gather"])
def test_a_check_that_is_remembered_remembers_the_batch(kind: str) -> None:
    model = model_of(KINDS[kind]).SerializeToString()
    ones = {"y": np.ones(6, np.float32)}
    first = onnxray.open(model).pullback(X, ones)
    again = onnxray.open(model)
    np.testing.assert_allclose(again.pullback(X, ones), first, rtol=1e-5, atol=1e-7)
    assert fixed_batch_of(again.graph) == 1


@pytest.mark.parametrize("kind", ["sizes of a Resize", "class token", "Squeeze", "Gather"])
def test_inspection_finds_it_before_anything_else_ran(kind: str) -> None:
    assert onnxray.open(model_of(KINDS[kind]).SerializeToString()).batch().file == 1


@pytest.mark.parametrize(
    "nodes",
    [
        HEAD.replace("f = ", "y = "),
        f"{HEAD} t = Transpose (f) y = MatMul (f, t)",
        f"{HEAD} e = Mul (f, f) y = ReduceMean <keepdims = 0> (e)",
    ],
)
def test_what_takes_several_stays_free(nodes: str) -> None:
    """Samples side by side, samples against samples, one number for all."""
    opened = onnxray.open(model_of(nodes).SerializeToString())
    np.testing.assert_allclose(opened.values(X, ["y"])["y"], models.run(model_of(nodes), {"x": X})[0], rtol=1e-5)
    assert fixed_batch_of(opened.graph) is None


def test_what_is_the_same_for_every_sample_stays_as_it_is() -> None:
    """Anchors: rows of their own, whatever is fed."""
    text = """g (float[N,3] x) => (float[N,3] y, float[5,K] anchors) {
      y = Tanh (x) h = Shape <start = 1> (x) e = Expand (v, h2) anchors = Mul (e, one)
      h2 = Concat <axis = 0> (five, h)
    }"""
    weights = {"v": np.ones((1, 1), np.float32), "five": np.array([5], np.int64), "one": np.ones(1, np.float32)}
    opened = onnxray.open(models.parse(text, weights).SerializeToString())
    found = opened.values(X[:, :3, 0, 0], ["y", "anchors"])
    assert found["anchors"].shape == (5, 3)
    assert found["y"].shape == (3, 3)
    assert fixed_batch_of(opened.graph) is None


def test_one_bad_sample_does_not_fix_the_batch() -> None:
    """The second sample's index is out of range: refused for what it is."""
    text = "g (int64[N,1] x) => (float[N,1,4] y) { y = Gather <axis = 0> (w, x) }"
    opened = onnxray.open(models.parse(text, {"w": models.random(0, 5, 4)}).SerializeToString())
    with pytest.raises(RuntimeRefusal):
        opened.values(np.array([[1], [9]]), ["y"])
    assert fixed_batch_of(opened.graph) is None
    assert opened.values(np.array([[1], [4]]), ["y"])["y"].shape == (2, 1, 4)


def test_the_rule_by_itself() -> None:
    """Two copies of the first are refused and it alone is not: fixed. It is refused as well: nothing is said."""
    graph = read_graph(models.parse("g (float[N,2] x) => (float[N,2] y) { y = Tanh (x) }"))
    x = {"x": models.random(0, 2, 2)}

    def one(part: object) -> list[np.ndarray]:
        array = part["x"]  # type: ignore[index]
        if len(array) != 1:
            raise RuntimeRefusal("one alone")
        return [array]

    def none(part: object) -> list[np.ndarray]:
        raise RuntimeRefusal("none at all")

    assert takes_one_alone(graph, x, ("y",), one, None)
    assert not takes_one_alone(graph, x, ("y",), none, None)
    assert not takes_one_alone(graph, {"x": x["x"][:1]}, ("y",), one, None)

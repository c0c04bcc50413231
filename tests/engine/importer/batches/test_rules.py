"""Backward rules on several of a file's own batches at once: the gradient of one batch after the other."""

import numpy as np
import pytest
import torch

import onnxray
from onnxray.engines.chunks import Batch
from onnxray.engines.twin import Twin
from onnxray.graph.fixed_batch import fixed_batch_of
from onnxray.graph.reading import read_graph
from onnxray.importer.backward_rules import REDIRECTED, BackwardRules
from onnxray.importer.batches.any_batch import FreeCuts
from onnxray.importer.batches.sample_axes import NotPlaced
from onnxray.importer.batches.ways import by_rewrite
from support import models

RULES = {
    "guided": BackwardRules("guided", frozenset({"Relu", "Clip"})),
    "deconvnet": BackwardRules("deconvnet", frozenset({"Relu", "Clip"})),
    "redirected": REDIRECTED,
}
TEXT = """
g (float[{batch},3,5,5] x) => (float[{batch},4] y) {{
  a = Conv (x, w)  r = Relu (a)  b = Conv (r, v)  c = Clip (b, low, high)  f = Flatten (c)  y = MatMul (f, u)
}}"""
TURNED = """
g (float[1,4,3] x) => (float[1,3,2] y) {
  t = Transpose <perm = [1, 0, 2]> (x)  r = Relu (t)  b = Transpose <perm = [1, 2, 0]> (r)  y = MatMul (b, u)
}"""


def convolutions(batch: int) -> onnxray.graph.facts.Graph:
    weights = {
        "w": models.random(0, 6, 3, 3, 3, scale=0.3), "v": models.random(1, 5, 6, 3, 3, scale=0.3),
        "u": models.random(2, 5, 4), "low": np.zeros((), np.float32), "high": np.full((), 0.5, np.float32),
    }  # fmt: skip
    return read_graph(models.parse(TEXT.format(batch=batch), weights))


def turned() -> onnxray.graph.facts.Graph:
    return read_graph(models.parse(TURNED, {"u": models.random(2, 4, 2)}))


def samples(*shape: int) -> np.ndarray:
    """Some of them open no rectifier at all."""
    x = models.random(5, *shape)
    x[::3] = -np.abs(x[::3])
    return x


def slope(twin: Twin, rules: BackwardRules, x: np.ndarray, name: str = "y") -> np.ndarray:
    variable = torch.from_numpy(x).requires_grad_()
    value = twin.differentiable((name,), rules=rules)(variable)[name]
    weights = torch.from_numpy(models.random(6, *value.shape))
    return torch.autograd.grad((value * weights).sum(), variable)[0].numpy()


def twin_of(graph: onnxray.graph.facts.Graph, way: str, fed: list[int] | None = None) -> Twin:
    """A twin whose samples go that way; ``fed``: how many of them are encoded at once, which is at each run."""

    def encode(x: torch.Tensor) -> torch.Tensor:
        if fed is not None:
            fed.append(len(x))
        return x

    return Twin(graph, encode, batch=None if way == "loop" else Batch(fixed_batch_of(graph), way, ""))  # type: ignore[arg-type]


@pytest.mark.parametrize("way", ["rewrite", "vmap"])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("batch", [1, 2])
def test_a_rule_is_the_same_for_all_batches_at_once(batch: int, rule: str, way: str) -> None:
    graph, x = convolutions(batch), samples(7, 3, 5, 5)  # with two a batch, the last is filled up
    fed: list[int] = []
    together = twin_of(graph, way, fed)
    found, expected = (slope(twin, RULES[rule], x) for twin in (together, twin_of(graph, "loop")))
    assert [count for count in fed if count > batch] == [7 + 7 % batch]  # beside it one batch, for the shapes
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    plain = slope(twin_of(graph, "loop"), BackwardRules(), x)
    assert np.abs(found - plain).max() > 0.1  # the rule is there
    cotangent = models.random(6, 7, 4)
    pulled = [
        twin.pullback({"x": x}, ("y",), lambda v, p: {"y": torch.from_numpy(cotangent[p])}, rules=RULES[rule])["x"]
        for twin in (twin_of(graph, way), twin_of(graph, "loop"))
    ]
    np.testing.assert_allclose(pulled[0], pulled[1], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(pulled[0], found, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("rule", RULES)
def test_rows_that_are_no_samples_are_told_apart_as_in_the_file(rule: str) -> None:
    graph, x = turned(), samples(4, 4, 3)
    x[1, 2] = -1.0  # a row along axis 0 that is dead in one sample alone
    twin = twin_of(graph, "rewrite")
    np.testing.assert_allclose(slope(twin, RULES[rule], x), slope(twin_of(graph, "loop"), RULES[rule], x), rtol=1e-5)
    inputs, cuts = (torch.from_numpy(x),), FreeCuts(twin.importer)
    if rule == "redirected":
        with pytest.raises(NotPlaced, match="tells samples apart on axis 0"):
            by_rewrite(cuts, ("y",), inputs, 1, RULES[rule])
    else:
        moved = by_rewrite(cuts, ("y",), inputs, 1, RULES[rule])
        np.testing.assert_allclose(moved[0].numpy(), twin_of(graph, "loop").values({"x": x}, ("y",))["y"], rtol=1e-5)

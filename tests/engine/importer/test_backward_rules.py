"""The rules' formulas, number by number: plain, guided, deconvnet and redirected, also under torch.vmap."""

from typing import Any

import numpy as np
import pytest
import torch

from onnxray.graph.reading import read_graph
from onnxray.importer.backward_rules import BackwardRules
from onnxray.importer.walk import Importer
from support import models

NODES = {
    "Relu": ("y = Relu (x)", lambda x: x.clamp(min=0)),
    "Clip": ("y = Clip (x, low, high)", lambda x: x.clamp(-0.5, 0.5)),
}
SHAPES = ((6,), (4, 5), (3, 4, 5), (3, 2, 4, 4))


def expected(rule: str, x: torch.Tensor, f: Any, g: torch.Tensor) -> torch.Tensor:
    through = f(x) == x
    if rule == "plain":
        return torch.where(through, g, 0)
    if rule == "guided":
        return torch.where(through, g.clamp(min=0), 0)
    if rule == "deconvnet":
        return g.clamp(min=0)
    found = torch.where(through, g, 0)
    back = ((f(x) > x) & (g < 0)) | ((f(x) < x) & (g > 0))
    for row in range(len(x) if x.ndim > 1 else 0):
        if not found[row].any():
            found[row] = torch.where(back[row], g[row], 0)
    return found


def inputs(shape: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """Of some samples nothing passes: all of it is raised, or all of it is lowered."""
    x, g = torch.from_numpy(models.random(0, *shape)), torch.from_numpy(models.random(1, *shape))
    if x.ndim > 1:
        x[0], x[1] = -x[0].abs() - 1, x[1].abs() + 1
    return x, g


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("operator", NODES)
@pytest.mark.parametrize("rule", ["plain", "guided", "deconvnet", "redirected"])
def test_the_gradient_passes_as_the_rule_says(rule: Any, operator: str, shape: tuple[int, ...]) -> None:
    node, f = NODES[operator]
    text = f"g (float{list(shape)} x) => (float{list(shape)} y) {{ {node} }}"
    weights = {"low": np.float32(-0.5), "high": np.float32(0.5)} if operator == "Clip" else {}
    rules = BackwardRules(rule, frozenset({operator}))
    module = Importer(read_graph(models.parse(text, weights))).cut(("y",), rules=rules)
    x, g = inputs(shape)
    x.requires_grad_()
    y = module(x)
    torch.testing.assert_close(y, f(x))
    (found,) = torch.autograd.grad(y, x, g)
    torch.testing.assert_close(found, expected(rule, x.detach(), f, g))
    several, cotangents = torch.stack([x.detach(), -x.detach()]), torch.stack([g, -g])
    pulled = torch.vmap(lambda one, c: torch.func.vjp(module, one)[1](c)[0])(several, cotangents)
    for k in (0, 1):
        torch.testing.assert_close(pulled[k], expected(rule, several[k], f, cotangents[k]))


def test_other_operators_and_domains_are_as_they_were() -> None:
    text = "g (float[4,5] x) => (float[4,5] y) { a = LeakyRelu <alpha = 0.5> (x)  y = Relu (a) }"
    graph = read_graph(models.parse(text))
    rules = BackwardRules("guided", frozenset({"LeakyRelu"}))
    assert [rules.changes(node) for node in graph.nodes] == [True, False]
    assert not any(BackwardRules("plain", frozenset({"Relu"})).changes(node) for node in graph.nodes)
    assert [BackwardRules(rule).by_row for rule in ("plain", "guided", "deconvnet", "redirected")] == [False] * 3 + [
        True
    ]  # type: ignore[arg-type]
    other = read_graph(models.parse("g (float[4,5] x) => (float[4,5] y) { y = com.microsoft.Relu (x) }"))
    assert not BackwardRules("guided").changes(other.nodes[0])

"""Networks that mask their gradients trip the tests that are made for it, and a plain one trips none."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import onnxray
from onnxray.assess.robustness.evaluation import RobustnessEvaluation
from support.paths import ROOT

LENET = ROOT / "models" / "onnxray_models" / "lenet"
DIGITS = [str(LENET / "samples" / f"{k}_0.png") for k in (1, 4, 6, 9)]


def masked(kind: str) -> Any:
    """The bundled LeNet, made hard to attack by gradients, not hard to flip."""
    proto = onnx.load(next(LENET.glob("*.onnx")))
    graph = proto.graph
    entry, end = graph.input[0].name, graph.output[0].name

    def number(name: str, value: float) -> str:
        graph.initializer.append(numpy_helper.from_array(np.array(value, np.float32), name))
        return name

    def behind(value: str, new: str, nodes: list[Any]) -> None:
        """Nodes between a value and all that read it."""
        for node in graph.node:
            for k, name in enumerate(node.input):
                if name == value:
                    node.input[k] = new
        for node in nodes:
            graph.node.append(node)

    if kind == "rounded":
        last = next(node for node in graph.node if end in node.output)
        logits = last.input[0] if last.op_type == "Softmax" else end
        source = f"{logits}_before"
        producer = next(node for node in graph.node if logits in node.output)
        producer.output[0] = source
        graph.node.append(helper.make_node("Round", [source], [logits]))
    elif kind == "saturated":
        last = next(node for node in graph.node if end in node.output)
        logits = last.input[0] if last.op_type == "Softmax" else end
        source = f"{logits}_before"
        producer = next(node for node in graph.node if logits in node.output)
        producer.output[0] = source
        graph.node.extend([
            helper.make_node("Mul", [source, number("gain", 300.0)], ["steep"]),
            helper.make_node("Sigmoid", ["steep"], ["step"]),
            helper.make_node("Mul", ["step", number("back", 10.0)], [logits]),
        ])  # fmt: skip
    elif kind == "quantised input":
        behind(entry, "coarse", [
            helper.make_node("Mul", [entry, number("levels", 16.0)], ["many"]),
            helper.make_node("Floor", ["many"], ["whole"]),
            helper.make_node("Div", ["whole", "levels"], ["coarse"]),
        ])  # fmt: skip
    sorted_nodes = _sorted(list(graph.node), {entry, *(one.name for one in graph.initializer)})
    del graph.node[:]
    graph.node.extend(sorted_nodes)
    onnx.checker.check_model(proto)
    return onnxray.open(proto.SerializeToString(), "lenet")


def _sorted(nodes: list[Any], known: set[str]) -> list[Any]:
    found = []
    while nodes:
        ready = next(node for node in nodes if all(name in known or not name for name in node.input))
        nodes.remove(ready)
        found.append(ready)
        known |= set(ready.output)
    return found


def warnings(model: Any, **more: Any) -> dict[str, Any]:
    options = {"norm": "linf", "eps": "8,32", "trust_images": 2, "attacks": "pgd", **more}
    result = RobustnessEvaluation(**options)(model, DIGITS)
    tests = {test["name"]: test for test in result.extra["robustness"]["trust"]}
    assert all(test["of"] and (test["number"] is not None or test["reason"]) for test in tests.values())
    return {name: test for name, test in tests.items() if test["verdict"] == "WARN"}


def test_a_plain_network_trips_none() -> None:
    assert warnings(masked("plain")) == {}


@pytest.mark.parametrize(
    ("kind", "tripped"),
    [
        ("rounded", {"step functions", "rounded outputs"}),
        ("saturated", {"gradients", "rounded outputs"}),
        ("quantised input", {"step functions"}),
    ],
)
def test_a_masked_network_trips_what_is_made_for_it(kind: str, tripped: set[str]) -> None:
    found = warnings(masked(kind), attacks="pgd" if kind == "saturated" else "noise")
    assert tripped <= set(found)

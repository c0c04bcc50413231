"""Networks that mask their gradients trip the tests that are made for it, and a plain one trips none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from typer.testing import CliRunner

import onnxray
from onnxray.assess.robustness.evaluation import RobustnessEvaluation
from onnxray.cli.app import app
from support.paths import ROOT

LENET = ROOT / "models" / "onnxray_models" / "lenet"
DIGITS = [str(LENET / "samples" / f"{k}_0.png") for k in (1, 4, 6, 9)]


def masked(kind: str) -> Any:
    """The same, opened."""
    return onnxray.open(masked_proto(kind).SerializeToString(), "lenet")


def masked_proto(kind: str) -> Any:
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
    elif kind.endswith("input"):
        count = {"quantised input": 16.0, "four bits, input": 15.0, "eight bits, input": 255.0}[kind]
        behind(entry, "coarse", [
            helper.make_node("Mul", [entry, number("levels", count)], ["many"]),
            helper.make_node("Floor" if kind == "quantised input" else "Round", ["many"], ["whole"]),
            helper.make_node("Div", ["whole", "levels"], ["coarse"]),
        ])  # fmt: skip
    sorted_nodes = _sorted(list(graph.node), {entry, *(one.name for one in graph.initializer)})
    del graph.node[:]
    graph.node.extend(sorted_nodes)
    onnx.checker.check_model(proto)
    return proto


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
        ("rounded", {"rounded outputs"}),
        ("saturated", {"gradients", "rounded outputs"}),
        ("quantised input", {"step functions"}),
        ("four bits, input", {"step functions"}),
    ],
)
def test_a_masked_network_trips_what_is_made_for_it(kind: str, tripped: set[str]) -> None:
    found = warnings(masked(kind), attacks="pgd" if kind == "saturated" else "noise")
    assert tripped <= set(found)


def test_rounding_as_quantised_files_do_is_a_note_and_no_warning() -> None:
    model = masked("eight bits, input")
    result = RobustnessEvaluation(eps="8,32", trust_images=4, attacks="noise")(model, DIGITS)
    (test,) = (test for test in result.extra["robustness"]["trust"] if test["name"] == "step functions")
    assert (test["number"], test["verdict"]) == (0, "PASS")
    assert test["reason"].startswith("at 1 that round finely")


@pytest.mark.parametrize("kind", ["plain", "rounded", "saturated", "quantised input"])
def test_the_command_shows_them(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "masked.onnx"
    path.write_bytes(masked_proto(kind).SerializeToString())
    done = CliRunner().invoke(app, [
        "attack", "evaluate", str(path), *DIGITS[:2], "--profile", "lenet", "--eps", "8", "--attacks", "fgsm",
        "--trust-images", "2", "-o", str(tmp_path / "run"),
    ])  # fmt: skip
    assert done.exit_code == 0, done.output
    tests = json.loads((tmp_path / "run" / "result.json").read_text())["robustness"]["trust"]
    warned = [test["name"] for test in tests if test["verdict"] == "WARN"]
    assert bool(warned) == (kind != "plain")
    assert ("WARN" in done.output) == bool(warned)
    for name in warned:
        assert name in " ".join(done.output.split())

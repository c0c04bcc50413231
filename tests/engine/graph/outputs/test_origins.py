"""Walks back from a value are bounded, whatever a file holds."""

from __future__ import annotations

import time

from onnxray.graph.outputs import boxes
from onnxray.graph.outputs.origins import behind, nodes_before
from onnxray.graph.outputs.output_kinds import outputs_of
from onnxray.graph.reading import read_graph
from support import models


def chain(length: int, outputs: int) -> str:
    nodes = " ".join(f"v{k + 1} = Sin (v{k})" for k in range(length))
    ends = " ".join(f"y{k} = Softmax (v{length - k})" for k in range(outputs))
    names = ", ".join(f"float[N,3,5] y{k}" for k in range(outputs))
    return f"g (float[N,3,5] v0) => ({names}) {{ {nodes} {ends} }}"


def test_the_last_comes_first_and_none_before_what_is_given() -> None:
    graph = read_graph(models.parse(chain(5, 1)))
    assert [node.outputs[0] for node in nodes_before(graph, "y0")] == ["y0", "v5", "v4", "v3", "v2", "v1"]
    assert [node.outputs[0] for node in nodes_before(graph, "y0", given="v3")] == ["y0", "v5", "v4"]
    found = behind(graph, "y0", lambda node: node.operator == "Sin")
    assert found is not None
    assert found.outputs == ("v5",)


def test_many_outputs_of_a_long_graph_take_no_time() -> None:
    graph = read_graph(models.parse(chain(10_000, 100)))
    start = time.process_time()
    found = outputs_of(graph)
    assert time.process_time() - start < 15
    assert [one.kind for one in found[: boxes.MOST_OUTPUTS]] == ["sequence"] * boxes.MOST_OUTPUTS
    assert found[-1].grounds == "not looked at: the file has 100 outputs"

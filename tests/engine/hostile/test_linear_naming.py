"""What a graph is read for at open and inspect takes time linear in its nodes, and its names as long as they like."""

import gc
import importlib
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

import onnxray
from onnxray.cli.app import app
from onnxray.errors import UnknownValue
from onnxray.graph.classifier.output import aliases_of, logits_of
from onnxray.graph.depths import depths
from onnxray.graph.facts import Graph
from onnxray.graph.fixed_batch import fixed_batch_of
from onnxray.graph.reading import read_graph
from onnxray.graph.receptive_field import local_field
from onnxray.graph.value_names import LONGEST_PATTERN, resolve, resolve_values
from onnxray.graph.value_shapes import live_bytes
from onnxray.graph.weight_layers import layer_weights, weight_layers

Node = onnx.helper.make_node


def built(nodes: list[onnx.NodeProto], outputs: tuple[str, ...], **weights: np.ndarray) -> Graph:
    graph = onnx.helper.make_graph(
        nodes, "g", [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", 1, 8, 8])],
        [onnx.ValueInfoProto(name=name) for name in outputs],
        [onnx.numpy_helper.from_array(array, name) for name, array in weights.items()],
    )  # fmt: skip
    return read_graph(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8))


def chain(count: int) -> Graph:
    nodes = [Node("Conv", [f"v{k - 1}" if k else "x", "k"], [f"v{k}"]) for k in range(count)]
    return built(nodes, (f"v{count - 1}",), k=np.ones((1, 1, 1, 1), np.float32))


def fan(count: int) -> Graph:
    nodes = [Node("Relu", ["x"], [f"v{k}"]) for k in range(count)]
    return built([*nodes, Node("Sum", [f"v{k}" for k in range(count)], ["y"])], ("y",))


def residual(count: int) -> Graph:
    nodes = []
    for k in range(count // 2):
        before = f"v{k - 1}" if k else "x"
        nodes += [Node("Conv", [before, "k"], [f"c{k}"]), Node("Add", [before, f"c{k}"], [f"v{k}"])]
    return built(nodes, (f"v{count // 2 - 1}",), k=np.ones((1, 1, 1, 1), np.float32))


def open_identities(count: int) -> Graph:
    """Every value of a chain is an output: each has the same way back."""
    nodes = [Node("Identity", [f"v{k - 1}" if k else "x"], [f"v{k}"]) for k in range(count)]
    return built(nodes, tuple(f"v{k}" for k in range(count)))


def shared_weight(count: int) -> Graph:
    """A weight that comes through half of all nodes, and is read by the others."""
    half = count // 2
    nodes = [Node("Identity", [f"w{k - 1}" if k else "w"], [f"w{k}"]) for k in range(half)]
    nodes += [Node("MatMul", [f"v{k - 1}" if k else "x", f"w{half - 1}"], [f"v{k}"]) for k in range(half)]
    return built(nodes, (f"v{half - 1}",), w=np.eye(8, dtype=np.float32))


def shapes_of(graph: Graph) -> dict[str, tuple[int, ...]]:
    return dict.fromkeys(graph.values, (1, 1, 8, 8))


QUESTIONS: dict[str, Callable[[Graph], Any]] = {
    "aliases": lambda graph: aliases_of(graph),
    "logits": logits_of,
    "batch": lambda graph: fixed_batch_of(graph),
    "depths": lambda graph: depths(graph, graph.outputs[-1].name, 8),
    "layers": weight_layers,
    "weights": layer_weights,
    "live bytes": lambda graph: live_bytes(graph, shapes_of(graph), [graph.outputs[-1].name]),
    "field": lambda graph: local_field(graph, "x", [graph.outputs[-1].name], shapes_of(graph), {}),
    "names": lambda graph: [_refused(graph, text) for text in ("nowhere", "v1x", "v/v0", "V1")],
    "patterns": lambda graph: resolve_values(graph, ("*v*", "v?"), aliases_of(graph)),
}
SIZES = (150, 1200)


def _refused(graph: Graph, text: str) -> str:
    with pytest.raises(UnknownValue) as caught:
        resolve(graph, text, aliases_of(graph))
    return str(caught.value)


@pytest.mark.parametrize("build", [chain, fan, residual, open_identities, shared_weight])
def test_eight_times_the_nodes_take_about_eight_times_as_long(build: Callable[[int], Graph]) -> None:
    small, large = (build(size) for size in SIZES)
    for name, ask in QUESTIONS.items():
        seconds = []
        for graph in (small, large):
            gc.collect()
            gc.disable()  # a collection of what other tests left takes longer than a question
            started = time.process_time()
            ask(graph)
            seconds.append(time.process_time() - started)
            gc.enable()
        assert seconds[1] < 14 * seconds[0] + 0.15, (name, seconds)


@pytest.mark.slow
@pytest.mark.parametrize("build", [chain, fan, residual, open_identities, shared_weight])
def test_a_hundred_thousand_nodes(build: Callable[[int], Graph]) -> None:
    started = time.process_time()
    graph = build(100_000)
    for ask in QUESTIONS.values():
        ask(graph)
    assert time.process_time() - started < 120


def test_depths_of_branches_and_waists() -> None:
    graph = residual(12)
    assert depths(graph, "v5", 3) == ("c0", "v2", "v5")  # x is no value of a node, so c0 stands alone
    assert depths(fan(5), "y", 3) == ()
    assert depths(chain(3), "v2", 9) == ("v0", "v1", "v2")


def named(*names: str) -> Any:
    """A graph of values, for what reads names alone."""
    return SimpleNamespace(values=dict.fromkeys(names), nodes=(), path=None)


def test_near_misses_are_found_among_many_names() -> None:
    graph = named(*(f"/layer{k % 7}/block{k}/Relu_output_0" for k in range(50_000)), "/head/classifier/Gemm_output_0")
    started = time.process_time()
    with pytest.raises(UnknownValue) as caught:
        resolve(graph, "/head/clasifier/Gem_output_0", {})
    assert "nearest: '/head/classifier/Gemm_output_0'" in str(caught.value)
    assert time.process_time() - started < 10


def test_names_of_any_length_are_shown_cut() -> None:
    long = "a" * 10**6
    graph = named(long + "/b", long + "/c/b", "__1" * 10**5, "_output_1" * 10**5 + "x", ":" * 10**5)
    for text in ("b", long, "x" * 10**6, "a" * 199, "a:" + "9" * 10**5):
        started = time.process_time()
        with pytest.raises(UnknownValue) as caught:
            resolve(graph, text, {})
        assert len(str(caught.value)) < 1000
        assert time.process_time() - started < 5
    for pattern in ("*a*a*a*a*a*a*a*a*a*a*z", "*[ab]*[ab]*[ab]*[ab]*z", "?" * 900 + "*?*?*?*z"):
        started = time.process_time()
        with pytest.raises(UnknownValue, match="no value matches the pattern"):
            resolve_values(graph, (pattern,), {})
        assert time.process_time() - started < 5
    with pytest.raises(UnknownValue, match="a pattern of 1001 characters"):
        resolve_values(graph, ("*" * (LONGEST_PATTERN + 1),), {})


def test_a_long_shape_is_read_no_further_than_a_shape_is_long() -> None:
    numbers = np.ones(10**6, np.int64)
    nodes = [Node("Reshape", ["x", "s"], [f"v{k}"]) for k in range(300)]
    graph = built(nodes, ("v299",), s=numbers)
    started = time.process_time()
    assert fixed_batch_of(graph) is None
    assert time.process_time() - started < 0.5


def test_entries_of_open_are_linear() -> None:
    def seconds(count: int) -> float:
        data = chain(count).proto.SerializeToString()
        started = time.process_time()
        onnxray.open(data)
        return time.process_time() - started

    assert seconds(4000) < 14 * seconds(500) + 0.3


def test_tables_are_bounded_and_say_what_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [Node("Relu", [f"v{k - 1}" if k else "x"], [f"v{k}"], name="n" * 10**5) for k in range(20)]
    path = tmp_path / "m.onnx"
    path.write_bytes(built(nodes, ("v19",)).proto.SerializeToString())
    monkeypatch.setattr(importlib.import_module("onnxray.cli.commands.inspect"), "MOST_ROWS", 5)
    result = CliRunner().invoke(app, ["inspect", str(path), "--values"])
    assert result.exit_code == 0
    assert "16 more are left out here: onnxray inspect " in result.stdout
    assert len(result.stdout) < 20_000

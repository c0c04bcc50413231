"""Opening takes time in proportion to the file: ratios of sizes, by the processor's own clock."""

import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import onnx
import pytest
from onnx import helper

from onnxray.errors import ModelFileError
from onnxray.graph.classifier.output import aliases_of
from onnxray.graph.file import shape_inference as inference
from onnxray.graph.file.checks import DEEPEST_CALLS, LARGEST_INLINED, check_functions
from onnxray.graph.fixed_batch import fixed_batch_of
from onnxray.graph.reading import body_of, read_graph
from support import models

node = helper.make_node


def model_of(
    nodes: list[onnx.NodeProto], functions: list[onnx.FunctionProto] | None = None, **more: object
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", 1, ["N", 4])], [onnx.ValueInfoProto(name="y")], **more
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    return helper.make_model(graph, opset_imports=opsets, functions=functions or [], ir_version=8)


def names(count: int) -> list[str]:
    return ["x", *(f"v{k}" for k in range(count - 1)), "y"]


def chain(count: int, operator: str = "Relu") -> onnx.ModelProto:
    through = names(count)
    return model_of([node(operator, [a], [b]) for a, b in pairwise(through)])


def fan(count: int) -> onnx.ModelProto:
    leaves = [f"v{k}" for k in range(count)]
    return model_of([*(node("Relu", ["x"], [leaf]) for leaf in leaves), node("Sum", leaves, ["y"])])


def weights(count: int) -> onnx.ModelProto:
    through = names(count)
    made = [onnx.numpy_helper.from_array(np.ones(4, np.float32), f"w{k}") for k in range(count)]
    return model_of([node("Add", [a, f"w{k}"], [b]) for k, (a, b) in enumerate(pairwise(through))], initializer=made)


def stated(count: int) -> onnx.ModelProto:
    model = chain(count)
    model.graph.value_info.extend(helper.make_tensor_value_info(f"v{k}", 1, ["N", 4]) for k in range(count - 1))
    return model


def outputs_of_one_chain(count: int) -> onnx.ModelProto:
    """Every output of a chain that changes no values: each is followed back to where it comes from."""
    model = chain(count, "Identity")
    model.graph.output.extend(onnx.ValueInfoProto(name=f"v{k}") for k in range(count - 1))
    return model


def reader_of_all(count: int) -> onnx.ModelProto:
    """A subgraph that reads every value before it, all of which the file states."""
    leaves = [f"v{k}" for k in range(count)]
    then = helper.make_graph([node("Sum", leaves, ["p"])], "a", [], [onnx.ValueInfoProto(name="p")])
    other = helper.make_graph([node("Relu", ["x"], ["q"])], "b", [], [onnx.ValueInfoProto(name="q")])
    model = model_of([node("Relu", ["x"], [leaf]) for leaf in leaves])
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(True), "c"))
    model.graph.node.append(node("If", ["c"], ["y"], then_branch=then, else_branch=other))
    return model


def own(name: str, calls: list[str]) -> onnx.FunctionProto:
    nodes = [node(called, ["v"], [f"u{k}"], domain="own") for k, called in enumerate(calls)]
    return helper.make_function(
        "own", name, ["v"], ["w"], [*nodes, node("Relu", ["v"], ["w"])], [helper.make_opsetid("", 17)]
    )


def function_of_functions(count: int) -> onnx.ModelProto:
    called = [f"f{k}" for k in range(count)]
    return model_of([node("top", ["x"], ["y"], domain="own")], [own("top", called), *(own(c, []) for c in called)])


def calls_in_turn(count: int) -> onnx.ModelProto:
    through = names(count)
    calls = [node("f", [a], [b], domain="own") for a, b in pairwise(through)]
    return model_of(calls, [own("f", [])])


def chained_functions(count: int) -> onnx.ModelProto:
    made = [own(f"f{k}", [f"f{k + 1}"]) for k in range(count - 1)]
    return model_of([node("f0", ["x"], ["y"], domain="own")], [*made, own(f"f{count - 1}", [])])


def opened(model: onnx.ModelProto) -> None:
    graph = read_graph(model)
    assert aliases_of(graph)
    assert fixed_batch_of(graph) is None
    for proto in (one.proto for one in graph.nodes if one.operator == "If"):
        body_of(graph, proto.attribute[0].g)


def seconds(work: Callable[[onnx.ModelProto], None], model: onnx.ModelProto) -> float:
    start = time.process_time()
    work(model)
    return time.process_time() - start


LINEAR: list[tuple[Callable[[int], onnx.ModelProto], int]] = [
    (chain, 500), (fan, 500), (weights, 400), (stated, 400), (outputs_of_one_chain, 400), (reader_of_all, 400),
    (function_of_functions, 300), (calls_in_turn, 400),
]  # fmt: skip


def assert_linear(work: Callable[[onnx.ModelProto], None], make: Callable[[int], onnx.ModelProto], count: int) -> None:
    """Eight times the file takes at most sixteen times the time: 64 where it grows with the square."""
    small, large = make(count), make(8 * count)
    work(small)
    ratios = []
    for _ in range(4):
        ratios.append(seconds(work, large) / max(seconds(work, small), 1e-4))
        if ratios[-1] < 16:
            return
    raise AssertionError(f"8 times the file took {ratios} times the time")


@pytest.mark.parametrize(("make", "count"), LINEAR)
def test_opening_is_linear(make: Callable[[int], onnx.ModelProto], count: int) -> None:
    assert_linear(opened, make, count)


@pytest.mark.parametrize(("make", "count"), [(function_of_functions, 500), (calls_in_turn, 2000)])
def test_functions_are_looked_through_once(make: Callable[[int], onnx.ModelProto], count: int) -> None:
    assert_linear(check_functions, make, count)


def refused(model: onnx.ModelProto) -> None:
    with pytest.raises(ModelFileError, match=f"deep, {DEEPEST_CALLS} are the most"):
        check_functions(model)


def test_a_chain_of_functions_is_refused_in_linear_time() -> None:
    assert_linear(refused, chained_functions, 500)


@pytest.mark.parametrize("count", [DEEPEST_CALLS - 1, DEEPEST_CALLS])
def test_the_deepest_chain_of_functions(count: int) -> None:
    assert len(read_graph(chained_functions(count)).nodes) == count
    with pytest.raises(ModelFileError, match=f"{DEEPEST_CALLS + 1} deep"):
        read_graph(chained_functions(DEEPEST_CALLS + 1))


def test_functions_that_double_are_counted_and_not_written_out() -> None:
    made = [own(f"f{k}", [f"f{k + 1}"] * 2) for k in range(80)]
    model = model_of([node("f0", ["x"], ["y"], domain="own")], [*made, own("f80", [])])
    with pytest.raises(ModelFileError, match=f"{LARGEST_INLINED:,} are the most"):
        read_graph(model)


@pytest.mark.parametrize("ring", [["f0"], ["f1", "f0"], ["f1", "f2", "f0"]])
def test_functions_that_call_themselves(ring: list[str]) -> None:
    made = [own(f"f{k}", [called]) for k, called in enumerate(ring)]
    with pytest.raises(ModelFileError, match="calls itself"):
        read_graph(model_of([node("f0", ["x"], ["y"], domain="own")], made))


def test_two_paths_to_one_function_are_no_ring() -> None:
    made = [own("a", ["b", "c", "b"]), own("b", ["c"]), own("c", [])]
    assert len(read_graph(model_of([node("a", ["x"], ["y"], domain="own")], made)).nodes) == 6


def test_many_subgraphs_are_not_inferred(monkeypatch: pytest.MonkeyPatch) -> None:
    """onnx copies all that it knows for each subgraph: beyond a limit shapes are those that the file states."""
    model = models.parse("""g (float[2,3] x) => (float[2,3] y) {
      t = Relu (x)
      y = If (c) <then_branch = a () => (p) { p = Relu (t) }, else_branch = b () => (q) { q = Neg (t) }>
    }""", {"c": np.array(True)})  # fmt: skip
    assert read_graph(model).values["t"].shape == (2, 3)
    monkeypatch.setattr(inference, "MOST_IN_BODIES", 7)
    assert read_graph(model).values["t"].shape is None
    monkeypatch.setattr(inference, "MOST_IN_BODIES", 8)
    assert read_graph(model).values["t"].shape == (2, 3)


def test_two_of_many_weights_with_one_name() -> None:
    model = weights(3000)
    model.graph.initializer[-1].name = "w2998"
    with pytest.raises(ModelFileError, match="two initialisers called 'w2998'"):
        read_graph(model)
    first = models.parse("g (float[N] x) => (float[N] y) { y = Relu (x) }", {"a": np.ones(3), "b": np.ones(3)})
    first.graph.initializer[0].name = "b"
    with pytest.raises(ModelFileError, match="two initialisers called 'b'"):
        read_graph(first)

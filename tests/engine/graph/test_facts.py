"""Facts of a graph: values in order, their shapes and types, what reaches what, and cuts."""

import numpy as np
import onnx
import pytest

from onnxray.graph.classifier.output import aliases_of
from onnxray.graph.reading import read_graph
from support import models


def test_values_are_the_inputs_and_what_nodes_compute_in_order(lenet: onnx.ModelProto) -> None:
    graph = read_graph(lenet)
    assert tuple(graph.values) == models.LENET_VALUES
    assert [value.kind for value in graph.values.values()] == ["input"] + ["node"] * 10
    conv = graph.values["conv1"]
    assert (conv.shape, conv.dtype, conv.node, conv.operator) == (("N", 4, 12, 12), "float32", "first", "Conv")
    assert graph.values["relu2"].node == "Relu_4"  # an unnamed node is called by its operator and place
    assert graph.opsets == {"ai.onnx": 17}
    assert graph.parameters == sum(array.size for array in models.lenet_weights().values())


def test_weights_that_are_listed_as_inputs_are_no_inputs() -> None:
    """IR 3: every initialiser is also a graph input."""
    model = models.parse(
        "g (float[N,3] x, float[3,2] w) => (float[N,2] y) { y = MatMul (x, w) }",
        {"w": models.random(0, 3, 2)},
        opset=8,
        ir=3,
    )
    graph = read_graph(model)
    assert [value.name for value in graph.inputs] == ["x"]
    assert "w" not in graph.values
    assert "w" not in graph.depends_on_input


@pytest.mark.parametrize("free", [-1, 0])
def test_free_dimensions_written_as_numbers(free: int) -> None:
    model = models.parse("g (float[N,3] x) => (float[N,3] y) { y = Relu (x) }")
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = free
    assert read_graph(model).inputs[0].shape == (None, 3)


def test_unknown_rank_and_scalar_differ() -> None:
    graph = read_graph(models.parse("g (float[] x, float s) => (float[] y) { y = Add (x, s) }"))
    assert [value.shape for value in graph.inputs] == [None, ()]


def test_what_needs_what_includes_captures_of_subgraphs() -> None:
    model = models.parse(
        """g (float[N] x, float[N] other, bool c) => (float[N] y) {
          a = Relu (x)
          b = Neg (other)
          y = If (c) <then_branch = t () => (float[N] p) { p = Relu (a) },
                      else_branch = e () => (float[N] q) { inner = Neg (w) q = Add (inner, x) }>
        }""",
        {"w": models.random(0, 1)},
    )
    graph = read_graph(model)
    assert graph.nodes[-1].captures == ("a", "w", "x")
    assert [node.outputs[0] for node in graph.needed_for(["y"])] == ["a", "y"]
    assert {"y", "a", "b"} <= graph.depends_on_input
    cut = graph.cut(["y"])
    assert [info.name for info in cut.graph.input] == ["x", "c"]
    x = np.float32([1, -2])
    for condition in (True, False):
        feeds = {"x": x, "c": np.array(condition)}
        np.testing.assert_array_equal(models.run(cut, feeds), models.run(model, feeds | {"other": x}))


def test_local_functions_are_inlined_and_outer_names_survive() -> None:
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["": 17, "own": 1]>
        g (float[N,2] x) => (float[N,2] y) { t = own.twice (x) y = Relu (t) }
        <opset_import: ["": 17], domain: "own"> twice (v) => (w) { w = Add (v, v) }"""
    )
    graph = read_graph(model)
    assert {"x", "t", "y"} <= set(graph.values)
    assert {node.operator for node in graph.nodes} == {"Add", "Relu"}


def test_a_cut_computes_nothing_else(lenet: onnx.ModelProto) -> None:
    graph = read_graph(lenet)
    cut = graph.cut(["relu1", "pool1"])
    assert [node.output[0] for node in cut.graph.node] == ["conv1", "relu1", "pool1"]
    assert {tensor.name for tensor in cut.graph.initializer} == {"w1", "b1"}
    assert [info.name for info in cut.graph.output] == ["relu1", "pool1"]
    feeds = {"x": models.random(0, 2, 1, 14, 14)}
    for got, expected in zip(models.run(cut, feeds), models.run(lenet, feeds, ["relu1", "pool1"])):
        np.testing.assert_array_equal(got, expected)


def test_reading_the_facts_reads_no_weights(lenet: onnx.ModelProto) -> None:
    graph = read_graph(lenet)
    assert set(graph.container.regions) == {"w2", "w3"}
    assert graph.proto.ByteSize() < 3000
    assert aliases_of(graph) == {"logits": "ip2", "features": "ip1", "last-conv": "conv2"}


def test_constants_are_values_of_their_own_kind() -> None:
    graph = read_graph(
        models.parse("g (float[N,2] x) => (float[N,2] y) { c = Constant <value_float = 2.0> () y = Mul (x, c) }")
    )
    assert graph.values["c"].kind == "constant"
    assert "c" not in graph.depends_on_input


def test_opset_of_the_standard_domain_by_either_name() -> None:
    model = models.parse("g (float[N] x) => (float[N] y) { y = Relu (x) }")
    model.opset_import[0].domain = "ai.onnx"
    model.graph.node[0].domain = "ai.onnx"
    graph = read_graph(model)
    assert graph.opsets == {"ai.onnx": 17}
    assert graph.nodes[0].domain == ""

"""Every tensor that a file holds beside its weights, wherever a message may put one."""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from onnxray.graph.file.tensors import inner_tensors
from support import models


def tensor(name: str) -> onnx.TensorProto:
    return numpy_helper.from_array(np.float32([1, 2]), name)


def sparse(name: str) -> onnx.SparseTensorProto:
    return helper.make_sparse_tensor(
        tensor(f"{name} values"), numpy_helper.from_array(np.int64([0, 3]), f"{name} indices"), [9]
    )


def test_tensors_of_attributes_subgraphs_functions_and_sparse_ones() -> None:
    model = models.parse("g (float[2] x) => (float[2] y) { [outer] y = Neg (x) }", {"weight": np.float32([1])})
    model.graph.sparse_initializer.append(sparse("graph"))
    inner = helper.make_graph(
        [helper.make_node("Constant", [], ["c"], name="inner", value=tensor("one"))], "body", [], []
    )
    inner.initializer.append(tensor("held"))
    inner.sparse_initializer.append(sparse("body"))
    node = model.graph.node[0]
    for name, value in (
        ("t", tensor("single")), ("ts", [tensor("first"), tensor("second")]), ("s", sparse("own")),
        ("ss", [sparse("third"), sparse("fourth")]), ("g", inner), ("gs", [inner, inner]),
    ):  # fmt: skip
        node.attribute.append(helper.make_attribute(name, value))
    function = helper.make_function(
        "here", "F", ["a"], ["b"], [helper.make_node("Constant", [], ["b"], value=tensor("of a function"))], []
    )
    function.attribute_proto.append(helper.make_attribute("default", tensor("by default")))
    model.functions.append(function)
    found = [(described, one.name) for described, one in inner_tensors(model)]
    bodies = [
        ("weight 'held' of node 'outer'", "held"), ("sparse weight 'body values'", "body values"), ("sparse weight 'body values'", "body indices"),
        ("constant 'value' of node 'inner'", "one"),
    ] * 3  # fmt: skip
    assert sorted(found) == sorted(
        [
            ("sparse weight 'graph values'", "graph values"), ("sparse weight 'graph values'", "graph indices"),
            ("constant 't' of node 'outer'", "single"), ("constant 'ts' of node 'outer'", "first"),
            ("constant 'ts' of node 'outer'", "second"), ("constant 's' of node 'outer'", "own values"),
            ("constant 's' of node 'outer'", "own indices"), ("constant 'ss' of node 'outer'", "third values"),
            ("constant 'ss' of node 'outer'", "third indices"), ("constant 'ss' of node 'outer'", "fourth values"),
            ("constant 'ss' of node 'outer'", "fourth indices"), *bodies,
            ("constant 'value' of node 'Constant'", "of a function"), ("constant 'default' of the function 'F'", "by default"),
        ]
    )  # fmt: skip

"""What differs between two files: numbers of weights, and everything else."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from onnxray.graph.differences.files import Differences, differences
from onnxray.graph.reading import read_graph
from support import models

R = models.random


def found(change: Callable[[onnx.ModelProto], object]) -> Differences:
    old, new = network(), network()
    change(new)
    return differences(read_graph(old), read_graph(new))


def network() -> onnx.ModelProto:
    model = models.parse(
        """g (float[N,1,4,4] x) => (float[N,3] y) {
          c = Conv <kernel_shape = [3, 3]> (x, w) r = Relu (c) f = Reshape (r, shape)
          m = Constant <value = float[8,3] {NUMBERS}> () h = MatMul (f, m) y = Add (h, b)
        }""".replace("NUMBERS", ", ".join(map(str, range(24)))),
        {"w": R(0, 2, 1, 3, 3), "b": R(1, 3), "shape": np.int64([0, -1])},
    )
    model.metadata_props.add(key="who", value="me")
    return model


def put(name: str, array: np.ndarray) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        tensor = next(one for one in model.graph.initializer if one.name == name)
        tensor.CopyFrom(numpy_helper.from_array(array, name))

    return change


def test_the_same_file_differs_in_nothing() -> None:
    same = found(lambda _: None)
    assert same.nothing
    assert same.only_weights
    assert same.summary() == "nothing differs: 4 tensors and the graph are the same"


def test_other_numbers_are_counted_and_measured() -> None:
    new = R(1, 3)
    new[1] += np.float32(0.5)
    result = found(put("b", new))
    assert result.only_weights
    assert not result.nothing
    (one,) = result.tensors
    old = R(1, 3)
    assert (one.name, one.changed, one.count, one.shape) == ("b", 1, 3, (3,))
    assert one.largest == pytest.approx(abs(float(new[1]) - float(old[1])))
    assert one.relative == pytest.approx(one.largest / np.linalg.norm(old.astype(np.float64)))


def test_a_constant_node_s_numbers_are_weights() -> None:
    def change(model: onnx.ModelProto) -> None:
        tensor = model.graph.node[3].attribute[0].t
        tensor.ClearField("float_data")
        tensor.raw_data = R(5, 8, 3).tobytes()

    result = found(change)
    assert [one.name for one in result.tensors] == ["m"]
    assert result.only_weights


def test_a_shape_is_no_weight() -> None:
    result = found(put("shape", np.int64([0, 8])))
    assert [one.weight for one in result.tensors] == [False]
    assert not result.only_weights


def test_numbers_that_are_none() -> None:
    result = found(put("b", np.float32([np.nan, 0, 1])))
    (one,) = result.tensors
    assert (one.largest, one.relative, one.reason) == (None, None, "NaN or infinity")
    assert result.only_weights


CHANGES: dict[str, tuple[Callable[[onnx.ModelProto], object], str]] = {
    "operator": (lambda m: setattr(m.graph.node[1], "op_type", "Tanh"), "op type of node r: 'Relu' -> 'Tanh'"),
    "attribute": (
        lambda m: m.graph.node[0].attribute.append(onnx.helper.make_attribute("group", 1)),
        "attribute group of node c: only in the new file (1)",
    ),
    "name": (lambda m: setattr(m.graph.node[0], "name", "first"), "name of node c: '' -> 'first'"),
    "metadata": (lambda m: m.metadata_props.add(key="a", value="b"), "metadata a: only in the new file ('b')"),
    "producer": (lambda m: setattr(m, "producer_name", "us"), "producer name: '' -> 'us'"),
    "opset": (lambda m: setattr(m.opset_import[0], "version", 16), "opset ai.onnx: 17 -> 16"),
    "type": (put("b", np.zeros((1, 3), np.float32)), "initialiser b: float32 [3] -> float32 [1, 3]"),
    "input": (
        lambda m: setattr(m.graph.input[0].type.tensor_type.shape.dim[0], "dim_param", "M"),
        "input x: float32 ['N', 1, 4, 4] -> float32 ['M', 1, 4, 4]",
    ),
    "order": (
        lambda m: m.graph.initializer.insert(0, m.graph.initializer.pop(2)),
        "order of initialisers: ['w', 'b', 'shape'] -> ['shape', 'w', 'b']",
    ),
    "node": (
        lambda m: m.graph.node.add(op_type="Identity", input=["y"], output=["z"]),
        "node z: only in the new file (Identity of 'y')",
    ),
    "a word on a tensor": (lambda m: setattr(m.graph.initializer[0], "doc_string", "w"), "other fields"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_everything_else_is_a_difference_of_the_graph(what: str) -> None:
    change, said = CHANGES[what]
    result = found(change)
    assert not result.only_weights
    assert any(said in str(one) for one in result.graph), [str(one) for one in result.graph]
    assert not result.tensors


def test_hostile_names_do_not_stop_it() -> None:
    old = models.parse("g (float[N,3] x) => (float[N,3] y) { y = Add (x, b) }", {"b": R(0, 3)})
    new = models.parse("g (float[N,3] x) => (float[N,3] y) { y = Add (x, b) }", {"b": R(1, 3)})
    for model in (old, new):
        model.graph.node[0].input[1] = model.graph.initializer[0].name = "\x1b[31m{0}\u202e" + "a" * 5000
    assert differences(read_graph(old), read_graph(new)).only_weights

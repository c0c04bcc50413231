"""What differs between two files: numbers of weights, and everything else."""

from collections.abc import Callable
from pathlib import Path

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
    "a word on a tensor": (
        lambda m: setattr(m.graph.initializer[0], "doc_string", "w"),
        "unread TensorProto.doc_string: only in the new file ('w')",
    ),
    "a word on the model": (
        lambda m: setattr(m, "doc_string", "two\x1b[2J"),
        "unread ModelProto.doc_string: only in the new file ('two\\x1b[2J')",
    ),
    "a long word on a node": (
        lambda m: setattr(m.graph.node[1], "doc_string", "w" * 5000),
        "unread NodeProto.doc_string: only in the new file (5,000 bytes in 1, sha256 ",
    ),
    "how it is to be trained": (
        lambda m: m.training_info.add().algorithm.node.add(op_type="Relu"),
        "unread ModelProto.training_info: only in the new file (",
    ),
    "a field that ONNX does not have": (
        lambda m: m.graph.MergeFromString(b"\x9a\x06\x04hide"),  # field 99, a text
        "unread GraphProto.99: only in the new file ('hide')",
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_everything_else_is_a_difference_of_the_graph(what: str) -> None:
    change, said = CHANGES[what]
    result = found(change)
    assert not result.only_weights
    assert any(said in str(one) for one in result.graph), [str(one) for one in result.graph]
    assert not result.tensors


def test_where_weights_lie_is_no_difference_of_the_graph(tmp_path: Path) -> None:
    onnx.save(network(), tmp_path / "one.onnx")
    onnx.save(
        network(), tmp_path / "two.onnx", save_as_external_data=True, location="w.bin", size_threshold=0
    )  # which states data_location, as the first does not
    result = differences(read_graph(tmp_path / "one.onnx"), read_graph(tmp_path / "two.onnx"))
    assert result.nothing
    assert str(result.external) == "external data: [] -> ['w.bin']"
    assert found(lambda _: None).external is None


def test_complex_numbers_are_compared_whole() -> None:
    def change(model: onnx.ModelProto, numbers: list[complex]) -> onnx.ModelProto:
        model.graph.initializer.append(numpy_helper.from_array(np.array(numbers, np.complex128), "z"))
        return model

    old, new = change(network(), [3 + 4j, complex(1, np.nan)]), change(network(), [3 + 2j, complex(1, np.nan)])
    assert differences(read_graph(old), read_graph(old)).nothing
    (one,) = differences(read_graph(old), read_graph(new)).tensors
    assert (one.changed, one.count, one.reason, one.weight) == (1, 2, "NaN or infinity", True)
    old, new = change(network(), [3 + 4j]), change(network(), [3 + 2j])
    (one,) = differences(read_graph(old), read_graph(new)).tensors
    assert (one.largest, one.relative) == (2, 0.4)


def test_a_weight_without_numbers_is_the_same() -> None:
    assert found(lambda _: None).nothing
    for shape in ((0,), (0, 3)):
        model = network()
        model.graph.initializer.append(numpy_helper.from_array(np.zeros(shape, np.float32), "none"))
        assert differences(read_graph(model), read_graph(model)).nothing


def test_hostile_names_do_not_stop_it() -> None:
    old = models.parse("g (float[N,3] x) => (float[N,3] y) { y = Add (x, b) }", {"b": R(0, 3)})
    new = models.parse("g (float[N,3] x) => (float[N,3] y) { y = Add (x, b) }", {"b": R(1, 3)})
    for model in (old, new):
        model.graph.node[0].input[1] = model.graph.initializer[0].name = "\x1b[31m{0}\u202e" + "a" * 5000
    assert differences(read_graph(old), read_graph(new)).only_weights

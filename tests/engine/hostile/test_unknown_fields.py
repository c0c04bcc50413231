"""What protobuf does not know, of any size and anywhere in a file, is not held; what it knows is held up to a limit."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

import onnxray
from onnxray.errors import ModelFileError
from onnxray.graph.file import skeleton
from onnxray.graph.reading import read_graph
from support import models

HOLE = 3 << 30
TOP = models.parse("g (float[N] x) => (float[N] y) { y = Add (x, w) }")
GRAPH, TENSOR, NODE, ATTRIBUTE, METADATA, INFO, DOC = 7, 5, 1, 5, 14, 13, 6
UNKNOWN = 500


def varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def key(number: int, length: int) -> bytes:
    return varint(number << 3 | 2) + varint(length)


def ending_in(path: list[tuple[int, bytes]], number: int, length: int) -> bytes:
    """Messages in messages, each given by number and first bytes, of which the innermost ends with a field; its payload is left out."""
    made = key(number, length)
    for outer, first in reversed(path):
        made = key(outer, len(first) + len(made) + length) + first + made
    return made


def parts() -> tuple[bytes, bytes, bytes, bytes]:
    """The model without its graph, the graph without its node and weight, and these."""
    top = onnx.ModelProto()
    top.CopyFrom(TOP)
    graph = onnx.GraphProto()
    graph.CopyFrom(top.graph)
    node = graph.node[0].SerializeToString()
    top.ClearField("graph")
    graph.ClearField("node")
    weight = onnx.numpy_helper.from_array(np.array([3], np.float32), "w").SerializeToString()
    return top.SerializeToString(), graph.SerializeToString(), node, weight


TOP_BYTES, GRAPH_BYTES, NODE_BYTES, WEIGHT_BYTES = parts()


def field(number: int, data: bytes) -> bytes:
    return key(number, len(data)) + data


def with_a_hole(folder: Path, first: bytes, path: list[tuple[int, bytes]], number: int) -> Path:
    """A file that ends in a field of gigabytes, of which the disk holds nothing."""
    file = folder / "model.onnx"
    file.write_bytes(first + ending_in(path, number, HOLE))
    with file.open("r+b") as hole:
        hole.truncate(file.stat().st_size + HOLE)
    return file


ALL = GRAPH_BYTES + field(NODE, NODE_BYTES) + field(TENSOR, WEIGHT_BYTES)
CASES: dict[str, tuple[bytes, list[tuple[int, bytes]], int]] = {
    "at the top": (TOP_BYTES + field(GRAPH, ALL), [], UNKNOWN),
    "in the graph": (TOP_BYTES, [(GRAPH, ALL)], UNKNOWN),
    "in a weight": (TOP_BYTES, [(GRAPH, GRAPH_BYTES + field(NODE, NODE_BYTES)), (TENSOR, WEIGHT_BYTES)], UNKNOWN),
    "in a node": (TOP_BYTES, [(GRAPH, GRAPH_BYTES + field(TENSOR, WEIGHT_BYTES)), (NODE, NODE_BYTES)], UNKNOWN),
    "in an attribute": (
        TOP_BYTES,
        [(GRAPH, GRAPH_BYTES + field(TENSOR, WEIGHT_BYTES)), (NODE, NODE_BYTES), (ATTRIBUTE, b"\x0a\x01a")],
        UNKNOWN,
    ),
    "in metadata": (TOP_BYTES + field(GRAPH, ALL), [(METADATA, b"\x0a\x01a")], UNKNOWN),
    "in a shape": (TOP_BYTES, [(GRAPH, ALL), (INFO, b"\x0a\x01a")], UNKNOWN),
    "of another type": (TOP_BYTES + field(GRAPH, ALL), [], 1),
    "words about it": (TOP_BYTES + field(GRAPH, ALL), [], DOC),
    "how to train it": (TOP_BYTES + field(GRAPH, ALL), [(20, b"")], UNKNOWN),
}


@pytest.mark.parametrize("case", CASES)
def test_gigabytes_of_unknown_fields_cost_nothing(case: str, tmp_path: Path) -> None:
    file = with_a_hole(tmp_path, *CASES[case])
    program = (
        f"import resource, onnxray; resource.setrlimit(resource.RLIMIT_AS, ({2 << 30},) * 2); "
        f"graph = onnxray.open({str(file)!r}).graph; print(len(graph.nodes), graph.weight('w'))"
    )
    if case not in {"at the top", "in a node"}:  # a process each takes a second
        graph = read_graph(file)
        assert (len(graph.nodes), graph.weight("w").tolist(), graph.proto.ByteSize() < 1000) == (1, [3], True)
        return
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "1 [3.]\n", done.stderr


KNOWN: dict[str, tuple[bytes, list[tuple[int, bytes]], int]] = {
    "numbers written out": (TOP_BYTES, [(GRAPH, ALL), (TENSOR, b"\x10\x01\x42\x01q")], 4),
    "a constant": (
        TOP_BYTES,
        [(GRAPH, ALL), (NODE, b"\x12\x01q\x22\x08Constant"), (ATTRIBUTE, b"\x0a\x05value"), (5, b"\x10\x01")],
        9,
    ),
    "a name": (TOP_BYTES, [(GRAPH, ALL)], 2),
    "metadata": (TOP_BYTES + field(GRAPH, ALL), [(METADATA, b"\x0a\x01a")], 2),
}


@pytest.mark.parametrize("case", KNOWN)
def test_gigabytes_of_known_fields_are_one_line(case: str, tmp_path: Path) -> None:
    file = with_a_hole(tmp_path, *KNOWN[case])
    with pytest.raises(ModelFileError, match=r"3,221,22\d,\d+ bytes beside the raw data of its weights, 1,073,741,824"):
        read_graph(file)


def test_all_that_protobuf_knows_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every message looked into, and with unknown fields among the others, the model is what protobuf reads."""
    monkeypatch.setattr(skeleton, "_LOOKED_INTO", 0)
    model = models.lenet()
    model.metadata_props.add(key="k", value="v")
    model.graph.quantization_annotation.add(tensor_name="w1").quant_parameter_tensor_names.add(key="a", value="b")
    model.functions.add(name="f", domain="own", input=["a"], output=["b"]).node.add(op_type="Relu", input=["a"])
    model.graph.node[0].attribute.add(name="many", type=onnx.AttributeProto.FLOATS, floats=range(50))
    model.graph.initializer.add(name="d", data_type=1, dims=[3], float_data=[1, 2, 3])
    data = model.SerializeToString()
    found, spans = skeleton.skeleton_of(lambda start, end: data[start:end], len(data))
    expected = onnx.ModelProto.FromString(data)
    for index, (offset, length) in spans.items():
        weight = expected.graph.initializer[index]
        assert data[offset : offset + length] == weight.raw_data
        weight.ClearField("raw_data")
    assert onnx.ModelProto.FromString(found) == expected
    assert len(spans) == 2


def test_graphs_that_protobuf_merges_keep_their_weights() -> None:
    """A field of one message that comes twice is merged; the indices of weights go on."""
    first, second = models.parse("g (float[N,2000] x) => (float[N,2000] y) { y = Add (x, b) }"), onnx.GraphProto()
    arrays = {name: models.random(k, 2000) for k, name in enumerate("ab")}
    first.graph.initializer.append(onnx.numpy_helper.from_array(arrays["a"], "a"))
    second.initializer.append(onnx.numpy_helper.from_array(arrays["b"], "b"))
    graph = read_graph(first.SerializeToString() + field(GRAPH, second.SerializeToString()))
    for name, array in arrays.items():
        np.testing.assert_array_equal(graph.weight(name), array)


def test_messages_in_messages_end() -> None:
    data = b"\x00" * 1100
    for _ in range(150):
        data = field(NODE, field(ATTRIBUTE, field(6, data)))
    with pytest.raises(ModelFileError, match="messages in messages, more than 100 deep"):
        onnxray.open(field(GRAPH, data))

"""What is kept of a file's bytes: everything, whatever way protobuf writes its numbers."""

import random
import time
from typing import Any

import numpy as np
import onnx
import pytest

from onnxray.graph.file.shape_inference import with_inferred_types, without_long_columns
from onnxray.graph.file.skeleton import skeleton_of

Node = onnx.helper.make_node


def of_nodes(*nodes: onnx.NodeProto, outputs: tuple[str, ...] = ("y",)) -> onnx.ModelProto:
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        list(nodes), "g", [info("x", 1, ["N", 4])], [onnx.ValueInfoProto(name=name) for name in outputs]
    )
    opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("ai.onnx.ml", 3)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)


def skeleton(data: bytes) -> bytes:
    return skeleton_of(lambda start, end: data[start:end], len(data))[0]


def written_out(draw: random.Random, count: int) -> dict[str, Any]:
    """Attributes whose numbers protobuf writes one by one, each behind its key, of all lengths."""
    numbers = [
        draw.choice((0, 1, 127, 128, 300, 2**31, 2**62, -1, -(2**63), draw.randrange(2**40))) for _ in range(count)
    ]
    return {
        "ints": numbers, "floats": [draw.gauss(0, 1) for _ in range(count)],
        "strings": [draw.choice(("", "LEAF", "BRANCH_LEQ")) for _ in range(count)],
    }  # fmt: skip


@pytest.mark.parametrize("count", [1, 2, 15, 16, 17, 18, 19, 33, 400, 5000, 40_000])
def test_numbers_written_out_are_kept_as_they_are(count: int) -> None:
    data = of_nodes(Node("Anything", ["x"], ["y"], domain="d", **written_out(random.Random(count), count)))
    assert skeleton(data.SerializeToString()) == data.SerializeToString()


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*out, number))


def field(number: int, wire: int, body: bytes) -> bytes:
    return varint(number << 3 | wire) + body


@pytest.mark.parametrize("seed", range(60))
def test_runs_of_any_fields_are_cut_where_protobuf_cuts_them(seed: int) -> None:
    """Runs of known and unknown numbers, of long keys, broken anywhere: what protobuf reads of both is the same."""
    draw = random.Random(seed)
    attribute = onnx.AttributeProto(name="a", type=onnx.AttributeProto.INTS).SerializeToString()
    for _ in range(draw.randrange(2, 9)):
        number, wire = draw.choice(((8, 0), (7, 5), (8, 0), (3, 0), (2, 5), (900, 0), (901, 1), (902, 5), (2**20, 0)))
        for _ in range(draw.choice((1, 15, 16, 17, 60, 500, 20_000))):
            big = varint(draw.choice((0, 5, 127, 128, 2**35, 2**63, 2**64 - 1)))
            attribute += field(number, wire, {0: big, 1: draw.randbytes(8), 5: draw.randbytes(4)}[wire])
    node = of_nodes(Node("Anything", ["x"], ["y"], domain="d")).graph.node[0].SerializeToString()
    node += field(5, 2, varint(len(attribute)) + attribute)
    graph = field(1, 2, varint(len(node)) + node) + field(2, 2, b"\x01g")
    data = field(1, 0, b"\x08") + field(7, 2, varint(len(graph)) + graph)
    kept = skeleton(data)
    expected = onnx.ModelProto.FromString(data)
    expected.DiscardUnknownFields()
    read = onnx.ModelProto.FromString(kept)
    read.DiscardUnknownFields()  # a message of less than a kilobyte is kept whole
    assert read.SerializeToString() == expected.SerializeToString()
    assert len(kept) <= len(data)


@pytest.mark.parametrize("wire", [0, 1, 5])
@pytest.mark.parametrize("cut", range(1, 12))
def test_a_run_that_ends_in_the_middle_is_refused(wire: int, cut: int) -> None:
    body = {0: varint(2**64 - 1), 1: bytes(8), 5: bytes(4)}[wire]
    run = field(900, wire, body) * 400
    inside = run[: len(run) - min(cut, len(body))]
    data = field(7, 2, varint(len(inside)) + inside)
    with pytest.raises(ValueError, match="past the end|does not end"):
        skeleton(data)


def test_numbers_that_never_end_are_refused() -> None:
    inside = field(900, 0, b"\x05") * 50 + field(900, 0, b"\xff" * 30 + b"\x01") + field(900, 0, b"\x05") * 500
    with pytest.raises(ValueError, match="does not end"):
        skeleton(field(7, 2, varint(len(inside)) + inside))


def test_millions_of_numbers_are_walked_as_fast_as_bytes_are() -> None:
    count = 1_000_000
    data = of_nodes(Node("Anything", ["x"], ["y"], ints=list(range(count)), floats=[0.5] * count)).SerializeToString()
    started = time.process_time()
    onnx.ModelProto.FromString(data)
    parsed = time.process_time() - started
    started = time.process_time()
    skeleton(data)
    assert time.process_time() - started < 10 * parsed + 0.5  # one by one it took 40 times as long


def trees(count: int) -> onnx.NodeProto:
    """An ensemble of ``count`` stumps."""
    three = np.arange(3 * count)
    return Node(
        "TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", n_targets=1,
        nodes_treeids=(three // 3).tolist(), nodes_nodeids=(three % 3).tolist(), nodes_featureids=[0] * len(three),
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"] * count, nodes_truenodeids=[1, 0, 0] * count,
        nodes_falsenodeids=[2, 0, 0] * count, nodes_values=[0.0] * len(three),
        target_treeids=(np.arange(2 * count) // 2).tolist(), target_nodeids=[1, 2] * count, target_ids=[0] * 2 * count,
        target_weights=[1.0, 2.0] * count,
    )  # fmt: skip


def test_long_columns_of_trees_change_no_shape_and_stay_in_the_model() -> None:
    model = of_nodes(trees(6000), Node("Neg", ["y"], ["z"]), outputs=("z",))
    before = model.graph.node[0].SerializeToString()
    expected = onnx.shape_inference.infer_shapes(model, data_prop=True)
    short = without_long_columns(model)
    assert short.ByteSize() < model.ByteSize() / 50
    inferred = with_inferred_types(model)
    assert list(inferred.graph.value_info) == list(expected.graph.value_info)
    assert list(inferred.graph.output) == list(expected.graph.output)
    assert inferred.graph.node[0].SerializeToString() == before
    few = of_nodes(trees(10))
    assert without_long_columns(few) is few


def test_attributes_that_a_shape_depends_on_are_no_columns() -> None:
    shape = Node("Constant", [], ["c"], value_ints=list(range(20_000)))
    model = of_nodes(shape, Node("Identity", ["c"], ["y"]))
    assert without_long_columns(model) is model
    inferred = with_inferred_types(model)
    assert [d.dim_value for d in inferred.graph.output[0].type.tensor_type.shape.dim] == [20_000]

"""What this processor's kernels make of 8-bit products: exact sums, or pairs cut off at 16 bits.

Without VNNI, x86's instruction for u8 x s8 adds two products into 16 bits and cuts off what is larger: 2 * 255 * 127
does not fit. ONNX Runtime uses it where the processor has nothing better (AVX2, AVX-512 without VNNI), so one file
gives other numbers on another processor.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from onnxray.graph.facts import Graph
from onnxray.importer.nodes.threads import CUT_BY_THREADS, threads_of

NAMED = "this processor (AVX2 or AVX-512 without VNNI) cuts the pairs of u8 x s8 products off at 16 bits"
"""The cause, in words, for notes and errors."""

_DEPTH, _LARGEST = 32, (255, 127)


@cache
def u8s8_saturates() -> bool:
    """Whether ONNX Runtime's products of uint8 and int8 saturate here, tried once a process with the largest numbers.

    Tried as a product of matrices, as one of a vector, and as a convolution, which are kernels of their own.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(_largest_products(), options, providers=["CPUExecutionProvider"])
    matrix, vector = (np.full((rows, _DEPTH), _LARGEST[0], np.uint8) for rows in (4, 1))
    exact = _DEPTH * _LARGEST[0] * _LARGEST[1]
    found = session.run(None, {"matrix": matrix, "vector": vector, "image": matrix.reshape(1, _DEPTH, 2, 2)})
    return any(bool((np.asarray(sums) != exact).any()) for sums in found[:2]) or bool((found[2] != 200).any())


def _largest_products() -> bytes:
    """Sums of 32 products 255 * 127; the convolution's in steps of a 200th of that."""
    step = np.float32(_DEPTH * _LARGEST[0] * _LARGEST[1] / 200)
    weights = {
        "columns": np.full((_DEPTH, 16), _LARGEST[1], np.int8),
        "kernels": np.full((16, _DEPTH, 1, 1), _LARGEST[1], np.int8),
        "one": np.float32(1), "step": step, "zero": np.uint8(0), "signed": np.int8(0),
    }  # fmt: skip
    node, kind = onnx.helper.make_node, onnx.TensorProto
    nodes = [
        node("MatMulInteger", ["matrix", "columns"], ["a"]),
        node("MatMulInteger", ["vector", "columns"], ["b"]),
        node("QLinearConv", ["image", "one", "zero", "kernels", "one", "signed", "step", "zero"], ["c"]),
    ]
    value = onnx.helper.make_tensor_value_info
    shapes = {"matrix": [4, _DEPTH], "vector": [1, _DEPTH], "image": [1, _DEPTH, 2, 2]}
    graph = onnx.helper.make_graph(
        nodes, "products", [value(name, kind.UINT8, shape) for name, shape in shapes.items()],
        [value("a", kind.INT32, None), value("b", kind.INT32, None), value("c", kind.UINT8, None)],
        [onnx.numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()],
    )  # fmt: skip
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    serialized: bytes = model.SerializeToString()
    return serialized


def settle_threads(graph: Graph) -> None:
    """Let the twin's nodes know, where there are some whose numbers depend on it."""
    if any(node.operator in CUT_BY_THREADS for node in graph.nodes):
        graph.settle(threads_of, runtime_threads())


@cache
def runtime_threads() -> int:
    """How many threads ONNX Runtime gives a node by default here, tried once a process.

    DynamicQuantizeLSTM cuts the rows of its state into so many parts, and quantises each in 255 steps of its largest
    number: beside a million, ones become zero, and their product with the weights as well.
    """
    import onnxruntime

    rows = 2**12
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(_state_of_rows(), options, providers=["CPUExecutionProvider"])
    state = np.ones((1, rows, 1), np.float32)
    state[0, 0] = 1e6
    (cells,) = session.run(None, {"x": np.zeros((1, rows, 1), np.float32), "h": state})
    beside = int((np.abs(cells[0, 1:, 0]) < 1e-3).sum())
    return max(1, round(rows / (beside + 1)))


def _state_of_rows() -> bytes:
    """The cell state after a step from nothing but a hidden state: tanh(h) / 2 where only its last gate has weights."""
    weights: dict[str, NDArray[Any]] = {
        "w": np.zeros((1, 1, 4), np.int8), "r": np.array([[[0, 0, 0, 1]]], np.int8), "one": np.ones(1, np.float32),
        "zero": np.zeros(1, np.int8),
    }  # fmt: skip
    names = ["x", "w", "r", "", "", "h", "", "", "one", "zero", "one", "zero"]
    node = onnx.helper.make_node("DynamicQuantizeLSTM", names, ["", "", "c"], domain="com.microsoft", hidden_size=1)
    value, kind = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [node], "rows", [value("x", kind, [1, None, 1]), value("h", kind, [1, None, 1])], [value("c", kind, None)],
        [onnx.numpy_helper.from_array(array, name) for name, array in weights.items()],
    )  # fmt: skip
    opsets = [onnx.helper.make_opsetid("", 13), onnx.helper.make_opsetid("com.microsoft", 1)]
    serialized: bytes = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    return serialized

"""What this processor's kernels make of 8-bit products: exact sums, or pairs cut off at 16 bits.

Without VNNI, x86's instruction for u8 x s8 adds two products into 16 bits and cuts off what is larger: 2 * 255 * 127
does not fit. ONNX Runtime uses it where the processor has nothing better (AVX2, AVX-512 without VNNI), so one file
gives other numbers on another processor.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import onnx

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

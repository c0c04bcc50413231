"""Weights 128 higher as uint8, beside a zero point 128 higher: the same sums, and nothing else is changed."""

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from onnxray.engines.shifted_weights import shifted
from onnxray.graph.reading import read_graph
from support import models

X = np.random.default_rng(0).integers(0, 256, (3, 4)).astype(np.uint8)
W = np.random.default_rng(1).integers(-128, 128, (4, 5)).astype(np.int8)


def cut_of(node: str, weights: dict[str, models.Array]) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """A file with a product, and its shifted copy."""
    model = models.parse(f"g (uint8[N,4] x) => (int32[N,5] y) {{ {node} }}", weights)
    cut = onnx.ModelProto()
    cut.CopyFrom(model)
    graph = read_graph(model)
    return model, shifted(cut, graph, [(graph.nodes[-1], 1)])


@pytest.mark.parametrize("point", [None, np.int8(0), np.int8(-7), np.int8([-128, 127, 0, 1, 2])])
def test_the_sums_are_the_same(point: models.Array | None) -> None:
    """sum_k x_k (w_k - z) = sum_k x_k ((w_k + 128) - (z + 128))."""
    node = "y = MatMulInteger (x, w)" if point is None else "y = MatMulInteger (x, w, , z)"
    model, cut = cut_of(node, {"w": W} if point is None else {"w": W, "z": np.asarray(point)})
    held = {tensor.name: tensor for tensor in cut.graph.initializer}
    read = onnx.numpy_helper.to_array(held[cut.graph.node[0].input[1]])
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, W.astype(int) + 128)
    for found in (ReferenceEvaluator(cut), models.session(cut)):
        np.testing.assert_array_equal(found.run(None, {"x": X})[0], ReferenceEvaluator(model).run(None, {"x": X})[0])


@pytest.mark.parametrize(
    ("node", "weights"),
    [
        ("y = MatMulInteger (x, w)", {"w": (W.astype(int) + 128).astype(np.uint8)}),
        ("y = MatMulInteger (x, w, , z)", {"w": (W.astype(int) + 128).astype(np.uint8), "z": np.uint8(3)}),
        ("v = Neg (w)  y = MatMulInteger (x, v)", {"w": W}),
        ("v = Neg (z)  y = MatMulInteger (x, w, , v)", {"w": W, "z": np.int8(3)}),
    ],
    ids=["uint8", "uint8 with a zero point", "computed", "a zero point that is computed"],
)  # fmt: skip
def test_what_is_no_constant_of_int8_stays(node: str, weights: dict[str, models.Array]) -> None:
    model, cut = cut_of(node, {name: np.asarray(array) for name, array in weights.items()})
    assert cut == model

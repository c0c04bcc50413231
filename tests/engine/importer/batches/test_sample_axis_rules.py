"""Each rule by itself: several of the file's own batches at once give what one after the other gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from onnxray.graph.reading import read_graph
from onnxray.importer.batches.any_batch import FreeCuts
from onnxray.importer.batches.sample_axes import NotPlaced
from onnxray.importer.walk import Importer
from support import models

R = models.random
COUNT = 3
SECOND = "t = Transpose <perm = [1, 0, 2]> (x)  "  # 3, N, 4
THIRD = "t = Transpose <perm = [1, 2, 0]> (x)  "  # 3, 4, N
NUMBERS = {"zero": [0], "one": [1], "two": [2], "three": [3], "minus": [-1]}


@dataclass(frozen=True)
class Case:
    """Nodes that compute y from x, of the file's own batch; weights beside NUMBERS."""

    nodes: str
    shape: tuple[int, ...] = (1, 3, 4)
    weights: dict[str, Any] = field(default_factory=dict)
    opset: int = 17

    def model(self) -> onnx.ModelProto:
        ends = f"float z, float{list(self.shape)} same"  # what has the samples as they came: their axis is told by it
        text = f"g (float{list(self.shape)} x) => ({ends}) {{ {self.nodes}  z = Cast <to = 1> (y)  same = Neg (x) }}"
        model = models.parse(text, opset=self.opset)
        model.graph.output[0].type.tensor_type.ClearField("shape")
        read = {name for node in model.graph.node for name in node.input}
        arrays = {name: np.asarray(array) for name, array in {**NUMBERS, **self.weights}.items() if name in read}
        model.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in arrays.items())
        return model

    def at_once(self) -> tuple[torch.Tensor, torch.Tensor]:
        """y of several batches at once, and of one after the other."""
        importer, own = Importer(read_graph(self.model())), self.shape[0]
        x = torch.from_numpy(R(5, own * COUNT, *self.shape[1:]))
        whole = FreeCuts(importer).cut(("y",), (x[:own],))(x)
        return whole, torch.cat([importer.cut(("y",))(part) for part in x.split(own)])


PLACED = {
    "number by number": Case(SECOND + "y = Relu (t)"),
    "with a constant": Case(SECOND + "y = Mul (t, c)", weights={"c": R(0, 3, 1, 4)}),
    "with a constant of more axes": Case("y = Mul (c, x)", weights={"c": R(0, 2, 1, 3, 1)}),
    "with a constant where samples are": Case("y = Mul (x, c)", (2, 3, 4), {"c": R(0, 2, 1, 4)}),
    "with a constant of fewer axes where samples are": Case(SECOND + "y = Mul (t, c)", (2, 3, 4), {"c": R(0, 2, 4)}),
    "samples on two axes": Case(SECOND + "y = Add (t, x)"),
    "samples on two axes, the other way": Case(SECOND + "y = Sub (x, t)"),
    "fewer axes": Case("m = ReduceSum <keepdims = 0> (x, one)  y = Add (x, m)"),
    "fewer axes, first": Case("m = ReduceSum <keepdims = 0> (x, one)  y = Sub (m, x)"),
    "a choice": Case("c = Greater (x, w)  m = Neg (x)  y = Where (c, m, w)", weights={"w": R(0, 3, 4)}),
    "once: broadcast from an axis": Case("y = Mul <broadcast = 1, axis = 1> (x, c)", weights={"c": R(0, 3, 4)}, opset=6),
    "once: broadcast from an axis where samples are": Case(
        SECOND + "y = Add <broadcast = 1, axis = 1> (t, c)", (2, 3, 4), {"c": R(0, 2)}, 6),
    "once: broadcast at the end": Case(THIRD + "y = Add <broadcast = 1> (t, c)", weights={"c": R(0, 4, 1)}, opset=6),
    "a convolution": Case("y = Conv (x, w)", (1, 2, 4, 4), {"w": R(0, 3, 2, 2, 2)}),
    "a convolution of channels that are samples": Case("t = Transpose <perm = [1, 0, 2, 3]> (x)  y = Conv (t, w)", (1, 2, 4, 4), {"w": R(0, 3, 1, 2, 2)}),
    "a pooling": Case("t = Transpose <perm = [1, 0, 2, 3]> (x)  y = MaxPool <kernel_shape = [2, 2]> (t)", (1, 2, 4, 4)),
    "normalised": Case("y = BatchNormalization (x, c, c, c, d)", weights={"c": R(0, 3), "d": np.abs(R(1, 3)) + 1}),
    "enlarged": Case('y = Resize (x, "", c)', (1, 2, 3, 3), {"c": np.float32([1, 1, 2, 2])}),
    "enlarged to sizes of axes": Case('y = Resize <axes = [2, 3]> (x, "", "", c)', (1, 2, 3, 3), {"c": [6, 6]}, 18),
    "sampled": Case("y = GridSample (x, c)", (1, 2, 3, 3), {"c": R(0, 1, 4, 4, 2, scale=0.5)}, 16),
    "sampled where each says": Case("g = Slice (x, zero, two, three)  y = GridSample (x, g)", (1, 2, 3, 3), {}, 16),
    "softmax": Case("y = Softmax (x)"),
    "softmax, the samples last": Case(THIRD + "y = Softmax (t)"),
    "softmax before the samples": Case(SECOND + "y = Softmax <axis = 0> (t)"),
    "softmax of the batch": Case("y = Softmax <axis = 0> (x)", (2, 3, 4)),
    "once: softmax from the second axis": Case("y = Softmax (x)", opset=11),
    "once: softmax with the samples among others": Case(THIRD + "y = Softmax <axis = 1> (t)", opset=11),
    "once: softmax after the samples": Case(SECOND + "y = LogSoftmax <axis = 2> (t)", opset=11),
    "lengths": Case(THIRD + "y = LpNormalization (t)"),
    "lengths along an axis": Case(SECOND + "y = LpNormalization <axis = 0> (t)"),
    "ranked": Case(THIRD + "y, p = TopK (t, one)"),
    "ranked along an axis": Case("y, p = TopK <axis = 1> (x, two)"),
    "running sums": Case(SECOND + "y = CumSum (t, one)"),
    "running sums of the batch": Case("y = CumSum (x, zero)", (2, 3, 4)),
    "a layer": Case("y = LayerNormalization (x, c)", weights={"c": R(0, 4)}),
    "a layer of more": Case(SECOND + "y = LayerNormalization <axis = 1> (t, c)", weights={"c": R(0, 1, 4)}),
    "summed": Case("y = ReduceSum <keepdims = 0> (x, one)"),
    "summed before": Case(SECOND + "y = ReduceSum <keepdims = 0> (t, zero)"),
    "summed on both sides": Case(SECOND + "y = ReduceSum <keepdims = 0> (t, c)", weights={"c": [0, 2]}),
    "summed over the batch": Case("y = ReduceSum (x, zero)", (2, 3, 4)),
    "summed over the batch, an axis less": Case("y = ReduceMax <axes = [0], keepdims = 0> (x)", (2, 3, 4)),
    "summed over nothing": Case(SECOND + "y = ReduceSum <noop_with_empty_axes = 1> (t)"),
    "summed from the end": Case("y = ReduceMean <axes = [-1, -2]> (x)"),
    "the largest's place": Case("y = ArgMax <axis = 1, keepdims = 0> (x)"),
    "the largest's place in the batch": Case("y = ArgMax <keepdims = 0> (x)", (2, 3, 4)),
    "the smallest's place": Case(THIRD + "y = ArgMin <axis = -3> (t)"),
    "turned": Case("y = Transpose (x)"),
    "turned and back": Case(THIRD + "y = Transpose <perm = [2, 0, 1]> (t)"),
    "reshaped": Case("y = Reshape (x, c)", (2, 3, 4), {"c": [2, 12]}),
    "reshaped where samples begin": Case(SECOND + "y = Reshape (t, c)", weights={"c": [3, 2, 2]}),
    "reshaped across samples": Case(SECOND + "y = Reshape (t, c)", (2, 3, 4), {"c": [4, 6]}),
    "two in front": Case(SECOND + "y = Unsqueeze (t, c)", weights={"c": [0, 1]}),
    "expanded": Case("y = Expand (x, c)", (1, 1, 4), {"c": [2, 1, 3, 4]}),
    "expanded where samples are": Case("y = Expand (x, c)", weights={"c": [2, 3, 4]}),
    "what its shape says": Case("s = Shape (x)  f = Flatten (x)  y = Reshape (f, s)"),
    "beside a constant": Case("y = Concat <axis = 1> (x, c)", weights={"c": R(0, 1, 2, 4)}),
    "beside its own, elsewhere": Case("m = Neg (x)  u = Transpose <perm = [1, 0, 2]> (m)  v = Transpose <perm = [1, 0, 2]> (u)  y = Concat <axis = -1> (x, v)"),
    "below its own": Case("m = Neg (x)  y = Concat <axis = 0> (x, m)"),
    "a part": Case("y, b = Split <axis = 1> (x, c)", weights={"c": [1, 2]}),
    "the other part": Case("b, y = Split <axis = 2> (x, c)", weights={"c": [1, 3]}),
    "a part of the batch": Case("y, b = Split (x, c)", (3, 3, 4), {"c": [1, 2]}),
    "sliced": Case("y = Slice (x, one, three, two)"),
    "sliced, the axes in disorder": Case("y = Slice (x, c, d, e)", weights={"c": [1, 0], "d": [3, 2], "e": [2, 1]}),
    "sliced, the batch": Case("y = Slice (x, one, three)", (3, 3, 4)),
    "sliced, the batch too": Case("y = Slice (x, c, d)", (3, 3, 4), {"c": [0, 1], "d": [2, 3]}),
    "one before": Case(SECOND + "y = Gather (t, c)", weights={"c": 1}),
    "one after": Case("y = Gather <axis = 2> (x, c)", weights={"c": 1}),
    "one after, from the end": Case("y = Gather <axis = -1> (x, c)", weights={"c": 1}),
    "some before": Case(SECOND + "y = Gather (t, c)", weights={"c": [[2, 0], [1, 1]]}),
    "one of the batch": Case("y = Gather (x, c)", (2, 3, 4), {"c": [1]}),
    "from a table": Case("i = ArgMax <axis = 1, keepdims = 0> (x)  y = Gather (c, i)", weights={"c": R(0, 5, 2)}),
    "from a table's second axis": Case("i = ArgMax <axis = 1, keepdims = 0> (x)  y = Gather <axis = 1> (c, i)", weights={"c": R(0, 5, 3)}),
    "from the samples, in a list": Case("f = Reshape (x, minus)  y = Gather (f, c)", weights={"c": [[0, 5], [-1, 7]]}),
    "padded": Case(SECOND + "y = Pad (t, c)", weights={"c": [1, 0, 0, 0, 0, 2]}),
    "padded batch": Case("y = Pad (x, c)", (2, 3, 4), {"c": [1, 0, 0, 0, 0, 0]}),
    "padded along axes": Case('y = Pad (x, c, "", d)', weights={"c": [1, 2], "d": [-1]}, opset=18),
    "padded by an attribute": Case("y = Pad <pads = [0, 1, 0, 0, 0, 2]> (x)", opset=2),
    "tiled": Case(SECOND + "y = Tile (t, c)", weights={"c": [2, 1, 3]}),
    "tiled batch": Case("y = Tile (x, c)", (2, 3, 4), {"c": [2, 1, 1]}),
    "rows times a matrix": Case("y = MatMul (x, c)", (1, 3), {"c": R(0, 3, 5)}),
    "rows of the batch times a matrix": Case("y = MatMul (x, c)", (2, 3), {"c": R(0, 3, 5)}),
    "a matrix times columns": Case("t = Transpose (x)  y = MatMul (c, t)", (1, 3), {"c": R(0, 5, 3)}),
    "a matrix times the batch": Case("y = MatMul (c, x)", (2, 3), {"c": R(0, 5, 2)}),
    "columns times a matrix": Case("t = Transpose (x)  y = MatMul (t, c)", (2, 3), {"c": R(0, 2, 5)}),
    "matrices times one": Case(SECOND + "y = MatMul (t, c)", weights={"c": R(0, 4, 5)}),
    "one times matrices": Case("y = MatMul (c, x)", weights={"c": R(0, 5, 3)}),
    "one times matrices, the samples last": Case(THIRD + "y = MatMul (c, t)", weights={"c": R(0, 5, 4)}),
    "matrices with their own": Case("t = Transpose <perm = [0, 2, 1]> (x)  y = MatMul (x, t)"),
    "matrices with their own, elsewhere": Case(
        "t = Transpose <perm = [1, 0, 2, 3]> (x)  u = Transpose <perm = [0, 1, 3, 2]> (x)  v = Transpose <perm = [1, 0, 2, 3]> (u)  y = MatMul (t, v)", (1, 2, 3, 4)),
    "matrices of a batch with those of another axis": Case(
        "m = ReduceSum <keepdims = 0> (x, one)  y = MatMul (x, m)", (1, 2, 4, 4)),
    "rows with the batch": Case("t = Transpose <perm = [1, 0, 2]> (x)  u = Transpose <perm = [0, 2, 1]> (t)  y = MatMul (t, u)", (2, 3, 4)),
    "linear": Case("y = Gemm (x, c, b)", (2, 3), {"c": R(0, 3, 5), "b": R(1, 5)}),
    "linear, turned": Case("t = Transpose (x)  y = Gemm <transA = 1, transB = 1> (t, c)", (1, 3), {"c": R(0, 5, 3)}),
    "linear, one row of bias": Case("y = Gemm (x, c, b)", (1, 3), {"c": R(0, 3, 5), "b": R(1, 1, 5)}),
    "by letters": Case('y = Einsum <equation = "ijk, kl -> lji"> (x, c)', weights={"c": R(0, 4, 5)}),
    "by letters, with its own": Case('y = Einsum <equation = "ijk,ilk->ijl"> (x, x)'),
    "by letters, samples that meet on the last of them": Case(
        'm = Neg (x)  y = Einsum <equation = "ij,kj->ikj"> (x, m)', (1, 3)),
    "by letters, in an outer product": Case('y = Einsum <equation = "ij,ij->ij"> (x, c)', (1, 3), {"c": R(0, 1, 3)}),
    "quantised": Case(SECOND + "y = QuantizeLinear (t, s, z0)", weights={"s": np.float32(0.1), "z0": np.uint8(100)}),
    "by letters, a constant stretched along the samples": Case(
        'y = Einsum <equation = "ij,ij->ij"> (x, c)', (2, 3), {"c": R(0, 1, 3)}),
    "by letters, a diagonal beside": Case('y = Einsum <equation = "ij,jj->ij"> (x, c)', (1, 3), {"c": R(0, 3, 3)}),
    "by letters, a diagonal along the samples": Case('y = Einsum <equation = "ij,ii->ij"> (x, c)', (2, 3), {"c": R(0, 2, 2)}),
    "quantised, a list": Case("f = Reshape (x, minus)  y = QuantizeLinear (f, s, z0)", weights={
        "s": np.float32(0.1), "z0": np.uint8(100)}),
    "quantised by place": Case(SECOND + "y = QuantizeLinear <axis = 0> (t, s, z0)", weights={
        "s": np.float32([0.1, 0.2, 0.4]), "z0": np.uint8([100, 90, 80])}),
    "quantised by place where samples are": Case("q = QuantizeLinear <axis = 0> (x, s, z0)  y = DequantizeLinear <axis = 0> (q, s, z0)",
        (2, 3, 4), {"s": np.float32([0.1, 0.2]), "z0": np.uint8([100, 90])}),
    "quantised along the second axis": Case("y = QuantizeLinear (x, s, z0)", weights={
        "s": np.float32([0.1, 0.2, 0.4]), "z0": np.uint8([100, 90, 80])}),
    "attention": Case("y = Attention (x, x, x)", (1, 2, 3, 4), {}, 23),
    "attention of a batch": Case("y = Attention (x, c, d)", (2, 2, 3, 4), {"c": R(0, 2, 2, 5, 4), "d": R(1, 2, 2, 5, 4)}, 23),
    "attention with one mask": Case("y = Attention (x, x, x, c)", (2, 2, 3, 4), {"c": R(0, 1, 1, 3, 3)}, 23),
    "attention with a mask of rows": Case("y = Attention (x, x, x, c)", (2, 2, 3, 4), {"c": R(0, 3, 3)}, 23),
}  # fmt: skip


@pytest.mark.parametrize("kind", PLACED)
def test_at_once_is_one_after_the_other(kind: str) -> None:
    whole, each = PLACED[kind].at_once()
    assert whole.shape == each.shape
    torch.testing.assert_close(whole, each, rtol=1e-4, atol=1e-5)


INDEX = "i = ArgMax <axis = 1, keepdims = 0> (x)  "
RECURRENCE = {"w": R(0, 1, 8, 4), "r": R(1, 1, 8, 2)}
REFUSED = {
    "no rule says": Case("y = Trilu (x)"),
    "takes its statistics from the batch": Case("y, m, v = BatchNormalization <training_mode = 1> (x, c, c, c, c)", weights={"c": np.ones(3, np.float32)}),
    "its indices count through": Case("v, p = MaxPool <kernel_shape = [2, 2]> (x)  q = Cast <to = 1> (p)  y = Add (v, q)", (1, 2, 4, 4)),
    "its sizes state the batch": Case('y = Resize (x, "", "", c)', (1, 2, 3, 3), {"c": [1, 2, 6, 6]}),
    "leaves no axis for the samples": Case("y = ReduceSum (x)"),
    "has no axis for the samples": Case("y = Squeeze (x)", (1, 1)),
    "computed from the samples": Case("i = Cast <to = 7> (x)  y = CumSum (x, i)", (1,)),
    "its factors are stretched": Case("y = MatMul (x, c)", weights={"c": R(0, 2, 4, 5)}),
    "factors are stretched along every axis": Case("y = MatMul (c, x)", weights={"c": R(0, 2, 5, 3)}),
    "another input than its first": Case(INDEX + "y = Gather <axis = 1> (x, i)"),
    "one of its factors is a vector": Case("y = MatMul (x, c)", weights={"c": R(0, 4)}),
    "its bias has a row": Case("y = Gemm (x, c, b)", (2, 3), {"c": R(0, 3, 5), "b": R(1, 2, 5)}),
    "has an ellipsis": Case('y = Einsum <equation = "...i->..."> (x)'),
    "or states no result": Case('y = Einsum <equation = "ij"> (x)', (1, 3)),
    "could count the samples": Case('m = ReduceSum (x, one)  y = Einsum <equation = "ij,kj->ikj"> (x, m)', (1, 3)),
    "no letter of its equation": Case('y = Einsum <equation = "ij->"> (x)', (1, 3)),
    "stretched along every axis": Case("t = Transpose (x)  y = Add (x, t)", (1, 3)),
    "its mask differs from sample to sample": Case("y = Attention (x, x, x, c)", (2, 2, 3, 4), {"c": R(0, 2, 1, 3, 3)}, 23),
    "its mask differs": Case("c = Slice (x, zero, three, three)  y = Attention (x, x, x, c)", (1, 2, 3, 4), {}, 23),
    "it holds a cache": Case('y = Attention (x, x, x, "", c, c)', (2, 2, 3, 4), {"c": R(0, 2, 2, 1, 4)}, 23),
    "holds a cache": Case("u, k, v = Attention (x, x, x)  y = Add (u, k)", (2, 2, 3, 4), {}, 23),
    "its samples come first": Case("y, h = LSTM <hidden_size = 2, layout = 1> (x, w, r)", (2, 3, 4), RECURRENCE),
    "or in lengths of their own": Case(
        SECOND + "y, h = LSTM <hidden_size = 2> (t, w, r, , c)", (2, 3, 4), {**RECURRENCE, "c": np.int32([3, 2])}),
    "one of its values is empty": Case("y = Slice (x, one, one, two)"),
}  # fmt: skip


@pytest.mark.parametrize("reason", REFUSED)
def test_what_cannot_be_placed_says_why(reason: str) -> None:
    with pytest.raises(NotPlaced, match=reason):
        REFUSED[reason].at_once()

"""Where the samples lie after each operator, stated case by case; ONNX Runtime says whether that is true."""

from __future__ import annotations

import numpy as np
import pytest

import onnxray
from onnxray.graph.samples.mixing import places
from onnxray.graph.samples.places import Apart, Lost
from support import models
from support.sample_places import COMPUTED, COPIES, COUNTED, LAST, SECOND, TOGETHER, UNKNOWN, Case

R = models.random
ROW = {"rest": [1, 3, 5], "row": R(3, 1, 1, 3, 5)}
ONE = {"rest": [1], "row": R(3, 1, 1)}
INDEX = "i = ArgMax <axis = 1, keepdims = 0> (x)  "

BROADCAST = {
    "one operand": Case("y = Neg (x)", Apart()),
    "itself": Case("y = Add (x, x)", Apart()),
    "a constant of fewer axes": Case("y = Mul (x, c)", Apart(), weights={"c": R(0, 3, 5)}),
    "a constant of one axis": Case("y = Mul (x, c)", Apart(), weights={"c": R(0, 1)}),
    "a constant of more axes": Case("y = Mul (c, x)", Apart(1), weights={"c": R(0, 6, 1, 1, 1, 5)}),
    "samples on the last axis": Case(LAST + "y = Mul (t, c)", Apart(3), weights={"c": R(0, 5, 1)}),
    "samples along two axes": Case("t = Transpose (x)  y = Add (x, t)", TOGETHER, "N,1"),
    "a row for each sample": Case("y = Add (x, c)", UNKNOWN, "4,2", {"c": R(0, 4, 2)}),
    "how many there are": Case(COUNTED + "f = Cast <to = 1> (n)  y = Div (x, f)", UNKNOWN),
    "copies": Case(COPIES + "y = Add (x, k)", Apart(), weights=ROW),
    "copies along another axis": Case(COPIES + "t = Transpose (x)  y = Add (k, t)", UNKNOWN, "N,1", ONE),
    "copies of fewer axes": Case(
        COPIES + "r = Reshape (k, s1)  y = Add (x, r)", UNKNOWN, "N,1", {**ONE, "s1": [-1]}),
    "several rows each": Case(
        "r = Reshape (x, s)  y = Mul (r, c)", Apart(0, 2), weights={"s": [-1, 3, 5], "c": R(0, 3, 1)}),
    "copies behind another axis": Case(COPIES + "u = Unsqueeze (k, zero)  y = Add (x, u)", UNKNOWN, "N,1,2", {"rest": [2], "row": R(3, 1, 2)}),
    "copies of one thing, then of another": Case(
        COPIES + "m = Neg (k)  u = Concat <axis = 0> (k, m)  r = Reshape (x, s1)  y = Add (r, u)", UNKNOWN, "N,2,3",
        {"rest": [3], "row": R(3, 1, 3), "s1": [-1, 3]}),
}  # fmt: skip
RESHAPED = {
    "the samples elsewhere": Case(SECOND + "y = Reshape (t, s)", UNKNOWN, weights={"s": [2, -1]}),
    "a copied first length": Case("y = Reshape (x, s)", Apart(), "N,K,4", {"s": [0, -1]}),
    "a copied first length of two rows": Case(
        "r = Reshape (x, s)  y = Reshape (r, u)", Apart(0, 2), weights={"s": [-1, 15], "u": [0, 3, 5]}),
    "a copied length, the first left open": Case("y = Reshape (x, s)", Apart(), "N,6", {"s": [-1, 0]}),
    "a free length copied": Case("y = Reshape (x, s)", Apart(), "N,K,4", {"s": [-1, 0, 4]}),
    "fewer rows than samples": Case("y = Reshape (x, s)", UNKNOWN, weights={"s": [-1, 60]}),
    "rows that cross samples": Case("y = Reshape (x, s)", UNKNOWN, weights={"s": [-1, 4]}),
    "two rows": Case("y = Reshape (x, s)", Apart(0, 2), weights={"s": [-1, 3, 5]}),
    "rows of rows": Case(
        "r = Reshape (x, s)  y = Reshape (r, u)", Apart(0, 6), weights={"s": [-1, 3, 5], "u": [-1, 5]}),
    "a length of one": Case("y = Reshape (x, s)", Apart(0, 30), weights={"s": [-1, 1]}),
    "a free length": Case("y = Reshape (x, s)", UNKNOWN, "N,K,4", {"s": [-1, 4]}),
    "a fixed batch": Case("y = Reshape (x, s)", Apart(0, 2), "4,2,3", {"s": [8, 3]}),
    "a last length left open": Case("y = Reshape (x, s)", Apart(), "4,2,3", {"s": [4, -1]}),
    "a shape that is computed": Case(
        COUNTED + "u = Concat <axis = 0> (n, rest)  y = Reshape (x, u)", Apart(), weights={"rest": [30]}),
    "a whole shape that is fed": Case("i = Cast <to = 7> (x)  y = Reshape (x, i)", UNKNOWN, "2"),
    "flattened": Case("y = Flatten (x)", Apart()),
    "flattened, a free length": Case("y = Flatten (x)", Apart(), "N,K,4"),
    "flattened, two rows": Case("r = Reshape (x, s)  y = Flatten (r)", Apart(0, 2), weights={"s": [-1, 3, 5]}),
    "flattened later": Case("y = Flatten <axis = 2> (x)", Apart(0, 2)),
    "flattened at the end": Case("y = Flatten <axis = 4> (x)", Apart(0, 30)),
    "flattened from the end": Case("y = Flatten <axis = -1> (x)", Apart(0, 6)),
    "flattened from the end, the second": Case("y = Flatten <axis = -3> (x)", Apart()),
    "flattened later, a free length before": Case("y = Flatten <axis = 2> (x)", UNKNOWN, "N,K,4"),
    "flattened later, a free length after": Case("y = Flatten <axis = 2> (x)", UNKNOWN, "N,4,K"),
    "flattened at once": Case("y = Flatten <axis = 0> (x)", UNKNOWN),
    "flattened from the end, the second, of free length": Case("y = Flatten <axis = -1> (x)", Apart(), "N,K"),
    "fewer of more": Case("y = Reshape (x, s)", Apart(0, 3), "4,12", {"s": [12, -1]}),
    "of unknown rank": Case("i = NonZero (c)  s = Reshape (i, last)  y = Reshape (x, s)", UNKNOWN, weights={"c": [0, 1, 1]}),
    "of unknown length": Case(
        COUNTED + "i = NonZero (c)  f = Reshape (i, last)  m = Slice (f, zero, one)  u = Concat <axis = 0> (n, m)"
        "  y = Reshape (x, u)", UNKNOWN, "N,6", {"c": [0, 1, 1]}),
}  # fmt: skip
MOVED = {
    "reversed": Case("y = Transpose (x)", Apart(3)),
    "in an order": Case("y = Transpose <perm = [2, 3, 0, 1]> (x)", Apart(2)),
    "back": Case(LAST + "y = Transpose <perm = [3, 0, 1, 2]> (t)", Apart(0)),
    "rows": Case("r = Reshape (x, s)  y = Transpose (r)", Apart(1, 2), weights={"s": [-1, 15]}),
    "wider in front": Case("y = Unsqueeze (x, zero)", Apart(1)),
    "wider behind": Case("y = Unsqueeze (x, one)", Apart(0)),
    "wider at the end": Case("y = Unsqueeze (x, last)", Apart(0)),
    "wider on both sides": Case(LAST + "y = Unsqueeze (t, a)", Apart(4), weights={"a": [5, 1]}),
    "wider twice in front, in disorder": Case("y = Unsqueeze (x, a)", Apart(2), weights={"a": [1, 0]}),
    "wider at the front and next to it": Case("y = Unsqueeze (x, zero_two)", Apart(1)),
    "wider by an attribute": Case("y = Unsqueeze <axes = [-5]> (x)", Apart(1), opset=11),
    "wider by what is computed": Case(COMPUTED + "y = Unsqueeze (x, k)", UNKNOWN),
    "narrower behind": Case("y = Squeeze (x, one)", Apart(0), "N,1,3"),
    "narrower in front": Case("t = Transpose <perm = [1, 0, 2]> (x)  y = Squeeze (t, zero)", Apart(0), "N,1,3"),
    "narrower in the middle": Case(
        "t = Transpose <perm = [1, 2, 0, 3]> (x)  y = Squeeze (t, one)", Apart(1), "N,2,1,3"),
    "narrower from the end": Case("y = Squeeze <axes = [-2]> (x)", Apart(0), "N,2,1,3", opset=11),
    "narrower where it can be": Case("y = Squeeze (x)", UNKNOWN, "N,1,3"),
    "without its samples' axis": Case("y = Squeeze (x, zero)", UNKNOWN, "1,2,3"),
    "two rows, wider": Case("r = Reshape (x, s)  y = Unsqueeze (r, zero)", Apart(1, 2), weights={"s": [-1, 15]}),
    "two rows, narrower": Case("r = Reshape (x, s)  y = Squeeze (r, one)", Apart(0, 2), weights={"s": [-1, 1, 15]}),
    "expanded to more axes": Case("y = Expand (x, s)", Apart(2), weights={"s": [2, 3, 1, 1, 1, 1]}),
    "expanded within": Case("y = Expand (x, s)", Apart(), "N,1,5", {"s": [3, 1]}),
    "two rows, expanded": Case(
        "r = Reshape (x, s)  y = Expand (r, u)", Apart(1, 2), weights={"s": [-1, 15], "u": [2, 1, 1]}),
    "expanded to what is fed": Case("i = Cast <to = 7> (x)  j = ReduceSum <keepdims = 0> (i, one)  y = Expand (x, j)", UNKNOWN, "N,2"),
}  # fmt: skip
REDUCED = {
    "other axes": Case("y = ReduceMean <axes = [1, 3]> (x)", Apart()),
    "the samples": Case("y = ReduceMean <axes = [0]> (x)", TOGETHER),
    "the samples from the end": Case("y = ReduceMax <axes = [-4]> (x)", TOGETHER),
    "all": Case("y = ReduceMean (x)", TOGETHER),
    "all, the axes being an input": Case("y = ReduceSum (x)", TOGETHER),
    "all, the axes left out": Case('y = ReduceSum (x, "")', TOGETHER),
    "axes in an input": Case("y = ReduceSum (x, one_two)", Apart()),
    "the samples in an input": Case("y = ReduceSum (x, zero)", TOGETHER),
    "none": Case("y = ReduceSum <noop_with_empty_axes = 1> (x)", Apart()),
    "axes that are computed": Case(COMPUTED + "y = ReduceSum (x, k)", UNKNOWN),
    "axes that are fed": Case("i = Cast <to = 7> (x)  y = ReduceSum (c, i)", UNKNOWN, "1", {"c": R(0, 3, 2)}),
    "axes before that go": Case(LAST + "y = ReduceSum <keepdims = 0> (t, zero_two)", Apart(1)),
    "axes after that go": Case("y = ReduceSum <keepdims = 0> (x, last)", Apart()),
    "axes around that go": Case(SECOND + "y = ReduceSum <keepdims = 0> (t, zero_two)", Apart(0)),
    "axes before that stay": Case(LAST + "y = ReduceL2 <axes = [0, 2]> (t)", Apart(3)),
    "two rows": Case(
        "r = Reshape (x, s)  t = Transpose (r)  y = ReduceSum <keepdims = 0> (t, zero)", Apart(1, 2),
        weights={"s": [-1, 3, 5]}),
    "the largest's place": Case("y = ArgMax <axis = 1> (x)", Apart()),
    "the smallest's place, by default": Case("y = ArgMin (x)", TOGETHER),
    "the largest's place, from the end": Case(LAST + "y = ArgMax <axis = -1> (t)", TOGETHER),
    "the largest's place, an axis less": Case(LAST + "y = ArgMax <axis = -4, keepdims = 0> (t)", Apart(2)),
}  # fmt: skip
ALONG = {
    "the last axis": Case("y = Softmax (x)", Apart()),
    "the samples alone": Case("y = Softmax (x)", TOGETHER, "N"),
    "the samples, last": Case(LAST + "y = LogSoftmax (t)", TOGETHER),
    "the samples from the end": Case("y = Hardmax <axis = -4> (x)", TOGETHER),
    "an axis before the samples": Case(LAST + "y = Softmax <axis = 1> (t)", Apart(3)),
    "once: from an axis on": Case(LAST + "y = Softmax <axis = 2> (t)", TOGETHER, opset=11),
    "once: from the second on": Case("y = Softmax (x)", Apart(), opset=11),
    "once: from the second on, the samples there": Case(SECOND + "y = LogSoftmax (t)", TOGETHER, opset=11),
    "once: after the samples": Case(SECOND + "y = Softmax <axis = 2> (t)", Apart(1), opset=11),
    "once: one axis": Case(LAST + "y = LpNormalization <axis = 1> (t)", Apart(3), opset=11),
    "a layer": Case("y = LayerNormalization (x, g)", Apart(), weights={"g": np.ones(5, np.float32)}),
    "a layer from the second on": Case(
        "y = LayerNormalization <axis = 1> (x, g)", Apart(), weights={"g": np.ones((2, 3, 5), np.float32)}),
    "a layer from before the samples on": Case(
        LAST + "y = LayerNormalization <axis = 2> (t, g)", TOGETHER, "4,2,3,5",
        {"g": np.ones((5, 4), np.float32)}),
    "lengths": Case("y = LpNormalization (x)", Apart()),
    "lengths of the samples": Case("y = LpNormalization <axis = 0> (x)", TOGETHER),
    "ranked": Case("y, p = TopK (x, two)", Apart()),
    "ranked, their places": Case("v, y = TopK <axis = 1> (x, two)", Apart()),
    "ranked among the samples": Case("y, p = TopK <axis = 0> (x, two)", TOGETHER),
    "running sums": Case("y = CumSum (x, two)", Apart()),
    "running sums of the samples": Case(LAST + "y = CumSum (t, last)", TOGETHER),
    "running sums, the samples last": Case(LAST + "y = CumSum (t, zero)", Apart(3)),
    "running sums, the axis computed": Case(COMPUTED + "y = CumSum (x, k)", UNKNOWN),
    "running sums, the axis fed": Case("i = Cast <to = 7> (x)  y = CumSum (c, i)", UNKNOWN, "1", {"c": R(0, 3, 2)}),
}  # fmt: skip
PARTS = {
    "beside each other": Case("a = Neg (x)  y = Concat <axis = 1> (x, a)", Apart()),
    "beside each other, from the end": Case("a = Neg (x)  y = Concat <axis = -1> (x, a)", Apart()),
    "one after the other": Case("a = Neg (x)  y = Concat <axis = 0> (x, a)", UNKNOWN),
    "once: beside each other by default": Case("y = Concat (x, x)", Apart(), opset=3, judged=False),
    "once: one after the other by default": Case(SECOND + "y = Concat (t, t)", UNKNOWN, opset=3),
    "one after the other, from the end": Case("a = Neg (x)  y = Concat <axis = -4> (x, a)", UNKNOWN),
    "the samples last": Case(LAST + "y = Concat <axis = 0> (t, t)", Apart(3)),
    "with copies": Case(COPIES + "y = Concat <axis = 1> (k, x)", Apart(), weights=ROW),
    "with copies, the samples elsewhere": Case(
        COPIES + "t = Transpose (x)  y = Concat <axis = 0> (t, k)", UNKNOWN, "4,4", {"rest": [4], "row": R(3, 1, 4)}),
    "with as many copies as come, the samples elsewhere": Case(
        COPIES + "t = Transpose (x)  y = Concat <axis = 0> (t, k)", UNKNOWN, "N,4", {"rest": [4], "row": R(3, 1, 4)}),
    "with a constant": Case("y = Concat <axis = 1> (x, c)", UNKNOWN, "4,2", {"c": R(0, 4, 2)}),
    "samples along two axes": Case("t = Transpose (x)  y = Concat <axis = 0> (x, t)", UNKNOWN, "4,4"),
    "sliced": Case("y = Slice (x, one, two, two)", Apart()),
    "sliced samples": Case("y = Slice (x, one, two, zero)", UNKNOWN),
    "sliced samples, from the end": Case("y = Slice (x, one, two, a)", UNKNOWN, weights={"a": [-4]}),
    "sliced from the first axis on": Case("y = Slice (x, zero, two)", UNKNOWN),
    "sliced from the first axis on, the samples after": Case(
        LAST + "y = Slice (t, a, b)", Apart(3), weights={"a": [0, 1, 1], "b": [2, 3, 4]}),
    "sliced from the first axis on, up to the samples": Case(
        LAST + "y = Slice (t, a, b)", UNKNOWN, weights={"a": [0, 1, 1, 1], "b": [2, 3, 4, 3]}),
    "sliced by attributes": Case("y = Slice <starts = [1], ends = [3], axes = [2]> (x)", Apart(), opset=9),
    "sliced by attributes, without axes": Case("y = Slice <starts = [1], ends = [3]> (x)", UNKNOWN, opset=9),
    "sliced, the bounds computed": Case(COMPUTED + "y = Slice (x, k, two, two)", Apart()),
    "sliced along what is computed": Case(COMPUTED + "y = Slice (x, one, two, k)", UNKNOWN),
    "sliced along what is computed, the samples last": Case(LAST + COMPUTED + "y = Slice (t, one, two, k)", UNKNOWN),
    "sliced from the first axis on, the bounds computed": Case(LAST + COMPUTED + "y = Slice (t, k, two)", UNKNOWN),
    "sliced, the bounds fed": Case("i = Cast <to = 7> (x)  y = Slice (c, i, two)", UNKNOWN, "1", {"c": R(0, 3, 2)}),
    "split": Case("y, b = Split <axis = 2> (x, a)", Apart(), weights={"a": [1, 2]}),
    "split, the second": Case("b, y = Split <axis = -1> (x, a)", Apart(), weights={"a": [1, 4]}),
    "split, by default": Case("y, b = Split (x, a)", UNKNOWN, weights={"a": [1, 3]}),
    "split samples, from the end": Case("y, b = Split <axis = -4> (x, a)", UNKNOWN, weights={"a": [1, 3]}),
    "split, the samples last": Case(LAST + "y, b = Split (t, a)", Apart(3), weights={"a": [1, 1]}),
    "padded": Case("y = Pad (x, p)", Apart(), weights={"p": [0, 0, 1, 0, 0, 0, 0, 2]}),
    "padded before the samples": Case("y = Pad (x, p)", UNKNOWN, weights={"p": [1, 0, 0, 0, 0, 0, 0, 0]}),
    "padded after the samples": Case("y = Pad (x, p)", UNKNOWN, weights={"p": [0, 0, 0, 0, 1, 0, 0, 0]}),
    "padded, the samples second": Case(SECOND + "y = Pad (t, p)", Apart(1), weights={"p": [1, 0, 0, 0, 1, 0, 0, 0]}),
    "padded after the samples, second": Case(SECOND + "y = Pad (t, p)", UNKNOWN, weights={"p": [0, 0, 0, 0, 0, 1, 0, 0]}),
    "padded with a number": Case("y = Pad (x, p, c)", Apart(), weights={"p": [0, 0, 1, 0, 0, 0, 0, 2], "c": R(0)}),
    "padded along axes": Case(
        "y = Pad (x, p, c, one)", UNKNOWN, weights={"p": [1, 1], "c": R(0)}, opset=18),
    "padded along all axes": Case(
        "y = Pad (x, p, c, a)", UNKNOWN, weights={"p": [0, 1, 1, 0, 0, 0, 0, 0], "c": R(0), "a": [3, 0, 1, 2]}, opset=18),
    "padded by attributes": Case("y = Pad <pads = [0, 0, 1, 0, 0, 0, 0, 2]> (x)", Apart(), opset=9),
    "padded by what is fed": Case("i = Cast <to = 7> (x)  y = Pad (c, i)", UNKNOWN, "2", {"c": R(0, 3)}),
    "tiled": Case("y = Tile (x, r)", Apart(), weights={"r": [1, 2, 1, 3]}),
    "tiled samples": Case("y = Tile (x, r)", UNKNOWN, weights={"r": [2, 1, 1, 1]}),
    "tiled, the samples last": Case(LAST + "y = Tile (t, r)", Apart(3), weights={"r": [2, 1, 1, 1]}),
    "tiled samples, last": Case(LAST + "y = Tile (t, r)", UNKNOWN, weights={"r": [1, 1, 1, 2]}),
}  # fmt: skip
PICKED = {
    "one": Case("y = Gather <axis = 1> (x, j)", Apart(), weights={"j": 1}),
    "one before": Case(LAST + "y = Gather (t, j)", Apart(2), weights={"j": 1}),
    "some before": Case(LAST + "y = Gather <axis = -3> (t, j)", Apart(3), weights={"j": [2, 0]}),
    "a table before": Case(LAST + "y = Gather <axis = 1> (t, j)", Apart(4), weights={"j": [[2, 0, 1], [1, 1, 1]]}),
    "a table after": Case(SECOND + "y = Gather <axis = 2> (t, j)", Apart(1), weights={"j": [[2, 0, 1], [1, 1, 1]]}),
    "samples": Case("y = Gather (x, j)", UNKNOWN, weights={"j": [2, 0]}),
    "samples from the end": Case(LAST + "y = Gather <axis = -1> (t, j)", UNKNOWN, weights={"j": [2, 0]}),
    "of each by its own numbers": Case(INDEX + "y = Gather <axis = 1> (x, i)", UNKNOWN),
    "two rows": Case(
        "r = Reshape (x, s)  t = Transpose (r)  y = Gather (t, j)", Apart(0, 2), weights={"s": [-1, 15], "j": 1}),
    "from a table": Case(INDEX + "y = Gather (c, i)", Apart(0), weights={"c": R(0, 6, 7)}),
    "from a table's second axis": Case(INDEX + "y = Gather <axis = 1> (c, i)", Apart(1), weights={"c": R(0, 6, 7)}),
    "from a table's last axis": Case(INDEX + "y = Gather <axis = -1> (c, i)", Apart(2), weights={"c": R(0, 6, 7, 8)}),
    "from a table, the samples second": Case(
        LAST + "i = ArgMax <axis = 0> (t)  y = Gather <axis = 1> (c, i)", Apart(4), weights={"c": R(0, 6, 7)}),
    "from a table by two rows each": Case(
        "r = Reshape (x, s)  i = ArgMax <axis = 1> (r)  y = Gather <axis = 1> (c, i)", Apart(1, 2),
        weights={"s": [-1, 15], "c": R(0, 6, 20)}),
    "from copies by each one's own numbers": Case(COPIES + INDEX + "y = Gather <axis = 1> (k, i)", UNKNOWN, weights=ROW),
}  # fmt: skip
ENLARGED = {
    "by scales": Case("y = Resize (x, e, f)", Apart(), weights={"e": R(0, 0), "f": np.float32([1, 1, 2, 2])}),
    "the samples by scales": Case("y = Resize (x, e, f)", UNKNOWN, weights={"e": R(0, 0), "f": np.float32([2, 1, 2, 2])}),
    "the samples second": Case(SECOND + "y = Resize (t, e, f)", Apart(1), weights={"e": R(0, 0), "f": np.float32([2, 1, 1, 1])}),
    "by scales without a region": Case('y = Resize (x, "", f)', Apart(), weights={"f": np.float32([1, 1, 2, 2])}),
    "by scales that are fed": Case('y = Resize (c, "", x)', UNKNOWN, "4", {"c": R(0, 1, 1, 2, 2)}),
    "by scales of some axes": Case('y = Resize <axes = [2, 3]> (x, "", f)', UNKNOWN, weights={"f": np.float32([2, 2])}, opset=18),
    "by sizes": Case('y = Resize (x, "", "", s)', Apart(), "4,2,3,5", {"s": [4, 2, 6, 5]}),
    "by sizes, the samples second": Case(SECOND + 'y = Resize (t, "", "", s)', UNKNOWN, "4,2,3,5", {"s": [2, 4, 6, 5]}),
    "by two inputs": Case("y = Resize (x, f)", Apart(), weights={"f": np.float32([1, 1, 2, 2])}, opset=10),
    "the samples by two inputs": Case("y = Resize (x, f)", UNKNOWN, weights={"f": np.float32([2, 1, 2, 2])}, opset=10),
    "once: by scales": Case("y = Upsample (x, f)", Apart(), weights={"f": np.float32([1, 1, 2, 2])}, opset=9),
    "once: by an attribute": Case("y = Upsample <scales = [1.0, 1.0, 2.0, 2.0]> (x)", Apart(), opset=7),
    "once: the samples by an attribute": Case("y = Upsample <scales = [2.0, 1.0, 2.0, 2.0]> (x)", UNKNOWN, opset=7),
}  # fmt: skip
WINDOWS = {
    "a convolution": Case("y = Conv (x, c)", Apart(), weights={"c": R(0, 4, 2, 2, 2)}),
    "a convolution of channels that are samples": Case(SECOND + "y = Conv (t, c)", UNKNOWN, "4,2,3,5", {"c": R(0, 3, 4, 1, 1)}),
    "a convolution by what is fed": Case("k = Reshape (x, s)  y = Conv (x, k)", UNKNOWN, "1,2,3,3", {"s": [1, 2, 3, 3]}),
    "a pooling": Case("y = MaxPool <kernel_shape = [2, 2]> (x)", Apart()),
    "where a pooling's largest lie": Case("m, y = MaxPool <kernel_shape = [2, 2]> (x)", UNKNOWN),
    "clipped": Case(LAST + "y = Clip (t, a, b)", Apart(3), weights={"a": np.float32(-1), "b": np.float32(1)}),
    "clipped by what is fed": Case('m = ReduceMean <keepdims = 0> (x)  y = Clip (x, m)', TOGETHER),
    "clipped by how many there are": Case(
        COUNTED + "f = Cast <to = 1> (n)  q = Squeeze (f)  y = Clip (x, q)", UNKNOWN, "N,2"),
    "dropped out, or not": Case("y, m = Dropout (x, a)", Apart(), weights={"a": np.float32(0.3)}),
    "dropped out": Case("y, m = Dropout (x, a, b)", UNKNOWN, weights={"a": np.float32(0.3), "b": np.array(True)}),
    "one scale": Case("y, s, k = DynamicQuantizeLinear (x)", TOGETHER),
    "one branch": Case(
        "m = ReduceMean <keepdims = 0> (x)  c = Greater (m, a)"
        "  y = If (c) <then_branch = f () => (o) { o = Neg (x) }, else_branch = h () => (p) { p = Mul (x, x) }>",
        TOGETHER, weights={"a": np.float32(0)}, judged=False),
    "a branch that is the same for all": Case(
        "y = If (a) <then_branch = f () => (o) { o = Neg (x) }, else_branch = h () => (p) { p = Mul (x, x) }>",
        UNKNOWN, weights={"a": np.array(True)}),
    "what no rule knows": Case("y = Trilu (x)", UNKNOWN),
}  # fmt: skip
NORMAL = {"g": np.ones(2, np.float32)}
NORMALISED = {
    "by constants": Case("y = BatchNormalization (x, g, g, g, g)", Apart(), weights=NORMAL),
    "by the batch": Case("y, m, v = BatchNormalization <training_mode = 1> (x, g, g, g, g)", TOGETHER, weights=NORMAL),
    "once: by the batch": Case("y, m, v, a, b = BatchNormalization (x, g, g, g, g)", TOGETHER, weights=NORMAL, opset=9, judged=False),
    "the samples second": Case(SECOND + "y = BatchNormalization (t, h, h, h, h)", UNKNOWN, "4,2,3,5", {"h": np.ones(4, np.float32)}),
    "by what is fed": Case("y = BatchNormalization (c, x, x, x, x)", UNKNOWN, "2", {"c": R(0, 1, 2, 3, 3)}),
    "of each by its own": Case("f = Flatten (x)  h = ReduceSum <keepdims = 0> (x, a)  y = BatchNormalization (x, h, h, h, h)", UNKNOWN, weights={"a": [1, 2, 3]}),
}  # fmt: skip


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=f"{kind}: {name}")
        for kind, cases in {
            "broadcast": BROADCAST, "reshaped": RESHAPED, "moved": MOVED, "reduced": REDUCED, "worked along": ALONG,
            "parts": PARTS, "picked": PICKED, "enlarged": ENLARGED, "normalised": NORMALISED, "windows": WINDOWS,
        }.items()
        for name, case in cases.items()
    ],
)  # fmt: skip
def test_where_the_samples_lie(case: Case) -> None:
    case.check()


def test_what_follows_is_named_by_the_node_that_lost_the_samples() -> None:
    """One that surely puts them together before one that is not known; of equals the first."""
    for nodes, expected in (
        ("a = Trilu (x)  b = Trilu (a)  y = Neg (b)", ("first", False)),
        ("[first] a = Trilu (x)  [second] b = Trilu (x)  y = Add (a, b)", ("first", False)),
        ("[first] a = Trilu (x)  [second] b = ReduceMean (x)  y = Add (a, b)", ("second", True)),
    ):
        place = places(onnxray.open(Case(nodes, UNKNOWN).model()).graph)["y"]
        assert isinstance(place, Lost)
        assert (place.node, place.sure) == (expected[0] if "[" in nodes else "Trilu_0", expected[1])


@pytest.mark.parametrize("node", ["y = Add (x, x)", "y = Max (x)", "y = Mul (x, c)"])
def test_of_operands_of_unknown_rank_nothing_is_said(node: str) -> None:
    model = models.parse(f"g (float x) => (float z) {{ {node}  z = Neg (y) }}", {"c": R(0, 3)})
    model.graph.input[0].type.tensor_type.ClearField("shape")
    model.graph.output[0].type.tensor_type.ClearField("shape")
    found = places(onnxray.open(model).graph)
    assert found["x"] == Apart()
    assert isinstance(found["y"], Lost)
    assert not found["y"].sure

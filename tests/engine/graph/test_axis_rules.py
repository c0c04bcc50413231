"""Where rows and columns go, operator by operator; numbers that are moved say whether it is true."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import pytest

import onnxray
from onnxray.graph.axis_factors import Axes, Axis, Factor, picture
from onnxray.graph.axis_rules import track
from onnxray.graph.value_shapes import shapes_at
from support import models

R = models.random
OTHER = np.float32(-7)  # what no row, column or sample is called
NUMBERS = {
    "minus": [-1], "zero": [0], "one": [1], "two": [2], "three": [3], "four": [4], "far": [99], "token_25": [25], "one_two": [1, 2], "class": np.full((2, 1, 3), OTHER), "other": OTHER,
    "flat": [2, 3, 24], "jumbled": [9, 16], "whole": [2, 3, 4, 6],
}  # fmt: skip
TOKENS = "f = Reshape (x, flat)  t = Transpose <perm = [0, 2, 1]> (f)  "  # N, H W, C
JOINED = TOKENS + "j = Concat <axis = 1> (class, t, class)  "  # N, one, H W, one, C
WINDOWS = "s = Reshape (x, split)  w = Transpose <perm = [0, 2, 4, 1, 3, 5]> (s)  "
LOST = "l = Reshape (x, jumbled)  m = Transpose (l)  u = Reshape (m, whole)  "
SPLIT = {"split": [2, 3, 2, 2, 2, 3]}


def model(
    nodes: str, weights: Mapping[str, Any], shape: tuple[int, ...] = (2, 3, 4, 6), opset: int = 17
) -> onnx.ModelProto:
    parsed = models.parse(f"g (float{list(shape)} x) => (float z) {{ {nodes}  z = Cast <to = 1> (y) }}", opset=opset)
    read = {name for node in parsed.graph.node for name in node.input}
    arrays = {name: np.asarray(array) for name, array in {**NUMBERS, **weights}.items() if name in read}
    parsed.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in arrays.items())
    parsed.graph.output[0].type.tensor_type.ClearField("shape")
    return parsed


def axes_of(made: onnx.ModelProto, shape: tuple[int, ...] = (2, 3, 4, 6), layout: str = "NCHW") -> Axes | None:
    """The axes of y."""
    graph = onnxray.open(made).graph
    shapes = {name: tuple(tensor.dims) for name, tensor in graph.initializers.items()} | shapes_at(graph, {"x": shape})
    return track(graph, shapes, {"x": picture(shape, layout)}).get("y")


def spelled(axes: Axes | None) -> str:
    """N2 H2/2 H2.W6: samples; every second row; rows and columns together. T1+H4.W6+0: tokens, one before them."""
    return "unknown" if axes is None else " ".join(map(spelled_axis, axes))


def spelled_axis(axis: Axis) -> str:
    return ".".join(map(spelled_factor, axis)) or "1"


def spelled_factor(factor: Factor) -> str:
    if factor.letter == "T":
        return f"T{factor.before}+{spelled_axis(factor.content)}+{factor.after}"
    return f"{factor.letter}{factor.size}" + (f"/{factor.stride}" if factor.stride > 1 else "")


def coordinates(axes: Axes, letter: str) -> np.ndarray:
    """How far along a letter each place of a value lies; -1 at tokens that are not the picture's."""
    along = []
    for axis in axes:
        steps = np.zeros(1, np.int64)
        for factor in axis:
            steps = (steps[:, None] + steps_of(factor, letter)[None]).reshape(-1)
        along.append(steps)
    total: np.ndarray = sum(np.ix_(*along), start=np.zeros((), np.int64))
    return np.where(total < 0, -1, total)


def steps_of(factor: Factor, letter: str) -> np.ndarray:
    if factor.letter == "T":
        inner = coordinates((factor.content,), letter)
        return np.pad(inner, (factor.before, factor.after), constant_values=-(10**6))
    return np.arange(factor.size) * (factor.stride if factor.letter == letter else 0)


MOVED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "as it is": ("y = Identity (x)", "N2 C3 H4 W6", {}),
    "flat": ("y = Reshape (x, flat)", "N2 C3 H4.W6", {}),
    "flat, by Flatten": ("y = Flatten (x)", "N2 C3.H4.W6", {}),
    "tokens": (TOKENS + "y = Identity (t)", "N2 H4.W6 C3", {}),
    "turned": ("y = Transpose (x)", "W6 H4 C3 N2", {}),
    "channels last": ("y = Transpose <perm = [0, 2, 3, 1]> (x)", "N2 H4 W6 C3", {}),
    "split": ("y = Reshape (x, split)", "N2 C3 H2/2 H2 W2/3 W3", SPLIT),
    "split and merged": ("s = Reshape (x, split)  y = Reshape (s, a)", "N2 C3 H4 W6", {**SPLIT, "a": [2, 3, 4, 6]}),
    "split in parts": ("s = Reshape (x, split)  y = Reshape (s, a)", "N2 C3 H2/2 H2.W2/3 W3", {**SPLIT, "a": [2, 3, 2, 4, 3]}),
    "windows": (WINDOWS + "y = Identity (w)", "N2 H2/2 W2/3 C3 H2 W3", SPLIT),
    "windows as samples": (WINDOWS + "y = Reshape (w, a)", "N2.H2/2.W2/3 C3 H2 W3", {**SPLIT, "a": [8, 3, 2, 3]}),
    "windows as channels": (WINDOWS + "y = Reshape (w, a)", "N2 H2/2 W2/3 C3.H2.W3", {**SPLIT, "a": [2, 2, 2, 18]}),
    "rows merged behind samples": (
        "s = Reshape (x, a)  w = Transpose <perm = [0, 2, 3, 1, 4]> (s)  y = Reshape (w, b)", "N2.H4 C3 W6",
        {"a": [2, 3, 2, 2, 6], "b": [8, 3, 6]}),
    "windows back": (
        WINDOWS + "v = Reshape (w, a)  u = Reshape (v, b)  q = Transpose <perm = [0, 3, 1, 4, 2, 5]> (u)  y = Reshape (q, c)",
        "N2 C3 H4 W6", {**SPLIT, "a": [8, 18], "b": [2, 2, 2, 3, 2, 3], "c": [2, 3, 4, 6]}),
    "neighbours that do not continue each other": (
        "s = Reshape (x, split)  w = Transpose <perm = [0, 1, 3, 2, 4, 5]> (s)  y = Reshape (w, a)", "N2 C3 H2.H2/2 W6",
        {**SPLIT, "a": [2, 3, 4, 6]}),
    "lengths of one": ("y = Reshape (x, a)", "1 N2 C3 1 H4 W6 1", {"a": [1, 2, 3, 1, 4, 6, 1]}),
    "wider": ("y = Unsqueeze (x, two)", "N2 C3 1 H4 W6", {}),
    "some channels": ("y = Slice (x, one, three, one)", "N2 C2 H4 W6", {}),
    "some channels from the end": ("y = Slice (x, minus, far, one)", "N2 1 H4 W6", {}),
    "all rows": ("y = Slice (x, zero, four, two)", "N2 C3 H4 W6", {}),
    "all rows and some channels": ("y = Slice (x, a, b)", "N2 C2 H4 W6", {"a": [0, 1], "b": [9, 9]}),
    "in steps of one": ("y = Slice (x, one, three, one, one)", "N2 C2 H4 W6", {}),
    "a split of channels": ("y, b = Split <axis = 1> (x, one_two)", "N2 1 H4 W6", {}),
    "the rest of the channels": ("b, y = Split <axis = -3> (x, one_two)", "N2 C2 H4 W6", {}),
    "one channel": ("y = Gather <axis = 1> (x, a)", "N2 H4 W6", {"a": 1}),
    "chosen channels": ("y = Gather <axis = 1> (x, a)", "N2 C2 H4 W6", {"a": [2, 0]}),
    "a list of one channel": ("y = Gather <axis = 1> (x, one)", "N2 1 H4 W6", {}),
    "channels beside channels": ("y = Concat <axis = 1> (x, x)", "N2 C6 H4 W6", {}),
    "channels beside constants": ("y = Concat <axis = 1> (x, k)", "N2 C5 H4 W6", {"k": np.full((2, 2, 4, 6), OTHER)}),
    "channels behind constants": ("y = Concat <axis = 1> (k, x)", "N2 C5 H4 W6", {"k": np.full((2, 2, 4, 6), OTHER)}),
    "tokens between others": (JOINED + "y = Identity (j)", "N2 T1+H4.W6+1 C3", {}),
    "tokens after others": (TOKENS + "y = Concat <axis = -2> (class, class, t)", "N2 T2+H4.W6+0 C3", {}),
    "tokens before others": (TOKENS + "y = Concat <axis = 1> (t, class)", "N2 T0+H4.W6+1 C3", {}),
    "tokens between others twice": (JOINED + "y = Concat <axis = 1> (class, j, class)", "N2 T2+H4.W6+2 C3", {}),
    "tokens without the others": (JOINED + "y = Slice (j, one, token_25, one)", "N2 H4.W6 C3", {}),
    "tokens without the first": (JOINED + "y = Slice (j, one, far, one)", "N2 T0+H4.W6+1 C3", {}),
    "tokens without the last": (JOINED + "y = Slice (j, zero, minus, one)", "N2 T1+H4.W6+0 C3", {}),
    "all tokens": (JOINED + "y = Slice (j, zero, far, one)", "N2 T1+H4.W6+1 C3", {}),
    "the first token": (JOINED + "y = Slice (j, zero, one, one)", "N2 1 C3", {}),
    "the last token": (JOINED + "y = Slice (j, minus, far, one)", "N2 1 C3", {}),
    "the last of two tokens behind": (
        TOKENS + "j = Concat <axis = 1> (t, class, class)  y = Slice (j, minus, far, one)", "N2 1 C3", {}),
    "the token behind two in front": (
        TOKENS + "j = Concat <axis = 1> (class, class, t, class)  y = Slice (j, minus, far, one)", "N2 1 C3", {}),
    "the tokens of three": (JOINED + "a, y, b = Split <axis = 1> (j, parts)", "N2 H4.W6 C3", {"parts": [1, 24, 1]}),
    "the last of three": (JOINED + "a, b, y = Split <axis = 1> (j, parts)", "N2 1 C3", {"parts": [1, 24, 1]}),
    "the class token": (JOINED + "y = Gather <axis = 1> (j, a)", "N2 C3", {"a": 0}),
    "a list of the class token": (JOINED + "y = Gather <axis = 1> (j, zero)", "N2 1 C3", {}),
    "a list of the last token": (JOINED + "y = Gather <axis = 1> (j, minus)", "N2 1 C3", {}),
    "tokens in heads": (JOINED + "y = Reshape (j, a)", "N2 T1+H4.W6+1 1 C3", {"a": [2, 26, 1, 3]}),
    "tokens among constants": (TOKENS + "y = Pad (t, a, other)", "N2 T2+H4.W6+1 C3", {"a": [0, 2, 0, 0, 1, 0]}),
    "more tokens among constants": (JOINED + "y = Pad (j, a, other)", "N2 T2+H4.W6+1 C3", {"a": [0, 1, 0, 0, 0, 0]}),
    "more channels": (TOKENS + "y = Pad (t, a, other)", "N2 H4.W6 C5", {"a": [0, 0, 2, 0, 0, 0]}),
}  # fmt: skip


@pytest.mark.parametrize("kind", MOVED)
def test_numbers_that_are_moved_lie_where_the_axes_say(kind: str) -> None:
    nodes, expected, weights = MOVED[kind]
    made = model(nodes, weights)
    axes = axes_of(made)
    assert spelled(axes) == expected
    assert axes is not None
    own = np.indices((2, 3, 4, 6)).astype(np.float32)
    for letter, numbers in zip("NHW", (own[0], own[2], own[3])):
        if any(factor.letter in {letter, "T"} for factor in itertools.chain(*axes)):
            (moved,) = models.run(made, {"x": numbers}, ["y"])
            along = np.broadcast_to(coordinates(axes, letter), moved.shape)
            np.testing.assert_array_equal(along[moved != OTHER], moved[moved != OTHER])


COMPUTED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "with a constant": ("y = Add (x, c)", "N2 C3 H4 W6", {"c": R(0, 3, 1, 1)}),
    "with a picture of constants": ("y = Mul (c, x)", "N2 C3 H4 W6", {"c": R(0, 4, 6)}),
    "with what is pooled": ("p = GlobalAveragePool (x)  y = Mul (x, p)", "N2 C3 H4 W6", {}),
    "with what is pooled, first": ("p = GlobalAveragePool (x)  y = Mul (p, x)", "N2 C3 H4 W6", {}),
    "pooled, with a picture of constants": ("p = GlobalAveragePool (x)  y = Mul (p, c)", "unknown", {"c": R(0, 4, 6)}),
    "with fewer axes": ("m = ReduceMean <axes = [0, 1], keepdims = 0> (x)  y = Add (x, m)", "N2 C3 H4 W6", {}),
    "rows with columns": (
        "q = MaxPool <kernel_shape = [1, 3]> (x)  t = Transpose <perm = [0, 1, 3, 2]> (q)  y = Add (q, t)", "unknown", {}),
    "with a mixture of all places": (TOKENS + "m = MatMul (c, t)  y = Add (m, t)", "N2 H4.W6 C3", {"c": R(0, 24, 24)}),
    "with what cannot be told": (LOST + "y = Add (u, x)", "N2 C3 H4 W6", {}),
    "normalised": ("y = LayerNormalization (x, c)", "N2 C3 H4 W6", {"c": R(0, 6)}),
    "a softmax": ("y = Softmax <axis = 2> (x)", "N2 C3 H4 W6", {}),
    "in smaller steps": ("y = MaxPool <kernel_shape = [2, 2], strides = [2, 3]> (x)", "N2 C3 H2 W2", {}),
    "a convolution": ("y = Conv <kernel_shape = [2, 2]> (x, c)", "N2 C5 H3 W5", {"c": R(0, 5, 3, 2, 2)}),
    "a whole picture": ("y = GlobalMaxPool (x)", "N2 C3 1 1", {}),
    "enlarged": ('y = Resize (x, "", c)', "N2 C3 H8 W18", {"c": np.float32([1, 1, 2, 3])}),
    "a convolution of rows and columns swapped": (
        "t = Transpose <perm = [0, 1, 3, 2]> (x)  y = Conv <kernel_shape = [2, 2]> (t, c)", "unknown", {"c": R(0, 5, 3, 2, 2)}),
    "a convolution of windows": (WINDOWS + "v = Reshape (w, a)  y = Conv <kernel_shape = [2, 2]> (v, c)", "unknown",
        {**SPLIT, "a": [8, 3, 2, 3], "c": R(0, 5, 3, 2, 2)}),
    "a convolution of parts of rows": (
        "s = Reshape (x, split)  w = Transpose <perm = [0, 1, 3, 5, 2, 4]> (s)  v = Reshape (w, a)  y = Conv <kernel_shape = [1, 1]> (v, c)",
        "N2 C5 H2 W2", {**SPLIT, "a": [2, 18, 2, 2], "c": R(0, 5, 18, 1, 1)}),
    "a convolution of parts of rows, inside out": (
        "s = Reshape (x, split)  w = Transpose <perm = [0, 1, 2, 4, 3, 5]> (s)  v = Reshape (w, a)  y = Conv <kernel_shape = [1, 1]> (v, c)",
        "unknown", {**SPLIT, "a": [2, 12, 2, 3], "c": R(0, 5, 12, 1, 1)}),
    "a convolution of every second row": (
        "s = Reshape (x, a)  w = Transpose <perm = [0, 3, 1, 2, 4]> (s)  v = Reshape (w, b)  y = Conv <kernel_shape = [1, 1]> (v, c)",
        "unknown", {"a": [2, 3, 2, 2, 6], "b": [4, 3, 2, 6], "c": R(0, 5, 3, 1, 1)}),
    "a convolution of tokens as channels": (
        JOINED + "m = ReduceMean <axes = [2]> (j)  v = Unsqueeze (m, three)  y = Conv <kernel_shape = [1, 1]> (v, c)", "unknown", {"c": R(0, 5, 26, 1, 1)}),
    "a convolution of places as channels": (
        TOKENS + "m = ReduceMean <axes = [2]> (t)  v = Unsqueeze (m, three)  y = Conv <kernel_shape = [1, 1]> (v, c)", "unknown", {"c": R(0, 5, 24, 1, 1)}),
    "a convolution of tokens": (TOKENS + "v = Unsqueeze (t, three)  y = Conv <kernel_shape = [1, 1]> (v, c)", "unknown",
        {"c": R(0, 5, 24, 1, 1)}),
    "a convolution along one axis": ("f = Reshape (x, flat)  y = Conv <kernel_shape = [2]> (f, c)", "unknown", {"c": R(0, 5, 3, 2)}),
    "a convolution of what cannot be told": (LOST + "y = Conv <kernel_shape = [2, 2], pads = [0, 0, 1, 1]> (u, c)", "N2 C5 H4 W6",
        {"c": R(0, 5, 3, 2, 2)}),
    "a convolution of single places of what cannot be told": (LOST + "y = Conv <kernel_shape = [1, 1]> (u, c)", "unknown", {"c": R(0, 5, 3, 1, 1)}),
    "a convolution of what cannot be told, of another form": (LOST + "y = Conv <kernel_shape = [2, 2], strides = [1, 3]> (u, c)", "unknown",
        {"c": R(0, 5, 3, 2, 2)}),
    "a convolution of what cannot be told, of almost that form": (LOST + "y = Conv <kernel_shape = [2, 2]> (u, c)", "N2 C5 H3 W5",
        {"c": R(0, 5, 3, 2, 2)}),
    "a convolution of what cannot be told, of other samples": (
        LOST + "v = Reshape (u, a)  y = Conv <kernel_shape = [2, 2]> (v, c)", "unknown", {"a": [6, 1, 4, 6], "c": R(0, 5, 1, 2, 2)}),
    "rows that do not split": ("y = Reshape (x, a)", "unknown", {"a": [2, 3, 3, 8]}),
    "channels across samples": ("y = Reshape (x, a)", "unknown", {"a": [3, 2, 4, 6]}),
    "tokens that are split": (JOINED + "y = Reshape (j, a)", "unknown", {"a": [2, 2, 13, 3]}),
    "the mean of rows": ("y = ReduceMean <axes = [2]> (x)", "N2 C3 1 W6", {}),
    "the mean of rows, without them": ("y = ReduceMean <axes = [-2], keepdims = 0> (x)", "N2 C3 W6", {}),
    "a sum along an input": ("y = ReduceSum (x, one_two)", "N2 1 1 W6", {}),
    "a sum of all": ("y = ReduceSum (x)", "1 1 1 1", {}),
    "a sum along what is computed": ("i = Cast <to = 7> (c)  k = Sub (i, one)  n = NonZero (k)  a = ReduceMax <keepdims = 0> (n)"
        "  b = Unsqueeze (a, zero)  y = ReduceSum (x, b)", "unknown", {"c": [2, 2, 2]}),
    "a product of tokens": (TOKENS + "y = MatMul (t, c)", "N2 H4.W6 C5", {"c": R(0, 3, 5)}),
    "tokens mixed": (TOKENS + "y = MatMul (c, t)", "N2 C5 C3", {"c": R(0, 5, 24)}),
    "tokens with tokens": ("f = Reshape (x, flat)  " + TOKENS.split("  ", 1)[1] + "y = MatMul (t, f)", "N2 H4.W6 H4.W6", {}),
    "a product of a vector": ("v = ReduceMean <axes = [0, 2, 3], keepdims = 0> (x)  y = MatMul (c, v)", "unknown", {"c": R(0, 5, 3)}),
    "a product with another number of axes": (
        "m = ReduceMean <axes = [0], keepdims = 0> (x)  r = Transpose <perm = [0, 2, 1]> (m)  y = MatMul (x, r)", "unknown", {}),
    "a product of fewer axes": ("m = ReduceMean <axes = [0], keepdims = 0> (x)  u = Transpose <perm = [0, 1, 3, 2]> (x)  y = MatMul (m, u)", "unknown", {}),
    "a linear layer": ("f = Flatten <axis = 3> (x)  y = Gemm (f, c)", "N2.C3.H4 C5", {"c": R(0, 6, 5)}),
    "a linear layer, turned": ("f = Flatten <axis = 3> (x)  y = Gemm <transA = 1> (f, c)", "unknown", {"c": R(0, 24, 5)}),
    "a linear layer of constants": ("f = Flatten <axis = 3> (x)  y = Gemm <transB = 1> (c, f)", "unknown", {"c": R(0, 5, 6)}),
    "a linear layer of both": ("f = Flatten <axis = 3> (x)  y = Gemm <transB = 1> (f, f)", "unknown", {}),
    "channels of rows beside those of columns": (
        "q = MaxPool <kernel_shape = [1, 3]> (x)  t = Transpose <perm = [0, 1, 3, 2]> (q)  y = Concat <axis = 1> (q, t)", "unknown", {}),
    "rows beside rows": ("y = Concat <axis = 2> (x, x)", "unknown", {}),
    "channels beside what cannot be told": (LOST + "y = Concat <axis = 1> (x, u)", "unknown", {}),
    "tokens beside what cannot be told": (TOKENS + LOST + "v = Reshape (u, a)  y = Concat <axis = 1> (t, v)", "unknown", {"a": [2, 24, 3]}),
    "tokens beside one that cannot be told": (
        TOKENS + LOST + "v = Reshape (u, a)  w = Slice (v, zero, one, one)  y = Concat <axis = 1> (w, t)", "N2 T1+H4.W6+0 C3", {"a": [2, 24, 3]}),
    "some rows": ("y = Slice (x, one, three, two)", "unknown", {}),
    "some columns": ("y = Slice (x, zero, three, three)", "unknown", {}),
    "every second channel": ("y = Slice (x, zero, three, one, two)", "unknown", {}),
    "channels from what is computed": (
        "p = ReduceMax <keepdims = 0> (x)  i = Cast <to = 7> (p)  k = Unsqueeze (i, zero)  y = Slice (x, k, three, one)", "unknown", {}),
    "tokens cut through": (JOINED + "y = Slice (j, zero, four, one)", "unknown", {}),
    "a split of rows": ("y, b = Split <axis = 2> (x, a)", "unknown", {"a": [1, 3]}),
    "one row": ("y = Gather <axis = 2> (x, a)", "N2 C3 W6", {"a": 1}),
    "chosen rows": ("y = Gather <axis = 2> (x, a)", "unknown", {"a": [1, 0]}),
    "a list of one row": ("y = Gather <axis = 2> (x, a)", "unknown", {"a": [1]}),
    "a table of channels": ("y = Gather <axis = 1> (x, a)", "unknown", {"a": [[1, 0]]}),
    "channels by what is computed": ("p = ReduceMax <keepdims = 0> (x)  i = Cast <to = 7> (p)  y = Gather <axis = 1> (x, i)", "unknown", {}),
    "more rows": ("y = Pad (x, a)", "N2 C3 H7 W7", {"a": [0, 0, 1, 0, 0, 0, 2, 1]}),
    "fewer rows": ("y = Pad (x, a)", "N2 C3 H3 W6", {"a": [0, 0, -1, 0, 0, 0, 0, 0]}),
    "mirrored tokens": (TOKENS + 'y = Pad <mode = "reflect"> (t, a)', "unknown", {"a": [0, 2, 0, 0, 1, 0]}),
    "fewer tokens": (JOINED + "y = Pad (j, a)", "unknown", {"a": [0, -1, 0, 0, 0, 0]}),
    "fewer tokens at the end": (JOINED + "y = Pad (j, a)", "unknown", {"a": [0, 0, 0, 0, -1, 0]}),
}  # fmt: skip


@pytest.mark.parametrize("kind", COMPUTED)
def test_rows_and_columns_after_what_is_computed(kind: str) -> None:
    nodes, expected, weights = COMPUTED[kind]
    assert spelled(axes_of(model(nodes, weights))) == expected


OF_OTHER_INPUTS = {
    "channels last": ("y = Slice <starts = [1], ends = [3], axes = [3]> (x)", "N2 H4 W6 C2", "NHWC", (2, 4, 6, 3), 9),
    "by attributes": ("y = Slice <starts = [0, 1], ends = [2, 3]> (x)", "N2 C2 H4 W6", "NCHW", (2, 3, 4, 6), 9),
    "axes by an attribute": ("y = Squeeze <axes = [1]> (x)", "N2 H4 W6", "NCHW", (2, 1, 4, 6), 11),
    "padding by an attribute": ("y = Pad <pads = [0, 0, 1, 0, 0, 0, 0, 0]> (x)", "N2 C3 H5 W6", "NCHW", (2, 3, 4, 6), 9),
    "padding of tokens by an attribute": (
        "f = Reshape (x, flat)  y = Pad <pads = [0, 0, 1, 0, 0, 2]> (f)", "N2 C3 T1+H4.W6+2", "NCHW", (2, 3, 4, 6), 9),
    "padding along axes": (
        "f = Reshape (x, flat)  y = Pad (f, one_two, other, two)", "N2 C3 T1+H4.W6+2", "NCHW", (2, 3, 4, 6), 18),
    "one sample": ("y = Reshape (x, a)", "N1 1 C3 H4.W6", "NCHW", (1, 3, 4, 6), 17),
    "one sample among channels": ("y = Reshape (x, b)", "N1.C3 H4 W6", "NCHW", (1, 3, 4, 6), 17),
    "one row": ("y = Relu (x)", "N2 C3 1 W6", "NCHW", (2, 3, 1, 6), 17),
    "a part of the samples": ("y, r = Split (x, e)", "1 C3 H4 W6", "NCHW", (2, 3, 4, 6), 17),
    "one of the samples": ("y = Gather (x, g)", "1 C3 H4 W6", "NCHW", (2, 3, 4, 6), 17),
    "a linear layer, turned": ("f = Flatten <axis = 3> (x)  y = Gemm <transA = 1> (f, d)", "unknown", "NCHW", (1, 1, 6, 6), 17),
    "attention of what cannot be told": (LOST + "y = Attention (u, u, c)", "unknown", "NCHW", (2, 3, 4, 6), 23),
    "attention": ("y = Attention (x, x, c)", "N2 C3 H4 C5", "NCHW", (2, 3, 4, 6), 23),
}  # fmt: skip


@pytest.mark.parametrize("kind", OF_OTHER_INPUTS)
def test_rows_and_columns_of_other_inputs_and_versions(kind: str) -> None:
    nodes, expected, layout, shape, opset = OF_OTHER_INPUTS[kind]
    weights = {"a": [1, 1, 3, 24], "b": [3, 4, 6], "c": R(0, 2, 3, 4, 5), "d": R(0, 6, 6), "e": [1, 1], "g": [1]}
    assert spelled(axes_of(model(nodes, weights, shape, opset), shape, layout)) == expected

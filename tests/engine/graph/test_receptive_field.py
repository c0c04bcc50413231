"""The geometry of windows: against counting, and against what changes when ONNX Runtime is fed another row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import onnxray
from onnxray.graph.receptive_field import Field, Reach, local_field, pad_constants
from onnxray.graph.value_shapes import shapes_at
from support import models

R = models.random
SIDE = 12
LAST = "z = Relu (y)"


@pytest.mark.parametrize(
    "reach", [Reach(), Reach(2, -3, 1), Reach(3, 0, 4), Reach(2, 5, 5), Reach(1, -2, 2), Reach(4, 1, 1)]
)
def test_what_is_touched_and_read_by_counting(reach: Reach) -> None:
    length, inputs = 7, 16
    windows = [range(o * reach.stride + reach.low, o * reach.stride + reach.high + 1) for o in range(length)]
    for start in range(inputs):
        for stop in range(start + 1, inputs + 1):
            hit = [o for o, window in enumerate(windows) if any(start <= place < stop for place in window)]
            first, last = reach.touched(start, stop, length)
            assert list(range(first, last)) == hit
    for start in range(length):
        for stop in range(start + 1, length + 1):
            read = [place for place in range(inputs) if windows[start][0] <= place <= windows[stop - 1][-1]]
            assert list(range(*reach.read(start, stop, inputs))) == read


@pytest.mark.parametrize("inner", [Reach(), Reach(2, -3, 1), Reach(4, 1, 6)])
@pytest.mark.parametrize("step", [(1, 0, 0), (2, -1, 1), (3, -2, 4), (1, -4, -1)])
def test_a_reach_through_another(inner: Reach, step: tuple[int, int, int]) -> None:
    """Output o reads the inner values o s + low to o s + high, and so what these read; and back."""
    stride, low, high = step
    outer = inner.after(stride, low, high)
    for o in range(-2, 5):
        read = [
            k * inner.stride + offset
            for k in range(o * stride + low, o * stride + high + 1)
            for offset in (inner.low, inner.high)
        ]
        assert (min(read), max(read)) == (o * outer.stride + outer.low, o * outer.stride + outer.high)
    assert repr(outer.beyond(inner)) == repr(Reach(stride, low, high))  # whole numbers: they cut arrays


def field(nodes: str, weights: dict[str, Any], opset: int = 17) -> tuple[Field, Any, dict[str, tuple[int, ...]]]:
    model = models.parse(
        f"g (float[1,3,{SIDE},{SIDE}] x) => (float[A,B,C,D] z) {{ {nodes}  {LAST} }}", weights, opset=opset
    )
    graph = onnxray.open(model).graph
    shapes = shapes_at(graph, {"x": (1, 3, SIDE, SIDE)})
    constants = {name: np.asarray(array) for name, array in weights.items() if array.dtype == np.int64}
    return local_field(graph, "x", ["z"], shapes, constants), model, shapes


W = {"w": np.abs(R(0, 5, 3, 3, 3)) + 0.1, "v": np.abs(R(1, 5, 5, 1, 2)) + 0.1}
LOCAL: dict[str, tuple[str, tuple[int, int, int], tuple[int, int, int], dict[str, Any]]] = {
    "a convolution": ("y = Conv (x, w)", (1, 0, 2), (1, 0, 2), W),
    "with a kernel that is said": ("y = Conv <kernel_shape = [3, 3], pads = [1, 2, 0, 1]> (x, w)", (1, -1, 1), (1, -2, 0), W),
    "in steps": ("y = Conv <strides = [2, 3], pads = [1, 0, 1, 0]> (x, w)", (2, -1, 1), (3, 0, 2), W),
    "with holes": ("y = Conv <dilations = [3, 2], pads = [2, 0, 0, 0]> (x, w)", (1, -2, 4), (1, 0, 4), W),
    "one after the other": (
        "a = Conv <strides = [2, 2], pads = [1, 1, 1, 1]> (x, w)  y = Conv <strides = [1, 2]> (a, v)", (2, -1, 1), (4, -1, 3), W),
    "without padding, so called": ('y = Conv <auto_pad = "VALID"> (x, w)', (1, 0, 2), (1, 0, 2), W),
    "a mean": ("y = AveragePool <kernel_shape = [2, 3], strides = [2, 1]> (x)", (2, 0, 1), (1, 0, 2), {}),
    "a largest": ("y = MaxPool <kernel_shape = [1, 3], strides = [1, 2], dilations = [1, 2]> (x)", (1, 0, 0), (2, 0, 4), {}),
    "number by number": ("a = Exp (x)  b = Mul (a, c)  y = Add (b, x)", (1, 0, 0), (1, 0, 0), {"c": R(0, 3, 1, 1)}),
    "with one number": ("y = Mul (x, c)", (1, 0, 0), (1, 0, 0), {"c": R(0)}),
    "two ways": ("a = Conv <pads = [1, 1, 1, 1]> (x, w)  b = Conv (x, u)  y = Add (a, b)", (1, -1, 1), (1, -1, 1),
        {**W, "u": np.abs(R(2, 5, 3, 1, 1)) + 0.1}),
    "two ways, side by side": ("a = AveragePool <kernel_shape = [3, 1]> (x)  c = Neg (a)  y = Concat <axis = 1> (a, c)",
        (1, 0, 2), (1, 0, 0), {}),
    "ways of other ends": (
        "a = AveragePool <kernel_shape = [1, 3], pads = [0, 2, 0, 0]> (x)  b = AveragePool <kernel_shape = [3, 1], pads = [0, 0, 2, 0]> (x)"
        "  y = Concat <axis = 1> (a, b)", (1, 0, 2), (1, -2, 0), {}),
    "padded": ("a = Pad (x, p)  y = Conv (a, w)", (1, -2, 0), (1, -1, 1), {**W, "p": np.int64([0, 0, 2, 1, 0, 0, 1, 3])}),
    "padded with a number": ("y = Pad (x, p, c)", (1, -1, -1), (1, 0, 0), {"p": np.int64([0, 0, 1, 0, 0, 0, 1, 0]), "c": np.float32(0.5)}),
    "normalised by constants": ("y = BatchNormalization (x, c, c, c, d)", (1, 0, 0), (1, 0, 0), {"c": R(0, 3), "d": np.abs(R(1, 3))}),
}  # fmt: skip


@pytest.mark.parametrize("kind", LOCAL)
def test_a_row_or_column_changes_what_it_reaches(kind: str) -> None:
    nodes, rows, columns, weights = LOCAL[kind]
    found, model, shapes = field(nodes, weights)
    point = {point.name: point for point in found.points}["y"]
    assert (point.rows, point.columns) == (Reach(*rows), Reach(*columns))
    x = np.abs(R(5, 1, 3, SIDE, SIDE))
    before = models.run(model, {"x": x}, ["y"])[0]
    for axis, reach in ((2, point.rows), (3, point.columns)):
        for place in range(SIDE):
            other = x.copy()
            np.moveaxis(other, axis, 0)[place] += 9
            changed = (models.run(model, {"x": other}, ["y"])[0] != before).any(axis=tuple({0, 1, 2, 3} - {axis}))
            touched = np.zeros(shapes["y"][axis], bool)
            touched[slice(*reach.touched(place, place + 1, shapes["y"][axis]))] = True
            assert not (changed & ~touched).any()
            if "MaxPool" not in nodes and "dilations" not in nodes:
                np.testing.assert_array_equal(changed, touched)


NOT_LOCAL: dict[str, tuple[str, dict[str, Any]]] = {
    "padding that depends on the size": ('y = Conv <auto_pad = "SAME_LOWER"> (x, w)', W),
    "places counted column by column": ("y = MaxPool <kernel_shape = [2, 2], storage_order = 1> (x)", {}),
    "the largest and where it is": ("y, p = MaxPool <kernel_shape = [2, 2]> (x)  q = Cast <to = 1> (p)  r = Add (y, q)", {}),
    "a mirrored edge": ('y = Pad <mode = "reflect"> (x, p)', {"p": np.int64([0, 0, 1, 1, 0, 0, 1, 1])}),
    "more samples": ("y = Pad (x, p)", {"p": np.int64([1, 0, 0, 0, 0, 0, 0, 0])}),
    "more samples behind": ("y = Pad (x, p)", {"p": np.int64([0, 0, 0, 0, 1, 0, 0, 0])}),
    "more channels": ("y = Pad (x, p)", {"p": np.int64([0, 1, 0, 0, 0, 0, 0, 0])}),
    "more channels behind": ("y = Pad (x, p)", {"p": np.int64([0, 0, 0, 0, 0, 1, 0, 0])}),
    "fewer rows": ("y = Pad (x, p)", {"p": np.int64([0, 0, -1, 0, 0, 0, 0, 0])}),
    "fewer columns behind": ("y = Pad (x, p)", {"p": np.int64([0, 0, 0, 0, 0, 0, 0, -1])}),
    "padding by what is not known": ("n = NonZero (f)  p = Reshape (n, e)  y = Pad (x, p)", {
        "f": np.ones(8, np.float32), "e": np.int64([-1])}),
    "one below the other": ("y = Concat <axis = 2> (x, x)", {}),
    "beside a constant": ("y = Concat <axis = 1> (x, c)", {"c": R(0, 1, 2, SIDE, SIDE)}),
    "a number for each row": ("y = Mul (x, c)", {"c": R(0, SIDE, 1)}),
    "a number for each column": ("y = Mul (x, c)", {"c": R(0, SIDE)}),
    "a computed number for each column": ("d = Neg (c)  y = Mul (x, d)", {"c": R(0, SIDE)}),
    "two steps": ("a = MaxPool <kernel_shape = [1, 1], strides = [2, 2]> (x)  b = MaxPool <kernel_shape = [7, 7]> (x)  y = Add (a, b)", {}),
    "a mean of all": ("a = GlobalAveragePool (x)  y = Mul (x, a)", {}),
    "normalised by the batch": ("y, m, v = BatchNormalization <training_mode = 1> (x, c, c, c, c)", {"c": np.ones(3, np.float32)}),
    "turned": ("y = Transpose <perm = [0, 1, 3, 2]> (x)", {}),
    "a kernel that is computed": ("a = ReduceMean <axes = [2, 3]> (x)  b = Expand (a, s)  y = Conv (x, b)", {"s": np.int64([4, 3, 1, 1])}),
}  # fmt: skip


@pytest.mark.parametrize("kind", NOT_LOCAL)
def test_what_ends_the_local_part(kind: str) -> None:
    found, _, _ = field(*NOT_LOCAL[kind])
    assert "y" not in {point.name for point in found.points}


def test_a_kernel_of_one_axis_is_not_local() -> None:
    text = "g (float[1,3,12] x) => (float[A,B,C] z) { y = MaxPool <kernel_shape = [2]> (x)  z = Relu (y) }"
    graph = onnxray.open(models.parse(text)).graph
    assert [point.name for point in local_field(graph, "x", ["z"], shapes_at(graph, {"x": (1, 3, 12)}), {}).points] == [
        "x"
    ]


def test_padding_along_axes_is_not_local() -> None:
    weights = {"p": np.int64([0] * 8), "c": np.float32(0), "a": np.int64([3, 2, 1, 0])}
    found, _, _ = field("y = Pad (x, p, c, a)", weights, 18)
    assert [point.name for point in found.points] == ["x"]


def test_work_is_counted_for_each_number_of_the_start_s_plane() -> None:
    """Conv: c' c k k multiplications and 8 c' for writing, an output place; a quarter as many places at stride 2."""
    nodes = "a = Conv <strides = [2, 2], pads = [1, 1, 1, 1]> (x, w)  b = Relu (a)  y = Conv <strides = [1, 2]> (b, v)"
    found, _, _ = field(nodes, W)
    first = (5 * 3 * 3 * 3 + 8 * 5) / 4
    relu, second = 8 * 5 / 4, (5 * 5 * 1 * 2 + 8 * 5) / 8
    expected = {"x": 0.0, "a": first, "b": first + relu, "y": first + relu + second}
    assert {point.name: point.work for point in found.points if point.name in expected} == pytest.approx(expected)
    assert found.work == pytest.approx(first + relu + second + 8 * 5 / 8)


def test_a_computed_kernel_s_work_is_that_of_its_shape() -> None:
    found, _, _ = field("k = Neg (w)  y = Conv (x, k)", W)
    assert {point.name: point.work for point in found.points}["y"] == pytest.approx(5 * 27 + 8 * 5)


def test_where_two_values_are_alive_there_is_no_point() -> None:
    found, _, _ = field(
        "a = Conv <pads = [1, 1, 1, 1]> (x, w)  b = Relu (a)  c = Neg (b)  d = Add (b, c)  y = Exp (d)", W
    )
    assert [point.name for point in found.points] == ["x", "a", "b", "d", "y", "z"]


def test_how_much_is_padded_is_asked_where_it_is_computed() -> None:
    nodes = 'p = Concat <axis = 0> (h, h)  a = Pad (x, p)  b = Pad (a, c)  y = Pad <mode = "edge"> (b, p)'
    weights = {"h": np.int64([0, 0, 1, 1]), "c": np.int64([0] * 8)}
    graph = onnxray.open(
        models.parse(f"g (float[1,3,8,8] x) => (float[A,B,C,D] z) {{ {nodes}  {LAST} }}", weights)
    ).graph
    assert pad_constants(graph, ["z"]) == ("p", "c")
    assert pad_constants(graph, ["x"]) == ()
    once = "g (float[1,3,8,8] x) => (float[A,B,C,D] z) { y = Pad <pads = [0, 0, 1, 1, 0, 0, 1, 1]> (x)  z = Relu (y) }"
    assert pad_constants(onnxray.open(models.parse(once, opset=9)).graph, ["z"]) == ()


def test_an_output_that_nobody_reads_is_not_alive() -> None:
    found, _, _ = field("y, p = MaxPool <kernel_shape = [2, 2]> (x)", {})
    assert [point.name for point in found.points] == ["x", "y", "z"]

"""Seeded inputs: sizes for free dimensions that the judge accepts."""

from collections.abc import Mapping

import numpy as np
import onnx
import pytest

import onnxray
from onnxray.arrays import Arrays
from onnxray.engines.judge import Judge
from onnxray.engines.seeded_inputs import accepted_inputs, seeded_pixels, seeded_shapes
from onnxray.errors import RuntimeRefusal
from onnxray.graph.reading import read_graph
from support import models

R = models.random


def shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    graph = read_graph(model)
    return {name: array.shape for name, array in accepted_inputs(graph, Judge(graph).outputs).items()}


def windows(kernel: int, dims: str = "N,H,W,5") -> onnx.ModelProto:
    """NHWC, as keras2onnx writes it: a transposed convolution without padding."""
    text = f"g (float[{dims}] x) => (float[N,C,A,B] y) {{ t = Transpose <perm = [0, 3, 1, 2]> (x) y = Conv (t, w) }}"
    return models.parse(text, {"w": R(0, 2, 5, kernel, kernel)})


@pytest.mark.parametrize(("kernel", "size"), [(1, 2), (3, 8), (8, 8), (9, 32), (60, 64), (100, 224)])
def test_free_sides_grow_until_the_window_fits(kernel: int, size: int) -> None:
    assert shapes(windows(kernel)) == {"x": (2, size, size, 5)}


def test_a_fixed_side_stays() -> None:
    assert shapes(windows(3, "N,H,12,5")) == {"x": (2, 8, 12, 5)}


def test_gradients_and_modules_of_a_model_that_needs_room() -> None:
    model = windows(12)
    assert onnxray.open(model).verify().agrees
    x = R(1, 2, 16, 16, 5)
    opened = onnxray.open(model)
    gradient = opened.pullback(x, {"y": np.ones((2, 5, 5), np.float32)})
    step = np.zeros_like(x)
    step[1, 7, 8, 3] = 0.5
    change = opened.values(x + step, ["y"])["y"].sum() - opened.values(x - step, ["y"])["y"].sum()
    np.testing.assert_allclose(gradient[1, 7, 8, 3], change, rtol=1e-3)
    assert onnxray.to_torch(model) is not None


def test_an_output_that_comes_back_empty_is_no_check() -> None:
    """At 2 and 8 the slice is empty and the judge runs all the same."""
    model = models.parse(
        "g (float[N,T] x) => (float[N,U] y) { s = Constant <value = int64[1] {20}> () "
        "e = Constant <value = int64[1] {100}> () a = Constant <value = int64[1] {1}> () y = Slice (x, s, e, a) }"
    )
    assert shapes(model) == {"x": (2, 32)}


def test_where_every_size_leaves_an_output_empty_the_first() -> None:
    model = models.parse(
        "g (float[N,T] x) => (float[N,U] y) { s = Constant <value = int64[1] {5000}> () "
        "e = Constant <value = int64[1] {6000}> () a = Constant <value = int64[1] {1}> () y = Slice (x, s, e, a) }"
    )
    assert shapes(model) == {"x": (2, 2)}


def test_dimensions_of_one_name_are_of_one_size() -> None:
    model = models.parse(
        "g (float[N,3,H,H] x, float[H,N] m, float[1,C,H,H] z) => (float[N,4,A,A] y) "
        "{ c = Conv (x, w) d = MatMul (m, m) y = Add (c, c) }",
        {"w": R(0, 4, 3, 3, 3)},
    )
    assert seeded_shapes(read_graph(model), free=8) == {"x": (2, 3, 2, 2), "m": (2, 2), "z": (1, 8, 2, 2)}
    alone = "g (float[N,3,H,H] x, float[1,1,H,H] m) => (float[N,3,H,H] y) { y = Mul (x, m) }"
    assert seeded_shapes(read_graph(models.parse(alone)), free=8) == {"x": (2, 3, 8, 8), "m": (1, 1, 8, 8)}


@pytest.mark.parametrize("dims", ["N,4", "4,4", "N"])
def test_a_graph_that_leaves_its_batch_alone_free_is_not_run(dims: str) -> None:
    def run(feeds: Arrays) -> Mapping[str, np.ndarray]:
        raise AssertionError

    graph = read_graph(models.parse(f"g (float[{dims}] x) => (float[{dims}] y) {{ y = Relu (x) }}"))
    assert next(iter(accepted_inputs(graph, run).values())).dtype == np.float32


def test_what_is_refused_at_every_size_is_refused_with_the_first_reason() -> None:
    model = windows(3, "N,H,W,C")  # a channel too few at 2, too many at 8
    with pytest.raises(RuntimeRefusal, match="ONNX Runtime refuses the input") as at_all:
        shapes(model)
    graph = read_graph(model)
    with pytest.raises(RuntimeRefusal) as at_first:
        Judge(graph).outputs({"x": np.zeros((2, 2, 2, 2), np.float32)})
    assert str(at_all.value) == str(at_first.value)


def test_huge_inputs_are_not_tried() -> None:
    tried = []

    def run(feeds: Arrays) -> Mapping[str, np.ndarray]:
        tried.append(feeds["x"].shape)
        raise RuntimeRefusal("no")

    graph = read_graph(models.parse("g (float[N,300,A,B,C] x) => (float[N,300,A,B,C] y) { y = Relu (x) }"))
    with pytest.raises(RuntimeRefusal):
        accepted_inputs(graph, run)
    assert tried == [(2, 300, 2, 2, 2), (2, 300, 8, 8, 8)]


OPERANDS = {
    "scales": "g (float[1,1,4,4] x, float[4] s) => (float[A,B,C,D] y) { y = Resize (x, , s) }",
    "threshold": "g (float[2,6,4] b, float[2,1,6] c, int64[1] m, float[1] o) => (int64[K,3] y) "
    "{ y = NonMaxSuppression (b, c, m, o) }",
    "divisor": "g (int32[3,4] x, int32[3,4] d) => (int32[3,4] y) { y = Div (x, d) }",
    "shape": "g (float[2,3,4] x, int64[3] s) => (float[A,B,C] y) { y = Reshape (x, s) }",
    "axes": "g (float[20,10,5] x, int64[2] s, int64[2] e, int64[2] a) => (float[A,B,C] y) { y = Slice (x, s, e, a) }",
    "no axes": "g (float[3,2,2] x, int64[0] a) => (float[A,B,C] y) { y = ReduceSum (x, a) }",
    "domain": "g (float[3] x) => (float[3] y) { y = Acosh (x) }",
    "squeezed": "g (float[1,3,4,5] x, int64[1] a) => (float[A,B,C] y) { y = Squeeze (x, a) }",
}


@pytest.mark.parametrize("kind", OPERANDS)
def test_inputs_that_mean_something_are_guessed_until_the_judge_takes_them(kind: str) -> None:
    """Resize's scales, thresholds, a divisor, a shape, axes: what random numbers are not."""
    model = models.parse(OPERANDS[kind])
    graph = read_graph(model)
    outputs = Judge(graph).outputs(accepted_inputs(graph, Judge(graph).outputs))
    found = next(iter(outputs.values()))
    assert found.size
    assert found.dtype.kind != "f" or not np.isnan(found).all()
    onnxray.to_torch(model)


def test_the_same_seed_gives_the_same_guesses() -> None:
    graph = read_graph(models.parse(OPERANDS["axes"]))
    first, again = (accepted_inputs(graph, Judge(graph).outputs) for _ in range(2))
    for name, array in first.items():
        np.testing.assert_array_equal(array, again[name])


@pytest.mark.parametrize("axis", [1, 2])
def test_one_of_two_seeded_pictures_is_smooth(axis: int) -> None:
    """Waves of at most four periods across each side, the window of Hann blurring two more; noise is of all."""
    window = np.hanning(64).reshape((64, 1) if axis == 1 else (1, 64))
    pictures = np.stack([seeded_pixels((3, 64, 64), seed=seed) for seed in range(8)])
    strength = np.abs(np.fft.rfft((pictures - 127.5) * window, axis=axis + 2)).swapaxes(axis + 2, -1)
    noise, waves = (strength[:, kind, ..., 7:].mean() / strength[:, kind].mean() for kind in (0, 1))
    assert noise > 0.7
    assert waves < 0.03

"""What is changed in place of pixels: its gradient against central differences of ONNX Runtime on the cut file."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from PIL import Image

import onnxray
from onnxray.errors import ImageError, InputError, NotDifferentiable
from onnxray.methods.array_variable import ArrayVariable, variable_of
from onnxray.methods.variable import PixelVariable
from support import kinds_of_input
from support.cut_models import differences, from_value_on
from support.models import lenet, parse, random

FEEDS = {"rgb": random(1, 2, 3, 16, 16), "depth": 100 + 3 * random(2, 2, 1, 16, 16)}
IDS = {"input_ids": np.array([[2, 5, 9, 3], [1, 0, 7, 7]]), "attention_mask": np.array([[1, 1, 1, 0], [1, 1, 1, 1]])}
BOTH = np.arange(2)


def opened(proto: Any) -> Any:
    return onnxray.open(proto.SerializeToString())


def of(model: Any, given: Any, wrt: Any, names: Any) -> ArrayVariable:
    found = variable_of(model, model.pixels(given), wrt, names)
    assert isinstance(found, ArrayVariable)
    return found


def test_pixels_stay_pixels_and_the_picture_may_be_named() -> None:
    model = opened(lenet())
    picture = np.random.default_rng(0).integers(0, 256, (1, 1, 14, 14), dtype=np.uint8)
    for wrt in (None, "x"):
        variable = variable_of(model, model.pixels(picture), wrt, ["ip2"])
        assert isinstance(variable, PixelVariable)
        np.testing.assert_array_equal(variable.start, picture)
        assert variable.saved(np.array([[[[0.5, 1.5, 300.0, -3.0]]]])).tolist() == [[[[0, 2, 255, 0]]]]
        assert variable.furthest(variable.start ^ 128, np.zeros(1, np.int64)).tolist() == [128]


@pytest.mark.parametrize("wrt", ["rgb", "depth", ("rgb", "depth"), ("depth", "rgb"), None])
def test_the_gradient_of_inputs_counts_a_255th_of_the_range_of_each(wrt: Any) -> None:
    model = opened(kinds_of_input.two())
    variable, cotangent = of(model, FEEDS, wrt, ["y"]), random(4, 2, 4)
    names = (wrt,) if isinstance(wrt, str) else wrt or ("rgb", "depth")
    assert variable.names == tuple(names)
    found = variable.parts(variable.gradient(variable.start, BOTH, {"y": cotangent}))
    session = onnxruntime.InferenceSession(kinds_of_input.two().SerializeToString())
    for name in names:
        sample = FEEDS[name].reshape(2, -1).astype(np.float64)
        unit = (sample.max(1) - sample.min(1)) / 255
        np.testing.assert_allclose(variable.spaces[name].units, unit)

        def run(array: Any, name: str = name) -> Any:
            return session.run(None, {**FEEDS, name: array.astype(np.float32)})[0].astype(np.float64)

        places = np.random.default_rng(0).choice(sample.size, 24, replace=False)
        slopes = differences(run, FEEDS[name], cotangent, places, step=0.05)
        expected = slopes * unit[places // sample.shape[1]]
        np.testing.assert_allclose(found[name].reshape(-1)[places], expected, rtol=3e-2, atol=3e-5)


@pytest.mark.parametrize(("kind", "given", "value", "layer"), [
    ("tokens", IDS, "h", "logits"), ("tokens", IDS, "s", "logits"), ("two", FEEDS, "c", "y"), ("two", FEEDS, "f", "y"),
])  # fmt: skip
def test_an_inner_value_is_changed_on_the_file_cut_there(kind: str, given: Any, value: str, layer: str) -> None:
    model = opened(getattr(kinds_of_input, kind)())
    variable = of(model, given, value, [layer])
    at, run = from_value_on(model, value, layer, given)
    np.testing.assert_allclose(variable.spaces[value].array, at, rtol=1e-5, atol=1e-6)
    cotangent = random(4, *run(at).shape)
    slopes = variable.gradient(variable.start, BOTH, {layer: cotangent}) / variable.steps(BOTH)
    places = np.random.default_rng(0).choice(at.size, min(at.size, 24), replace=False)
    expected = differences(run, at, cotangent, places)
    np.testing.assert_allclose(slopes.reshape(-1)[places], expected, rtol=5e-3, atol=3e-3)
    moved = variable.start + random(5, *variable.start.shape)
    judged = variable.values(moved, BOTH, [layer])[layer]
    np.testing.assert_allclose(judged, run(moved.reshape(at.shape)), rtol=1e-4, atol=1e-5)


def test_token_ids_are_changed_at_what_they_gather() -> None:
    variable = of(opened(kinds_of_input.tokens()), IDS, None, ["logits"])
    assert variable.names == ("e",)
    np.testing.assert_array_equal(variable.spaces["e"].array, random(0, 30, 8)[IDS["input_ids"]])
    assert variable.notes()[0].startswith("changed: e, a value inside the network, judged by ONNX Runtime")


def test_of_a_picture_a_value_inside_is_an_array_with_the_labels_of_the_whole() -> None:
    model = onnxray.open(lenet().SerializeToString(), labels=["a", "b", "c", "d", "e"])
    picture = np.random.default_rng(0).integers(0, 256, (2, 1, 14, 14), dtype=np.uint8)
    variable = of(model, picture, "ip1", ["ip2"])
    verdict, whole = variable.verdict(variable.fed(variable.start, BOTH)), model.predict_classes(picture)
    assert verdict is not None
    np.testing.assert_array_equal(verdict.classes, whole.classes)
    assert verdict.labels == whole.labels
    np.testing.assert_allclose(verdict.probabilities, whole.probabilities, rtol=1e-4)


def test_what_is_held_is_that_of_the_sample_which_it_began_as() -> None:
    variable = of(opened(kinds_of_input.two()), FEEDS, "depth", ["y"])
    rows = np.array([1, 0, 1])
    fed = variable.fed(variable.start[rows] + 1, rows).arrays("rgb")
    np.testing.assert_array_equal(fed["rgb"], FEEDS["rgb"][rows])
    np.testing.assert_allclose(fed["depth"], FEEDS["depth"][rows] + 1, rtol=1e-6)
    assert variable.notes()[0] == "changed: depth; held: rgb"


@pytest.mark.parametrize("dtype", ["float16", "double"])
def test_arrays_are_saved_in_their_own_type(dtype: str) -> None:
    graph = f"g ({dtype}[N,3] x) => (float[N,2] y) {{ c = Cast <to = 1> (x) y = MatMul (c, w) }}"
    x = random(1, 2, 3).astype(np.float16 if dtype == "float16" else np.float64)
    variable = of(opened(parse(graph, {"w": random(0, 3, 2)})), x, None, ["y"])
    assert variable.parts(variable.start)["x"].dtype == x.dtype
    between = variable.saved(variable.start + 1e-5)
    np.testing.assert_array_equal(variable.parts(between)["x"], (x.astype(np.float64) + 1e-5).astype(x.dtype))


def test_a_distance_in_steps_counts_what_rounding_takes() -> None:
    graph = "g (float[N,3] x) => (float[N,2] y) { y = MatMul (x, w) }"
    x = np.array([[10_000.0, 10_000.3, 9_999.9], [0.0, 0.0, 0.0], [5.0, 5.0, 5.0]], np.float32)
    variable = of(opened(parse(graph, {"w": random(0, 3, 2)})), x, None, ["y"])
    np.testing.assert_allclose(variable.spaces["x"].units, [np.ptp(x[0].astype(np.float64)) / 255, 1 / 255, 5 / 255])
    rows = np.arange(3)
    moved = variable.saved(variable.start + 7 * variable.steps(rows))
    assert (variable.furthest(moved, rows) >= 7).all()
    assert (variable.furthest(variable.start, rows) < 0.9).all()


def test_what_cannot_be_changed_is_one_line() -> None:
    two, tokens = opened(kinds_of_input.two()), opened(kinds_of_input.tokens())
    with pytest.raises(NotDifferentiable, match=r"'input_ids' holds int64.*the embeddings that it gathers, 'e'"):
        of(tokens, IDS, "input_ids", ["logits"])
    with pytest.raises(InputError, match=r"'c', 'r' cannot be changed together: name inputs alone"):
        of(two, FEEDS, ("c", "r"), ["y"])
    with pytest.raises(InputError, match=r"'c' does not depend on 'r'; name a layer behind it"):
        of(two, FEEDS, "r", ["c", "y"])
    with pytest.raises(InputError, match="'last' is a constant"):
        of(tokens, IDS, "last", ["logits"])
    with pytest.raises(InputError, match="'rgb' holds NaN or infinity"):
        _ = of(two, {**FEEDS, "rgb": np.full_like(FEEDS["rgb"], np.nan)}, "rgb", ["y"]).start
    alone = "g (float[5] x) => (float[1,2] y) { u = Unsqueeze (x, first) y = MatMul (u, w) }"
    with pytest.raises(InputError, match="no axis of samples"):
        of(opened(parse(alone, {"first": np.array([0]), "w": random(0, 5, 2)})), random(1, 5), None, ["y"])
    state = "g (float[N,T] x, float[2,N,4] state) => (float[N,1] y) { s = ReduceSum (state, axes) f = Flatten (s) y = Add (f, k) }"
    with pytest.raises(ImageError, match="the rows of the input 'state' are no samples"):
        of(opened(parse(state, {"axes": np.array([0, 2]), "k": np.ones(1, np.float32)})),
           {"x": random(0, 3, 6), "state": np.zeros((2, 3, 4), np.float32)}, "state", ["y"])  # fmt: skip


@pytest.mark.parametrize(
    "extra", [{}, {"channels": "BGR", "scale": 1 / 255, "mean": [0.1, 0.2, 0.3], "std": [0.5, 0.25, 2.0]}]
)
def test_a_picture_that_is_given_for_one_of_several_inputs_is_changed_in_grey_levels(
    extra: Any, tmp_path: Path
) -> None:
    model = onnxray.open(kinds_of_input.two().SerializeToString(), inputs={"rgb": {"kind": "picture", **extra}})
    colour = np.random.default_rng(3).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(colour).save(tmp_path / "colour.png")
    depth = random(2, 1, 1, 16, 16)
    given = {"rgb": str(tmp_path / "colour.png"), "depth": depth}
    variable = of(model, given, ("rgb", "depth"), ["y"])
    assert set(variable.profiles) == {"rgb"}
    shown, zero, cotangent = variable.parts(variable.start), np.zeros(1, np.int64), random(4, 1, 4)
    np.testing.assert_array_equal(shown["rgb"][0], colour.transpose(2, 0, 1))
    assert shown["rgb"].dtype == np.uint8
    np.testing.assert_array_equal(shown["depth"], depth)
    np.testing.assert_allclose(variable.fed(variable.start, zero).arrays("rgb")["rgb"], model.feeds(given)["rgb"])
    mean, std = np.array(extra.get("mean", [0] * 3)), np.array(extra.get("std", [1] * 3))
    order = slice(None, None, -1) if extra else slice(None)
    session = onnxruntime.InferenceSession(kinds_of_input.two().SerializeToString())

    def run(levels: Any) -> Any:
        x = (levels[:, order] / 255 - mean.reshape(-1, 1, 1)) / std.reshape(-1, 1, 1)
        return session.run(None, {"rgb": x.astype(np.float32), "depth": depth})[0].astype(np.float64)

    places = np.random.default_rng(0).choice(colour.size, 24, replace=False)
    expected = differences(run, shown["rgb"], cotangent, places, step=8)
    found = variable.gradient(variable.start, zero, {"y": cotangent})[0][: colour.size]
    np.testing.assert_allclose(found[places], expected, rtol=2e-2, atol=2e-6)
    x = variable.bounded(variable.start + 300.6)
    assert (variable.parts(x)["rgb"] == 255).all()
    np.testing.assert_allclose(variable.parts(x)["depth"], depth + 300.6, rtol=1e-5)
    assert variable.notes()[1].startswith("arrays are neither rounded nor clipped")
    assert of(model, given, "rgb", ["y"]).notes() == ("changed: rgb; held: depth; pictures in grey levels and 8 bits",)

"""Graphs that scale their pictures themselves: the class is the one that ONNX Runtime gives for the pixels meant."""

import warnings
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

import onnxray
from onnxray.graph.reading import read_graph
from onnxray.images.profile.discovery import discover

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
CAFFE = np.array([103.939, 116.779, 123.68])
PRODUCERS = ("tf2onnx", "keras2onnx", "pytorch", "PaddlePaddle", "onnx-caffe2", "")


class Writer:
    """Nodes in a row behind the input x, constants as initialisers or, held, as Constant nodes.

    outer is the layout of the input, layout that of the value at hand.
    """

    def __init__(self, layout: str, *, held: bool = False) -> None:
        self.layout, self.outer, self.held = layout, layout, held
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.value = "x"

    def constant(self, numbers: Any, dtype: Any = np.float32) -> str:
        name = f"c{len(self.nodes)}_{len(self.weights)}"
        tensor = numpy_helper.from_array(np.asarray(numbers, dtype), name)
        if self.held:
            self.nodes.append(helper.make_node("Constant", [], [name], value=tensor))
        else:
            self.weights.append(tensor)
        return name

    def channels(self, numbers: Any) -> str:
        """One number a channel, in the shape that the layout asks for."""
        array = np.asarray(numbers, np.float64)
        return self.constant(array.reshape(-1, 1, 1) if self.layout == "NCHW" and array.ndim else array)

    def add(self, operator: str, *more: str, first: bool = True, **attributes: Any) -> None:
        name = f"v{len(self.nodes)}"
        inputs = [self.value, *more] if first else [*more, self.value]
        self.nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        self.value = name

    @property
    def axis(self) -> int:
        return 1 if self.layout == "NCHW" else 3

    def model(self, producer: str) -> bytes:
        """A network behind the nodes: bright, dark and between are three classes, red and blue tell apart."""
        if self.layout == "NHWC":
            self.add("Transpose", perm=[0, 3, 1, 2])
        weight = np.array([[1, 0.5, -0.2], [-1, -0.5, 0.2], [0.1, -0.2, 0.4]]).reshape(3, 3, 1, 1)
        self.add("Conv", self.constant(weight))
        for operator in ("GlobalAveragePool", "Flatten", "Softmax"):
            self.add(operator)
        shape = ["N", 8, 8, 3] if self.outer == "NHWC" else ["N", 3, 8, 8]
        graph = helper.make_graph(
            self.nodes, "g", [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(self.value, onnx.TensorProto.FLOAT, ["N", 3])], self.weights,
        )  # fmt: skip
        made = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name=producer
        )
        return bytes(made.SerializeToString())


def scaled(w: Writer) -> None:
    w.add("Mul", w.constant(1 / 255))


def scaled_from_the_left(w: Writer) -> None:
    w.add("Mul", w.constant([1 / 255]), first=False)


def divided(w: Writer) -> None:
    w.add("Cast", to=1)
    w.add("Div", w.constant(255.0))


def statistics(w: Writer) -> None:
    scaled(w)
    w.add("Sub", w.channels(MEAN))
    w.add("Div", w.channels(STD))


def statistics_of_levels(w: Writer) -> None:
    w.add("Sub", w.channels(255 * MEAN))
    w.add("Mul", w.channels(1 / (255 * STD)))


def to_one(w: Writer) -> None:
    w.add("Div", w.constant(127.5))
    w.add("Sub", w.constant(1.0))


def to_one_added(w: Writer) -> None:
    w.add("Mul", w.constant(1 / 127.5))
    w.add("Add", w.constant(-1.0), first=False)


def normalised(w: Writer) -> None:
    if w.layout == "NHWC":
        w.add("Transpose", perm=[0, 3, 1, 2])
        w.layout = "NCHW"
    numbers = (np.ones(3), np.zeros(3), 255 * MEAN, (255 * STD) ** 2)
    w.add("BatchNormalization", *(w.constant(one) for one in numbers))


def normalised_after_scaling(w: Writer) -> None:
    scaled(w)
    if w.layout == "NHWC":
        w.add("Transpose", perm=[0, 3, 1, 2])
        w.layout = "NCHW"
    w.add("BatchNormalization", *(w.constant(one) for one in (np.full(3, 1.1), np.full(3, 0.1), MEAN, STD**2)))


def resized(w: Writer) -> None:
    scales = [1, 1, 2, 2] if w.layout == "NCHW" else [1, 2, 2, 1]
    empty = w.constant(np.zeros(0))
    w.add("Resize", empty, w.constant(scales), mode="nearest")
    statistics(w)


def mean_image(w: Writer) -> None:
    picture = np.full((3, 8, 8), 128.0) + np.linspace(-4, 4, 64).reshape(8, 8)
    w.add("Sub", w.constant(picture if w.layout == "NCHW" else picture.transpose(1, 2, 0)))
    w.add("Div", w.constant(64.0))


def turned_by_a_slice(w: Writer) -> None:
    w.add("Slice", *(w.constant([one], np.int64) for one in (-1, -(2**63), w.axis, -1)))
    w.add("Sub", w.channels(CAFFE))
    w.add("Div", w.constant(64.0))


def turned_by_a_gather(w: Writer) -> None:
    w.add("Gather", w.constant([2, 1, 0], np.int64), axis=w.axis)
    w.add("Add", w.channels(-CAFFE))
    w.add("Div", w.constant(64.0))


def turned_by_a_split(w: Writer) -> None:
    names = [f"part{k}" for k in range(3)]
    w.nodes.append(helper.make_node("Split", [w.value], names, axis=w.axis))
    w.value = names[2]
    w.add("Concat", names[1], names[0], axis=w.axis)
    w.add("Sub", w.channels(CAFFE))
    w.add("Div", w.constant(64.0))


def quantised(w: Writer) -> None:
    scaled(w)
    step, zero = w.constant(1 / 255), w.constant(0, np.uint8)
    w.add("QuantizeLinear", step, zero)
    w.add("DequantizeLinear", step, zero)


RAW = [
    scaled, scaled_from_the_left, divided, statistics, statistics_of_levels, to_one, to_one_added, normalised,
    normalised_after_scaling, resized, mean_image, turned_by_a_slice, turned_by_a_gather, turned_by_a_split, quantised,
]  # fmt: skip


def coloured() -> np.ndarray:
    picture = np.full((8, 8, 3), (235, 180, 90), np.uint8)
    picture[:, 3:] = (10, 60, 220)
    return picture


def judged(model: bytes, layout: str, pixels: np.ndarray) -> np.ndarray:
    tensor = pixels[None].astype(np.float32)
    tensor = tensor if layout == "NHWC" else tensor.transpose(0, 3, 1, 2)
    return np.asarray(onnxruntime.InferenceSession(model).run(None, {"x": tensor})[0])


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("kind", RAW, ids=lambda kind: kind.__name__)
def test_scaling_in_the_graph_is_not_done_twice(kind: Any, layout: str, held: bool) -> None:
    for producer in PRODUCERS:
        writer = Writer(layout, held=held)
        kind(writer)
        file = writer.model(producer)
        model = onnxray.open(file)
        assert model.profile is not None
        assert (model.profile.name, model.profile.assumed) == ("raw", True), producer
        assert "the graph scales its input itself" in model.profile.reasons[0]
        expected = coloured()[:, :, ::-1] if producer == "onnx-caffe2" else coloured()
        if producer in ("tf2onnx", "onnx-caffe2", ""):
            found = model.predict(coloured()).probabilities
            np.testing.assert_allclose(found, judged(file, layout, expected), atol=1e-5)


def from_unit(w: Writer) -> None:
    w.add("Sub", w.channels(MEAN))
    w.add("Div", w.channels(STD))


def from_unit_to_one(w: Writer) -> None:
    w.add("Mul", w.constant(2.0))
    w.add("Sub", w.constant(1.0))


def from_unit_to_levels(w: Writer) -> None:
    w.add("Mul", w.constant(255.0))
    w.add("Sub", w.channels(255 * MEAN))


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("kind", [from_unit, from_unit_to_one, from_unit_to_levels], ids=lambda kind: kind.__name__)
def test_statistics_of_0_to_1_ask_for_0_to_1(kind: Any, layout: str) -> None:
    for producer in PRODUCERS:
        writer = Writer(layout)
        kind(writer)
        profile = discover(read_graph(writer.model(producer)))
        assert profile is not None
        assert (profile.name, profile.scale, set(profile.std)) == ("unit", 1 / 255, {1.0}), producer


def blue_first(w: Writer) -> None:
    w.add("Sub", w.channels(CAFFE))


def test_means_of_blue_green_and_red_ask_for_blue_first() -> None:
    writer = Writer("NCHW")
    blue_first(writer)
    profile = discover(read_graph(writer.model("pytorch")))
    assert profile is not None
    assert (profile.name, profile.channels) == ("raw", "BGR")
    assert "blue, green and red" in profile.reasons[0]


def nothing(w: Writer) -> None:
    """The network begins at once."""


def other_statistics(w: Writer) -> None:
    """Inception's transform_input: what was normalised one way becomes normalised another way, channel by channel."""
    if w.layout == "NHWC":
        w.add("Transpose", perm=[0, 3, 1, 2])
        w.layout = "NCHW"
    start, parts = w.value, []
    for channel in range(3):
        w.value = start
        w.add("Gather", w.constant(channel, np.int64), axis=1)
        w.add("Unsqueeze", w.constant([1], np.int64))
        w.add("Mul", w.constant(STD[channel] / 0.5))
        w.add("Add", w.constant((MEAN[channel] - 0.5) / 0.5))
        parts.append(w.value)
    w.value = parts[0]
    w.add("Concat", *parts[1:], axis=1)


def learned(w: Writer) -> None:
    """A layer that learned the statistics of pictures that were normalised before."""
    if w.layout == "NHWC":
        w.add("Transpose", perm=[0, 3, 1, 2])
        w.layout = "NCHW"
    numbers = (
        np.array([0.9, 1.2, 1.1]),
        np.array([0.1, 0, -0.1]),
        np.array([0.03, -0.02, 0.1]),
        np.array([1.1, 0.9, 1]),
    )
    w.add("BatchNormalization", *(w.constant(one) for one in numbers))


def reversed_(w: Writer) -> None:
    w.add("Sub", w.constant(255.0), first=False)


def inverted(w: Writer) -> None:
    """1 - x / 127.5: dark is bright."""
    w.add("Mul", w.constant(-1 / 127.5))
    w.add("Add", w.constant(1.0))


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize(
    "kind", [nothing, other_statistics, learned, reversed_, inverted], ids=lambda kind: kind.__name__
)
def test_what_tells_nothing_leaves_the_guess_to_the_producer(kind: Any, layout: str) -> None:
    for producer, family in (("pytorch", "torchvision"), ("tf2onnx", "tensorflow"), ("", "unit")):
        writer = Writer(layout)
        kind(writer)
        profile = discover(read_graph(writer.model(producer)))
        assert profile is not None
        assert (profile.name, profile.reasons[0].split(":")[0]) == (family, family)


@pytest.mark.parametrize("shape", [("N", 3, 8, 8), ("N", 8, 8, 3)])
def test_the_geometry_is_that_of_the_producers_family(shape: Any) -> None:
    layout = "NCHW" if shape[1] == 3 else "NHWC"
    for producer, geometry in (("tf2onnx", ("stretch", "nearest")), ("pytorch", ("crop", "bilinear"))):
        writer = Writer(layout)
        scaled(writer)
        profile = discover(read_graph(writer.model(producer)))
        assert profile is not None
        assert (profile.resize, profile.interpolation) == geometry


def test_damaged_and_endless_beginnings_tell_nothing() -> None:
    def joined(w: Writer) -> None:
        for _ in range(8):
            w.add("Concat", *[w.value] * 50, axis=1)

    def infinite(w: Writer) -> None:
        for _ in range(8):
            w.add("Mul", w.constant(3e38))

    def picked(w: Writer) -> None:
        w.add("Gather", w.constant(np.zeros(100_000), np.int64), axis=1)

    def backwards(w: Writer) -> None:
        w.add("Slice", *(w.constant([one], np.float32) for one in (np.inf, np.nan, 1, 0)))

    def moved(w: Writer) -> None:
        w.add("Transpose", perm=[0, 0, 0, 0])

    def nowhere(w: Writer) -> None:
        w.add("Gather", w.constant([7], np.int64), axis=1)

    def shaped(w: Writer) -> None:
        w.add("BatchNormalization", *(w.constant(np.ones(k)) for k in (1, 2, 5, 7)))

    for kind in (joined, infinite, picked, backwards, moved, nowhere, shaped):
        writer = Writer("NCHW")
        scaled(writer)
        kind(writer)
        graph = read_graph(writer.model("pytorch"))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            profile = discover(graph)
        assert profile is not None
        assert profile.name in ("raw", "torchvision")


@pytest.mark.parametrize("option", ["unit", "torchvision"])
def test_what_the_caller_names_is_taken(option: str) -> None:
    writer = Writer("NCHW")
    scaled(writer)
    profile = discover(read_graph(writer.model("")), option)
    assert profile is not None
    assert (profile.name, profile.assumed) == (option, False)

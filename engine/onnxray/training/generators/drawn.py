"""A generator before its first step, as an ONNX file: class number (and noise) -> picture from -1 to 1.

    e = table[class],  m_k = Gemm(e) as a dense map of `maps` channels at the size of level k
    x_0 = Relu(Reshape(Gemm([e, z])));   x_k = Relu(ConvTranspose([x_{k-1}, m_{k-1}]));   G = Tanh(Conv([x_K, m_K]))

ConvTranspose 4 x 4, stride 2, doubles a side; the first level has at most 8. The class is fed again at every level, as
a dense map beside what comes from below (Karagounis, "Efficient Visualization of Neural Networks with Generative Models
and Adversarial Perturbations", section III); fed once, there are no maps m. Weights are drawn as He et al. 2015 do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

_SMALL, _WIDEST, _CODE = 8, 256, 64
_LEAK: Final = 0.2
_MANY: Final = 4096
"""Numbers of a code above which each is looked at in its own place alone."""
_FAINT: Final = 1e-4
"""The gain of the class's maps as they are drawn: at full strength each class begins with white noise of its own at the
picture's finest level, which the training never takes away again."""


@dataclass(frozen=True, eq=False)
class _Drawing:
    """A graph in the making."""

    random: np.random.Generator
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: dict[str, NDArray[Any]] = field(default_factory=dict)

    def add(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """A node of one output, which is given back."""
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def weight(self, name: str, shape: tuple[int, ...], reads: int, gain: float = 2.0) -> str:
        """N(0, gain / reads), with what it is called."""
        drawn = self.random.standard_normal(shape) * np.sqrt(gain / reads)
        self.weights[name] = drawn.astype(np.float32)
        return name

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """As it is."""
        self.weights[name] = array
        return name

    def dense(self, value: str, name: str, reads: int, shape: tuple[int, ...], gain: float = 2.0) -> str:
        """Gemm to so many numbers, as maps of a shape."""
        count = int(np.prod(shape))
        weight = self.weight(f"{name}.weight", (count, reads), reads, gain)
        bias = self.constant(f"{name}.bias", np.zeros(count, np.float32))
        flat = self.add("Gemm", [value, weight, bias], f"{name}_flat", transB=1)
        stated = self.constant(f"{name}.shape", np.array([-1, *shape], np.int64))
        return self.add("Reshape", [flat, stated], name)


def levels(height: int, width: int) -> list[tuple[int, int]]:
    """The sizes from the first level to the picture's, which the last may exceed by a few pixels."""
    count = 0
    while max(height, width) > _SMALL * 2**count:
        count += 1
    first = -(-height // 2**count), -(-width // 2**count)
    return [(first[0] * 2**k, first[1] * 2**k) for k in range(count + 1)]


def drawn_generator(
    shape: tuple[int, int, int], classes: int, *, width: int, maps: int, noise: int, feed: Literal["every", "once"],
    random: np.random.Generator,
) -> onnx.ModelProto:  # fmt: skip
    """For pictures (channels, height, width) and so many classes."""
    own = _Drawing(random)
    code = own.add("Gather", [own.weight("table", (classes, _CODE), 1, 1.0), "class"], "code", axis=0)
    begin, reads = code, _CODE
    if noise:
        begin, reads = own.add("Concat", [code, "noise"], "begin", axis=1), _CODE + noise
    picture = _decoded(own, begin, reads, shape, width, code if feed == "every" else None, maps)
    inputs = [helper.make_tensor_value_info("class", TensorProto.INT64, ["N"])]
    if noise:
        inputs.append(helper.make_tensor_value_info("noise", TensorProto.FLOAT, ["N", noise]))
    return _model(own, "generator", inputs, picture, shape)


def drawn_inverter(
    code: tuple[int, ...], shape: tuple[int, int, int], *, width: int, random: np.random.Generator, size: float = 1.0
) -> onnx.ModelProto:
    """For the codes of a layer, of one sample's shape: an up-convolution network (Dosovitskiy, Brox 2016).

    size: the root mean square of such codes, by which they are divided; layers differ in it by orders of magnitude.
    Of many numbers with rows and columns what they hold is kept where it lies: convolutions at the level whose size is
    next to theirs, and up from there. Other codes go through a Gemm, which reaches from everywhere to everywhere.
    """
    own = _Drawing(random)
    count, sizes = int(np.prod(code)), levels(*shape[1:])
    own.add("Div", ["code", own.constant("size", np.array([size], np.float32))], "scaled")
    if len(code) == 3 and min(code[1:]) > 1 and count > _MANY:
        first = min(range(len(sizes)), key=lambda k: abs(math.log(sizes[k][0] / code[1])))
        begin, hidden = _placed(own, code, sizes[first], min(_WIDEST, width * 2 ** (len(sizes) - 1 - first))), 0
    else:
        first, hidden = 0, min(1024, max(128, count))
        flat = own.add("Flatten", ["scaled"], "flat", axis=1) if len(code) != 1 else "scaled"
        weight = own.weight("hidden.weight", (hidden, count), count)
        bias = own.constant("hidden.bias", np.zeros(hidden, np.float32))
        begin = own.add("LeakyRelu", [own.add("Gemm", [flat, weight, bias], "hidden", transB=1)], "begin", alpha=_LEAK)
    picture = _decoded(own, begin, hidden, shape, width, None, 0, leak=_LEAK, first=first)
    inputs = [helper.make_tensor_value_info("code", TensorProto.FLOAT, ["N", *code])]
    return _model(own, "inverter", inputs, picture, shape)


def _placed(own: _Drawing, code: tuple[int, ...], size: tuple[int, int], channels: int) -> str:
    """Maps of a level of so many channels, of a code that has rows and columns: two convolutions, 3 x 3."""
    weight = own.weight("near.weight", (channels, code[0], 3, 3), 9 * code[0])
    bias = own.constant("near.bias", np.zeros(channels, np.float32))
    x = own.add("Conv", ["scaled", weight, bias], "near", pads=[1, 1, 1, 1])
    x = own.add("LeakyRelu", [x], "near_up", alpha=_LEAK)
    if size != tuple(code[1:]):
        # Sizes are the floor of length times scale: a thousandth more keeps them on this side of it.
        factors = [1, 1, *((s + 1e-3) / c for s, c in zip(size, code[1:]))]
        scales = own.constant("near.scales", np.array(factors, np.float32))
        x = own.add("Resize", [x, "", scales], "fitted", mode="linear")
    weight = own.weight("begin.weight", (channels, channels, 3, 3), 9 * channels)
    bias = own.constant("begin.bias", np.zeros(channels, np.float32))
    return own.add("Conv", [x, weight, bias], "begin", pads=[1, 1, 1, 1])


def _decoded(
    own: _Drawing, begin: str, reads: int, shape: tuple[int, int, int], width: int, code: str | None, maps: int,
    leak: float = 0.0, first: int = 0,
) -> str:  # fmt: skip
    """From a vector up to the picture; from maps where nothing is read of one, at the level ``first``."""
    sizes = levels(*shape[1:])
    widths = [min(_WIDEST, width * 2 ** (len(sizes) - 1 - k)) for k in range(len(sizes))]

    def rectified(value: str) -> str:
        if leak:
            return own.add("LeakyRelu", [value], f"{value}_up", alpha=leak)
        return own.add("Relu", [value], f"{value}_up")

    x = rectified(own.dense(begin, "level0", reads, (widths[0], *sizes[0])) if reads else begin)
    channels = widths[first]
    for k in range(first, len(sizes)):
        if code is not None:
            fed = own.dense(code, f"map{k}", _CODE, (maps, *sizes[k]), _FAINT)
            x, channels = own.add("Concat", [x, fed], f"level{k}_fed", axis=1), widths[k] + maps
        if k + 1 < len(sizes):
            weight = own.weight(f"up{k + 1}.weight", (channels, widths[k + 1], 4, 4), 4 * channels)
            bias = own.constant(f"up{k + 1}.bias", np.zeros(widths[k + 1], np.float32))
            up = own.add("ConvTranspose", [x, weight, bias], f"level{k + 1}", strides=[2, 2], pads=[1, 1, 1, 1])
            x, channels = rectified(up), widths[k + 1]
    weight = own.weight("last.weight", (shape[0], channels, 3, 3), 9 * channels, 1.0)
    bias = own.constant("last.bias", np.zeros(shape[0], np.float32))
    whole = own.add("Conv", [x, weight, bias], "whole", pads=[1, 1, 1, 1])
    if sizes[-1] != shape[1:]:
        ends = own.constant("ends", np.array(shape[1:], np.int64))
        starts, axes = own.constant("starts", np.zeros(2, np.int64)), own.constant("axes", np.array([2, 3], np.int64))
        whole = own.add("Slice", [whole, starts, ends, axes], "cut")
    return own.add("Tanh", [whole], "picture")


def _model(
    own: _Drawing, name: str, inputs: list[onnx.ValueInfoProto], picture: str, shape: tuple[int, int, int]
) -> onnx.ModelProto:
    output = helper.make_tensor_value_info(picture, TensorProto.FLOAT, ["N", *shape])
    held = [numpy_helper.from_array(array, key) for key, array in own.weights.items()]
    graph = helper.make_graph(own.nodes, name, inputs, [output], held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="onnxray")


def with_card(model: onnx.ModelProto, card: Iterator[tuple[str, str]]) -> onnx.ModelProto:
    """The model with what is to be known of it in its metadata."""
    for key, value in card:
        model.metadata_props.add(key=key, value=value)
    return model

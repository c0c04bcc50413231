"""A net as its prototxt states it for testing: layers of one phase, in order, each output under a name of its own.

In-place layers write over the blob that they read. Here every output is a value of its own, called as its layer is:
``relu1`` of ``conv1`` in place is the value ``relu1``, and whoever reads the blob afterwards reads that one. Several
outputs of one layer are called as its tops are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from onnxray.errors.short_values import short
from onnxray_adapters.caffe.fields import PARAMETERS
from onnxray_adapters.caffe.limits import LAYERS, NAME
from onnxray_adapters.caffe.options import Options
from onnxray_adapters.caffe.text_format import Message, parse
from onnxray_adapters.caffe.upgrade import Plain, plain_layers

DATA: Final = frozenset({
    "Data", "ImageData", "MemoryData", "HDF5Data", "WindowData", "AnnotatedData", "DummyData", "VideoData",
})  # fmt: skip
"""Layers that feed a net while it is trained or tested: their first top is its input, the others are labels."""
_LEFT_OUT: Final = frozenset({"Accuracy", "Silence", "HDF5Output", "DetectionEvaluate", "SegAccuracy"})
_UNREAD: Final = frozenset({
    "param", "loss_param", "accuracy_param", "split_param", "hinge_loss_param",
})  # fmt: skip
"""Fields of options that change nothing of what a net computes when it is tested."""


@dataclass(frozen=True, slots=True)
class NetInput:
    """An input: shape None where the prototxt does not state it. ``layer``: the one that it comes from, if any."""

    name: str
    shape: tuple[int, ...] | None
    layer: Layer | None = None


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer. reads: values. tops: as the prototxt calls them. outputs: the values that it computes."""

    name: str
    type: str
    reads: tuple[str, ...]
    tops: tuple[str, ...]
    outputs: tuple[str, ...]
    parameters: Mapping[str, Message] = field(repr=False)
    line: int = 0

    @property
    def place(self) -> str:
        """What it is called in errors."""
        return f"layer {short(self.name[:80])} ({self.type[:40]}, line {self.line})"

    def options(self, name: str) -> Options:
        """The options in one of its fields. Errors: ValueError."""
        message = self.parameters.get(name)
        return Options(PARAMETERS[name]) if message is None else Options(PARAMETERS[name], message)

    def check_parameters(self, used: Iterable[str]) -> None:
        """Refuse options that its type does not have: they would be passed over. Errors: ValueError."""
        for name, message in self.parameters.items():
            if name not in used and name not in _UNREAD and name != "transform_param":
                raise ValueError(f"line {message.line}: a layer of type {self.type} has no {short(name[:80])}")


@dataclass(frozen=True, slots=True)
class Net:
    """A net for testing. outputs: values that no layer reads. left_out: what training and measuring need alone."""

    name: str
    inputs: tuple[NetInput, ...]
    layers: tuple[Layer, ...]
    outputs: tuple[str, ...]
    left_out: tuple[str, ...] = ()


def read_net(text: str) -> Net:
    """The net of a prototxt. Errors: ValueError naming the line or the layer."""
    message = parse(text)
    if "net" in message.fields or "train_net" in message.fields or "base_lr" in message.fields:
        raise ValueError("it states how a net is trained (a solver); give the prototxt of the net itself")
    stated = Options("NetParameter", message)
    layers = list(_of_testing(plain_layers(stated)))
    if not layers:
        raise ValueError("it states no layer for testing")
    if len(layers) > LAYERS:
        raise ValueError(f"it states {len(layers):,} layers; {LAYERS:,} are the most")
    return _Naming(layers, _inputs(stated)).net(stated.one("name", ""))


def _inputs(stated: Options) -> list[NetInput]:
    """The inputs that stand beside the layers, as older files have them."""
    names, dims, shapes = stated.all("input"), stated.all("input_dim"), stated.messages("input_shape")
    if shapes and len(shapes) != len(names):
        raise ValueError(f"it states {len(names)} inputs and {len(shapes)} shapes of inputs")
    if not shapes and len(dims) not in (0, 4 * len(names)):
        raise ValueError(f"it states {len(names)} inputs and {len(dims)} input_dim; four an input were expected")
    found = []
    for index, name in enumerate(names):
        shape = tuple(shapes[index].all("dim")) if shapes else tuple(dims[4 * index : 4 * index + 4]) or None
        found.append(NetInput(_name(name, 0), shape))
    return found


def _of_testing(layers: Iterable[Plain]) -> Iterator[Plain]:
    """The layers of a net that is tested, without level and stages (Caffe's Net::FilterNet)."""
    for layer in layers:
        included, excluded = layer.options.messages("include"), layer.options.messages("exclude")
        if included and excluded:
            raise ValueError(f"line {layer.line}: a layer has both include and exclude rules")
        if layer.options.has("phase") and layer.options.one("phase") == "TRAIN":
            continue
        if any(map(_is_met, included)) if included else not any(map(_is_met, excluded)):
            yield layer


def _is_met(rule: Options) -> bool:
    return (
        rule.one("phase", "TEST") == "TEST" and rule.one("min_level", 0) <= 0 <= rule.one("max_level", 0)
        and not rule.all("stage")
    )  # fmt: skip


def _name(text: str, line: int) -> str:
    if not text or len(text) > NAME:
        raise ValueError(f"line {line}: the name of a blob is {short(text)}; 1 to {NAME} characters were expected")
    return text


class _Naming:
    """Gives every output a name, and every reader the value that its blob holds by then."""

    def __init__(self, layers: list[Plain], inputs: list[NetInput]) -> None:
        self._layers = layers
        self._kept = {layer.name for layer in layers if len(layer.tops) == 1 and layer.type not in DATA}
        self._taken: set[str] = set()
        self._numbers: dict[str, int] = {}
        self._held: dict[str, str | None] = {}
        self._unread: dict[str, None] = {}
        self.inputs: list[NetInput] = []
        for one in inputs:
            self._add_input(one.name, one.shape, None)

    def net(self, name: str) -> Net:
        layers, left_out = [], []
        for plain in self._layers:
            if plain.type == "Input":
                self._add_inputs(plain)
            elif plain.type in DATA:
                self._add_data(plain)
            elif plain.type in _LEFT_OUT or plain.type.endswith(("Loss", "LossLayer")):
                left_out.append(f"{plain.name} ({plain.type})")
                self._leave_out(plain)
            else:
                layers.append(self._layer(plain))
        if not self.inputs:
            raise ValueError("it states no input; the deploy prototxt has an Input layer, or input: and input_shape")
        if not layers:
            raise ValueError("it states no layer that computes anything")
        inputs = {one.name for one in self.inputs}
        outputs = [value for value in self._unread if value not in inputs]
        if not outputs:
            raise ValueError("every blob of it is read by a layer, so it has no output")
        return Net(name, tuple(self.inputs), tuple(layers), tuple(outputs), tuple(left_out))

    def _leave_out(self, plain: Plain) -> None:
        silent = plain.type == "Silence"
        for bottom in plain.bottoms:
            if silent:
                self._unread.pop(self._held.get(bottom) or "", None)
        for top in plain.tops:
            self._held[top] = None

    def _layer(self, plain: Plain) -> Layer:
        reads = tuple(self._read(bottom, plain) for bottom in plain.bottoms)
        if not plain.tops:
            raise ValueError(f"line {plain.line}: layer {short(plain.name)} has no top, so it computes nothing")
        if len(set(plain.tops)) < len(plain.tops):
            raise ValueError(f"line {plain.line}: layer {short(plain.name)} has two tops of one name")
        outputs = []
        for top in plain.tops:
            wished = plain.name or top if len(plain.tops) == 1 else top
            value = self._fresh(wished, own=len(plain.tops) == 1)
            self._put(_name(top, plain.line), value)
            outputs.append(value)
        return Layer(
            plain.name or outputs[0], plain.type, reads, plain.tops, tuple(outputs), plain.parameters, plain.line
        )

    def _read(self, bottom: str, plain: Plain) -> str:
        where = f"line {plain.line}: layer {short(plain.name[:80])} reads {short(bottom[:80])}"
        if bottom not in self._held:
            raise ValueError(f"{where}, which nothing before it computes")
        value = self._held[bottom]
        if value is None:
            raise ValueError(f"{where}, a label or a loss, which there is none of when a net is used")
        self._unread.pop(value, None)
        return value

    def _put(self, top: str, value: str) -> None:
        self._held[top] = value
        self._unread[value] = None

    def _fresh(self, wished: str, *, own: bool = False) -> str:
        found, number = wished, self._numbers.get(wished, 1)
        while found in self._taken or (not own and found in self._kept) or (found != wished and found in self._kept):
            number += 1
            found = f"{wished}__{number}"
        self._taken.add(found)
        self._numbers[wished] = number  # whoever wishes for it next begins there: thousands may have one name
        return found

    def _add_inputs(self, plain: Plain) -> None:
        shapes = _source(plain).options("input_param").messages("shape")
        if len(shapes) not in (1, len(plain.tops)):
            raise ValueError(
                f"line {plain.line}: the Input layer {short(plain.name)} states {len(shapes)} shapes for "
                f"{len(plain.tops)} tops"
            )
        layer = _source(plain)
        for index, top in enumerate(plain.tops):
            dims = tuple(shapes[index if len(shapes) > 1 else 0].all("dim"))
            self._add_input(_name(top, plain.line), dims, layer, own=plain.name)

    def _add_data(self, plain: Plain) -> None:
        if not plain.tops:
            raise ValueError(f"line {plain.line}: the {plain.type} layer {short(plain.name)} has no top")
        self._add_input(_name(plain.tops[0], plain.line), None, _source(plain))
        for top in plain.tops[1:]:
            self._held[top] = None

    def _add_input(self, top: str, shape: tuple[int, ...] | None, layer: Layer | None, own: str | None = None) -> None:
        if self._held.get(top) is not None:
            raise ValueError(f"two inputs are called {short(top[:80])}")
        value = self._fresh(top, own=top == own)
        self._put(top, value)
        self.inputs.append(NetInput(value, shape, layer))


def _source(plain: Plain) -> Layer:
    """A layer that reads no blob."""
    return Layer(plain.name, plain.type, (), plain.tops, (), plain.parameters, plain.line)

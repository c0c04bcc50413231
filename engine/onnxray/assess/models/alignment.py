"""Which values of two models are the same layer: by name, else by position among layers of the same kind and shape.

A layer with weights of the one is matched with one of the other

    by name        where a name that belongs to both is the same: of what it gives, of its activation, of the quantised
                   value that stands for either (``_quantized``, ``_DequantizeLinear_Output`` are left off)
    by position    where kind (convolution, linear) and shape agree: longest common runs between those matched by name

What is compared is what the network goes on with: of a value that is quantised at once, what it stands for. Where an
activation is part of the layer in one file (a Relu that quantisation or fusion took in) and a node in the other, it is
compared with that node's value. Beside the layers, values of one name, operator and shape are compared too.

Where no more than half of the layers of the smaller model are matched, the two are different networks (whose last
layers match wherever they have the same classes), and no values are compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final, Literal

from onnxray.graph.facts import Graph, Node
from onnxray.graph.operator_kinds import (
    CONVOLUTIONS,
    INTEGER_CONVOLUTIONS,
    INTEGER_LINEAR,
    LAYER_OPERANDS,
    MOVING,
    QUANTISING,
    UNCHANGING,
)
from onnxray.graph.weight_layers import weight_layers
from onnxray.graph.whole_numbers import holds_reals
from onnxray.model.model import Model

_SUFFIXES: Final = ("_dequantized", "_quantized", "_DequantizeLinear_Output", "_QuantizeLinear_Output")
_ACTIVATIONS: Final = frozenset({"Clip", "HardSigmoid", "LeakyRelu", "Relu", "Sigmoid", "Tanh"})
"""What is taken into a layer by quantisation (those that a range cuts off) or by fusion."""
_TAKING: Final = INTEGER_CONVOLUTIONS | INTEGER_LINEAR | {"FusedConv", "FusedGemm", "FusedMatMul"}
_NO_LAYERS: Final = MOVING | QUANTISING | UNCHANGING | {"Cast", "Constant"}
_SHARE: Final = 0.5
"""Of the layers of the smaller model, up to which the two are different networks."""
_MEASURED_AT_ONCE: Final = 32


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Values that are one layer. size: numbers of one sample."""

    a: str
    b: str
    by: Literal["name", "position"]
    size: int


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """pairs: in the order of the first model. layers: how many with weights each has; matched: by name, by position.

    reason: why there are no pairs, else None.
    """

    pairs: tuple[Pair, ...]
    layers: tuple[int, int]
    matched: tuple[int, int]
    reason: str | None = None

    def said(self) -> str:
        """The alignment in words."""
        named, placed = self.matched
        return (
            f"{named + placed} layers with weights of {self.layers[0]} and {self.layers[1]} matched: {named} by name, "
            f"{placed} by position, kind and shape; {len(self.pairs)} values compared"
        )


@dataclass(frozen=True, kw_only=True)
class _Layer:
    value: str
    activation: str | None
    takes: bool
    """Whether an activation may be part of it."""
    kind: str
    names: frozenset[str]
    shape: tuple[int, ...]


def align(a: Model, b: Model) -> Alignment:
    """Match the values of two models. Errors: those of measuring shapes."""
    own, other = _layers(a), _layers(b)
    matched = _matched(own, other)
    by_name = sum(by == "name" for _, _, by in matched)
    counts, found = (len(own), len(other)), (by_name, len(matched) - by_name)
    reason = _different(counts, len(matched))
    pairs = [] if reason else [_pair(own[i], other[j], by) for i, j, by in matched]
    if reason is None:
        pairs += _same_named(a, b, {pair.a for pair in pairs} | {pair.b for pair in pairs})
        reason = None if pairs else "values are not compared: none of the one has name and shape of one of the other"
    places = {name: place for place, name in enumerate(a.graph.values)}
    ordered = tuple(sorted(pairs, key=lambda pair: places[pair.a]))
    return Alignment(pairs=ordered, layers=counts, matched=found, reason=reason)


def _different(layers: tuple[int, int], matched: int) -> str | None:
    """Why two models are different networks; None where they are not."""
    if not min(layers) or matched > _SHARE * min(layers):
        return None
    return (
        f"values are not compared: {matched} of the {layers[0]} and {layers[1]} layers with weights match by name or "
        "by kind and shape, so these are different networks"
    )


def _layers(model: Model) -> list[_Layer]:
    graph = model.graph
    found = [(name, _carried_on(graph, name)) for name in weight_layers(graph)]
    shapes = _shapes(model, [value for _, value in found])
    return [_layer(graph, name, value, shapes[value]) for name, value in found]


def _layer(graph: Graph, name: str, value: str, shape: tuple[int, ...]) -> _Layer:
    node = _node(graph, name)
    operator = node.operator
    activation = _activation(graph, value)
    kind = "convolution" if operator in CONVOLUTIONS | INTEGER_CONVOLUTIONS else "linear"
    names = frozenset(_plain(each) for each in (node.outputs[0], name, value, activation) if each)
    takes = value != name or operator in _TAKING
    return _Layer(value=value, activation=activation, takes=takes, kind=kind, names=names, shape=shape)


def _node(graph: Graph, name: str) -> Node:
    """The layer itself, behind the sum with its bias, or what its whole numbers stand for."""
    node = graph.producer_of[name]
    while node.operator not in LAYER_OPERANDS:
        node = next(graph.producer_of[one] for one in node.inputs if one in graph.depends_on_input)
    return node


def _carried_on(graph: Graph, name: str) -> str:
    """What a network goes on with: of a value that is quantised at once and read nowhere else, what it stands for."""
    readers = graph.readers_of.get(name, ())
    if len(readers) == 1 and readers[0].operator == "QuantizeLinear" and readers[0].inputs[0] == name:
        after = graph.readers_of.get(readers[0].outputs[0], ())
        if after and all(one.operator == "DequantizeLinear" for one in after):
            return after[0].outputs[0]
    return name


def _activation(graph: Graph, value: str) -> str | None:
    readers = graph.readers_of.get(value, ())
    return readers[0].outputs[0] if len(readers) == 1 and readers[0].operator in _ACTIVATIONS else None


def _matched(own: Sequence[_Layer], other: Sequence[_Layer]) -> list[tuple[int, int, Literal["name", "position"]]]:
    """Places of layers that match, in order: by name first, then by position in the gaps between."""
    named = {name: j for j, layer in enumerate(other) for name in layer.names}
    found: list[tuple[int, int, Literal["name", "position"]]] = []
    last = -1
    for i, layer in enumerate(own):
        places = {named[name] for name in layer.names if name in named}
        same = sorted(j for j in places if j > last and _is_alike(layer, other[j]))
        if same:
            last = same[0]
            found.append((i, last, "name"))
    ends = [*found, (len(own), len(other), "name")]
    start = (0, 0)
    for i, j, _ in ends:
        gap, gap_of_other = _keys(own[start[0] : i]), _keys(other[start[1] : j])
        for block in SequenceMatcher(None, gap, gap_of_other, autojunk=False).get_matching_blocks():
            found += [(start[0] + block.a + k, start[1] + block.b + k, "position") for k in range(block.size)]
        start = i + 1, j + 1
    return sorted(found)


def _keys(layers: Sequence[_Layer]) -> list[tuple[str, tuple[int, ...]]]:
    return [(layer.kind, layer.shape) for layer in layers]


def _is_alike(one: _Layer, other: _Layer) -> bool:
    return one.kind == other.kind and one.shape == other.shape


def _pair(own: _Layer, other: _Layer, by: Literal["name", "position"]) -> Pair:
    a, b = own.value, other.value
    if own.activation and not other.activation and other.takes:
        a = own.activation
    elif other.activation and not own.activation and own.takes:
        b = other.activation
    return Pair(a=a, b=b, by=by, size=_size(own.shape))


def _same_named(a: Model, b: Model, taken: set[str]) -> Iterator[Pair]:
    """Values beside the layers of one name, operator and shape in both; of what is quantised, what it stands for.

    To read what is about to be quantised as well would take a fused layer apart, and give numbers that are not in use.
    """
    names = {
        name: (_carried_on(a.graph, name), _carried_on(b.graph, name))
        for name in a.graph.values
        if name in b.graph.values and _is_computed(a.graph, name) and _is_computed(b.graph, name)
        and a.graph.producer_of[name].operator == b.graph.producer_of[name].operator
    }  # fmt: skip
    beside = [pair for pair in names.values() if not taken.intersection(pair)]
    shapes, others = _shapes(a, [own for own, _ in beside]), _shapes(b, [other for _, other in beside])
    yield from (
        Pair(a=own, b=other, by="name", size=_size(shapes[own]))
        for own, other in beside
        if shapes[own] == others[other] and _size(shapes[own]) > 1
    )


def _is_computed(graph: Graph, name: str) -> bool:
    node = graph.producer_of.get(name)
    real = node is not None and name in graph.depends_on_input and holds_reals(graph, name)
    return real and node is not None and node.operator not in _NO_LAYERS


def _shapes(model: Model, names: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Shapes of one sample, a few values at a time: all at once would take their memory together."""
    found: dict[str, tuple[int, ...]] = {}
    for start in range(0, len(names), _MEASURED_AT_ONCE):
        found |= model.shapes(names[start : start + _MEASURED_AT_ONCE], once=True)
    return found


def _size(shape: Sequence[int]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size


def _plain(name: str) -> str:
    """A name without what quantisers put behind it."""
    while (end := next((one for one in _SUFFIXES if name.endswith(one) and name != one), None)) is not None:
        name = name.removesuffix(end)
    return name

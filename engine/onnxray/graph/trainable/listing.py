"""The constants of a file, each with whether it can be trained, and the reason where it is not.

    listed = constants_of(graph)                        every constant of real numbers, and those that stand for some
    chosen(listed, train=["fc*"], freeze=["conv1*"])    the names that are trained

What is trained is the source that lies in the file; what is computed from it by constants alone is computed anew.
"""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from onnxray.errors import InputError
from onnxray.errors.near_misses import did_you_mean
from onnxray.errors.short_values import short
from onnxray.graph.facts import Graph, Node, Value
from onnxray.graph.file.attribute_values import held_tensor
from onnxray.graph.file.element_types import element_type_name
from onnxray.graph.trainable.operands import ARITHMETIC, CHAINED, LEARNT, STATISTICS, WHOLE_ONLY

_REAL: Final = frozenset({"bfloat16", "float16", "float32", "float64"})
_STORED: Final = frozenset({"int8", "uint8", "int16", "uint16", "int32"})

_WHOLE: Final = "whole numbers of"

Held = Literal["initialiser", "constant"]


@dataclass(frozen=True, kw_only=True)
class Constant:
    """One constant: ``reason`` says why it is left as it is, and is empty where it is trained.

    held: in the file's list of initialisers, or by a Constant node. reads: what the network makes of it, as
    "Conv 'conv1': weight". real: the value that the network computes with: itself, or what DequantizeLinear gives.
    single: whether naming it has it trained all the same.
    """

    name: str
    held: Held
    dtype: str
    shape: tuple[int, ...]
    reads: tuple[str, ...]
    real: str
    reason: str = ""
    single: bool = False

    @property
    def count(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)

    @property
    def quantised(self) -> bool:
        """Whether it holds whole numbers that stand for real ones."""
        return self.real != self.name


@dataclass(frozen=True)
class _Use:
    """A node that the input reaches, and at which place it reads a constant. real: what is read."""

    node: Node
    place: int
    real: str


def constants_of(graph: Graph, outputs: Sequence[str] = ()) -> tuple[Constant, ...]:
    """Every constant that is real numbers or stands for them, in the file's order.

    outputs: the values that are trained on; by default the graph's own.
    """
    wanted = tuple(outputs) or tuple(value.name for value in graph.outputs)
    return tuple(_Listing(graph, wanted).all())


def chosen(
    listed: Sequence[Constant], train: Sequence[str] | None = None, freeze: Sequence[str] = ()
) -> tuple[Constant, ...]:
    """Those that are trained. train: names or patterns in place of all; freeze: of those that are left as they are.

    Errors: InputError where a pattern meets nothing, where one that is named cannot be trained, or nothing is left.
    """
    kept = {name for pattern in freeze for name in _met(listed, pattern)}
    if train is None:
        found = [one for one in listed if not one.reason]
    else:
        named = {name for pattern in train for name in _met(listed, pattern)}
        exact = set(train)
        found = []
        for one in listed:
            if one.name not in named:
                continue
            if one.reason and not one.single and one.name in exact:
                raise InputError(f"{short(one.name)} cannot be trained: {one.reason}")
            if not one.reason or (one.single and one.name in exact):
                found.append(replace(one, reason=""))
    left = tuple(one for one in found if one.name not in kept)
    if not left:
        raise InputError(f"nothing is left to train: {_why_nothing(listed)}")
    return left


def _why_nothing(listed: Sequence[Constant]) -> str:
    whole = [one.reason for one in listed if one.reason.startswith(_WHOLE)]  # the reason for all the others
    reasons = dict.fromkeys([*whole, *(one.reason for one in listed if one.reason)])
    if not listed:
        return "the file holds no constants of real numbers"
    return "; ".join([*list(reasons)[:3], "--dry-run lists all constants"])


def _met(listed: Sequence[Constant], pattern: str) -> list[str]:
    names = [one.name for one in listed]
    found = [name for name in names if name == pattern] or fnmatch.filter(names, pattern)
    if not found:
        raise InputError(f"no constant is called {short(pattern)}; {did_you_mean(pattern, names)}--dry-run lists them")
    return found


class _Listing:
    """What is asked of every constant."""

    def __init__(self, graph: Graph, outputs: tuple[str, ...]) -> None:
        self.graph = graph
        self.needed = {node.index for node in graph.needed_for(outputs)}
        skeleton = graph.container.skeleton.graph
        held = {tensor.name for tensor in skeleton.initializer}
        self.written = held | {name for node in skeleton.node if node.op_type == "Constant" for name in node.output}
        self.behind = _behind_layers(graph)

    def all(self) -> Iterator[Constant]:
        """Initialisers, then Constant nodes."""
        for name, tensor in self.graph.initializers.items():
            dtype = element_type_name(tensor.data_type)
            yield from self.one(name, "initialiser", dtype, tuple(tensor.dims))
        for node in self.graph.nodes:
            if node.operator == "Constant" and node.outputs[0]:
                own = held_tensor(node.proto)
                if own is not None:
                    dtype, shape = element_type_name(own.data_type), tuple(own.dims)
                    yield from self.one(node.outputs[0], "constant", dtype, shape)
                else:
                    yield from self.otherwise(node)
        for sparse in self.graph.container.skeleton.graph.sparse_initializer:
            dtype, shape = element_type_name(sparse.values.data_type), tuple(sparse.dims)
            yield from self.one(sparse.values.name, "initialiser", dtype, shape, stored="a sparse tensor")

    def otherwise(self, node: Node) -> Iterator[Constant]:
        """What a Constant node holds otherwise than in a tensor."""
        for entry in node.proto.attribute:
            dtype: str = "float32"
            shape: tuple[int, ...] = (len(entry.floats),)
            if entry.name == "sparse_value":
                dtype, shape = element_type_name(entry.sparse_tensor.values.data_type), tuple(entry.sparse_tensor.dims)
            elif entry.name == "value_float":
                shape = ()
            elif entry.name != "value_floats":
                continue
            yield from self.one(node.outputs[0], "constant", dtype, shape, stored=f"the node's attribute {entry.name}")

    def one(self, name: str, held: Held, dtype: str, shape: tuple[int, ...], *, stored: str = "") -> Iterator[Constant]:
        """A constant, unless it is no matter of training: indices, shapes, text.

        stored: what it lies in, where that is no tensor whose numbers could be exchanged.
        """
        uses = list(self.uses(name))
        whole = dtype in _STORED and any(use.real != name or use.node.operator in WHOLE_ONLY for use in uses)
        if dtype not in _REAL and not whole:
            return
        reads = tuple(f"{use.node.operator} {short(use.node.name)}: {_role(use)}" for use in uses)
        reals = dict.fromkeys(use.real for use in uses)
        real = next(iter(reals), name) if whole else name
        reason, single = self.reason(name, dtype, shape, uses, tuple(reals))
        if stored:
            reason, single = f"it lies in {stored}, and only numbers of plain tensors are exchanged", False
        yield Constant(
            name=name, held=held, dtype=dtype, shape=shape, reads=tuple(dict.fromkeys(reads)), real=real, reason=reason,
            single=single,
        )  # fmt: skip

    def uses(self, name: str) -> Iterator[_Use]:
        """The nodes on the way to the outputs that read a constant, or what chains of constants make of it."""
        pending, seen = [(name, name)], {name}
        while pending:
            value, real = pending.pop()
            for node in self.graph.readers_of.get(value, ()):
                if node.index not in self.needed:
                    continue
                places = [place for place, read in enumerate(node.inputs) if read == value]
                if value in node.captures:
                    yield _Use(node, -1, real)
                constant = not any(output in self.graph.depends_on_input for output in node.outputs)
                for place in places:
                    if not constant:
                        yield _Use(node, place, real)
                    elif node.operator == "DequantizeLinear" and place == 0:
                        pending += [(output, output) for output in node.outputs if output not in seen]
                    elif node.operator in CHAINED and (place == 0 or node.operator == "Concat"):
                        pending += [(output, real) for output in node.outputs if output and output not in seen]
                    else:
                        yield _Use(node, place, real)
                    seen.update(node.outputs)

    def reason(
        self, name: str, dtype: str, shape: tuple[int, ...], uses: Sequence[_Use], reals: Collection[str]
    ) -> tuple[str, bool]:
        """Why a constant is left as it is, empty where it is trained; whether it is when it is named."""
        if name not in self.written:
            return "it lies in a function of the file, not in its graph", False
        if not uses:
            return "no output that is trained on depends on it", False
        if not math.prod(shape):
            return "it holds no numbers", False
        if dtype not in _REAL:
            integer = next((use.node for use in uses if use.node.operator in WHOLE_ONLY), None)
            if integer is not None:
                return (
                    f"{_WHOLE} {integer.operator}, which have no gradient; quantise the network with QuantizeLinear "
                    "and DequantizeLinear (the QDQ form) in place of that"
                ), False
            if len(reals) != 1 or not self.dequantised_by_constants(next(iter(reals))):
                return "it is dequantised in several ways, or by a scale that is computed", False
        for use in uses:
            told = self.kept(use, math.prod(shape))
            if told is not None:
                return told
        return "", False

    def kept(self, use: _Use, count: int) -> tuple[str, bool] | None:
        """Why a use leaves a constant alone, and whether naming it counts; None where it is learnt."""
        node, place = use.node, use.place
        described = f"{node.operator} {short(node.name)}"
        if place < 0:
            return f"it is read inside the body of {described}", False
        if place in STATISTICS.get(node.operator, {}):
            return f"{STATISTICS[node.operator][place]} of {described}: measured on data, not trained", False
        if place in LEARNT.get(node.operator, {}):
            return None
        if node.operator not in ARITHMETIC:
            return f"input {place} of {described} is an option of it", False
        others = [name for k, name in enumerate(node.inputs) if k != place and name in self.graph.depends_on_input]
        if others and not any(name in self.behind for name in others):
            return f"it stands before the first layer ({described}), where pixels are normalised", True
        bias = node.operator == "Add" and any(self.is_layer(name) for name in others)
        if count == 1 and not bias:
            return f"a single number of {described}; it is trained where it is named", True
        return None

    def is_layer(self, name: str) -> bool:
        """Whether a value comes straight out of a layer, so that what is added is its bias."""
        node = self.graph.producer_of.get(name)
        return node is not None and node.operator in {"MatMul", "Conv", "ConvTranspose", "Gemm"}

    def dequantised_by_constants(self, real: str) -> bool:
        """Whether the scale and zero point of what stands for real numbers lie in the file."""
        node = self.graph.producer_of[real]
        held = {*self.graph.initializers, *(v.name for v in self.graph.values.values() if _is_constant(v))}
        return node.operator == "DequantizeLinear" and all(name in held for name in node.inputs[1:] if name)


def _is_constant(value: Value) -> bool:
    return value.kind == "constant"


def _role(use: _Use) -> str:
    if use.place < 0:
        return "read inside its body"
    known: Mapping[int, str] = {**LEARNT.get(use.node.operator, {}), **STATISTICS.get(use.node.operator, {})}
    return known.get(use.place, f"input {use.place}")


def _behind_layers(graph: Graph) -> frozenset[str]:
    """The values that come out of a layer with learnt constants, or out of what follows one."""
    found = set[str]()
    for node in graph.nodes:
        learnt = LEARNT.get(node.operator, {})
        own = any(
            place < len(node.inputs) and node.inputs[place] and node.inputs[place] not in graph.depends_on_input
            for place in learnt
        )
        first = own and any(name in graph.depends_on_input for name in node.inputs)
        if first or any(name in found for name in node.reads):
            found.update(node.outputs)
    return frozenset(found)

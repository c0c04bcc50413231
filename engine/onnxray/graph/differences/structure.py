"""What differs between two models besides numbers of weights: each difference one line, with both sides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import onnx

from onnxray.errors.short_values import short
from onnxray.graph.differences.change import Change
from onnxray.graph.file.attribute_values import held_tensor
from onnxray.graph.file.element_types import element_type_name

DATA: Final = (
    "raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data", "string_data", "data_location",
    "external_data",
)  # fmt: skip
"""The fields of a tensor that hold its numbers, and tell where they lie."""

_PLAIN: Final = ("ir_version", "producer_name", "producer_version", "domain", "model_version")


def structure_changes(old: onnx.ModelProto, new: onnx.ModelProto) -> tuple[Change, ...]:
    """Every difference but for the numbers of tensors that both have, of the same type and shape, in the graph.

    Words and other fields that no engine reads are looked at elsewhere.
    """
    return (*_model(old, new), *_graph(old.graph, new.graph))


def differ_at_all(old: onnx.ModelProto, new: onnx.ModelProto) -> bool:
    """Whether anything differs but for the numbers of constants, and where they lie."""
    return _bare(old) != _bare(new)


def _bare(model: onnx.ModelProto) -> bytes:
    """The model without the numbers of the constants of its graph."""
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    held = (held_tensor(node) for node in bare.graph.node)
    for tensor in (*bare.graph.initializer, *held):
        for field in DATA if tensor is not None else ():
            tensor.ClearField(field)
    data: bytes = bare.SerializeToString(deterministic=True)
    return data


def _model(old: onnx.ModelProto, new: onnx.ModelProto) -> Iterator[Change]:
    for name in _PLAIN:
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            yield Change(name.replace("_", " "), "", short(before), short(after))
    opsets = ({one.domain or "ai.onnx": str(one.version) for one in m.opset_import} for m in (old, new))
    yield from _by_name("opset", *opsets)
    yield from _by_name("metadata", *({one.key: short(one.value) for one in m.metadata_props} for m in (old, new)))
    yield from _messages("function", *({f"{one.domain}.{one.name}": one for one in m.functions} for m in (old, new)))


def _graph(old: onnx.GraphProto, new: onnx.GraphProto) -> Iterator[Change]:
    if old.name != new.name:
        yield Change("graph's name", "", short(old.name), short(new.name))
    for what, field in (("input", "input"), ("output", "output"), ("stated value", "value_info")):
        yield from _by_name(what, *({one.name: _kind(one) for one in getattr(graph, field)} for graph in (old, new)))
        names = [[one.name for one in getattr(graph, field)] for graph in (old, new)]
        if names[0] != names[1] and sorted(names[0]) == sorted(names[1]):
            yield Change(f"order of {what}s", "", short(names[0]), short(names[1]))
    yield from _by_name("initialiser", *({one.name: _tensor(one) for one in graph.initializer} for graph in (old, new)))
    order = [[one.name for one in graph.initializer] for graph in (old, new)]
    if order[0] != order[1] and sorted(order[0]) == sorted(order[1]):
        yield Change("order of initialisers", "", short(order[0]), short(order[1]))
    yield from _messages(
        "sparse initialiser", *({one.values.name: one for one in graph.sparse_initializer} for graph in (old, new))
    )
    yield from _nodes(old, new)


def _nodes(old: onnx.GraphProto, new: onnx.GraphProto) -> Iterator[Change]:
    sides = [{_node_key(node, place): node for place, node in enumerate(graph.node)} for graph in (old, new)]
    before, after = sides
    for key in sorted(before.keys() ^ after.keys()):
        node = before.get(key) or after[key]
        described = f"{node.op_type} of {', '.join(map(short, node.input))}"
        yield Change("node", key, described if key in before else None, described if key in after else None)
    for key, node in before.items():
        if key in after:
            yield from _node(key, node, after[key])
    shared = [[key for key in side if key in before and key in after] for side in sides]
    if shared[0] != shared[1]:
        place = next(k for k, (one, other) in enumerate(zip(*shared)) if one != other)
        yield Change("order of nodes", f"at {place}", short(shared[0][place]), short(shared[1][place]))


def _node_key(node: onnx.NodeProto, place: int) -> str:
    """What a node is known by: the value that it computes."""
    return next((name for name in node.output if name), f"node {place}")


def _node(key: str, old: onnx.NodeProto, new: onnx.NodeProto) -> Iterator[Change]:
    for name in ("op_type", "domain", "name"):
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            yield Change(f"{name.replace('_', ' ')} of node", key, short(before), short(after))
    for name in ("input", "output"):
        reads = [list(getattr(node, name)) for node in (old, new)]
        if reads[0] != reads[1]:
            yield Change(f"{name}s of node", key, short(reads[0]), short(reads[1]))
    sides = [{one.name: one for one in node.attribute} for node in (old, new)]
    held = [held_tensor(node) for node in (old, new)]
    if held[0] is not None and held[1] is not None:
        if _tensor(held[0]) != _tensor(held[1]):
            yield Change("constant", key, _tensor(held[0]), _tensor(held[1]))
        for side in sides:
            side.pop("value", None)
    for name in sorted(sides[0].keys() | sides[1].keys()):
        pair = [side.get(name) for side in sides]
        shown = [None if one is None else _attribute(one) for one in pair]
        if len({None if one is None else one.SerializeToString(deterministic=True) for one in pair}) > 1:
            yield Change(f"attribute {name} of node", key, *shown)


def _attribute(attribute: onnx.AttributeProto) -> str:
    if attribute.HasField("g") or attribute.graphs:
        return "a graph"
    if attribute.HasField("t"):
        return f"a tensor, {_tensor(attribute.t)}"
    try:
        return short(onnx.helper.get_attribute_value(attribute))
    except ValueError:
        return "of a kind that onnx does not know"


def _tensor(tensor: onnx.TensorProto) -> str:
    return f"{element_type_name(tensor.data_type)} {list(tensor.dims)}"


def _kind(info: onnx.ValueInfoProto) -> str:
    kind = info.type
    if not kind.HasField("tensor_type"):
        return short(str(kind).replace("\n", " ").strip())
    dims = [dim.dim_value if dim.HasField("dim_value") else dim.dim_param or "?" for dim in kind.tensor_type.shape.dim]
    return f"{element_type_name(kind.tensor_type.elem_type)} {dims}"


def _by_name(what: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Change]:
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before != after:
            yield Change(what, name, before, after)


def _messages(what: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    """Of messages that are told apart as wholes."""
    sides: Sequence[dict[str, bytes]] = [
        {name: one.SerializeToString(deterministic=True) for name, one in side.items()} for side in (old, new)
    ]
    for name in sorted(sides[0].keys() | sides[1].keys()):
        pair = [side.get(name) for side in sides]
        if pair[0] != pair[1]:
            yield Change(what, name, *(None if one is None else f"{len(one)} bytes" for one in pair))

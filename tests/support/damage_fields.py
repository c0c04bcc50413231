"""Damage to a model's fields and wiring: shapes, types, attributes, names, what reads what."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto

Random = np.random.Generator

_HUGE = (2**31 - 1, 2**31, 2**40, 2**62, 2**63 - 1, -1, -(2**63), 0, 10**6)
_NAMES = ("", "a\nb", "\x1b[31m", "../x", "x" * 5000, "ü", "{", "[red]", "nodes", "forward", "0", "a.b.c", "%s")


def graphs_of(graph: GraphProto) -> list[GraphProto]:
    inner = [a.g for node in graph.node for a in node.attribute if a.type == AttributeProto.GRAPH]
    return [graph, *(deeper for body in inner for deeper in graphs_of(body))]


def some_graph(model: ModelProto, random: Random) -> GraphProto:
    found = graphs_of(model.graph)
    return found[int(random.integers(len(found)))]


def some_node(model: ModelProto, random: Random) -> NodeProto:
    nodes = list(some_graph(model, random).node) or list(model.graph.node)
    for function in model.functions:
        nodes += function.node
    return nodes[int(random.integers(len(nodes)))] if nodes else model.graph.node.add(op_type="Relu", output=["r"])


def some_tensor(model: ModelProto, random: Random) -> TensorProto:
    nodes = (node for graph in graphs_of(model.graph) for node in graph.node)
    tensors = [a.t for node in nodes for a in node.attribute if a.type == AttributeProto.TENSOR]
    tensors += model.graph.initializer
    return tensors[int(random.integers(len(tensors)))] if tensors else model.graph.initializer.add(name="new")


def some_info(model: ModelProto, random: Random) -> onnx.ValueInfoProto:
    infos = [info for graph in graphs_of(model.graph) for info in (*graph.input, *graph.output)]
    return infos[int(random.integers(len(infos)))] if infos else model.graph.input.add(name="new")


def some_name(model: ModelProto, random: Random) -> str:
    names = [name for node in model.graph.node for name in (*node.input, *node.output)]
    names += [tensor.name for tensor in model.graph.initializer]
    return names[int(random.integers(len(names)))] if names else ""


def some_number(random: Random) -> int:
    return int(_HUGE[int(random.integers(len(_HUGE)))]) if random.random() < 0.6 else int(random.integers(-9, 99))


def set_dim(model: ModelProto, random: Random, folder: Path) -> None:
    tensor = some_tensor(model, random)
    if len(tensor.dims):
        tensor.dims[int(random.integers(len(tensor.dims)))] = some_number(random)
    else:
        tensor.dims.append(some_number(random))


def set_tensor_type(model: ModelProto, random: Random, folder: Path) -> None:
    some_tensor(model, random).data_type = int(random.integers(-1, 30))


def set_data(model: ModelProto, random: Random, folder: Path) -> None:
    tensor = some_tensor(model, random)
    if random.random() < 0.5:
        tensor.raw_data = random.bytes(int(random.integers(0, 40)))
    else:
        tensor.raw_data = tensor.raw_data[: len(tensor.raw_data) // 2]
        tensor.float_data.extend([float("nan"), 1e38, -0.0])


def replace_constant(model: ModelProto, random: Random, folder: Path) -> None:
    """A shape, an axis or a count of any size in place of a sound one."""
    tensors = [t for t in _constants(model) if t.data_type == TensorProto.INT64]
    if tensors:
        tensor = tensors[int(random.integers(len(tensors)))]
        length = int(np.clip(np.prod(tensor.dims), 1, 64))
        numbers = [np.clip(some_number(random), -(2**40), 2**40) for _ in range(length)]
        name, dims = tensor.name, list(tensor.dims)
        tensor.CopyFrom(onnx.numpy_helper.from_array(np.array(numbers, np.int64).reshape(-1), name))
        del tensor.dims[:]
        tensor.dims.extend(dims)


def _constants(model: ModelProto) -> list[TensorProto]:
    nodes = (node for graph in graphs_of(model.graph) for node in graph.node)
    return [a.t for node in nodes for a in node.attribute if a.name == "value"] + list(model.graph.initializer)


def set_input_shape(model: ModelProto, random: Random, folder: Path) -> None:
    tensor = some_info(model, random).type.tensor_type
    if tensor.shape.dim and random.random() < 0.8:
        dim = tensor.shape.dim[int(random.integers(len(tensor.shape.dim)))]
        dim.Clear()
        dim.dim_value = some_number(random)
    else:
        tensor.shape.dim.add(dim_value=some_number(random))


def set_input_type(model: ModelProto, random: Random, folder: Path) -> None:
    info = some_info(model, random)
    kind = int(random.integers(0, 4))
    if kind == 0:
        info.type.sequence_type.elem_type.tensor_type.elem_type = 1
    elif kind == 1:
        info.ClearField("type")
    elif kind == 2:
        info.type.map_type.key_type = int(random.integers(0, 20))
    else:
        info.type.tensor_type.elem_type = int(random.integers(-1, 30))


def set_attribute(model: ModelProto, random: Random, folder: Path) -> None:
    node = some_node(model, random)
    if not node.attribute:
        node.attribute.add(name="axis", type=AttributeProto.INT, i=some_number(random))
        return
    attribute = node.attribute[int(random.integers(len(node.attribute)))]
    if attribute.ints and random.random() < 0.7:
        attribute.ints[int(random.integers(len(attribute.ints)))] = some_number(random)
    elif random.random() < 0.5:
        attribute.i = some_number(random)
    else:
        attribute.type = int(random.integers(0, 15))


def drop_attribute(model: ModelProto, random: Random, folder: Path) -> None:
    node = some_node(model, random)
    if node.attribute:
        del node.attribute[int(random.integers(len(node.attribute)))]


def set_string(model: ModelProto, random: Random, folder: Path) -> None:
    node = some_node(model, random)
    texts = [a for a in node.attribute if a.type == AttributeProto.STRING]
    attribute = texts[0] if texts else node.attribute.add(name="mode", type=AttributeProto.STRING)
    attribute.s = _NAMES[int(random.integers(len(_NAMES)))].encode() + random.bytes(2)


def change_operator(model: ModelProto, random: Random, folder: Path) -> None:
    operators = sorted({schema.name for schema in onnx.defs.get_all_schemas()})
    some_node(model, random).op_type = operators[int(random.integers(len(operators)))]


def set_opset(model: ModelProto, random: Random, folder: Path) -> None:
    if model.opset_import and random.random() < 0.8:
        entry = model.opset_import[int(random.integers(len(model.opset_import)))]
        entry.version = some_number(random) if random.random() < 0.5 else int(random.integers(1, 30))
    else:
        del model.opset_import[:]


def set_header(model: ModelProto, random: Random, folder: Path) -> None:
    model.ir_version = some_number(random)
    model.metadata_props.add(key=_NAMES[int(random.integers(len(_NAMES)))], value="{" * 3000)
    model.producer_name = _NAMES[int(random.integers(len(_NAMES)))]


# Wiring


def swap_nodes(model: ModelProto, random: Random, folder: Path) -> None:
    graph = some_graph(model, random)
    if len(graph.node) > 1:
        a, b = (int(k) for k in random.integers(0, len(graph.node), 2))
        first = NodeProto()
        first.CopyFrom(graph.node[a])
        graph.node[a].CopyFrom(graph.node[b])
        graph.node[b].CopyFrom(first)


def rewire(model: ModelProto, random: Random, folder: Path) -> None:
    """Another input: from anywhere, so also cycles and what comes later."""
    node = some_node(model, random)
    if node.input:
        node.input[int(random.integers(len(node.input)))] = some_name(model, random)


def change_arity(model: ModelProto, random: Random, folder: Path) -> None:
    node = some_node(model, random)
    choice = int(random.integers(0, 4))
    if choice == 0:
        node.input.append(some_name(model, random))
    elif choice == 1 and node.input:
        del node.input[int(random.integers(len(node.input)))]
    elif choice == 2:
        node.output.append(f"more{random.integers(99)}")
    elif node.output:
        del node.output[int(random.integers(len(node.output)))]


def rename_output(model: ModelProto, random: Random, folder: Path) -> None:
    """A name that is there already, or one that is odd."""
    node = some_node(model, random)
    if node.output:
        odd = _NAMES[int(random.integers(len(_NAMES)))]
        node.output[0] = some_name(model, random) if random.random() < 0.5 else odd


def drop_initializer(model: ModelProto, random: Random, folder: Path) -> None:
    if model.graph.initializer:
        del model.graph.initializer[int(random.integers(len(model.graph.initializer)))]


def repeat_initializer(model: ModelProto, random: Random, folder: Path) -> None:
    tensor = some_tensor(model, random)
    copied = model.graph.initializer.add()
    copied.CopyFrom(tensor)
    copied.name = tensor.name or some_name(model, random)


def drop_node(model: ModelProto, random: Random, folder: Path) -> None:
    graph = some_graph(model, random)
    if graph.node:
        del graph.node[int(random.integers(len(graph.node)))]


def set_output(model: ModelProto, random: Random, folder: Path) -> None:
    if model.graph.output:
        model.graph.output[0].name = some_name(model, random)


def swap_fields(model: ModelProto, random: Random, folder: Path) -> None:
    """What belongs to one node, given to another."""
    first, second = some_node(model, random), some_node(model, random)
    for field in ("input", "output", "attribute"):
        if random.random() < 0.5:
            mine = [*getattr(first, field)]
            first.ClearField(field)
            getattr(first, field).extend(getattr(second, field))
            second.ClearField(field)
            getattr(second, field).extend(mine)


PROTOS: list[Callable[..., None]] = [
    set_dim, set_tensor_type, set_data, replace_constant, set_input_shape, set_input_type, set_attribute,
    drop_attribute, set_string, change_operator, set_opset, set_header, swap_nodes, rewire, change_arity, rename_output,
    drop_initializer, repeat_initializer, drop_node, set_output, swap_fields,
]  # fmt: skip

"""Seeded damage to a model: bytes, fields, wiring, shapes, types, names, nesting, and where external data lies."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto

from support.mutation_seeds import Seed

Random = np.random.Generator
CANARY = "canary.bin"
"""A file in the folder above every model's, which no model may reach."""

_HUGE = (2**31 - 1, 2**31, 2**40, 2**62, 2**63 - 1, -1, -(2**63), 0, 10**6)
_NAMES = ("", "a\nb", "\x1b[31m", "../x", "x" * 5000, "ü", "{", "[red]", "nodes", "forward", "0", "a.b.c", "%s")
_BOMB = 24


def write_case(seeds: list[Seed], number: int, seed: int, folder: Path) -> tuple[Path, str]:
    """Write mutation ``number`` of ``seed`` into a folder of its own; give the model's path and what was done."""
    random = np.random.default_rng([seed, number])
    healthy = seeds[number % len(seeds)]
    mutators = BYTES + PROTOS + PLACES
    mutator = mutators[(number // len(seeds)) % len(mutators)]
    folder.mkdir(parents=True)
    for name, data in healthy.beside.items():
        (folder / name).write_bytes(data)
    path = folder / "model.onnx"
    model = ModelProto()
    model.CopyFrom(healthy.model)
    if mutator in BYTES:
        path.write_bytes(mutator(bytearray(model.SerializeToString()), random))
    else:
        for _ in range(1 if mutator in PLACES else int(random.integers(1, 4))):
            mutator(model, random, folder)
        path.write_bytes(model.SerializeToString())
    return path, f"{healthy.name}: {mutator.__name__}"


# Bytes


def flip(data: bytearray, random: Random) -> bytes:
    for place in random.integers(0, len(data), int(random.integers(1, 12))):
        data[place] ^= 1 << int(random.integers(0, 8))
    return bytes(data)


def flip_head(data: bytearray, random: Random) -> bytes:
    """Where the structure is, and no weights."""
    for place in random.integers(0, min(len(data), 1500), int(random.integers(1, 6))):
        data[place] = int(random.integers(0, 256))
    return bytes(data)


def truncate(data: bytearray, random: Random) -> bytes:
    return bytes(data[: int(random.integers(0, len(data)))])


def cut_out(data: bytearray, random: Random) -> bytes:
    start = int(random.integers(0, len(data)))
    del data[start : start + int(random.integers(1, 60))]
    return bytes(data)


def repeat(data: bytearray, random: Random) -> bytes:
    start = int(random.integers(0, len(data)))
    piece = data[start : start + int(random.integers(1, 200))]
    return bytes(data[:start] + piece + data[start:])


def insert(data: bytearray, random: Random) -> bytes:
    start = int(random.integers(0, min(len(data), 3000)))
    return bytes(data[:start]) + random.bytes(int(random.integers(1, 30))) + bytes(data[start:])


def long_numbers(data: bytearray, random: Random) -> bytes:
    start = int(random.integers(0, min(len(data), 3000)))
    data[start : start + 9] = b"\xff" * 8 + b"\x01"
    return bytes(data)


def bury(data: bytearray, random: Random) -> bytes:
    """Subgraphs in subgraphs, deeper than protobuf's own limit; as a second graph, which protobuf merges."""
    inner = b""
    for _ in range(int(random.choice([20, 33, 40, 100, 3000]))):
        attribute = _field(1, b"then_branch") + _field(6, inner) + b"\xa0\x01\x05"
        inner = _field(1, _field(4, b"If") + _field(2, b"o") + _field(5, attribute))
    return bytes(data) + _field(7, inner)


def _field(number: int, payload: bytes) -> bytes:
    """A delimited protobuf field."""
    length, size = bytearray(), len(payload)
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([number << 3 | 2]) + bytes(length) + bytes([size]) + payload


# Fields


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


def nest(model: ModelProto, random: Random, folder: Path) -> None:
    """An If in an If in an If."""
    depth = int(random.choice([3, 10, 20, 28]))
    body = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["deep"], ["out"])], "b", [], [onnx.ValueInfoProto(name="out")]
    )
    for level in range(depth):
        node = onnx.helper.make_node("If", ["deep_c"], [f"o{level}"], then_branch=body, else_branch=body)
        if level > 4:  # one branch alone: both would double the file at every level
            del node.attribute[1]
        body = onnx.helper.make_graph([node], "b", [], [onnx.ValueInfoProto(name=f"o{level}")])
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.float32([1]), "deep"))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.bool_(True), "deep_c"))
    model.graph.node.extend(body.node)


def explode(model: ModelProto, random: Random, folder: Path) -> None:
    """Functions that each call the one before twice: small to write, huge when inlined; or one that calls itself."""
    entry = onnx.helper.make_opsetid("bomb", 1)
    model.opset_import.append(entry)
    for level in range(_BOMB):
        inner = ("bomb", f"f{level - 1}") if level else ("", "Relu")
        nodes = [
            onnx.helper.make_node(inner[1], ["v"], ["m"], domain=inner[0]),
            onnx.helper.make_node(inner[1], ["m"], ["w"], domain=inner[0]),
        ]
        opsets = [onnx.helper.make_opsetid("", 17), entry]
        model.functions.append(onnx.helper.make_function("bomb", f"f{level}", ["v"], ["w"], nodes, opsets))
    if random.random() < 0.5:
        model.functions[0].node[0].op_type = "f3"
        model.functions[0].node[0].domain = "bomb"
    name = model.graph.input[0].name if model.graph.input else ""
    model.graph.node.append(onnx.helper.make_node(f"f{_BOMB - 1}", [name], ["bombed"], domain="bomb"))


def grow(model: ModelProto, random: Random, folder: Path) -> None:
    """A value of more numbers than there is memory for, on the way to the output."""
    shape = [int(random.choice([10**4, 10**5, 2**31, 2**40])) for _ in range(int(random.integers(2, 4)))]
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(shape, np.int64), "grown_to"))
    operator = str(random.choice(["Expand", "ConstantOfShape", "RandomUniformLike"]))
    inputs = {"Expand": ["one_more", "grown_to"], "ConstantOfShape": ["grown_to"], "RandomUniformLike": ["big"]}
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.float32([1]), "one_more"))
    if operator == "RandomUniformLike":
        model.graph.node.append(onnx.helper.make_node("ConstantOfShape", ["grown_to"], ["big"]))
    model.graph.node.append(onnx.helper.make_node(operator, inputs[operator], ["grown"]))
    model.graph.node.append(onnx.helper.make_node("ReduceMax", ["grown"], ["largest"], keepdims=0))
    model.graph.output.append(onnx.ValueInfoProto(name="largest"))


def loop_without_end(model: ModelProto, random: Random, folder: Path) -> None:
    """More trips than there is time for, where the model has a Loop."""
    for graph in graphs_of(model.graph):
        loops = {node.input[0] for node in graph.node if node.op_type == "Loop" and node.input}
        for node in graph.node:
            if node.output and node.output[0] in loops and node.attribute:
                node.attribute[0].t.CopyFrom(onnx.numpy_helper.from_array(np.int64(9 * 10**18)))


# Where external data lies


def point_outside(model: ModelProto, random: Random, folder: Path) -> None:
    _point(model, random, str(random.choice([f"../{CANARY}", f"./../{CANARY}", f"a/../../{CANARY}", f"..\\{CANARY}"])))


def point_absolute(model: ModelProto, random: Random, folder: Path) -> None:
    places = [str(folder.parent / CANARY), "/etc/hostname", "/dev/zero", "/proc/self/environ", "C:\\boot.ini", "//x/y"]
    _point(model, random, places[int(random.integers(len(places)))])


def point_through_a_link(model: ModelProto, random: Random, folder: Path) -> None:
    link = folder / "link.bin"
    if random.random() < 0.5:
        link.symlink_to(folder.parent / CANARY)
        _point(model, random, "link.bin")
    else:
        (folder / "up").symlink_to(folder.parent, target_is_directory=True)
        _point(model, random, f"up/{CANARY}")


def point_oddly(model: ModelProto, random: Random, folder: Path) -> None:
    places = ["", ".", "nothing.bin", "model.onnx", "weights.bin", "a\x00b", "x" * 5000, "weights.bin/", "loop"]
    if not (folder / "loop").is_symlink():
        (folder / "loop").symlink_to(folder / "loop")
    _point(model, random, places[int(random.integers(len(places)))])


def _point(model: ModelProto, random: Random, location: str) -> None:
    tensor = some_tensor(model, random)
    for field in ("raw_data", "float_data", "int64_data", "int32_data", "external_data"):
        tensor.ClearField(field)
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    if random.random() < 0.6:
        tensor.external_data.add(key="offset", value=str(some_number(random)))
        tensor.external_data.add(key="length", value=str(some_number(random)))


BYTES: list[Callable[..., bytes]] = [flip, flip_head, truncate, cut_out, repeat, insert, long_numbers, bury]
PROTOS: list[Callable[..., None]] = [
    set_dim, set_tensor_type, set_data, replace_constant, set_input_shape, set_input_type, set_attribute,
    drop_attribute, set_string, change_operator, set_opset, set_header, swap_nodes, rewire, change_arity, rename_output,
    drop_initializer, repeat_initializer, drop_node, set_output, swap_fields,
]  # fmt: skip
PLACES: list[Callable[..., None]] = [
    nest, explode, grow, loop_without_end, point_outside, point_absolute, point_through_a_link, point_oddly,
]  # fmt: skip
"""Once each: what is done is not to be done twice to one file."""

"""What is small to write and without end to read, and external data that lies where it may not."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, TensorProto

from support.damage_fields import graphs_of, some_number, some_tensor

Random = np.random.Generator
CANARY = "canary.bin"
"""A file in the folder above every model's, which no model may reach."""

_BOMB = 24


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


PLACES: list[Callable[..., None]] = [
    nest, explode, grow, loop_without_end, point_outside, point_absolute, point_through_a_link, point_oddly,
]  # fmt: skip
"""Once each: what is done is not to be done twice to one file."""

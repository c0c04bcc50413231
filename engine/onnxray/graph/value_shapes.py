"""Shapes of all values at one fed shape, and the memory that they take while a graph is computed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx
import onnx.numpy_helper
import onnx.shape_inference
from numpy.typing import NDArray

from onnxray.graph.facts import Graph

Shapes = Mapping[str, tuple[int, ...]]


def shapes_at(
    graph: Graph, fed: Shapes, constants: Mapping[str, NDArray[Any]] = MappingProxyType({})
) -> dict[str, tuple[int, ...]]:
    """Value -> its shape where the inputs have the shapes ``fed``; values whose shape cannot be inferred are absent.

    constants: values that are computed from weights alone, which inference does not always do.
    """
    model = onnx.ModelProto()
    model.CopyFrom(graph.proto)
    for field in ("value_info", "output"):
        model.graph.ClearField(field)
    nodes = [node for node in model.graph.node if not constants.keys() & set(node.output)]
    model.graph.ClearField("node")
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in constants.items())
    for info in model.graph.input:
        if info.name in fed:
            info.type.tensor_type.ClearField("shape")
            for size in fed[info.name]:
                info.type.tensor_type.shape.dim.add(dim_value=size)
    model.graph.output.extend(onnx.ValueInfoProto(name=output.name) for output in graph.outputs)
    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception:  # inference raises whatever the C++ side threw; what it cannot tell is absent
        return dict(fed)
    found = dict(fed)
    for info in (*inferred.graph.value_info, *inferred.graph.output):
        dims = info.type.tensor_type.shape.dim
        if info.type.tensor_type.HasField("shape") and all(dim.HasField("dim_value") for dim in dims):
            found[info.name] = tuple(dim.dim_value for dim in dims)
    return found


def live_bytes(graph: Graph, shapes: Shapes, names: Iterable[str], given: Iterable[str] = ()) -> int:
    """max over nodes of the bytes of all values alive while it runs, to compute ``names`` from ``given``; no weights.

    A value is alive from its node to its last reader. Values of unknown shape count as much as the largest known one.
    """
    wanted, known = list(names), frozenset(given)
    nodes = graph.needed_for(wanted, known)
    sizes = value_bytes(graph, shapes)
    largest = max(sizes.values(), default=0)
    last = {name: node.index for node in nodes for name in node.reads if name in graph.depends_on_input}
    last |= dict.fromkeys(wanted, graph.end)
    alive = {name: sizes.get(name, largest) for name in last if name in known or graph.values[name].kind == "input"}
    peak = total = sum(alive.values())
    for node in nodes:
        outputs = [name for name in node.outputs if name in graph.depends_on_input]
        made = {name: sizes.get(name, largest) for name in outputs if name not in alive}
        alive |= made
        total += sum(made.values())
        peak = max(peak, total)
        over = {name for name in (*node.reads, *outputs) if name in alive and last.get(name, -1) <= node.index}
        total -= sum(alive.pop(name) for name in over)
    return peak


def value_bytes(graph: Graph, shapes: Shapes) -> dict[str, int]:
    """Value -> how many bytes it takes, of those whose shape is known."""
    return {name: math.prod(shape) * _item_size(graph, name) for name, shape in shapes.items()}


def _item_size(graph: Graph, name: str) -> int:
    dtype = graph.values[name].dtype if name in graph.values else ""
    try:
        return np.dtype(dtype or "float32").itemsize
    except TypeError:
        return 4

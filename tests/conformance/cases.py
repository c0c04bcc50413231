"""The cases that the installed ``onnx`` wheel ships: models with inputs and the outputs that the standard wants.

``node`` is made by running the wheel's own code (seeded, the same every time); the other sets are files in it.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

SETS = ("node", "simple", "pytorch-operator", "pytorch-converted", "light")


@dataclass(frozen=True)
class Case:
    """One model with its inputs and outputs: arrays, lists of arrays, or None for an empty optional."""

    family: str
    name: str
    model: onnx.ModelProto
    data: tuple[tuple[list[Any], list[Any]], ...]
    rtol: float = 1e-3
    atol: float = 1e-7
    verify: bool = field(default=False)
    """Whether ``to_torch`` shall compare with ONNX Runtime on seeded inputs too."""


@cache
def cases(family: str) -> tuple[Case, ...]:
    """Every case of a set, by name."""
    found = _node() if family == "node" else _light() if family == "light" else _folders(family)
    return tuple(sorted(found, key=lambda case: case.name))


def _node() -> Iterator[Case]:
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the reference implementations divide by zero and overflow as they please
        collected = collect_testcases(None)
    for case in collected:
        assert case.model is not None
        assert case.data_sets is not None
        data = tuple(([_value(v) for v in inputs], [_value(v) for v in outputs]) for inputs, outputs in case.data_sets)
        yield Case("node", case.name, case.model, data, case.rtol, case.atol)


def _folder() -> Path:
    return Path(onnx.__file__).parent / "backend" / "test" / "data"


def _folders(family: str) -> Iterator[Case]:
    for folder in (_folder() / family).iterdir():
        if not (folder / "model.onnx").is_file():
            continue
        model = onnx.load(folder / "model.onnx")
        given = folder / "data.json"
        stated = json.loads(given.read_text()) if given.is_file() else {}
        data = tuple(
            (_protos(place, "input", model.graph.input), _protos(place, "output", model.graph.output))
            for place in sorted(folder.glob("test_data_set*"))
        )
        rtol, atol = float(stated.get("rtol", 1e-3)), float(stated.get("atol", 1e-7))
        yield Case(family, folder.name, model, data, rtol, atol)


def _light() -> Iterator[Case]:
    """Caffe's and Caffe2's nets with weights from ConstantOfShape; the wheel's input is ``arange(n) / n``.

    Equal weights hide much (every class ends at 1/1000), so these are compared with ONNX Runtime as well.
    """
    stated = {}
    for file in (_folder() / "real").glob("*/data.json"):
        told = json.loads(file.read_text())
        stated[Path(told["url"]).stem] = (float(told["rtol"]), float(told["atol"]))
    for file in (_folder() / "light").glob("*.onnx"):
        model = onnx.load(file)
        weights = {tensor.name for tensor in model.graph.initializer}
        inputs = []
        for info in model.graph.input:
            if info.name not in weights:
                shape = [dim.dim_value or 1 for dim in info.type.tensor_type.shape.dim]
                count = int(np.prod(shape))
                inputs.append((np.arange(count).reshape(shape) / count).astype(np.float32))
        outputs = [
            _proto(file.with_name(f"{file.stem}_output_{k}.pb"), info) for k, info in enumerate(model.graph.output)
        ]
        rtol, atol = stated.get(file.stem, (1e-3, 1e-7))
        yield Case("light", file.stem, model, ((inputs, outputs),), rtol, atol, verify=True)


def _protos(folder: Path, kind: str, infos: Any) -> list[Any]:
    count = len(list(folder.glob(f"{kind}_*.pb")))
    return [_proto(folder / f"{kind}_{k}.pb", infos[k]) for k in range(count)]


def _proto(file: Path, info: onnx.ValueInfoProto) -> Any:
    content = file.read_bytes()
    if info.type.HasField("sequence_type"):
        return [_value(v) for v in numpy_helper.to_list(onnx.SequenceProto.FromString(content))]
    if info.type.HasField("optional_type"):
        return _value(numpy_helper.to_optional(onnx.OptionalProto.FromString(content)))
    return _value(onnx.TensorProto.FromString(content))


def _value(value: Any) -> Any:
    """Arrays out of all that the wheel hands over: protos, numpy's scalars, Python's, lists and None."""
    if value is None:
        return None
    if isinstance(value, list | tuple):
        return [_value(part) for part in value]
    return np.array(numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value)


def nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Every node of a graph, those of its subgraphs too."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from nodes(inner)


def operators(model: onnx.ModelProto) -> frozenset[str]:
    """The operators of a model, with their domain where it is not the standard's."""
    bodies = [onnx.GraphProto(node=function.node) for function in model.functions]
    found = (node for graph in (model.graph, *bodies) for node in nodes(graph))
    return frozenset(f"{n.domain}.{n.op_type}" if n.domain not in {"", "ai.onnx"} else n.op_type for n in found)

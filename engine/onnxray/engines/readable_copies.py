"""Copies that ONNX Runtime reads, of files that it does not read as they are.

A file may be newer than ONNX Runtime (its IR version, its opset), hold nodes out of order where that does not sort them
(in bodies and functions), or take and give numbers that numpy, by which they come and go, has no type for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Final

import numpy as np
import onnx
from onnx import TensorProto

from onnxray.arrays import Array
from onnxray.graph.facts import Graph
from onnxray.graph.file.node_order import inner_in_order
from onnxray.graph.file.tensors import all_nodes

_OLD_IR, _OLD_OPSET = 10, 21
"""What every ONNX Runtime that this package works with reads."""

_CARRIERS: Final[Mapping[str, int]] = {
    "int2": TensorProto.INT8, "int4": TensorProto.INT8, "uint2": TensorProto.UINT8, "uint4": TensorProto.UINT8,
}  # fmt: skip
_REAL: Final = ("bfloat16", "float8", "float4")
_CARRIED = " as numpy holds it"
"""Stands behind the names of inputs and outputs that are cast."""


def carrier_of(dtype: str) -> int | None:
    """The element type that holds every number of ``dtype``, and that numpy has; None where it has that itself."""
    return TensorProto.FLOAT if dtype.startswith(_REAL) else _CARRIERS.get(dtype)


def reasons(graph: Graph) -> tuple[str, ...]:
    """Why the file itself cannot be fed, in words; none where it can."""
    return graph.once(_reasons)


def note(graph: Graph) -> str | None:
    """What a result says of that; None where the file itself is judged."""
    why = reasons(graph)
    return f"ONNX Runtime cannot be fed this file as it is, so a copy is judged: {'; '.join(why)}" if why else None


def _reasons(graph: Graph) -> tuple[str, ...]:
    model, why = graph.proto, []
    ir, opset = newest() if _is_new(model) else (_OLD_IR, _OLD_OPSET)
    if model.ir_version > max(ir, _OLD_IR):
        why.append(f"it states IR version {model.ir_version}, the copy {ir}")
    own = _opset(model)
    if own is not None and own.version > max(opset, _OLD_OPSET) and _reads_alike(model, own.version, opset):
        why.append(f"it states opset {own.version}, the copy {opset}, in which its operators are the same")
    if not inner_in_order(graph.container.skeleton):
        why.append("the nodes of a body or function are out of order, in the copy they are sorted")
    foreign = [value for value in (*graph.inputs, *graph.outputs) if carrier_of(value.dtype) is not None]
    if foreign:
        shown = onnx.TensorProto.DataType.Name(carrier_of(foreign[0].dtype) or 0).lower()
        why.append(f"{foreign[0].name!r} holds {foreign[0].dtype}, which the copy casts to and from {shown}")
    return tuple(why)


def readable(cut: onnx.ModelProto, graph: Graph) -> onnx.ModelProto:
    """Make a cut of the graph one that ONNX Runtime reads; what is as it should be stays so."""
    if _is_new(cut):
        ir, opset = newest()
        cut.ir_version = min(cut.ir_version, ir)
        own = _opset(cut)
        if own is not None and own.version > opset and _reads_alike(cut, own.version, opset):
            own.version = opset
    for info in cut.graph.input:
        own_type = info.type.tensor_type.elem_type
        carrier = carrier_of(graph.values[info.name].dtype) if info.name in graph.values else None
        if carrier is not None:
            cast = onnx.helper.make_node("Cast", [info.name + _CARRIED], [info.name], to=own_type)
            cut.graph.node.append(cast)
            info.name += _CARRIED
            info.type.tensor_type.elem_type = carrier
    for info in cut.graph.output:
        carrier = carrier_of(graph.values[info.name].dtype) if info.name in graph.values else None
        if carrier is not None:
            cut.graph.node.append(onnx.helper.make_node("Cast", [info.name], [info.name + _CARRIED], to=carrier))
            info.CopyFrom(onnx.ValueInfoProto(name=info.name + _CARRIED))
    return cut


def own_names(names: Iterable[str]) -> dict[str, str]:
    """The graph's name of each input or output of a session -> the session's."""
    return {name.removesuffix(_CARRIED): name for name in names}


def carried(array: Array) -> Array:
    """An array as a session takes it: numbers of a type that numpy does not have itself in one that it has, exactly."""
    carrier = carrier_of(str(array.dtype)) if isinstance(array, np.ndarray) else None  # else a sequence
    return array if carrier is None else array.astype(onnx.helper.tensor_dtype_to_np_dtype(carrier))


@cache
def newest() -> tuple[int, int]:
    """The newest IR version and opset that this ONNX Runtime reads, tried once a process."""
    ir = next((v for v in range(onnx.IR_VERSION, _OLD_IR, -1) if _starts(v, _OLD_OPSET)), _OLD_IR)
    versions = range(onnx.defs.onnx_opset_version(), _OLD_OPSET, -1)
    return ir, next((v for v in versions if _starts(ir, v)), _OLD_OPSET)


def _starts(ir: int, opset: int) -> bool:
    import onnxruntime

    text = f'<ir_version: {ir}, opset_import: ["": {opset}]> g (float[N] x) => (float[N] y) {{ y = Identity (x) }}'
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        model = onnx.parser.parse_model(text).SerializeToString()
        onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception:  # whatever the C++ side threw
        return False
    return True


def _is_new(model: onnx.ModelProto) -> bool:
    opset = _opset(model)
    return model.ir_version > _OLD_IR or (opset is not None and opset.version > _OLD_OPSET)


def _opset(model: onnx.ModelProto) -> onnx.OperatorSetIdProto | None:
    return next((entry for entry in model.opset_import if entry.domain in {"", "ai.onnx"}), None)


def _reads_alike(model: onnx.ModelProto, own: int, older: int) -> bool:
    """Whether every standard operator of a model is the same in an older opset."""
    used = {node.op_type for node in all_nodes(model.graph.node) if node.domain in {"", "ai.onnx"}}
    try:
        return all(_since(operator, own) == _since(operator, older) for operator in used)
    except onnx.defs.SchemaError:
        return False


def _since(operator: str, opset: int) -> int:
    return int(onnx.defs.get_schema(operator, opset).since_version)

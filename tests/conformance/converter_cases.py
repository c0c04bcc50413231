"""The wheel's cases of one operator as an older version of it would state them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import Any, Literal

import numpy as np
import onnx
from onnx import numpy_helper

from conformance.cases import SETS, Case, cases
from onnxray.importer.nodes.opset_versions import since_version
from onnxray.importer.onnx2torch_bridge import load_onnx2torch

_TYPES = {  # as schemas write them
    "float16": "float16", "float32": "float", "float64": "double", "bool": "bool", "complex64": "complex64",
    "complex128": "complex128",
}  # fmt: skip
_MOST, _VARIED = 200_000, 2
"""How many elements a case may have, and how many cases of an operator are varied in types and numbers."""


@cache
def versions(operator: str) -> tuple[int, ...]:
    """Every since-version of an operator of the standard domain."""
    schemas = onnx.defs.get_all_schemas_with_history()
    return tuple(sorted({int(s.since_version) for s in schemas if s.name == operator and s.domain == ""}))


@cache
def known_converters() -> tuple[tuple[str, int], ...]:
    """(operator, since-version) of all that onnx knows and onnx2torch converts; it knows the standard domain alone."""
    load_onnx2torch()
    from onnx2torch.node_converters.registry import get_converter

    result = set()
    for schema in onnx.defs.get_all_schemas_with_history():
        with suppress(NotImplementedError):
            get_converter(schema.name, schema.since_version, schema.domain)
            result.add((schema.name, int(schema.since_version)))
    return tuple(sorted(result))


def newest_opset(operator: str, version: int) -> int:
    """The last opset that means this version."""
    later = [other for other in versions(operator) if other > version]
    return min(later) - 1 if later else int(onnx.defs.onnx_opset_version())


@cache
def _single() -> Mapping[str, tuple[Case, ...]]:
    """Operator -> the cases that are one node of it and plain tensors."""
    result: dict[str, list[Case]] = {}
    for case in (case for family in SETS if family != "light" for case in cases(family)):
        nodes = [node for node in case.model.graph.node if node.op_type != "Constant"]
        inputs, outputs = case.data[0]
        plain = all(isinstance(v, np.ndarray) and v.size <= _MOST for v in (*inputs, *outputs))
        if len(nodes) == 1 and not nodes[0].domain and not case.model.functions and plain:
            result.setdefault(nodes[0].op_type, []).append(case)
    return {operator: tuple(found) for operator, found in result.items()}


Judge = Literal["wheel", "ours", "refusal"]
"""What a case is held to: the wheel's outputs, ours, or that both converters refuse it if ours does."""


def cases_of(operator: str, version: int) -> Iterator[tuple[Case, Judge]]:
    """The cases that this version can state, each as it is, with its later inputs as weights, and without shapes.

    The wheel's own outputs need not hold where it states another version.
    """
    for case in _not_of_the_wheel(operator, version):
        yield case, "ours"
    yield from _aligned_by_axis(operator, version)
    possible = ((case, at_version(case, operator, version)) for case in _single().get(operator, ()))
    for place, (case, stated) in enumerate((case, stated) for case, stated in possible if stated is not None):
        judge: Judge = "wheel" if stated is case else "ours"
        yield stated, judge
        if len(stated.data[0][0]) > 1:
            yield _with_weights(stated), judge
        yield _without_shapes(stated), judge
        if place >= _VARIED:
            continue
        for other in (*_other_types(stated, operator, version), *_not_finite(stated)):
            yield other, "ours"
        for other in _misfits(stated, operator, version):
            yield other, "refusal"


def _misfits(case: Case, operator: str, version: int) -> Iterator[Case]:
    """The case with an attribute of 0, and with an input longer by one on every axis, which may be too long or uneven."""
    schema = onnx.defs.get_schema(operator, version)
    for name, attribute in schema.attributes.items():
        if attribute.type == onnx.defs.OpSchema.AttrType.FLOAT:
            model = onnx.ModelProto()
            model.CopyFrom(case.model)
            node = next(node for node in model.graph.node if node.op_type == operator)
            others = [other for other in node.attribute if other.name != name]
            del node.attribute[:]
            node.attribute.extend([*others, onnx.helper.make_attribute(name, 0.0)])
            yield replace(case, name=f"{case.name}, {name} of 0", model=model)
    (first, *others), wanted = case.data[0]
    longer = _without_shapes(case)
    yield replace(
        longer, name=f"{longer.name}, longer", data=(([np.pad(first, [(0, 1)] * first.ndim), *others], wanted),)
    )


def _aligned_by_axis(operator: str, version: int) -> Iterator[tuple[Case, Judge]]:
    """The oldest way to broadcast, which no case of the wheel states: b's first axis lies on the axis ``axis`` of a."""
    schema = onnx.defs.get_schema(operator, version)
    if not {"axis", "broadcast"} <= schema.attributes.keys():
        return
    rng = np.random.default_rng(0)
    for shape, axis in (((3,), 1), ((3, 4), 1), ((2,), 0), ((4, 5), None), ((5,), -1), ((3, 4), -2)):
        arrays = [rng.uniform(0.5, 2, each) for each in ((2, 3, 4, 5), shape)]
        logical = operator in {"And", "Or", "Xor"}
        values = [array > 1 if logical else array.astype(np.float32) for array in arrays]
        placed = {} if axis is None else {"axis": axis}
        kind = onnx.TensorProto.BOOL if logical else onnx.TensorProto.FLOAT
        made = onnx.helper.make_node(operator, ["a", "b"], ["y"], broadcast=1, **placed)
        infos = [onnx.helper.make_tensor_value_info(name, kind, v.shape) for name, v in zip("ab", values)]
        graph = onnx.helper.make_graph([made], "g", infos, [onnx.ValueInfoProto(name="y")])
        opset = onnx.helper.make_opsetid("", newest_opset(operator, version))
        model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8)
        case = Case("node", f"b of shape {list(shape)} on axis {axis}", model, ((values, []),))
        yield case, "refusal" if axis == -2 else "ours"


def _not_of_the_wheel(operator: str, version: int) -> Iterator[Case]:
    """Gather with one fixed index, as exporters write a class token or a length, and Resize-10, which is Upsample."""
    values = np.random.default_rng(0).standard_normal((1, 8, 16, 24)).astype(np.float32)
    if operator == "Gather":
        yield _of_a_weight(operator, version, values, np.int64(0), {"axis": 2})
    if operator == "Resize" and version == 10:
        for mode in ("nearest", "linear"):
            yield _of_a_weight(operator, version, values, np.float32([1, 1, 2, 3]), {"mode": mode})


def _of_a_weight(operator: str, version: int, x: Any, weight: Any, attributes: dict[str, Any]) -> Case:
    made = onnx.helper.make_node(operator, ["x", "w"], ["y"], **attributes)
    info = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, x.shape)
    held = numpy_helper.from_array(np.asarray(weight), "w")
    graph = onnx.helper.make_graph([made], "g", [info], [onnx.ValueInfoProto(name="y")], [held])
    opset = onnx.helper.make_opsetid("", newest_opset(operator, version))
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8)
    words = ", ".join(f"{name} {value}" for name, value in attributes.items())
    return Case("node", f"a weight of shape {list(np.shape(weight))}, {words}", model, (([x], []),))


def _not_finite(case: Case) -> Iterator[Case]:
    """The case with NaN, both infinities and both zeros among its real numbers."""
    odd = np.float32([np.nan, np.inf, -np.inf, 0.0, -0.0])
    inputs = [np.array(value) for value in case.data[0][0]]
    places = [v for v in inputs if v.dtype == np.float32 and v.size > len(odd)]
    for value in places:
        value.reshape(-1)[: len(odd)] = odd
    if places:
        yield replace(case, name=f"{case.name}, not finite", data=((inputs, case.data[0][1]),))


def _other_types(case: Case, operator: str, version: int) -> Iterator[Case]:
    """The case in every other type that the version states for its first input, small whole numbers throughout."""
    schema = onnx.defs.get_schema(operator, version)
    variable = schema.inputs[0].type_str
    allowed = next((c.allowed_type_strs for c in schema.type_constraints if c.type_param_str == variable), ())
    own, types = str(case.data[0][0][0].dtype), {f"tensor({word})": name for name, word in _TYPES.items()}
    types |= {f"tensor({name})": name for name in (f"{u}int{bits}" for u in ("", "u") for bits in (8, 16, 32, 64))}
    formals = [schema.inputs[min(k, len(schema.inputs) - 1)].type_str for k in range(len(case.data[0][0]))]
    for name in sorted(types[word] for word in allowed if word in types and types[word] != own):
        model = onnx.ModelProto()
        model.CopyFrom(case.model)
        kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(name))
        inputs = list(case.data[0][0])
        for place, (info, formal) in enumerate(zip(model.graph.input, formals)):
            if formal == variable:
                info.type.tensor_type.elem_type = kind
                with np.errstate(all="ignore"):
                    inputs[place] = np.abs(np.nan_to_num(inputs[place])).clip(0, 100).astype(name)
        for info, output in zip(model.graph.output, schema.outputs):
            if output.type_str == variable:
                info.type.tensor_type.elem_type = kind
        yield replace(case, name=f"{case.name}, {name}", model=model, data=((inputs, case.data[0][1]),))


def at_version(case: Case, operator: str, version: int) -> Case | None:
    """The case under the last opset that means ``version``; None where that version cannot state it."""
    opset = next(entry.version for entry in case.model.opset_import if not entry.domain)
    if since_version(operator, "", opset) == version:
        return case
    new, old = onnx.defs.get_schema(operator, opset), onnx.defs.get_schema(operator, version)
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    node = next(node for node in model.graph.node if node.op_type == operator)
    inputs, outputs = (list(values) for values in case.data[0])
    kept: list[Any] = []
    for attribute in node.attribute:
        default = new.attributes[attribute.name].default_value
        if attribute.name in old.attributes:
            kept.append(attribute)
        elif attribute.name == "seed":  # of what is drawn in training alone
            continue
        elif onnx.helper.get_attribute_value(attribute) != onnx.helper.get_attribute_value(default):
            return None
    names, dropped = list(node.input), set[str]()
    while len(names) > 1 and not _takes(old, len(names) - 1):
        name = names.pop()
        if not name:
            continue
        formal = new.inputs[len(names)].name
        formal = formal if formal in old.attributes else formal.lower()  # the K of TopK
        place = [info.name for info in model.graph.input].index(name) if name in _given(model) else -1
        if formal not in old.attributes or formal in new.attributes or place < 0:
            return None
        array = inputs[place]
        kind = old.attributes[formal].type
        real = kind in {onnx.defs.OpSchema.AttrType.FLOAT, onnx.defs.OpSchema.AttrType.FLOATS}
        several = kind in {onnx.defs.OpSchema.AttrType.INTS, onnx.defs.OpSchema.AttrType.FLOATS}
        numbers = (array.astype(np.float32) if real else array).reshape(-1).tolist()
        numbers = numbers if several else numbers[0]
        kept.append(onnx.helper.make_attribute(formal, numbers, attr_type=kind.value))
        dropped.add(name)
    given = _given(model)
    left = {name: array for name, array in zip(given, inputs) if name not in dropped}
    typed = [(old.inputs[min(k, len(old.inputs) - 1)], left[name]) for k, name in enumerate(names) if name in left]
    if not all(_allowed(old, formal, array) for formal, array in typed):
        return None
    del node.attribute[:], node.input[:]
    node.attribute.extend(kept)
    node.input.extend(names)
    infos = [info for info in model.graph.input if info.name not in dropped]
    del model.graph.input[:], model.opset_import[:]
    model.graph.input.extend(infos)
    model.opset_import.append(onnx.helper.make_opsetid("", newest_opset(operator, version)))
    return replace(case, name=f"{case.name} as version {version}", model=model, data=((list(left.values()), outputs),))


def _given(model: onnx.ModelProto) -> list[str]:
    return [info.name for info in model.graph.input]


def _takes(schema: Any, position: int) -> bool:
    last = schema.inputs[-1]
    return position < len(schema.inputs) or last.option == onnx.defs.OpSchema.FormalParameterOption.Variadic


def _allowed(schema: Any, formal: Any, array: Any) -> bool:
    name = str(array.dtype)
    word = f"tensor({_TYPES.get(name, name)})"
    constraint = next((c.allowed_type_strs for c in schema.type_constraints if c.type_param_str == formal.type_str), ())
    return word in constraint or word == formal.type_str


def _with_weights(case: Case) -> Case:
    """All inputs but the first as initialisers."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    infos, (inputs, _) = list(model.graph.input), case.data[0]
    model.ir_version = max(model.ir_version, 4)  # from there on initialisers need not be inputs
    del model.graph.input[1:]
    model.graph.initializer.extend(numpy_helper.from_array(a, i.name) for i, a in zip(infos[1:], inputs[1:]))
    data = tuple((given[:1], wanted) for given, wanted in case.data[:1])
    return replace(case, name=f"{case.name}, weights", model=model, data=data)


def _without_shapes(case: Case) -> Case:
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    for info in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        info.type.tensor_type.ClearField("shape")
    return replace(case, name=f"{case.name}, shapes unknown", model=model)

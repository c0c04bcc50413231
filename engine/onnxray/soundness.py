"""What a parsed model claims, held against what it holds, before native code believes it and takes all memory."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator

import onnx

from onnxray.errors import ModelFileError

LARGEST_INLINED = 1_000_000
"""Nodes that a model's own functions may come to when every call is written out."""

_NUMBERS_A_BYTE = 4
"""At most: 2-bit types."""

_CONSTANTS = {
    "value": onnx.AttributeProto.TENSOR,
    "sparse_value": onnx.AttributeProto.SPARSE_TENSOR,
    "value_int": onnx.AttributeProto.INT,
    "value_ints": onnx.AttributeProto.INTS,
    "value_float": onnx.AttributeProto.FLOAT,
    "value_floats": onnx.AttributeProto.FLOATS,
    "value_string": onnx.AttributeProto.STRING,
    "value_strings": onnx.AttributeProto.STRINGS,
}
"""ONNX Runtime checks the types of every operator's attributes but of these, and reads nothing where it is another."""

Key = tuple[str, str, str]


def check_opsets(model: onnx.ModelProto) -> None:
    """Refuse opset versions that onnx itself cannot look up. Errors: ModelFileError."""
    for entry in (*model.opset_import, *(entry for function in model.functions for entry in function.opset_import)):
        if not 0 <= entry.version < 2**31:
            raise ModelFileError(
                f"the opset of domain {entry.domain or 'ai.onnx'!r} is {entry.version}; one such as 17 was expected"
            )


def check_tensors(model: onnx.ModelProto, left_out: Collection[str]) -> None:
    """Refuse constants of another type than they say, or whose shape takes more numbers than they hold.

    ``left_out``: initialisers that lie elsewhere.
    Errors: ModelFileError naming the constant.
    """
    for tensor in model.graph.initializer:
        if tensor.name not in left_out:
            _check(tensor, f"weight {tensor.name!r}")
    bodies: list[Iterable[onnx.NodeProto]] = [model.graph.node, *(function.node for function in model.functions)]
    for node in (node for nodes in bodies for node in _all_nodes(nodes)):
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.type != _CONSTANTS.get(attribute.name, attribute.type):
                raise ModelFileError(
                    f"attribute {attribute.name!r} of Constant {node.name or list(node.output)!r} is of the type "
                    f"{attribute.type}; {_CONSTANTS[attribute.name]} was expected, the file is damaged"
                )
            for tensor in (attribute.t, *attribute.tensors):
                _check(tensor, f"constant {attribute.name!r} of node {node.name or node.op_type!r}")
            for tensor in attribute.g.initializer:
                _check(tensor, f"weight {tensor.name!r}")


def _check(tensor: onnx.TensorProto, described: str) -> None:
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        return
    wanted = math.prod(tensor.dims)
    typed = (tensor.float_data, tensor.int32_data, tensor.int64_data, tensor.double_data, tensor.uint64_data)
    most = len(tensor.raw_data) * _NUMBERS_A_BYTE + sum(map(len, typed)) * 8 * _NUMBERS_A_BYTE + len(tensor.string_data)
    if any(dim < 0 for dim in tensor.dims) or (tensor.dims and wanted > most):
        shape = list(tensor.dims)
        raise ModelFileError(
            f"{described} has the shape {shape}, and holds no {wanted} numbers; the file is damaged"
            if all(dim >= 0 for dim in tensor.dims)
            else f"{described} has the shape {shape}; sizes of 0 and more were expected, the file is damaged"
        )


def check_functions(model: onnx.ModelProto) -> None:
    """Refuse functions that call themselves, or that come to more than LARGEST_INLINED nodes when written out.

    Errors: ModelFileError.
    """
    functions = {(f.domain, f.name, getattr(f, "overload", "")): f for f in model.functions}
    if len(functions) != len(model.functions):
        raise ModelFileError("two of the model's own functions have the same name; a function may be defined once")
    sizes: dict[Key, int] = {}
    for key in functions:
        pending = [key]
        while pending:  # depth first, without recursion: chains may be as long as the file
            current = pending[-1]
            calls = [called for called in map(_key, _all_nodes(functions[current].node)) if called in functions]
            waiting = [called for called in calls if called not in sizes]
            if current in sizes or not waiting:
                pending.pop()
                own = sum(1 for _ in _all_nodes(functions[current].node))
                sizes.setdefault(current, own + sum(sizes[called] for called in calls))
            elif waiting[0] in pending:
                raise ModelFileError(f"the model's own function {waiting[0][1]!r} calls itself; it would never end")
            else:
                pending.append(waiting[0])
    total = sum(sizes.get(_key(node), 1) for node in _all_nodes(model.graph.node))
    if total > LARGEST_INLINED:
        raise ModelFileError(
            f"the model's own functions come to {total:,} nodes when written out, {LARGEST_INLINED:,} are the most"
        )


def _key(node: onnx.NodeProto) -> Key:
    return node.domain, node.op_type, getattr(node, "overload", "")


def _all_nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """Nodes, and those of their subgraphs."""
    pending = list(nodes)
    while pending:
        node = pending.pop()
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                pending.extend(graph.node)

"""What a parsed model claims, held against what it holds, before native code believes it and takes all memory."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection

import onnx

from onnxray.errors import ModelFileError
from onnxray.graph.file.tensors import all_nodes, inner_tensors

LARGEST_INLINED = 1_000_000
"""Nodes that a model's own functions may come to when every call is written out."""

DEEPEST_CALLS = 100
"""Functions that call functions, in a chain: onnx writes them out by recursion."""

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
    for described, tensor in inner_tensors(model):
        _check(tensor, described)
    bodies = (model.graph.node, *(function.node for function in model.functions))
    for node in (node for nodes in bodies for node in all_nodes(nodes)):
        for attribute in node.attribute if node.op_type == "Constant" else ():
            if attribute.type != _CONSTANTS.get(attribute.name, attribute.type):
                raise ModelFileError(
                    f"attribute {attribute.name!r} of Constant {node.name or list(node.output)!r} is of the type "
                    f"{attribute.type}; {_CONSTANTS[attribute.name]} was expected, the file is damaged"
                )


def _check(tensor: onnx.TensorProto, described: str) -> None:
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


def check_equation(node: onnx.NodeProto) -> None:
    """Refuse terms of an Einsum whose dots are not ``...`` once: onnx's shape inference never comes to an end there.

    Errors: ModelFileError.
    """
    for attribute in node.attribute if node.op_type == "Einsum" else ():
        equation = attribute.s if attribute.name == "equation" else b""
        for term in equation.replace(b"->", b",").split(b","):
            if b"." in term.replace(b"...", b"", 1):
                raise ModelFileError(
                    f"Einsum {node.name or list(node.output)!r} has {term[:40]!r} in its equation; letters and one "
                    "'...' were expected, the file is damaged"
                )


def check_functions(model: onnx.ModelProto) -> None:
    """Refuse functions that call themselves, too deep a chain, or more than LARGEST_INLINED nodes when written out.

    Errors: ModelFileError.
    """
    functions = {(f.domain, f.name, getattr(f, "overload", "")): f for f in model.functions}
    if len(functions) != len(model.functions):
        raise ModelFileError("two of the model's own functions have the same name; a function may be defined once")
    bodies = {key: _calls(function, functions) for key, function in functions.items()}
    sizes: dict[Key, int] = {}
    depths: dict[Key, int] = {}
    for key in functions:
        pending, entered = [key], set[Key]()
        while pending:  # depth first, without recursion: chains may be as long as the file
            current = pending[-1]
            own, calls = bodies[current]
            if current in sizes or current in entered:
                pending.pop()
                if current not in sizes:
                    # No further than to tell that it is too much: what doubles at every call has numbers of any length.
                    whole = own + sum(count * sizes[called] for called, count in calls.items())
                    sizes[current] = min(whole, LARGEST_INLINED + 1)
                    depths[current] = 1 + max((depths[called] for called in calls), default=0)
                continue
            entered.add(current)
            waiting = [called for called in calls if called not in sizes]
            again = next((called for called in waiting if called in entered), None)
            if again is not None:
                raise ModelFileError(f"the model's own function {again[1]!r} calls itself; it would never end")
            pending += waiting
    if max(depths.values(), default=0) > DEEPEST_CALLS:
        raise ModelFileError(
            f"the model's own functions call each other {max(depths.values()):,} deep, {DEEPEST_CALLS} are the most"
        )
    total = sum(sizes.get(_key(node), 1) for node in all_nodes(model.graph.node))
    if total > LARGEST_INLINED:
        raise ModelFileError(
            f"the model's own functions come to {total:,} nodes when written out, {LARGEST_INLINED:,} are the most"
        )


def _calls(function: onnx.FunctionProto, functions: Collection[Key]) -> tuple[int, Counter[Key]]:
    """How many nodes a function has that call no other, and how often it calls each of ``functions``."""
    counts = Counter(map(_key, all_nodes(function.node)))
    calls = Counter({key: count for key, count in counts.items() if key in functions})
    return counts.total(), calls


def _key(node: onnx.NodeProto) -> Key:
    return node.domain, node.op_type, getattr(node, "overload", "")

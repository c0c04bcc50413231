"""Whether an input holds indices: whole numbers by which rows of a table are gathered, or which are one-hot encoded."""

from __future__ import annotations

from onnxray.graph.facts import Graph, Value
from onnxray.graph.operator_kinds import RESHAPING, UNCHANGING

_PASSING = (
    RESHAPING | UNCHANGING | {"Cast", "Clip", "Max", "Min", "Transpose", "Where", "Add", "Sub", "Slice", "Expand"}
)
_INTEGERS = frozenset({"int32", "int64", "uint8", "uint16", "uint32", "uint64", "int8", "int16"})


def table_of(graph: Graph, value: Value) -> tuple[str | None, str] | None:
    """The table that an input of whole numbers indexes, and what is gathered from it; None where it indexes none.

    The way from the input to the Gather may cast, clip and reshape. A one-hot code (OneHot, or Equal with all numbers)
    is a table without a name, and the code itself is what is gathered.
    """
    if value.dtype not in _INTEGERS:
        return None
    reached, spread = {value.name}, set[str]()
    encoded: str | None = None
    for node in graph.nodes:
        if node.operator in {"Gather", "EmbedLayerNormalization"} and len(node.inputs) > 1:
            table, index = _operands(node.operator, node.inputs)
            if index in reached and table not in graph.depends_on_input and _is_table(graph, table):
                return table, node.outputs[0]
        elif (node.operator == "OneHot" and node.inputs[0] in reached) or (
            node.operator == "Equal" and spread.intersection(node.inputs)
        ):
            encoded = encoded or node.outputs[0]
        elif node.operator in _PASSING and reached.intersection(node.inputs):
            reached.update(name for name in node.outputs if name)
            if node.operator == "Expand" or spread.intersection(node.inputs):
                spread.update(node.outputs)
    return None if encoded is None else (None, _in_real_numbers(graph, encoded))


def _in_real_numbers(graph: Graph, value: str) -> str:
    """The value, or what it is cast to where it holds none."""
    for node in graph.readers_of.get(value, ()):
        known = graph.values.get(node.outputs[0]) if node.operator == "Cast" else None
        if known is not None and known.is_float and not graph.values[value].is_float:
            return known.name
    return value


def _operands(operator: str, inputs: tuple[str, ...]) -> tuple[str, str]:
    """The table and the index among a node's inputs."""
    return (inputs[2], inputs[0]) if operator == "EmbedLayerNormalization" else (inputs[0], inputs[1])


def _is_table(graph: Graph, name: str) -> bool:
    """Whether it has rows of several numbers: a list of labels or of sizes has not."""
    tensor = graph.initializers.get(name)
    if tensor is not None:
        return len(tensor.dims) >= 2
    known = graph.values.get(name)
    return known is None or known.shape is None or len(known.shape) >= 2

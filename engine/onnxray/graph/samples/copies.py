"""What is computed without samples and is the same for each of them: one copy each, on the first axis."""

from __future__ import annotations

from onnxray.graph.facts import Node
from onnxray.graph.node_attributes import attribute
from onnxray.graph.operator_kinds import BROADCASTING, ELEMENTWISE
from onnxray.graph.samples.places import Apart, Facts


def copied(facts: Facts, node: Node) -> bool:
    """Whether a node that no samples reach gives n equal parts on its first axis, and nothing else follows from n.

    ``facts``: of what it reads, of which something is a count or copies. A class token is such a value.
    """
    dims, read = facts.dims(node.outputs[0]), [facts.of(name) for name in node.inputs if name]
    if not dims or isinstance(dims[0], int) or _counts(facts).intersection(dims[1:]):
        return False
    if node.operator == "ConstantOfShape":
        return True
    if node.operator == "Expand":
        return read[0] != "count"
    if node.operator == "Reshape":
        before, after = (facts.sample(name, Apart()) for name in (node.inputs[0], node.outputs[0]))
        return read[0] == "copies" and before is not None and before == after
    if node.operator == "Unsqueeze":
        axes = attribute(node, "axes", None) or facts.numbers(node, 1) or [0]
        return read[0] == "copies" and all(int(axis) % len(dims) for axis in axes)
    if node.operator == "Concat":
        return set(read) == {"copies"} and attribute(node, "axis", 1) % len(dims) != 0
    return "count" not in read and node.operator in ELEMENTWISE | BROADCASTING


def _counts(facts: Facts) -> set[object]:
    """The names of how many samples there are."""
    return {value.shape[0] for value in facts.graph.inputs if value.shape and isinstance(value.shape[0], str)}

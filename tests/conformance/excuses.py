"""What is asked for no gradient, and what has another one on purpose: closed lists, each entry with its reason.

Operators whose gradient is zero by the mathematics (Floor, Sign, Hardmax, TreeEnsemble) need no list: the differences
say so too, and the tables call them ``zero``. Whole numbers and truth values (Shape, ArgMax, comparisons, the output of
QuantizeLinear) have none, and cases that give nothing else are not among the gradient's cases.
"""

from __future__ import annotations

from collections.abc import Mapping

import onnx

from conformance.cases import Case, nodes

PARAMETERS: Mapping[tuple[str, int], str] = {
    ("Dropout", 1): "the ratio: a setting",
    ("OneHot", 0): "indices, even where they come as real numbers",
    ("OneHot", 1): "the depth: a size",
    ("Resize", 1): "the region of interest: where to read, a setting",
    ("Resize", 2): "scales: they fix the output's size",
    ("Upsample", 1): "scales: they fix the output's size",
}
"""(operator, input): real numbers that no gradient is asked for."""

STRAIGHT_THROUGH: Mapping[str, str] = {
    "Round": "rounding passes the gradient on as it is, so that what was quantised by hand can be attacked",
}
"""Operators whose true gradient is zero nearly everywhere and whose converter gives a useful one instead."""


def parameters(case: Case) -> frozenset[str]:
    """The graph inputs that are read as parameters alone."""
    uses: dict[str, list[bool]] = {}
    for node in nodes(case.model.graph):
        for position, name in enumerate(node.input):
            uses.setdefault(name, []).append((node.op_type, position) in PARAMETERS)
    return frozenset(name for name, kinds in uses.items() if all(kinds))


def find(case: Case) -> str | None:
    """The outcome of a gradient that is not the differences', for a listed reason."""
    used = {node.op_type for node in nodes(case.model.graph)}
    return next((f"straight-through:{operator}" for operator in STRAIGHT_THROUGH if operator in used), None)


def short(case: Case) -> bool:
    """Whether float16 or bfloat16 occur, in which the modules then compute, or through which they cast."""
    kinds = {onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16}
    graph = case.model.graph
    told = {
        a.i for node in nodes(graph) for a in node.attribute if a.name in {"to", "dtype", "stash_type", "output_dtype"}
    }
    held = {value.type.tensor_type.elem_type for value in (*graph.input, *graph.output, *graph.value_info)}
    return bool(kinds & (told | held))

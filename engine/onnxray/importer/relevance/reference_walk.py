"""A cut through which DeepLIFT's multipliers go back: the walk in which every value is there for a baseline as well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from torch import fx

from onnxray.graph.facts import Node
from onnxray.importer.imported_module import ImportedModule
from onnxray.importer.nodes.attribute_names import input_name, node_attribute
from onnxray.importer.relevance.assignment import counted_as, no_rule, softmax_axis, unreached
from onnxray.importer.relevance.multipliers import ByReference, Kind
from onnxray.importer.relevance.operators import (
    ELEMENTWISE,
    FOREIGN,
    LINEAR,
    MAXIMA,
    STATISTICS,
    WEIGHTED,
    carriers,
    computed_reads,
)
from onnxray.importer.walk import CutKey, Importer, Pick, Walk


@dataclass(frozen=True)
class ReferenceKey:
    """What tells such a cut from others of the same values."""

    kinds: tuple[tuple[int, Kind], ...]


def reference_cut(importer: Importer, names: tuple[str, ...]) -> ImportedModule:
    """The part of the graph that computes ``names``; takes the graph's inputs, those of a baseline, and a number.

    The gradient at an input is then its multiplier. Errors: UnsupportedOperator naming operators without a rule.
    """
    kinds = _kinds(importer, names)
    return importer.kept(
        CutKey(names, ReferenceKey(tuple(sorted(kinds.items())))), lambda: ReferenceWalk(importer, kinds).build(names)
    )


class ReferenceWalk(Walk):
    """The walk for two samples side by side."""

    joins = False

    def __init__(self, importer: Importer, kinds: Mapping[int, Kind]) -> None:
        super().__init__(importer)
        self.kinds = kinds
        count = len(self.inputs)
        self.at_baseline = {
            name: self.fx.placeholder(input_name(count + place)) for place, name in enumerate(self.inputs)
        }
        self.fx.placeholder(input_name(2 * count))

    def add(self, node: Node) -> None:
        """Add a node for the baseline, then for the sample, whose rule knows both."""
        if not self.at_baseline.keys() & set(node.reads):
            super().add(node)
            return
        converted = self.importer.convert(node)
        own, others = (self._arguments(converted, given) for given in ({}, self.at_baseline))
        target = node_attribute("n", node.index, node.operator)
        self.root[target] = converted.module
        result = self.fx.call_module(target, *others)
        self._name(node, result, converted.several, self.at_baseline, "b")
        kind = self.kinds.get(node.index, "linear")
        if kind != "linear":
            changing = set(computed_reads(self.importer.graph, node))
            places = tuple(k for k, name in enumerate(converted.inputs[: len(own[0])]) if name in changing)
            softmax = softmax_axis(self.importer, node) if kind == "softmax" else (-1, False)
            target = node_attribute("d", node.index, node.operator)
            self.root[target] = ByReference(converted.module, kind, places, softmax)
            before = (self.at_baseline[node.outputs[0]], *(others[0][k] for k in places))
            own = ((*before, *own[0]), own[1])
        self._name(node, self.fx.call_module(target, *own), converted.several, self.values, "o")
        self.layers |= dict.fromkeys((name for name in node.outputs if name), target)

    def _name(self, node: Node, result: fx.Node, several: bool, names: dict[str, fx.Node], kind: str) -> None:
        """Name what a node gives."""
        whole = len(node.outputs) == 1 and not several and node.operator != "Split"
        for index, name in enumerate(node.outputs):
            if name:
                picked = Pick(index, f"node {node.name!r} ({node.operator})")
                at = node_attribute(f"{kind}{index}_", node.index, node.operator)
                names[name] = result if whole else self.text_module(at, picked, (result,))


def _kinds(importer: Importer, names: tuple[str, ...]) -> dict[int, Kind]:
    """The rule of every node through which multipliers come from ``names`` to an input."""
    graph = importer.graph
    carrying = graph.once(carriers)
    reached: set[str] = set(carrying.intersection(names))
    kinds: dict[int, Kind] = {}
    refused: Counter[str] = Counter()
    for node in reversed(graph.needed_for(names)):
        if not reached.intersection(node.outputs):
            continue
        kind = _kind(node, computed_reads(graph, node))
        if kind is None:
            refused[counted_as(node)] += 1
        else:
            kinds[node.index] = kind
        reached.update(carrying.intersection(node.reads))
    refused.update(unreached(graph, names))
    if refused:
        raise no_rule("deeplift", refused, names)
    return kinds


def _kind(node: Node, computed: tuple[str, ...]) -> Kind | None:
    operator, count = node.operator, len(computed)
    if node.captures or (node.domain and not (node.domain == "com.microsoft" and operator in FOREIGN & ELEMENTWISE)):
        return None
    once = count == 1 and node.inputs.count(computed[0]) == 1
    if operator in {"Mul", "MatMul"}:
        return "linear" if once else "product"
    if operator == "Div":
        return "quotient" if not once else "linear" if node.inputs[0] in computed else "rescale"
    if operator == "Softmax":
        return "softmax"
    if operator in STATISTICS:
        return "normalisation" if computed == node.inputs[:1] else None
    if operator in WEIGHTED:
        return "linear" if node.inputs[1] not in computed else None
    if operator in LINEAR:
        return "linear" if once or operator != "Einsum" else None
    if operator in ELEMENTWISE and count == 1 and (operator != "Pow" or node.inputs[0] in computed):
        return "rescale"
    return "maximum" if operator in MAXIMA else None

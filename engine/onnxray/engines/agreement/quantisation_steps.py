"""Steps of quantisation: which values have one, how large it is, and from which of them another value is computed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np

from onnxray.arrays import Array
from onnxray.engines.agreement.comparison import differences, largest_difference
from onnxray.graph.facts import Graph, Node
from onnxray.graph.node_attributes import constant
from onnxray.importer.nodes.integers_as_floats import MICROSOFT, MOVING, ORIGINS

_WHOLE = frozenset({"int2", "uint2", "int4", "uint4", "int8", "uint8", "int16", "uint16", ""})
_DEQUANTIZE = {("", "DequantizeLinear"), (MICROSOFT, "DequantizeLinear")}


class Steps:
    """The steps of one graph's values.

    A quantised value is a whole number, and its step is 1. What DequantizeLinear gives is known in steps of its scale.
    Any other value that depends on quantised ones has no step of its own; ``sources`` gives the nearest that have.
    8-bit floats have no constant step and are left out.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    @cached_property
    def quantised(self) -> frozenset[str]:
        """The whole-numbered values that quantising operators give, also where others have only moved them since."""
        found: set[str] = set()
        for node in self._graph.nodes:
            operator = (node.domain, node.operator)
            moved = any(
                position in MOVING.get(operator, ()) and name in found for position, name in enumerate(node.inputs)
            )
            if ORIGINS.get(operator) == "int32":  # sums of products of quantised values, off by any number of them
                continue
            if operator in ORIGINS or (moved and node.operator not in {"MaxPool", "Dropout"}):
                found.update(node.outputs[:1] if operator in ORIGINS else node.outputs)
            elif moved:  # their second outputs are places and masks
                found.update(node.outputs[:1])
        return frozenset(name for name in found if name and self._graph.values[name].dtype in _WHOLE)

    @cached_property
    def sources(self) -> Mapping[str, frozenset[str]]:
        """Value -> the nearest values upstream that have a step; itself where it has one."""
        found: dict[str, frozenset[str]] = {}
        for node in self._graph.nodes:
            inherited = frozenset[str]().union(*(found.get(name, frozenset()) for name in node.reads))
            for name in filter(None, node.outputs):
                own = name in self.quantised or self._scale_of(node) is not None
                found[name] = frozenset({name}) if own and name in self._graph.depends_on_input else inherited
        return found

    def between(self, name: str, judge: Array, twin: Array, known: Mapping[str, Array]) -> float | None:
        """max |twin - judge| in steps of the value ``name``; None where it has none, or its scale is not known.

        ``known``: what the judge gives for the values that scales may be.
        """
        if judge.shape != twin.shape or self.sources.get(name) != frozenset({name}):
            return None
        if name in self.quantised:
            return largest_difference(judge, twin)
        node = self._graph.producer_of[name]
        scale = self._known_scale(node, known)
        if scale is None:
            return None
        if scale.size == 1:
            scale = scale.reshape(())
            if scale != 0 and np.isfinite(scale):
                return largest_difference(judge, twin) / float(np.abs(scale.astype(np.float64)))
        else:
            axis = next((a.i for a in node.proto.attribute if a.name == "axis"), 1)
            if scale.ndim != 1 or not -judge.ndim <= axis < judge.ndim or judge.shape[axis] != scale.size:
                return None  # one scale a block
            scale = scale.reshape([-1 if k == axis % judge.ndim else 1 for k in range(judge.ndim)])
        with np.errstate(divide="ignore", invalid="ignore"):
            steps = differences(judge, twin) / np.abs(scale.astype(np.float64))
        return float(np.nan_to_num(steps, nan=0.0, posinf=np.inf).max(initial=0))

    def computed_scale(self, name: str) -> str | None:
        """The value that is the scale of a dequantised one, where it is computed; None where it is a constant."""
        scale = self._scale_of(self._graph.producer_of[name])
        return scale if scale is not None and scale in self._graph.depends_on_input else None

    def _scale_of(self, node: Node) -> str | None:
        """The scale by which a node dequantises whole numbers; None where it does not."""
        if (node.domain, node.operator) not in _DEQUANTIZE or len(node.inputs) < 2:
            return None
        whole = self._type_of(node.inputs[0]) in _WHOLE
        return (
            node.inputs[1] if whole and not any(a.name == "block_size" and a.i for a in node.proto.attribute) else None
        )

    def _known_scale(self, node: Node, known: Mapping[str, Array]) -> Array | None:
        name = self._scale_of(node)
        if name is None:
            return None
        stored = constant(self._graph, name)
        return known.get(name) if stored is None else stored

    def _type_of(self, name: str) -> str:
        value = self._graph.values.get(name)
        return value.dtype if value is not None else ""

"""A cut through which relevance goes back: the walk in which every node has its rule in place of its derivative."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from onnxray.graph.facts import Node
from onnxray.importer.imported_module import ImportedModule
from onnxray.importer.nodes.attribute_names import input_name, node_attribute
from onnxray.importer.relevance.assignment import Parts, parts_of
from onnxray.importer.relevance.propagation import RelevantLayer, RelevantNode
from onnxray.importer.relevance.rules import Plan, Step
from onnxray.importer.walk import CutKey, Importer, Walk


def relevance_cut(importer: Importer, names: tuple[str, ...], plan: Plan) -> ImportedModule:
    """The part of the graph that computes ``names``; takes the graph's inputs and then a ledger, a number.

    The gradient at an input is then its relevance, and that of the ledger what biases keep. The forward pass gives
    what the twin gives.
    """

    def make() -> ImportedModule:
        return RelevanceWalk(importer, plan, parts_of(importer, names)).build(names)

    return importer.kept(CutKey(names, plan), make)


class RelevanceWalk(Walk):
    """The walk by a plan."""

    joins = False

    def __init__(self, importer: Importer, plan: Plan, parts: Parts) -> None:
        super().__init__(importer)
        self.plan, self.parts = plan, parts
        held = (parts.layers.get(end) or parts.fused.get(end) for end in (*plan.layer_rules, *plan.fused))
        self.within = {node.index for part in held if part is not None for node in part.nodes}
        self.ledger = self.fx.placeholder(input_name(len(self.inputs)))

    def add(self, node: Node) -> None:
        """Add a node, or at the last of several what stands for them."""
        layer, fusion = self.parts.layers.get(node.index), self.parts.fused.get(node.index)
        rule, step = self.plan.layer_rules.get(node.index), self.plan.other_rules.get(node.index)
        if layer is not None and rule is not None:
            module: nn.Module = RelevantLayer(
                layer.function, layer.weight, layer.bias, layer.axis, rule, biases=self.plan.biases
            )
            self._alone(node, module, (layer.read,))
        elif fusion is not None and node.index in self.plan.fused:
            made = fusion.make()
            assert made is not None  # these patterns do not depend on numbers
            self._alone(node, RelevantNode(made.eval(), Step("pass", fusion.inputs[:1]), (0,)), fusion.inputs)
        elif step is not None:
            self._ruled(node, step)
        elif node.index not in self.within:
            super().add(node)

    def _alone(self, node: Node, module: nn.Module, reads: tuple[str, ...]) -> None:
        target = node_attribute("r", node.index, node.operator)
        self.root[target] = module
        result = self.fx.call_module(target, (self.ledger, *(self.value(name) for name in reads)))
        self.values[node.outputs[0]] = result
        self.layers[node.outputs[0]] = target

    def _ruled(self, node: Node, step: Step) -> None:
        converted = self.importer.convert(node)
        arguments, named = self._arguments(converted, {})
        places = tuple(k for k, name in enumerate(converted.inputs[: len(arguments)]) if name in step.receivers)
        module = RelevantNode(converted.module, step, places)
        self._call(node, replace(converted, module=module), (self.ledger, *arguments), named)

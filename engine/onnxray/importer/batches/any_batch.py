"""Cuts for any number of the file's own batches at once: every node placed by a rule, or none of the cut."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import fx, nn

from onnxray.errors import InputError
from onnxray.graph.facts import Node
from onnxray.graph.fixed_batch import fixed_batch_of
from onnxray.importer.backward_rules import PLAIN, BackwardRules
from onnxray.importer.batches.moved_samples import SamplesTracer, batches, deepened, refolded, repeated
from onnxray.importer.batches.sample_axes import Axis, Facts, Plan, Shape, Step
from onnxray.importer.batches.sample_axis_rules import place
from onnxray.importer.imported_module import ImportedModule
from onnxray.importer.nodes.attribute_names import helper_attribute
from onnxray.importer.nodes.scope import Converted
from onnxray.importer.walk import CutKey, Importer, Walk

_FEW = 64
_WHOLE = frozenset({torch.int64, torch.int32, torch.bool})


class FreeCuts:
    """The cuts of one importer for several of the file's own batches at once.

    The shapes that the rules go by are observed once for each shape of the inputs.
    """

    def __init__(self, importer: Importer) -> None:
        self.importer = importer
        self._facts: dict[tuple[Shape, ...], dict[str, Facts]] = {}

    def cut(
        self, names: tuple[str, ...], own: tuple[torch.Tensor, ...], rules: BackwardRules = PLAIN
    ) -> ImportedModule:
        """The part of the graph that computes ``names``; ``own``: inputs of one batch of the file's own.

        Each value comes with the samples on axis 0, as if the values of single batches were joined along it.
        Errors: NotPlaced naming the first node that no rule places.
        """
        shapes = tuple(tuple(tensor.shape) for tensor in own)

        def make() -> ImportedModule:
            facts = self._facts.setdefault(shapes, {})
            nodes = self.importer.graph.needed_for(names)
            if any(node.outputs[0] and node.outputs[0] not in facts for node in nodes):
                facts.update(observed(self.importer, names, own))
            return FreeWalk(self.importer, facts, rules).build(names)

        return self.importer.kept(CutKey(names, rules, batch=shapes), make)


class SingleNodes(Walk):
    """The walk in which every node is there by itself: the rules place single nodes."""

    joins = False


def observed(importer: Importer, names: tuple[str, ...], own: tuple[torch.Tensor, ...]) -> dict[str, Facts]:
    """The shape of every value on the way to ``names``, and the numbers of short lists, at these inputs."""
    walk = SingleNodes(importer)
    module = walk.build(names).to(own[0].device if own else "cpu")
    by_node = {node.name: name for name, node in walk.values.items()}
    found: dict[str, Facts] = {}

    class Observer(fx.Interpreter):
        def run_node(self, n: fx.Node) -> Any:
            result = super().run_node(n)
            if n.name in by_node and isinstance(result, torch.Tensor):
                found[by_node[n.name]] = _facts(result)
            return result

    observer = Observer(module)
    observer.extra_traceback = False
    with torch.no_grad():
        observer.run(*own)
    return found


def _facts(tensor: torch.Tensor) -> Facts:
    few = tensor.numel() <= _FEW and tensor.dtype in _WHOLE and tensor.ndim < 2
    return Facts(tuple(tensor.shape), tuple(int(x) for x in tensor.reshape(-1).tolist()) if few else None)


class FreeWalk(SingleNodes):
    """The walk for several batches at once: it keeps which axis the samples of each value lie on."""

    tracer = SamplesTracer

    def __init__(self, importer: Importer, facts: Mapping[str, Facts], rules: BackwardRules = PLAIN) -> None:
        super().__init__(importer, rules=rules)
        self.facts = dict(facts)
        self.axes: dict[str, Axis] = {}
        graph = importer.graph
        held = [value.name for value in graph.inputs if value.shape != ()]
        self.axes |= dict.fromkeys(held, 0)
        inputs = tuple(self.values[name] for name in held)
        self.count = self.fx.call_function(batches, (fixed_batch_of(graph), *inputs))
        self.guards.add(self.count)

    def add(self, node: Node) -> None:
        """Add a node that no samples reach as it is, any other by its rule."""
        scope = self.importer.scope(node)
        axes = tuple(self.axes.get(name) for name in node.inputs)
        if all(self.axes.get(name) is None for name in node.reads):
            super().add(node)
            return
        inputs = tuple(self._known(name) if name else None for name in node.inputs)
        outputs = tuple(self.facts[name] for name in node.outputs if name in self.facts)
        step = Step(scope, axes, inputs, outputs)
        if node.captures or not outputs:
            raise step.refuse("its samples go into a subgraph, or come out as no tensor")
        if axes[0] != 0 and self.rules.changes(node) and self.rules.by_row:
            raise step.refuse("its backward rule tells samples apart on axis 0, and they are not there")
        plan = place(step)
        given: dict[str, fx.Node] = {}
        wanted: dict[str, Axis] = {}
        for position, name in enumerate(node.inputs):
            axis = plan.inputs[position] if position < len(plan.inputs) else None
            if wanted.setdefault(name, axis) != axis or (axes[position] is not None and axis is None):
                raise step.refuse("the same samples are wanted on two axes")
            if name:
                rank = plan.ranks[position] if position < len(plan.ranks) else None
                given[name] = self._brought(name, axis, rank)
        if plan.kind == "own":
            converted = self.importer.convert(node)
            if any(axis is not None and name and name not in converted.inputs for name, axis in wanted.items()):
                raise step.refuse("one of its weights has a place for each sample")
            self._call(node, converted, *self._arguments(converted, given))
        else:
            module = _stand_in(plan, step)
            picked = tuple(given[name] for name in node.inputs[1:2]) if plan.kind == "gather" else ()
            self._call(node, Converted(module, node.inputs[:1]), (given[node.inputs[0]], self.count, *picked), {})
        for position, name in enumerate(node.outputs):
            self.axes[name] = plan.output if not position or plan.others is None else plan.others

    def _known(self, name: str) -> Facts:
        if name not in self.facts:
            self.facts[name] = _facts(self.importer.weights.tensor(name))
        return self.facts[name]

    def _brought(self, name: str, axis: Axis, rank: int | None) -> fx.Node:
        """A value with its samples on an axis, counted at ``rank`` where that is given."""
        value, current, own = self.value(name), self.axes.get(name), len(self._known(name).shape)
        missing = 0 if rank is None else rank - own
        if axis is None:
            return value
        if current is None:
            return self.fx.call_function(repeated, (value, self.count, axis - missing))
        if missing:
            value = self.fx.call_function(deepened, (value, missing))
        if current + missing == axis:
            return value
        return self.fx.call_function(refolded, (value, self.count, current + missing, axis))

    def _as_declared(self, name: str) -> fx.Node:
        """A wanted value with its samples on axis 0."""
        value, axis = super()._as_declared(name), self.axes.get(name)
        if axis:
            return self.fx.call_function(refolded, (value, self.count, axis, 0))
        if axis is None and name in self.importer.graph.depends_on_input and name not in self.inputs:
            return self.text_module(helper_attribute("each", len(self.root)), Each(name), (value, self.count))
        return value


class Each(nn.Module):
    """What is the same for all samples, once for each batch. Errors: InputError where there is no axis for that."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def forward(self, x: torch.Tensor, count: int) -> torch.Tensor:
        """Repeat."""
        if count > 1 and not x.ndim:
            raise InputError(f"value {self.name!r} of shape [] has no batch axis; give one batch of the file's own")
        return x if count == 1 else repeated(x, count, 0)


class SamplesReshape(nn.Module):
    """Reshape, Flatten, Squeeze or Unsqueeze for ``count`` batches: the shape of one, ``axis`` times as long."""

    def __init__(self, shape: Shape, axis: int) -> None:
        super().__init__()
        self.shape, self.axis = shape, axis

    def forward(self, x: torch.Tensor, count: int) -> torch.Tensor:
        """Reshape."""
        return x.reshape(_times(self.shape, self.axis, count))


class SamplesExpand(nn.Module):
    """Expand for ``count`` batches: the shape of one, ``axis`` times as long."""

    def __init__(self, shape: Shape, axis: int) -> None:
        super().__init__()
        self.shape, self.axis = shape, axis

    def forward(self, x: torch.Tensor, count: int) -> torch.Tensor:
        """Broadcast; the result is a view."""
        return x.expand(_times(self.shape, self.axis, count))


class SamplesGather(nn.Module):
    """Gather from the one axis of a list, for ``count`` lists joined: x_k[indices] for each k."""

    def forward(self, x: torch.Tensor, count: int, indices: torch.Tensor) -> torch.Tensor:
        """Pick; a negative index counts from the end of the sample's own list."""
        lists = x.reshape(count, -1)
        places = indices.reshape(-1).to(torch.int64)
        found = lists[:, torch.where(places < 0, places + lists.shape[1], places)]
        return found.reshape(count * indices.shape[0], *indices.shape[1:])


class OwnShape(nn.Module):
    """Shape or Size as one batch of the file's own has it, whatever is fed: what follows states it."""

    numbers: torch.Tensor

    def __init__(self, numbers: tuple[int, ...], shape: Shape) -> None:
        super().__init__()
        self.register_buffer("numbers", torch.tensor(numbers, dtype=torch.int64).reshape(shape), persistent=False)

    def forward(self, *_: object) -> torch.Tensor:
        """Give the shape, whatever is fed."""
        return self.numbers


def _stand_in(plan: Plan, step: Step) -> nn.Module:
    facts, axis = step.outputs[0], plan.output
    if plan.kind == "shape":
        return OwnShape(facts.numbers or (), facts.shape)
    if plan.kind == "gather":
        return SamplesGather()
    assert axis is not None
    return SamplesReshape(facts.shape, axis) if plan.kind == "reshape" else SamplesExpand(facts.shape, axis)


def _times(shape: Shape, axis: int, count: int) -> Shape:
    return (*shape[:axis], shape[axis] * count, *shape[axis + 1 :])

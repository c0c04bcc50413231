"""A file's graph as a torch network whose trained constants can be written back into that very file.

f(x; w) by the twin's own nodes, w the masters of the constants that are trained (masters.py), BatchNormalization by
its stored statistics as the file has it, Dropout as nothing, or drawn where that is asked for
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import numpy_helper
from torch import nn

from onnxray.arrays import Array
from onnxray.engines.cotangents import Tensors
from onnxray.engines.twin import torch_device
from onnxray.errors import InputError
from onnxray.graph.facts import Graph, Node
from onnxray.graph.file.replaced_tensors import replaced_bytes, write_replaced
from onnxray.graph.fixed_batch import fixed_batch_of
from onnxray.graph.node_attributes import attribute, constant
from onnxray.graph.reading import read_graph
from onnxray.graph.trainable.listing import Constant
from onnxray.importer.batches.any_batch import FreeCuts
from onnxray.importer.batches.ways import by_loop, first_batch
from onnxray.importer.imported_module import ImportedModule, forward_all, told_as_refusal
from onnxray.importer.walk import Importer
from onnxray.model.model import Model
from onnxray.training.masters import Master, dequantised, masters

_LARGEST = 2_000_000_000
"""What protobuf holds in one piece."""


class Network:
    """One model in training. ``masters``: of each constant that is trained, in the file's order.

    dropout: whether Dropout nodes draw; their ratio is the node's own.
    """

    def __init__(self, model: Model, constants: Sequence[Constant], *, dropout: bool = False) -> None:
        self.model, self.dropout = model, dropout
        self.device = torch_device(model.device)
        self.graph = _with_real_weights(model.graph, constants)
        names = frozenset(one.real for one in constants)
        self.importer = Importer(self.graph, trainable=names, device=self.device)
        self._cuts: dict[tuple[str, ...], ImportedModule] = {}
        self._free = FreeCuts(self.importer)
        self._rewritten = fixed_batch_of(self.graph) is not None and model.batch().twin == "rewrite"
        self.masters: tuple[Master, ...] = tuple(masters(model.graph, constants, self.importer.weights.tensor))
        self.drawing = [node for node in self.graph.nodes if node.operator == "Dropout"] if dropout else []

    def parameters(self) -> list[nn.Parameter]:
        """What an optimiser steps."""
        return [master.stepped for master in self.masters]

    def values(self, variable: torch.Tensor | Tensors, names: Sequence[str], *, drawn: bool = False) -> Tensors:
        """Named values for a batch: of pixels (N, C, H, W) in grey levels, or of the inputs by name.

        drawn: whether Dropout draws, where the network was made so. Errors: InputError for batches that do not fit.
        """
        wanted = tuple(dict.fromkeys(names))
        inputs = self._inputs(variable)
        if drawn and self.drawing:
            self._let_draw(wanted, True)
        try:
            found = told_as_refusal(lambda: self._forward(wanted, inputs))
        finally:
            if drawn and self.drawing:
                self._let_draw(wanted, False)
        return dict(zip(wanted, found))

    def take_gradients(self) -> None:
        """Hand the gradients to what is stepped."""
        for master in self.masters:
            master.take_gradient()

    def round(self) -> None:
        """After a step: compute with what the file would hold."""
        for master in self.masters:
            master.round()

    def stored(self) -> dict[str, Array]:
        """The trained constants as the file holds them."""
        return {master.constant.name: master.stored() for master in self.masters}

    def trained_model(self) -> Model:
        """The file with what was learnt, opened as the model was: its judge is ONNX Runtime on these very bytes."""
        return model_with(self.model, self.stored())

    def _inputs(self, variable: torch.Tensor | Tensors) -> tuple[torch.Tensor, ...]:
        values = self.graph.inputs
        if isinstance(variable, torch.Tensor):
            if len(values) != 1:
                raise InputError(f"the model has {len(values)} inputs; give them by name, as a dict")
            profile = self.model.profile
            variable = {values[0].name: variable if profile is None else profile.encode(variable.to(self.device))}
        missing = [value.name for value in values if value.name not in variable]
        if missing:
            raise InputError(f"the input {missing[0]!r} is missing; the model takes {[v.name for v in values]}")
        found = (variable[value.name].to(self.device) for value in values)
        return tuple(
            one.to(getattr(torch, value.dtype)) if value.is_float and one.is_floating_point() else one
            for value, one in zip(values, found)
        )

    def _forward(self, names: tuple[str, ...], inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        own = fixed_batch_of(self.graph)
        if own is None:
            return forward_all(self._cut(names), inputs)
        if self._rewritten and not self.drawing:
            return forward_all(self._free.cut(names, first_batch(inputs, own)), inputs)
        count = len(inputs[0])
        missing = -count % own
        filled = tuple(torch.cat([x, *[x[-1:]] * missing]) if missing and x.ndim else x for x in inputs)
        cut = self._cut(names)
        joined = by_loop(cut, names, filled, own)
        whole = count + missing
        return tuple(v[: len(v) * count // whole] if missing and v.ndim else v for v in joined)

    def _cut(self, names: tuple[str, ...]) -> ImportedModule:
        """The way to some values, Dropout nodes in it ready to draw."""
        if names not in self._cuts:
            cut = self.importer.cut(names)
            for node in self.drawing:
                place = cut.layers.get(node.outputs[0])
                if place is not None:
                    cut.set_submodule(place, Dropping(_ratio(self.graph, node), len(node.outputs) > 1))
            self._cuts[names] = cut
        return self._cuts[names]

    def _let_draw(self, names: tuple[str, ...], on: bool) -> None:
        for module in self._cut(names).modules():
            if isinstance(module, Dropping):
                module.train(on)


class Dropping(nn.Module):
    """A Dropout node in training: y = x m / (1 - ratio), m drawn; as in inference where it is not in training."""

    def __init__(self, ratio: float, with_mask: bool) -> None:
        super().__init__()
        self.ratio, self.with_mask = ratio, with_mask
        self.eval()

    def forward(self, x: torch.Tensor, *_given: Any) -> Any:
        """Drop."""
        y = nn.functional.dropout(x, self.ratio, self.training)
        return (y, torch.ones_like(x, dtype=torch.bool)) if self.with_mask else y


def _ratio(graph: Graph, node: Node) -> float:
    """The share that a Dropout node leaves out: of its attribute, or its second input; 0.5 where it states none."""
    stated = constant(graph, node.inputs[1], most=1) if len(node.inputs) > 1 and node.inputs[1] else None
    return float(attribute(node, "ratio", 0.5) if stated is None else stated.reshape(()))


def _with_real_weights(graph: Graph, constants: Sequence[Constant]) -> Graph:
    """The graph with the real numbers of what is trained as whole numbers in place of what dequantises them."""
    reals = {one.real: one for one in constants if one.quantised}
    if not reals:
        return graph
    size = sum(region.length for region in graph.container.regions.values())
    if size > _LARGEST:
        raise InputError(f"the model's weights take {size / 1e9:.1f} GB; quantised files of up to 2 GB are trained")
    model = onnx.ModelProto()
    model.CopyFrom(graph.container.whole())
    nodes = list(model.graph.node)
    model.graph.ClearField("node")
    for node in nodes:
        if len(node.output) != 1 or node.output[0] not in reals:
            model.graph.node.append(node)
            continue
        model.graph.initializer.append(
            numpy_helper.from_array(dequantised(graph, reals[node.output[0]]), node.output[0])
        )
    return read_graph(model)


def model_with(model: Model, arrays: Mapping[str, Array]) -> Model:
    """The model with other numbers for some of its constants, read from bytes, or from files of its own where its
    weights lie outside of it, which go with it.
    """
    container = model.graph.container
    folder: str | None = None
    if container.external:
        folder = tempfile.mkdtemp(prefix="onnxray-")
        path = Path(folder) / (container.path.name if container.path is not None else "model.onnx")
        try:
            write_replaced(container, arrays, path)
            graph = read_graph(path)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    else:
        graph = read_graph(replaced_bytes(container, arrays))
    made = Model(
        graph, model.profile, model.device, approximate=model.approximate, strict=model.strict,
        output=model.answering.stated, inputs=model.inputs,
    )  # fmt: skip
    if folder is not None:
        weakref.finalize(made, shutil.rmtree, folder, ignore_errors=True)
    return made

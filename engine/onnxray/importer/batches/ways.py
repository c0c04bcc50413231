"""Three ways to run several of the file's own batches: rewritten for any batch, by torch.vmap, one after the other."""

from __future__ import annotations

import operator
from collections.abc import Sequence

import torch
from torch import fx, nn

from onnxray.errors import InputError
from onnxray.graph.facts import Graph
from onnxray.graph.fixed_batch import fixed_batch_of
from onnxray.importer.backward_rules import PLAIN, BackwardRules
from onnxray.importer.batches.any_batch import FreeCuts
from onnxray.importer.batches.moved_samples import batches
from onnxray.importer.imported_module import ImportedModule, forward_all
from onnxray.importer.nodes.attribute_names import helper_attribute, input_name

Inputs = tuple[torch.Tensor, ...]


def first_batch(inputs: Inputs, own: int) -> Inputs:
    """The inputs of the first of the file's own batches; an input without axes serves all."""
    return tuple(tensor[:own] if tensor.ndim else tensor for tensor in inputs)


def check_lengths(stated: Sequence[tuple[str, object]], inputs: Inputs) -> None:
    """Let no input be longer or shorter than the file states; for inputs that have no batch in common.

    ``stated``: each input's name, and the first length that the file fixes for it. Errors: InputError.
    """
    for (name, first), tensor in zip(stated, inputs):
        if isinstance(first, int) and (not tensor.ndim or len(tensor) != first):
            raise InputError(
                f"the input {name!r} has the shape {list(tensor.shape)}; the file fixes its first length at {first}, "
                "which is no batch that all its inputs have in common"
            )


def by_rewrite(
    cuts: FreeCuts, names: tuple[str, ...], inputs: Inputs, own: int, rules: BackwardRules = PLAIN
) -> Inputs:
    """All at once, by a graph in which every node was placed."""
    return forward_all(cuts.cut(names, first_batch(inputs, own), rules), inputs)


def by_vmap(module: ImportedModule, inputs: Inputs, own: int) -> Inputs:
    """All at once by torch.vmap, which keeps the file's own batch inside: f(x_1), f(x_2), ... joined along axis 0."""
    count = batches(own, *(tensor for tensor in inputs if tensor.ndim))
    split = tuple(tensor.reshape(count, own, *tensor.shape[1:]) if tensor.ndim else tensor for tensor in inputs)
    dims = tuple(0 if tensor.ndim else None for tensor in inputs)
    values = torch.vmap(lambda *parts: forward_all(module, parts), in_dims=dims, randomness="error")(*split)
    return tuple(
        value[0] if name in module.constant_names else _joined(value)
        for name, value in zip(module.output_names, values)
    )


def by_loop(module: ImportedModule, names: tuple[str, ...], inputs: Inputs, own: int) -> Inputs:
    """One batch of the file's own after the other, joined along axis 0."""
    count = batches(own, *(tensor for tensor in inputs if tensor.ndim))
    rounds = [
        tuple(tensor[k * own : (k + 1) * own] if tensor.ndim else tensor for tensor in inputs) for k in range(count)
    ]
    parts = [forward_all(module, part) for part in rounds]
    if count == 1:
        return parts[0]
    constant = [name in module.constant_names for name in names]
    for name, value, same in zip(names, parts[0], constant):
        if not same and (not value.ndim or len(value) % own):
            raise InputError(
                f"value {name!r} of shape {list(value.shape)} has no batch axis; give one batch of {own} at most"
            )
    return tuple(values[0] if same else torch.cat(values) for values, same in zip(zip(*parts), constant))


def _joined(value: torch.Tensor) -> torch.Tensor:
    if value.ndim < 2:
        raise InputError("a value without axes has no batch axis; give one batch of the file's own")
    return value.flatten(0, 1)


class Looped(nn.Module):
    """The module of one batch of the file's own, fed with one after the other; always a tuple."""

    def __init__(self, module: ImportedModule, graph: Graph) -> None:
        super().__init__()
        self.module = module
        self.inputs = tuple((value.name, value.shape[0] if value.shape else None) for value in graph.inputs)
        self.own = fixed_batch_of(graph)

    def forward(self, *inputs: torch.Tensor) -> Inputs:
        """Feed what the file takes."""
        if self.own is None:
            check_lengths(self.inputs, inputs)
            return forward_all(self.module, inputs)
        return by_loop(self.module, self.module.output_names, inputs, self.own)


def looped(module: ImportedModule, graph: Graph) -> ImportedModule:
    """A module of the same inputs, outputs and layers that runs any number of the file's own batches one by one."""
    whole = fx.Graph()
    inputs = tuple(whole.placeholder(input_name(index)) for index in range(len(module.input_names)))
    target = helper_attribute("each")
    result = whole.call_module(target, inputs)
    values = tuple(whole.call_function(operator.getitem, (result, k)) for k in range(len(module.output_names)))
    whole.output(values[0] if len(values) == 1 else values)
    outer = ImportedModule({target: Looped(module, graph)}, whole, class_name="ImportedModule")
    outer.input_names, outer.output_names = module.input_names, module.output_names
    outer.constant_names, outer.parameter_names = module.constant_names, {}
    outer.layers = {name: f"{target}.module.{inner}" for name, inner in module.layers.items()}
    return outer.eval()

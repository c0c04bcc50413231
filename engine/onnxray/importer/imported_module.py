"""A cut of a graph as a torch module, and the weights registered in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import fx, nn

from onnxray.errors import RuntimeRefusal, UnknownValue
from onnxray.graph.facts import Graph
from onnxray.importer.nodes.attribute_names import NODES, WEIGHTS, keeps_its_name, weight_attribute
from onnxray.importer.nodes.weights import Weights


class Origin:
    """The file that a module was made of, of which copies know as well; pickles where it is a file by a path."""

    def __init__(self, graph: Graph | None = None) -> None:
        self.graph = graph

    def __deepcopy__(self, memo: dict[int, Any]) -> Origin:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Origin, () if self.graph is None or self.graph.path is None else (self.graph,)


class ImportedModule(fx.GraphModule):
    """A cut of an ONNX graph as a plain torch module: ``forward(*inputs)`` gives the wanted values in their order.

    One value comes back as a Tensor, several as a tuple. Every ONNX node is a submodule; ``layer`` finds it.
    ``constant_names``: the outputs that no input reaches. ``parameter_names``: ONNX name -> name of the Parameter,
    another one where the ONNX name is one that torch or Python's source cannot hold. ``origin``: what it was made of.
    """

    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    constant_names: frozenset[str]
    layers: Mapping[str, str]
    parameter_names: Mapping[str, str]
    origin: Origin = Origin()

    def layer(self, name: str) -> nn.Module:
        """Give the submodule that computes the ONNX value ``name`` (or that stands for the ONNX node of that name).

        Errors: UnknownValue where nothing in this module computes it.
        """
        if name not in self.layers:
            raise UnknownValue(
                f"no node of this module computes {name!r}; it has {', '.join(list(self.layers)[:8])}, …"
            )
        return self.get_submodule(self.layers[name])

    def __deepcopy__(self, memo: dict[int, Any]) -> ImportedModule:
        copied = super().__deepcopy__(memo)
        assert isinstance(copied, ImportedModule)  # of this class, without the attributes that torch.fx does not know
        for name in _FIELDS:
            setattr(copied, name, getattr(self, name))
        return copied


_FIELDS = frozenset(ImportedModule.__annotations__)


def register_weights(module: ImportedModule, weights: Weights) -> None:
    """Register every loaded Parameter, ahead of the nodes that share it, and note under which name.

    That is its ONNX name wherever torch can take it as one and it is plain text, else the attribute that graphs read.
    """
    names: dict[str, str] = {}
    parameters = {name: tensor for name, tensor in weights.loaded().items() if isinstance(tensor, nn.Parameter)}
    for name in parameters:
        kept = keeps_its_name(name, module) and name not in weights.folders
        names[name] = name if kept else weight_attribute(weights.places[name])
    for name, attribute in names.items():
        *path, leaf = attribute.split(".")
        holder: nn.Module = module
        for part in path:
            if part not in holder._modules:
                holder.add_module(part, nn.Module())
            holder = holder.get_submodule(part)
        if leaf not in holder._parameters:
            holder.register_parameter(leaf, parameters[name])
    for holder_name in (WEIGHTS, NODES):
        if holder_name in module._modules:
            module._modules[holder_name] = module._modules.pop(holder_name)
    module.parameter_names = names


def forward_all(module: ImportedModule, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """Run a cut; always a tuple, in the order of its ``output_names``."""
    result = module.forward(*inputs)  # calling the module itself would print torch.fx's traceback of any error
    return result if isinstance(result, tuple) else (result,)


def told_as_refusal(run: Callable[[], tuple[torch.Tensor, ...]]) -> tuple[torch.Tensor, ...]:
    """Run a module; what torch raises becomes one line. Errors: RuntimeRefusal."""
    try:
        return run()
    except (RuntimeError, IndexError, TypeError, ValueError, KeyError) as error:
        first = str(error).strip().splitlines() or [type(error).__name__]
        raise RuntimeRefusal(f"the torch twin cannot run the model on this input: {first[0][:300]}") from None

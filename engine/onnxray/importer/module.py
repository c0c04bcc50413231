"""A cut of a graph as a torch module, and the names that weights have in it."""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from typing import Any

import torch
from torch import fx, nn

from onnxray.errors import UnknownValue
from onnxray.importer.scope import Weights

NODES = "nodes"
_MODULE = nn.Module()


class ImportedModule(fx.GraphModule):
    """A cut of an ONNX graph as a plain torch module: ``forward(*inputs)`` gives the wanted values in their order.

    One value comes back as a Tensor, several as a tuple. Every ONNX node is a submodule; ``layer`` finds it.
    ``constant_names``: the outputs that no input reaches.
    """

    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    constant_names: frozenset[str]
    layers: Mapping[str, str]

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
"""Swin's weights are called layers.0.…: a module of that name would stand where the field stands."""


def attribute_name(name: str, weights: Weights) -> str:
    """The qualified attribute that holds a weight: its own ONNX name wherever torch can take it as one."""
    parts = name.split(".")
    taken = parts[0] == NODES or any(
        hasattr(ImportedModule, part) or part in _FIELDS or hasattr(_MODULE, part) or keyword.iskeyword(part)
        for part in parts
    )
    if all(parts) and not taken and name not in weights.folders:
        return name
    return "weights.w_" + "".join(c if c.isalnum() else f"_{ord(c)}_" for c in name)  # no two names become one


def register_weights(module: ImportedModule, weights: Weights) -> None:
    """Register every loaded Parameter under its ONNX name, ahead of the nodes that share it."""
    for name, tensor in weights.loaded().items():
        if isinstance(tensor, nn.Parameter):
            *path, leaf = attribute_name(name, weights).split(".")
            holder: nn.Module = module
            for part in path:
                if not isinstance(getattr(holder, part, None), nn.Module):
                    holder.add_module(part, nn.Module())
                holder = holder.get_submodule(part)
            if getattr(holder, leaf, None) is None:
                holder.register_parameter(leaf, tensor)
    nodes = module._modules.pop(NODES, None)
    module._modules[NODES] = nodes


def forward_all(module: ImportedModule, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """Run a cut; always a tuple, in the order of its ``output_names``."""
    result = module.forward(*inputs)  # calling the module itself would print torch.fx's traceback of any error
    return result if isinstance(result, tuple) else (result,)

"""onnx2torch's converters, one node at a time, without ``onnx2torch.convert`` and its hard need of torchvision.

``onnx2torch_operators.py`` lists what they serve: the operators and versions whose converters pass all that ours are
held to. The rest of the import is ours for these too: the walk, the names, the weights, the cuts. onnx2torch is
imported at the first node that it serves, which takes the processor 60 to 90 ms beside the seconds of torch.

Everything that is bent or taken from onnx2torch's inside is in this file:

- It imports torchvision for two operators (NonMaxSuppression, RoiAlign), neither of which it serves here, and a
  torchvision whose binary does not fit torch dies at import. So two stand-ins lie in ``sys.modules`` while it is
  imported, unless a working torchvision is there already; what was taken from them is looked up when it is called.
- Two private fields of its graph are replaced: ``_initializers`` by our tensors, each read once and shared, Constant
  nodes among them; ``_input_values``, because older files list their weights among the inputs.
- Its modules draw random weights to throw them away, and hold copies of ours: neither happens here.
"""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from onnxray.graph.facts import Graph, Node
from onnxray.importer.nodes.scope import Converted, Scope
from onnxray.importer.nodes.weights import Weights

_TORCHVISION = ("torchvision", "torchvision.ops")


class SharedTensor:
    """An initialiser as onnx2torch's converters ask for it; the tensor behind it is read once and shared."""

    def __init__(self, name: str, weights: Weights) -> None:
        self.name = name
        self._weights = weights

    def to_torch(self) -> torch.Tensor:
        """The shared tensor, detached."""
        return self._weights.tensor(self.name).detach()

    def to_numpy(self) -> Any:
        """A copy as an array."""
        return self.to_torch().numpy().copy()


class _SharedTensors(Mapping[str, SharedTensor]):
    """Every constant of the graph by name, Constant nodes included."""

    def __init__(self, graph: Graph, weights: Weights) -> None:
        self._names = dict.fromkeys((*graph.initializers, *weights.constant_nodes))
        self._weights = weights

    def __getitem__(self, name: str) -> SharedTensor:
        if name not in self._names:
            raise KeyError(name)
        return SharedTensor(name, self._weights)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class _WithoutInitialisation(TorchFunctionMode):
    """Module constructors draw no random weights: they are replaced at once, and drawing 100 million takes seconds."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if getattr(func, "__module__", None) == "torch.nn.init":
            return (kwargs or {})["tensor"]  # handed over by name, however a constructor gives it
        return func(*args, **(kwargs or {}))


class Bridge:
    """onnx2torch's converters on one graph."""

    def __init__(self, graph: Graph, weights: Weights) -> None:
        load_onnx2torch()
        from onnx2torch.onnx_graph import OnnxGraph

        self._graph = OnnxGraph(graph.proto.graph)
        self._graph._initializers = _SharedTensors(graph, weights)
        self._graph._input_values = tuple(value.name for value in graph.inputs)
        self._weights = weights

    def convert(self, scope: Scope) -> Converted:
        """Convert a node that onnx2torch knows the operator and version of. Errors: UnsupportedOperator."""
        from onnx2torch.node_converters.registry import get_converter
        from onnx2torch.onnx_node import OnnxNode

        node = scope.node
        converter = get_converter(operation_type=node.operator, version=scope.version, domain=node.domain)
        try:
            with _WithoutInitialisation():
                module, mapping = converter(OnnxNode(node.proto, unique_name=str(node.index)), self._graph)
        except Exception as error:  # converters raise KeyError, NotImplementedError, ValueError, AttributeError, ...
            raise scope.refuse(f"its converter says {type(error).__name__}: {error}") from None
        self._share(module, node)
        return Converted(module, tuple(mapping.inputs))

    def _share(self, module: nn.Module, node: Node) -> None:
        """Put the shared Parameters in place of the copies that a converter made around the same memory."""
        shared = {
            (tensor.data_ptr(), tensor.shape, tensor.stride()): tensor
            for name, tensor in self._weights.loaded().items()
            if name in node.inputs and isinstance(tensor, nn.Parameter)
        }
        for part in module.modules():
            for name, parameter in list(part.named_parameters(recurse=False)):
                key = (parameter.data_ptr(), parameter.shape, parameter.stride())
                parameter.requires_grad_(False)
                if key in shared:
                    setattr(part, name, shared[key])


@cache
def load_onnx2torch() -> None:
    """Import onnx2torch with a torchvision that is looked up when used, unless a working one is there already."""
    stand_ins = {name: _Later(name) for name in _TORCHVISION if name not in sys.modules}
    sys.modules.update(stand_ins)
    try:
        importlib.import_module("onnx2torch")
    finally:
        for name in stand_ins:
            sys.modules.pop(name, None)


class _Later(types.ModuleType):
    """Stands in for a torchvision module while onnx2torch is imported: what is taken from it is looked up when used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        full = f"{self.__name__}.{name}"
        return _Later(full) if full in _TORCHVISION else partial(_call, self.__name__, name)


def _call(module: str, name: str, *args: Any, **kwargs: Any) -> Any:
    return getattr(importlib.import_module(module), name)(*args, **kwargs)

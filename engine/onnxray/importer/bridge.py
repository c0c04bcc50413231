"""onnx2torch's converters, used without ``onnx2torch.convert`` and without its hard need of torchvision.

onnx2torch imports torchvision for two operators alone (NonMaxSuppression, RoiAlign). A torchvision whose binary does
not fit torch dies at import, so it is imported when one of the two runs, and not before.
"""

from __future__ import annotations

import importlib
import sys
import types
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import onnx
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from onnxray.errors import UnsupportedOperator
from onnxray.graph import Graph, Node
from onnxray.importer.scope import Converted, Scope, Weights

_TORCHVISION = ("torchvision", "torchvision.ops")

SAME_BUT_FOR_TYPES: Mapping[tuple[str, int], int] = {
    ("Transpose", 21): 13, ("Transpose", 23): 13, ("Transpose", 24): 13, ("Transpose", 25): 13,
    ("Squeeze", 23): 21, ("Squeeze", 24): 21, ("Squeeze", 25): 21,
    ("Unsqueeze", 21): 13, ("Unsqueeze", 23): 13, ("Unsqueeze", 24): 13, ("Unsqueeze", 25): 13,
    ("Shape", 19): 15, ("Shape", 21): 15, ("Shape", 23): 15, ("Shape", 24): 15, ("Shape", 25): 15,
    ("ConstantOfShape", 20): 9, ("ConstantOfShape", 21): 9, ("ConstantOfShape", 23): 9,
    ("Equal", 19): 13, ("GreaterOrEqual", 16): 12, ("LessOrEqual", 16): 12,
    ("HardSigmoid", 22): 6, ("HardSwish", 22): 14, ("Elu", 22): 6, ("Selu", 22): 6, ("Softplus", 22): 1,
    ("Softsign", 22): 1, ("Round", 22): 11, ("InstanceNormalization", 22): 6,
    ("Sin", 22): 7, ("Cos", 22): 7, ("Tan", 22): 7, ("Asin", 22): 7, ("Acos", 22): 7, ("Atan", 22): 7,
}  # fmt: skip
"""(operator, since-version) -> the older version that onnx2torch converts and that differs in its types alone."""

KNOWN_WRONG: Mapping[str, str] = {
    "CumSum": "onnx2torch sums in the wrong direction",
    "NonZero": "onnx2torch transposes the result",
}
"""Operators whose converter in onnx2torch gives wrong numbers without an error."""


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
            return kwargs["tensor"] if kwargs and "tensor" in kwargs else args[0]
        return func(*args, **(kwargs or {}))


class Bridge:
    """onnx2torch's converters on one graph."""

    def __init__(self, graph: Graph, weights: Weights) -> None:
        _load_onnx2torch()
        from onnx2torch.onnx_graph import OnnxGraph

        self._graph = OnnxGraph(graph.proto.graph)
        self._graph._initializers = _SharedTensors(graph, weights)
        self._graph._input_values = tuple(value.name for value in graph.inputs)
        self._weights = weights

    def convert(self, scope: Scope) -> Converted:
        """Convert a node, or refuse it by name."""
        from onnx2torch.node_converters.registry import get_converter
        from onnx2torch.onnx_node import OnnxNode

        node = scope.node
        if node.operator in KNOWN_WRONG:
            raise scope.refuse(KNOWN_WRONG[node.operator])
        if node.operator == "Resize":
            _check_resize(scope)
        version = SAME_BUT_FOR_TYPES.get((node.operator, scope.version), scope.version)
        try:
            converter = get_converter(operation_type=node.operator, version=version, domain=node.domain)
        except NotImplementedError:
            raise scope.refuse("there is no converter for it") from None
        try:
            with _WithoutInitialisation(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what _check_resize has refused already
                module, mapping = converter(OnnxNode(node.proto, unique_name=str(node.index)), self._graph)
        except UnsupportedOperator:
            raise
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


def since_version(operator: str, domain: str, opset: int) -> int:
    """The since-version of an operator under an opset; the opset itself where onnx does not know the operator."""
    try:
        return int(onnx.defs.get_schema(operator, opset, domain).since_version)
    except onnx.defs.SchemaError:
        return opset


def _check_resize(scope: Scope) -> None:
    """Let through what torch's interpolate does exactly; onnx2torch takes the rest too, and is off by up to 2."""
    get = scope.attributes.get
    mode = get("mode", "nearest")
    where = get("coordinate_transformation_mode", "half_pixel" if scope.version > 10 else "asymmetric")
    rounding = get("nearest_mode", "round_prefer_floor" if scope.version > 10 else "floor")
    exact = (
        (where, rounding) == ("asymmetric", "floor")
        if mode == "nearest"
        else where in {"half_pixel", "pytorch_half_pixel", "align_corners"}
    )
    if get("exclude_outside", 0) or (mode == "cubic" and abs(get("cubic_coeff_a", -0.75) + 0.75) > 1e-6):
        raise scope.refuse("its exclude_outside or cubic_coeff_a is not torch's")
    if not exact:
        raise scope.refuse(f"mode {mode!r} with {where!r} (rounding {rounding!r}) is not what torch interpolates")


@cache
def _load_onnx2torch() -> None:
    """Import onnx2torch with a torchvision that is looked up when used, unless a working one is there already."""
    missing = [name for name in _TORCHVISION if name not in sys.modules]
    stand_ins = {name: _Later(name) for name in missing}
    sys.modules.update(stand_ins)
    try:
        importlib.import_module("onnx2torch")
    finally:
        for name in missing:
            sys.modules.pop(name, None)


class _Later(types.ModuleType):
    """Stands in for a torchvision module while onnx2torch is imported: what is taken from it is looked up when used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if f"{self.__name__}.{name}" in _TORCHVISION:
            return _Later(f"{self.__name__}.{name}")
        return _LaterFunction(self.__name__, name)


class _LaterFunction:
    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            function = getattr(importlib.import_module(self._module), self._name)
        except (ImportError, RuntimeError, AttributeError) as error:
            raise UnsupportedOperator(
                f"NonMaxSuppression and RoiAlign need torchvision's {self._name}, and torchvision cannot be imported "
                f"({error}); install the torchvision that was built for torch {torch.__version__}"
            ) from None
        return function(*args, **kwargs)

"""Every constant of a graph as one torch tensor, read once and shared."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn

from onnxray.arrays import Array
from onnxray.errors import UnsupportedOperator
from onnxray.graph.facts import Graph, Node
from onnxray.graph.node_attributes import constant
from onnxray.importer.nodes.attribute_names import DEEPEST


def _channels_innermost(kernel: torch.Tensor) -> torch.Tensor:
    """The kernel with its channels innermost. Of one channel both layouts are the same numbers in the same order, and
    torch takes it for the other: a grey network then goes on in that layout, which takes half as long again. Kernels
    of one row or column, which sound is filtered by, stay: torch sums their many products less exactly in this layout.
    """
    found = kernel.contiguous(memory_format=torch.channels_last)
    _, channels, height, width = found.shape
    if channels != 1 or min(height, width) <= 1 or not found.numel():
        return found
    return found.contiguous().as_strided(found.shape, (height * width, 1, width, 1))


class Weights:
    """Every constant of the graph as one torch tensor, read when first asked for and shared by all who ask.

    Floating-point initialisers are Parameters, frozen unless they are ``trainable`` (all, or those named); the rest are
    plain tensors. Constant nodes count as constants too: Paddle and the legacy exporter keep weights in them, which are
    Parameters where they are named. ``channels_last``: kernels of
    two-dimensional convolutions are stored with their channels innermost. Every value keeps its shape, and torch's
    convolutions then compute in that layout, which takes a CPU about a quarter less time and needs no reordered copies.
    """

    def __init__(self, graph: Graph, *, trainable: bool | frozenset[str], channels_last: bool = False) -> None:
        self._graph = graph
        self._trainable = trainable
        self._channels_last = channels_last
        self._tensors: dict[str, torch.Tensor] = {}

    @cached_property
    def constant_nodes(self) -> Mapping[str, Node]:
        """Value name -> the Constant node that holds it."""
        return {node.outputs[0]: node for node in self._graph.nodes if node.operator == "Constant"}

    @cached_property
    def places(self) -> Mapping[str, int]:
        """Constant -> its place among all of them, by which its attribute in a module is called."""
        return {name: place for place, name in enumerate((*self._graph.initializers, *self.constant_nodes))}

    @cached_property
    def folders(self) -> frozenset[str]:
        """The names that stand before a dot in a weight's name: modules hold what is below them."""
        parts = (name.split(".", DEEPEST) for name in self._graph.initializers)
        return frozenset(".".join(part[:k]) for part in parts for k in range(1, len(part)))

    def __contains__(self, name: str) -> bool:
        return name in self._graph.initializers or name in self.constant_nodes

    def tensor(self, name: str) -> torch.Tensor:
        """The constant ``name``, the same object at every call."""
        if name not in self._tensors:
            tensor = torch_tensor(self._array(name), f"constant {name!r}")
            if self._channels_last and tensor.ndim == 4:
                tensor = _channels_innermost(tensor)
            learnt = name in self._trainable if isinstance(self._trainable, frozenset) else self._trainable
            named = isinstance(self._trainable, frozenset) and learnt
            if tensor.is_floating_point() and (named or name in self._graph.initializers):
                tensor = nn.Parameter(tensor, requires_grad=learnt)
            self._tensors[name] = tensor
        return self._tensors[name]

    def aside(self) -> Weights:
        """The same constants; what is first read through these is not kept."""
        other = Weights(self._graph, trainable=self._trainable, channels_last=self._channels_last)
        other._tensors = dict(self._tensors)
        return other

    def loaded(self) -> Mapping[str, torch.Tensor]:
        """The constants that were asked for so far."""
        return dict(self._tensors)

    def _array(self, name: str) -> np.ndarray[Any, Any]:
        if name in self._graph.initializers:
            return self._graph.weight(name)
        node = self.constant_nodes[name]
        try:
            array = constant(self._graph, name)
        except (ValueError, TypeError, KeyError, onnx.checker.ValidationError) as error:
            raise UnsupportedOperator(f"constant {name!r} cannot be read: {error}") from None
        if array is not None:
            return np.array(array)
        if not node.proto.attribute:
            raise UnsupportedOperator(f"constant {name!r}: its node states no value; the file is damaged")
        given = node.proto.attribute[0].name
        raise UnsupportedOperator(f"constant {name!r} is given as {given!r}; torch holds no such values")


def torch_tensor(array: np.ndarray[Any, Any], described: str) -> torch.Tensor:
    """An array as a tensor of the same type, bit for bit: bfloat16 and float8 too; 4-bit integers as int8 and uint8.

    Errors: UnsupportedOperator for types that torch does not hold (strings, 4-bit floats).
    """
    array = np.ascontiguousarray(array) if array.ndim else np.array(array)
    name = str(array.dtype)
    try:
        if name in {"int4", "int2"}:
            return torch.from_numpy(array.astype(np.int8))
        if name in {"uint4", "uint2"}:
            return torch.from_numpy(array.astype(np.uint8))
        if name in {"bfloat16", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"}:
            bits = np.int16 if name == "bfloat16" else np.uint8
            return torch.from_numpy(array.view(bits)).view(getattr(torch, name))
        return torch.from_numpy(array)
    except (TypeError, ValueError, AttributeError):
        raise UnsupportedOperator(
            f"{described} has the type {name}, which torch does not hold; "
            "predictions and values still work, gradients do not"
        ) from None


def numpy_array(tensor: torch.Tensor) -> Array:
    """A tensor's numbers in C order, whatever layout the convolutions computed in; bfloat16 and float8 as float32."""
    tensor = tensor.detach().cpu().contiguous()
    foreign = tensor.dtype == torch.bfloat16 or (tensor.is_floating_point() and tensor.dtype.itemsize == 1)
    return np.asarray((tensor.float() if foreign else tensor).numpy())

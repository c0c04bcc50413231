"""Linear layers as relevance sees them: a convolution or a product, and what follows of factors and shifts, as one.

    z = W x + b,   W = f W_0,   b = f b_0 + c

for Conv (and a Pad of zeros before it), ConvTranspose, Gemm or MatMul (W_0, b_0) and BatchNormalization, Mul, Div, Add
and Sub of constants (f, c a number an output channel) behind it that nobody else reads: exactly what the file computes,
in float64, so that a bias is a bias and a scale is in the weights wherever the exporter wrote them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.nn import functional
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from onnxray.graph.facts import Node
from onnxray.importer.fusions.pattern import Cut
from onnxray.importer.imported_module import forward_all
from onnxray.importer.ops.neural.convolution import CONVOLUTIONS, PaddedConv
from onnxray.importer.ops.neural.normalization import BatchNorm, ComputedBatchNorm
from onnxray.importer.ops.neural.transposed_convolution import CroppedConvTranspose
from onnxray.importer.relevance.operators import carriers
from onnxray.importer.relevance.propagation import Map
from onnxray.importer.walk import Importer

_TRANSPOSED = {1: functional.conv_transpose1d, 2: functional.conv_transpose2d, 3: functional.conv_transpose3d}
_FOLLOWERS = frozenset({"BatchNormalization", "Mul", "Div", "Add", "Sub"})


@dataclass(frozen=True, eq=False)
class LinearLayer:
    """``nodes``, of which the last gives the layer's output; ``read``: the value that the layer reads.

    axis: that of the output channels, 1 or -1. scaled: the axis of the weight that they lie on, in ``groups`` parts.
    """

    nodes: tuple[Node, ...]
    read: str
    function: Map
    weight: torch.Tensor
    bias: torch.Tensor | None
    convolution: bool
    scaled: int
    groups: int = 1

    @property
    def axis(self) -> int:
        """The axis of the output channels."""
        return 1 if self.convolution else -1

    @property
    def end(self) -> Node:
        """The node that gives its output."""
        return self.nodes[-1]

    @property
    def channels(self) -> int:
        """How many output channels it has."""
        return int(self.weight.shape[self.scaled]) * (self.groups if self.scaled == 1 and self.convolution else 1)


def linear_layers(importer: Importer, cut: Cut, nodes: Sequence[Node]) -> tuple[LinearLayer, ...]:
    """The linear layers among the nodes of a cut that depend on the input."""
    found = []
    for node in nodes:
        layer = _begun(importer, node)
        if layer is not None:
            found.append(_followed(importer, cut, _padded(importer, cut, layer)))
    return tuple(found)


def constant(importer: Importer, name: str) -> torch.Tensor | None:
    """A weight, or what is computed from weights alone (dequantised, transposed, standardised); else None."""
    if name in importer.weights:
        return importer.weights.tensor(name).detach().cpu()  # a cut on a device takes weights along
    if not name or name in importer.graph.depends_on_input or name not in importer.graph.values:
        return None
    module = importer.cut((name,))
    with torch.no_grad():
        (found,) = forward_all(module, (torch.zeros(()),) * len(importer.graph.inputs))
    return found.detach().cpu()


def _begun(importer: Importer, node: Node) -> LinearLayer | None:
    if node.domain or not node.inputs or node.inputs[0] not in importer.graph.once(carriers):
        return None
    if node.operator in {"Conv", "ConvTranspose"}:
        return _convolution(importer, node)
    return _product(importer, node) if node.operator in {"Gemm", "MatMul"} else None


def _convolution(importer: Importer, node: Node) -> LinearLayer | None:
    weight, bias = constant(importer, node.inputs[1]), None
    if len(node.inputs) > 2 and node.inputs[2]:
        bias = constant(importer, node.inputs[2])
        if bias is None:
            return None
    if weight is None or not weight.is_floating_point():
        return None
    module, rank = importer.convert(node).module, weight.ndim - 2
    function: Map
    stated: tuple[object, ...]
    if isinstance(module, PaddedConv | CroppedConvTranspose):
        function = module
    elif isinstance(module, _ConvTransposeNd):
        stated = (module.stride, module.padding, module.output_padding, module.groups, module.dilation)
        function = functools.partial(_applied, _TRANSPOSED[rank], stated)
    elif isinstance(module, _ConvNd):
        stated = (module.stride, module.padding, module.dilation, module.groups)
        function = functools.partial(_applied, CONVOLUTIONS[rank], stated)
    else:
        return None
    groups = int(importer.scope(node).attributes.get("group", 1))
    scaled = 0 if node.operator == "Conv" else 1
    return LinearLayer((node,), node.inputs[0], function, weight, bias, True, scaled, groups)


def _padded(importer: Importer, cut: Cut, layer: LinearLayer) -> LinearLayer:
    """A convolution with the zeros that a node before it pads with: they are no part of its input, and get nothing."""
    pad = cut.producer(layer.read, "Pad") if layer.convolution else None
    if pad is None or layer.read in cut.wanted or len(cut.readers[layer.read]) != 1:
        return layer
    scope, converted = importer.scope(pad), importer.convert(pad)
    filled = constant(importer, scope.input(2)) if scope.input(2) else None
    number = float(scope.attributes.get("value", 0.0)) if filled is None else float(filled)
    constants = [constant(importer, name) if name else None for name in converted.inputs[1:]]
    known = all(tensor is not None or not name for tensor, name in zip(constants, converted.inputs[1:]))
    unknown = bool(scope.input(2)) and filled is None
    if scope.attributes.get("mode", "constant") != "constant" or number or unknown or not known:
        return layer
    function = functools.partial(_behind, converted.module, tuple(constants), layer.function)
    return replace(layer, nodes=(pad, *layer.nodes), read=pad.inputs[0], function=function)


def _product(importer: Importer, node: Node) -> LinearLayer | None:
    weight, bias = constant(importer, node.inputs[1]), None
    if weight is None or weight.ndim != 2 or not weight.is_floating_point():
        return None
    if node.operator == "Gemm":
        attributes = importer.scope(node).attributes
        if attributes.get("transA", 0):
            return None
        weight = (weight.t() if attributes.get("transB", 0) else weight) * float(attributes.get("alpha", 1.0))
        if len(node.inputs) > 2 and node.inputs[2]:
            stated = constant(importer, node.inputs[2])
            along = None if stated is None else _along(stated, 2, -1, weight.shape[1])
            if along is None:
                return None
            bias = (along * float(attributes.get("beta", 1.0))).to(weight.dtype)
    return LinearLayer((node,), node.inputs[0], _multiplied, weight, bias, False, 1)


def _followed(importer: Importer, cut: Cut, layer: LinearLayer) -> LinearLayer:
    """The layer with the factors and shifts behind it that nobody else reads."""
    weight, bias, nodes = layer.weight.double(), layer.bias, list(layer.nodes)
    shift = None if bias is None else bias.double()
    while True:
        name = nodes[-1].outputs[0]
        readers = cut.readers.get(name, [])
        if name in cut.wanted or len(readers) != 1 or not cut.is_real(name):
            break
        node = readers[0]
        if node.domain or node.operator not in _FOLLOWERS or node.reads.count(name) != 1:
            break
        change = _change(importer, node, name, layer, cut.rank(name))
        if change is None:
            break
        factor, added = change
        weight = weight * _spread(factor, layer)
        shift = (0 if shift is None else shift) * factor + added
        nodes.append(node)
    kind = layer.weight.dtype
    merged = None if shift is None else shift.to(kind)
    if (
        len(nodes) == len(layer.nodes)
        or not weight.isfinite().all()
        or (merged is not None and not merged.isfinite().all())
    ):
        return layer
    return replace(layer, nodes=tuple(nodes), weight=weight.to(kind), bias=merged)


def _change(
    importer: Importer, node: Node, name: str, layer: LinearLayer, rank: int | None
) -> tuple[torch.Tensor, torch.Tensor] | None:
    """(f, c), a number a channel each, of y = f z + c; None for any other node."""
    if rank is None:
        return None
    if node.operator == "BatchNormalization":
        return _normalisation(importer, node, layer) if layer.convolution or rank == 2 else None
    other = next(each for each in node.inputs if each != name)
    stated = constant(importer, other)
    along = None if stated is None else _along(stated, rank, layer.axis, layer.channels)
    if along is None:
        return None
    one, none = torch.ones_like(along), torch.zeros_like(along)
    if node.operator == "Mul":
        return along, none
    if node.operator == "Add":
        return one, along
    if node.inputs[0] == name:
        return (1 / along, none) if node.operator == "Div" else (one, -along)
    return (-one, along) if node.operator == "Sub" else None


def _normalisation(importer: Importer, node: Node, layer: LinearLayer) -> tuple[torch.Tensor, torch.Tensor] | None:
    module = importer.convert(node).module
    if isinstance(module, BatchNorm):
        epsilon = float(module.eps)
    elif isinstance(module, ComputedBatchNorm) and module.spatial:
        epsilon = module.epsilon
    else:
        return None
    stored = [constant(importer, each) for each in node.inputs[1:5]]
    known = [part.double() for part in stored if part is not None]
    if len(known) < 4 or any(part.shape != (layer.channels,) for part in known):
        return None
    scale, shift, mean, variance = known
    factor = scale / (variance + epsilon).sqrt()
    return factor, shift - mean * factor


def _along(stated: torch.Tensor, rank: int, axis: int, channels: int) -> torch.Tensor | None:
    """A constant as one number a channel, in float64; None where it has others, or widens what it is added to."""
    if not stated.is_floating_point() or stated.ndim > rank:
        return None
    shape = (1,) * (rank - stated.ndim) + tuple(stated.shape)
    at = axis % rank
    if any(size != 1 for position, size in enumerate(shape) if position != at) or shape[at] not in {1, channels}:
        return None
    return stated.double().reshape(-1).expand(channels)


def _spread(factor: torch.Tensor, layer: LinearLayer) -> torch.Tensor:
    """The factor of every weight: of a transposed convolution the second axis counts the channels of one group."""
    weight = layer.weight
    if not layer.convolution:
        return factor
    ones = (1,) * (weight.ndim - 2)
    if layer.scaled == 0:
        return factor.reshape(-1, 1, *ones)
    groups = layer.groups
    return factor.reshape(groups, -1).repeat_interleave(weight.shape[0] // groups, 0).reshape(*weight.shape[:2], *ones)


def _applied(
    convolve: Callable[..., torch.Tensor],
    stated: tuple[object, ...],
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
) -> torch.Tensor:
    return convolve(x, weight, bias, *stated)


def _behind(
    pad: nn.Module,
    constants: tuple[torch.Tensor | None, ...],
    function: Map,
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
) -> torch.Tensor:
    return function(pad(x, *constants), weight, bias)


def _multiplied(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    product = x @ weight
    return product if bias is None else product + bias

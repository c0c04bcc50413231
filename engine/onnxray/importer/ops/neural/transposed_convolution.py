"""ConvTranspose, DeformConv and CausalConvWithState, all versions: they differ in their types and wording alone."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from onnxray.importer.nodes.scope import Converted, Converters, Scope, for_versions
from onnxray.importer.ops.neural.padding import Padding, read_padding, read_window

_FUNCTIONS: dict[int, Callable[..., torch.Tensor]] = {
    1: functional.conv_transpose1d,
    2: functional.conv_transpose2d,
    3: functional.conv_transpose3d,
}
_MODULES: dict[int, Callable[..., nn.Module]] = {
    1: nn.ConvTranspose1d,
    2: nn.ConvTranspose2d,
    3: nn.ConvTranspose3d,
}


@dataclass(frozen=True, slots=True)
class Cropping:
    """Which part of a transposed convolution's full result is the output: by pads, by shape, or as auto_pad says."""

    padding: Padding
    extra: tuple[int, ...]
    shape: tuple[int, ...] | None

    def pads(self, sizes: tuple[int, ...], full: tuple[int, ...], stride: tuple[int, ...]) -> list[int]:
        """What ``functional.pad`` takes to cut (or, where it is too short, to extend) the full result."""
        flat: list[int] = []
        for axis in reversed(range(len(sizes))):
            end = full[axis] + self.extra[axis]
            if self.shape is None and self.padding.same is None:
                begin = self.padding.begins[axis]
                length = end - begin - self.padding.ends[axis]
            else:
                length = self.shape[axis] if self.shape is not None else sizes[axis] * stride[axis]
                total = max(0, end - length)
                begin = total // 2 if self.padding.same == "SAME_UPPER" else total - total // 2
            flat += [-begin, begin + length - full[axis]]
        return flat


class CroppedConvTranspose(nn.Module):
    """The full transposed convolution, cut to the output's place; its weights may be computed by the graph."""

    def __init__(self, stride: tuple[int, ...], dilation: tuple[int, ...], groups: int, cropping: Cropping) -> None:
        super().__init__()
        self.stride, self.dilation, self.groups, self.cropping = stride, dilation, groups, cropping

    def forward(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        """Convolve, cut, add the bias (which places outside the full result get too)."""
        convolve = _FUNCTIONS[weight.ndim - 2]
        full = convolve(x, weight, None, self.stride, 0, 0, self.groups, self.dilation)
        flat = self.cropping.pads(tuple(x.shape[2:]), tuple(full.shape[2:]), self.stride)
        cut = functional.pad(full, flat) if any(flat) else full
        return cut if bias is None else cut + bias.reshape(-1, *(1,) * (cut.ndim - 2))


def _conv_transpose(scope: Scope) -> Converted:
    get = scope.attributes.get
    weight, bias = scope.constant(1), scope.constant(2)
    shape = tuple(get("output_shape", ())) or None
    known = (scope.rank(0) or 2) - 2 or (scope.rank(1) or 2) - 2
    rank = weight.ndim - 2 if weight is not None else known or len(get("kernel_shape") or get("strides") or ())
    if rank not in _FUNCTIONS:
        raise scope.refuse(f"its convolution has {rank} spatial axes, 1 to 3 are known")
    stride, dilation = read_window(scope, "strides", rank), read_window(scope, "dilations", rank)
    padding, groups = read_padding(scope, rank), int(get("group", 1))
    extra = tuple(get("output_padding") or (0,) * rank)
    if len(extra) != rank or min(extra) < 0 or (shape is not None and len(shape) != rank):
        raise scope.refuse(f"its output_padding {list(extra)} or output_shape {shape} is not one number an axis")
    value = scope.graph.values.get(scope.input(1))
    shapes = (weight.shape if weight is not None else None, value.shape if value is not None else None)
    kernel = tuple(get("kernel_shape") or next((shape[2:] for shape in shapes if shape is not None), ()))
    if padding.same and shape is None and not (kernel and all(isinstance(k, int) for k in kernel)):
        raise scope.refuse(f"its auto_pad is {padding.same!r} and its kernel's size is not known")
    if (
        padding.same
        and shape is None
        and any((int(k or 1) - 1) * d + 1 + e < s for k, d, e, s in zip(kernel, dilation, extra, stride))
    ):
        raise scope.refuse(f"auto_pad {padding.same!r} of a kernel shorter than its stride {list(stride)}")
    simple = padding.symmetric
    plain = shape is None and all(e == 0 or e < max(s, d) for e, s, d in zip(extra, stride, dilation))
    if weight is None or simple is None or not plain or (scope.input(2) and bias is None):
        module: nn.Module = CroppedConvTranspose(stride, dilation, groups, Cropping(padding, extra, shape))
        return Converted(module, scope.node.inputs)
    module = _MODULES[rank](
        weight.shape[0], weight.shape[1] * groups, tuple(weight.shape[2:]), stride, simple, extra, groups,
        bias is not None, dilation, device="meta",
    )  # fmt: skip
    module.weight = _parameter(weight)
    if bias is not None:
        module.bias = _parameter(bias)
    return Converted(module, scope.node.inputs[:1])


def _parameter(tensor: torch.Tensor) -> nn.Parameter:
    """Constant nodes hold plain tensors; torch's modules want Parameters."""
    return tensor if isinstance(tensor, nn.Parameter) else nn.Parameter(tensor, requires_grad=False)


class DeformConv(nn.Module):
    """sum over the kernel's places of weight * mask * x at (place + offset), x interpolated linearly, 0 outside.

    Any number of spatial axes. Differentiable in all inputs but for the kinks of the interpolation.
    """

    def __init__(
        self, begins: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...], groups: int, sampled: int
    ) -> None:
        super().__init__()
        self.begins, self.stride, self.dilation, self.groups, self.sampled = begins, stride, dilation, groups, sampled

    def forward(
        self,
        x: torch.Tensor,
        weight: torch.Tensor,
        offset: torch.Tensor,
        bias: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Sample every place of every window, then multiply as a matrix."""
        batch, channels, rank, places = x.shape[0], x.shape[1], weight.ndim - 2, math.prod(weight.shape[2:])
        found = self._sampled(x, self._places(weight, offset))
        if mask is not None:
            found = found * mask.reshape(batch, self.sampled, 1, places, -1)
        columns = found.reshape(batch, self.groups, channels // self.groups * places, -1)
        matrix = weight.reshape(self.groups, weight.shape[0] // self.groups, -1)
        result = (matrix @ columns).reshape(batch, weight.shape[0], *offset.shape[2:])
        return result if bias is None else result + bias.reshape(-1, *(1,) * rank)

    def _places(self, weight: torch.Tensor, offset: torch.Tensor) -> list[torch.Tensor]:
        """Where the input is read along every axis: (N, offset groups, kernel places, output places)."""
        kernel, out = tuple(weight.shape[2:]), tuple(offset.shape[2:])
        moved = offset.reshape(offset.shape[0], self.sampled, math.prod(kernel), len(kernel), *out)
        axes = []
        for axis, (begin, stride, dilation) in enumerate(zip(self.begins, self.stride, self.dilation)):
            along = [-1 if other == axis else 1 for other in range(len(kernel))]
            inside = (torch.arange(kernel[axis], device=offset.device) * dilation).reshape(along).expand(kernel)
            start = (torch.arange(out[axis], device=offset.device) * stride - begin).reshape(along)
            place = inside.reshape(-1, *(1,) * len(kernel)) + start + moved[:, :, :, axis]
            axes.append(place.flatten(3))
        return axes

    def _sampled(self, x: torch.Tensor, axes: list[torch.Tensor]) -> torch.Tensor:
        """(N, offset groups, channels of a group, kernel places, output places): the corners around each place."""
        batch, sizes = x.shape[0], x.shape[2:]
        flat = x.reshape(batch, self.sampled, x.shape[1] // self.sampled, -1)
        floors = [place.detach().floor() for place in axes]
        total: torch.Tensor | None = None
        for corner in itertools.product((0, 1), repeat=len(axes)):
            share, index = torch.ones_like(axes[0]), torch.zeros_like(axes[0], dtype=torch.int64)
            for place, low, bit, size in zip(axes, floors, corner, sizes):
                at = low + bit
                share = share * torch.where((at >= 0) & (at < size), 1 - (place - at) if bit == 0 else place - low, 0)
                index = index * size + at.clamp(0, size - 1).long()
            spread = index.flatten(2).unsqueeze(2).expand(-1, -1, flat.shape[2], -1)
            part = torch.gather(flat, 3, spread).reshape(*flat.shape[:3], *index.shape[2:]) * share.unsqueeze(2)
            total = part if total is None else total + part
        assert total is not None
        return total


def _deform_conv(scope: Scope) -> Converted:
    get = scope.attributes.get
    known = scope.rank(0) or scope.rank(1) or scope.rank(2) or len(get("kernel_shape", ())) + 2
    rank = known - 2
    if rank < 1:
        raise scope.refuse("the number of its spatial axes is not known")
    padding = read_padding(scope, rank)
    module = DeformConv(
        padding.begins, read_window(scope, "strides", rank), read_window(scope, "dilations", rank),
        int(get("group", 1)), int(get("offset_group", 1)),
    )  # fmt: skip
    return Converted(module, scope.node.inputs)


class CausalConvWithState(nn.Module):
    """A depthwise convolution along the last axis over past values and the input; with the new past as an output."""

    def __init__(self, silu: bool) -> None:
        super().__init__()
        self.silu = silu

    def forward(
        self,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None = None,
        past: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Convolve; x * sigmoid(x) where fused."""
        kept = weight.shape[2] - 1
        before = past if past is not None else x.new_zeros(x.shape[0], x.shape[1], kept)
        whole = torch.cat([before, x], dim=2)
        y = functional.conv1d(whole, weight, bias, groups=x.shape[1])
        return functional.silu(y) if self.silu else y, whole[:, :, whole.shape[2] - kept :]


def _causal_conv(scope: Scope) -> Converted:
    activation = scope.attributes.get("activation", "none")
    if activation not in {"none", "silu", "swish"}:
        raise scope.refuse(f"its activation is {activation!r}; silu, swish and none are known")
    return Converted(CausalConvWithState(activation != "none"), scope.node.inputs, several=True)


CONVERTERS: Converters = {
    **for_versions("ConvTranspose", (1, 11, 22), _conv_transpose),
    **for_versions("DeformConv", (19, 22), _deform_conv),
    **for_versions("CausalConvWithState", (27,), _causal_conv),
}

"""Conv, all versions: 11 made defaults explicit, 22 added types."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from onnxray.importer.nodes.scope import Converted, Converters, Scope, for_versions
from onnxray.importer.ops.neural.padding import Padding, read_padding, read_window

_MODULES: dict[int, Callable[..., nn.Module]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
CONVOLUTIONS: dict[int, Callable[..., torch.Tensor]] = {
    1: functional.conv1d,
    2: functional.conv2d,
    3: functional.conv3d,
}
"""Number of spatial axes -> torch's function."""


def convolved(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, *, stride: tuple[int, ...], padding: Padding,
    dilation: tuple[int, ...], groups: int,
) -> torch.Tensor:  # fmt: skip
    """A convolution with any of ONNX's paddings: by torch itself where it takes them, else padded before."""
    simple = padding.symmetric
    if simple is None:
        x = padding.apply(x, tuple(weight.shape[2:]), stride, dilation, 0.0)
    return CONVOLUTIONS[weight.ndim - 2](x, weight, bias, stride, simple or 0, dilation, groups)


class PaddedConv(nn.Module):
    """A convolution whose padding or weights torch's own modules do not take: uneven, SAME, or computed weights."""

    def __init__(self, stride: tuple[int, ...], padding: Padding, dilation: tuple[int, ...], groups: int) -> None:
        super().__init__()
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups

    def forward(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        """Pad and convolve."""
        return convolved(
            x, weight, bias, stride=self.stride, padding=self.padding, dilation=self.dilation, groups=self.groups
        )


def _conv(scope: Scope) -> Converted:
    weight, bias = scope.constant(1), scope.constant(2)
    input_rank = scope.rank(0)
    rank = (weight.ndim if weight is not None else input_rank or len(scope.attributes.get("strides", ())) + 2) - 2
    if rank not in _MODULES:
        raise scope.refuse(f"its convolution has {rank} spatial axes, 1 to 3 are known")
    stride, dilation = read_window(scope, "strides", rank), read_window(scope, "dilations", rank)
    padding, groups = read_padding(scope, rank), int(scope.attributes.get("group", 1))
    simple = padding.symmetric
    if weight is None or simple is None or (scope.input(2) and bias is None):
        return Converted(PaddedConv(stride, padding, dilation, groups), scope.node.inputs)
    channels = weight.shape[1] * groups
    module = _MODULES[rank](
        channels, weight.shape[0], tuple(weight.shape[2:]), stride, simple, dilation, groups, bias is not None,
        device="meta",  # no memory and no random numbers for weights that are replaced at once
    )  # fmt: skip
    module.weight = _parameter(weight)
    if bias is not None:
        module.bias = _parameter(bias)
    return Converted(module, scope.node.inputs[:1])


def _parameter(tensor: torch.Tensor) -> nn.Parameter:
    """Constant nodes hold plain tensors; torch's modules want Parameters."""
    return tensor if isinstance(tensor, nn.Parameter) else nn.Parameter(tensor, requires_grad=False)


CONVERTERS: Converters = for_versions("Conv", (1, 11, 22), _conv)

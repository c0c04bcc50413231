"""MaxPool and AveragePool, GlobalMaxPool and GlobalAveragePool, all versions."""

from __future__ import annotations

import torch
from torch import nn

from onnxray.importer.ops.padding import Padding, read_padding, read_window
from onnxray.importer.scope import Converted, Converters, Scope, for_versions

Window = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
"""Kernel, stride and dilation, a number an axis."""

_MAX_MODULES = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}
_AVERAGE_MODULES = {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}


class PaddedMaxPool(nn.Module):
    """A maximum pool with uneven or SAME padding: what is padded never wins."""

    def __init__(self, pool: nn.Module, window: Window, padding: Padding) -> None:
        super().__init__()
        self.pool, self.window, self.padding = pool, window, padding

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Pad with minus infinity, then pool."""
        return self.pool(self.padding.apply(x, *self.window, float("-inf")))  # type: ignore[no-any-return]


class PaddedAveragePool(nn.Module):
    """An average pool with uneven or SAME padding: padded places are counted or not, as the node says."""

    def __init__(self, pool: nn.Module, window: Window, padding: Padding, counted: bool) -> None:
        super().__init__()
        self.pool, self.window, self.padding, self.counted = pool, window, padding, counted

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Pad with zeros and pool; where they do not count, divide by the share of real places."""
        sums = self.pool(self.padding.apply(x, *self.window, 0.0))
        if self.counted:
            return sums  # type: ignore[no-any-return]
        ones = self.padding.apply(torch.ones_like(x[:1, :1]), *self.window, 0.0)
        return sums / self.pool(ones)  # type: ignore[no-any-return]


class GlobalPool(nn.Module):
    """The mean or the maximum over all spatial axes, which stay as axes of length 1."""

    def __init__(self, maximum: bool) -> None:
        super().__init__()
        self.maximum = maximum

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Pool every axis from the third on."""
        axes = tuple(range(2, x.ndim))
        return x.amax(axes, keepdim=True) if self.maximum else x.mean(axes, keepdim=True)


def _max_pool(scope: Scope) -> Converted:
    if len(scope.used_outputs()) > 1:
        raise scope.refuse("its second output, the indices, is read")
    kernel, stride, dilation, padding, ceil = _window(scope)
    rank = len(kernel)
    simple = padding.symmetric
    if simple is None and padding.same is None and ceil:
        raise scope.refuse("ceil_mode with uneven padding is not surely the same in torch")
    pool = _MAX_MODULES[rank](kernel, stride, simple or 0, dilation, ceil_mode=ceil)
    module = pool if simple is not None else PaddedMaxPool(pool, (kernel, stride, dilation), padding)
    return Converted(module, scope.node.inputs[:1])


def _average_pool(scope: Scope) -> Converted:
    kernel, stride, dilation, padding, ceil = _window(scope)
    if set(dilation) != {1}:
        raise scope.refuse(f"its dilations are {list(dilation)}, torch averages undilated windows alone")
    counted = bool(scope.attributes.get("count_include_pad", 0))
    simple = padding.symmetric
    pool = _AVERAGE_MODULES[len(kernel)](kernel, stride, simple or 0, ceil, counted)
    if simple is None and ceil:
        raise scope.refuse("ceil_mode with uneven padding is not surely the same in torch")
    module = pool if simple is not None else PaddedAveragePool(pool, (kernel, stride, dilation), padding, counted)
    return Converted(module, scope.node.inputs[:1])


def _window(scope: Scope) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], Padding, bool]:
    kernel = tuple(scope.attributes.get("kernel_shape", ()))
    if len(kernel) not in _MAX_MODULES or min(kernel) < 1:
        raise scope.refuse(f"its kernel_shape is {list(kernel)}, one to three axes of at least 1 are known")
    stride = read_window(scope, "strides", len(kernel))
    dilation = read_window(scope, "dilations", len(kernel))
    padding, ceil = read_padding(scope, len(kernel)), bool(scope.attributes.get("ceil_mode", 0))
    simple = padding.symmetric
    if padding.same is not None and set(dilation) != {1}:
        raise scope.refuse("auto_pad with dilations: ONNX Runtime pads as if there were none")
    if simple is not None and any(2 * pad > k for pad, k in zip(simple, kernel)):
        raise scope.refuse(f"its pads {list(simple)} are more than half of its kernel {list(kernel)}")
    return kernel, stride, dilation, padding, ceil


def _global_max_pool(scope: Scope) -> Converted:
    module = nn.AdaptiveMaxPool2d(1) if scope.rank() == 4 else GlobalPool(maximum=True)
    return Converted(module, scope.node.inputs)


def _global_average_pool(scope: Scope) -> Converted:
    return Converted(GlobalPool(maximum=False), scope.node.inputs)


CONVERTERS: Converters = {
    **for_versions("MaxPool", (1, 8, 10, 11, 12, 22), _max_pool),
    **for_versions("AveragePool", (1, 7, 10, 11, 19, 22), _average_pool),
    **for_versions("GlobalMaxPool", (1, 22), _global_max_pool),
    **for_versions("GlobalAveragePool", (1, 22), _global_average_pool),
}

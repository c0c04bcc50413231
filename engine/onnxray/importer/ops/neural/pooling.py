"""MaxPool and AveragePool, GlobalMaxPool and GlobalAveragePool, all versions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from onnxray.importer.nodes.scope import Converted, Converters, Scope, for_versions
from onnxray.importer.ops.neural.convolution import CONVOLUTIONS
from onnxray.importer.ops.neural.padding import Padding, read_padding, read_window

_MAX_MODULES = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}
_MAX_FUNCTIONS = {1: functional.max_pool1d, 2: functional.max_pool2d, 3: functional.max_pool3d}
_AVERAGE_MODULES = {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}
_AVERAGE_FUNCTIONS = {1: functional.avg_pool1d, 2: functional.avg_pool2d, 3: functional.avg_pool3d}


@dataclass(frozen=True, slots=True)
class Windows:
    """Where a pool's windows lie, as ONNX counts them."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: Padding
    ceil: bool

    @property
    def torch_padding(self) -> tuple[int, ...] | None:
        """The padding with which torch's own pools do the same, or None where they cannot."""
        simple = self.padding.symmetric
        fits = simple is not None and all(2 * pad <= k for pad, k in zip(simple, self.kernel))
        return simple if fits else None

    def placed(self, sizes: tuple[int, ...]) -> tuple[list[int], list[int]]:
        """How much to pad for the windows to fill the input exactly, and as much of it as counts as padding.

        Both as ``functional.pad`` takes them. With ceil a window may reach beyond the padding, but must not start
        there; what no window reaches is cut off.
        """
        flat, counted = [], []
        begins, ends = self.padding.amounts(sizes, self.kernel, self.stride, self.dilation)
        for axis in reversed(range(len(sizes))):
            size, begin, end, stride = sizes[axis], begins[axis], ends[axis], self.stride[axis]
            reach = self.dilation[axis] * (self.kernel[axis] - 1) + 1
            room = size + begin + end - reach
            out = (-(-room // stride) if self.ceil else room // stride) + 1
            if self.ceil and (out - 1) * stride >= size + begin:
                out -= 1
            needed = (out - 1) * stride + reach - size - begin
            flat += [begin, needed]
            counted += [begin, min(end, needed)]
        return flat, counted

    def sums(self, x: torch.Tensor) -> torch.Tensor:
        """The sum over every window of a padded input."""
        rank = len(self.kernel)
        if set(self.dilation) == {1}:
            return _AVERAGE_FUNCTIONS[rank](x, self.kernel, self.stride) * math.prod(self.kernel)
        ones = x.new_ones(1, 1, *self.kernel)
        single = x.reshape(-1, 1, *x.shape[2:])
        sums = CONVOLUTIONS[rank](single, ones, None, self.stride, 0, self.dilation)
        return sums.reshape(*x.shape[:2], *sums.shape[2:])


def read_windows(scope: Scope) -> Windows:
    """Read a pool's kernel, strides, dilations, padding and ceil_mode."""
    kernel = tuple(scope.attributes.get("kernel_shape", ()))
    if len(kernel) not in _MAX_MODULES or min(kernel) < 1:
        raise scope.refuse(f"its kernel_shape is {list(kernel)}, one to three axes of at least 1 are known")
    stride = read_window(scope, "strides", len(kernel))
    dilation = read_window(scope, "dilations", len(kernel))
    padding, ceil = read_padding(scope, len(kernel)), bool(scope.attributes.get("ceil_mode", 0))
    if ceil and scope.attributes.get("auto_pad", "NOTSET") == "VALID" and set(stride) != {1}:
        raise scope.refuse("ceil_mode with auto_pad VALID: the standard and ONNX Runtime count its windows differently")
    if padding.same and set(dilation) != {1}:
        raise scope.refuse(f"auto_pad {padding.same!r} with dilations: the standard and ONNX Runtime pad differently")
    slack = 1 if padding.same == "SAME_UPPER" else 2  # ONNX Runtime begins further in where there is more
    if padding.same and any(k + slack < s for k, s in zip(kernel, stride)):
        raise scope.refuse(f"auto_pad {padding.same!r} of a kernel shorter than its stride {list(stride)}")
    return Windows(kernel, stride, dilation, padding, ceil)


class PaddedMaxPool(nn.Module):
    """The maximum of each window, wherever ONNX lays it; what is padded never wins."""

    def __init__(self, windows: Windows) -> None:
        super().__init__()
        self.windows = windows

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Pad with the least number, then pool."""
        flat, _ = self.windows.placed(tuple(x.shape[2:]))
        pool = _MAX_FUNCTIONS[len(self.windows.kernel)]
        padded = functional.pad(x, flat, value=_least(x.dtype))
        return pool(padded, self.windows.kernel, self.windows.stride, 0, self.windows.dilation)


class IndexedMaxPool(nn.Module):
    """The maximum of each window and where it lies: its index in the whole input, as if flattened.

    ``column_major``: the spatial axes are flattened first axis fastest. The indices carry no gradient.
    """

    def __init__(self, windows: Windows, column_major: bool) -> None:
        super().__init__()
        self.windows, self.column_major = windows, column_major

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Pad, pool, and translate torch's indices into the padded plane."""
        sizes = tuple(x.shape[2:])
        flat, _ = self.windows.placed(sizes)
        padded = functional.pad(x, flat, value=_least(x.dtype))
        pool = _MAX_FUNCTIONS[len(sizes)]
        y, place = pool(
            padded, self.windows.kernel, self.windows.stride, 0, self.windows.dilation, return_indices=True
        )  # fmt: skip
        coordinates = []
        for axis in reversed(range(len(sizes))):
            length = padded.shape[2 + axis]
            coordinates.append(place % length - flat[2 * (len(sizes) - 1 - axis)])
            place = torch.div(place, length, rounding_mode="floor")
        planes = torch.arange(x.shape[0] * x.shape[1], device=x.device).reshape(*x.shape[:2], *(1,) * len(sizes))
        index = torch.zeros_like(y, dtype=torch.int64)
        order = list(zip(sizes, reversed(coordinates)))
        for size, coordinate in reversed(order) if self.column_major else order:
            index = index * size + coordinate
        return y, planes * math.prod(sizes) + index


class PaddedAveragePool(nn.Module):
    """The mean of each window, wherever ONNX lays it; padded places count or not, those beyond the padding never."""

    def __init__(self, windows: Windows, counted: bool) -> None:
        super().__init__()
        self.windows, self.counted = windows, counted

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Pad with zeros and sum; divide by the places that count."""
        flat, counted = self.windows.placed(tuple(x.shape[2:]))
        sums = self.windows.sums(functional.pad(x, flat))
        ones = x.new_ones(1, 1, *x.shape[2:])
        if self.counted:
            ones = functional.pad(ones, counted, value=1.0)
            flat = [whole - part for whole, part in zip(flat, counted)]
        return sums / self.windows.sums(functional.pad(ones, flat)).round()


class GlobalPool(nn.Module):
    """The mean or the maximum over all spatial axes, which stay as axes of length 1."""

    def __init__(self, maximum: bool) -> None:
        super().__init__()
        self.maximum = maximum

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Pool every axis from the third on; of equal maxima the first gets the gradient."""
        if not self.maximum:
            return x.mean(tuple(range(2, x.ndim)), keepdim=True) if x.ndim > 2 else x
        return x.flatten(2).max(dim=2).values.reshape(*x.shape[:2], *(1,) * (x.ndim - 2))


def _least(dtype: torch.dtype) -> float:
    return float("-inf") if dtype.is_floating_point else torch.iinfo(dtype).min


def _max_pool(scope: Scope) -> Converted:
    windows = read_windows(scope)
    indices = scope.node.outputs[1] if len(scope.node.outputs) > 1 else ""
    if indices and indices in scope.used_outputs():
        column_major = bool(scope.attributes.get("storage_order", 0))
        return Converted(IndexedMaxPool(windows, column_major), scope.node.inputs[:1], several=True)
    simple = windows.torch_padding
    if simple is None:
        return Converted(PaddedMaxPool(windows), scope.node.inputs[:1])
    pool = _MAX_MODULES[len(windows.kernel)](
        windows.kernel, windows.stride, simple, windows.dilation, ceil_mode=windows.ceil
    )
    return Converted(pool, scope.node.inputs[:1])


def _average_pool(scope: Scope) -> Converted:
    windows = read_windows(scope)
    counted = bool(scope.attributes.get("count_include_pad", 0))
    simple = windows.torch_padding
    if simple is None or set(windows.dilation) != {1}:
        return Converted(PaddedAveragePool(windows, counted), scope.node.inputs[:1])
    pool = _AVERAGE_MODULES[len(windows.kernel)](windows.kernel, windows.stride, simple, windows.ceil, counted)
    return Converted(pool, scope.node.inputs[:1])


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

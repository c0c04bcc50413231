"""Pooling by Caffe's own rule of sizes, whatever rule a version of ONNX has: the padding behind is stated.

out = ceil((in + 2 pad - kernel) / stride) + 1        (round_mode FLOOR: rounded down)
one less, where the last window would begin behind the picture and its padding before: (out - 1) stride >= in + pad
MAX  of what of a window lies in the picture
AVE  sum of that / the window's area, which reaches to in + pad at most: its padding counts, what lies behind not
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from onnxray_adapters.caffe.options import Options
from onnxray_adapters.caffe.scope import Array, Blob, Scope


@dataclass(frozen=True, slots=True)
class _Along:
    """Pooling along one axis of a picture."""

    size: int
    kernel: int
    stride: int
    pad: int
    out: int

    @property
    def behind(self) -> int:
        """Padding behind with which rounding down gives ``out``."""
        return max(0, (self.out - 1) * self.stride + self.kernel - self.size - self.pad)

    def areas(self) -> tuple[Array, Array]:
        """Of each window: how long it is by Caffe's count, and how much of it lies in the picture."""
        start = np.arange(self.out) * self.stride - self.pad
        end = np.minimum(start + self.kernel, self.size + self.pad)
        inside = np.minimum(end, self.size) - np.maximum(start, 0)
        return (end - start).astype(np.float32), inside.astype(np.float32)


def pooling(scope: Scope) -> tuple[Blob, ...]:
    """Pooling: the largest number or the mean of each window."""
    options = scope.options("pooling_param")
    blob = scope.bottom()
    if blob.axes != 4:
        scope.refuse(f"it reads {'x'.join(map(str, blob.shape))}; four axes were expected")
    if len(scope.layer.outputs) > 1:
        scope.refuse("it gives the places of its maxima as a second top, which ONNX counts otherwise")
    kind = options.one("pool", "MAX")
    if kind == "STOCHASTIC":
        scope.refuse("it pools at random (STOCHASTIC); MAX or AVE was expected")
    high, wide = (_along(scope, options, axis, blob.shape[2 + axis]) for axis in (0, 1))
    top = (*blob.shape[:2], high.out, wide.out)
    plain: dict[str, Any] = {
        "kernel_shape": [high.kernel, wide.kernel], "strides": [high.stride, wide.stride],
        "pads": [high.pad, wide.pad, high.behind, wide.behind],
    }  # fmt: skip
    if kind == "MAX":
        return (scope.result("MaxPool", [blob.name], top, **plain),)
    (tall, tall_inside), (broad, broad_inside) = high.areas(), wide.areas()
    if min(tall_inside.min(), broad_inside.min()) < 1:
        scope.refuse("a window of it lies wholly in the padding")
    area, inside = np.outer(tall, broad), np.outer(tall_inside, broad_inside)
    if (area == inside).all():
        return (scope.result("AveragePool", [blob.name], top, count_include_pad=0, **plain),)
    if (area == high.kernel * wide.kernel).all():
        return (scope.result("AveragePool", [blob.name], top, count_include_pad=1, **plain),)
    mean = scope.inner("AveragePool", [blob.name], "inside", count_include_pad=0, **plain)
    share = scope.constant("share", (inside / area)[None, None])
    return (scope.result("Mul", [mean, share], top),)


def _along(scope: Scope, options: Options, axis: int, size: int) -> _Along:
    side = "hw"[axis]

    def stated(name: str, long: str, otherwise: int | None) -> int:
        if options.has(long) and options.has(f"{name}_{side}"):
            scope.refuse(f"both {long} and {name}_{side}")
        found = options.one(f"{name}_{side}", options.one(long, otherwise))
        if found is None:
            scope.refuse(f"no {long}, and no {name}_{side}")
        return int(found)

    pad, stride = stated("pad", "pad", 0), stated("stride", "stride", 1)
    if options.one("global_pooling", False):
        if any(options.has(name) for name in ("kernel_size", "kernel_h", "kernel_w")) or pad or stride != 1:
            scope.refuse("global_pooling with a kernel, a pad or a stride")
        return _Along(size, size, 1, 0, 1)
    kernel = stated("kernel", "kernel_size", None)
    if kernel < 1 or stride < 1 or pad >= kernel:
        scope.refuse(f"kernel {kernel}, stride {stride}, pad {pad}; a kernel larger than the pad was expected")
    rest = size + 2 * pad - kernel
    if rest < 0:
        scope.refuse(f"a kernel of {kernel} on {size} and {2 * pad} of padding")
    down = options.one("round_mode", "CEIL") == "FLOOR" or not options.one("ceil_mode", True)
    out = (rest // stride if down else -(-rest // stride)) + 1
    if pad and (out - 1) * stride >= size + pad:
        out -= 1
    return _Along(size, kernel, stride, pad, out)

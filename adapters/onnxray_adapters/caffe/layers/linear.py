"""Layers that multiply by weights: Convolution, Deconvolution, InnerProduct, Embed, and the forks' depthwise kinds.

Convolution     y = W * x + b,  size (in + 2 pad - (dilation (kernel - 1) + 1)) / stride + 1, rounded down
Deconvolution   its transpose, size stride (in - 1) + dilation (kernel - 1) + 1 - 2 pad
InnerProduct    y = W x + b on what lies behind ``axis`` as one vector; ``transpose``: W^T
Embed           y = W[x] + b
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from onnxray_adapters.caffe.options import Options
from onnxray_adapters.caffe.scope import Blob, Scope


@dataclass(frozen=True, slots=True)
class _Window:
    """Kernel, stride, pad and dilation along each axis of a picture."""

    kernel: list[int]
    stride: list[int]
    pad: list[int]
    dilation: list[int]

    def attributes(self) -> dict[str, Any]:
        """As ONNX has them."""
        return {
            "kernel_shape": self.kernel, "strides": self.stride, "pads": self.pad * 2, "dilations": self.dilation
        }  # fmt: skip

    def extent(self, axis: int) -> int:
        """How far a dilated kernel reaches."""
        return self.dilation[axis] * (self.kernel[axis] - 1) + 1


def _window(scope: Scope, options: Options, axes: int) -> _Window:
    if options.one("axis", 1) not in (1, -axes - 1):
        scope.refuse(f"axis {options.one('axis')}; channels on axis 1 were expected")

    def along(name: str, high: str, wide: str, otherwise: int | None, least: int) -> list[int]:
        stated = list(options.all(name))
        sides = [options.one(side) for side in (high, wide) if high and options.has(side)]
        if stated and sides:
            scope.refuse(f"both {name} and {high} or {wide}")
        if sides:
            if axes != 2 or (len(sides) != 2 and otherwise is None):
                scope.refuse(f"{high} and {wide} are both needed, for pictures")
            found = [options.one(side, otherwise) for side in (high, wide)]
        else:
            found = stated * axes if len(stated) == 1 else stated
        if not found and otherwise is not None:
            found = [otherwise] * axes
        if len(found) != axes or any(one < least for one in found):
            scope.refuse(f"{name} is {found}; {axes} numbers from {least} on were expected")
        return found

    return _Window(
        kernel=along("kernel_size", "kernel_h", "kernel_w", None, 1),
        stride=along("stride", "stride_h", "stride_w", 1, 1),
        pad=along("pad", "pad_h", "pad_w", 0, 0),
        dilation=_hole(scope, options, axes) or along("dilation", "", "", 1, 1),
    )


def _hole(scope: Scope, options: Options, axes: int) -> list[int]:
    """What dilation was called in DeepLab's fork."""
    holes = [options.one(name) for name in ("hole_h", "hole_w") if options.has(name)]
    if options.has("dilation") and (holes or options.has("hole")):
        scope.refuse("both dilation and hole")
    if options.has("hole"):
        return [max(1, options.one("hole"))] * axes
    if holes:
        return [max(1, options.one(name, 1)) for name in ("hole_h", "hole_w")]
    return []


def _channels(scope: Scope, options: Options, depthwise: bool) -> tuple[Blob, int, int]:
    """What is read, the number of outputs, and the number of groups."""
    blob = scope.bottom()
    if blob.axes < 3:
        scope.refuse(f"it reads {'x'.join(map(str, blob.shape))}; at least three axes were expected")
    outputs = options.one("num_output", blob.shape[1] if depthwise else 0)
    groups = options.one("group", blob.shape[1] if depthwise else 1)
    if depthwise and not options.has("group"):
        groups = blob.shape[1]
    if outputs < 1 or groups < 1 or blob.shape[1] % groups or outputs % groups:
        scope.refuse(f"{outputs} outputs of {blob.shape[1]} channels in {groups} groups, which do not come out even")
    return blob, outputs, groups


def convolution(scope: Scope, *, depthwise: bool = False) -> tuple[Blob, ...]:
    """Convolution, which Caffe does not flip either."""
    options = scope.options("convolution_param")
    blob, outputs, groups = _channels(scope, options, depthwise)
    window = _window(scope, options, blob.axes - 2)
    bias = options.one("bias_term", True)
    scope.has_blobs(1 + bias)
    shape = (outputs, blob.shape[1] // groups, *window.kernel)
    reads = [blob.name, scope.weight(0, shape, "weight")]
    if bias:
        reads.append(scope.weight(1, (outputs,), "bias"))
    sizes = [
        (size + 2 * window.pad[axis] - window.extent(axis)) // window.stride[axis] + 1
        for axis, size in enumerate(blob.shape[2:])
    ]
    return (scope.result("Conv", reads, (blob.shape[0], outputs, *sizes), group=groups, **window.attributes()),)


def depthwise(scope: Scope) -> tuple[Blob, ...]:
    """ConvolutionDepthwise and DepthwiseConvolution of the forks: as many groups as channels."""
    return convolution(scope, depthwise=True)


def deconvolution(scope: Scope) -> tuple[Blob, ...]:
    """Deconvolution: the transpose of a convolution, with the weights of that convolution."""
    options = scope.options("convolution_param")
    blob, outputs, groups = _channels(scope, options, depthwise=False)
    window = _window(scope, options, blob.axes - 2)
    bias = options.one("bias_term", True)
    scope.has_blobs(1 + bias)
    shape = (blob.shape[1], outputs // groups, *window.kernel)
    reads = [blob.name, scope.weight(0, shape, "weight")]
    if bias:
        reads.append(scope.weight(1, (outputs,), "bias"))
    sizes = [
        window.stride[axis] * (size - 1) + window.extent(axis) - 2 * window.pad[axis]
        for axis, size in enumerate(blob.shape[2:])
    ]
    top = (blob.shape[0], outputs, *sizes)
    return (scope.result("ConvTranspose", reads, top, group=groups, **window.attributes()),)


def inner_product(scope: Scope) -> tuple[Blob, ...]:
    """InnerProduct on all axes from ``axis`` on."""
    options = scope.options("inner_product_param")
    blob, outputs = scope.bottom(), options.one("num_output", 0)
    axis = scope.axis(options.one("axis", 1), blob)
    if axis == 0:
        scope.keep_samples(blob)
    bias, transposed = options.one("bias_term", True), options.one("transpose", False)
    scope.has_blobs(1 + bias)
    count = math.prod(blob.shape[axis:])
    shape = (count, outputs) if transposed else (outputs, count)
    weight = scope.weight(0, shape, "weight")
    value = blob.name
    if (blob.axes, axis) != (2, 1):
        value = scope.inner("Flatten", [value], "flat", axis=axis)
    reads = [value, weight, *([scope.weight(1, (outputs,), "bias")] if bias else [])]
    top = (*blob.shape[:axis], outputs)
    if axis == 1:
        return (scope.result("Gemm", reads, top, transB=int(not transposed)),)
    product = scope.inner("Gemm", reads, "product", transB=int(not transposed))
    return (scope.reshaped(product, scope.blob(top), samples=-1),)


def embed(scope: Scope) -> tuple[Blob, ...]:
    """Embed: rows of a table, by numbers that are whole."""
    options = scope.options("embed_param")
    blob = scope.bottom()
    outputs, rows = options.one("num_output", 0), options.one("input_dim", 0)
    bias = options.one("bias_term", True)
    scope.has_blobs(1 + bias)
    table = scope.weight(0, (rows, outputs), "table")
    index = scope.inner("Cast", [blob.name], "index", to=7)
    top = (*blob.shape, outputs)
    if not bias:
        return (scope.result("Gather", [table, index], top, axis=0),)
    row = scope.inner("Gather", [table, index], "rows", axis=0)
    return (scope.result("Add", [row, scope.weight(1, (outputs,), "bias")], top),)

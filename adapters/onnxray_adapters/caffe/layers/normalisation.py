"""Layers that normalise, scale and shift.

LRN        x (k + alpha / n sum of n channels' x^2)^-beta;  WITHIN_CHANNEL: x (1 + alpha mean of n x n x^2)^-beta
BatchNorm  (x - mean / f) / sqrt(variance / f + eps), f the third blob; 0 there means 0 / 0 := 0
Scale      x s + b         Bias  x + b        on the axes from ``axis`` on
BN         PSPNet's (x - mean) / sqrt(variance + eps) s + b; SegNet's x s + b
Normalize  SSD's x / sqrt(sum of x^2 + eps) s, over channels, or over channels and places
MVN        (x - mean) / (sqrt(variance) + eps), over places, or over channels and places
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onnxray_adapters.caffe.scope import Blob, Scope, shown


def lrn(scope: Scope) -> tuple[Blob, ...]:
    """LRN across channels or within each."""
    options = scope.options("lrn_param")
    blob = scope.bottom()
    size, alpha, beta = options.one("local_size", 5), options.one("alpha", 1.0), options.one("beta", 0.75)
    if size % 2 == 0 or blob.axes != 4:
        scope.refuse(f"local_size {size} on {shown(blob.shape)}; an odd size and four axes were expected")
    if options.one("norm_region", "ACROSS_CHANNELS") == "ACROSS_CHANNELS":
        bias = float(options.one("k", 1.0))
        operator = {"size": size, "alpha": float(alpha), "beta": float(beta), "bias": bias}
        return (scope.result("LRN", [blob.name], blob.shape, **operator),)
    square = scope.inner("Mul", [blob.name, blob.name], "square")
    pads = [size // 2] * 4
    mean = scope.inner(
        "AveragePool", [square], "mean", kernel_shape=[size, size], strides=[1, 1], pads=pads, count_include_pad=1
    )
    scaled = scope.inner("Mul", [mean, scope.constant("alpha", alpha)], "scaled")
    base = scope.inner("Add", [scaled, scope.constant("one", 1.0)], "base")
    factor = scope.inner("Pow", [base, scope.constant("beta", -beta)], "factor")
    return (scope.result("Mul", [blob.name, factor], blob.shape),)


def batch_norm(scope: Scope) -> tuple[Blob, ...]:
    """BatchNorm by the statistics of training, which the caffemodel holds times its third blob."""
    options = scope.options("batch_norm_param")
    blob = scope.bottom()
    if options.has("use_global_stats") and not options.one("use_global_stats"):
        scope.refuse("use_global_stats is false: samples would be normalised by each other")
    if blob.axes == 1:
        scope.keep_samples(blob)
    channels = blob.shape[1] if blob.axes > 1 else 1
    scope.has_blobs(3)
    factor = float(scope.numbers(2, (1,), "scale factor")[0])
    scale = 0.0 if factor == 0 else 1 / factor
    mean, variance = (scope.numbers(index, (channels,), name) for index, name in enumerate(("mean", "variance")))
    reads = [
        blob.name, scope.constant("scale", np.ones(channels)), scope.constant("shift", np.zeros(channels)),
        scope.constant("mean", mean * np.float32(scale)), scope.constant("variance", variance * np.float32(scale)),
    ]  # fmt: skip
    if blob.axes == 1:
        scope.refuse("it reads a blob of one axis")
    return (scope.result("BatchNormalization", reads, blob.shape, epsilon=float(options.one("eps", 1e-5))),)


def batch_norm_of_forks(scope: Scope) -> tuple[Blob, ...]:
    """BN of PSPNet, with four blobs, and of SegNet, with two that hold what is left of them."""
    options = scope.options("bn_param")
    blob = scope.bottom()
    if blob.axes < 2:
        scope.refuse("it reads a blob without channels")
    channels = blob.shape[1]
    names = ("slope", "bias", "mean", "variance")
    if len(scope.blobs) == 2 and options.one("bn_mode", "LEARN") == "INFERENCE":
        spread = (channels, *[1] * (blob.axes - 2))
        slope, bias = (scope.weight(index, (channels, 1, 1), name, spread) for index, name in enumerate(names[:2]))
        scaled = scope.inner("Mul", [blob.name, slope], "scaled")
        return (scope.result("Add", [scaled, bias], blob.shape),)
    if options.has("bn_mode"):
        scope.refuse("bn_mode is LEARN or has other than two blobs: samples would be normalised by each other")
    scope.has_blobs(4)
    reads = [scope.weight(index, (channels, 1, 1), name, (channels,)) for index, name in enumerate(names)]
    eps = float(options.one("eps", options.one("var_eps", 1e-5)))
    return (scope.result("BatchNormalization", [blob.name, *reads], blob.shape, epsilon=eps),)


def scale(scope: Scope) -> tuple[Blob, ...]:
    """Scale by a learned blob or by a second one that is read."""
    options = scope.options("scale_param")
    bias = options.one("bias_term", False)
    factor, shape = _second(scope, "scale_param", "scale", bias)
    blob = scope.inputs[0]
    if not bias:
        return (scope.result("Mul", [blob.name, factor], blob.shape),)
    product = scope.inner("Mul", [blob.name, factor], "scaled")
    shift = scope.weight(len(scope.blobs) - 1, shape, "bias", _spread(scope, blob, shape, options.one("axis", 1)))
    return (scope.result("Add", [product, shift], blob.shape),)


def bias(scope: Scope) -> tuple[Blob, ...]:
    """Bias by a learned blob or by a second one that is read."""
    shift, _ = _second(scope, "bias_param", "bias", False)
    blob = scope.inputs[0]
    return (scope.result("Add", [blob.name, shift], blob.shape),)


def _second(scope: Scope, field: str, name: str, more: bool) -> tuple[str, tuple[int, ...]]:
    """What the first blob is multiplied with or added to, as ONNX spreads it, and its shape in Caffe."""
    options = scope.options(field)
    axis = options.one("axis", 1)
    if len(scope.inputs) == 2:
        scope.has_blobs(int(more))
        blob, second = scope.inputs
        shape = second.shape
        spread = _spread(scope, blob, shape, axis)
        first = scope.axis(axis, blob) if shape else 0
        if second.batched and (first != 0 or not blob.batched):
            scope.keep_samples(second)
        if blob.batched and not second.batched and first == 0 and shape:
            scope.keep_samples(blob)
        if len(spread) == len(shape):
            return second.name, shape
        target = [0, *spread[1:]] if second.batched else spread
        return scope.inner("Reshape", [second.name, scope.constant("spread", target, np.int64)], "second"), shape
    blob = scope.bottom()
    scope.has_blobs(1 + more)
    first, count = scope.axis(axis, blob), options.one("num_axes", 1)
    if count < -1 or first + count > blob.axes:
        scope.refuse(f"num_axes {count} from axis {first} on, of {shown(blob.shape)}")
    shape = blob.shape[first:] if count == -1 else blob.shape[first : first + count]
    if first == 0 and shape:
        scope.keep_samples(blob)
    return scope.weight(0, shape, name, _spread(scope, blob, shape, axis)), shape


def _spread(scope: Scope, blob: Blob, shape: Sequence[int], axis: int) -> list[int]:
    """The shape with ones behind it, so that ONNX spreads it from ``axis`` on."""
    if not shape:
        return []
    first = scope.axis(axis, blob)
    if tuple(blob.shape[first : first + len(shape)]) != tuple(shape):
        scope.refuse(f"{shown(shape)} from axis {first} on does not fit {shown(blob.shape)}")
    return [*shape, *[1] * (blob.axes - first - len(shape))]


def normalize(scope: Scope) -> tuple[Blob, ...]:
    """Normalize of SSD."""
    options = scope.options("norm_param")
    blob = scope.bottom()
    if blob.axes != 4:
        scope.refuse(f"it reads {shown(blob.shape)}; four axes were expected")
    scope.has_blobs(1)
    shared = options.one("channel_shared", True)
    factor = scope.weight(0, () if shared else (blob.shape[1],), "scale", () if shared else (blob.shape[1], 1, 1))
    axes = [1, 2, 3] if options.one("across_spatial", True) else [1]
    square = scope.inner("Mul", [blob.name, blob.name], "square")
    total = scope.inner("ReduceSum", [square, scope.constant("axes", axes, np.int64)], "sum", keepdims=1)
    above = scope.inner("Add", [total, scope.constant("eps", options.one("eps", 1e-10))], "above")
    norm = scope.inner("Sqrt", [above], "norm")
    unit = scope.inner("Div", [blob.name, norm], "unit")
    return (scope.result("Mul", [unit, factor], blob.shape),)


def mvn(scope: Scope) -> tuple[Blob, ...]:
    """MVN: each sample by itself."""
    options = scope.options("mvn_param")
    blob = scope.bottom()
    if blob.axes < 3:
        scope.refuse(f"it reads {shown(blob.shape)}; channels and places were expected")
    axes = list(range(1 if options.one("across_channels", False) else 2, blob.axes))
    mean = scope.inner("ReduceMean", [blob.name], "mean", axes=axes, keepdims=1)
    if not options.one("normalize_variance", True):
        return (scope.result("Sub", [blob.name, mean], blob.shape),)
    centred = scope.inner("Sub", [blob.name, mean], "centred")
    square = scope.inner("Mul", [centred, centred], "square")
    deviation = scope.inner("Sqrt", [scope.inner("ReduceMean", [square], "variance", axes=axes, keepdims=1)], "root")
    above = scope.inner("Add", [deviation, scope.constant("eps", options.one("eps", 1e-9))], "above")
    return (scope.result("Div", [centred, above], blob.shape),)

"""What Caffe's layers compute, read off its definitions one number after the other: slow, plain, and nobody else's code.

Each function takes the options as plain values, the blobs that are read, and the learned ones; it gives the tops.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Options = Mapping[str, Any]


def _sides(options: Options, long: str, short: str, otherwise: int) -> tuple[int, int]:
    stated = options.get(long, otherwise)
    pair = stated if isinstance(stated, list) else [stated]
    pair = pair * 2 if len(pair) == 1 else pair
    return options.get(f"{short}_h", pair[0]), options.get(f"{short}_w", pair[1])


def convolution(options: Options, x: Array, w: Array, *bias: Array) -> list[Array]:
    (kh, kw), (sh, sw) = w.shape[2:], _sides(options, "stride", "stride", 1)
    (ph, pw), (dh, dw) = _sides(options, "pad", "pad", 0), _sides(options, "dilation", "", 1)
    groups = options.get("group", x.shape[1] if w.shape[1] == 1 and w.shape[0] == x.shape[1] else 1)
    oh = (x.shape[2] + 2 * ph - (dh * (kh - 1) + 1)) // sh + 1
    ow = (x.shape[3] + 2 * pw - (dw * (kw - 1) + 1)) // sw + 1
    top = np.zeros((x.shape[0], w.shape[0], oh, ow))
    per, ins = w.shape[0] // groups, x.shape[1] // groups
    for n, o, i, j in itertools.product(*map(range, top.shape)):
        total = bias[0][o] if bias else 0.0
        for c, a, b in itertools.product(range(ins), range(kh), range(kw)):
            y, z = i * sh - ph + a * dh, j * sw - pw + b * dw
            if 0 <= y < x.shape[2] and 0 <= z < x.shape[3]:
                total += float(w[o, c, a, b]) * float(x[n, o // per * ins + c, y, z])
        top[n, o, i, j] = total
    return [top]


def deconvolution(options: Options, x: Array, w: Array, *bias: Array) -> list[Array]:
    (kh, kw), (sh, sw), (ph, pw) = w.shape[2:], _sides(options, "stride", "stride", 1), _sides(options, "pad", "pad", 0)
    groups = options.get("group", 1)
    ins, outs = x.shape[1] // groups, w.shape[1]
    top = np.zeros(
        (x.shape[0], outs * groups, sh * (x.shape[2] - 1) + kh - 2 * ph, sw * (x.shape[3] - 1) + kw - 2 * pw)
    )
    for n, c, i, j in itertools.product(*map(range, x.shape)):
        for o, a, b in itertools.product(range(outs), range(kh), range(kw)):
            y, z = i * sh - ph + a, j * sw - pw + b
            if 0 <= y < top.shape[2] and 0 <= z < top.shape[3]:
                top[n, c // ins * outs + o, y, z] += float(x[n, c, i, j]) * float(w[c, o, a, b])
    return [top + (bias[0].reshape(-1, 1, 1) if bias else 0)]


def inner_product(options: Options, x: Array, w: Array, *bias: Array) -> list[Array]:
    axis = options.get("axis", 1)
    axis += x.ndim if axis < 0 else 0
    rows = x.reshape(math.prod(x.shape[:axis]), -1).astype(np.float64)
    matrix = w if options.get("transpose") else w.T
    top = np.array(
        [[sum(row[k] * matrix[k, o] for k in range(len(row))) for o in range(matrix.shape[1])] for row in rows]
    )
    return [(top + (bias[0] if bias else 0)).reshape(*x.shape[:axis], -1)]


def pooling(options: Options, x: Array) -> list[Array]:
    if options.get("global_pooling"):
        kernel, stride, pad = x.shape[2:], (1, 1), (0, 0)
    else:
        kernel = _sides(options, "kernel_size", "kernel", 0)
        stride, pad = _sides(options, "stride", "stride", 1), _sides(options, "pad", "pad", 0)
    down = options.get("round_mode") == "FLOOR"
    outs = []
    for axis in (0, 1):
        exact = (x.shape[2 + axis] + 2 * pad[axis] - kernel[axis]) / stride[axis]
        out = (math.floor(exact) if down else math.ceil(exact)) + 1
        if pad[axis] and (out - 1) * stride[axis] >= x.shape[2 + axis] + pad[axis]:
            out -= 1
        outs.append(out)
    top = np.zeros((*x.shape[:2], *outs))
    for n, c, i, j in itertools.product(*map(range, top.shape)):
        start = [place * stride[axis] - pad[axis] for axis, place in enumerate((i, j))]
        end = [min(start[axis] + kernel[axis], x.shape[2 + axis] + pad[axis]) for axis in (0, 1)]
        area = (end[0] - start[0]) * (end[1] - start[1])
        window = x[n, c, max(start[0], 0) : min(end[0], x.shape[2]), max(start[1], 0) : min(end[1], x.shape[3])]
        average = options.get("pool") == "AVE"
        top[n, c, i, j] = window.astype(np.float64).sum() / area if average else window.max()
    return [top]


def lrn(options: Options, x: Array) -> list[Array]:
    size, alpha, beta = options.get("local_size", 5), options.get("alpha", 1.0), options.get("beta", 0.75)
    if options.get("norm_region") == "WITHIN_CHANNEL":
        pooled = pooling({"pool": "AVE", "kernel_size": size, "pad": size // 2}, x.astype(np.float64) ** 2)[0]
        return [x * (1 + alpha * pooled) ** -beta]
    top = np.zeros(x.shape)
    for c in range(x.shape[1]):
        near = x[:, max(0, c - size // 2) : c + size // 2 + 1].astype(np.float64)
        top[:, c] = x[:, c] / (options.get("k", 1.0) + alpha / size * (near**2).sum(axis=1)) ** beta
    return [top]


def batch_norm(options: Options, x: Array, mean: Array, variance: Array, factor: Array) -> list[Array]:
    scale = 0.0 if factor[0] == 0 else 1 / float(factor[0])
    top = np.zeros(x.shape)
    for c in range(x.shape[1]):
        top[:, c] = (x[:, c] - mean[c] * scale) / math.sqrt(variance[c] * scale + options.get("eps", 1e-5))
    return [top]


def bn(options: Options, x: Array, *blobs: Array) -> list[Array]:
    parts = [one.reshape(-1) for one in blobs]
    top = np.zeros(x.shape)
    for c in range(x.shape[1]):
        if len(parts) == 2:
            top[:, c] = x[:, c] * parts[0][c] + parts[1][c]
        else:
            slope, bias, mean, variance = (one[c] for one in parts)
            top[:, c] = (x[:, c] - mean) / math.sqrt(variance + options.get("eps", 1e-5)) * slope + bias
    return [top]


def _along(x: Array, small: Array, axis: int) -> Array:
    """A small array at every place of a large one, its axes laid on those from ``axis`` on."""
    axis += x.ndim if axis < 0 else 0
    found = np.zeros(x.shape)
    for place in itertools.product(*map(range, x.shape)):
        found[place] = small[place[axis : axis + small.ndim]]
    return found


def scale(options: Options, x: Array, factor: Array, *bias: Array) -> list[Array]:
    axis = options.get("axis", 1)
    return [x * _along(x, factor, axis) + (_along(x, bias[0], axis) if bias else 0)]


def bias(options: Options, x: Array, shift: Array) -> list[Array]:
    return [x + _along(x, shift, options.get("axis", 1))]


def normalize(options: Options, x: Array, factor: Array) -> list[Array]:
    top, eps = np.zeros(x.shape), options.get("eps", 1e-10)
    factor = factor.reshape(-1)
    for n in range(x.shape[0]):
        square = x[n].astype(np.float64) ** 2
        norm = np.sqrt(square.sum() + eps) if options.get("across_spatial", True) else np.sqrt(square.sum(0) + eps)
        for c in range(x.shape[1]):
            top[n, c] = x[n, c] / norm * factor[0 if options.get("channel_shared", True) else c]
    return [top]


def mvn(options: Options, x: Array) -> list[Array]:
    top = np.zeros(x.shape)
    for n in range(x.shape[0]):
        for part in [slice(None)] if options.get("across_channels") else range(x.shape[1]):
            own = x[n, part].astype(np.float64)
            spread = np.sqrt(((own - own.mean()) ** 2).mean()) + options.get("eps", 1e-9)
            top[n, part] = (own - own.mean()) / (spread if options.get("normalize_variance", True) else 1)
    return [top]


def eltwise(options: Options, *parts: Array) -> list[Array]:
    kind, factors = options.get("operation", "SUM"), options.get("coeff", [1.0] * len(parts))
    top = parts[0] * (factors[0] if kind == "SUM" else 1)
    for factor, part in zip(factors[1:], parts[1:]):
        top = top + factor * part if kind == "SUM" else top * part if kind == "PROD" else np.maximum(top, part)
    return [top]


def reduction(options: Options, x: Array) -> list[Array]:
    axis = options.get("axis", 0)
    axis += x.ndim if axis < 0 else 0
    rows = x.reshape(*x.shape[:axis], -1).astype(np.float64)
    kind = options.get("operation", "SUM")
    value = {"SUM": rows, "ASUM": abs(rows), "SUMSQ": rows**2, "MEAN": rows / rows.shape[-1]}[kind].sum(-1)
    return [value * options.get("coeff", 1.0)]


def arg_max(options: Options, x: Array) -> list[Array]:
    count, values = options.get("top_k", 1), options.get("out_max_val", False)
    axis = options.get("axis")
    rows = np.moveaxis(x, axis, -1) if axis is not None else x.reshape(len(x), -1)
    # Pairs of (number, place) in falling order: of equal numbers the last place comes first.
    order = np.array([sorted(range(rows.shape[-1]), key=lambda k: (row[k], k), reverse=True)[:count]
                      for row in rows.reshape(-1, rows.shape[-1])])  # fmt: skip
    largest = np.take_along_axis(rows.reshape(-1, rows.shape[-1]), order, -1)
    if axis is not None:
        found = largest if values else order
        return [np.moveaxis(found.reshape(*rows.shape[:-1], count), -1, axis)]
    found = np.stack([order, largest], 1) if values else order[:, None]
    return [found.reshape(*found.shape, *[1] * (x.ndim - 3))]


def reshape(options: Options, x: Array) -> list[Array]:
    first, count = options.get("axis", 0), options.get("num_axes", -1)
    first += x.ndim + 1 if first < 0 else 0
    last = x.ndim if count == -1 else first + count
    dims = options["shape"]["dim"]
    middle = [x.shape[first + index] if one == 0 else one for index, one in enumerate(dims)]
    return [x.reshape(*x.shape[:first], *middle, *x.shape[last:])]


def crop(options: Options, x: Array, size: Array) -> list[Array]:
    first, offset = options.get("axis", 2), options.get("offset", [0])
    first += x.ndim if first < 0 else 0
    for index, axis in enumerate(range(first, x.ndim)):
        start = offset[index if len(offset) > 1 else 0]
        x = x.take(range(start, start + size.shape[axis]), axis)
    return [x]


def slices(options: Options, x: Array, tops: int) -> list[Array]:
    axis, points = options.get("axis", 1), options.get("slice_point")
    return np.split(x, points if points else tops, axis)


def interp(options: Options, x: Array) -> list[Array]:
    before, behind = options.get("pad_beg", 0), options.get("pad_end", 0)
    x = x[:, :, -before : x.shape[2] + behind, -before : x.shape[3] + behind].astype(np.float64)
    outs = [options.get("height"), options.get("width")]
    if outs[0] is None:
        outs = [(size - 1) // options.get("shrink_factor", 1) + 1 for size in x.shape[2:]]
        outs = [size + (size - 1) * (options.get("zoom_factor", 1) - 1) for size in outs]
    top = np.zeros((*x.shape[:2], *outs))
    for i, j in itertools.product(*map(range, outs)):
        at = [place * (size - 1) / (out - 1) if out > 1 else 0.0 for place, size, out in zip((i, j), x.shape[2:], outs)]
        (y, a), (z, b) = ((int(one), one - int(one)) for one in at)
        y2, z2 = min(y + 1, x.shape[2] - 1), min(z + 1, x.shape[3] - 1)
        above = x[:, :, y, z] * (1 - b) + x[:, :, y, z2] * b
        below = x[:, :, y2, z] * (1 - b) + x[:, :, y2, z2] * b
        top[:, :, i, j] = above * (1 - a) + below * a
    return [top]


def prior_box(options: Options, x: Array, picture: Array) -> list[Array]:
    high, wide = picture.shape[2:]
    step_h, step_w = options.get("step", high / x.shape[2]), options.get("step", wide / x.shape[3])
    aspects = [1.0]
    for one in options.get("aspect_ratio", []):
        aspects += [one, 1 / one] if options.get("flip", True) else [one]
    boxes = []
    for i, j in itertools.product(range(x.shape[2]), range(x.shape[3])):
        y, z = ((place + options.get("offset", 0.5)) * step for place, step in zip((i, j), (step_h, step_w)))
        for index, least in enumerate(options["min_size"]):
            sides = [(least, least)]
            if "max_size" in options:
                sides.append((math.sqrt(least * options["max_size"][index]),) * 2)
            sides += [(least * math.sqrt(one), least / math.sqrt(one)) for one in aspects[1:]]
            for w, h in sides:
                boxes += [(z - w / 2) / wide, (y - h / 2) / high, (z + w / 2) / wide, (y + h / 2) / high]
    found = np.array(boxes)
    variance = options.get("variance", [0.1])
    varied = np.tile(variance * 4 if len(variance) == 1 else variance, len(boxes) // 4)
    return [np.stack([found.clip(0, 1) if options.get("clip") else found, varied])[None]]


def power(options: Options, x: Array) -> list[Array]:
    inner = options.get("shift", 0.0) + options.get("scale", 1.0) * x.astype(np.float64)
    return [inner ** options.get("power", 1.0)]


def exponential(options: Options, x: Array) -> list[Array]:
    base = math.e if options.get("base", -1.0) == -1 else options["base"]
    return [base ** (options.get("shift", 0.0) + options.get("scale", 1.0) * x.astype(np.float64))]


def logarithm(options: Options, x: Array) -> list[Array]:
    base = math.e if options.get("base", -1.0) == -1 else options["base"]
    return [np.log(options.get("shift", 0.0) + options.get("scale", 1.0) * x.astype(np.float64)) / math.log(base)]


def softmax(options: Options, x: Array) -> list[Array]:
    axis = options.get("axis", 1)
    shifted = np.exp(x.astype(np.float64) - x.max(axis, keepdims=True))
    return [shifted / shifted.sum(axis, keepdims=True)]


def flatten(options: Options, x: Array) -> list[Array]:
    first, last = options.get("axis", 1), options.get("end_axis", -1)
    last += x.ndim if last < 0 else 0
    return [x.reshape(*x.shape[:first], -1, *x.shape[last + 1 :])]


def permute(options: Options, x: Array) -> list[Array]:
    order = options["order"]
    return [x.transpose([*order, *(axis for axis in range(x.ndim) if axis not in order)])]


def squeeze(options: Options, x: Array) -> list[Array]:
    axes = options.get("axis", [axis for axis, size in enumerate(x.shape) if size == 1 and axis])
    return [x.squeeze(tuple(axes))]


def embed(options: Options, x: Array, table: Array, *bias: Array) -> list[Array]:
    return [table[x.astype(int)] + (bias[0] if bias else 0)]


def upsample(options: Options, x: Array) -> list[Array]:
    return [x.repeat(options["scale"], 2).repeat(options["scale"], 3)]


def prelu(options: Options, x: Array, slope: Array) -> list[Array]:
    return [np.where(x > 0, x, x * (slope.reshape(-1)[0] if options.get("channel_shared") else _along(x, slope, 1)))]


def _each(function: Callable[[Options, Array], Array]) -> Callable[..., list[Array]]:
    return lambda options, x: [function(options, x.astype(np.float64))]


DEFINITIONS: Mapping[str, Callable[..., Sequence[Array]]] = {
    "Convolution": convolution, "ConvolutionDepthwise": convolution, "DepthwiseConvolution": convolution,
    "Deconvolution": deconvolution, "InnerProduct": inner_product, "Embed": embed, "Pooling": pooling, "LRN": lrn,
    "BatchNorm": batch_norm, "BN": bn, "Scale": scale, "Bias": bias, "Normalize": normalize, "MVN": mvn,
    "Eltwise": eltwise, "Mul": lambda o, a, b: [a * b], "Reduction": reduction, "ArgMax": arg_max, "Reshape": reshape,
    "Crop": crop, "Interp": interp, "Upsample": upsample, "PriorBox": prior_box, "Power": power, "Exp": exponential,
    "Log": logarithm, "Softmax": softmax, "Flatten": flatten, "Permute": permute, "Squeeze": squeeze, "PReLU": prelu,
    "Concat": lambda o, *parts: [np.concatenate(parts, o.get("axis", o.get("concat_dim", 1)))],
    "Tile": lambda o, x: [np.concatenate([x] * o["tiles"], o.get("axis", 1))],
    "Dropout": lambda o, x: [x * (1 if o.get("scale_train", True) else 1 - o["dropout_ratio"])],
    "ReLU": _each(lambda o, x: np.where(x > 0, x, x * o.get("negative_slope", 0.0))),
    "ReLU6": _each(lambda o, x: np.minimum(np.maximum(x, 0), 6)),
    "ELU": _each(lambda o, x: np.where(x > 0, x, o.get("alpha", 1.0) * (np.exp(x) - 1))),
    "Sigmoid": _each(lambda o, x: 1 / (1 + np.exp(-x))), "TanH": _each(lambda o, x: np.tanh(x)),
    "AbsVal": _each(lambda o, x: abs(x)), "BNLL": _each(lambda o, x: np.log(1 + np.exp(x))),
    "Swish": _each(lambda o, x: x / (1 + np.exp(-o.get("beta", 1.0) * x))),
    "HardSwish": _each(lambda o, x: x * np.minimum(np.maximum(x + 3, 0), 6) / 6),
    "Clip": _each(lambda o, x: np.clip(x, o["min"], o["max"])),
    "Threshold": _each(lambda o, x: (x > o.get("threshold", 0.0)) * 1.0),
}  # fmt: skip
"""Type of layer -> what it computes."""

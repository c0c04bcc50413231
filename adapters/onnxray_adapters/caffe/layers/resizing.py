"""Layers that change the size of pictures: Interp of DeepLab and PSPNet, Upsample of the YOLO ports.

Interp    bilinear, corners on corners: out[i] lies at i (in - 1) / (out - 1)
Upsample  each number ``scale`` times in both directions
"""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxray_adapters.caffe.options import Options
from onnxray_adapters.caffe.scope import Blob, Scope, shown


def _picture(scope: Scope) -> Blob:
    blob = scope.bottom()
    if blob.axes != 4:
        scope.refuse(f"it reads {shown(blob.shape)}; four axes were expected")
    return blob


def interp(scope: Scope) -> tuple[Blob, ...]:
    """Interp; pads are negative, and cut off what lies beyond them first."""
    options = scope.options("interp_param")
    blob = _picture(scope)
    before, behind = options.one("pad_beg", 0), options.one("pad_end", 0)
    sizes = [size + before + behind for size in blob.shape[2:]]
    if before > 0 or behind > 0 or min(sizes) < 1:
        scope.refuse(f"pad_beg {before} and pad_end {behind} on {shown(blob.shape)}; cuts (0 or less) were expected")
    outs = _outs(scope, options, sizes)
    value = blob.name
    if before or behind:
        cut = [scope.constant(name, numbers, np.int64) for name, numbers in (
            ("from", [-before] * 2), ("to", [size + behind for size in blob.shape[2:]]), ("axes", [2, 3]))]  # fmt: skip
        value = scope.inner("Slice", [value, *cut], "cut")
    if outs == sizes:
        return (scope.result("Identity", [value], (*blob.shape[:2], *outs)),)
    linear: dict[str, Any] = {"mode": "linear", "coordinate_transformation_mode": "align_corners"}
    return (_resized(scope, value, blob, sizes, outs, linear),)


def _outs(scope: Scope, options: Options, sizes: list[int]) -> list[int]:
    zoom, shrink = options.one("zoom_factor", 1), options.one("shrink_factor", 1)
    if zoom < 1 or shrink < 1:
        scope.refuse(f"zoom_factor {zoom} and shrink_factor {shrink}; numbers from 1 on were expected")
    if options.has("zoom_factor") or options.has("shrink_factor"):
        shrunk = [(size - 1) // shrink + 1 for size in sizes]
        return [size + (size - 1) * (zoom - 1) for size in shrunk]
    if not options.has("height") or not options.has("width"):
        scope.refuse("height and width, or zoom_factor or shrink_factor, were expected")
    return [options.one("height"), options.one("width")]


def upsample(scope: Scope) -> tuple[Blob, ...]:
    """Upsample by whole numbers. SegNet's, which puts numbers back where a pooling took them, is another layer."""
    if len(scope.inputs) != 1:
        scope.refuse("it puts numbers back where a pooling layer found them (SegNet's Upsample)")
    options = scope.options("upsample_param")
    blob = _picture(scope)
    if any(options.has(name) for name in ("upsample_h", "upsample_w", "pad_out_h", "pad_out_w")):
        scope.refuse("sizes of SegNet's Upsample; scale was expected")
    factors = [options.one(name, options.one("scale", 0)) for name in ("scale_h", "scale_w")]
    if min(factors) < 1:
        scope.refuse(f"scale {factors}; numbers from 1 on were expected")
    outs = [size * factor for size, factor in zip(blob.shape[2:], factors)]
    nearest = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return (_resized(scope, blob.name, blob, list(blob.shape[2:]), outs, nearest),)


def _resized(scope: Scope, value: str, blob: Blob, sizes: list[int], outs: list[int], how: dict[str, Any]) -> Blob:
    top = scope.blob((*blob.shape[:2], *outs))
    if blob.batched:  # sizes would state the number of samples
        numbers = scope.constant("scales", [1.0, 1.0, *map(_factor, sizes, outs)])
        return scope.result("Resize", [value, "", numbers], top.shape, **how)
    numbers = scope.constant("sizes", [*top.shape], np.int64)
    return scope.result("Resize", [value, "", "", numbers], top.shape, **how)


def _factor(size: int, out: int) -> np.float32:
    """The number of float32 that ``size`` is multiplied with, and rounded down, to give ``out``."""
    found = np.float32(out / size)
    return found if np.float32(size) * found >= out else np.nextafter(found, np.float32(np.inf))

"""Layers of detectors: PriorBox of SSD, whose boxes depend on sizes alone and are written as numbers.

A box a place, size and aspect, as (left, top, right, bottom) in shares of the picture; behind all of them the variances:

    centre ((x + offset) step, (y + offset) step);  sides size, sqrt(size larger), size sqrt(aspect) by size / sqrt(aspect)
"""  # noqa: E501

from __future__ import annotations

import math

import numpy as np

from onnxray_adapters.caffe.options import Options
from onnxray_adapters.caffe.scope import Array, Blob, Scope, shown

_MOST_BOXES = 64


def prior_box(scope: Scope) -> tuple[Blob, ...]:
    """PriorBox: 1 x 2 x (4 boxes), boxes and variances, one for all samples."""
    options = scope.options("prior_box_param")
    blob, picture = scope.bottom(2), scope.inputs[1]
    if blob.axes != 4 or picture.axes != 4:
        scope.refuse(f"it reads {shown(blob.shape)} and {shown(picture.shape)}; a layer and the picture were expected")
    sides = _sides(scope, options)
    if len(sides) > _MOST_BOXES or len(sides) * blob.shape[2] * blob.shape[3] > 2**22:
        scope.refuse(f"{len(sides)} boxes on each of {blob.shape[2]}x{blob.shape[3]} places")
    high, wide = (options.one(name, options.one("img_size", picture.shape[axis])) for name, axis in
                  (("img_h", 2), ("img_w", 3)))  # fmt: skip
    steps = [options.one(name, options.one("step", 0.0)) for name in ("step_h", "step_w")]
    down = np.float32(steps[0] or high / blob.shape[2])
    right = np.float32(steps[1] or wide / blob.shape[3])
    offset = np.float32(options.one("offset", 0.5))
    y, x, _ = np.meshgrid(
        np.arange(blob.shape[2], dtype=np.float32),
        np.arange(blob.shape[3], dtype=np.float32),
        sides[:, 0],
        indexing="ij",
    )
    centre_y, centre_x = (y + offset) * down, (x + offset) * right
    half_x, half_y = sides[:, 0] / np.float32(2), sides[:, 1] / np.float32(2)
    size = np.array([wide, high, wide, high], np.float32)
    corners = [centre_x - half_x, centre_y - half_y, centre_x + half_x, centre_y + half_y]
    boxes = (np.stack(corners, -1) / size).astype(np.float32)
    if options.one("clip", False):
        boxes = boxes.clip(0, 1)
    variances = np.broadcast_to(_variances(scope, options), boxes.shape)
    found = np.stack([boxes.reshape(-1), variances.reshape(-1)])[None]
    value = scope.constant("boxes", found)
    return (scope.result("Identity", [value], found.shape, batched=False),)


def _sides(scope: Scope, options: Options) -> Array:
    """Width and height of each box of a place, in pixels."""
    smallest, largest = options.all("min_size"), options.all("max_size")
    if not smallest or min(smallest) <= 0 or (largest and len(largest) != len(smallest)):
        scope.refuse(
            f"min_size {list(smallest)}, max_size {list(largest)}; sizes above 0, as many of each, were expected"
        )
    aspects = [1.0]
    for aspect in options.all("aspect_ratio"):
        if aspect <= 0:
            scope.refuse(f"aspect_ratio {aspect:g}; a number above 0 was expected")
        if all(abs(aspect - one) >= 1e-6 for one in aspects):
            aspects += [aspect, 1 / aspect] if options.one("flip", True) else [aspect]
    found = []
    for index, least in enumerate(smallest):
        found.append((least, least))
        if largest:
            if largest[index] <= least:
                scope.refuse(f"max_size {largest[index]:g} is not above min_size {least:g}")
            found.append((math.sqrt(least * largest[index]),) * 2)
        found += [(least * math.sqrt(one), least / math.sqrt(one)) for one in aspects if abs(one - 1) >= 1e-6]
    return np.array(found, np.float32)


def _variances(scope: Scope, options: Options) -> Array:
    stated = options.all("variance")
    if len(stated) not in (0, 1, 4) or any(one <= 0 for one in stated):
        scope.refuse(f"variance {list(stated)}; one number or four, above 0, were expected")
    return np.array(stated if len(stated) == 4 else [stated[0] if stated else 0.1] * 4, np.float32)

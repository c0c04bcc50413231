"""Layers that move numbers and compute none: Concat, Slice, Split, Crop, Flatten, Reshape, Permute, Squeeze, Tile."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

from onnxray_adapters.caffe.options import Options
from onnxray_adapters.caffe.scope import Blob, Scope, shown


def _axis_of(scope: Scope, options: Options, older: str, blob: Blob) -> int:
    """``axis``, or what it was called before."""
    if options.has("axis") and options.has(older):
        scope.refuse(f"both axis and {older}")
    return scope.axis(options.one("axis", options.one(older, 1)), blob)


def concat(scope: Scope) -> tuple[Blob, ...]:
    """Concat along one axis."""
    if not scope.inputs:
        scope.refuse("it reads no blob")
    first = scope.inputs[0]
    axis = _axis_of(scope, scope.options("concat_param"), "concat_dim", first)
    for other in scope.inputs:
        if other.axes != first.axes or _without(other.shape, axis) != _without(first.shape, axis):
            scope.refuse(f"{shown(first.shape)} and {shown(other.shape)} differ beside axis {axis}")
    if axis == 0 or len({one.batched for one in scope.inputs}) > 1:
        scope.keep_samples(*scope.inputs)
    shape = list(first.shape)
    shape[axis] = sum(one.shape[axis] for one in scope.inputs)
    return (scope.result("Concat", [one.name for one in scope.inputs], shape, axis=axis),)


def _without(shape: Sequence[int], axis: int) -> tuple[int, ...]:
    return (*shape[:axis], *shape[axis + 1 :])


def slices(scope: Scope) -> tuple[Blob, ...]:
    """Slice along one axis, at the places that are stated, else into equal parts."""
    options = scope.options("slice_param")
    blob, tops = scope.bottom(), len(scope.layer.outputs)
    axis = _axis_of(scope, options, "slice_dim", blob)
    if axis == 0:
        scope.keep_samples(blob)
    size, points = blob.shape[axis], options.all("slice_point")
    if points:
        edges = [0, *points, size]
        if len(points) != tops - 1 or any(a >= b for a, b in itertools.pairwise(edges)):
            scope.refuse(
                f"slice_point {list(points)} for {tops} tops of {size}; rising numbers, one fewer, were expected"
            )
        sizes = [b - a for a, b in itertools.pairwise(edges)]
    elif size % tops:
        scope.refuse(f"{size} on axis {axis} do not come out even in {tops} tops")
    else:
        sizes = [size // tops] * tops
    found = tuple(
        scope.blob((*blob.shape[:axis], one, *blob.shape[axis + 1 :]), top=index) for index, one in enumerate(sizes)
    )
    scope.nodes("Split", [blob.name, scope.constant("sizes", sizes, np.int64)], [one.name for one in found], axis=axis)
    return found


def split(scope: Scope) -> tuple[Blob, ...]:
    """Split: the same blob under several names."""
    blob = scope.bottom()
    return tuple(
        scope.result("Identity", [blob.name], blob.shape, top=index) for index in range(len(scope.layer.outputs))
    )


def crop(scope: Scope) -> tuple[Blob, ...]:
    """Crop: the first blob cut to the size of the second, from ``axis`` on, at the offsets that are stated."""
    options = scope.options("crop_param")
    blob = scope.bottom(2)
    second, offsets = scope.inputs[1], options.all("offset")
    first = scope.axis(options.one("axis", 2), blob)
    axes = list(range(first, blob.axes))
    if second.axes != blob.axes or len(offsets) not in (0, 1, len(axes)):
        scope.refuse(f"{shown(blob.shape)} cut to {shown(second.shape)} at {list(offsets)}")
    starts = [offsets[0] if len(offsets) == 1 else offsets[index] if offsets else 0 for index in range(len(axes))]
    ends = [start + second.shape[axis] for start, axis in zip(starts, axes)]
    if any(end > blob.shape[axis] for end, axis in zip(ends, axes)):
        scope.refuse(f"{shown(blob.shape)} is smaller than {shown(second.shape)} at {starts}")
    if first == 0 and (blob.batched or second.batched):
        if not (blob.batched and second.batched and starts[0] == 0 and blob.shape[0] == second.shape[0]):
            scope.keep_samples(blob, second)
        axes, starts, ends = axes[1:], starts[1:], ends[1:]
    shape = (*blob.shape[:first], *second.shape[first:])
    cut = [
        scope.constant(name, numbers, np.int64) for name, numbers in (("from", starts), ("to", ends), ("axes", axes))
    ]
    return (scope.result("Slice", [blob.name, *cut], shape, batched=blob.batched),)


def flatten(scope: Scope) -> tuple[Blob, ...]:
    """Flatten the axes from ``axis`` to ``end_axis`` into one."""
    options = scope.options("flatten_param")
    blob = scope.bottom()
    first, last = scope.axis(options.one("axis", 1), blob), scope.axis(options.one("end_axis", -1), blob)
    if last < first:
        scope.refuse(f"end_axis {last} before axis {first}")
    if first == 0 and last > 0:
        scope.keep_samples(blob)
    shape = (*blob.shape[:first], math.prod(blob.shape[first : last + 1]), *blob.shape[last + 1 :])
    if (first, last) == (1, blob.axes - 1):
        return (scope.result("Flatten", [blob.name], shape, axis=1),)
    return (scope.reshaped(blob.name, scope.blob(shape)),)


def reshape(scope: Scope) -> tuple[Blob, ...]:
    """Reshape: 0 keeps an axis, -1 takes what is left, other axes than num_axes from ``axis`` on stay."""
    options = scope.options("reshape_param")
    blob = scope.bottom()
    dims = options.messages("shape")[0].all("dim") if options.has("shape") else ()
    first, count = _start(scope, options.one("axis", 0), blob), options.one("num_axes", -1)
    last = blob.axes if count == -1 else first + count
    if count < -1 or last > blob.axes or dims.count(-1) > 1 or any(one < -1 for one in dims):
        scope.refuse(f"dims {list(dims)} in place of {count} axes from {first} on, of {shown(blob.shape)}")
    middle = []
    for index, one in enumerate(dims):
        if one == 0 and first + index >= blob.axes:
            scope.refuse(f"dim {index} is 0, and {shown(blob.shape)} has no such axis to keep")
        middle.append(blob.shape[first + index] if one == 0 else one)
    total, rest = math.prod(blob.shape), math.prod(blob.shape[:first]) * math.prod(blob.shape[last:])
    known = rest * math.prod(one for one in middle if one != -1)
    if known < 1 or total % known or (-1 not in middle and total != known):
        scope.refuse(f"{shown(blob.shape)} cannot become {[*blob.shape[:first], *middle, *blob.shape[last:]]}")
    shape = (*blob.shape[:first], *(total // known if one == -1 else one for one in middle), *blob.shape[last:])
    if blob.batched and (not shape or shape[0] != blob.shape[0]):
        scope.keep_samples(blob)
    return (scope.reshaped(blob.name, scope.blob(shape)),)


def _start(scope: Scope, axis: int, blob: Blob) -> int:
    """Where a reshape begins: -1 is behind the last axis."""
    return scope.axis(axis if axis >= 0 else blob.axes + axis + 1, blob, end=1)


def permute(scope: Scope) -> tuple[Blob, ...]:
    """Permute the axes; those that are not named stay behind in their order."""
    blob, order = scope.bottom(), list(scope.options("permute_param").all("order"))
    if len(set(order)) < len(order) or any(one >= blob.axes for one in order):
        scope.refuse(f"order {order} of {blob.axes} axes")
    order += [axis for axis in range(blob.axes) if axis not in order]
    if order[0] != 0:
        scope.keep_samples(blob)
    return (scope.result("Transpose", [blob.name], [blob.shape[axis] for axis in order], perm=order),)


def squeeze(scope: Scope) -> tuple[Blob, ...]:
    """Squeeze of the forks: axes of size 1 are left out, those that are named, else all but the samples."""
    blob = scope.bottom()
    stated = scope.options("squeeze_param").all("axis")
    axes = sorted({scope.axis(one, blob) for one in stated})
    axes = axes or [axis for axis, size in enumerate(blob.shape) if size == 1 and axis > 0]
    if any(blob.shape[axis] != 1 for axis in axes):
        scope.refuse(f"axes {axes} of {shown(blob.shape)} are not all of size 1")
    if 0 in axes:
        scope.keep_samples(blob)
    shape = [size for axis, size in enumerate(blob.shape) if axis not in axes]
    return (scope.reshaped(blob.name, scope.blob(shape)),)


def tile(scope: Scope) -> tuple[Blob, ...]:
    """Tile: copies of a blob behind each other, along one axis."""
    options = scope.options("tile_param")
    blob, copies = scope.bottom(), options.one("tiles", 0)
    axis = scope.axis(options.one("axis", 1), blob)
    if copies < 1:
        scope.refuse(f"tiles is {copies}; a number from 1 on was expected")
    if axis == 0:
        scope.keep_samples(blob)
    shape = [size * (copies if place == axis else 1) for place, size in enumerate(blob.shape)]
    repeats = scope.constant("copies", [copies if place == axis else 1 for place in range(blob.axes)], np.int64)
    return (scope.result("Tile", [blob.name, repeats], shape),)

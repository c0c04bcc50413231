"""Layers that compute from several numbers: Eltwise, Mul, Reduction, ArgMax.

Eltwise    SUM c1 x1 + c2 x2 + ...;  PROD x1 x2 ...;  MAX
Reduction  coeff times SUM x, ASUM |x|, SUMSQ x^2 or MEAN x, of all axes from ``axis`` on
ArgMax     places of the ``top_k`` largest numbers; of equal ones the last, as Caffe sorts
"""

from __future__ import annotations

import math

import numpy as np

from onnxray_adapters.caffe.scope import Blob, Scope, shown


def eltwise(scope: Scope) -> tuple[Blob, ...]:
    """Eltwise of blobs of one shape."""
    options = scope.options("eltwise_param")
    return _together(scope, options.one("operation", "SUM"), options.all("coeff"))


def multiply(scope: Scope) -> tuple[Blob, ...]:
    """Mul of the forks, of blobs of one shape."""
    return _together(scope, "PROD", ())


def _together(scope: Scope, operation: str, factors: tuple[float, ...]) -> tuple[Blob, ...]:
    shapes = {one.shape for one in scope.inputs}
    if len(scope.inputs) < 2 or len(shapes) > 1:
        scope.refuse(
            f"it reads {', '.join(map(shown, shapes)) or 'nothing'}; two blobs or more of one shape were expected"
        )
    if factors and (operation != "SUM" or len(factors) != len(scope.inputs)):
        scope.refuse(f"{len(factors)} coefficients of {operation} for {len(scope.inputs)} blobs")
    if len({one.batched for one in scope.inputs}) > 1:
        scope.keep_samples(*scope.inputs)
    parts = [one.name for one in scope.inputs]
    for index, factor in enumerate(factors):
        if factor != 1:
            own = scope.constant(f"coeff{index}", factor)
            parts[index] = scope.inner("Mul", [parts[index], own], f"scaled{index}")
    shape = scope.inputs[0].shape
    if operation == "MAX":
        return (scope.result("Max", parts, shape),)
    operator = "Add" if operation == "SUM" else "Mul"
    value = parts[0]
    for index, part in enumerate(parts[1:-1], 1):
        value = scope.inner(operator, [value, part], f"first{index + 1}")
    return (scope.result(operator, [value, parts[-1]], shape),)


def reduction(scope: Scope) -> tuple[Blob, ...]:
    """Reduction of the axes from ``axis`` on."""
    options = scope.options("reduction_param")
    blob = scope.bottom()
    operation, factor = options.one("operation", "SUM"), options.one("coeff", 1.0)
    first = scope.axis(options.one("axis", 0), blob)
    if first == 0:
        scope.keep_samples(blob)
    shape, axes = blob.shape[:first], list(range(first, blob.axes))
    value = blob.name
    if operation == "ASUM":
        value = scope.inner("Abs", [value], "absolute")
    elif operation == "SUMSQ":
        value = scope.inner("Mul", [value, value], "square")
    if operation == "MEAN":
        factor /= math.prod(blob.shape[first:])
    reads = [value, scope.constant("axes", axes, np.int64)]
    if factor == 1:
        return (scope.result("ReduceSum", reads, shape, keepdims=0),)
    total = scope.inner("ReduceSum", reads, "sum", keepdims=0)
    return (scope.result("Mul", [total, scope.constant("coeff", factor)], shape),)


def arg_max(scope: Scope) -> tuple[Blob, ...]:
    """ArgMax: along an axis, else of each sample's numbers together."""
    options = scope.options("argmax_param")
    blob = scope.bottom()
    count, values = options.one("top_k", 1), options.one("out_max_val", False)
    if options.has("axis"):
        axis = scope.axis(options.one("axis"), blob)
        if axis == 0:
            scope.keep_samples(blob)
        shape = list(blob.shape)
        source, size = blob.name, blob.shape[axis]
    else:
        size, axis = math.prod(blob.shape[1:]), 1
        source = scope.inner("Flatten", [blob.name], "flat", axis=1)
        shape = [blob.shape[0], size]
    if not 1 <= count <= size:
        scope.refuse(f"top_k {count} of {size} numbers")
    # TopK puts the first of equal numbers first, Caffe the last: the axis is turned round, and its places with it.
    last = [scope.constant(name, [one], np.int64) for name, one in (("last", -1), ("before", -size - 1), ("axis", axis),
                                                                     ("back", -1))]  # fmt: skip
    turned = scope.inner("Slice", [source, *last], "turned")
    largest, places = (
        scope.writer.fresh(f"{scope.layer.name}.largest"),
        scope.writer.fresh(f"{scope.layer.name}.places"),
    )
    scope.nodes("TopK", [turned, scope.constant("k", [count], np.int64)], [largest, places], axis=axis)
    number = scope.inner("Cast", [places], "numbers", to=1)
    end = scope.constant("size", float(size - 1))
    if options.has("axis"):
        shape[axis] = count
        if values:
            return (scope.result("Identity", [largest], shape),)
        return (scope.result("Sub", [end, number], shape),)
    index = scope.inner("Sub", [end, number], "index")
    target = [blob.shape[0], 1 + values, count, *[1] * (blob.axes - 3)]
    if values:
        index = scope.inner("Concat", [index, largest], "both", axis=1)
    return (scope.reshaped(index, scope.blob(target)),)

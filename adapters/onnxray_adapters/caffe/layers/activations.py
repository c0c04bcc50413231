"""Layers that change each number by itself, and Softmax.

ReLU    max(x, 0) + slope min(x, 0)      PReLU   the same, a learned slope a channel     ELU  x, or alpha (e^x - 1)
Power   (shift + scale x)^power          Exp     base^(shift + scale x)                  Log  log_base(shift + scale x)
BNLL    log(1 + e^x)                     Swish   x / (1 + e^(-beta x))                   HardSwish  x min(max(x + 3, 0), 6) / 6
Threshold  1 where x > threshold, else 0
"""  # noqa: E501

from __future__ import annotations

import math
from typing import Any

from onnxray_adapters.caffe.scope import Blob, Scope


def same(scope: Scope) -> tuple[Blob, ...]:
    """Dropout, which does nothing in a net that is used; its output keeps its name."""
    return (_unary(scope, "Identity"),)


def _unary(scope: Scope, operator: str, **attributes: Any) -> Blob:
    blob = scope.bottom()
    return scope.result(operator, [blob.name], blob.shape, **attributes)


def dropout(scope: Scope) -> tuple[Blob, ...]:
    """Dropout; in SSD's and others' forks numbers are scaled when they are used, where scale_train is false."""
    options = scope.options("dropout_param")
    if options.one("scale_train", True):
        return same(scope)
    blob, keep = scope.bottom(), 1 - options.one("dropout_ratio", 0.5)
    return (scope.result("Mul", [blob.name, scope.constant("keep", keep)], blob.shape),)


def relu(scope: Scope) -> tuple[Blob, ...]:
    """ReLU, with the slope below zero where one is stated."""
    slope = scope.options("relu_param").one("negative_slope", 0.0)
    return (_unary(scope, "LeakyRelu", alpha=float(slope)) if slope else _unary(scope, "Relu"),)


def relu6(scope: Scope) -> tuple[Blob, ...]:
    """ReLU6 of the forks: cut off at 6."""
    if scope.options("relu6_param").one("negative_slope", 0.0):
        scope.refuse("a slope below zero, of which there is no one meaning")
    return (_clip(scope, 0.0, 6.0),)


def clip(scope: Scope) -> tuple[Blob, ...]:
    """Clip to what is stated."""
    options = scope.options("clip_param")
    if not options.has("min") or not options.has("max") or options.one("min") > options.one("max"):
        scope.refuse("min and max, min not above max, were expected")
    return (_clip(scope, options.one("min"), options.one("max")),)


def _clip(scope: Scope, least: float, most: float) -> Blob:
    blob = scope.bottom()
    return scope.result("Clip", [blob.name, scope.constant("min", least), scope.constant("max", most)], blob.shape)


def prelu(scope: Scope) -> tuple[Blob, ...]:
    """PReLU, a slope a channel or one for all."""
    blob = scope.bottom()
    if blob.axes < 2:
        scope.refuse("it reads a blob without channels")
    scope.has_blobs(1)
    if scope.options("prelu_param").one("channel_shared", False):
        slope = scope.weight(0, (), "slope", (1,))
    else:
        slope = scope.weight(0, (blob.shape[1],), "slope", (blob.shape[1], *[1] * (blob.axes - 2)))
    return (scope.result("PRelu", [blob.name, slope], blob.shape),)


def elu(scope: Scope) -> tuple[Blob, ...]:
    """ELU."""
    return (_unary(scope, "Elu", alpha=float(scope.options("elu_param").one("alpha", 1.0))),)


def sigmoid(scope: Scope) -> tuple[Blob, ...]:
    """Sigmoid."""
    return (_unary(scope, "Sigmoid"),)


def tanh(scope: Scope) -> tuple[Blob, ...]:
    """TanH."""
    return (_unary(scope, "Tanh"),)


def absolute(scope: Scope) -> tuple[Blob, ...]:
    """AbsVal."""
    return (_unary(scope, "Abs"),)


def bnll(scope: Scope) -> tuple[Blob, ...]:
    """BNLL."""
    return (_unary(scope, "Softplus"),)


def swish(scope: Scope) -> tuple[Blob, ...]:
    """Swish."""
    blob, beta = scope.bottom(), scope.options("swish_param").one("beta", 1.0)
    scaled = blob.name if beta == 1 else scope.inner("Mul", [blob.name, scope.constant("beta", beta)], "scaled")
    gate = scope.inner("Sigmoid", [scaled], "gate")
    return (scope.result("Mul", [blob.name, gate], blob.shape),)


def hard_swish(scope: Scope) -> tuple[Blob, ...]:
    """HardSwish of the forks."""
    blob = scope.bottom()
    moved = scope.inner("Add", [blob.name, scope.constant("three", 3.0)], "moved")
    cut = scope.inner("Clip", [moved, scope.constant("min", 0.0), scope.constant("max", 6.0)], "cut")
    product = scope.inner("Mul", [blob.name, cut], "product")
    return (scope.result("Div", [product, scope.constant("six", 6.0)], blob.shape),)


def threshold(scope: Scope) -> tuple[Blob, ...]:
    """Threshold: numbers above it become 1, all others 0."""
    blob, level = scope.bottom(), scope.options("threshold_param").one("threshold", 0.0)
    above = scope.inner("Greater", [blob.name, scope.constant("threshold", level)], "above")
    return (scope.result("Cast", [above], blob.shape, to=1),)


def power(scope: Scope) -> tuple[Blob, ...]:
    """Power; what does nothing of it is left out."""
    options = scope.options("power_param")
    exponent, scale, shift = options.one("power", 1.0), options.one("scale", 1.0), options.one("shift", 0.0)
    blob = scope.bottom()
    if exponent == 0:  # also of zero, and of what is no number
        zero = scope.inner("Mul", [blob.name, scope.constant("zero", 0.0)], "nothing")
        return (scope.result("Add", [zero, scope.constant("one", 1.0)], blob.shape),)
    steps = [("Mul", "scale", scale, 1.0), ("Add", "shift", shift, 0.0), ("Pow", "power", exponent, 1.0)]
    return (_steps(scope, [(operator, name, number) for operator, name, number, none in steps if number != none]),)


def _steps(scope: Scope, steps: list[tuple[str, str, float | None]]) -> Blob:
    """One operator after the other, each with the number that stands with it."""
    blob = scope.bottom()
    if not steps:
        return scope.result("Identity", [blob.name], blob.shape)
    value = blob.name
    for operator, name, number in steps[:-1]:
        reads = [value] if number is None else [value, scope.constant(name, number)]
        value = scope.inner(operator, reads, f"{name}d" if name.endswith("e") else name)
    operator, name, number = steps[-1]
    reads = [value] if number is None else [value, scope.constant(name, number)]
    return scope.result(operator, reads, blob.shape)


def _logarithm(scope: Scope, base: float) -> float:
    """The natural logarithm of a base, where -1 stands for e."""
    if base != -1 and (base <= 0 or base == 1):
        scope.refuse(f"base {base:g}; a number above 0 other than 1, or -1 for e, was expected")
    return 1.0 if base == -1 else math.log(base)


def exponential(scope: Scope) -> tuple[Blob, ...]:
    """Exp: base^shift e^(ln(base) scale x)."""
    options = scope.options("exp_param")
    natural = _logarithm(scope, options.one("base", -1.0))
    inner = natural * options.one("scale", 1.0)
    try:
        outer = math.exp(natural * options.one("shift", 0.0))
    except OverflowError:
        scope.refuse(f"base^shift, with shift {options.one('shift'):g}, is beyond every number")
    steps: list[tuple[str, str, float | None]] = [] if inner == 1 else [("Mul", "scale", inner)]
    steps.append(("Exp", "power", None))
    if outer != 1:
        steps.append(("Mul", "outer", outer))
    return (_steps(scope, steps),)


def logarithm(scope: Scope) -> tuple[Blob, ...]:
    """Log: ln(shift + scale x) / ln(base)."""
    options = scope.options("log_param")
    natural = _logarithm(scope, options.one("base", -1.0))
    steps: list[tuple[str, str, float | None]] = []
    if options.one("scale", 1.0) != 1:
        steps.append(("Mul", "scale", options.one("scale")))
    if options.one("shift", 0.0):
        steps.append(("Add", "shift", options.one("shift")))
    steps.append(("Log", "logarithm", None))
    if natural != 1:
        steps.append(("Mul", "outer", 1 / natural))
    return (_steps(scope, steps),)


def softmax(scope: Scope) -> tuple[Blob, ...]:
    """Softmax along one axis."""
    blob = scope.bottom()
    axis = scope.axis(scope.options("softmax_param").one("axis", 1), blob)
    if axis == 0:
        scope.keep_samples(blob)
    return (scope.result("Softmax", [blob.name], blob.shape, axis=axis),)

"""Cotangents, checked against the values that they are paired with, and the backward pass from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from onnxray.engines.casting import as_array
from onnxray.errors import InputError, NotDifferentiable, NotFiniteGradient
from onnxray.errors.short_values import short
from onnxray.errors.type_checks import check_callable

Tensors = dict[str, torch.Tensor]
Cotangents = Callable[[Tensors, slice], Mapping[str, torch.Tensor]]
"""(values of a chunk's samples, their place in the batch) -> a cotangent of the value's own shape for each value."""


def read_cotangents(given: Mapping[str, object], total: int) -> Cotangents:
    """Cotangents by value, as a user gives them for ``total`` samples: an array, or a function of (value, place).

    Errors: InputError where one is neither.
    """
    fixed = {name: as_array(one, f"the cotangent of {name!r}") for name, one in given.items() if not callable(one)}
    functions: dict[str, Any] = {name: one for name, one in given.items() if name not in fixed}
    for name, one in functions.items():
        check_callable(f"the cotangent of {name!r}", one, "value", "place")
    give_fixed = fixed_cotangents(fixed, total)

    def give(values: Tensors, place: slice) -> Mapping[str, torch.Tensor]:
        found = dict(give_fixed({name: values[name] for name in fixed}, place))
        for name, function in functions.items():
            found[name] = checked_cotangent(name, function(values[name], place), values[name])
        return found

    return give


def fixed_cotangents(arrays: Mapping[str, NDArray[Any]], total: int) -> Cotangents:
    """Cotangents that are given beforehand: a value's own shape, or that of one sample, which then serves for all.

    Errors: InputError where a cotangent has neither shape.
    """

    def give(values: Tensors, place: slice) -> Mapping[str, torch.Tensor]:
        found = {}
        for name, value in values.items():
            array = np.asarray(arrays[name])
            if array.dtype.kind not in "fiub":
                raise InputError(f"the cotangent of {name!r} has the type {array.dtype}; real numbers were expected")
            rows = len(value) // (place.stop - place.start) if value.ndim else 0  # patches give a sample several rows
            whole = (total * rows, *value.shape[1:]) if value.ndim else ()
            if value.ndim and array.shape == whole:
                part = array[place.start * rows : place.stop * rows]
            elif array.shape == value.shape or (value.ndim and array.shape in {whole[1:], (1, *whole[1:])}):
                part = array
            else:
                raise InputError(
                    f"the cotangent of {name!r} has the shape {list(array.shape)}; {list(whole)}, or {list(whole[1:])} "
                    "for every sample, was expected"
                )
            whole_and_writeable = part.flags.c_contiguous and part.flags.writeable
            shared = torch.from_numpy(part if whole_and_writeable else np.array(part, order="C"))
            tensor = shared.to(value.device, value.dtype)
            found[name] = checked_cotangent(name, tensor, value, broadcast=True)
        return found

    return give


def checked_cotangent(
    name: str, cotangent: torch.Tensor, value: torch.Tensor, *, broadcast: bool = False
) -> torch.Tensor:
    """A cotangent of its value's shape and type. Errors: InputError for another shape, NaN or infinity."""
    if not isinstance(cotangent, torch.Tensor) or cotangent.is_complex():
        raise InputError(f"the cotangent of {name!r} is {short(cotangent)}; a tensor of real numbers was expected")
    if cotangent.shape != value.shape and not broadcast:
        raise InputError(
            f"the cotangent of {name!r} has the shape {list(cotangent.shape)}; {list(value.shape)} was expected"
        )
    if cotangent.numel() and not torch.stack(torch.aminmax(cotangent)).isfinite().all():  # one pass; NaN wins
        raise InputError(f"the cotangent of {name!r} holds NaN or infinity; finite numbers were expected")
    return cotangent.to(value).expand(value.shape)


def gradients(
    values: Tensors, variables: list[torch.Tensor], cotangents: Cotangents, place: slice, fed: int
) -> list[torch.Tensor]:
    """d<c, values>/d variables for the samples at ``place`` of a chunk of ``fed``; finite."""
    for name, value in values.items():
        if not value.requires_grad:
            raise NotDifferentiable(f"value {name!r} is a step function of the input; no gradient reaches it")
    seen = {name: samples(value, place.stop - place.start, fed) for name, value in values.items()}
    with torch.no_grad():
        given = cotangents({name: value.detach() for name, value in seen.items()}, place)
    root: torch.Tensor = _Pairing.apply(tuple(given[name] for name in seen), *seen.values())  # type: ignore[no-untyped-call]
    slopes = torch.autograd.grad(root, variables, allow_unused=True)
    found = [torch.zeros_like(v) if slope is None else slope for v, slope in zip(variables, slopes)]
    if not all(bool(torch.isfinite(gradient).all()) for gradient in found):
        raise NotFiniteGradient(
            f"the gradient of {', '.join(map(repr, values))} holds NaN or infinity; are there NaN in the "
            "weights, or in the values on the way?"
        )
    return found


class _Pairing(torch.autograd.Function):
    """sum of <c, v> over pairs, as the root of a gradient: d/dv is c. The sum itself nobody reads: it is given as 0.

    A root of one number: for any other torch imports sympy, a third of a second, to compare two shapes.
    """

    @staticmethod
    def forward(ctx: Any, cotangents: tuple[torch.Tensor, ...], *values: torch.Tensor) -> torch.Tensor:
        """Keep the cotangents."""
        ctx.cotangents = cotangents
        return values[0].new_zeros(())

    @staticmethod
    def backward(ctx: Any, _: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Give them."""
        return (None, *ctx.cotangents)


def samples(value: torch.Tensor, count: int, fed: int) -> torch.Tensor:
    """The part of a chunk's value that belongs to its first ``count`` samples of ``fed``."""
    return value if count == fed or not value.ndim else value[: len(value) // fed * count]


def slope_of(value: torch.Tensor, point: torch.Tensor) -> torch.Tensor:
    """d value / d point where each number of a value depends on the one in its place alone."""
    (slope,) = torch.autograd.grad(value, point, torch.ones_like(value), retain_graph=True)
    return slope

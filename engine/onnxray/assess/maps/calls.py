"""Comparing maps and checking them, in one call each: ``onnxray.check``, and ``onnxray.compare`` on one model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onnxray.assess.maps.check import Check
from onnxray.assess.maps.comparison import Comparison
from onnxray.assess.maps.item import CheckedItem
from onnxray.errors import InputError
from onnxray.errors.near_misses import did_you_mean
from onnxray.errors.short_values import short
from onnxray.methods.catalogue import family
from onnxray.methods.run import Progress
from onnxray.methods.saliency.base import Saliency
from onnxray.model.model import Model
from onnxray.results.result import Result

MethodLike = Saliency | type[Saliency] | str


def compare_methods(
    model: Model,
    images: object,
    methods: Sequence[MethodLike] | MethodLike | None = None,
    *,
    target: object = None,
    seed: int = 0,
    progress: Progress | bool | None = None,
    **options: Any,
) -> Result[CheckedItem]:
    """The maps of several methods on the same images and target, with insertion and deletion areas and seconds.

    methods: configured methods (``GradCAM(layer="conv2")``), classes, or names (``"grad-cam"``); all where left out.
    target: what is explained, one for all images or a list with one for each. options: those of
    ``onnxray.assess.maps.comparison.Comparison``; ``curve_steps=0`` leaves insertion and deletion out, which take most
    of the time. progress: as for every method. Errors: those of the methods' base, InputError.
    """
    if methods is None:
        chosen: Sequence[MethodLike] = list(family(Saliency).values())  # type: ignore[type-abstract]
    else:
        chosen = methods if isinstance(methods, Sequence) and not isinstance(methods, str) else [methods]
    comparison = Comparison(methods=tuple(method_of(one) for one in chosen), **options)
    return comparison(model, images, target, seed=seed, progress=progress)


def check(
    method: MethodLike,
    model: Model,
    images: object,
    *,
    target: object = None,
    seed: int = 0,
    progress: Progress | bool | None = None,
    **options: Any,
) -> Result[CheckedItem]:
    """Whether a method's maps can be believed: insertion and deletion, noise, and weights drawn anew.

    method: configured, a class, or a name. target: as for ``compare``. options: those of
    ``onnxray.assess.maps.check.Check``. Errors: those of the method, InputError.
    """
    return Check(method=method_of(method), **options)(model, images, target, seed=seed, progress=progress)


def method_of(stated: object) -> Saliency:
    """A method from how it is stated. Errors: InputError."""
    if isinstance(stated, Saliency):
        return stated
    if isinstance(stated, type) and issubclass(stated, Saliency):
        return stated()
    known = family(Saliency)  # type: ignore[type-abstract]
    if not isinstance(stated, str):
        raise InputError(f"a method is {short(stated)}; a saliency method, its class or its name was expected")
    if stated not in known:
        near = did_you_mean(stated, known)
        raise InputError(f"there is no method {short(stated)}; {near}there are: {', '.join(known)}")
    return known[stated]()

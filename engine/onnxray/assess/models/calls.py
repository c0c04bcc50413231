"""``onnxray.compare``: methods on one model, or several models, on the same pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, overload

from onnxray.assess.maps.calls import MethodLike, compare_methods, method_of
from onnxray.assess.maps.item import CheckedItem
from onnxray.assess.models.comparison import ModelComparison, Other
from onnxray.assess.models.item import ModelsItem
from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.methods.run import Progress
from onnxray.model.model import Model
from onnxray.model.opening import open_model
from onnxray.results.result import Result

ModelLike = Model | str | os.PathLike[str]


@overload
def compare(
    model: Model,
    images: object,
    methods: Sequence[MethodLike] | MethodLike | None = None,
    *,
    target: object = None,
    seed: int = 0,
    progress: Progress | bool | None = None,
    **options: Any,
) -> Result[CheckedItem]: ...


@overload
def compare(
    model: Sequence[ModelLike],
    images: object,
    methods: MethodLike | None = "grad-cam",
    *,
    target: object = None,
    seed: int = 0,
    progress: Progress | bool | None = None,
    **options: Any,
) -> Result[ModelsItem]: ...


def compare(
    model: Model | Sequence[ModelLike],
    images: object,
    methods: Any = None,
    *,
    target: object = None,
    seed: int = 0,
    progress: Progress | bool | None = None,
    **options: Any,
) -> Result[CheckedItem] | Result[ModelsItem]:
    """One model: the maps of several methods side by side. A list of models: the models, on the same pictures.

    Of one model: insertion and deletion areas and seconds beside the maps. methods: configured methods
    (``GradCAM(layer="conv2")``), classes, or names (``"grad-cam"``); all where left out. options: those of
    ``onnxray.assess.maps.comparison.Comparison``; ``curve_steps=0`` leaves insertion and deletion out, which take most
    of the time.

    Of several models (opened, or their paths): predictions, values layer by layer, and maps of one method with their
    rank correlation, of each model beside the first. methods: the one method; Grad-CAM where left out, ``"none"`` for
    no maps. options: those of ``onnxray.assess.models.comparison.ModelComparison``.

    target: what is explained, one for all images or a list with one for each.
    Errors: those of the methods' base, InputError.
    """
    if isinstance(model, Sequence) and not isinstance(model, str | bytes):
        comparison, first = models_comparison(model, images, methods, **options)
        return comparison(first, images, target, seed=seed, progress=progress)
    if not isinstance(model, Model):
        raise InputError(f"the model is {short(model)}; an opened model was expected, or a list of several")
    return compare_methods(model, images, methods, target=target, seed=seed, progress=progress, **options)


def models_comparison(
    models: Sequence[ModelLike], images: object, method: MethodLike | None = None, **options: Any
) -> tuple[ModelComparison, Model]:
    """The comparison of models, configured, and the first of them, which it is called on with the same images.

    Errors: InputError; those of opening and of reading pictures.
    """
    opened = [one if isinstance(one, Model) else open_model(one) for one in models]
    if len(opened) < 2:
        raise InputError(f"{len(opened)} model was given to compare; give two or more, and then images")
    chosen = None if method == "none" else method_of("grad-cam" if method is None else method)
    others = tuple(Other(one, one.pixels(images)) for one in opened[1:])
    return ModelComparison(others=others, method=chosen, **options), opened[0]

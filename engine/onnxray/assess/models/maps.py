"""The maps of two models of one picture, side by side, and how far they order its pixels alike.

    rho = Spearman's rank correlation of the two maps     difference = M_b / max |M_b| - M_a / max |M_a|

Both explain the same class: the one that is stated, else the first model's. A map of another size is brought to the
first one's, bilinearly.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.assess.maps.rank_correlation import rank_correlation
from onnxray.assess.maps.summary import spread
from onnxray.assess.models.item import DrawnMap, difference_of
from onnxray.errors import OnnxrayError
from onnxray.images.eight_bits import to_uint8
from onnxray.images.interpolation import bilinear
from onnxray.images.pixels import Pixels
from onnxray.methods.run import Run, generator_of, silent
from onnxray.methods.saliency.base import Saliency
from onnxray.methods.saliency.item import MapItem
from onnxray.model.model import Model


def map_of(method: Saliency, model: Model, one: Pixels, target: object, run: Run) -> DrawnMap:
    """A model's map of one picture. Errors: those of the method."""
    method.refuse_if_unfit(model)
    item: MapItem = next(iter(method.run(model, one, target, run)))
    return DrawnMap(
        heat=item.heat, image=to_uint8(one.array[0]), shown_at=item.shown_at, signed=item.signed, layer=item.layer,
        target=item.target,
    )  # fmt: skip


def beside(a: DrawnMap, b: DrawnMap) -> tuple[DrawnMap, float | None, NDArray[np.float32]]:
    """The second map at the size of the first, their rank correlation, and their difference in [-2, 2]."""
    if a.heat.shape != b.heat.shape:
        size = (a.heat.shape[0], a.heat.shape[1])
        b = dataclasses.replace(
            b, heat=bilinear(b.heat, size), image=to_uint8(bilinear(b.image.astype(np.float64), size))
        )
    return b, rank_correlation(a.heat, b.heat), difference_of(a.heat, b.heat)


def maps_beside(
    method: Saliency, models: tuple[Model, Model], pictures: tuple[Pixels, Pixels], target: object, run: Run,
    numbers: tuple[int, int] = (1, 2),
) -> dict[str, Any]:  # fmt: skip
    """``maps``, ``rank_correlation`` and ``difference`` of two models' maps of one picture; the ``reason`` where there
    are none. pictures: the one as each model sees it. numbers: what the models are called in notes and reasons.
    """
    found: list[DrawnMap] = []
    for model, one, number in zip(models, pictures, numbers):
        notes: list[str] = []
        alone = Run(generator_of(run.random, ()), silent, notes)
        try:
            found.append(map_of(method, model, one, target, alone))
        except OnnxrayError as error:
            return {"reason": f"no map of model {number}: {error}"}
        for note in notes:
            run.note(f"model {number}: {note}")
    a, (b, correlation, difference) = found[0], beside(*found)
    return {"maps": (a, b), "rank_correlation": correlation, "difference": difference}


def map_agreement(
    method: Saliency, models: tuple[Model, Model], pictures: tuple[Sequence[Pixels], Sequence[Pixels]],
    places: Sequence[int], classes: Mapping[int, int], run: Run, tick: Callable[[int], None],
) -> dict[str, Any]:  # fmt: skip
    """The rank correlation of the two models' maps over some pictures, of the class that the first says of each.

    ``method``, ``pictures``, ``rank_correlation`` (mean, median, count; null with a ``reason`` where there is none).
    classes: place -> class; of a place without one the method's own target.
    """
    correlations, reasons = list[float | None](), dict[str, None]()
    for done, place in enumerate(places):
        target = f"class:{classes[place]}" if place in classes else None
        one = maps_beside(method, models, (pictures[0][place], pictures[1][place]), target, run)
        correlations.append(one.get("rank_correlation"))
        if "reason" in one:
            reasons[one["reason"]] = None
        elif correlations[-1] is None:
            reasons["a map is the same everywhere"] = None
        tick(done + 1)
    return {
        "method": method.name, "pictures": len(places), "rank_correlation": spread(correlations),
        "reason": "; ".join(reasons) or None,
    }  # fmt: skip

"""The maps of two models of one picture, side by side, and how far they order its pixels alike.

    rho = Spearman's rank correlation of the two maps     difference = M_b / max |M_b| - M_a / max |M_a|

Both explain the same class: the one that is stated, else the first model's. A map of another size is brought to the
first one's, bilinearly.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from onnxray.assess.maps.rank_correlation import rank_correlation
from onnxray.assess.models.item import DrawnMap, difference_of
from onnxray.images.eight_bits import to_uint8
from onnxray.images.interpolation import bilinear
from onnxray.images.pixels import Pixels
from onnxray.methods.run import Run
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

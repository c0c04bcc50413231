"""The figures of one map that a check and a comparison both give: its curves, and whether it points at the object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from onnxray.assess.maps.insertion_deletion import Start, insertion_and_deletion, measured_score
from onnxray.images.pixels import Pixels
from onnxray.methods.option_checks import check_choices, check_range
from onnxray.methods.saliency.found_objects import is_pointed_at
from onnxray.methods.saliency.item import MapItem
from onnxray.methods.saliency.objects_of_maps import Reference
from onnxray.model.model import Model
from onnxray.objectives.objective import Objective


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Which figures stand beside a map, as options of the methods that give them."""

    curve_steps: Annotated[int, "steps of the insertion and deletion curves; 0 leaves them out"] = 50
    curve_start: Annotated[Start, "what insertion starts from: the image blurred, or mean colour"] = "blur"
    pointing_tolerance: Annotated[float, "pixels that the peak may lie beside the reference box (pointing game)"] = 15.0

    def __post_init__(self) -> None:
        check_choices(self)
        check_range("curve_steps", self.curve_steps, 0, 100_000)
        check_range("pointing_tolerance", self.pointing_tolerance, 0, 1e6)

    def of_map(
        self,
        model: Model,
        one: Pixels,
        target: Objective,
        item: MapItem,
        reference: Reference | None,
        random: np.random.Generator,
    ) -> dict[str, Any]:
        """The figures of one map of one image (``one`` and ``target`` hold one row), as plain values.

        ``measured``: what the curves are of; ``insertion``, ``deletion``: area in [0, 1] times the score, fractions of
        the pixels, scores; ``reference_box`` in pixels of the model's size, and ``pointed_at``, where there is one.
        """
        figures: dict[str, Any] = {}
        if self.curve_steps:
            measured = measured_score(target)
            insertion, deletion = insertion_and_deletion(
                model, one, measured, item.heat, steps=self.curve_steps, start=self.curve_start, random=random
            )
            figures |= {
                "measured": measured.describe(0), "insertion": insertion.numbers(), "deletion": deletion.numbers(),
            }  # fmt: skip
        if reference is not None:
            figures["reference_box"] = list(reference.box)
            figures["pointed_at"] = is_pointed_at(item.heat, reference.box, self.pointing_tolerance)
        return figures

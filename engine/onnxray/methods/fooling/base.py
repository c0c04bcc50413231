"""The family base of fooling images: pictures of nothing that a model is sure of (Nguyen, Yosinski, Clune 2015).

Deep Neural Networks are Easily Fooled, arXiv 1412.1897. A picture fools where the file, asked alone about the saved
8-bit picture, gives the class that was aimed at, with ``confidence`` at least.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Image8
from onnxray.errors import InputError
from onnxray.graph.classifier.predictions import Predictions
from onnxray.images.pixels import Pixels
from onnxray.methods.option_checks import Range
from onnxray.methods.synthesis.base import Synthesis
from onnxray.methods.synthesis.item import SynthesisItem
from onnxray.model.model import Model
from onnxray.objectives.targets import class_index


@dataclass(frozen=True, kw_only=True)
class Fooling(Synthesis):
    """A method that makes fooling images."""

    needs_images: ClassVar[bool] = False

    confidence: Annotated[
        float, "the probability of its class from which on a picture counts as fooling, by the judge", Range(1e-6, 1.0)
    ] = 0.99  # fmt: skip

    def command(self) -> tuple[str, ...]:
        """What is typed behind ``onnxray`` for this method."""
        return "attack", self.name

    def as_typed(self, images: object, goal: object) -> dict[str, Any]:
        """The command's options, which takes no images."""
        return {name: stated for name, stated in super().as_typed(None, goal).items() if name != "images"}

    def classes(self, model: Model, pixels: Pixels, goal: Any) -> tuple[NDArray[np.int64], int]:
        """The classes that are aimed at, none where none was stated, and how many the model has. Errors: InputError."""
        if len(pixels):
            raise InputError(f"{len(pixels)} images are given; {self.name} begins from none")
        assert model.profile is not None  # refuse_if_unfit
        count = answered(model, Pixels.blank(model.profile).array).probabilities.shape[1]
        stated = () if goal is None else tuple(goal) if isinstance(goal, list | tuple | np.ndarray) else (goal,)
        found = np.array([class_index(model, str(one), count) for one in stated], np.int64)
        if len(set(found.tolist())) < len(found):
            raise InputError("a class is named twice; name each once, or ask for several pictures of each: --samples")
        return found, count

    def fooling(
        self, model: Model, image: Image8, wanted: int, *, stem: str, numbers: Mapping[str, Any],
        trace: Mapping[str, Sequence[float]] | None = None,
    ) -> SynthesisItem:  # fmt: skip
        """An item of a picture, 8-bit (C, H, W), by what the judge says of it alone."""
        said = answered(model, image[None])
        sure = float(said.probabilities[0, wanted])
        success = bool(said.classes[0] == wanted and sure >= self.confidence)
        reason = None if success else f"{self.confidence:g} of {model.label(wanted)} was not reached"
        return self._made(
            image, said.row(0, scored=False), stem=stem, target=model.label(wanted), layer=None, path=None,
            steps=len(next(iter((trace or {}).values()), ())), trace=trace or {},
            numbers={"success": success, "confidence": sure, **numbers}, beside=None, snapshots=None, reason=reason,
        )  # fmt: skip


def answered(model: Model, images: NDArray[Any]) -> Predictions:
    """What the judge says of pictures. Errors: InputError where the model has no classes."""
    said = model.verdict(Pixels.of(images.astype(np.float32)))
    if said is None:
        head = model.head
        raise InputError(
            f"output {head.name!r} is {head.said()}, so it has no classes to be sure of; `onnxray visualize maximize` "
            "climbs any value"
        )
    return said

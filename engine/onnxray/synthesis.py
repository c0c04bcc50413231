"""The family base of image synthesis: presets of the one ascent, judged on the 8-bit pictures that are saved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.images import Pixels
from onnxray.method import Method, check_choices, check_range
from onnxray.model import Model
from onnxray.predictions import Predictions
from onnxray.synthesis_item import SynthesisItem

if TYPE_CHECKING:
    from onnxray.ascent import Climbed


@dataclass(frozen=True, kw_only=True)
class Synthesis(Method[SynthesisItem]):
    """A method that makes images."""

    item_type: ClassVar[type[Any]] = SynthesisItem

    every: Annotated[int, "keep a snapshot every so many steps; 0 keeps none"] = 0

    def __post_init__(self) -> None:
        check_choices(self)
        check_range("every", self.every, 0, 1_000_000)

    def items(
        self,
        model: Model,
        climbed: Climbed,
        *,
        stems: Sequence[str],
        targets: Sequence[str],
        layers: Sequence[str | None],
        paths: Sequence[str | None] | None = None,
        numbers: Sequence[Mapping[str, Any]] | None = None,
        beside: Sequence[Mapping[str, NDArray[np.uint8]]] | None = None,
    ) -> Iterator[SynthesisItem]:
        """An item for each image that was climbed to. A run that Ctrl-C ended gives them, and goes on to end."""
        rounded = np.rint(climbed.images).astype(np.uint8)
        verdict = verdict_on(model, rounded)
        for row, image in enumerate(rounded):
            yield SynthesisItem(
                path=None if paths is None else paths[row], method=self.name, layer=layers[row], target=targets[row],
                class_=None if verdict is None else int(verdict.classes[row]),
                label=None if verdict is None else verdict.labels[row],
                probability=None if verdict is None else float(verdict.probabilities[row, verdict.classes[row]]),
                steps=climbed.steps,
                trace={name: tuple(values[:, row].tolist()) for name, values in climbed.trace.items()},
                numbers_={} if numbers is None else dict(numbers[row]),
                reason=climbed.reason, stem=stems[row],
                images={"image": image, **({} if beside is None else beside[row])},
                snapshots={step: images[row] for step, images in climbed.snapshots.items()},
            )  # fmt: skip
        if climbed.interrupted:
            raise KeyboardInterrupt


def verdict_on(model: Model, images: NDArray[np.uint8]) -> Predictions | None:
    """The judge's classes of 8-bit pictures; None where the model is no classifier."""
    try:
        return model.predict(Pixels(images.astype(np.float32), (None,) * len(images)))
    except InputError:
        return None

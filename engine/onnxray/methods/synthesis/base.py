"""The family base of image synthesis: presets of the one ascent, judged on the 8-bit pictures that are saved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from onnxray.graph.classifier.predictions import Predictions
from onnxray.images.eight_bits import to_uint8
from onnxray.images.pixels import Pixels
from onnxray.methods.method import Method
from onnxray.methods.option_checks import Range, check_choices
from onnxray.methods.synthesis.item import SynthesisItem
from onnxray.model.model import Model

if TYPE_CHECKING:
    from onnxray.methods.synthesis.ascent.loop import Climbed


@dataclass(frozen=True, kw_only=True)
class Synthesis(Method[SynthesisItem]):
    """A method that makes images."""

    item_type: ClassVar[type[Any]] = SynthesisItem

    def __post_init__(self) -> None:
        check_choices(self)

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
        rounded = to_uint8(climbed.images)
        verdict = verdict_on(model, rounded)
        for row, image in enumerate(rounded):
            said = None if verdict is None else verdict.row(row, scored=False)
            yield SynthesisItem(
                path=None if paths is None else paths[row], method=self.name, layer=layers[row], target=targets[row],
                class_=None if said is None else said.class_, label=None if said is None else said.label,
                probability=None if said is None else said.probability,
                steps=climbed.steps,
                trace={name: tuple(values[:, row].tolist()) for name, values in climbed.trace.items()},
                numbers_={} if numbers is None else dict(numbers[row]),
                reason=climbed.reason, stem=stems[row],
                images={"image": image, **({} if beside is None else beside[row])},
                snapshots={step: images[row] for step, images in climbed.snapshots.items()},
            )  # fmt: skip
        if climbed.interrupted:
            raise KeyboardInterrupt

    def item(
        self,
        model: Model,
        image: NDArray[np.uint8],
        *,
        stem: str,
        target: str,
        path: str | None = None,
        layer: str | None = None,
        trace: Mapping[str, Sequence[float]] | None = None,
        numbers: Mapping[str, Any] | None = None,
        beside: Mapping[str, NDArray[np.uint8]] | None = None,
        snapshots: Mapping[int, NDArray[np.uint8]] | None = None,
        judged: bool = True,
    ) -> SynthesisItem:
        """An item of a picture of any size, 8-bit (C, H, W); the judge sees it as the profile's rule resizes it."""
        verdict = model.verdict(image[None]) if judged else None
        said = None if verdict is None else verdict.row(0, scored=False)
        curves = {} if trace is None else {name: tuple(map(float, values)) for name, values in trace.items()}
        return SynthesisItem(
            path=path, method=self.name, layer=layer, target=target,
            class_=None if said is None else said.class_, label=None if said is None else said.label,
            probability=None if said is None else said.probability,
            steps=len(next(iter(curves.values()), ())), trace=curves, numbers_=dict(numbers or {}), reason=None,
            stem=stem, images={"image": image, **(beside or {})}, snapshots=dict(snapshots or {}),
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Stepwise(Synthesis):
    """A method that makes images step by step, and can show them on the way."""

    every: Annotated[int, "keep a snapshot every so many steps; 0 keeps none", Range(0, 1_000_000)] = 0


def verdict_on(model: Model, images: NDArray[np.uint8]) -> Predictions | None:
    """The judge's classes of 8-bit pictures of the model's size; None where the model is no classifier."""
    return model.verdict(Pixels.of(images))

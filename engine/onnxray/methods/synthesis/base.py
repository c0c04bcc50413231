"""The family base of image synthesis: presets of the one ascent, judged on the 8-bit pictures that are saved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from onnxray.arrays import Image8
from onnxray.graph.classifier.predictions import Prediction, Predictions
from onnxray.images.eight_bits import to_uint8
from onnxray.images.pixels import Pixels
from onnxray.methods.as_typed import path_texts, plain_fields, target_text
from onnxray.methods.method import Method
from onnxray.methods.option_checks import Range, check_choices
from onnxray.methods.synthesis.item import SynthesisItem
from onnxray.model.model import Model

if TYPE_CHECKING:
    from onnxray.methods.synthesis.ascent.loop import Climbed


@dataclass(frozen=True, kw_only=True, eq=False)
class Pictures:
    """What was climbed to, as it is saved and judged. images: 8-bit (N, C, H, W); pixels: the same, encoded once.

    verdict: the judge's on all of them at once; None where the model is no classifier.
    """

    climbed: Climbed
    images: Image8
    pixels: Pixels
    verdict: Predictions | None

    @classmethod
    def of(cls, model: Model, climbed: Climbed) -> Self:
        """Round to 8 bits and ask the judge."""
        images = to_uint8(climbed.images)
        pixels = model.encoded(Pixels.of(images))
        return cls(climbed=climbed, images=images, pixels=pixels, verdict=model.verdict(pixels))


@dataclass(frozen=True, kw_only=True)
class Synthesis(Method[SynthesisItem]):
    """A method that makes images."""

    item_type: ClassVar[type[Any]] = SynthesisItem

    def __post_init__(self) -> None:
        check_choices(self)

    def command(self) -> tuple[str, ...]:
        """What is typed behind ``onnxray`` for this method."""
        return "visualize", self.name

    def as_typed(self, images: object, goal: object) -> dict[str, Any]:
        """The command's options; several targets are an image each."""
        goals = goal if isinstance(goal, list | tuple) else [] if goal is None else [goal]
        targets = [target_text(one) for one in goals] or None
        return {"images": path_texts("the images", images), "target": targets, **plain_fields(self)}

    def items(
        self,
        pictures: Pictures,
        *,
        stems: Sequence[str],
        targets: Sequence[str],
        layers: Sequence[str | None],
        paths: Sequence[str | None] | None = None,
        numbers: Sequence[Mapping[str, Any]] | None = None,
        beside: Sequence[Mapping[str, Image8]] | None = None,
        reason: str | None = None,
    ) -> Iterator[SynthesisItem]:
        """An item for each image that was climbed to. A run that Ctrl-C ended gives them, and goes on to end.

        reason: why numbers could not be had, beside why the ascent ended early.
        """
        climbed, verdict = pictures.climbed, pictures.verdict
        for row, image in enumerate(pictures.images):
            yield self._made(
                image, None if verdict is None else verdict.row(row, scored=False), stem=stems[row],
                target=targets[row], layer=layers[row], path=None if paths is None else paths[row],
                steps=climbed.steps, trace={name: values[:, row].tolist() for name, values in climbed.trace.items()},
                numbers=None if numbers is None else numbers[row], beside=None if beside is None else beside[row],
                snapshots={step: images[row] for step, images in climbed.snapshots.items()},
                reason="; ".join(filter(None, (climbed.reason, reason))) or None,
            )  # fmt: skip
        if climbed.interrupted:
            raise KeyboardInterrupt

    def item(
        self,
        model: Model,
        image: Image8,
        *,
        stem: str,
        target: str,
        path: str | None = None,
        layer: str | None = None,
        trace: Mapping[str, Sequence[float]] | None = None,
        numbers: Mapping[str, Any] | None = None,
        beside: Mapping[str, Image8] | None = None,
        snapshots: Mapping[int, Image8] | None = None,
        judged: bool = True,
    ) -> SynthesisItem:
        """An item of a picture of any size, 8-bit (C, H, W); the judge sees it as the profile's rule resizes it."""
        verdict = model.verdict(image[None]) if judged else None
        return self._made(
            image, None if verdict is None else verdict.row(0, scored=False), stem=stem, target=target, layer=layer,
            path=path, steps=len(next(iter((trace or {}).values()), ())), trace=trace or {}, numbers=numbers,
            beside=beside, snapshots=snapshots,
        )  # fmt: skip

    def _made(
        self, image: Image8, said: Prediction | None, *, stem: str, target: str, layer: str | None, path: str | None,
        steps: int, trace: Mapping[str, Sequence[float]], numbers: Mapping[str, Any] | None,
        beside: Mapping[str, Image8] | None, snapshots: Mapping[int, Image8] | None, reason: str | None = None,
    ) -> SynthesisItem:  # fmt: skip
        """said: by the judge, of the image; None where the model is no classifier, or was not asked."""
        return SynthesisItem(
            path=path, method=self.name, layer=layer, target=target,
            class_=None if said is None else said.class_, label=None if said is None else said.label,
            probability=None if said is None else said.probability,
            steps=steps, trace={name: tuple(map(float, values)) for name, values in trace.items()},
            numbers_=dict(numbers or {}), reason=reason, stem=stem, images={"image": image, **(beside or {})},
            snapshots=dict(snapshots or {}),
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Stepwise(Synthesis):
    """A method that makes images step by step, and can show them on the way."""

    every: Annotated[int, "keep a snapshot every so many steps; 0 keeps none", Range(0, 1_000_000)] = 0

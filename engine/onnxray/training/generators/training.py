"""Generator visualisation (Karagounis): one network that shows what every class of another looks for.

    min_G  E_i CE(D(G(i)), i),   i uniform over the classes, D the file, frozen; no pictures are needed

Pictures that can be looked at take a prior, which is not the paper's (docs/generator.md):

    + variation * mean over pixels of TV(G(i)) + decay * mean (G(i) - m)^2,   D(T(G(i))) in place of D(G(i))

T a random similarity, m the model's mean colour, colours from -1 to 1.

Of channels of a layer: D is the mean of each channel over its positions; the cross-entropy is that of their softmax.
G is drawn by drawn.py, trained by Adam, and written as an ONNX file whose metadata say what it shows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, final

from onnxray.errors import InputError, NotAClassifier
from onnxray.graph.outputs.facts import CLASS_KINDS
from onnxray.images.pixels import Pixels
from onnxray.methods.as_typed import plain_fields
from onnxray.methods.method import Method
from onnxray.methods.option_checks import Range, check_choices
from onnxray.methods.run import Run
from onnxray.model.model import Model
from onnxray.results.finished_items import Tape
from onnxray.training.generators.item import GeneratedItem
from onnxray.training.generators.shown import Generator, count_of, judged, keep_network, read_numbers

FILE = "generator.onnx"


@final
@dataclass(frozen=True, kw_only=True)
class TrainGenerator(Method[GeneratedItem]):
    """Train a generator whose pictures a model takes for each class, or that excite each channel of a layer."""

    name: ClassVar[str] = "generator-train"
    item_type: ClassVar[type[Any]] = GeneratedItem
    needs_images: ClassVar[bool] = False

    classes: Annotated[str | None, "the classes that are shown, as 0-9 or 1,5,7; all where left out"] = None
    channels: Annotated[str | None, "a layer whose channels are shown in place of classes, as conv2 or conv2:0-15"] = (
        None
    )
    steps: Annotated[int, "steps of Adam, at most", Range(1, 10_000_000)] = 1000
    until: Annotated[
        float, "the mean cross-entropy of a round of 100 steps at which the training ends before", Range(0.0, 100.0)
    ] = 0.002
    batch: Annotated[int, "pictures in a step", Range(1, 10_000)] = 32
    rate: Annotated[float, "the step of Adam", Range(1e-12, 10.0)] = 1e-3
    width: Annotated[
        int, "channels of the generator's last level; each level before has twice as many", Range(1, 256)
    ] = 16
    maps: Annotated[int, "channels of the dense map of the class at each level", Range(1, 64)] = 4
    noise: Annotated[int, "numbers of noise beside the class, for many pictures of each", Range(0, 4096)] = 0
    feed: Annotated[
        Literal["every", "once"], "whether the class is fed again at every level; once: the paper's ablation"
    ] = "every"
    augment: Annotated[
        Literal["none", "similarity"],
        "what a picture goes through before the model sees it; similarity: random shifts, sizes and turns",
    ] = "none"
    variation: Annotated[
        float, "weight of the pictures' total variation in the loss: the mean of pixels, colours from -1 to 1",
        Range(0.0, 1e6),
    ] = 0.0  # fmt: skip
    decay: Annotated[
        float, "weight of the pictures' mean squared distance from the model's mean colour", Range(0.0, 1e6)
    ] = 0.0

    def __post_init__(self) -> None:
        check_choices(self)
        if self.classes is not None and self.channels is not None:
            raise InputError("classes and channels are both given; a generator shows one or the other")

    def command(self) -> tuple[str, ...]:
        """What is typed behind ``onnxray`` for it."""
        return "generator", "train"

    def as_typed(self, _images: object, _goal: object) -> dict[str, Any]:
        """The command's options."""
        return plain_fields(self)

    def shown(self, model: Model) -> tuple[str, str | None, tuple[int, ...]]:
        """The value that the cross-entropy is of, the layer where channels are shown, and the numbers. Errors."""
        if self.channels is None:
            if model.head.kind not in CLASS_KINDS or model.head.kind in {"binary", "multi-label"}:
                raise NotAClassifier(
                    f"output {model.head.name!r} is {model.head.said()}, not one score a class; of any network a "
                    "layer's channels can be shown: --channels LAYER"
                )
            count = count_of(model, None)
            numbers = tuple(range(count)) if self.classes is None else read_numbers(self.classes, "classes", count)
            return model.aliases["logits"], None, numbers
        numbered = self.channels not in model.graph.values and self.channels[-1:].isdecimal()
        text, _, some = self.channels.rpartition(":") if numbered else (self.channels, "", "")
        layer = model.select_value(text or self.channels)
        count = count_of(model, layer)
        return layer, layer, read_numbers(some, "channels", count) if text and some else tuple(range(count))

    def run(self, model: Model, _pixels: Pixels, _goal: Any, run: Run) -> Iterator[GeneratedItem]:
        """Give an item for every class when it is trained."""
        from onnxray.training.generators.course import GeneratorCourse

        value, layer, numbers = self.shown(model)
        card = {
            "numbers": list(numbers), "layer": layer, "model": model.graph.name, "sha256": model.graph.sha256,
            "labels": [model.label(one) if layer is None else f"{layer}:{one}" for one in numbers][:2000],
            "made_by": {"name": self.name, **self.options()},
        }  # fmt: skip
        with run.work_folder() as folder:
            course = GeneratorCourse(self, model, value, numbers, json.dumps(card), folder, run)
            for step, own in run.units(range(course.rounds + 1)):
                if step < course.rounds:
                    course.round(step, own)
                    continue
                data = course.written(own)
                keep_network(data, "generator", FILE, own)
                generator = Generator(course.model_of(data), numbers, layer)
                yield from judged(generator, model, numbers, 1, own.random)

    def extra(self, tape: Tape[GeneratedItem]) -> dict[str, Any]:
        """The loss by rounds, and the file."""
        reached = sum(item.strongest == item.number for item in tape.items)
        return {
            "losses": list(tape.facts("loss")), "generator": next(iter(tape.facts("generator")), None),
            "reached": reached, "above_0.99": sum(item.probability > 0.99 for item in tape.items),
        }  # fmt: skip

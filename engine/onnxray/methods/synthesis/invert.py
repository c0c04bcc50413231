"""Inversion: an image that has a given representation (Mahendran & Vedaldi 2015, 2016).

    x* = argmin_x  ||m (f_l(x) - f_0)||^2 / ||m f_0||^2 + sum_k w_k R_k(x),   f_0 = f_l(x_0), or given alone

f_0 is ONNX Runtime's on the 8-bit x_0; m selects a part of the representation. What is reported as the error is the
first term by ONNX Runtime on the 8-bit image that is saved. The presets: parts/invert_presets.py. Arrays of inputs, or
a value inside the network (``wrt``), are inverted without a prior: array_inversion.py.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, final

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Image8
from onnxray.errors import InputError
from onnxray.graph.depths import depths, spatial_stride
from onnxray.images.distances import l2, perceptual_similarity
from onnxray.images.eight_bits import to_uint8
from onnxray.images.pixels import Pixels
from onnxray.methods.array_variable import ArrayVariable, variable_of
from onnxray.methods.as_typed import Unstated, path_texts, plain_fields
from onnxray.methods.option_checks import Range
from onnxray.methods.run import Run
from onnxray.methods.subjects import names_of_subjects
from onnxray.methods.synthesis.array_inversion import invert_arrays
from onnxray.methods.synthesis.base import Pictures, Stepwise
from onnxray.methods.synthesis.item import SynthesisItem
from onnxray.methods.synthesis.learned_inversion import Inverter
from onnxray.methods.synthesis.parts.preset_names import InvertPreset
from onnxray.model.model import Model
from onnxray.objectives.goals import TargetValues
from onnxray.objectives.gradients import judged
from onnxray.objectives.matching import Match, mask_of
from onnxray.objectives.representations import given_representations
from onnxray.results.file_names import stem_of

if TYPE_CHECKING:
    from onnxray.methods.synthesis.parts.invert_presets import InvertSetting

# Images and their samples are climbed together: large enough to be fast, small enough to come out and to fit in memory.
_GROUP = 16
_DEPTHS = 4


@final
@dataclass(frozen=True, kw_only=True)
class Invert(Stepwise):
    """Images that have the representation of another at a layer: what the layer has kept of it."""

    name: ClassVar[str] = "invert"
    needs_images: ClassVar[bool] = False
    images_only: ClassVar[bool] = False

    layer: Annotated[
        str | tuple[str, ...] | None, "value or values inverted, repeatable; default: four of all depths"
    ] = None
    wrt: Annotated[
        str | tuple[str, ...] | None,
        "what is made: inputs by name, repeatable, the others held, or one value inside the network, with --preset "
        "plain; default: the picture, else every input of real numbers, or what token ids gather",
    ] = None
    preset: Annotated[
        InvertPreset,
        "prior, optimiser and schedule; tv1, tv2: total variation with exponent 1, 2",
    ] = "tv1"
    part: Annotated[
        Literal["all", "centre", "half-channels"],
        "what of the representation is matched; centre: the 5 x 5 positions in the middle",
    ] = "all"
    learned: Annotated[
        str | None, "the file of a network that onnxray generator inverter trained for the layer, to stand beside"
    ] = None
    samples: Annotated[int, "images for each representation, from different noise", Range(1, 1000)] = 1
    steps: Annotated[int | None, "steps; default: the preset's", Range(1, 1_000_000)] = None
    weight: Annotated[float, "factor on the preset's prior", Range(0.0, 1e30)] = 1.0
    rate: Annotated[float | None, "learning rate, in the preset's unit; default: the preset's", Range(1e-30, 1e30)] = (
        None
    )
    jitter: Annotated[
        int | None, "pixels of random shift; default: the preset's, by the layer's stride", Range(0, 1000)
    ] = None

    def command(self) -> tuple[str, ...]:
        """What is typed behind ``onnxray`` for this method."""
        return ("invert",)

    def as_typed(self, images: object, goal: object) -> dict[str, Any]:
        """The command's options: a representation alone as the file that it was read from."""
        if goal is not None and not (isinstance(goal, TargetValues) and goal.source is not None):
            raise Unstated("its representation was given as arrays, which no command line states; save them")
        source = {} if goal is None else {"values": goal.source}
        return {"images": path_texts("the images", images), **source, **plain_fields(self)}

    def run(self, model: Model, pixels: Pixels, goal: Any, run: Run) -> Iterator[SynthesisItem]:
        """Give an item for each layer, image and sample, layers outermost in graph order."""
        layers = self._layers(model, pixels, goal)
        if model.profile is None or names_of_subjects(model, self.wrt) != (None,):
            yield from self._of_arrays(model, pixels, goal, layers, run)
            return
        learned = None if self.learned is None else Inverter.opened(self.learned, model, layers)
        sources = self._sources(model, pixels, goal, layers)
        total = len(layers) * len(sources.names)
        group = max(1, _GROUP // self.samples)
        pieces = itertools.product(enumerate(layers), range(0, len(sources.names), group))
        for ((depth, layer), start), own in run.units(pieces):
            rows = np.arange(start, min(start + group, len(sources.names)))
            before = depth * len(sources.names) + start

            def progress(
                done: int, steps: int, what: str, before: int = before, count: int = len(rows), at: str = layer
            ) -> None:
                share = before + done / max(1, steps) * count
                run.progress(int(1000 * share), 1000 * total, f"{at}: {what}")

            yield from self._layer(model, layer, sources, rows, learned, own.telling(progress))

    def _layer(
        self, model: Model, layer: str, sources: _Sources, rows: NDArray[np.int64], learned: Inverter | None, run: Run
    ) -> Any:
        from onnxray.methods.synthesis.ascent.stages import climb_in_turn
        from onnxray.methods.synthesis.parts.invert_presets import invert_recipe

        setting = self._setting(model, layer, sources)
        plan = invert_recipe(setting)
        own = np.repeat(rows, self.samples)
        references = sources.representations[layer]
        match = Match(layer, references[own], mask_of(self.part, layer, references.shape[1:]))
        begin = plan.start(setting, len(own), run.random)
        objective = match if plan.factor == 1 else plan.factor * match
        each = (objective,) * len(plan.stages)
        climbed = climb_in_turn(model, each, plan.stages, run, start=begin, every=self.every)
        pictures = Pictures.of(model, climbed)
        numbers, reason = self._measured(model, pictures, match, sources, own)
        beside: list[dict[str, Image8]] = [
            {} if sources.images is None else {"original": sources.images[row]} for row in own
        ]
        if learned is not None:
            for k, image in enumerate(learned.pictures(references[own])):
                beside[k]["learned"] = image
                seen = Pixels.of(image[None].astype(np.float32))
                numbers[k]["learned_error"] = float(-judged(model, seen, match.rows(np.array([k])))[0])
                numbers[k]["learned_l2"] = None if sources.images is None else l2(image, sources.images[own[k]])
        yield from self.items(
            pictures,
            stems=[
                stem_of(sources.names[row], int(row), layer, self.name, k % self.samples) for k, row in enumerate(own)
            ],
            targets=[self.part] * len(own),
            layers=[layer] * len(own), paths=[sources.names[row] for row in own], numbers=numbers, reason=reason,
            beside=beside,
        )  # fmt: skip

    def _measured(
        self, model: Model, pictures: Pictures, match: Match, sources: _Sources, own: NDArray[np.int64]
    ) -> tuple[list[dict[str, Any]], str | None]:
        """The numbers of each image, by the judge on 8 bits, and why some could not be had."""
        images, verdict = pictures.images, pictures.verdict
        found, reason = [], None
        for k, (image, row) in enumerate(zip(images, own)):
            alone = np.array([k])
            numbers: dict[str, Any] = {
                "error": float(-judged(model, pictures.pixels.rows(alone), match.rows(alone))[0])
            }
            if sources.images is not None:
                origin = sources.images[row]
                before = None if sources.classes is None else int(sources.classes[row])
                agrees = None if verdict is None or before is None else bool(verdict.classes[k] == before)
                numbers["same_class"] = agrees
                numbers["l2"], numbers["pass"], numbers["ssim"] = l2(image, origin), None, None
                try:
                    score = perceptual_similarity(image, origin)
                    numbers["pass"], numbers["ssim"] = score.score, score.ssim
                except InputError as error:
                    reason = f"no SSIM and PASS: {error}"
                numbers["original_class"] = before
                numbers["original_label"] = None if before is None else sources.labels[row]
            others = [images[j] for j in np.flatnonzero(own == row) if j != k]
            numbers["sample"] = k % self.samples
            numbers["other_samples_l2"] = float(np.mean([l2(image, other) for other in others])) if others else None
            found.append(numbers)
        return found, reason

    def _setting(self, model: Model, layer: str, sources: _Sources) -> InvertSetting:
        from onnxray.methods.synthesis.parts.invert_presets import InvertSetting

        assert model.profile is not None
        graph = model.graph
        whole = len(graph.needed_for([output.name for output in graph.outputs]))
        return InvertSetting(
            preset=self.preset, shape=model.profile.shape, mean=model.profile.mean_colour,
            depth=min(1.0, len(graph.needed_for([layer])) / max(1, whole)),
            stride=spatial_stride(graph, layer, model.profile.size, lambda name: model.shapes([name])[name]),
            weight=self.weight, steps=self.steps, rate=self.rate, jitter=self.jitter,
        )  # fmt: skip

    def _of_arrays(
        self, model: Model, pixels: Pixels, goal: Any, layers: tuple[str, ...], run: Run
    ) -> Iterator[SynthesisItem]:
        """The same of arrays, for which there are no priors. Errors: InputError for options that are of pictures."""
        if goal is not None:
            raise InputError(
                "a representation alone does not say what the arrays are like and what is held; give the samples that "
                "it is of, in place of --values"
            )
        if self.preset != "plain" or self.jitter or self.every or self.learned:
            stated = {"--learned": self.learned, "--jitter": self.jitter, "--every": self.every}
            option = next((name for name, value in stated.items() if value), f"--preset {self.preset}")
            raise InputError(f"{option} is for pictures, and arrays are inverted here; --preset plain inverts them")
        variable = variable_of(model, pixels, self.wrt, layers)
        assert isinstance(variable, ArrayVariable)
        variable.shapes(layers)
        for note in variable.notes():
            run.note(note)
        pieces = itertools.product(layers, range(0, len(variable), max(1, _GROUP // self.samples)))
        for (layer, start), own in run.units(pieces):
            rows = np.arange(start, min(start + max(1, _GROUP // self.samples), len(variable)))
            yield from invert_arrays(
                variable, layer, rows, own, name=self.name, part=self.part, samples=self.samples, steps=self.steps,
                rate=self.rate,
            )  # fmt: skip

    def _layers(self, model: Model, pixels: Pixels, goal: Any) -> tuple[str, ...]:
        """At which values, in graph order."""
        if goal is not None and not isinstance(goal, TargetValues):
            raise InputError(f"the goal is {goal!r}; TargetValues(values=...) was expected, or images and no goal")
        if bool(len(pixels)) == (goal is not None):
            raise InputError("give either images or a representation alone (--values FILE), and not both")
        given = goal.values if goal is not None and isinstance(goal.values, Mapping) else {}
        wanted = (self.layer,) if isinstance(self.layer, str) else self.layer or tuple(map(str, given))
        if not wanted and goal is not None:
            raise InputError("the representation is given without its layer; name it with --layer NAME")
        names = model.select_values(wanted) if wanted else depths(model.graph, model.aliases["logits"], _DEPTHS)
        if not names:
            raise InputError("the model has no layers with weights to choose among; name values with --layer NAME")
        model.twin.check_differentiable(names)
        return tuple(name for name in model.graph.values if name in names)

    def _sources(self, model: Model, pixels: Pixels, goal: Any, layers: tuple[str, ...]) -> _Sources:
        """Whose representations, or which."""
        assert model.profile is not None
        if goal is not None:
            shapes = {name: shape[1:] for name, shape in model.shapes(layers).items()}
            found, count = given_representations(model, goal, shapes)
            return _Sources(names=(goal.source,) * count, representations=found)
        images = to_uint8(pixels.array)
        shown = model.encoded(pixels.replaced(images))
        verdict = model.verdict(shown)
        representations = {}
        for name, array in model.values(shown, layers).items():
            if array.ndim == 0 or len(array) != len(shown):
                raise InputError(
                    f"{name!r} has the shape {list(array.shape)} for {len(shown)} image(s), not one representation an "
                    "image; choose another layer"
                )
            representations[name] = np.array(array, np.float32)
        return _Sources(
            names=pixels.names, representations=representations, images=images,
            classes=None if verdict is None else verdict.classes, labels=() if verdict is None else verdict.labels,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class _Sources:
    """What is inverted; images, classes and labels where the representations are images' own."""

    names: tuple[str | None, ...]
    representations: Mapping[str, NDArray[np.float32]]
    images: NDArray[np.uint8] | None = None
    classes: NDArray[np.int64] | None = None
    labels: tuple[str, ...] = ()

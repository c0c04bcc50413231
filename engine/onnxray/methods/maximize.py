"""Activation maximisation: the image that a class, a channel, a neuron or a direction answers to most.

    x* = argmax_x C E_T[ a(f(T(x))) ] - sum_k w_k R_k(x)

The presets: Olah, Mordvintsev, Schubert 2017 (Feature Visualization); Simonyan et al. 2013 (arXiv 1312.6034); Yosinski
et al. 2015 (arXiv 1506.06579); Mahendran & Vedaldi 2016 (arXiv 1512.02017); Nguyen et al. 2016 (arXiv 1605.09304).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, final

import numpy as np

from onnxray.differentiate import judged
from onnxray.errors import InputError
from onnxray.images import Pixels
from onnxray.method import Run, check_range
from onnxray.model import Model
from onnxray.objectives import Objective, Score
from onnxray.sought import channels_of, direction_of, each_target, in_one_batch
from onnxray.synthesis import Stepwise
from onnxray.synthesis_item import SynthesisItem
from onnxray.synthesis_objectives import Diversity

if TYPE_CHECKING:
    from onnxray.maximization import Setting


@final
@dataclass(frozen=True, kw_only=True)
class Maximize(Stepwise):
    """The image that a class, channel, neuron or direction answers to most: one for each --target, all at once."""

    name: ClassVar[str] = "maximize"
    needs_images: ClassVar[bool] = False

    preset: Annotated[
        Literal[
            "lucid", "plain", "simonyan", "yosinski-a", "yosinski-b", "yosinski-c", "yosinski-d", "mahendran", "dgn-am"
        ],
        "prior and optimiser: those of a paper, or plain pixels",
    ] = "lucid"
    score: Annotated[Literal["logit", "log-probability", "probability", "margin"], "what a class is scored by"] = (
        "logit"
    )
    layer: Annotated[str | None, "a value whose --channels are climbed, an image each"] = None
    channels: Annotated[str | None, "channels of --layer, as 0-63 or 0-7,12"] = None
    at: Annotated[Literal["mean", "centre"], "a channel's mean, or its neuron in the middle"] = "mean"
    direction: Annotated[tuple[str, ...] | None, "a direction at a value, as FILE.npy@NAME; repeatable"] = None
    measure: Annotated[Literal["dot", "cosine"], "how far a value goes in a direction"] = "dot"
    samples: Annotated[int, "images for each target"] = 1
    diversity: Annotated[float, "how much the samples of a target shall differ in style; lucid uses 100"] = 0.0
    diversity_layer: Annotated[str | None, "where their style is compared; default: where the target is"] = None
    steps: Annotated[int | None, "steps of the ascent; default: the preset's"] = None
    rate: Annotated[float | None, "learning rate, in the preset's unit; default: the preset's"] = None
    weight: Annotated[float, "factor on the preset's prior"] = 1.0
    reference: Annotated[float | None, "mahendran: the target's largest value; default: that on the images"] = None
    generator: Annotated[str | None, "dgn-am: the ONNX file of a generator, code to image"] = None
    generator_black: Annotated[float, "the number that the generator gives for black"] = -1.0
    generator_white: Annotated[float, "the number that the generator gives for white"] = 1.0
    generator_colours: Annotated[Literal["RGB", "BGR"], "the order of the generator's channels"] = "RGB"
    code_least: Annotated[float, "what a code is clipped to from below"] = -3.0
    code_most: Annotated[float, "what a code is clipped to from above"] = 3.0
    code_decay: Annotated[float, "share by which a code shrinks each step (L2)"] = 0.01
    together: Annotated[int, "images climbed at once"] = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("samples", self.samples, 1, 10_000)
        check_range("together", self.together, 1, 10_000)
        check_range("weight", self.weight, 0, 1e30)
        check_range("diversity", self.diversity, 0, 1e30)
        check_range("code_decay", self.code_decay, 0, 1)
        for low, high in (("code_least", "code_most"), ("generator_black", "generator_white")):
            if not -1e30 < getattr(self, low) < getattr(self, high) < 1e30:
                raise InputError(f"{low} is {getattr(self, low)} and {high} {getattr(self, high)}; less was expected")
        if self.diversity and self.samples < 2:
            raise InputError(f"diversity is {self.diversity:g} with one sample; give two or more: --samples")
        for name, least in (("steps", 1), ("rate", 1e-30), ("reference", 1e-30)):
            value = getattr(self, name)
            whole = isinstance(value, int) and not isinstance(value, bool)
            if value is not None and not (whole or (name != "steps" and isinstance(value, float))):
                raise InputError(f"{name} is {value!r}; a {'whole ' if name == 'steps' else ''}number was expected")
            if value is not None:
                check_range(name, value, least, 1e6 if name == "steps" else 1e30)

    def run(self, model: Model, pixels: Pixels, goal: Any, run: Run) -> Iterator[SynthesisItem]:
        """Give ``samples`` images for each target, in the order given: targets, channels, directions."""
        sought = self._sought(model, goal)
        if len(pixels) and self.preset != "mahendran":
            raise InputError(f"{len(pixels)} images are given; the preset {self.preset} begins from none")
        group = max(1, self.together // self.samples)
        total = len(sought)
        for first in range(0, total, group):
            part = sought[first : first + group]

            def progress(done: int, steps: int, what: str, first: int = first, count: int = len(part)) -> None:
                run.progress(int(1000 * (first + done / max(1, steps) * count)), 1000 * total, what)

            yield from self._climbed(model, pixels, part, first, Run(run.random, progress, run.notes))

    def _climbed(
        self, model: Model, pixels: Pixels, part: tuple[Objective, ...], first: int, run: Run
    ) -> Iterator[SynthesisItem]:
        from onnxray.ascent import climb
        from onnxray.maximization import recipe

        own = np.repeat(np.arange(len(part)), self.samples)
        objective = in_one_batch([part[k] for k in own])
        setting = self._setting(model, len(own))
        made = recipe(setting)
        climbing = objective
        if made.divides:
            factors = [made.factor / self._reference(model, pixels, one) for one in part]
            climbing = in_one_batch([factors[k] * part[k] for k in own])
        if self.diversity:
            climbing = climbing - self.diversity * Diversity(self._style(model, objective), own)
        begin = made.start(setting, len(own), run.random)
        found = climb(model, climbing, made.plan, run, count=len(own), start=begin, every=self.every)
        seen = Pixels(np.rint(found.images), (None,) * len(own))
        activations = judged(model, seen, objective)
        words = [objective.describe(k) for k in range(len(own))]
        yield from self.items(
            model, found,
            stems=[f"{first + int(k)}-{words[row]}-{row % self.samples}" for row, k in enumerate(own)],
            targets=words, layers=[part[k].values[0] for k in own],
            numbers=[
                {"activation": float(value), "sample": row % self.samples} for row, value in enumerate(activations)
            ],
        )  # fmt: skip

    def _sought(self, model: Model, goal: Any) -> tuple[Objective, ...]:
        targets = () if goal is None else tuple(goal) if isinstance(goal, tuple | list) else (goal,)
        score: Score = self.score
        found = list(each_target(model, targets, score, self.at))
        if (self.layer is None) != (self.channels is None):
            raise InputError("--layer and --channels belong together: the value, and its channels as 0-63")
        if self.layer is not None and self.channels is not None:
            grid = channels_of(model, self.layer, self.channels, self.at)
            found += [grid.rows(np.array([k])) for k in range(len(grid.channels))]
        found += [direction_of(model, text, self.measure) for text in self.direction or ()]
        if not found:
            raise InputError("no target was given; name a class, NAME:CHANNEL or NAME:CHANNEL,Y,X")
        return tuple(found)

    def _reference(self, model: Model, pixels: Pixels, objective: Objective) -> float:
        """The target's largest value on the images, by the judge. Errors: InputError where that is not positive."""
        if self.reference is not None:
            return float(self.reference)
        if not len(pixels):
            raise InputError(
                "the preset mahendran divides by the target's largest value on photographs; give some, or --reference"
            )
        found = float(judged(model, pixels, objective.rows(np.zeros(len(pixels), np.int64))).max())
        if not found > 0:
            raise InputError(
                f"{objective.describe(0)} is at most {found:.4g} on the images; give a positive --reference"
            )
        return found

    def _setting(self, model: Model, count: int) -> Setting:
        from onnxray.generative import generated
        from onnxray.maximization import Setting

        assert model.profile is not None
        generator = None
        if self.generator is not None:
            generator = generated(
                self.generator, count=count, output=(self.generator_black, self.generator_white),
                reverse=self.generator_colours == "BGR", decay=self.code_decay,
                limits=(self.code_least, self.code_most),
            )  # fmt: skip
        return Setting(
            preset=self.preset, shape=model.profile.shape, mean=model.profile.mean_colour, steps=self.steps,
            rate=self.rate, weight=self.weight, generator=generator,
        )  # fmt: skip

    def _style(self, model: Model, objective: Objective) -> str:
        """The value whose Gram matrices are compared. Errors: InputError where it has no channels and positions."""
        asked = self.diversity_layer
        name = objective.values[0] if asked is None else model.select_values([asked])[0]
        shape = model.graph.values[name].shape
        if shape is not None and (len(shape) < 3 or all(side == 1 for side in shape[2:])):
            raise InputError(
                f"{name!r} has the shape {list(shape)}, so it has no style; name another: --diversity-layer"
            )
        return name

"""Activation maximisation: the image that a class, a channel, a neuron or a direction answers to most.

    x* = argmax_x C E_T[ a(f(T(x))) ] - sum_k w_k R_k(x)

The presets: Olah, Mordvintsev, Schubert 2017 (Feature Visualization); Simonyan et al. 2013 (arXiv 1312.6034); Yosinski
et al. 2015 (arXiv 1506.06579); Mahendran & Vedaldi 2016 (arXiv 1512.02017); Nguyen et al. 2016 (arXiv 1605.09304),
2017 (PPGN, arXiv 1612.00005) and, of several facets and with a bias to the centre, 2016 (arXiv 1602.03616).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, final

import numpy as np

from onnxray.errors import InputError
from onnxray.images.eight_bits import to_uint8
from onnxray.images.pixels import Pixels
from onnxray.methods.option_checks import Range
from onnxray.methods.run import Run
from onnxray.methods.synthesis.base import Pictures, Stepwise
from onnxray.methods.synthesis.item import SynthesisItem
from onnxray.methods.synthesis.parts.preset_names import MaximizePreset
from onnxray.model.model import Model
from onnxray.model.opening import open_model
from onnxray.objectives.class_score import Score, in_one_batch
from onnxray.objectives.gradients import judged
from onnxray.objectives.objective import Objective
from onnxray.objectives.style import Diversity
from onnxray.objectives.target_lists import channels_of, direction_of, each_target
from onnxray.results.file_names import stem_named

if TYPE_CHECKING:
    from onnxray.methods.synthesis.ascent.generator_code import Generated
    from onnxray.methods.synthesis.parts.image_kinds import Facet
    from onnxray.methods.synthesis.parts.maximize_presets import MaximizeSetting

_BEGUN_FROM_IMAGES = frozenset({"mahendran", "multifaceted"})
_CODES = {"dgn-am": (0.01, -3.0, 3.0), "ppgn": (0.0, 0.0, 30.0)}
"""Decay of a generator's code, and its limits from below and above."""


@final
@dataclass(frozen=True, kw_only=True)
class Maximize(Stepwise):
    """The image that a class, channel, neuron or direction answers to most: one for each --target, all at once."""

    name: ClassVar[str] = "maximize"
    needs_images: ClassVar[bool] = False

    preset: Annotated[
        MaximizePreset,
        "prior and optimiser: those of a paper, or plain pixels",
    ] = "lucid"
    score: Annotated[
        Literal["auto", "logit", "log-probability", "probability", "margin"],
        "what a class is scored by; auto: as the preset's authors did, the logit where they did not say",
    ] = "auto"
    layer: Annotated[str | None, "a value whose --channels are climbed, an image each"] = None
    channels: Annotated[str | None, "channels of --layer, as 0-63 or 0-7,12"] = None
    at: Annotated[Literal["mean", "centre"], "a channel's mean, or its neuron in the middle"] = "mean"
    direction: Annotated[tuple[str, ...] | None, "a direction at a value, as FILE.npy@NAME; repeatable"] = None
    measure: Annotated[Literal["dot", "cosine"], "how far a value goes in a direction"] = "dot"
    samples: Annotated[int, "images for each target", Range(1, 10_000)] = 1
    diversity: Annotated[
        float, "how much the samples of a target shall differ in style; lucid uses 100", Range(0.0, 1e30)
    ] = 0.0
    diversity_layer: Annotated[str | None, "where their style is compared; default: where the target is"] = None
    steps: Annotated[int | None, "steps of the ascent; default: the preset's", Range(1, 1_000_000)] = None
    rate: Annotated[float | None, "learning rate, in the preset's unit; default: the preset's", Range(1e-30, 1e30)] = (
        None
    )
    weight: Annotated[float, "factor on the preset's prior; ppgn: its e1 is 1e-5 times it", Range(0.0, 1e30)] = 1.0
    reference: Annotated[
        float | None, "mahendran: the target's largest value; default: that on the images", Range(1e-30, 1e30)
    ] = None
    facets: Annotated[
        int, "multifaceted: how many kinds the images are sorted into, an image for each", Range(1, 10_000)
    ] = 10
    facets_layer: Annotated[
        str | None, "multifaceted: where images are alike; default: what the last linear layer before the logits reads"
    ] = None
    generator: Annotated[str | None, "dgn-am, ppgn: the ONNX file of a generator, code to image"] = None
    generator_black: Annotated[float, "the number that the generator gives for black"] = -1.0
    generator_white: Annotated[float, "the number that the generator gives for white"] = 1.0
    generator_colours: Annotated[Literal["RGB", "BGR"], "the order of the generator's channels"] = "RGB"
    code_least: Annotated[float | None, "what a code is clipped to from below; default: -3, ppgn: 0"] = None
    code_most: Annotated[float | None, "what a code is clipped to from above; default: 3, ppgn: 30"] = None
    code_decay: Annotated[
        float | None, "share by which a code shrinks each step (L2); default: 0.01, ppgn: 0", Range(0.0, 1.0)
    ] = None
    code_noise: Annotated[float, "ppgn: deviation of the noise on a code's gradient, e3", Range(0.0, 1e30)] = 1e-17
    encoder: Annotated[str | None, "ppgn: the ONNX file that reads a code off an image; default: the model"] = None
    encoder_profile: Annotated[str | None, "ppgn: how pixels enter the encoder; default: as for any model"] = None
    encoder_layer: Annotated[str | None, "ppgn: the encoder's value that is the code; default: its output"] = None
    together: Annotated[int, "images climbed at once", Range(1, 10_000)] = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        _, least, most = self._code()
        for low, high, bottom, top in (
            ("code_least", "code_most", least, most),
            ("generator_black", "generator_white", self.generator_black, self.generator_white),
        ):
            if not -1e30 < bottom < top < 1e30:
                raise InputError(f"{low} is {bottom} and {high} {top}; less was expected")
        if self.preset == "multifaceted" and self.samples > 1:
            raise InputError(f"samples is {self.samples}; the preset multifaceted gives an image a facet: --facets")
        if self.preset != "ppgn" and (self.encoder or self.encoder_layer or self.encoder_profile):
            raise InputError(f"an encoder is given; it belongs to the preset ppgn, and the preset is {self.preset}")
        if self.diversity and self.samples < 2:
            raise InputError(f"diversity is {self.diversity:g} with one sample; give two or more: --samples")

    def run(self, model: Model, pixels: Pixels, goal: Any, run: Run) -> Iterator[SynthesisItem]:
        """Give ``samples`` or ``facets`` images for each target, in the order given: targets, channels, directions."""
        from onnxray.methods.synthesis.parts.maximize_presets import SCORES

        kinds: tuple[Score, ...] = SCORES.get(self.preset, ("logit",))
        if self.score != "auto":
            kinds = (self.score,) * len(kinds)
        sought = {kind: self._sought(model, goal, kind) for kind in dict.fromkeys(kinds)}
        if len(pixels) and self.preset not in _BEGUN_FROM_IMAGES:
            raise InputError(f"{len(pixels)} images are given; the preset {self.preset} begins from none")
        pixels = model.encoded(pixels)  # each target's largest value, and facets, are read of them
        found = self._facets(model, pixels, run) if self.preset == "multifaceted" else ()
        group = max(1, self.together // (len(found) or self.samples))
        total = len(sought[kinds[0]])
        for first, own in run.units(range(0, total, group)):
            part = [sought[kind][first : first + group] for kind in kinds]

            def progress(done: int, steps: int, what: str, first: int = first, count: int = len(part[0])) -> None:
                run.progress(int(1000 * (first + done / max(1, steps) * count)), 1000 * total, what)

            yield from self._climbed(model, pixels, part, first, found, own.telling(progress))

    def _climbed(
        self, model: Model, pixels: Pixels, part: list[tuple[Objective, ...]], first: int, found: tuple[Facet, ...],
        run: Run,
    ) -> Iterator[SynthesisItem]:  # fmt: skip
        """Climb several targets at once; ``part``: the targets as each stage scores them."""
        from onnxray.methods.synthesis.ascent.stages import climb_in_turn
        from onnxray.methods.synthesis.parts.maximize_presets import maximize_recipe

        copies = len(found) or self.samples
        own = np.repeat(np.arange(len(part[0])), copies)
        setting = self._setting(model, len(own), run)
        made = maximize_recipe(setting)
        factors = np.full(len(part[0]), made.factor)
        if made.divides:
            factors /= [self._reference(model, pixels, one) for one in part[0]]
        climbing = []
        for targets in part:
            objective = in_one_batch([targets[k] if factors[k] == 1 else factors[k] * targets[k] for k in own])
            if self.diversity:
                objective = objective - self.diversity * Diversity(self._style(model, objective), own)
            climbing.append(objective)
        begin = made.start(setting, len(own), run.random)
        if found:
            begin = np.concatenate([[facet.mean for facet in found]] * len(part[0]))
        climbed = climb_in_turn(model, climbing, made.stages, run, count=len(own), start=begin, every=self.every)
        pictures = Pictures.of(model, climbed)
        objective = in_one_batch([part[-1][k] for k in own])
        activations = judged(model, pictures.pixels, objective)
        words = [objective.describe(k) for k in range(len(own))]
        numbers: list[dict[str, Any]] = [
            {"activation": float(value), "facet" if found else "sample": row % copies}
            for row, value in enumerate(activations)
        ]
        for row, facet in enumerate(found * len(part[0])):
            numbers[row] |= {"images": facet.count, "mean of": {str(k): pixels.names[k] for k in facet.nearest}}
        yield from self.items(
            pictures,
            stems=[
                stem_named(words[row], first + int(k), self.name, row % copies)
                for row, k in enumerate(own)
            ],
            targets=words, layers=[part[-1][k].values[0] for k in own], numbers=numbers,
            beside=[{"mean": to_uint8(facet.mean)} for facet in found * len(part[0])] if found else None,
        )  # fmt: skip

    def _sought(self, model: Model, goal: Any, score: Score) -> tuple[Objective, ...]:
        targets = () if goal is None else tuple(goal) if isinstance(goal, tuple | list) else (goal,)
        found = list(each_target(model, targets, score, self.at))
        if (self.layer is None) != (self.channels is None):
            raise InputError("--layer and --channels belong together: the value, and its channels as 0-63")
        if self.layer is not None and self.channels is not None:
            grid = channels_of(model, self.layer, self.channels, self.at)
            found += [grid.rows(np.array([k])) for k in range(grid.count or 0)]
        found += [direction_of(model, text, self.measure) for text in self.direction or ()]
        if not found:
            raise InputError("no target was given; name a class, NAME:CHANNEL or NAME:CHANNEL,Y,X")
        return tuple(found)

    def _facets(self, model: Model, pixels: Pixels, run: Run) -> tuple[Facet, ...]:
        """The kinds that the images are of. Errors: InputError where there are too few, or no value to tell them by."""
        from onnxray.methods.synthesis.parts.image_kinds import facets

        if not len(pixels):
            raise InputError("the preset multifaceted begins from images of the target: give some, or a folder of them")
        asked = self.facets_layer or "features"
        if asked == "features" and asked not in {*model.aliases, *model.graph.values}:
            raise InputError("the model has no last linear layer to read codes before; name a value: --facets-layer")
        name = model.select_value(asked)
        codes = model.values(pixels, [name])[name]
        if codes.ndim < 2 or len(codes) != len(pixels):
            raise InputError(
                f"{name!r} has the shape {list(codes.shape)} for {len(pixels)} image(s), not one code an image; name "
                "another: --facets-layer"
            )
        run.note(f"facets of {len(pixels)} images by {name!r}: k-means on their principal components, without t-SNE")
        return facets(codes.astype(np.float64), pixels.array, self.facets, run.random)

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

    def _code(self) -> tuple[float, float, float]:
        """A code's decay, and its limits from below and above."""
        own = (self.code_decay, self.code_least, self.code_most)
        defaults = _CODES["ppgn" if self.preset == "ppgn" else "dgn-am"]
        decay, least, most = (default if given is None else given for given, default in zip(own, defaults))
        return decay, least, most

    def _setting(self, model: Model, count: int, run: Run) -> MaximizeSetting:
        from onnxray.methods.synthesis.parts.maximize_presets import MaximizeSetting

        assert model.profile is not None
        return MaximizeSetting(
            preset=self.preset, shape=model.profile.shape, mean=model.profile.mean_colour, steps=self.steps,
            rate=self.rate, weight=self.weight,
            generator=None if self.generator is None else self._generated(model, self.generator, count, run),
        )  # fmt: skip

    def _generated(self, model: Model, file: str, count: int, run: Run) -> Generated:
        from onnxray.methods.synthesis.ascent.generator_code import CodePrior, encoder, generated

        assert model.profile is not None
        decay, least, most = self._code()
        made = generated(
            file, count=count, output=(self.generator_black, self.generator_white),
            reverse=self.generator_colours == "BGR", decay=decay, limits=(least, most),
        )  # fmt: skip
        if self.preset != "ppgn":
            return made
        reader = model
        if self.encoder is not None:
            reader = open_model(self.encoder, self.encoder_profile, device=model.device)
            if reader.profile is not None and reader.profile.assumed:
                run.note(f"the encoder's profile {reader.profile.name!r} is assumed; state it: --encoder-profile")
        elif self.encoder_layer is None:
            raise InputError("the preset ppgn reads codes off images: give --encoder FILE or --encoder-layer NAME")
        encode = encoder(reader, self.encoder_layer, shape=model.profile.shape, code=made.code, count=count)
        return replace(made, prior=CodePrior(encode=encode, weight=1e-5 * self.weight, noise=self.code_noise))

    def _style(self, model: Model, objective: Objective) -> str:
        """The value whose Gram matrices are compared. Errors: InputError where it has no channels and positions."""
        asked = self.diversity_layer
        name = objective.values[0] if asked is None else model.select_value(asked)
        shape = model.graph.values[name].shape
        if shape is not None and (len(shape) < 3 or all(side == 1 for side in shape[2:])):
            raise InputError(
                f"{name!r} has the shape {list(shape)}, so it has no style; name another: --diversity-layer"
            )
        return name

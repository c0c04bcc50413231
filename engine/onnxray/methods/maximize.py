"""Activation maximisation: the image that a class, a channel or a neuron answers to most.

    x* = argmax_x E_T[ a(f(T(x))) ] - sum_k w_k R_k(x)

Preset ``lucid``: Fourier coefficients with decorrelated colours, random jitter, scale and rotation, Adam (Olah,
Mordvintsev, Schubert 2017, Feature Visualization).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, final

import numpy as np

from onnxray.errors import InputError
from onnxray.images import Pixels
from onnxray.method import Run, check_range
from onnxray.model import Model
from onnxray.synthesis import Synthesis
from onnxray.synthesis_item import SynthesisItem
from onnxray.targets import read_target


@final
@dataclass(frozen=True, kw_only=True)
class Maximize(Synthesis):
    """The image that a class, a channel or a neuron answers to most; a target each (--target)."""

    name: ClassVar[str] = "maximize"
    needs_images: ClassVar[bool] = False

    steps: Annotated[int, "steps of the ascent"] = 512

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("steps", self.steps, 1, 1_000_000)

    def run(self, model: Model, pixels: Pixels, goal: Any, run: Run) -> Iterator[SynthesisItem]:
        """Give an image for each target."""
        from onnxray.ascent import Ascent, climb
        from onnxray.transforms import Similarity

        targets = goal if isinstance(goal, tuple | list) else (goal,)
        if goal is None or not targets:
            raise InputError("no target was given; name a class, NAME:CHANNEL or NAME:CHANNEL,Y,X")
        assert model.profile is not None
        blank = Pixels(np.zeros((1, *model.profile.shape), np.float32), (None,))
        for place, target in enumerate(targets):
            objective = read_target(model, blank, target)
            plan = Ascent(steps=self.steps, transforms=(Similarity(),))
            climbed = climb(model, objective, plan, run, every=self.every)
            described = objective.describe(0)
            yield from self.items(
                model, climbed, stems=[f"{place}-{described}"], targets=[described], layers=[objective.values[0]]
            )

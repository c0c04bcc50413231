"""RISE: randomized input sampling for explanation (Petsiuk, Das, Saenko 2018, arXiv 1806.07421).

    M = 1 / (N p) sum_i S(m_i x + (1 - m_i) fill) m_i

Masks m_i: s x s cells, each 1 with probability p, enlarged bilinearly to (s + 1) ceil(H / s) by (s + 1) ceil(W / s) and
cut to the image from a random place inside the first cell, as in the authors' code. N p is how often a pixel is
expected to be kept; no division by how often it was. A fill of the profile's mean colour is the authors' zero after
normalisation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, final

import numpy as np

from onnxray.errors import InputError
from onnxray.images.pixels import Pixels
from onnxray.methods.option_checks import Range
from onnxray.methods.run import Run
from onnxray.methods.saliency.base import Map, Saliency
from onnxray.methods.saliency.perturbation.copies import Copies
from onnxray.methods.saliency.perturbation.fills import FILLS, check_fill, filled_image
from onnxray.methods.saliency.perturbation.random_masks import RandomMasks
from onnxray.model.model import Model
from onnxray.objectives.objective import Objective

# As a share of the shorter side: a blur that leaves no detail of the size of a cell.
_BLUR = 1 / 14


@final
@dataclass(frozen=True, kw_only=True)
class RISE(Saliency):
    """RISE: the mean of random masks, each weighted by the score of the image under it. No gradients."""

    name: ClassVar[str] = "rise"

    score: Annotated[
        Literal["logit", "log-probability", "probability", "margin"],
        "how a class is scored; margin: over the largest other logit",
    ] = "probability"
    masks: Annotated[int, "how many masks", Range(1)] = 4000
    cells: Annotated[int, "cells of a mask along each side", Range(1)] = 7
    keep: Annotated[float, "probability that a cell is kept"] = 0.5
    fill: Annotated[str, f"what masked pixels become: {FILLS}"] = "mean"
    batch_memory: Annotated[int, "MiB that a batch of masked images may take"] = 512

    def __post_init__(self) -> None:
        super().__post_init__()
        check_fill(self.fill)
        if not 0 < self.keep < 1:
            raise InputError(f"keep is {self.keep!r}; a number between 0 and 1, neither of them, was expected")

    def map_unit(self, score: str, step: str) -> str:
        """Of a score, the mean under masks."""
        return f"mean {score}"

    def maps(self, model: Model, pixels: Pixels, objective: Objective, run: Run) -> Iterator[tuple[int, Map]]:
        """One forward a mask; all images get the same masks."""
        assert model.profile is not None
        copies = Copies(model, pixels, objective, self.batch_memory)
        height, width = pixels.array.shape[2:]
        if self.cells > min(height, width):
            raise InputError(f"cells is {self.cells}; at most {min(height, width)} fit into {height} x {width} pixels")
        masks = RandomMasks.drawn(self.masks, self.cells, self.keep, (height, width), run.random)
        for (row, image), own in run.units(enumerate(pixels.array)):
            fill = filled_image(model.profile, image, self.fill, _BLUR * min(height, width), own.random)
            total = np.zeros((height, width))
            for start in range(0, self.masks, copies.batch):
                drawn = masks.rows(start, start + copies.batch)
                # One colour for all masks, so that only their product with what is left is new: m (x - fill) + fill
                masked = drawn[:, None] * (image - fill)
                masked += fill
                feeds = model.feeds(Pixels.of(masked))
                scores = copies.read(copies.forward(feeds), len(masked), row)["score"]
                total += np.einsum(
                    "m,mhw->hw", scores.astype(np.float32), drawn
                )  # without numpy's threads: random_masks.py
                done = row * self.masks + start + len(drawn)
                run.progress(done, self.masks * len(pixels), f"{self.masks} masks")
            heat = (total / (self.masks * self.keep)).astype(np.float32)
            numbers = {
                "masks": self.masks, "cells": self.cells, "keep": self.keep, "fill": self.fill, **copies.facts,
            }  # fmt: skip
            yield row, Map(heat=heat, shown_from=float(heat.min()), numbers=numbers)

"""Attention rollout (Abnar & Zuidema 2020, arXiv 2005.00928).

    R = A'_L ... A'_2 A'_1,   A'_l = (A_l + I) / 2, its rows divided by their sums

A_l: the attention of block l (tokens by tokens), its heads joined by their mean, maximum or minimum; I stands for the
residual connection. The map is the first token's row of R at the picture's tokens (the class token's); where the
picture's own tokens are averaged in the end, the mean of their rows. Says nothing of the target. By ONNX Runtime alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, final

import numpy as np
from numpy.typing import NDArray

from onnxray.images.interpolation import bilinear
from onnxray.images.pixels import Pixels
from onnxray.methods.run import Run
from onnxray.methods.saliency.base import Map, Saliency
from onnxray.model.layers.attention_matrices import find_attentions
from onnxray.model.layers.grid import read_space
from onnxray.model.model import Model
from onnxray.objectives.objective import Objective


@final
@dataclass(frozen=True, kw_only=True)
class AttentionRollout(Saliency):
    """Where a transformer's attention goes, multiplied through all its blocks, whatever the class."""

    name: ClassVar[str] = "attention-rollout"

    heads: Annotated[Literal["mean", "max", "min"], "how the heads of a block are joined"] = "mean"

    def map_unit(self, score: str, step: str) -> str:
        """Of what reaches the token whose row it is."""
        return "share of attention"

    def maps(self, model: Model, pixels: Pixels, objective: Objective, run: Run) -> Iterator[tuple[int, Map]]:
        """One map an image; images one by one, for their matrices are large."""
        found = find_attentions(read_space(model), objective.values)
        grid = found.grid
        own = slice(grid.before, grid.before + grid.height * grid.width)
        seen = "the mean of the picture's tokens" if found.pooled else "the first token"
        run.note(f"{len(found.matrices)} attentions of {grid.kind}, rolled out from {seen}")
        for row, _ in run.units(range(len(pixels))):
            values = model.judge.values(model.feeds(pixels.rows(slice(row, row + 1))), found.matrices)
            rolled = rollout([values[name] for name in found.matrices], self.heads)
            shares = rolled[own, own].mean(0) if found.pooled else rolled[0, own]
            coarse = shares.reshape(grid.height, grid.width)
            heat = bilinear(coarse, (pixels.array.shape[2], pixels.array.shape[3]))
            run.progress(row + 1, len(pixels), "attention")
            yield row, Map(heat=heat.astype(np.float32), attribution=coarse.astype(np.float32))


def rollout(attentions: list[NDArray[np.float32]], heads: Literal["mean", "max", "min"]) -> NDArray[np.float64]:
    """R (T, T) of one image, from attentions (1, heads, T, T) or (heads, T, T), first block first."""
    size = attentions[0].shape[-1]
    rolled = np.eye(size)
    for attention in attentions:
        joined = getattr(np, heads)(attention.reshape(-1, size, size).astype(np.float64), axis=0) + np.eye(size)
        rolled = joined / joined.sum(1, keepdims=True) @ rolled
    return rolled

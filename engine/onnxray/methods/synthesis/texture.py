"""Texture synthesis: noise becomes a texture with the moments of a picture (Gatys, Ecker, Bethge 2015, NeurIPS).

    min_x sum_l beta_l E_l,   E_l = sum (G_l - A_l)^2 / (4 N_l^2 M_l^2),   G_l = F_l F_l^T

Style transfer without content, from noise; weights as there (style_losses.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, final

from onnxray.errors import InputError
from onnxray.images.eight_bits import to_uint8
from onnxray.images.pixels import Pixels
from onnxray.methods.option_checks import Range
from onnxray.methods.run import Run
from onnxray.methods.synthesis.base import Pictures, Stepwise
from onnxray.methods.synthesis.item import SynthesisItem
from onnxray.model.layers.grid import read_space
from onnxray.model.model import Model
from onnxray.results.file_names import stem_of


@final
@dataclass(frozen=True, kw_only=True)
class Texture(Stepwise):
    """Textures like those of pictures, from noise; at the model's own size."""

    name: ClassVar[str] = "texture"

    layer: Annotated[
        str | tuple[str, ...] | None,
        "values whose Gram matrices are matched; default: one for each halving of the input",
    ] = None
    samples: Annotated[int, "textures of each picture, from noise of their own", Range(1, 10_000)] = 1
    optimizer: Annotated[Literal["lbfgs", "adam"], "lbfgs, as in the paper, or adam"] = "lbfgs"
    steps: Annotated[int, "evaluations of network and gradient", Range(2, 1_000_000)] = 400

    def run(self, model: Model, pixels: Pixels, goal: Any, run: Run) -> Iterator[SynthesisItem]:
        """Give the textures of each picture."""
        if goal is not None:
            raise InputError("a texture takes no target; it has the moments of the pictures that are given")
        from onnxray.methods.synthesis.ascent.loop import climb
        from onnxray.methods.synthesis.parts.style_losses import (
            measured,
            refuse_flat,
            style_layers,
            style_losses,
            style_plan,
            total_of,
        )

        space = read_space(model)
        layers = style_layers(model, space, self.layer)
        run.note(f"moments at {', '.join(grid.value for grid in layers)}")
        plan = style_plan(self.optimizer, self.steps)
        for place, picture_run in run.units(range(len(pixels))):
            picture, path = pixels.rows(slice(place, place + 1)), pixels.names[place]
            losses = style_losses(space, picture, layers, 1.0)
            if not place:
                refuse_flat(model, losses)
            objective = total_of(losses, float(picture.array.size))
            for sample, own in picture_run.units(range(self.samples)):
                climbed = climb(model, objective, plan, own, every=self.every)
                pictures = Pictures.of(model, climbed)
                after = measured(model, losses, pictures.pixels)
                relative = sum(loss.weight * after[loss.name] for loss in losses)
                yield from self.items(
                    pictures, stems=[stem_of(path, place, self.name, sample)], paths=[path],
                    targets=["the picture's moments"], layers=[", ".join(grid.value for grid in layers)],
                    numbers=[{"relative error": relative, "losses": after}],
                    beside=[{"origin": to_uint8(picture.array[0])}],
                )  # fmt: skip

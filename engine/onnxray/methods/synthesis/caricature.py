"""Caricature: what a layer sees in a picture, exaggerated (Mahendran & Vedaldi 2016, Visualizing deep CNNs using
natural pre-images, section 6).

    max_x <ref, phi(x)> - R_alpha(x) - R_TV(x),   ref = max(phi0, 0) / ||max(phi0, 0)||^2,   x_0 the picture itself

R_alpha = 1/(HW) sum_px (||x_px - mean|| / B)^6,  R_TV = 1/(HW V^2) sum (dx)^2 + (dy)^2,  B = 80, V = B / 6.5, colour
norms about the model's mean. Steps, jitter and constants are those of the authors' nnpreimage.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, final

import numpy as np

from onnxray.errors import InputError, ZeroGradient
from onnxray.images.eight_bits import to_uint8
from onnxray.images.pixels import Pixels
from onnxray.methods.option_checks import Range
from onnxray.methods.run import Run
from onnxray.methods.synthesis.base import Pictures, Stepwise
from onnxray.methods.synthesis.item import SynthesisItem
from onnxray.model.layers.grid import read_space
from onnxray.model.layers.scales import at_scale
from onnxray.model.model import Model
from onnxray.objectives.style import Direction
from onnxray.results.file_names import stem_of

if TYPE_CHECKING:
    from onnxray.methods.synthesis.ascent.loop import Ascent

_HALVINGS = 4


@final
@dataclass(frozen=True, kw_only=True)
class Caricature(Stepwise):
    """Pictures in which what a layer sees is exaggerated."""

    name: ClassVar[str] = "caricature"

    layer: Annotated[
        str | tuple[str, ...] | None,
        "value or values whose representation is exaggerated, one after the other; default: the first wide value at a "
        "sixteenth of the input's height",
    ] = None
    steps: Annotated[int, "steps of the ascent", Range(1, 1_000_000)] = 300
    weight: Annotated[float, "of the representation against the regularisers", Range(1e-9, 1e9)] = 20.0
    jitter: Annotated[
        int, "pixels of play of the window that is seen at a step; -1: a quarter of the layer's", Range(-1, 1000)
    ] = -1

    def run(self, model: Model, pixels: Pixels, goal: Any, run: Run) -> Iterator[SynthesisItem]:
        """Give a caricature for each picture and layer."""
        if goal is not None:
            raise InputError("a caricature is of layers, not of a target; name them with --layer")
        from onnxray.methods.synthesis.ascent.loop import climb

        assert model.profile is not None
        if self.layer is None:
            layers: tuple[str, ...] = (at_scale(read_space(model), _HALVINGS).value,)
            run.note(f"layer {layers[0]!r}, chosen by its scale; another: --layer")
        else:
            layers = model.select_values((self.layer,) if isinstance(self.layer, str) else self.layer)
        pixels = model.encoded(pixels)
        for layer, at_layer in run.units(layers):
            values = np.maximum(model.values(pixels, [layer])[layer].astype(np.float64), 0)
            positive = values.reshape(len(pixels), -1)
            squares = (positive**2).sum(1, keepdims=True)
            if not squares.all():
                raise ZeroGradient(f"{layer!r} holds nothing above zero for a picture; there is nothing to exaggerate")
            shape = values.shape[2:] if values.ndim == 4 else ()
            stride = max(1, round(model.profile.size[0] / shape[0])) if shape else 1
            plan = self._plan(model, max(round(stride / 4), 1) if self.jitter < 0 else self.jitter)
            for place, own in at_layer.units(range(len(pixels))):
                objective = self.weight * Direction(layer, (positive / squares)[place : place + 1])
                start = pixels.array[place : place + 1]
                path = pixels.names[place]
                climbed = climb(model, objective, plan, own, start=start, every=self.every)
                yield from self.items(
                    Pictures.of(model, climbed), stems=[stem_of(path, place, layer, self.name)],
                    targets=[f"<max(phi0, 0), {layer}>"], layers=[layer], paths=[path],
                    beside=[{"origin": to_uint8(start[0])}],
                )  # fmt: skip

    def _plan(self, model: Model, jitter: int) -> Ascent:
        from onnxray.methods.synthesis.ascent.loop import Ascent
        from onnxray.methods.synthesis.ascent.optimizers import DecayingAdaGrad
        from onnxray.methods.synthesis.ascent.parametrizations import Pixels as PixelImage
        from onnxray.methods.synthesis.ascent.projections import Bounds
        from onnxray.methods.synthesis.ascent.transforms import Crop
        from onnxray.methods.synthesis.parts.recipe import NATURAL_RATE, Setting, natural_prior

        assert model.profile is not None
        rate = NATURAL_RATE * (model.profile.size[0] * model.profile.size[1])
        return Ascent(
            steps=self.steps,
            parametrization=PixelImage(),
            transforms=(Crop(pixels=jitter),) if jitter else (),
            regularizers=natural_prior(Setting(shape=model.profile.shape, mean=model.profile.mean_colour)),
            projections=(Bounds(),),
            optimizer=DecayingAdaGrad(schedule=((rate, self.steps),)),
        )

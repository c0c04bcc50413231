"""Activations: what every channel of a layer answers at each place of a picture, as a grid of channels.

    255 (a - min) / (max - min),   over the whole value, or over each channel

The values are ONNX Runtime's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, final

import numpy as np

from onnxray.errors import InputError
from onnxray.images.drawing.mosaic import mosaic, stretched
from onnxray.images.eight_bits import to_uint8
from onnxray.images.pixels import Pixels
from onnxray.methods.option_checks import Range
from onnxray.methods.run import Run
from onnxray.methods.synthesis.base import Synthesis
from onnxray.methods.synthesis.item import SynthesisItem
from onnxray.model.layers.grid import read_space
from onnxray.model.layers.scales import scales
from onnxray.model.model import Model
from onnxray.results.file_names import stem_of


@final
@dataclass(frozen=True, kw_only=True)
class Activations(Synthesis):
    """The values of a layer for pictures, as a grid of channels, by ONNX Runtime."""

    name: ClassVar[str] = "activations"

    layer: Annotated[
        str | tuple[str, ...] | None, "values with rows and columns; default: one for each halving of the input"
    ] = None
    normalise: Annotated[
        Literal["layer", "channel"], "black is the least and white the largest number of the layer, or of each channel"
    ] = "channel"
    most: Annotated[int, "channels shown; what is left out is said", Range(1, 100_000)] = 256

    def run(self, model: Model, pixels: Pixels, goal: Any, run: Run) -> Iterator[SynthesisItem]:
        """Give a grid for each picture and layer."""
        if goal is not None:
            raise InputError("activations take no target; name layers with --layer")
        space = read_space(model)
        if self.layer is None:
            grids = list(scales(space))
            if not grids:
                raise InputError("no value of this network is known to keep rows and columns; name layers: --layer")
        else:
            named = (self.layer,) if isinstance(self.layer, str) else self.layer
            grids = [space.grid(name) for name in model.select_values(named)]
        values = model.values(pixels, [grid.value for grid in grids])
        for (place, path), own in run.units(enumerate(pixels.names)):
            for grid in grids:
                maps = grid.maps(values[grid.value][place : place + 1])[0].astype(np.float64)
                if not np.isfinite(maps).all():
                    raise InputError(f"{grid.value!r} holds NaN or infinity for a picture; there is no grey for them")
                if len(maps) > self.most:
                    own.note(f"{grid.value}: the first {self.most} of {len(maps)} channels shown")
                shown = maps[: self.most, None]
                grey = stretched(shown) if self.normalise == "layer" else np.stack([stretched(one) for one in shown])
                run.progress(place + 1, len(pixels), grid.value)
                yield self.item(
                    model, mosaic(grey), path=path, layer=grid.value, target=f"{grid.value}, by {self.normalise}",
                    stem=stem_of(path, place, grid.value, self.name),
                    numbers={"channels": len(maps), "least": float(maps.min()), "largest": float(maps.max())},
                    beside={"origin": to_uint8(pixels.array[place])} if grid is grids[0] else {}, judged=False,
                )  # fmt: skip

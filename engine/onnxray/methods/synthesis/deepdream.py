"""DeepDream: a picture shows more and more of what a layer sees in it (Mordvintsev, Olah, Tyka 2015).

    max_x 1/2 |a(x)|^2:   x <- clip(x + step * g / mean|g|), on pictures reduced by scale^k, coarse to fine

Guided by another picture, each place of a grows towards the guide's feature that fits it best. Any picture size: the
network sees tiles of its own size, whose grid is shifted at random before each step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, final

import numpy as np

from onnxray.errors import InputError
from onnxray.images.eight_bits import to_uint8
from onnxray.images.pixels import Pixels
from onnxray.methods.option_checks import Range
from onnxray.methods.run import Run
from onnxray.methods.synthesis.base import Stepwise
from onnxray.methods.synthesis.item import SynthesisItem
from onnxray.model.layers.grid import read_space
from onnxray.model.layers.scales import at_scale
from onnxray.model.model import Model
from onnxray.results.file_names import stem_of

if TYPE_CHECKING:
    from onnxray.methods.synthesis.parts.dream_loop import Excited

_HALVINGS = 4


@final
@dataclass(frozen=True, kw_only=True)
class DeepDream(Stepwise):
    """Dreams: pictures, at their own size, that show more of what a layer sees in them."""

    name: ClassVar[str] = "deepdream"

    layer: Annotated[
        str | tuple[str, ...] | None,
        "value that is dreamt of, or NAME:CHANNEL; several add up. Default: the first wide value at a sixteenth of the "
        "input's height",
    ] = None
    octaves: Annotated[int, "how many sizes of the picture, coarse to fine", Range(1, 64)] = 4
    octave_scale: Annotated[float, "from one size to the next", Range(1.01, 16.0)] = 1.4
    steps: Annotated[int, "steps an octave", Range(1, 1_000_000)] = 10
    step_size: Annotated[float, "grey levels a step, the mean over the picture", Range(1e-6, 255.0)] = 1.5
    jitter: Annotated[
        int, "pixels that the picture is rolled by at random before each step, either way", Range(0, 100_000)
    ] = 32
    size: Annotated[int, "pixels of the longer side at most; larger pictures are reduced to it", Range(8, 20_000)] = 512
    guide: Annotated[str | None, "picture whose best-matching features are grown instead"] = None
    frames: Annotated[
        int, "pictures of a zoom, each dreamt from the one before, also as a GIF; 0: one picture", Range(0, 100_000)
    ] = 0
    zoom: Annotated[float, "share of the picture that each frame of a zoom cuts off", Range(0.0, 0.9)] = 0.05

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.guide is not None and (not isinstance(self.guide, str) or not self.guide):
            raise InputError(f"guide is {self.guide!r}; the path of one picture was expected")

    def longest_side(self) -> int | None:
        """Of a picture that is dreamt on."""
        return self.size

    def run(self, model: Model, pixels: Pixels, goal: Any, run: Run) -> Iterator[SynthesisItem]:
        """Give a dream for each picture, or each frame of its zoom."""
        if goal is not None:
            raise InputError("a dream is of layers, not of a target; name them with --layer, a channel as NAME:CHANNEL")
        from onnxray.methods.synthesis.parts.dream_loop import Dreaming, dream, zoomed

        assert model.profile is not None
        wanted = self._wanted(model, run)
        plan = Dreaming(
            octaves=self.octaves, scale=self.octave_scale, steps=self.steps, step=self.step_size, jitter=self.jitter
        )
        names = ", ".join(_words(one) for one in wanted)
        target = f"best match of {Path(self.guide).name} at {names}" if self.guide else f"1/2 |{names}|^2"
        for (place, picture), own in run.units(enumerate(run.pictures)):
            for note in picture.notes:
                own.note(note)
            high, wide = model.profile.size
            if picture.array.shape[2] > high or picture.array.shape[3] > wide:
                own.note(f"pictures larger than the model's {high} x {wide} are covered by tiles of that size")
            x, path = picture.array[0], picture.names[0]
            for frame in range(max(1, self.frames)):
                dreamt = dream(model, wanted, x, plan, own, self.every)
                yield self.item(
                    model, to_uint8(dreamt.image), path=path,
                    stem=stem_of(path, place, self.name, *(("frame", frame) if self.frames else ())),
                    target=target, layer=names, trace={"energy": dreamt.energies},
                    numbers={"frame": frame} if self.frames else {},
                    beside={"origin": to_uint8(picture.array[0])} if frame == 0 else {},
                    snapshots={step: to_uint8(image) for step, image in dreamt.snapshots.items()},
                )  # fmt: skip
                if dreamt.interrupted:
                    raise KeyboardInterrupt
                x = zoomed(dreamt.image, self.zoom)

    def _wanted(self, model: Model, run: Run) -> tuple[Excited, ...]:
        from onnxray.methods.synthesis.parts.dream_loop import Excited, excited

        space = read_space(model) if self.layer is None or self.guide is not None else None
        if self.layer is None:
            assert space is not None
            layers: tuple[str, ...] = (at_scale(space, _HALVINGS).value,)
            run.note(f"layer {layers[0]!r}, chosen by its scale; another: --layer")
        else:
            layers = (self.layer,) if isinstance(self.layer, str) else tuple(self.layer)
        selections = excited(model, layers)
        if self.guide is None:
            return tuple(Excited(one) for one in selections)
        assert space is not None
        guide = model.pixels(self.guide)
        if len(guide) != 1:
            raise InputError(f"the guide {self.guide} holds {len(guide)} pictures; one was expected")
        found = []
        for one in selections:
            if one.channel is not None:
                raise InputError(f"a guide matches whole features; name {one.value!r} without a channel")
            grid = space.grid(one.value)
            if grid.rows == grid.columns:
                raise InputError(f"{one.value!r} holds tokens; a guide needs a value with rows and columns of its own")
            maps = grid.maps(model.values(guide, [one.value])[one.value])[0]
            found.append(Excited(one, np.asarray(maps.reshape(len(maps), -1), np.float32), grid))
        return tuple(found)


def _words(one: Excited) -> str:
    return one.selection.value if one.selection.channel is None else f"{one.selection.value}:{one.selection.channel}"

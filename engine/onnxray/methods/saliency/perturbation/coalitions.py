"""Samples of which some parts are there and the others are replaced: what LIME and KernelSHAP ask of the judge.

    v(z) = mean_b S(x_z,b),   x_z,b = x where z is 1 for the part, b where it is 0

z: d numbers of 0 and 1, one a part. Parts are superpixels of a picture, the tokens of embedded text, else each number
of a sample. b, the background: the fill, or each of the samples that are given for it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, final

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.images.array_files import read_npy
from onnxray.images.pixels import Pixels
from onnxray.methods.option_checks import Range
from onnxray.methods.run import Run
from onnxray.methods.saliency.base import Map, Saliency, is_embedding, shape_of_maps
from onnxray.methods.saliency.perturbation.copies import Copies, slices
from onnxray.methods.saliency.perturbation.fills import FILLS, check_fill, filled_image, filled_sample
from onnxray.model.model import Model
from onnxray.objectives.objective import Objective

Flags = NDArray[np.bool_]
Tick = Callable[[int, int], None]
Superpixels = Literal["slic", "quickshift", "grid"]

_SEGMENTS, _COMPACTNESS = 50, 10.0
_KERNEL, _REACH, _RATIO = 4, 200, 0.2
"""What quickshift is called with by the authors of LIME: kernel_size, max_dist, ratio."""
_BLUR = 1 / 14
"""As a share of the shorter side: a blur that leaves no detail of the size of a superpixel."""
_LARGEST = 2**27
"""Numbers of the matrix that is solved: a gigabyte."""


@dataclass(frozen=True, eq=False)
class Parts:
    """index: the part, from 0, of each place of the map. count: how many there are."""

    index: NDArray[np.int64]
    count: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Game:
    """v of one sample, the row ``row`` of ``pixels``. background: (B, ...), what absent parts are replaced with."""

    copies: Copies
    pixels: Pixels
    row: int
    parts: Parts
    background: NDArray[Any]

    def scores(self, present: Flags, tick: Tick) -> NDArray[np.float64]:
        """(M,): v of coalitions (M, parts), in batches that fit into memory."""
        sample, count = self.pixels.array[self.row], len(self.background)
        total = np.zeros(len(present))
        for pairs in slices(np.arange(len(present) * count), self.copies.batch):
            coalitions, behind = pairs // count, pairs % count
            there = present[coalitions][:, self.parts.index]
            if is_embedding(self.pixels):
                there = there[..., None]
            elif not self.pixels.plain:
                there = there[:, None]
            changed = self.pixels.rows(np.full(len(pairs), self.row)).replaced(
                np.where(there, sample, self.background[behind])
            )
            values = self.copies.forward(self.copies.model.feeds(changed))
            np.add.at(total, coalitions, self.copies.read(values, len(pairs), self.row)["score"])
            tick(int(pairs[-1]) + 1, len(present) * count)
        return total / count


@dataclass(frozen=True, kw_only=True, eq=False)
class Weights:
    """What a method gives: a number for each part, and what there is to say of them."""

    parts: NDArray[np.float64]
    numbers: Mapping[str, Any]
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class PartAttribution(Saliency):
    """A saliency method that gives each part of a sample a number, from scores of the sample without some of them."""

    images_only: ClassVar[bool] = False

    superpixels: Annotated[
        Superpixels,
        "how pictures are divided: scikit-image's slic or quickshift, or squares; other samples into numbers or tokens",
    ] = "slic"
    segments: Annotated[int | None, "about how many superpixels, of slic and grid; by default 50", Range(1)] = None
    compactness: Annotated[float | None, "how square slic's superpixels are; by default 10", Range(1e-6)] = None
    fill: Annotated[str, f"what absent parts become: {FILLS}"] = "mean"
    background_samples: Annotated[
        str | None,
        "file or folder of samples to take absent parts from, averaged over all, in place of the fill",
    ] = None
    batch_memory: Annotated[int, "MiB that a batch of changed samples may take"] = 512

    def __post_init__(self) -> None:
        super().__post_init__()
        check_fill(self.fill)
        if self.superpixels == "quickshift" and self.segments is not None:
            raise InputError("segments are for slic and grid; superpixels is 'quickshift', which finds their number")
        if self.superpixels != "slic" and self.compactness is not None:
            raise InputError(f"compactness is for slic; superpixels is {self.superpixels!r}")

    def map_unit(self, score: str, step: str) -> str:
        """Of a score."""
        return score

    @abstractmethod
    def weights(self, game: Game, random: np.random.Generator, tick: Tick) -> Weights:
        """The numbers of the parts of one sample."""

    @final
    def maps(self, model: Model, pixels: Pixels, objective: Objective, run: Run) -> Iterator[tuple[int, Map]]:
        """One map an image: of each place the number of its part."""
        copies = Copies(model, pixels, objective, self.batch_memory)
        given = None if self.background_samples is None else _read_background(self.background_samples, model, pixels)
        said = f"fill {self.fill}" if given is None else f"{len(given)} samples of {self.background_samples}"
        for row, own in run.units(range(len(pixels))):

            def tick(done: int, total: int, place: int = row) -> None:
                run.progress(int(1000 * (place + done / total)), 1000 * len(pixels), f"{total} changed samples")

            parts = self._parts(pixels, row, own.random)
            background = self._filled(model, pixels, row, own.random) if given is None else given
            game = Game(copies=copies, pixels=pixels, row=row, parts=parts, background=background)
            found = self.weights(game, own.random, tick)
            tick(1, 1)
            numbers = {**found.numbers, "parts": parts.count, "background": said, **copies.facts}
            yield row, Map(
                heat=found.parts[parts.index].astype(np.float32), attribution=found.parts.astype(np.float32),
                signed=True, numbers=numbers, reason=found.reason, arrays={"parts": parts.index.astype(np.int32)},
            )  # fmt: skip

    def _parts(self, pixels: Pixels, row: int, random: np.random.Generator) -> Parts:
        if not pixels.plain:
            segments, compactness = self.segments or _SEGMENTS, self.compactness or _COMPACTNESS
            found = superpixels(pixels.array[row], self.superpixels, segments, compactness, random)
            if found.count == 1 and found.index.size > 1:
                raise InputError(
                    f"{self.superpixels} makes one superpixel of {pixels.names[row] or f'image {row}'}, so nothing can "
                    "be compared; ask for more segments, or take --superpixels grid"
                )
            return found
        if self.superpixels != "slic" or self.segments is not None or self.compactness is not None:
            raise InputError(
                "superpixels, segments and compactness are for pictures; of a sample each number or token is a part"
            )
        shape = shape_of_maps(pixels)
        count = int(np.prod(shape))
        return Parts(np.arange(count).reshape(shape), count)

    def _filled(self, model: Model, pixels: Pixels, row: int, random: np.random.Generator) -> NDArray[Any]:
        if pixels.plain:
            return filled_sample(pixels, row, self.fill)[None]
        assert model.profile is not None
        image = pixels.array[row]
        return filled_image(model.profile, image, self.fill, _BLUR * min(image.shape[1:]), random)[None]


def superpixels(
    image: NDArray[np.float32], kind: Superpixels, segments: int, compactness: float, random: np.random.Generator
) -> Parts:
    """Superpixels of a picture (C, height, width) in grey levels; grey is taken as a colour.

    slic (Achanta et al. 2012) in Lab; quickshift (Vedaldi, Soatto 2008), whose ties are broken at random; grid: nearly
    squares, all of nearly the same size.
    """
    from skimage.segmentation import quickshift, slic

    colours = np.broadcast_to(image, (3, *image.shape[1:])).transpose(1, 2, 0).astype(np.float64) / 255
    plane = colours.shape[:2]
    if kind == "quickshift":
        seed = int(random.integers(2**31))  # it takes no generator
        labels = quickshift(colours, kernel_size=_KERNEL, max_dist=_REACH, ratio=_RATIO, rng=seed)
    elif kind == "grid" or segments >= plane[0] * plane[1]:
        columns = min(plane[1], max(1, round((segments * plane[1] / plane[0]) ** 0.5)))
        rows = min(plane[0], max(1, round(segments / columns)))
        columns = min(plane[1], max(1, round(segments / rows)))
        down, across = (np.arange(side) * count // side for side, count in zip(plane, (rows, columns)))
        labels = down[:, None] * columns + across
    else:
        labels = slic(colours, n_segments=segments, compactness=compactness, start_label=0, channel_axis=-1)
    names, index = np.unique(labels, return_inverse=True)
    return Parts(index.reshape(plane), len(names))


def refuse_too_large(samples: int, parts: int) -> None:
    """Refuse a linear fit that takes more than a gigabyte. Errors: InputError."""
    if samples * parts > _LARGEST:
        raise InputError(
            f"{samples} changed samples of {parts} parts make a matrix of more than {_LARGEST * 8 // 2**30} GiB; take "
            "fewer samples, fewer parts, or a gradient method"
        )


def _read_background(place: str, model: Model, pixels: Pixels) -> NDArray[Any]:
    """(B, ...): samples like those that are explained. Errors: InputError, ImageError."""
    alone = len(model.graph.inputs) == 1
    found = np.asarray(model.pixels(place).array if alone else read_npy(Path(place)))
    if found.shape[1:] != pixels.array.shape[1:] or not len(found):
        raise InputError(
            f"background_samples is {short(place)}, of the shape {list(found.shape)}; samples of the shape "
            f"{list(pixels.array.shape[1:])} each were expected"
        )
    return found.astype(pixels.array.dtype)

"""DeepDream (Mordvintsev, Olah, Tyka 2015): a picture is moved, coarse to fine, to excite what a layer sees in it.

    octaves b_0 = picture, b_{k+1} = zoom(b_k, 1 / scale);   from the last to the first:
    x = b_k + zoom(detail);   x <- clip(x + step * g / mean|g|), g = dL/dx, several times;   detail = x - b_k

L = 1/2 |a|^2; guided, g pulls back y_{j*(i)}, j*(i) = argmax_j <a_i, y_j>, the guide's best match at each place i. Each
gradient is taken on the picture rolled by a random shift, in tiles of the model's size (images/tiles.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError, ZeroGradient
from onnxray.graph.value_names import Selection
from onnxray.images.eight_bits import to_uint8
from onnxray.images.interpolation import bilinear
from onnxray.images.pixels import Pixels
from onnxray.images.tiles import gathered
from onnxray.methods.run import Run
from onnxray.model.layers.grid import Grid
from onnxray.model.model import Model
from onnxray.notebooks.glimpses import offer

Floats = NDArray[np.float32]
_SMALLEST = 8


@dataclass(frozen=True, eq=False)
class Excited:
    """A value that is dreamt of: all of it, or one channel; the cotangent of 1/2 |a|^2 is a itself.

    ``features``: (channels, places) of a guide at this value, laid out by ``grid``; the cotangent at each place is then
    the guide's feature with the largest inner product there.
    """

    selection: Selection
    features: Floats | None = None
    grid: Grid | None = None

    def cotangent(self, value: Any) -> tuple[Any, float]:
        """The cotangent of a torch value of several tiles, and L summed over them."""
        import torch

        if self.features is not None and self.grid is not None:
            maps = value.movedim((self.grid.rows, self.grid.columns), (-2, -1))
            places = maps.reshape(len(maps), len(self.features), -1)
            guide = torch.as_tensor(self.features).to(value)
            products = torch.einsum("nci,cj->nij", places, guide)
            best = guide[:, products.argmax(2)].movedim(1, 0)
            wanted = best.reshape(maps.shape).movedim((-2, -1), (self.grid.rows, self.grid.columns))
            return wanted, float(products.amax(2).sum())
        wanted = value
        if self.selection.channel is not None:
            wanted = torch.zeros_like(value)
            wanted[:, self.selection.channel] = value[:, self.selection.channel]
        return wanted, float(wanted.double().square().sum()) / 2


@dataclass(frozen=True, kw_only=True)
class Dreaming:
    """How to dream: ``steps`` of ``step`` grey levels (the mean change) on each of ``octaves``."""

    octaves: int
    scale: float
    steps: int
    step: float
    jitter: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Dreamt:
    """What came of it. image: float32 (C, H, W) in [0, 255]; energies: L at each step."""

    image: Floats
    energies: tuple[float, ...]
    snapshots: Mapping[int, Floats] = field(default_factory=dict)
    interrupted: bool = False


def excited(model: Model, names: Sequence[str]) -> tuple[Selection, ...]:
    """What is dreamt of: values, or NAME:CHANNEL. Errors: InputError, UnknownValue."""
    found = tuple(model.select(name) for name in names)
    for one in found:
        if one.position is not None:
            raise InputError(f"{one.value!r} is given a position; a dream takes a value or NAME:CHANNEL")
        shape = model.graph.values[one.value].shape
        if one.channel is not None and shape is not None:
            count = shape[1] if len(shape) > 1 else 0
            if isinstance(count, int) and one.channel >= count:
                raise InputError(f"{one.value!r} has the shape {list(shape)}; there is no channel {one.channel}")
    if len({one.value for one in found}) != len(found):
        raise InputError("a layer is named twice; name each value once")
    return found


def octave_sizes(size: tuple[int, int], octaves: int, scale: float) -> list[tuple[int, int]]:
    """round(size / scale^k), largest first. Errors: InputError where the smallest is below 8 pixels."""
    sizes = [(round(size[0] / scale**k), round(size[1] / scale**k)) for k in range(octaves)]
    if min(sizes[-1]) < _SMALLEST:
        raise InputError(
            f"{octaves} octaves of {scale:g} reduce a picture of {size[0]} x {size[1]} to {sizes[-1][0]} x "
            f"{sizes[-1][1]}; {_SMALLEST} x {_SMALLEST} at least was expected: take fewer octaves or a larger picture"
        )
    return sizes


def dream(model: Model, wanted: Sequence[Excited], picture: Floats, plan: Dreaming, run: Run, every: int = 0) -> Dreamt:
    """Dream on a picture (C, H, W) in grey levels. Errors: ZeroGradient, NotDifferentiable, InputError."""
    sizes = octave_sizes((picture.shape[1], picture.shape[2]), plan.octaves, plan.scale)
    bases = [picture]
    for size in sizes[1:]:
        bases.append(bilinear(bases[-1], size, corners=True))
    detail, x = np.zeros_like(bases[-1]), bases[-1]
    energies: list[float] = []
    snapshots: dict[int, Floats] = {}
    interrupted = False
    total = plan.octaves * plan.steps
    try:
        for base, size in zip(reversed(bases), reversed(sizes)):
            detail = bilinear(detail, size, corners=True)
            x = base + detail
            for _ in range(plan.steps):
                gradient, energy = _gradient(model, wanted, x, _shift(model, size, plan.jitter, run))
                strength = float(np.abs(gradient).mean())
                if strength == 0:
                    names = ", ".join(repr(one.selection.value) for one in wanted)
                    raise ZeroGradient(
                        f"nothing of {names} answers to the picture, so there is nothing to dream of; take another "
                        "layer or picture"
                    )
                x = np.clip(x + plan.step / strength * gradient, 0, 255).astype(np.float32)
                detail = x - base
                energies.append(energy)
                if every and len(energies) % every == 0:
                    snapshots[len(energies)] = _full(picture, detail)
                offer(lambda now=detail: to_uint8(_full(picture, now))[None])  # type: ignore[misc]
                run.progress(len(energies), total, f"energy {energy:.4g}")
    except KeyboardInterrupt:
        if not energies:
            raise
        interrupted = True
    return Dreamt(image=_full(picture, detail), energies=tuple(energies), snapshots=snapshots, interrupted=interrupted)


def zoomed(picture: Floats, share: float) -> Floats:
    """The middle (1 - share) of a picture at its size: x'(p) = x((1 - share) p + share * size / 2), linear."""
    _, height, width = picture.shape
    for axis, length in ((1, height), (2, width)):
        places = np.clip(np.arange(length) * (1 - share) + length * share / 2, 0, length - 1)
        low = places.astype(np.int64)
        part = (places - low).reshape((-1, 1) if axis == 1 else (-1,)).astype(np.float32)
        high = np.minimum(low + 1, length - 1)
        picture = picture.take(low, axis) * (1 - part) + picture.take(high, axis) * part
    return picture


def _shift(model: Model, size: tuple[int, int], jitter: int, run: Run) -> tuple[int, int]:
    """DeepDream's jitter; along a side that is tiled, anywhere, so that seams never stay where they are."""
    assert model.profile is not None
    drawn = [
        run.random.integers(0, side) if side > own else run.random.integers(-jitter, jitter + 1)
        for side, own in zip(size, model.profile.size)
    ]
    return int(drawn[0]), int(drawn[1])


def _gradient(model: Model, wanted: Sequence[Excited], x: Floats, shift: tuple[int, int]) -> tuple[Floats, float]:
    assert model.profile is not None
    energies: list[float] = []

    def of_tiles(tiles: NDArray[Any]) -> NDArray[Any]:
        def cotangent(one: Excited) -> Any:
            def give(value: Any, _: slice) -> Any:
                found, energy = one.cotangent(value)
                energies.append(energy)
                return found

            return give

        pixels = Pixels.of(np.ascontiguousarray(tiles))
        found = model.pullback(pixels, {one.selection.value: cotangent(one) for one in wanted})
        return np.asarray(found)

    gradient = gathered(x, model.profile.size, shift, of_tiles)
    return np.asarray(gradient, np.float32), sum(energies)


def _full(picture: Floats, detail: Floats) -> Floats:
    """The picture with the detail of an octave carried up to its size."""
    size = (picture.shape[1], picture.shape[2])
    carried = detail if detail.shape == picture.shape else bilinear(detail, size, corners=True)
    return np.clip(picture + carried, 0, 255).astype(np.float32)

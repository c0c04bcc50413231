"""How much a layer's code moves when a picture changes and its content does not, factor by factor.

Factors are stated in parts/transformations.py, formulas in parts/moments.py: curves of how far codes move, the shares
of their variance that are of the factor, of the picture and of both together (Aubry, Russell 2015), and whether the
code follows the factor by a linear map (Lenc, Vedaldi 2015), found on every second picture and tested on the others.
A layer may be invariant (nothing moves), equivariant (it moves, and a map tells how), or neither. Of a layer of many
numbers the map is of means over cells of its grid, 8 x 8 at most. Values are ONNX Runtime's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, final

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.images.eight_bits import to_uint8
from onnxray.images.picture_list import PictureList, left_out_notes
from onnxray.images.pixels import Pixels
from onnxray.images.two_columns import two_columns
from onnxray.methods.features.base import Features, flat, pictures_of
from onnxray.methods.features.invariance_item import InvarianceItem
from onnxray.methods.features.parts.moments import Moments, linear_map
from onnxray.methods.features.parts.pixel_space import reduced
from onnxray.methods.features.parts.pooling import grid_of
from onnxray.methods.features.parts.transformations import FACTORS, Factor
from onnxray.methods.features.parts.walk import block_size, values_of
from onnxray.methods.run import Run
from onnxray.model.model import Model
from onnxray.results.file_names import stem_named

Codes = NDArray[np.float32]

_LARGEST: Final = 2**27
"""Numbers of all layers at all levels together: a gigabyte of sums."""
_MAPPED, _NUMBERS, _CELLS = 128, 16_384, 8
"""Pictures that a linear map is found and tested on, and how large their codes are at most."""
_FEWEST: Final = 4
_DRAWN: Final = 96
_PAIRS: Final = "pairs"


@final
@dataclass(frozen=True, kw_only=True)
class Invariance(Features[InvarianceItem]):
    """How much a layer's code moves with rotation, scale, light, blur and the like, and whether it follows them."""

    name: ClassVar[str] = "invariance"
    item_type: ClassVar[type[Any]] = InvarianceItem

    factor: Annotated[
        str | tuple[str, ...] | None,
        "rotation, scale, translation, light, contrast, hue, blur, jpeg, occlusion or flip; may be repeated; "
        "default: all",
    ] = None
    pairs: Annotated[str | None, "CSV of before,after: pictures of your own, before and after a change"] = None

    def run(self, model: Model, pixels: Pixels, goal: Any, run: Run) -> Iterator[InvarianceItem]:
        """Give every factor at every layer."""
        assert model.profile is not None
        factors = self._factors(model.profile.channel_count, run)
        layers = self.layers(model, run)
        pairs = None if self.pairs is None else _pairs(self.pairs)
        measured = {name: _Measured(model, name, factors) for name in layers}
        numbers = sum(one.numbers for one in measured.values()) * sum(len(factor.levels) for factor in factors)
        if numbers > _LARGEST:
            raise InputError(
                f"{', '.join(map(repr, layers))} at all levels are {numbers} numbers, more than {_LARGEST}; name fewer "
                "or later layers, or fewer factors"
            )
        first = self._measure(model, factors, measured, run)
        for layer, own in run.units(layers):
            for factor in factors:
                images = {"levels": _strip(factor, first)} if layer == layers[0] else {}
                yield measured[layer].item(factor, images, own)
            if pairs is not None:
                yield self._of_pairs(model, measured[layer], pairs)

    def _factors(self, channels: int, run: Run) -> tuple[Factor, ...]:
        names = (self.factor,) if isinstance(self.factor, str) else self.factor or tuple(FACTORS)
        for name in names:
            if name not in FACTORS:
                raise InputError(f"factor is {short(name)}; {', '.join(FACTORS)} were expected")
        unfit = [name for name in names if not FACTORS[name].fits(channels)]
        if unfit:
            run.note(f"{', '.join(unfit)} is left out, for the model takes grey pictures")
        found = tuple(FACTORS[name] for name in dict.fromkeys(names) if name not in unfit)
        if not found:
            raise InputError("no factor is left; name another, such as --factor rotation")
        return found

    def _measure(
        self, model: Model, factors: Sequence[Factor], measured: Mapping[str, _Measured], run: Run
    ) -> Codes:  # fmt: skip
        """Add every picture at every level; the first picture is given."""
        for layer in measured.values():
            layer.begin()
        pictures = pictures_of(run)
        first: Codes | None = None
        values, left_out = values_of(model, tuple(measured)), list[str]()
        size = block_size(model)
        for place in range(len(pictures)):
            read = pictures.read(place, place + 1)
            left_out += read.left_out
            if read.pixels is not None:
                picture = read.pixels.array[0]
                first = picture if first is None else first
                variants = [factor.variants(picture) for factor in factors]
                found = _values_in_blocks(values, np.concatenate(variants), size)
                for name, layer in measured.items():
                    layer.add(found[name], [len(part) for part in variants])
            run.progress(place + 1, len(pictures), f"{len(pictures)} pictures at all levels")
        for note in left_out_notes(left_out, len(pictures)):
            run.note(note)
        run.tell("left_out", len(left_out))
        assert first is not None
        return first

    def _of_pairs(self, model: Model, layer: _Measured, pairs: Sequence[tuple[str, str]]) -> InvarianceItem:
        """The user's own pairs at one layer."""
        assert model.profile is not None
        between = next(iter(layer.moments.values())).between()
        values, codes = values_of(model, (layer.name,)), flat(layer.name)
        far, own = list[float](), list[float]()
        for pair in pairs:
            both = PictureList.of(list(pair), model.profile).rows(np.arange(2))
            before, after = (
                codes(values(both.rows(slice(k, k + 1)))[layer.name])[0].astype(np.float64) for k in (0, 1)
            )
            far.append(float(np.square(after - before).sum()))
            own.append(float(np.square(before).sum()))
        listed = [
            {"before": pair[0], "after": pair[1], "moved": float(np.sqrt(one / between)) if between > 0 else None}
            for pair, one in zip(pairs, far)
        ]
        reason = None if between > 0 else "there is nothing between two pictures to measure by"
        return InvarianceItem(
            layer=layer.name, factor=_PAIRS, unit="", levels=[], own=None,
            moved=[float(np.sqrt(np.mean(far) / between))] if between > 0 else None,
            relative=[float(np.sqrt(np.sum(far) / np.sum(own)))] if np.sum(own) > 0 else None, shares=None,
            equivariance=None, pictures_seen=len(pairs), pairs=listed, reason=reason, stems={}, images={},
        )  # fmt: skip


def _values_in_blocks(values: Any, pictures: NDArray[np.float32], size: int) -> dict[str, NDArray[Any]]:
    """Values of any number of pictures, so many at a time."""
    parts = [values(Pixels.of(pictures[start : start + size])) for start in range(0, len(pictures), size)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _strip(factor: Factor, picture: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A picture at every level, side by side."""
    return np.concatenate(list(to_uint8(reduced(factor.variants(picture), _DRAWN))), 2)


@final
class _Measured:
    """What is added up of one layer."""

    def __init__(self, model: Model, name: str, factors: Sequence[Factor]) -> None:
        self.name, self._factors, self._grid = name, factors, grid_of(model, name)
        self.numbers = int(np.prod(model.shapes([name])[name][1:]))
        self.moments: dict[str, Moments] = {}
        self._own: list[Codes] = []
        self._changed: dict[str, list[Codes]] = {}

    def begin(self) -> None:
        """Before the first picture."""
        for one in self._factors:
            self.moments[one.name] = Moments(len(one.levels), self.numbers, one.levels.index(one.own))

    def add(self, values: NDArray[Any], counts: Sequence[int]) -> None:
        """One picture at all levels of all factors."""
        codes = flat(self.name)(values)
        cells = self._cells(values) if len(self._own) < _MAPPED else None
        start = 0
        for factor, count in zip(self._factors, counts):
            self.moments[factor.name].add(codes[start : start + count])
            if cells is not None:
                self._changed.setdefault(factor.name, []).append(cells[start + count - 1])
            start += count
        if cells is not None:
            self._own.append(cells[self._factors[0].levels.index(self._factors[0].own)])

    def _cells(self, values: NDArray[Any]) -> Codes | None:
        """Codes for a linear map: as they are, or as means over cells of the grid; None where they are too many."""
        if self.numbers <= _NUMBERS or self._grid is None:
            return flat(self.name)(values) if self.numbers <= _NUMBERS else None
        maps = self._grid.maps(values)
        rows, columns = (-(-side // _CELLS) for side in maps.shape[2:])
        high, wide = maps.shape[2] // rows, maps.shape[3] // columns
        cut = maps[:, :, : high * rows, : wide * columns]
        cells = cut.reshape(*maps.shape[:2], high, rows, wide, columns).mean((3, 5))
        found = cells.reshape(len(values), -1).astype(np.float32)
        return found if found.shape[1] <= 4 * _NUMBERS else None

    def item(self, factor: Factor, images: Mapping[str, NDArray[np.uint8]], run: Run) -> InvarianceItem:
        """What is told of one factor."""
        moments = self.moments[factor.name]
        moved, relative, shares = moments.moved(), moments.relative(), moments.shares()
        reasons = []
        if moved is None:
            alone = moments.pictures == 1
            reasons.append(f"moved: {'one picture alone is given' if alone else 'the pictures have one code'}")
        if relative is None:
            reasons.append("relative: the codes are 0")
        if shares is None:
            reasons.append("shares: the code does not vary")
        equivariance, why = self._equivariance(factor)
        reasons += [f"equivariance: {why}"] if why else []
        return InvarianceItem(
            layer=self.name, factor=factor.name, unit=factor.unit, levels=list(factor.levels), own=factor.own,
            moved=None if moved is None else moved.tolist(), relative=None if relative is None else relative.tolist(),
            shares=shares, equivariance=equivariance, pictures_seen=moments.pictures, pairs=None,
            reason="; ".join(reasons) or None, images=dict(images),
            stems={role: stem_named(self.name, 0, factor.name, "invariance", role) for role in images},
        )  # fmt: skip

    def _equivariance(self, factor: Factor) -> tuple[dict[str, Any] | None, str | None]:
        changed = self._changed.get(factor.name, [])
        if not changed:
            return None, f"the layer has {self.numbers} numbers, too many for a linear map of them"
        if len(changed) < _FEWEST:
            return None, f"{len(changed)} pictures are too few to find and to test a map on"
        found = linear_map(np.stack(self._own), np.stack(changed))
        if found is None:
            return None, "the changed pictures have one code"
        return {
            "level": factor.levels[-1], "r2": found.r2, "unchanged_r2": found.unchanged_r2,
            "found_on": found.found_on, "tested_on": found.tested_on,
        }, None  # fmt: skip


def _pairs(path: str) -> list[tuple[str, str]]:
    """The two paths of every row, relative to the CSV's own folder. Errors: InputError."""
    place = Path(path)
    rows = two_columns(place, what="pairs", columns="before,after", headings={"before"})
    return [(str(place.parent / before), str(place.parent / after)) for before, after in rows]

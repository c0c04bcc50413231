"""GridSample, AffineGrid and Col2Im.

GridSample-16 knew pictures alone and called its modes "bilinear" and "bicubic"; 20 takes any number of axes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from onnxray.importer.nodes.scope import Converted, Converters, Scope, for_versions
from onnxray.importer.nodes.shape_parameters import computed, dtype_of, integers, numbers

_TORCH_MODES = {"linear": "bilinear", "cubic": "bicubic", "nearest": "nearest"}
_FLOATS = {"", "float16", "bfloat16", "float32", "float64"}


class GridSample(nn.Module):
    """y[n, c, i] = x[n, c, grid[n, i]], between the elements and beyond the borders as the modes say.

    The grid's last axis counts the spatial axes from the last; -1 and 1 are the outer edges of the outer elements, or
    their centres (``align``). The gradient reaches input and grid; "nearest" has none for the grid.
    """

    def __init__(self, mode: str, border: str, align: bool) -> None:
        super().__init__()
        self.mode, self.border, self.align = mode, border, align

    def forward(self, x: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
        """Sample; half-precision values in float32."""
        dtype = torch.promote_types(torch.promote_types(x.dtype, grid.dtype), torch.float32)
        wide, places = x.to(dtype), grid.to(dtype)
        exact = self.mode != "nearest" or self.border != "reflection"
        if exact and x.ndim in ({4} if self.mode == "cubic" else {4, 5}):
            mode = _TORCH_MODES[self.mode]
            sampled = functional.grid_sample(wide, places, mode, self.border, self.align)
        else:  # torch mirrors before it rounds, the standard after; one axis and cubic volumes it does not know
            sampled = self._sample(wide, places)
        return sampled.to(x.dtype)

    def _sample(self, x: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
        """Any number of axes, as the standard states it."""
        sizes = x.shape[2:]
        bases, weights = [], []
        for axis, size in enumerate(sizes):
            place = grid[..., len(sizes) - 1 - axis] + 1
            place = place / 2 * (size - 1) if self.align else (place * size - 1) / 2
            if self.mode == "nearest":
                place = place.round()
            place = self._inside(place, size)
            base = place.detach().floor()
            bases.append(base.long())
            weights.append(_taps(place - base, self.mode))
        offset = -1 if self.mode == "cubic" else 0
        flat = x.flatten(2)
        total = torch.zeros((*x.shape[:2], *grid.shape[1:-1]), dtype=x.dtype, device=x.device)
        for tap in itertools.product(*(range(len(axis)) for axis in weights)):
            index = torch.zeros_like(bases[0])
            weight = torch.ones_like(grid[..., 0])
            for axis, size in enumerate(sizes):
                place = bases[axis] + tap[axis] + offset
                weight = weight * weights[axis][tap[axis]]
                if self.border == "zeros":
                    weight = torch.where((place < 0) | (place >= size), 0.0, weight)
                elif self.border == "reflection":
                    place = self._mirrored(place, size).long()
                index = index * size + place.clamp(0, size - 1)
            spread = index.flatten(1)[:, None].expand(-1, x.shape[1], -1)
            total = total + flat.gather(2, spread).reshape(total.shape) * weight[:, None]
        return total

    def _inside(self, place: torch.Tensor, size: int) -> torch.Tensor:
        """A coordinate beyond the outer edges, mirrored where the border says so."""
        low, high = (0.0, size - 1.0) if self.align else (-0.5, size - 0.5)
        if self.border == "reflection":
            return torch.where((place < low) | (place > high), self._mirrored(place, size), place)
        return place

    def _mirrored(self, place: torch.Tensor, size: int) -> torch.Tensor:
        """A coordinate mirrored at the outer edges until it is inside."""
        low, span = (0.0, size - 1.0) if self.align else (-0.5, float(size))
        if span == 0:
            return torch.zeros_like(place)
        away = (place - low).abs()
        rest = torch.remainder(away, 2 * span)
        return torch.minimum(rest, 2 * span - rest) + low


def _taps(ratio: torch.Tensor, mode: str) -> Sequence[torch.Tensor]:
    """The weights of the elements around a coordinate: 1, 2 or 4 of them."""
    if mode == "nearest":
        return [torch.ones_like(ratio)]
    if mode == "linear":
        return [1 - ratio, ratio]
    a = -0.75
    outer = [((a * d - 5 * a) * d + 8 * a) * d - 4 * a for d in (1 + ratio, 2 - ratio)]
    inner = [((a + 2) * d - (a + 3)) * d * d + 1 for d in (ratio, 1 - ratio)]
    return [outer[0], *inner, outer[1]]


def _grid_sample(scope: Scope) -> Converted:
    get = scope.attributes.get
    names = {"bilinear": "linear", "bicubic": "cubic", "nearest": "nearest"}
    stated = get("mode", "bilinear" if scope.version < 20 else "linear")
    mode = names.get(stated) if scope.version < 20 else stated
    border = get("padding_mode", "zeros")
    if mode not in names.values() or border not in {"zeros", "border", "reflection"}:
        raise scope.refuse(f"its mode is {stated!r} and its padding_mode {border!r}, which this version does not know")
    if dtype_of(scope) not in _FLOATS:
        raise scope.refuse(f"how means of {dtype_of(scope)} are rounded is not stated")
    return Converted(GridSample(str(mode), border, bool(get("align_corners", 0))), scope.node.inputs)


class AffineGrid(nn.Module):
    """grid[n, i] = theta[n] (coordinates of i, 1), with coordinates from -1 to 1: the places for GridSample."""

    def __init__(self, size: tuple[int, ...] | None, align: bool) -> None:
        super().__init__()
        self.size, self.align = size, align

    def forward(self, theta: torch.Tensor, size: torch.Tensor | None = None) -> torch.Tensor:
        """Give the grid."""
        lengths = (self.size or ()) if size is None else integers(size)
        return functional.affine_grid(theta, [theta.shape[0], *lengths[1:]], self.align)


def _affine_grid(scope: Scope) -> Converted:
    size, align = numbers(scope, 1), bool(scope.attributes.get("align_corners", 0))
    if align and size is not None and 1 in size[2:]:
        raise scope.refuse("align_corners is not defined for an axis of one element")
    return Converted(AffineGrid(size, align), computed(scope))


class Col2Im(nn.Module):
    """The sum of sliding blocks, each put back at its place in the picture (of any number of axes)."""

    def __init__(
        self,
        image: tuple[int, ...] | None,
        block: tuple[int, ...] | None,
        strides: tuple[int, ...] | None,
        pads: tuple[int, ...] | None,
        dilations: tuple[int, ...] | None,
    ) -> None:
        super().__init__()
        self.image, self.block = image, block
        self.strides, self.pads, self.dilations = strides, pads, dilations

    def forward(
        self, x: torch.Tensor, image: torch.Tensor | None = None, block: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Add the blocks up; x is (sample, channel and place in the block, block)."""
        sizes = (self.image or ()) if image is None else integers(image)
        kernel = (self.block or ()) if block is None else integers(block)
        rank = len(sizes)
        strides, dilations = self.strides or (1,) * rank, self.dilations or (1,) * rank
        pads = self.pads or (0,) * 2 * rank
        if rank == 2 and pads[:rank] == pads[rank:]:
            return functional.fold(x, sizes, kernel, dilations, pads[:rank], strides)
        index = torch.zeros(1, 1, dtype=torch.int64, device=x.device)
        padded = [size + pads[axis] + pads[axis + rank] for axis, size in enumerate(sizes)]
        for axis, size in enumerate(padded):
            within = torch.arange(kernel[axis], device=x.device) * dilations[axis]
            starts = torch.arange(0, size - dilations[axis] * (kernel[axis] - 1), strides[axis], device=x.device)
            own = within[:, None] + starts
            index = (index[:, None, :, None] * size + own[None, :, None, :]).flatten(2).flatten(0, 1)
        channels = x.shape[1] // math.prod(kernel)
        blocks = x.reshape(x.shape[0] * channels, -1)
        whole = blocks.new_zeros(blocks.shape[0], math.prod(padded)).index_add(1, index.reshape(-1), blocks)
        picture = whole.reshape(x.shape[0], channels, *padded)
        for axis, size in enumerate(sizes):
            picture = picture.narrow(axis + 2, pads[axis], size)
        return picture


def _col2im(scope: Scope) -> Converted:
    strides, pads, dilations = (
        tuple(scope.attributes[name]) if scope.attributes.get(name) else None
        for name in ("strides", "pads", "dilations")
    )
    module = Col2Im(numbers(scope, 1), numbers(scope, 2), strides, pads, dilations)
    return Converted(module, computed(scope))


CONVERTERS: Converters = {
    **for_versions("GridSample", (16, 20, 22), _grid_sample),
    **for_versions("AffineGrid", (20,), _affine_grid),
    **for_versions("Col2Im", (18,), _col2im),
}

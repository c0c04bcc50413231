"""How Resize maps an output place to an input coordinate, and mixes the elements around it, along one axis."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

_MODES = frozenset({"nearest", "linear", "cubic"})
_ROUNDINGS = frozenset({"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"})
_WHERE = frozenset({"half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_crop_and_resize"})
_TIE = 1e-6


@dataclass(frozen=True, slots=True)
class AxisPlan:
    """One axis to resize: to which length, by which scale, from which region (tf_crop_and_resize)."""

    axis: int
    size: int
    scale: float | torch.Tensor
    roi: tuple[torch.Tensor, torch.Tensor] | None

    def whole(self, length: int) -> bool:
        """Whether the scale is just that of the lengths, without a fraction cut off."""
        return isinstance(self.scale, float) and abs(self.scale * length - self.size) < 1e-5 * max(self.size, 1)


@dataclass(frozen=True, slots=True)
class Rule:
    """The attributes of a Resize. The rounding "old" is that of Upsample and Resize-10: up where an axis shrinks."""

    mode: str
    where: str
    rounding: str = "round_prefer_floor"
    cubic: float = -0.75
    exclude: bool = False
    antialias: bool = False
    outside: float = 0.0

    def unknown(self, version: int) -> str:
        """The attribute whose value this version does not know, "" where there is none."""
        extra = {19: {"half_pixel_symmetric"}, 11: {"tf_half_pixel_for_nn"}}.get(version, set())
        if self.mode not in _MODES:
            return "mode"
        if self.rounding not in _ROUNDINGS:
            return "nearest_mode"
        return "" if self.where in _WHERE | extra else "coordinate_transformation_mode"

    @property
    def plain(self) -> bool:
        """Whether torch interpolates so."""
        standard = self.cubic == -0.75 and not self.exclude and not self.antialias
        return standard and self.where in {"half_pixel", "pytorch_half_pixel", "align_corners"}

    @property
    def repeats(self) -> bool:
        """Whether "nearest" at a whole scale repeats every element so many times."""
        if self.where == "asymmetric":
            return self.rounding in {"floor", "old"}
        half = self.where in {"half_pixel", "pytorch_half_pixel", "half_pixel_symmetric"}
        return half and self.rounding in {"round_prefer_floor", "round_prefer_ceil"}

    def keeps(self, part: AxisPlan, length: int) -> bool:
        """Whether "nearest" takes every element of an axis once, in order."""
        if self.mode != "nearest" or part.roi is not None:
            return False
        device = torch.device("cpu")
        index = nearest_index(nearest_coordinates(part, length, self, device), length, self, part)
        return torch.equal(index, torch.arange(length))

    def doubt(self, length: int, part: AxisPlan) -> str:
        """What the standard's text, its tests and ONNX Runtime do not agree on; "" where they do."""
        if self.where == "align_corners" and part.size != 1 and not part.whole(length):
            return (
                f"with align_corners, {length} places times {float(part.scale):.4g} are no whole number of places, "
                "for which ONNX Runtime and the standard's tests differ"
            )
        if self.where == "pytorch_half_pixel" and part.size == 1 and (self.mode == "cubic" or not part.whole(length)):
            return "with pytorch_half_pixel and a single place, ONNX Runtime and the standard's tests differ"
        if self.mode == "nearest" and self.where == "half_pixel_symmetric" and self.rounding in {"floor", "ceil"}:
            where = nearest_coordinates(part, length, self, torch.device("cpu"))
            if bool(((where - where.round()).abs() < 1e-5).any()):
                return "with half_pixel_symmetric, floor and ceil hang on the last bit of a coordinate here"
        if part.size == length and not self.keeps(part, length):
            return (
                f"ONNX Runtime leaves an axis of {length} places that keeps its length as it is, the standard does not"
            )
        return ""


def coordinates(part: AxisPlan, length: int, where: str, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """The coordinate in an axis of ``length`` elements for each place of the resized axis."""
    place = torch.arange(part.size, dtype=dtype, device=device)
    scale = part.scale if isinstance(part.scale, torch.Tensor) else torch.tensor(part.scale, device=device)
    scale = scale.to(dtype)
    if where == "asymmetric":
        return place / scale
    if where == "tf_half_pixel_for_nn":
        return (place + 0.5) / scale
    if where == "align_corners":
        return place * (length - 1) / (part.size - 1) if part.size > 1 else place
    if where == "tf_crop_and_resize":
        assert part.roi is not None
        start, end = (bound.to(dtype) for bound in part.roi)
        if part.size > 1:
            return start * (length - 1) + place * (end - start) * (length - 1) / (part.size - 1)
        return place + 0.5 * (start + end) * (length - 1)
    if where == "pytorch_half_pixel" and part.size == 1:
        return place
    centred = (place + 0.5) / scale
    if where == "half_pixel_symmetric":
        centred = length / 2 * (1 - part.size / (scale * length)) + centred
    return centred - 0.5


def nearest(x: torch.Tensor, part: AxisPlan, rule: Rule) -> torch.Tensor:
    """Take one element for each place."""
    length = x.shape[part.axis]
    where = nearest_coordinates(part, length, rule, x.device)
    taken = x.index_select(part.axis, nearest_index(where, length, rule, part))
    return _with_outside(taken, where, length, part, rule)


def nearest_coordinates(part: AxisPlan, length: int, rule: Rule, device: torch.device) -> torch.Tensor:
    """Coordinates in float32, as ONNX Runtime has them: what is rounded hangs on the last bit."""
    if rule.where == "half_pixel_symmetric":  # of this mode, only the offset is
        scale = torch.tensor(float(part.scale), dtype=torch.float32, device=device)
        offset = (length / 2 * (1 - part.size / (scale * length))).double()
        place = torch.arange(part.size, dtype=torch.float64, device=device)
        return (offset + (place + 0.5) / scale.double() - 0.5).float()
    return coordinates(part, length, rule.where, torch.float32, device).detach()


def nearest_index(where: torch.Tensor, length: int, rule: Rule, part: AxisPlan) -> torch.Tensor:
    """Round the coordinates; half a place, but for float32's error, is a tie."""
    rounding = rule.rounding
    if rounding == "old":
        rounding = "ceil" if float(part.scale) < 1 else "floor"
    if rounding == "floor":
        index = where.floor()
    elif rounding == "ceil":
        index = where.ceil()
    elif rounding == "round_prefer_ceil":
        index = (where.double() + (0.5 + _TIE)).floor()
    else:
        index = (where.double() - (0.5 + _TIE)).ceil()
    return index.long().clamp(0, length - 1)


def weighted(x: torch.Tensor, part: AxisPlan, rule: Rule) -> torch.Tensor:
    """Mix the elements around each coordinate: weight = kernel(distance), the borders repeated."""
    length = x.shape[part.axis]
    where = coordinates(part, length, rule.where, torch.float64, x.device)
    reach = 1 if rule.mode == "linear" else 2
    shrink: float | torch.Tensor = 1.0
    if rule.antialias and float(part.scale) < 1:
        shrink = part.scale if isinstance(part.scale, float) else part.scale.double()
    first = math.floor(-reach / float(shrink)) + 1
    taps = torch.arange(first, 2 - first, device=x.device)[: 2 - 2 * first]
    base = where.detach().floor()
    distance = (taps - (where - base)[:, None]) * shrink
    weights = _linear(distance) if rule.mode == "linear" else _cubic(distance, rule.cubic)
    index = base.long()[:, None] + taps
    if rule.exclude:
        weights = torch.where((index < 0) | (index >= length), 0.0, weights)
    if rule.exclude or rule.antialias:
        total = weights.sum(-1, keepdim=True)
        weights = weights / torch.where(total == 0, 1.0, total)
    taken = x.index_select(part.axis, index.clamp(0, length - 1).reshape(-1))
    taken = taken.reshape(*x.shape[: part.axis], *index.shape, *x.shape[part.axis + 1 :])
    shape = [1] * taken.ndim
    shape[part.axis : part.axis + 2] = index.shape
    mixed = (taken * weights.to(x.dtype).reshape(shape)).sum(part.axis + 1)
    return _with_outside(mixed, where, length, part, rule)


def _with_outside(y: torch.Tensor, where: torch.Tensor, length: int, part: AxisPlan, rule: Rule) -> torch.Tensor:
    """tf_crop_and_resize gives a fixed value at coordinates outside of the input."""
    if rule.where != "tf_crop_and_resize":
        return y
    shape = [1] * y.ndim
    shape[part.axis] = part.size
    outside = ((where < 0) | (where > length - 1)).reshape(shape)
    return torch.where(outside, torch.tensor(rule.outside, dtype=y.dtype, device=y.device), y)


def _linear(distance: torch.Tensor) -> torch.Tensor:
    """1 - |d| where that is positive."""
    return (1 - distance.abs()).clamp(min=0)


def _cubic(distance: torch.Tensor, a: float) -> torch.Tensor:
    """Keys' kernel: (a + 2) d^3 - (a + 3) d^2 + 1 up to 1, a d^3 - 5 a d^2 + 8 a d - 4 a up to 2, then 0."""
    d = distance.abs()
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return torch.where(d <= 1, near, torch.where(d < 2, far, 0.0))

"""Resize and Upsample, all versions and modes.

Upsample took its scales as attributes before 9; it and Resize-10 map coordinates asymmetrically. Resize-11 added roi,
sizes, cubic, the coordinate modes and roundings; 13 dropped one mode, 18 added antialias, axes and the policies on the
aspect ratio, 19 half_pixel_symmetric.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.nn import functional

from onnxray.errors import InputError
from onnxray.importer.nodes.scope import Converted, Converters, Scope, for_versions
from onnxray.importer.nodes.shape_parameters import Refusal, computed, dtype_of
from onnxray.importer.ops.pictures.interpolation import AxisPlan, Rule, nearest, weighted

_TORCH_MODES = {("linear", 3): "linear", ("linear", 4): "bilinear", ("linear", 5): "trilinear", ("cubic", 4): "bicubic"}


@dataclass(frozen=True, slots=True)
class Given:
    """What a node states: scales or sizes, and a region of interest, for ``axes`` (all where None)."""

    scales: torch.Tensor | None = None
    sizes: torch.Tensor | None = None
    roi: torch.Tensor | None = None
    axes: tuple[int, ...] | None = None
    policy: str = "stretch"


class Resize(nn.Module):
    """Every element is a weighted mean of (or the nearest among) the input's elements around its coordinate there.

    The axes are independent of each other, so they are resized one after the other. The gradient reaches the input,
    and the coordinates where the graph computes them from a region or from scales.
    """

    def __init__(self, rule: Rule, given: Given, refuse: Refusal) -> None:
        super().__init__()
        self.rule, self.given, self.refuse = rule, given, refuse
        self._plans: tuple[tuple[int, ...], list[AxisPlan]] | None = None

    def forward(
        self,
        x: torch.Tensor,
        roi: torch.Tensor | None = None,
        scales: torch.Tensor | None = None,
        sizes: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Resize; the plans of the latest shape are kept where everything is constant."""
        if roi is None and scales is None and sizes is None:
            shape = tuple(x.shape)
            if self._plans is None or self._plans[0] != shape:
                self._plans = shape, plan(x.shape, self.rule, self.given, self.refuse)
            plans = self._plans[1]
        else:
            own = self.given
            given = replace(
                own,
                roi=own.roi if roi is None else roi,
                scales=own.scales if scales is None or not scales.numel() else scales,
                sizes=own.sizes if sizes is None or not sizes.numel() else sizes,
            )
            plans = plan(x.shape, self.rule, given, self.refuse)
        fast = self._by_torch(x, plans)
        return self._by_axes(x, plans) if fast is None else fast

    def _by_axes(self, x: torch.Tensor, plans: Sequence[AxisPlan]) -> torch.Tensor:
        if self.rule.mode == "nearest":
            for part in plans:
                x = nearest(x, part, self.rule)
            return x
        if not x.is_floating_point():
            raise self.refuse(f"how means of {x.dtype} are rounded is not stated")
        wide = x.float() if x.dtype in {torch.float16, torch.bfloat16} else x
        for part in plans:
            wide = weighted(wide, part, self.rule)
        return wide.to(x.dtype)

    def _by_torch(self, x: torch.Tensor, plans: Sequence[AxisPlan]) -> torch.Tensor | None:
        """What torch's own interpolation does exactly."""
        if x.dtype not in {torch.float32, torch.float64} or x.ndim not in {3, 4, 5} or not x.numel():
            return None
        if any(part.axis < 2 or part.roi is not None or part.size < 1 for part in plans):
            return None
        lengths = {part.axis: part.size for part in plans}
        size = [lengths.get(axis, x.shape[axis]) for axis in range(2, x.ndim)]
        if self.rule.mode == "nearest":
            doubled = all(part.size in {2 * x.shape[part.axis], 4 * x.shape[part.axis]} for part in plans)
            exact = doubled and self.rule.repeats and all(part.whole(x.shape[part.axis]) for part in plans)
            return functional.interpolate(x, size, mode="nearest") if exact else None
        mode = _TORCH_MODES.get((self.rule.mode, x.ndim))
        if mode is None or not self.rule.plain or not all(part.whole(x.shape[part.axis]) for part in plans):
            return None
        if self.rule.where == "pytorch_half_pixel" and 1 in lengths.values():
            return None
        return functional.interpolate(x, size, mode=mode, align_corners=self.rule.where == "align_corners")


def plan(shape: Sequence[int], rule: Rule, given: Given, refuse: Refusal) -> list[AxisPlan]:
    """The axes that change: their new lengths, scales and regions."""
    axes = tuple(range(len(shape))) if given.axes is None else tuple(axis % len(shape) for axis in given.axes)
    crop = rule.where == "tf_crop_and_resize"
    if crop and (given.roi is None or given.roi.numel() != 2 * len(axes)):
        raise InputError("Resize in the mode tf_crop_and_resize needs a region: a start and an end for every axis")
    if crop and given.scales is not None:
        raise refuse("tf_crop_and_resize with scales: runtimes differ in the output's size")
    wanted = given.scales if given.scales is not None else given.sizes
    if wanted is None or wanted.numel() != len(axes):
        raise InputError(f"Resize needs scales or sizes for {len(axes)} axes")
    lengths: list[int] = []
    scales: list[float | torch.Tensor] = []
    for k, axis in enumerate(axes):
        if given.scales is not None:
            scale = given.scales[k].float()
            lengths.append(int(scale.detach() * shape[axis]))  # in float32, as ONNX Runtime does
            scales.append(scale if scale.requires_grad else float(scale))
        else:
            lengths.append(int(wanted[k]))
            scales.append(lengths[-1] / shape[axis] if shape[axis] else 1.0)
    if given.scales is None and given.policy != "stretch":
        known = [float(scale) for scale in scales]
        common = min(known) if given.policy == "not_larger" else max(known)
        scales = [common] * len(axes)
        lengths = [int(common * shape[axis] + 0.5) for axis in axes]
    plans = []
    for k, axis in enumerate(axes):
        roi = (given.roi[k], given.roi[k + len(axes)]) if crop and given.roi is not None else None
        by = scales[k]
        same = lengths[k] == shape[axis] and isinstance(by, float) and abs(by - 1) < 1e-9
        whole = roi is None or (float(roi[0].detach()), float(roi[1].detach())) == (0, 1)
        if not (same and whole):
            plans.append(AxisPlan(axis, lengths[k], by, roi))
            doubt = rule.doubt(shape[axis], plans[-1])
            if doubt:
                raise refuse(doubt)
    return plans


def _resize(scope: Scope) -> Converted:
    get = scope.attributes.get
    rule = Rule(
        mode=get("mode", "nearest"),
        where=get("coordinate_transformation_mode", "half_pixel"),
        rounding=get("nearest_mode", "round_prefer_floor"),
        cubic=float(get("cubic_coeff_a", -0.75)),
        exclude=bool(get("exclude_outside", 0)),
        antialias=bool(get("antialias", 0)),
        outside=float(get("extrapolation_value", 0.0)),
    )
    unknown = rule.unknown(scope.version)
    policy = get("keep_aspect_ratio_policy", "stretch")
    if unknown or policy not in {"stretch", "not_larger", "not_smaller"}:
        raise scope.refuse(f"its {unknown or 'keep_aspect_ratio_policy'} is none that this version knows")
    if rule.antialias and rule.mode == "nearest":
        raise scope.refuse("antialias is not defined for the mode 'nearest'")
    axes = get("axes")
    roi, scales, sizes = (_filled(scope.constant(position)) for position in (1, 2, 3))
    given = Given(scales, sizes, roi, None if axes is None else tuple(axes), policy)
    names = list(computed(scope))
    if len(names) > 1 and rule.where != "tf_crop_and_resize":
        names[1] = ""  # the region is read in that mode alone
    return _converted(scope, rule, given, tuple(names))


def _filled(constant: torch.Tensor | None) -> torch.Tensor | None:
    """An empty tensor is how version 11 says that an input is left out."""
    return None if constant is None or not constant.numel() else constant.detach()


def _upsample(scope: Scope) -> Converted:
    """Upsample, and Resize-10."""
    get = scope.attributes.get
    mode = {"bilinear": "linear"}.get(get("mode", "nearest"), get("mode", "nearest"))
    if mode not in {"nearest", "linear"}:
        raise scope.refuse(f"its mode is {mode!r}, nearest and linear are known")
    rule = Rule(mode=mode, where="asymmetric", rounding="old")
    name = scope.input(0)
    if scope.node.operator == "Upsample" and scope.version < 7:
        scales = torch.tensor(
            [1.0, 1.0, float(scope.attributes["height_scale"]), float(scope.attributes["width_scale"])]
        )
        return _converted(scope, rule, Given(scales=scales), (name,))
    if scope.node.operator == "Upsample" and scope.version < 9:
        return _converted(
            scope, rule, Given(scales=torch.tensor([float(s) for s in scope.attributes["scales"]])), (name,)
        )
    constant = scope.constant(1)
    names = (name, "", scope.input(1)) if constant is None else (name,)
    return _converted(scope, rule, Given(scales=None if constant is None else constant.detach()), names)


def _converted(scope: Scope, rule: Rule, given: Given, names: tuple[str, ...]) -> Converted:
    if rule.mode != "nearest" and dtype_of(scope) not in {"", "float16", "float32", "float64", "bfloat16"}:
        raise scope.refuse(f"how means of {dtype_of(scope)} are rounded is not stated")
    if given.scales is not None and not bool((given.scales > 0).all()):
        raise scope.refuse(f"its scales are {given.scales.tolist()}, numbers above 0 were expected")
    module = Resize(rule, given, Refusal(scope))
    value = scope.graph.values.get(scope.input(0))
    if len(names) == 1 and value is not None and value.shape:
        shape = [1 if axis == 0 and size is None else size for axis, size in enumerate(value.shape)]
        known = [size for size in shape if isinstance(size, int)]
        if len(known) == len(shape):
            plan(known, rule, given, module.refuse)  # what this shape makes doubtful is refused now
    return Converted(module, names)


CONVERTERS: Converters = {
    **for_versions("Resize", (11, 13, 18, 19), _resize),
    **for_versions("Resize", (10,), _upsample),
    **for_versions("Upsample", (1, 7, 9, 10), _upsample),
}

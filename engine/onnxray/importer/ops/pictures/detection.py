"""NonMaxSuppression, RoiAlign and MaxRoiPool.

RoiAlign-16 added the shift by half a pixel, which version 10 does not have. The rest added types.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from onnxray.importer.nodes.scope import Converted, Converters, Scope, for_versions


class NonMaxSuppression(nn.Module):
    """The boxes of each class, best first, that overlap no better one by more than a threshold; no gradient.

    A box is a candidate where its score is above the score threshold; two overlap by the area that they share over
    the area that they cover together. Gives (sample, class, box) of every box that is left.
    """

    def __init__(self, centred: bool) -> None:
        super().__init__()
        self.centred = centred

    def forward(
        self,
        boxes: torch.Tensor,
        scores: torch.Tensor,
        most: torch.Tensor | None = None,
        overlap: torch.Tensor | None = None,
        least: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Select, sample by sample and class by class."""
        limit = 0 if most is None else int(most)
        threshold = 0.0 if overlap is None else float(overlap)
        chosen = []
        corners = self._corners(boxes.detach())
        areas = (corners[..., 2:] - corners[..., :2]).prod(-1)
        for sample in range(scores.shape[0] if limit > 0 else 0):
            for label in range(scores.shape[1]):
                score = scores[sample, label].detach()
                order = torch.sort(score, descending=True, stable=True).indices
                if least is not None:
                    order = order[score[order] > least.reshape(())]
                kept = _suppressed(corners[sample], areas[sample], order, limit, threshold)
                where = torch.tensor([sample, label], device=kept.device).expand(len(kept), 2)
                chosen.append(torch.cat((where, kept[:, None]), 1))
        return torch.cat(chosen) if chosen else torch.zeros((0, 3), dtype=torch.int64, device=boxes.device)

    def _corners(self, boxes: torch.Tensor) -> torch.Tensor:
        """Boxes as (low, low, high, high)."""
        if self.centred:
            half = boxes[..., 2:] / 2
            return torch.cat((boxes[..., :2] - half, boxes[..., :2] + half), -1)
        one, other = boxes[..., :2], boxes[..., 2:]
        return torch.cat((torch.minimum(one, other), torch.maximum(one, other)), -1)


def _suppressed(
    corners: torch.Tensor, areas: torch.Tensor, order: torch.Tensor, limit: int, threshold: float
) -> torch.Tensor:
    """The candidates, in their order, that no candidate kept before suppresses."""
    kept: list[torch.Tensor] = []
    while len(order) and len(kept) < limit:
        best, order = order[0], order[1:]
        kept.append(best)
        others = corners[order]
        low = torch.maximum(corners[best, :2], others[:, :2])
        high = torch.minimum(corners[best, 2:], others[:, 2:])
        shared = (high - low).clamp(min=0).prod(-1)
        covered = areas[best] + areas[order] - shared
        real = (shared > 0) & (areas[best] > 0) & (areas[order] > 0) & (covered > 0)
        order = order[~(real & (shared / covered > threshold))]
    return torch.stack(kept) if kept else order[:0]


def _non_max_suppression(scope: Scope) -> Converted:
    centred = scope.attributes.get("center_point_box", 0)
    return Converted(NonMaxSuppression(bool(centred)), scope.node.inputs)


class RoiAlign(nn.Module):
    """Each region's bins: the mean, or the maximum, of samples on a regular grid within the bin.

    A sample mixes the four elements around it; the maximum is taken over the weighted elements themselves, as the
    standard's reference and ONNX Runtime do. A ``ratio`` of 0 takes so many samples that they are about one apart. The
    gradient reaches the input and the regions.
    """

    def __init__(
        self, size: tuple[int, int], ratio: int, scale: float, shift: float, maximum: bool, least: bool
    ) -> None:
        super().__init__()
        self.size, self.ratio, self.scale = size, ratio, scale
        self.shift, self.maximum, self.least = shift, maximum, least

    def forward(self, x: torch.Tensor, rois: torch.Tensor, samples: torch.Tensor) -> torch.Tensor:
        """Pool; regions with equally fine grids at once."""
        edges = rois * self.scale - self.shift
        starts = edges[:, [1, 0]]
        lengths = edges[:, [3, 2]] - starts
        if self.least:
            lengths = lengths.clamp(min=1)
        bins = lengths / torch.tensor(self.size, dtype=x.dtype, device=x.device)
        counts = torch.full_like(bins, self.ratio) if self.ratio > 0 else bins.detach().ceil().clamp(min=0)
        pooled = x.new_zeros(len(rois), x.shape[1], *self.size)
        pixels = x.permute(0, 2, 3, 1)
        for fine in sorted({(int(down), int(right)) for down, right in counts.tolist()}):
            rows = (counts == torch.tensor(fine, device=x.device)).all(1).nonzero().reshape(-1)
            if min(fine) > 0:
                values = self._pool(pixels, samples[rows].long(), starts[rows], bins[rows], fine)
                pooled = pooled.index_copy(0, rows, values)
        return pooled

    def _pool(
        self,
        pixels: torch.Tensor,
        samples: torch.Tensor,
        starts: torch.Tensor,
        bins: torch.Tensor,
        fine: tuple[int, int],
    ) -> torch.Tensor:
        """Pool the regions whose bins have ``fine`` samples an axis."""
        low, high, weights = [], [], []
        for axis in (0, 1):
            size = pixels.shape[1 + axis]
            steps = torch.arange(self.size[axis], device=pixels.device)[:, None]
            within = (torch.arange(fine[axis], device=pixels.device) + 0.5) / fine[axis]
            place = starts[:, axis, None] + (steps + within).reshape(-1).to(starts.dtype) * bins[:, axis, None]
            inside = (place >= -1) & (place <= size)
            place = place.clamp(0, size - 1)
            first = place.detach().floor().long()
            ratio = place - first
            low.append(first)
            high.append((first + 1).clamp(max=size - 1))
            weights.append((torch.where(inside, 1 - ratio, 0.0), torch.where(inside, ratio, 0.0)))
        corners = []
        for row, down in ((low[0], weights[0][0]), (high[0], weights[0][1])):
            for column, right in ((low[1], weights[1][0]), (high[1], weights[1][1])):
                values = pixels[samples[:, None, None], row[:, :, None], column[:, None, :]]
                corners.append(values * (down[:, :, None] * right[:, None, :])[..., None])
        count, (height, width) = len(samples), self.size
        stacked = torch.stack(corners).reshape(4, count, height, fine[0], width, fine[1], -1)
        result = stacked.amax((0, 3, 5)) if self.maximum else stacked.sum((0, 3, 5)) / (fine[0] * fine[1])
        return result.permute(0, 3, 1, 2)


def _roi_align(scope: Scope) -> Converted:
    get = scope.attributes.get
    where = get("coordinate_transformation_mode", "half_pixel") if scope.version >= 16 else "output_half_pixel"
    mode = get("mode", "avg")
    if where not in {"half_pixel", "output_half_pixel"} or mode not in {"avg", "max"}:
        raise scope.refuse(f"its mode is {mode!r} and its coordinates {where!r}, which the standard does not know")
    half = where == "half_pixel"
    module = RoiAlign(
        (int(get("output_height", 1)), int(get("output_width", 1))), int(get("sampling_ratio", 0)),
        float(get("spatial_scale", 1.0)), 0.5 if half else 0.0, mode == "max", not half,
    )  # fmt: skip
    return Converted(module, scope.node.inputs)


class MaxRoiPool(nn.Module):
    """The maximum of each bin of a region, whose corners are rounded to whole places; 0 where a bin is empty.

    A region is (sample, x1, y1, x2, y2), both corners included; a maximum shared by several splits its gradient.
    """

    def __init__(self, size: tuple[int, int], scale: float) -> None:
        super().__init__()
        self.size, self.scale = size, scale

    def forward(self, x: torch.Tensor, rois: torch.Tensor) -> torch.Tensor:
        """Pool, region by region."""
        pooled = []
        for sample, *corners in rois.detach().tolist():
            left, top, right, bottom = (math.floor(abs(c * self.scale) + 0.5) * (1 if c >= 0 else -1) for c in corners)
            rows = _bins(top, bottom, self.size[0], x.shape[2])
            columns = _bins(left, right, self.size[1], x.shape[3])
            for y0, y1 in rows:
                for x0, x1 in columns:
                    part = x[int(sample), :, y0:y1, x0:x1]
                    pooled.append(part.amax((1, 2)) if part.shape[1] and part.shape[2] else x.new_zeros(x.shape[1]))
        if not pooled:
            return x.new_zeros(0, x.shape[1], *self.size)
        return torch.stack(pooled).reshape(len(rois), *self.size, -1).permute(0, 3, 1, 2)


def _bins(first: int, last: int, count: int, size: int) -> list[tuple[int, int]]:
    """Where each of the bins of a region starts and ends."""
    length = max(last - first + 1, 1) / count
    starts = (math.floor(k * length) + first for k in range(count))
    ends = (math.ceil((k + 1) * length) + first for k in range(count))
    return [(min(max(start, 0), size), min(max(end, 0), size)) for start, end in zip(starts, ends)]


def _max_roi_pool(scope: Scope) -> Converted:
    height, width = scope.attributes["pooled_shape"]
    return Converted(MaxRoiPool((height, width), float(scope.attributes.get("spatial_scale", 1.0))), scope.node.inputs)


CONVERTERS: Converters = {
    **for_versions("NonMaxSuppression", (10, 11), _non_max_suppression),
    **for_versions("RoiAlign", (10, 16, 22), _roi_align),
    **for_versions("MaxRoiPool", (1, 22), _max_roi_pool),
}

"""From a map to the object that it points at: a mask, its largest component, and the box around that.

"grabcut"    weakly supervised segmentation (Simonyan, Vedaldi, Zisserman 2013, arXiv 1312.6034, section 3.2): the map's
             quantiles are seeds for colour models of object and background, a graph cut finds the borders
"threshold"  where the map reaches a share of its maximum (CAM, arXiv 1512.04150: 20 %; Grad-CAM, 1610.02391: 15 %)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.images.placement import Box

Mask = NDArray[np.bool_]
Way = Literal["grabcut", "threshold"]

# OpenCV models each of object and background by as many Gaussians, and cannot fit them to fewer pixels.
_GAUSSIANS = 5
# An object that is cut off by so many sides of the image is doubtful: sky and floor are.
_SIDES = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class FoundObject:
    """What was found in one map: mask (height, width) and the box around it; None with a ``reason`` where nothing was;
    a ``reason`` beside a mask says why it is doubtful.

    share: the part of the image that the object takes.
    """

    how: Way
    mask: Mask | None = None
    box: tuple[int, int, int, int] | None = None
    reason: str | None = None

    @property
    def share(self) -> float:
        """Pixels of the object over pixels of the image; 0 where there is none."""
        return 0.0 if self.mask is None else float(self.mask.mean())


def grabcut(
    image: NDArray[np.uint8],
    heat: NDArray[np.floating[Any]],
    *,
    foreground: float = 0.95,
    background: float = 0.30,
    iterations: int = 5,
    seed: int = 0,
) -> FoundObject:
    """Largest component of GrabCut(image; sure object: M > Q(foreground), sure background: M < Q(background)).

    image: uint8 (1 or 3, height, width); heat: the map M, (height, width), Q its quantiles. The rest is probably
    object, as in OpenCV's own start from a rectangle. Where the smallest number alone fills more than the background's
    share (the zeros of a rectified map), all of its pixels are background.
    The paper cuts once; GrabCut repeats model and cut ``iterations`` times, which the paper leaves open.
    OpenCV starts its colour models at random: its generator is set to ``seed`` in this thread, and left there.
    A map with too few different numbers gives no object, and says why. Errors: InputError.
    """
    import cv2

    _check(heat)
    if not 0 <= background < foreground <= 1:
        raise InputError(
            f"the seeds' quantiles are {background} (background) and {foreground}; 0 <= background < foreground <= 1 "
            "was expected"
        )
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[1:] != heat.shape:
        raise InputError(f"an image of shape {image.shape} and {image.dtype} for a map of {heat.shape}")
    low, high = (float(np.quantile(heat, share)) for share in (background, foreground))
    sure, never = heat > high, heat < low
    if not never.any():
        never = heat <= low
    if not sure.any() or never.sum() < _GAUSSIANS or low >= high:
        return FoundObject(
            how="grabcut",
            reason=f"the map is too flat to seed a segmentation: its quantiles {background:g} and {foreground:g} are "
            f"{low:.4g} and {high:.4g}, with {int(never.sum())} and {int(sure.sum())} pixels beyond them",
        )
    labels = np.full(heat.shape, cv2.GC_PR_FGD, np.uint8)
    labels[never] = cv2.GC_BGD
    labels[sure] = cv2.GC_FGD
    blue_green_red = np.ascontiguousarray(np.broadcast_to(image[::-1], (3, *heat.shape)).transpose(1, 2, 0))
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(seed)
    cv2.grabCut(blue_green_red, labels, None, *models, iterations, cv2.GC_INIT_WITH_MASK)
    return _largest("grabcut", (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD))


def threshold(heat: NDArray[np.floating[Any]], share: float = 0.15) -> FoundObject:
    """Largest component of M >= share * max M. A map that is nowhere above zero gives no object. Errors: InputError."""
    _check(heat)
    if not 0 < share <= 1:
        raise InputError(f"the share of the map's maximum is {share}; more than 0 and at most 1 was expected")
    top = float(heat.max())
    if top <= 0:
        return FoundObject(how="threshold", reason=f"the map is nowhere above zero (its maximum is {top:.4g})")
    return _largest("threshold", heat >= share * top)


def box_overlap(a: Box, b: Box) -> float:
    """IoU = |a and b| / |a or b| of two boxes (x0, y0, x1, y1)."""
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    both = width * height
    either = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)) - both
    return float(both / either) if either > 0 else 0.0


def mask_overlap(a: Mask, b: Mask) -> float:
    """IoU = |a and b| / |a or b| of two masks of one shape; 0 where both are empty. Errors: InputError."""
    if a.shape != b.shape:
        raise InputError(f"masks of {a.shape} and {b.shape} cannot be compared; the reference has the model's size")
    either = int((a | b).sum())
    return float((a & b).sum() / either) if either else 0.0


def box_around(mask: Mask) -> tuple[int, int, int, int] | None:
    """The smallest box (x0, y0, x1, y1) that holds the mask; None for an empty one."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not rows.size:
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def is_pointed_at(heat: NDArray[np.floating[Any]], box: Box, tolerance: float = 15.0) -> bool:
    """The pointing game: whether the map's largest number lies in the box, or at most ``tolerance`` pixels from it.

    Of several equal ones the first counts, row by row (Zhang et al. 2016, arXiv 1608.00507, with 15 pixels).
    """
    row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    beside = max(box[0] - column, column - (box[2] - 1), 0.0), max(box[1] - row, row - (box[3] - 1), 0.0)
    return bool(np.hypot(*beside) <= tolerance)


def _largest(how: Way, mask: Mask) -> FoundObject:
    """The largest of the parts that hang together, corners included; of equal ones the first."""
    import cv2

    count, parts, facts, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count < 2:
        return FoundObject(how=how, reason="the segmentation leaves no object in the image")
    largest = parts == 1 + int(facts[1:, cv2.CC_STAT_AREA].argmax())
    found = FoundObject(how=how, mask=largest, box=box_around(largest))
    if largest.all():
        return replace(found, reason="the object fills the whole image")
    sides = sum(bool(side.any()) for side in (largest[0], largest[-1], largest[:, 0], largest[:, -1]))
    if sides >= _SIDES:
        return replace(found, reason=f"the object reaches {sides} sides of the image: background may be in it")
    return found


def _check(heat: NDArray[np.floating[Any]]) -> None:
    if heat.ndim != 2 or not heat.size or not np.isfinite(heat).all():
        raise InputError(f"a map of shape {heat.shape}; finite numbers of (height, width) were expected")

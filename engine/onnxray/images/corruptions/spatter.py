"""Drops on the lens, on pictures (channels, height, width) of floats in [0, 1].

    l        N(c_0, c_1) smoothed by c_2 pixels, 0 where below c_3
    water    x + c_4 (l d / max l d) turquoise, d how far inside a drop a pixel lies, raised to one side as by light
             (severities 1 to 3)
    mud      x (1 - m) + m brown, m = [l > c_3] smoothed by c_4 pixels, 0 where below 0.8 (4 and 5)

d by OpenCV, step by step as the benchmark's script has it: distance to the edges that Canny finds in l at 8 bits, 20
pixels at most, blurred by a box of 3, its histogram evened, an emboss, the box again.
"""

from __future__ import annotations

import numpy as np

from onnxray.arrays import Floats
from onnxray.images.corruptions.blur import smoothed
from onnxray.images.corruptions.severities import Severity

_TURQUOISE = np.array([175, 238, 238]) / 255
_BROWN = np.array([63, 42, 20]) / 255
_LUMA = np.array([0.299, 0.587, 0.114])
_EMBOSS = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]], np.float32)
_FARTHEST = 20


def spatter(x: Floats, severity: Severity, random: np.random.Generator) -> Floats:
    """The formulas at the top of the file. A grey picture takes the colours' grey."""
    mean, spread, sigma, least, amount, mud = severity.numbers
    layer = smoothed(random.normal(mean, spread, (1, *x.shape[1:])), sigma * severity.scale)[0]
    layer = np.where(layer < least, 0, layer)
    colour = _BROWN if mud else _TURQUOISE
    tint = (colour if len(x) == 3 else _LUMA @ colour[:, None])[:, None, None]
    if mud:
        covered = smoothed((layer > least).astype(np.float64)[None], amount * severity.scale)
        covered = np.where(covered < 0.8, 0, covered)
        return x * (1 - covered) + tint * covered
    drops = (layer * 255).astype(np.int64).astype(np.uint8)  # above 1 it begins anew, as in the script
    light = drops * _lit(drops)
    most = float(light.max())
    return x + amount * light / most * tint if most > 0 else x


def _lit(drops: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Floats:
    """d, in [0, 255]. Each step at 8 bits, as the script has it."""
    import cv2

    apart = cv2.distanceTransform(255 - cv2.Canny(drops, 50, 150), cv2.DIST_L2, 5)
    inside = cv2.blur(np.minimum(apart, _FARTHEST), (3, 3)).astype(np.uint8)
    raised = cv2.filter2D(cv2.equalizeHist(inside), cv2.CV_8U, _EMBOSS)
    return np.asarray(cv2.blur(raised, (3, 3)), np.float64)

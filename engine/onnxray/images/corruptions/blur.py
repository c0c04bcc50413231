"""Blur, on pictures (channels, height, width) of floats in [0, 1].

gaussian   a Gaussian of c pixels                    defocus   a disk of c_0 pixels, softened by a Gaussian of c_1
glass      a Gaussian of c_0, then each pixel shows one at most c_1 away, c_2 times over, then the Gaussian again
motion     half a Gaussian of c_1 along a line of c_0 pixels, at -45 to 45 degrees
zoom       the mean of the picture and of its centre enlarged 1 to c_0 times, in steps of c_1
"""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from onnxray.arrays import Floats
from onnxray.images.corruptions.severities import Severity


def gaussian_blur(x: Floats, severity: Severity, random: np.random.Generator) -> Floats:
    """Without noise: nothing is drawn."""
    return smoothed(x, severity.numbers[0] * severity.scale)


def defocus_blur(x: Floats, severity: Severity, random: np.random.Generator) -> Floats:
    """A lens out of focus: nothing is drawn."""
    radius, soft = severity.numbers[0] * severity.scale, severity.numbers[1]
    reach = max(8, math.ceil(radius))
    at = np.arange(-reach, reach + 1)
    inside = at[:, None] ** 2 + at**2 <= radius**2
    disk = inside / inside.sum()
    around = np.arange(-1, 2) if radius <= 8 else np.arange(-2, 3)
    soften = np.exp(-(around**2) / (2 * soft**2))
    soften /= soften.sum()
    for axis in (0, 1):
        disk = ndimage.convolve1d(disk, soften, axis, mode="mirror")
    used = int(np.abs(np.flatnonzero(disk.any(1)) - reach).max())
    return _convolved(x, disk[reach - used : reach + used + 1, reach - used : reach + used + 1])


def glass_blur(x: Floats, severity: Severity, random: np.random.Generator) -> Floats:
    """As through frosted glass. The benchmark's script swaps views of two pixels, which copies the one to the other."""
    sigma, reach, times = severity.numbers
    far = max(1, round(reach * severity.scale))
    height, width = x.shape[1:]
    places = list(range(height * width))
    rows, columns = range(height - far, far, -1), range(width - far, far, -1)
    for _ in range(int(times)):
        steps = iter((random.integers(-far, far, (len(rows) * len(columns), 2)) @ [width, 1]).tolist())
        for row in rows:
            for place in range(row * width + columns.start, row * width + columns.stop, -1):
                places[place] = places[place + next(steps)]
    soft = smoothed(x, sigma * severity.scale)
    shown = soft.reshape(len(x), -1)[:, places].reshape(x.shape)
    return smoothed(shown, sigma * severity.scale)


def motion_blur(x: Floats, severity: Severity, random: np.random.Generator) -> Floats:
    """As of a camera that moves."""
    radius, sigma = (number * severity.scale for number in severity.numbers)
    return along_line(x, radius, sigma, random.uniform(-45, 45))


def zoom_blur(x: Floats, severity: Severity, random: np.random.Generator) -> Floats:
    """As of a camera that comes nearer: nothing is drawn."""
    most, step = severity.numbers
    factors = np.arange(1, most, step)
    total = np.sum([x, *(enlarged(x, float(factor)) for factor in factors)], 0)
    return np.asarray(total / (len(factors) + 1), np.float64)


def smoothed(x: Floats, sigma: float) -> Floats:
    """A Gaussian over rows and columns; what lies outside is as the edge."""
    return np.asarray(ndimage.gaussian_filter(x, (0, sigma, sigma), mode="nearest"), np.float64)


def enlarged(x: Floats, factor: float) -> Floats:
    """The centre of a picture, enlarged to its size, between pixels by straight lines."""
    height, width = x.shape[1:]
    rows, columns = _enlarged_places(height, factor), _enlarged_places(width, factor)
    return _between(_between(x, rows, 1), columns, 2)


def along_line(x: Floats, radius: float, sigma: float, angle: float) -> Floats:
    """sum_i k_i x(p + i d), k half a Gaussian of 2 ceil(radius) + 1 places, d the way of the angle in degrees.

    Places are whole pixels, and what lies outside is as the edge, as ImageMagick has it.
    """
    count = 2 * math.ceil(radius) + 1
    weights = np.exp(-(np.arange(count) ** 2) / (2 * sigma**2))
    weights /= weights.sum()
    way = np.array([math.sin(math.radians(angle)), math.cos(math.radians(angle))])
    height, width = x.shape[1:]
    around = np.pad(x, ((0, 0), (count, count), (count, count)), mode="edge")
    found = np.zeros_like(x)
    for step, weight in enumerate(weights.tolist()):
        top, left = (count + math.ceil(step * part - 0.5) for part in way.tolist())
        found += weight * around[:, top : top + height, left : left + width]
    return found


def _convolved(x: Floats, kernel: Floats) -> Floats:
    """With an odd square kernel that is its own mirror image; what lies outside is mirrored about the edge's pixels."""
    reach = len(kernel) // 2
    around = np.pad(x, ((0, 0), (reach, reach), (reach, reach)), mode="reflect" if min(x.shape[1:]) > 1 else "edge")
    size = around.shape[1:]
    found = np.fft.irfft2(np.fft.rfft2(around) * np.fft.rfft2(kernel, size), size)
    return np.asarray(found[:, 2 * reach :, 2 * reach :], np.float64)


def _enlarged_places(side: int, factor: float) -> Floats:
    """Where each row of the enlarged centre comes from: its corners keep their pixels, what is too much is cut off."""
    taken = math.ceil(side / factor)
    large = max(side, round(taken * factor))
    first = (large - side) // 2
    step = (taken - 1) / (large - 1) if large > 1 else 0.0
    return np.asarray((side - taken) // 2 + step * (first + np.arange(side)), np.float64)


def _between(x: Floats, places: Floats, axis: int) -> Floats:
    """Rows or columns at places between them, by straight lines."""
    below = np.minimum(places.astype(np.int64), x.shape[axis] - 1)
    above = np.minimum(below + 1, x.shape[axis] - 1)
    share = (places - below).reshape(-1, *[1] * (2 - axis))
    return np.asarray(np.take(x, below, axis) * (1 - share) + np.take(x, above, axis) * share, np.float64)

"""What looks like weather, on pictures (channels, height, width) of floats in [0, 1].

    snow         c_6 x + (1 - c_6) max(x, 1.5 grey(x) + 0.5), and on it flakes: N(c_0, c_1) enlarged c_2 times, what is
                 below c_3 left out, moved along a line of c_4 pixels by c_5; once as they are and once turned around
    fog          (x + c_0 f) m / (m + c_0), f a plasma fractal in [0, 1] whose roughness falls by c_1, m = max x
    brightness   the value of HSV raised by c

The benchmark's frost lays photographs of its authors over pictures, which are not here. Drops on the lens:
``spatter.py``.
"""

from __future__ import annotations

import numpy as np

from onnxray.arrays import Floats
from onnxray.images.corruptions.blur import along_line, enlarged
from onnxray.images.corruptions.severities import Severity

_LUMA = np.array([0.299, 0.587, 0.114])


def snow(x: Floats, severity: Severity, random: np.random.Generator) -> Floats:
    """The first formula at the top of the file."""
    mean, spread, enlarge, least, radius, sigma, kept = severity.numbers
    flakes = enlarged(random.normal(mean, spread, (1, *x.shape[1:])), enlarge)
    flakes = np.clip(np.where(flakes < least, 0, flakes), 0, 1)
    flakes = along_line(flakes, radius * severity.scale, sigma * severity.scale, random.uniform(-135, -45))
    grey = np.tensordot(_LUMA, x, 1)[None] if len(x) == 3 else x
    white = kept * x + (1 - kept) * np.maximum(x, 1.5 * grey + 0.5)
    return white + flakes + flakes[:, ::-1, ::-1]


def fog(x: Floats, severity: Severity, random: np.random.Generator) -> Floats:
    """The second formula."""
    amount, fall = severity.numbers
    height, width = x.shape[1:]
    side = 1 << (max(height, width, 2) - 1).bit_length()
    most = float(x.max())
    return (x + amount * plasma(side, fall, random)[:height, :width]) * most / (most + amount)


def brightness(x: Floats, severity: Severity, random: np.random.Generator) -> Floats:
    """Hue and saturation stay; nothing is drawn."""
    (amount,) = severity.numbers
    value = x.max(0, keepdims=True)
    raised = np.minimum(value + amount, 1)
    return np.asarray(np.where(value > 0, x * raised / np.where(value > 0, value, 1), raised), np.float64)


def plasma(side: int, fall: float, random: np.random.Generator) -> Floats:
    """(side, side) in [0, 1] by the diamond-square algorithm on a torus; side is a power of two, 2 at least.

    Each round fills the middles of squares, then of their edges, with the mean of four neighbours and noise whose
    amplitude is divided by ``fall`` from round to round.
    """
    field = np.zeros((side, side))
    step, amplitude = side, 100.0

    def middle(total: Floats) -> Floats:
        return total / 4 + amplitude * random.uniform(-amplitude, amplitude, total.shape)

    while step >= 2:
        half = step // 2
        corners = field[::step, ::step]
        rows = corners + np.roll(corners, -1, 0)
        field[half::step, half::step] = middle(rows + np.roll(rows, -1, 1))
        centres = field[half::step, half::step]
        field[::step, half::step] = middle(centres + np.roll(centres, 1, 0) + corners + np.roll(corners, -1, 1))
        field[half::step, ::step] = middle(centres + np.roll(centres, 1, 1) + corners + np.roll(corners, -1, 0))
        step, amplitude = half, amplitude / fall
    field -= field.min()
    return np.asarray(field / field.max(), np.float64)

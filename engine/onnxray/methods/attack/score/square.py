"""Square, random search over squares (Andriushchenko, Croce, Flammarion, Hein 2020, arXiv 1912.00049).

    d_0    linf: +-eps in each column of each channel;  l2: rings of eta side by side, brought to ||d|| = eps
    d'     linf: +-eps in a square of each channel;  l2: +-eta added to a square, which takes over the norm of another
    d <-   d' where the margin of x_0 + d' is lower

eta falls from its two centres as sum_k 1 / k^2, one half up and the other down. A square covers a share p of the image,
halved after .001, .005, .02, .05, .1, .2, .4, .6 and .8 of the steps. Every number lies in a square that the sample's
own generator places. A square that would change nothing takes the opposite signs: of grey images one in two.

Asked is the judge alone, of what d has within [0, 255]; under linf of pixels in whole grey levels, floor(eps). A sample
is finished where the judge takes it as it is saved. Of arrays a square is a stretch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, final

import numpy as np

from onnxray.methods.attack.base import Attacked, Perturbations, WithinBudget
from onnxray.methods.attack.score.windows import Window, eta, odd, shape_of, square_of, swapped, tiles
from onnxray.methods.attack.threat import NORMS, Floats
from onnxray.methods.option_checks import Range
from onnxray.methods.variable import Rows

_HALVED = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
"""Shares of the steps after which p is halved."""
_RINGS = 5
"""Squares a side at the start under l2."""
_AHEAD = 64
"""Steps whose random numbers are drawn together."""


@final
@dataclass(frozen=True, kw_only=True)
class Square(WithinBudget):
    """Square: random search, one square after the other, by the judge's scores alone."""

    name: ClassVar[str] = "square"
    needs_gradients: ClassVar[bool] = False

    norm: Annotated[Literal["linf", "l2"], "the norm of the budget"] = "linf"
    steps: Annotated[int, "squares tried", Range(1, 1_000_000)] = 5000
    share: Annotated[float, "p at the start, of the image's area", Range(1e-4, 1.0)] = 0.8

    def perturb(self, attacked: Attacked) -> Perturbations:
        """The formula at the top of the file."""
        oracle, rows = attacked.oracle, attacked.rows
        steps = self.steps if self.queries is None else min(self.steps, self.queries)
        shape = (-1, *shape_of(oracle.variable.start.shape[1:]))
        low, high = (one.reshape(shape) for one in oracle.bounds(rows))
        eps = attacked.eps[:, None, None, None]
        if self.norm == "linf":
            eps = np.asarray(np.floor(eps) if oracle.variable.whole_steps else eps, np.float32)
            low, high = np.maximum(low, -eps), np.minimum(high, eps)
        best = self._start(attacked, low, high, eps)
        if attacked.start is not None:
            best = oracle.within(self.measure.project(attacked.start, attacked.eps), rows).reshape(low.shape)
        lowest, open_, drawn = np.full(len(rows), np.inf), np.arange(len(rows)), np.empty(0)
        for step in range(steps + 1):
            open_ = open_[oracle.left(rows[open_])]
            if not open_.size:
                break
            tried = best[open_]
            if step:
                ahead = (step - 1) % _AHEAD
                if not ahead:
                    drawn = self._drawn(attacked, open_, best.shape[1])
                side = math.sqrt(self.share_at(step - 1, steps) * best.shape[2] * best.shape[3])
                tried = self._moved(tried, low[open_], high[open_], drawn[open_, ahead], side, eps[open_])
            flat = tried.reshape(len(tried), -1)
            margins = oracle.margins(flat, rows[open_])
            lower = (margins < lowest[open_]) | (margins < 0)
            best[open_[lower]], lowest[open_[lower]] = tried[lower], margins[lower]
            open_ = open_[~attacked.arrived(flat, open_, margins < 0, self.measure)]
            attacked.tell(step, steps, f"square {step}")
        return Perturbations(d=best.reshape(len(rows), -1))

    def share_at(self, step: int, steps: int) -> float:
        """p of a step."""
        return float(self.share / 2 ** sum(step > part * steps for part in _HALVED))

    def _drawn(self, attacked: Attacked, places: Rows, channels: int) -> Floats:
        """(group, steps ahead, numbers): uniform numbers, of these samples."""
        numbers = channels + (2 if self.norm == "linf" else 5)
        found = np.empty((len(attacked), _AHEAD, numbers))
        for k in places.tolist():
            found[k] = attacked.random[k].random((_AHEAD, numbers))
        return found

    def _start(self, attacked: Attacked, low: Floats, high: Floats, eps: Floats) -> Floats:
        _, channels, height, width = low.shape
        if self.norm == "linf":
            up = np.stack([random.random((channels, 1, width)) < 0.5 for random in attacked.random])
            return np.where(np.broadcast_to(up, low.shape), high, low)
        found = np.zeros(low.shape)
        for place, random in enumerate(attacked.random):
            for part in tiles(height, width, _RINGS):
                ring = eta(*found[place, 0][part].shape)[int(random.random() < 0.5)]
                found[(place, slice(None), *part)] = ring * _signs(random.random((1, channels)))[0]
        return _scaled(found, low, high, eps)

    def _moved(self, d: Floats, low: Floats, high: Floats, drawn: Floats, side: float, eps: Floats) -> Floats:
        """d' of samples that are at d. drawn: (n, numbers) uniform."""
        shape = d.shape[1:]
        size = square_of(side, shape[1], shape[2])
        if self.norm == "l2":
            size = odd(size[0], shape[1]), odd(size[1], shape[2])
            rings = eta(*size)[(drawn[:, 4] < 0.5).astype(np.intp), None] * _signs(drawn[:, 5:])
            windows = Window.at(drawn[:, :2], d.shape, size), Window.at(drawn[:, 2:4], d.shape, size)
            return _scaled(swapped(d, *windows, rings, eps), low, high, eps)
        place = Window.at(drawn[:, :2], d.shape, size).index
        up = _signs(drawn[:, 2:]) > 0
        after = np.where(up, high[place], low[place])
        same = (after == d[place]).all((1, 2, 3))
        if same.any():
            after[same] = np.where(up, low[place], high[place])[same]
        d[place] = after
        return d


def _scaled(d: Floats, low: Floats, high: Floats, eps: Floats) -> Floats:
    """The norm brought to eps, then within the bounds."""
    size = NORMS["l2"].size(d.reshape(len(d), -1)).reshape(-1, 1, 1, 1)
    return np.asarray(np.clip(d * (eps / np.maximum(size, 1e-30)), low, high), np.float32)


def _signs(drawn: Floats) -> Floats:
    """(..., channels, 1, 1): +1 or -1 of uniform numbers (..., channels)."""
    return np.where(drawn < 0.5, 1.0, -1.0)[..., None, None]

"""APGD under l1: steps along the steepest numbers alone (Croce, Hein 2021, arXiv 2103.01208).

    s = sign g where |g| is among the k n largest, else 0,   d_{k+1} = P(d_k - a s / ||s||_1)

P is the nearest point of the ball that lies within the box, taken exactly (l1_box.py). a_0 = eps, k_0 = 0.2, d_0 =
P(255 N(0, 1)); of a start that was handed over k_0 is the share of numbers that it changes, over 1.5. Every 0.04 N
steps k becomes that share of the lowest loss's d, over 1.5; where that changes less than 0.95 of the numbers that it
changed before, a is eps again and d goes back to it, else a is divided by 1.5, to eps / 10 at least.
"""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from onnxray.methods.attack.gradient.auto_steps import AutoSteps
from onnxray.methods.attack.gradient.l1_box import nearest_in_box
from onnxray.methods.attack.threat import Floats
from onnxray.methods.variable import Rows

_SPARSER, _SHARE = 1.5, 0.2
_FEWER = 0.95
_LEAST = 10.0
_WHITE = 255.0


@final
class SparseSteps(AutoSteps):
    """share: (n,) k, of each sample. changed: (n,) how many numbers the lowest loss's d had changed at the check."""

    def begun(self, fresh: bool) -> Floats:
        """d_0."""
        start, numbers, count = self.attacked.start, self.attacked.oracle.numbers, len(self.rows)
        if start is not None and not fresh:
            d = self._nearest(start[self.places], np.arange(count))
            self.changed = (d != 0).sum(1)
            self.share = self.changed / numbers / _SPARSER
            return d
        self.share, self.changed = np.full(count, _SHARE), np.full(count, numbers)
        random = (self.attacked.random[k] for k in self.places.tolist())
        drawn = np.stack([_WHITE * one.standard_normal(numbers, np.float32) for one in random])
        return self._nearest(drawn, np.arange(count))

    def first_size(self) -> NDArray[np.float64]:
        """a_0."""
        return self.eps.copy()

    def first_check(self) -> int:
        """They come alike."""
        return max(int(0.04 * self.steps), 1)

    def begin(self) -> None:
        """Nothing: what is remembered came with the start."""

    def checked(self) -> NDArray[np.bool_]:
        """As the top of the file has it."""
        now = (self.best_d != 0).sum(1)
        sparser = np.asarray(now < _FEWER * self.changed, bool)
        self.share = now / self.d.shape[1] / _SPARSER
        self.size = np.where(sparser, self.eps, np.maximum(self.size / _SPARSER, self.eps / _LEAST))
        self.changed = now
        return sparser

    def stepped(self, left: Rows, *, first: bool) -> None:
        """d_{k+1} of these, in place of d_k."""
        large, numbers = np.abs(self.gradient[left]), self.d.shape[1]
        from_ = np.clip((1 - self.share[left]) * numbers, 0, numbers - 1).astype(np.int64)
        least = np.sort(large, axis=1)[np.arange(len(left)), from_]
        along = np.sign(self.gradient[left]) * (large >= least[:, None])
        length = self.size[left] / np.maximum(np.abs(along).sum(1), 1e-10)
        self.d[left] = self._nearest(self.d[left] - length[:, None].astype(np.float32) * along, left)

    def _nearest(self, d: Floats, left: Rows) -> Floats:
        low, high = self.attacked.oracle.bounds(self.rows[left])
        return nearest_in_box(d, self.eps[left], low, high)

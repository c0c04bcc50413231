"""One run of APGD from one start towards one aim; its step under linf and l2, and where it looks back (apgd.py)."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from onnxray.methods.attack.base import Attacked
from onnxray.methods.attack.oracle import Slopes
from onnxray.methods.attack.success import OtherClass
from onnxray.methods.attack.threat import Floats, Norm
from onnxray.methods.variable import Rows
from onnxray.objectives.class_losses import LossName


class Setting(Protocol):
    """What a run is set by: options of APGD."""

    @property
    def loss(self) -> LossName:
        """What is gone down."""

    @property
    def rho(self) -> float:
        """The share of steps that have to go down."""

    @property
    def measure(self) -> Norm:
        """The norm of the budget."""


class AutoSteps:
    """(n, ...) each: d, where a run is; nearest, the iterate that was taken or had the lowest margin; lowest, that
    margin; met, whether the judge took it; best, the lowest loss so far, best_d and best_gradient at it; size, of the
    steps; since, how many since the last check, which come ``check`` apart.

    asking: whether the judge is asked at all. told: what was done before, of how many.
    """

    def __init__(
        self, setting: Setting, attacked: Attacked, places: Rows, aim: OtherClass | None, steps: int, *, fresh: bool,
        asking: bool = True, told: tuple[int, int] = (0, 1),
    ) -> None:  # fmt: skip
        self.setting, self.attacked, self.places, self.told = setting, attacked, places, told
        self.steps, self.asking = steps, asking
        self.rows, self.eps = attacked.rows[places], attacked.eps[places]
        self.aim = attacked.oracle.criterion if aim is None else aim
        self.d = self.begun(fresh)
        self.nearest, count = self.d.copy(), len(places)
        self.lowest, self.met = np.full(count, np.inf), np.zeros(count, bool)
        self.loss, self.gradient = np.full(count, np.inf), np.zeros_like(self.d)
        self.before, self.fell, self.since = self.d.copy(), np.zeros(count, np.int64), 0
        self.size, self.check = self.first_size(), self.first_check()
        self.flat = np.zeros(count, bool)
        """Samples whose ratio of logits has had no gradient."""

    def descend(self) -> None:
        """All steps, of the samples that are not taken yet."""
        oracle = self.attacked.oracle
        left = self._asked(np.flatnonzero(oracle.left(self.rows, 3)))
        self.best, self.best_d, self.best_gradient = self.loss.copy(), self.d.copy(), self.gradient.copy()
        self.begin()
        for step in range(1, self.steps):
            left = left[oracle.left(self.rows[left], 3)]
            if not left.size:
                return
            self.stepped(left, first=step == 1)
            last, flat = self.loss.copy(), self.flat.copy()
            left = self._asked(left)
            self.best[self.flat & ~flat] = np.inf  # another loss from here on
            self.fell[left] += self.loss[left] < last[left]
            lower = left[self.loss[left] < self.best[left]]
            self.best[lower], self.best_d[lower] = self.loss[lower], self.d[lower]
            self.best_gradient[lower] = self.gradient[lower]
            self.since += 1
            if self.since == self.check:
                back = left[self.checked()[left]]
                self.d[back], self.gradient[back] = self.best_d[back], self.best_gradient[back]
                self.since = 0
                self.fell[:] = 0
            done, total = self.told
            self.attacked.tell(done + step + 1, total, f"step {step + 1}")

    def begun(self, fresh: bool) -> Floats:
        """d_0: what was handed over, at first; else on the sphere of radius eps."""
        norm, oracle, start = self.setting.measure, self.attacked.oracle, self.attacked.start
        if start is not None and not fresh:
            return oracle.within(norm.project(start[self.places], self.eps), self.rows)
        random = (self.attacked.random[k] for k in self.places.tolist())
        drawn = np.stack([norm.draw(one, oracle.numbers, 1.0) for one in random])
        share = self.eps / np.maximum(norm.size(drawn), 1e-30)
        return oracle.within(drawn * share[:, None].astype(np.float32), self.rows)

    def first_size(self) -> NDArray[np.float64]:
        """a_0."""
        return 2 * self.eps

    def first_check(self) -> int:
        """After how many steps the first check comes."""
        return max(int(0.22 * self.steps), 1)

    def begin(self) -> None:
        """What is remembered from one check to the next, before the first step."""
        self.kept, self.at_check = np.zeros(len(self.rows), bool), self.best.copy()

    def checked(self) -> NDArray[np.bool_]:
        """Set the sizes anew, and the next check; (n,): which go back to where the loss was lowest."""
        stuck = np.asarray(
            (self.fell <= self.setting.rho * self.check) | (self.kept & (self.best >= self.at_check)), bool
        )
        self.size = np.where(stuck, self.size / 2, self.size)
        self.kept, self.at_check = ~stuck, self.best.copy()
        shorter, least = (max(int(share * self.steps), 1) for share in (0.03, 0.06))
        self.check = max(self.check - shorter, least)
        return stuck

    def stepped(self, left: Rows, *, first: bool) -> None:
        """d_{k+1} of these, in place of d_k; d_k in place of d_{k-1}."""
        norm, oracle, share = self.setting.measure, self.attacked.oracle, 1.0 if first else 0.75
        rows, eps, d = self.rows[left], self.eps[left], self.d[left]
        down = d - self.size[left, None].astype(np.float32) * norm.steepest(self.gradient[left])
        z = oracle.within(norm.project(down, eps), rows)
        moved = d + np.float32(share) * (z - d) + np.float32(1 - share) * (d - self.before[left])
        self.before[left] = d
        self.d[left] = oracle.within(norm.project(moved, eps), rows)

    def _asked(self, left: Rows) -> Rows:
        """Loss and gradient at d; those of them that the judge does not take."""
        slopes = self._slopes(left)
        self.loss[left], self.gradient[left] = slopes.loss, slopes.gradient
        lower = slopes.margin < self.lowest[left]
        near = left[lower]
        self.lowest[near], self.nearest[near] = slopes.margin[lower], self.d[near]
        if not self.asking:
            return left
        arrived = near[(slopes.margin[lower] < 0) & self.attacked.oracle.left(self.rows[near])]
        self.met[arrived] = self.attacked.saved(self.d[arrived], self.places[arrived], self.setting.measure)
        return left[~self.met[left]]

    def _slopes(self, left: Rows) -> Slopes:
        """Those of the loss; of the margin where that has no gradient and the sample has not arrived."""
        oracle, kind = self.attacked.oracle, self.setting.loss
        loss, margin = np.zeros(len(left)), np.zeros(len(left))
        gradient = np.zeros((len(left), oracle.numbers), np.float32)
        for margins in (False, True):
            of = np.flatnonzero(self.flat[left] == margins)
            of = of[oracle.left(self.rows[left[of]], 2)]
            if not of.size:
                continue
            rows = self.rows[left[of]]
            found = oracle.slopes_of(self.d[left[of]], rows, self.aim.loss("margin" if margins else kind, rows))
            loss[of], margin[of], gradient[of] = found.loss, found.margin, found.gradient
            if not margins and kind == "difference-of-logits-ratio":
                self.flat[left[of[~found.gradient.any(1) & (found.margin >= 0)]]] = True
        return Slopes(loss=loss, margin=margin, gradient=gradient)

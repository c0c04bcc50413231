"""APGD, auto-PGD (Croce, Hein 2020, arXiv 2003.01690): projected gradient descent that sets its own step size.

    z       = within(project_eps(d_k - a_k steepest(g_k))),   g_k = grad L(x_0 + d_k)
    d_{k+1} = within(project_eps(d_k + 0.75 (z - d_k) + 0.25 (d_k - d_{k-1})))

a_0 = 2 eps, d_0 on the sphere of radius eps. At the checkpoints, first after 0.22 N steps, then after 0.03 N fewer each
time, 0.06 N at least, a_k is halved and d goes back to the lowest loss where the loss fell in at most 3/4 of the steps
since the last one, or where a was kept there and the lowest loss has not changed. A sample ends with the first iterate
that the judge takes as it is saved; where there is none the iterate of the lowest margin is given.

``classes`` = 9 is APGD-T: of each sample the classes nearest by score are aimed at, one after the other, and any other
class counts. Where the gradient of the ratio of logits is exactly zero (it is constant where y ranks third), which is
looked for at every iterate, the sample goes down its margin from there on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.methods.attack.base import Attacked, Perturbations, WithinBudget
from onnxray.methods.attack.oracle import Slopes
from onnxray.methods.attack.success import OtherClass
from onnxray.methods.attack.threat import Floats
from onnxray.methods.option_checks import Range
from onnxray.methods.variable import Rows
from onnxray.objectives.class_losses import LossName


@final
@dataclass(frozen=True, kw_only=True)
class APGD(WithinBudget):
    """Auto-PGD: projected gradient descent with momentum that halves its step where it stops getting on."""

    name: ClassVar[str] = "apgd"

    steps: Annotated[int, "gradients taken, for each restart and class", Range(1, 100_000)] = 100
    restarts: Annotated[int, "how often to begin", Range(1, 10_000)] = 1
    loss: Annotated[LossName, "what is gone down"] = "difference-of-logits-ratio"
    classes: Annotated[
        int, "APGD-T: how many of the nearest classes are aimed at, one after the other (9); 0: any other at once",
        Range(0, 100_000),
    ] = 0  # fmt: skip
    rho: Annotated[float, "the share of steps that have to go down, for the step size to be kept", Range(0.0, 1.0)] = (
        0.75
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.norm not in {"linf", "l2"}:
            raise InputError(f"norm is {self.norm!r}; apgd keeps to linf or l2: for the others take pdpgd or fmn")

    def perturb(self, attacked: Attacked) -> Perturbations:
        """The formula at the top of the file."""
        best = np.zeros((len(attacked), attacked.oracle.numbers), np.float32)
        lowest, open_ = np.full(len(attacked), np.inf), np.arange(len(attacked))
        rounds = [(restart, aim) for restart in range(self.restarts) for aim in self._aims(attacked)]
        for count, (restart, aim) in enumerate(rounds):
            run = _Descent(self, attacked, open_, aim, fresh=restart > 0, told=(count, len(rounds)))
            run.descend()
            lower = run.met | (run.lowest < lowest[open_])
            best[open_[lower]], lowest[open_[lower]] = run.nearest[lower], run.lowest[lower]
            open_ = open_[~run.met]
            open_ = open_[attacked.oracle.left(attacked.rows[open_], 3)]
            if not open_.size:
                break
        return Perturbations(d=best)

    def _aims(self, attacked: Attacked) -> list[OtherClass | None]:
        """What is aimed at, one after the other; None: what is asked for."""
        if self.classes == 0:
            return [None]
        criterion = attacked.oracle.criterion
        if not isinstance(criterion, OtherClass) or criterion.wanted is not None:
            raise InputError(
                f"classes is {self.classes}: the nearest classes are gone through where any other class will do, and "
                f"{criterion.describe(0)!r} was asked for; leave it at 0"
            )
        return [criterion.towards(one) for one in criterion.nearest(self.classes).T]


class _Descent:
    """One run from one start towards one aim. (n, ...) each: nearest, the iterate that was taken or had the lowest
    margin; lowest, that margin; met, whether the judge took it.
    """

    def __init__(
        self, method: APGD, attacked: Attacked, places: Rows, aim: OtherClass | None, *, fresh: bool,
        told: tuple[int, int],
    ) -> None:  # fmt: skip
        self.method, self.attacked, self.places, self.told = method, attacked, places, told
        self.rows, self.eps = attacked.rows[places], attacked.eps[places]
        self.aim = attacked.oracle.criterion if aim is None else aim
        self.d = self._begun(fresh)
        self.nearest, count = self.d.copy(), len(places)
        self.lowest, self.met = np.full(count, np.inf), np.zeros(count, bool)
        self.flat = np.zeros(count, bool)
        """Samples whose ratio of logits has had no gradient."""

    def descend(self) -> None:
        """All steps, of the samples that are not taken yet."""
        steps, oracle = self.method.steps, self.attacked.oracle
        check, shorter, least = (max(int(share * steps), 1) for share in (0.22, 0.03, 0.06))
        size, before = 2 * self.eps, self.d.copy()
        left = np.flatnonzero(oracle.left(self.rows, 3))
        gradient, loss = np.zeros_like(self.d), np.full(len(self.rows), np.inf)
        left = self._asked(left, loss, gradient)
        best, slope, d = loss.copy(), gradient.copy(), self.d.copy()
        kept, at_check = np.zeros(len(self.rows), bool), best.copy()
        fell, since = np.zeros(len(self.rows), np.int64), 0
        for step in range(1, steps):
            left = left[oracle.left(self.rows[left], 3)]
            if not left.size:
                return
            self._stepped(left, gradient, size, before, 0.75 if step > 1 else 1.0)
            last, flat = loss.copy(), self.flat.copy()
            left = self._asked(left, loss, gradient)
            best[self.flat & ~flat] = np.inf  # another loss from here on
            fell[left] += loss[left] < last[left]
            lower = left[loss[left] < best[left]]
            best[lower], slope[lower], d[lower] = loss[lower], gradient[lower], self.d[lower]
            since += 1
            if since == check:
                stuck = (fell <= self.method.rho * check) | (kept & (best >= at_check))
                back = left[stuck[left]]
                size[back] /= 2
                self.d[back], gradient[back] = d[back], slope[back]
                kept, at_check, since, check = ~stuck, best.copy(), 0, max(check - shorter, least)
                fell[:] = 0
            done, runs = self.told
            self.attacked.tell(done * steps + step + 1, runs * steps, f"step {step + 1}")

    def _begun(self, fresh: bool) -> Floats:
        """d_0: what was handed over, at first; else on the sphere of radius eps."""
        norm, oracle, start = self.method.measure, self.attacked.oracle, self.attacked.start
        if start is not None and not fresh:
            return oracle.within(norm.project(start[self.places], self.eps), self.rows)
        random = (self.attacked.random[k] for k in self.places.tolist())
        drawn = np.stack([norm.draw(one, oracle.numbers, 1.0) for one in random])
        share = self.eps / np.maximum(norm.size(drawn), 1e-30)
        return oracle.within(drawn * share[:, None].astype(np.float32), self.rows)

    def _stepped(self, left: Rows, gradient: Floats, size: Floats, before: Floats, share: float) -> None:
        """d_{k+1} of these, in place of d_k; d_k in place of d_{k-1}."""
        norm, oracle = self.method.measure, self.attacked.oracle
        rows, eps, d = self.rows[left], self.eps[left], self.d[left]
        down = d - size[left, None].astype(np.float32) * norm.steepest(gradient[left])
        z = oracle.within(norm.project(down, eps), rows)
        moved = d + np.float32(share) * (z - d) + np.float32(1 - share) * (d - before[left])
        before[left] = d
        self.d[left] = oracle.within(norm.project(moved, eps), rows)

    def _asked(self, left: Rows, loss: NDArray[np.float64], gradient: Floats) -> Rows:
        """Loss and gradient at d; those of them that the judge does not take."""
        slopes = self._slopes(left)
        loss[left], gradient[left] = slopes.loss, slopes.gradient
        lower = slopes.margin < self.lowest[left]
        near = left[lower]
        self.lowest[near], self.nearest[near] = slopes.margin[lower], self.d[near]
        arrived = near[(slopes.margin[lower] < 0) & self.attacked.oracle.left(self.rows[near])]
        self.met[arrived] = self.attacked.saved(self.d[arrived], self.places[arrived], self.method.measure)
        return left[~self.met[left]]

    def _slopes(self, left: Rows) -> Slopes:
        """Those of the loss; of the margin where that has no gradient and the sample has not arrived."""
        oracle, kind = self.attacked.oracle, self.method.loss
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

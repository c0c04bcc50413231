"""APGD, auto-PGD (Croce, Hein 2020, arXiv 2003.01690): projected gradient descent that sets its own step size.

    z       = within(project_eps(d_k - a_k steepest(g_k))),   g_k = grad L(x_0 + d_k)
    d_{k+1} = within(project_eps(d_k + 0.75 (z - d_k) + 0.25 (d_k - d_{k-1})))

a_0 = 2 eps, d_0 on the sphere of radius eps. At the checkpoints, first after 0.22 N steps, then after 0.03 N fewer each
time, 0.06 N at least, a_k is halved and d goes back to the lowest loss where the loss fell in at most 3/4 of the steps
since the last one, or where a was kept there and the lowest loss has not changed. A sample ends with the first iterate
that the judge takes as it is saved; where there is none the iterate of the lowest margin is given. Under l1 steps are
others (sparse_steps.py), and come from larger budgets: 0.3 of them in 3 eps, 0.3 in 2 eps, each begun at what the last
one came lowest with, and the rest in eps.

``classes`` = 9 is APGD-T: of each sample the classes nearest by score are aimed at, one after the other, and any other
class counts. Where the gradient of the ratio of logits is exactly zero (it is constant where y ranks third), which is
looked for at every iterate, the sample goes down its margin from there on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, final

import numpy as np

from onnxray.errors import InputError
from onnxray.methods.attack.base import Attacked, Perturbations, WithinBudget
from onnxray.methods.attack.gradient.auto_steps import AutoSteps
from onnxray.methods.attack.gradient.sparse_steps import SparseSteps
from onnxray.methods.attack.success import OtherClass
from onnxray.methods.option_checks import Range
from onnxray.methods.variable import Rows
from onnxray.objectives.class_losses import LossName

_LARGER = ((3, 0.3), (2, 0.3))
"""Budgets that l1 begins in, of its own, and their share of the steps."""


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
    shrink: Annotated[bool, "under l1: begin in three times and two times the budget"] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.norm == "l0":
            raise InputError("norm is 'l0'; apgd keeps to linf, l2 or l1: take sigma-zero or fmn")

    def perturb(self, attacked: Attacked) -> Perturbations:
        """The formula at the top of the file."""
        best = np.zeros((len(attacked), attacked.oracle.numbers), np.float32)
        lowest, open_ = np.full(len(attacked), np.inf), np.arange(len(attacked))
        rounds = [(restart, aim) for restart in range(self.restarts) for aim in self._aims(attacked)]
        for count, (restart, aim) in enumerate(rounds):
            told = (count * self.steps, len(rounds) * self.steps)
            run = self._descended(attacked, open_, aim, fresh=restart > 0, told=told)
            lower = run.met | (run.lowest < lowest[open_])
            best[open_[lower]], lowest[open_[lower]] = run.nearest[lower], run.lowest[lower]
            open_ = open_[~run.met]
            open_ = open_[attacked.oracle.left(attacked.rows[open_], 3)]
            if not open_.size:
                break
        return Perturbations(d=best)

    def _descended(
        self, attacked: Attacked, places: Rows, aim: OtherClass | None, *, fresh: bool, told: tuple[int, int]
    ) -> AutoSteps:  # fmt: skip
        """One run from one start towards one aim."""
        kind, steps = (SparseSteps if self.norm == "l1" else AutoSteps), self.steps
        if self.norm == "l1" and self.shrink and (fresh or attacked.start is None):
            for times, share in _LARGER:
                some = min(math.ceil(share * self.steps), max(steps - 1, 1))
                wider = replace(attacked, eps=times * attacked.eps)
                run = kind(self, wider, places, aim, some, fresh=fresh, asking=False, told=told)
                run.descend()
                start = np.zeros((len(attacked), attacked.oracle.numbers), np.float32)
                start[places] = run.best_d
                attacked, fresh, steps = replace(attacked, start=start), False, max(steps - some, 1)
                told = (told[0] + some, told[1])
        run = kind(self, attacked, places, aim, steps, fresh=fresh, told=told)
        run.descend()
        return run

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

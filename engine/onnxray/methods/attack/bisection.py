"""The smallest budget that an attack within a budget succeeds with, by bisection.

    e <- 2 e until the attack succeeds,   then e <- (low + high) / 2

of the largest that failed and the smallest that did not: under linf whole grey levels, until they are neighbours; under
l2 until they are ``precision`` of each other apart. Each run begins at the perturbation that a larger budget gave,
brought into its own, where there is one (and where the attack takes a start). Where a norm is reached already
(``Attacked.eps``), what is below it alone is looked for, first the next below, then 2, 4, ... further down. Success is
the judge's, of what is saved;
with ``float_`` the bisection goes on for the unrounded samples. What is given is the smallest that was met:
an attack may well fail with a larger budget.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any, ClassVar, Literal, final

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.methods.attack.base import Attack, Attacked, Perturbations, WithinBudget
from onnxray.methods.attack.threat import NORMS, Floats, Norm
from onnxray.methods.option_checks import Range, check_choices
from onnxray.methods.options_from_text import configured
from onnxray.methods.run import silent
from onnxray.methods.variable import Rows, Variable

_OWN = ("norm", "eps")
_LARGEST = 1024.0
"""Steps that a number without bounds is changed by at most."""
_FEWEST = 3
"""Queries that a run of an attack takes at least."""


@final
@dataclass(frozen=True, kw_only=True)
class Bisection(Attack):
    """The smallest budget with which an attack succeeds, in whole grey levels."""

    name: ClassVar[str] = "bisection"
    goes_on: ClassVar[bool] = True

    of: Annotated[str, "attack within a budget, by name"] = "apgd"
    setting: Annotated[
        str | tuple[str, ...], "option of that attack, as OPTION=VALUE (steps=20, classes=9); may be repeated"
    ] = ()
    norm: Annotated[Literal["linf", "l2"], "the norm of the budget"] = "linf"
    first: Annotated[
        float | None, "the budget that is tried first, in grey levels; default: 8 under linf, 128 under l2",
        Range(1e-3, 1e6),
    ] = None  # fmt: skip
    precision: Annotated[
        float, "how far apart the last two budgets may lie, of each other: under l2, and in floats", Range(1e-4, 0.5)
    ] = 0.01  # fmt: skip

    def __post_init__(self) -> None:
        check_choices(self)
        self.repeated()

    def repeated(self) -> WithinBudget:
        """The attack that is repeated. Errors: InputError."""
        from onnxray.methods.catalogue import family

        settings = (self.setting,) if isinstance(self.setting, str) else self.setting
        own = {*_OWN, *(one.name for one in fields(Attack))}
        for setting in settings:
            if setting.partition("=")[0].replace("-", "_") in own:
                raise InputError(f"the setting {setting!r} is {self.name}'s own; state it there, or leave it out")
        budgeted = family(WithinBudget)  # type: ignore[type-abstract]
        known = {name: method for name, method in budgeted.items() if not method.has_own_goal()}
        return replace(configured(known, (self.of,), [f"{self.of}.{one}" for one in settings])[0], norm=self.norm)

    @property
    def measure(self) -> Norm:
        """That of the budget."""
        return NORMS[self.norm]

    @property
    def budget(self) -> float | None:
        """None: the smallest is looked for."""
        return None

    def check_variable(self, variable: Variable) -> None:
        """As the attack that is repeated. Errors: InputError."""
        self.repeated().check_variable(variable)

    def beside(self, attacked: Attacked, whole: Floats) -> Mapping[str, Sequence[Any]]:
        """As the attack that is repeated."""
        return self.repeated().beside(attacked, whole)

    def perturb(self, attacked: Attacked) -> Perturbations:
        """The smallest that the judge takes, as it is saved and, where it is asked for, in floats."""
        search = _Search(self, self.repeated(), attacked)
        search.go(whole=True)
        if self.float_:
            search.go(whole=False)
        numbers = {"budget": [None if np.isinf(one) else float(one) for one in search.budget]}
        return Perturbations(d=search.float, whole=search.saved, numbers=numbers)


class _Search:
    """The best of n samples so far: saved, as it is saved, and float; size, (n,) the norm of each, infinite where there
    is none; budget, that of the saved one; float_start, what a smaller budget begins at.
    """

    def __init__(self, method: Bisection, attack: WithinBudget, attacked: Attacked) -> None:
        self.method, self.attack, self.attacked, self.norm = method, attack, attacked, method.measure
        count, numbers = len(attacked), attacked.oracle.numbers
        self.saved, self.float = np.zeros((2, count, numbers), np.float32)
        self.size = {kind: np.full(count, np.inf) for kind in (True, False)}
        self.budget = np.full(count, np.inf)
        low, high = attacked.oracle.bounds(attacked.rows)
        corner = np.minimum(np.maximum(-low, high), np.float32(_LARGEST))
        self.furthest = self.norm.size(corner)
        """The norm beyond which nothing is left to change, or, of arrays without bounds, nothing more is tried."""
        if attacked.start is not None and not method.float_:
            self.float[:], self.size[False][:] = attacked.start, attacked.eps

    def go(self, *, whole: bool) -> None:
        """Bisect, by what is saved or in floats; floats begin a step below what is saved."""
        high = np.minimum(self.size[whole], self.attacked.eps) if whole else self.size[whole].copy()
        reached, further = whole & np.isfinite(high), np.ones(len(high))
        low = np.zeros(len(high)) if whole else self._below(high)
        grid = whole and self.method.norm == "linf" and self.attacked.oracle.variable.whole_steps
        first = self.method.first or {"linf": 8.0, "l2": 128.0}[self.method.norm]
        while True:
            step = 1 if grid else self.method.precision * np.minimum(high, self.furthest)
            apart = high - low > step * (1 + 1e-9)
            open_ = np.flatnonzero(
                apart & (low < self.furthest) & self.attacked.oracle.left(self.attacked.rows, _FEWEST)
            )
            if not open_.size:
                return
            doubled = np.maximum(np.minimum(2 * low[open_], self.furthest[open_]), first)
            eps = np.where(np.isinf(high[open_]), doubled, (low[open_] + np.minimum(high[open_], 1e30)) / 2)
            below = np.minimum(high, 1e30) - further * step
            eps = np.where(reached[open_], np.maximum(eps, below[open_]), eps)
            further *= 2
            eps = np.maximum(np.floor(eps), 1) if grid else eps
            started = ~np.isinf(self.size[False][open_])
            for places, budgets in ((open_[started], eps[started]), (open_[~started], eps[~started])):
                if places.size:
                    self._tried(places, budgets)
            high = np.minimum(high, self.size[whole])
            failed = self.size[whole][open_] > eps
            low[open_[failed]] = eps[failed]
            self.attacked.tell(int(np.isfinite(high).sum()), len(high), f"budgets around {np.median(eps):g}")

    def _below(self, high: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where floats are expected to fail: rounding takes half a level of each number and seldom more."""
        step = 1.0 if self.method.norm == "linf" else 0.05 * high
        return np.where(np.isinf(high), 0.0, np.maximum(0.0, high - step))

    def _tried(self, places: Rows, eps: NDArray[np.float64]) -> None:
        """One run of the attack with these budgets; what is better is kept."""
        attacked, norm, rows = self.attacked, self.norm, self.attacked.rows[places]
        start = None if np.isinf(self.size[False][places]).any() else self.float[places]
        own = Attacked(
            oracle=attacked.oracle, rows=rows, random=[attacked.random[k] for k in places.tolist()],
            tell=silent, eps=eps, start=start,
        )  # fmt: skip
        found = self.attack.perturb(own)
        saved = attacked.oracle.rounded(found.d, rows, norm, eps) if found.whole is None else found.whole
        for whole, d in ((True, saved), (False, found.d)):
            if not whole and not self.method.float_:
                better = np.flatnonzero(self.size[True][places] <= eps)  # a start for smaller budgets, no more
                self.float[places[better]], self.size[False][places[better]] = d[better], eps[better]
                continue
            size = norm.size(d)
            better = np.flatnonzero((size < self.size[whole][places]) & (size <= eps * (1 + 1e-6)))
            better = better[attacked.oracle.left(rows[better])]
            better = better[attacked.oracle.met(d[better], rows[better])]
            self.size[whole][places[better]] = size[better]
            if whole:
                self.saved[places[better]], self.budget[places[better]] = d[better], eps[better]
            else:
                self.float[places[better]] = d[better]

"""Whether figures meet a policy's limits: by the bound of the interval, so that what is too thin to tell fails.

    min                 low >= min                      max                 high <= max
    max_drop            low >= b - max_drop             of a figure of which higher is better, b the baseline's value;
                        high <= b + max_drop            where lower is better
    max_drop_relative   the same with max_drop_relative |b| in place of max_drop

On the very pictures that the baseline was measured on, a drop is one of values: no other sample is concluded from.
A figure that is missing, has no value or no bound, or is of fewer pictures than ``min_images`` fails.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

from onnxray.assess.audit.check import Figure
from onnxray.assess.audit.policy import Limit

State = Literal["pass", "fail", "error", "not applicable", "recorded"]


@final
@dataclass(frozen=True, kw_only=True)
class Before:
    """What the baseline has of a check: its figures, whether they are of the same pictures; reason: why it has none."""

    figures: tuple[Mapping[str, Any], ...] = ()
    same_pictures: bool = False
    reason: str = "no baseline was given"

    def value(self, figure: Figure) -> float | None:
        """The baseline's value of a figure."""
        for one in self.figures:
            value = one.get("value")
            own = one.get("name") == figure.name and one.get("slice") == figure.slice
            if own and isinstance(value, int | float) and math.isfinite(value):
                return float(value)
        return None


@final
@dataclass(frozen=True, kw_only=True)
class Judged:
    """A limit and what became of it. bound: what the figure had to meet; measured: what it has there.

    met: None where more pictures could clear or break it: the interval holds the bound, or they are too few; as it is,
    it fails.
    """

    limit: Limit
    figure: str
    slice: str | None
    met: bool | None
    bound: float | None
    measured: float | None
    count: int
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Plain for JSON."""
        return {
            "kind": self.limit.kind, "limit": self.limit.bound, "figure": self.figure, "slice": self.slice,
            "bound": self.bound, "measured": self.measured, "count": self.count, "met": self.met is True,
            "reason": self.reason,
        }  # fmt: skip


def judged(limits: Sequence[Limit], figures: Sequence[Figure], before: Before) -> list[Judged]:
    """Every limit on every figure that it is for."""
    found: list[Judged] = []
    for limit in limits:
        name = limit.figure or (figures[0].name if figures else "the first")
        meant = [one for one in figures if one.name == name and _is_for(limit, one)]
        found += [_one(limit, figure, before) for figure in meant]
        if not meant:
            of = f" by {limit.by}" if limit.by is not None else ""
            found.append(
                Judged(
                    limit=limit, figure=name, slice=None if limit.by is None else f"{limit.by}=", met=None, bound=None,
                    measured=None, count=0, reason=f"there is no figure {name!r}{of}",
                )
            )  # fmt: skip
    return found


def _is_for(limit: Limit, figure: Figure) -> bool:
    return figure.slice is None if limit.by is None else str(figure.slice).startswith(f"{limit.by}=")


def _one(limit: Limit, figure: Figure, before: Before) -> Judged:
    def told(met: bool | None, reason: str, bound: float | None = None, measured: float | None = None) -> Judged:
        return Judged(
            limit=limit, figure=figure.name, slice=figure.slice, met=met, bound=bound, measured=measured,
            count=figure.count, reason=reason,
        )  # fmt: skip

    if figure.value is None or not math.isfinite(figure.value):
        return told(False, figure.reason or "it has no value")
    upwards, bound, paired = limit.kind == "min", limit.bound, False
    if limit.kind.startswith("max_drop"):
        base = before.value(figure)
        if base is None:
            return told(False, f"the baseline has no such figure: {before.reason}")
        if figure.better is None:
            return told(False, "it has no better or worse, so that nothing is a drop")
        upwards, paired = figure.better == "higher", before.same_pictures
        slack = limit.bound * abs(base) if limit.kind == "max_drop_relative" else limit.bound
        bound = base - slack if upwards else base + slack
    low, high = (figure.value, figure.value) if paired else (figure.low, figure.high)
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return told(False, "it has no confidence interval, so that no limit can be met", bound)
    kept, other = (low, high) if upwards else (high, low)
    clears, breaks = (kept >= bound, other < bound) if upwards else (kept <= bound, other > bound)
    sign, what = (">=" if upwards else "<="), "on the same pictures" if paired else f"of {figure.count}"
    ends = "" if kept == figure.value else "lower bound " if upwards else "upper bound "
    said = f"{ends}{kept:.6g} {what}; {sign} {bound:.6g} was required (value {figure.value:.6g})"
    if figure.count < limit.min_images:
        return told(None, f"too thin: {figure.count} pictures, at least {limit.min_images} were required", bound, kept)
    return told(True if clears else False if breaks else None, said, bound, kept)

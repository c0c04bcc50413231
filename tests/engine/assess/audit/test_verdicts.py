"""Limits are met by the bound of the interval; what is missing, not finite or too thin fails."""

from __future__ import annotations

import math
from typing import Any

import pytest

from onnxray.assess.audit.check import Figure
from onnxray.assess.audit.policy import Limit
from onnxray.assess.audit.verdicts import Before, judged


def figure(value: float | None = 0.9, **more: Any) -> Figure:
    given: dict[str, Any] = {
        "name": "f", "value": value, "low": 0.85, "high": 0.95, "count": 100, "unit": "share", "better": "higher"
    }  # fmt: skip
    return Figure(**(given | more))


def met(kind: str, bound: float, own: Figure, before: Before | None = None, **more: Any) -> bool | None:
    (found,) = judged([Limit(kind=kind, bound=bound, **more)], [own], before or Before())  # type: ignore[arg-type]
    return found.met


BASE = Before(figures=({"name": "f", "slice": None, "value": 0.9},))


@pytest.mark.parametrize(
    ("kind", "bound", "expected"),
    [
        ("min", 0.85, True), ("min", 0.86, None), ("min", 0.95, None), ("min", 0.96, False),
        ("max", 0.95, True), ("max", 0.94, None), ("max", 0.85, None), ("max", 0.84, False),
        ("max_drop", 0.05, True), ("max_drop", 0.04, None), ("max_drop_relative", 0.06, True),
        ("max_drop_relative", 0.05, None),
    ],
)  # fmt: skip
def test_the_bound_of_the_interval_meets_it(kind: str, bound: float, expected: bool | None) -> None:
    assert met(kind, bound, figure(), BASE) is expected


def test_a_drop_breaks_where_even_the_far_end_is_below() -> None:
    assert met("max_drop", 0.01, figure(0.5, low=0.4, high=0.6), BASE) is False
    assert met("max_drop", 0.01, figure(0.5, low=0.4, high=0.6, better="lower"), BASE) is True
    assert met("max_drop", 0.01, figure(0.5, low=0.4, high=0.6, better=None), BASE) is False


def test_on_the_same_pictures_a_drop_is_one_of_values() -> None:
    same = Before(figures=BASE.figures, same_pictures=True)
    assert met("max_drop", 0.0, figure(0.9), same) is True
    assert met("max_drop", 0.01, figure(0.88), same) is False
    assert met("max_drop", 0.0, figure(0.9), BASE) is None


@pytest.mark.parametrize(
    "own",
    [
        figure(None), figure(math.nan), figure(math.inf), figure(low=None), figure(high=math.nan),
        figure(count=4), figure(name="other"), figure(slice="class=1"),
    ],
)  # fmt: skip
def test_what_is_missing_not_finite_or_too_thin_is_not_met(own: Figure) -> None:
    (found,) = judged([Limit(kind="min", bound=0.1, figure="f", min_images=50)], [own], Before())
    assert found.met is not True
    assert found.reason


def test_a_drop_without_a_baseline_is_not_met_and_says_why() -> None:
    (found,) = judged([Limit(kind="max_drop", bound=1.0)], [figure()], Before(reason="other options"))
    assert found.met is False
    assert "other options" in found.reason


def test_a_limit_by_slices_is_for_every_one_of_the_kind() -> None:
    figures = [figure(), *(figure(slice=name) for name in ("class=a", "class=b", "folder=x"))]
    found = judged([Limit(kind="min", bound=0.1, by="class")], figures, Before())
    assert [one.slice for one in found] == ["class=a", "class=b"]
    (missing,) = judged([Limit(kind="min", bound=0.1, by="class")], figures[:1], Before())
    assert missing.met is None
    assert judged([Limit(kind="min", bound=0.1)], [], Before())[0].met is None

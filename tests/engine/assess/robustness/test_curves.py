"""Shares, intervals and optimality from their definitions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from onnxray.assess.robustness.curves import optimality, quantile, summary
from onnxray.assess.robustness.item import RobustnessItem
from onnxray.methods.shots import Shown


def test_optimality_is_the_share_of_the_area_that_an_attack_alone_would_have_taken() -> None:
    best, own = np.array([1.0, 2.0, 4.0]), np.array([1.0, 3.0, math.inf])
    grid = np.linspace(0, 4, 400_001)

    def area(norms: Any) -> float:
        return float(np.trapezoid([(norms > eps).mean() for eps in grid[::100]], grid[::100]))

    lost = (area(own) - area(best)) / (4.0 - area(best))
    assert optimality(own, best) == pytest.approx(1 - lost, abs=2e-3)
    assert optimality(best, best) == 1.0
    assert optimality(np.array([math.inf]), np.array([math.inf])) is None


def test_a_median_of_what_is_mostly_not_flipped_is_none() -> None:
    assert quantile(np.array([1.0, 2.0, math.inf, math.inf, math.inf]), 0.5) is None
    assert quantile(np.array([1.0, 2.0, 3.0, math.inf]), 0.5) == 2.0
    assert quantile(np.array([1.0, 2.0]), 0.5) == 1.5


def item(true: int, correct: bool, norms: dict[str, float | None], to: int | None = None) -> RobustnessItem:
    known = {name: norm for name, norm in norms.items() if norm is not None}
    attack = min(known, key=lambda name: known[name]) if known else None
    said = Shown(path=None, class_=true if correct else true + 1, label="x", score=None, probability=0.9)
    after = None if attack is None else Shown(path=None, class_=to, label=str(to), score=None, probability=0.6)
    return RobustnessItem(
        true=true, true_label=str(true), origin=said, correct=correct, norm="linf", norms=norms,
        smallest=known.get(attack) if attack else None, attack=attack, after=after,
        queries={name: {"judge": 1, "forward": 2, "backward": 2} for name in norms}, gain=None, stems={}, images={},
    )  # fmt: skip


def test_a_wrongly_named_image_is_no_success_and_no_robust_one() -> None:
    items = [
        item(0, True, {"a": 2.0, "b": None}, 1), item(0, True, {"a": 6.0, "b": 4.0}, 2), item(1, False, {}),
        item(1, True, {"a": None, "b": None}),
    ]  # fmt: skip
    found = summary(items, [1.0, 2.0, 4.0, 8.0], {"a": 1.0}, ["a", "b"])
    assert found["misclassified"] == 1
    assert found["clean_accuracy"]["share"] == 0.75
    assert [row["robust_accuracy"] for row in found["curve"]] == [0.75, 0.75, 0.5, 0.25, 0.25]
    assert [row["attacks"]["a"] for row in found["curve"]] == [0.75, 0.75, 0.5, 0.5, 0.25]
    assert [row["after"]["b"] for row in found["curve"]] == [row["robust_accuracy"] for row in found["curve"]]
    assert found["attacks"]["a"]["best_of"] == 1
    assert {(one["from"], one["to"], one["images"]) for one in found["flips"]} == {(0, 1, 1), (0, 2, 1)}
    assert [(one["class"], one["images"], one["correct"]) for one in found["classes"]] == [(0, 2, 2), (1, 2, 1)]

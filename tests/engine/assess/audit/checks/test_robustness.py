"""Robust accuracy of a linear classifier, whose smallest perturbations are known, and what the trust tests come to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onnxray
from onnxray.assess.audit.checks.layer_stability import LayerStability
from onnxray.assess.audit.checks.robustness import Robustness
from onnxray.assess.robustness.evaluation import RobustnessEvaluation
from onnxray.assess.robustness.trust import _OF
from onnxray.errors import InputError, NotDifferentiable
from support import models
from support.auditing import digits, levels, opened, outcome, saved, values

LINEAR = "g (float[N,3,4,4] x) => (float[N,2] y) { f = Flatten (x) y = MatMul (f, w) }"
W = models.random(0, 48, 2)
X = np.random.default_rng(0).integers(60, 196, (5, 3, 4, 4))


def linear() -> Any:
    return opened(LINEAR, {"w": W}, output="y=logits")


def distances() -> Any:
    """|z_0 - z_1| / ||w_0 - w_1||_1: how far the plane lies in L_inf, in grey levels."""
    slope = (W[:, 0] - W[:, 1]).astype(np.float64) / 255
    return np.abs(X.reshape(len(X), -1) @ slope) / np.abs(slope).sum()


def test_a_linear_classifier_stands_where_its_plane_is_further_than_the_budget(tmp_path: Path) -> None:
    model, own = linear(), linear().predict(X.astype(np.float32)).classes.tolist()
    labels = [*own[:4], 1 - own[4]]
    eps = float(np.ceil(np.sort(distances()[:4])[1]) + 1)
    pictures = saved(tmp_path / "a", X, labels)
    told = outcome(Robustness(eps=eps, trust_every=0), model, pictures)
    sure = (distances()[:4] > eps).sum()
    found = values(told)
    assert found["robust accuracy", None] == sure / 5
    assert found["clean accuracy", None] == 0.8
    assert found["robust accuracy", "after=apgd"] == sure / 5 <= found["robust accuracy", "after=pgd"]
    assert found["trust warnings", None] is None
    assert told.figures[0].low is not None


def test_without_labels_the_own_class_counts(tmp_path: Path) -> None:
    told = outcome(Robustness(eps=1.0, attacks="fgsm", trust_every=0), linear(), saved(tmp_path / "a", X[:2]))
    assert values(told)["clean accuracy", None] == 1.0
    assert any("own class counts as right" in note for note in told.notes)


def test_trust_tests_are_those_of_the_evaluation_and_can_be_required() -> None:
    (one,) = digits(1)
    chosen = replace(one, sha256="0" * 64)  # by its bytes: the first in so many
    check = Robustness(eps=16.0, attacks="fgsm", trust_every=1000)
    (row,) = check.measure(onnxray.open("lenet"), [chosen], 0)
    assert [test["name"] for test in row["trust"]] == list(_OF)
    assert all(test["verdict"] in {"PASS", "not run"} for test in row["trust"])
    assert values(check.summarise([row], [chosen], 0.95))["trust warnings", None] == 0
    bad = [{**test, "number": 1.0, "verdict": "WARN", "reason": "masked"} for test in row["trust"][:2]]
    rows = [{**row, "trust": [*bad, *row["trust"][2:]]}]
    for required, level in ((False, "warning"), (True, "error")):
        told = Robustness(trust=required).summarise(rows, [chosen], 0.95)
        assert levels(told) == [level, level]
        assert values(told)["trust warnings", None] == 2
    other = replace(one, sha256="1" * 64)
    assert check.measure(onnxray.open("lenet"), [other], 0)[0]["trust"] == []


def test_single_pictures_warn_where_the_evaluation_does_and_shares_where_their_mean_is_large() -> None:
    def told(name: str, numbers: list[float]) -> int:
        tests = [
            {"name": name, "number": number, "of": "o", "verdict": "WARN" if number else "PASS", "reason": "r"}
            for number in numbers
        ]
        row = {"true": 0, "correct": True, "smallest": None, "norms": {}}
        rows = [{**row, "trust": [test]} for test in tests]
        pictures = digits(1) * len(rows)
        return len(Robustness().summarise(rows, pictures, 0.95).findings)

    assert told("more steps", [1.0] + [0.0] * 9) == 0  # one is no evidence
    assert told("more steps", [1.0, 1.0] + [0.0] * 8) == 1
    assert told("more steps", [0.0] * 10) == told("noise", [0.0] * 3) == 0
    assert told("noise", [1.0] + [0.0] * 9) == 1
    assert told("more steps", [1.0, 1.0] + [0.0] * 9 * 5) == 0  # below a twentieth, as the evaluation lets pass


def test_options_that_no_evaluation_takes() -> None:
    with pytest.raises(InputError, match="there is no attack 'pdg'; did you mean"):
        Robustness(attacks="pdg")
    with pytest.raises(InputError, match="eps"):
        Robustness(eps=300.0)


def test_a_gradient_that_is_no_number_is_no_sign_of_robustness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = """g (float[N,3,4,4] x) => (float[N,2] y) { f = Flatten (x) d = Sub (f, f) r = Sqrt (d) t = Add (f, r)
      y = MatMul (t, w) }"""
    model, pictures = opened(text, {"w": W}, output="y=logits"), saved(tmp_path / "a", X[:2])
    check = Robustness(eps=1.0, attacks="fgsm", trust_every=0)
    with pytest.raises(InputError, match="name attacks by the judge alone"):
        check.measure(model, pictures, 0)
    stable = outcome(LayerStability(layers=1), model, pictures)
    assert values(stable)["stability", None] == 0.0
    assert levels(stable) == ["warning"]

    def fails(*_: object) -> Any:
        raise NotDifferentiable("on the way")

    monkeypatch.setattr(RobustnessEvaluation, "run", fails)
    told = outcome(check, linear(), pictures)
    assert values(told)["robust accuracy", None] == 0.0
    assert values(told)["clean accuracy", None] == 1.0
    assert levels(told) == ["warning"]

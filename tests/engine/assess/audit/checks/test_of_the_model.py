"""Checks that look at the model alone: profile, verify, latency."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

import onnxray
from onnxray.assess.audit.check import Outcome
from onnxray.assess.audit.checks.latency import Latency
from onnxray.assess.audit.checks.profile import Profile
from onnxray.assess.audit.checks.verify import Verify
from onnxray.model.model import Model
from support import models
from support.auditing import levels, values

ARRAYS = "g (float[N,3] x) => (float[N,2] y) { y = MatMul (x, w) }"


def told(check: Profile | Verify | Latency, model: Model) -> Outcome:
    assert check.unfit(model) is None
    return check.summarise(check.measure(model, [], 0), [], 0.95)


def arrays(weights: object = None) -> Model:
    return onnxray.open(models.parse(ARRAYS, {"w": models.random(0, 3, 2) if weights is None else weights}))  # type: ignore[dict-item]


def test_a_profile_is_stated_or_assumed() -> None:
    assert values(told(Profile(), onnxray.open("lenet")))["assumed profiles", None] == 0
    assumed = onnxray.open(models.parse("g (float[N,3,8,8] x) => (float[N,192] y) { y = Flatten (x) }"))
    outcome = told(Profile(), assumed)
    assert outcome.figures[0].value == 1
    assert levels(outcome) == ["warning"]
    assert levels(told(Profile(require_stated=True), assumed)) == ["error"]
    assert Profile().unfit(arrays()) == "its input is no picture"
    (row,) = Profile().measure(onnxray.open("lenet"), [], 0)
    assert "source" not in row  # where a profile was found is no content


def test_verify_gives_what_the_model_says_and_refuses_what_has_no_gradient() -> None:
    outcome = told(Verify(), arrays())
    assert outcome.figures[0].value == max(one.relative for one in arrays().verify().outputs)
    assert outcome.findings == ()
    drawn = onnxray.open(models.parse("g (float[N,3] x) => (float[N,3] y) { [draws] y = RandomNormalLike (x) }"))
    (finding,) = told(Verify(), drawn).findings
    assert (finding.level, finding.node, finding.value) == ("error", "draws", "y")
    proto = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["": 17, "com.microsoft": 1]>'
        "g (float[4,4] x) => (float[4,4] y) { y = com.microsoft.SampleOp (x) }"
    )
    outcome = told(Verify(), onnxray.open(proto))
    assert levels(outcome) == ["error"]
    assert outcome.figures[0].value is None
    assert "SampleOp" in str(outcome.figures[0].reason)


def test_a_weight_of_nan_cannot_be_compared() -> None:
    outcome = told(Verify(), arrays(np.full((3, 2), np.nan, np.float32)))
    assert levels(outcome) == ["error"]
    assert outcome.figures[0].value is None
    assert outcome.figures[0].reason is not None


def test_latency_is_of_so_many_runs_of_pictures_and_arrays() -> None:
    for model in (onnxray.open("lenet"), arrays()):
        check = Latency(runs=9, warm_up=1)
        (row,) = check.measure(model, [], 0)
        median, slow, start = check.summarise([row], [], 0.95).figures
        assert len(row["runs"]) == 9
        assert median.value == pytest.approx(np.median(row["runs"]))
        assert slow.value == pytest.approx(np.quantile(row["runs"], 0.9))
        assert start.value == row["start"] > 0

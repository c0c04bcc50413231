"""A policy of one's own from a first run: its limits are for the models that the run has figures of."""

from __future__ import annotations

from pathlib import Path

from onnxray.assess.audit.policy import policy_from
from onnxray.report.audit.suggested import suggested_policy
from support.audit_documents import document, figure, model, result


def test_a_check_that_says_nothing_of_some_models_is_for_the_others() -> None:
    found = document(
        models=[model("a.onnx"), model("m\udce9.onnx"), model("c.onnx")],
        results=[
            result(0, "accuracy", figures=[figure()], options={"bins": 15}),
            result(1, "accuracy", figures=[figure()], options={"bins": 15}),
            result(2, "accuracy", "not applicable", images=0, options={"bins": 15}),
        ],
    )  # fmt: skip
    (use,) = policy_from(suggested_policy(found), source="own", folder=Path()).uses
    assert use.models == ("a.onnx", f"sha256:{'1' * 64}")
    assert (use.limits[0].bound, use.images) == (0.25, None)

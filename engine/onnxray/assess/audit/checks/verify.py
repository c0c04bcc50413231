"""Verify: the differentiated network against ONNX Runtime, on every value of the file.

    relative error   max_v  max |twin_v - judge_v| / max |judge_v|,  v the outputs of the file, on seeded inputs

Only where it holds are gradients, and all that is made of them, those of the file that ships. What is further off is
bisected, so that a finding names the node at fault.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, final

from onnxray.assess.audit.check import Check, Figure, Finding, Outcome, Picture, Row
from onnxray.errors import UnsupportedOperator
from onnxray.methods.option_checks import Range
from onnxray.model.model import Model


@final
@dataclass(frozen=True, kw_only=True)
class Verify(Check):
    """Whether gradients are those of the file: twin against judge, value by value."""

    name: ClassVar[str] = "verify"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "whether gradients are of the very function that the file computes"
    chunk: ClassVar[int] = 0
    judges: ClassVar[bool] = True

    tolerance: Annotated[
        float, "the difference that is let pass, relative to a value's largest number", Range(1e-9, 1.0)
    ] = 1e-3

    def measure(self, model: Model, pictures: Sequence[Picture], seed: int) -> list[Row]:
        """What ``Model.verify`` says, without the values that agree. Errors: RuntimeRefusal, as of every check."""
        try:
            said = model.verify(tolerance=self.tolerance)
        except UnsupportedOperator as error:
            return [{"refused": str(error)}]
        told = said.to_dict()
        values = told.pop("values")
        told["values"] = len(values)
        told["outputs"] = [
            {key: one[key] for key in ("name", "absolute", "relative", "agrees")} for one in told["outputs"]
        ]
        return [told]

    def summarise(self, rows: Sequence[Row], pictures: Sequence[Picture], confidence: float) -> Outcome:
        """The largest relative error of an output; the node at fault."""
        (facts,) = rows
        if "refused" in facts:
            figure = Figure(
                name="relative error", value=None, low=None, high=None, count=0, unit="share of the largest number",
                better="lower", reason=facts["refused"],
            )  # fmt: skip
            said = f"the file has no gradients here: {facts['refused']}"
            return Outcome(figures=(figure,), findings=(Finding(level="error", message=said),))
        errors = [one["relative"] for one in facts["outputs"]]
        known = [one for one in errors if one is not None]
        worst = max(known, default=0.0) if len(known) == len(errors) else None
        figure = Figure(
            name="relative error", value=worst, low=worst, high=worst, count=facts["values"],
            unit="share of the largest number", better="lower",
            reason=None if worst is not None else "an output is NaN or infinite on one side alone",
        )  # fmt: skip
        findings = []
        if not facts["agrees"]:
            fault, first = facts["fault"] or {}, facts["first_divergence"] or {}
            findings.append(Finding(
                level="error", message=facts["reason"], node=fault.get("node") or first.get("node"),
                value=fault.get("value") or first.get("name"),
            ))  # fmt: skip
        notes = (facts["reason"], f"{facts['values']} values compared, on inputs: {facts['inputs']}")
        arithmetic = (facts["arithmetic"],) if facts["arithmetic"] else ()
        return Outcome(figures=(figure,), findings=tuple(findings), notes=(*notes, *arithmetic))

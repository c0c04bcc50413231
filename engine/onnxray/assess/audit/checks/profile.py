"""Profile: how pixels enter the model, and whether somebody stated it or it was inferred.

A wrong preprocessing is the one error that no check of the graph can find: a file that was trained on other numbers
than it is fed answers all the same. What was inferred is ``assumed``, with its grounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, final

from onnxray.assess.audit.check import Check, Figure, Finding, Outcome, Picture, Row
from onnxray.assess.audit.measures.reading import no_pictures
from onnxray.errors.short_values import short
from onnxray.model.model import Model


@final
@dataclass(frozen=True, kw_only=True)
class Profile(Check):
    """Whether the preprocessing is stated or assumed."""

    name: ClassVar[str] = "profile"
    version: ClassVar[int] = 1
    title: ClassVar[str] = "whether the preprocessing is stated or assumed"
    chunk: ClassVar[int] = 0
    judges: ClassVar[bool] = True

    require_stated: Annotated[bool, "an assumed profile fails the check; else it is a warning"] = False

    def unfit(self, model: Model) -> str | None:
        """Only pictures are preprocessed."""
        return no_pictures(model)

    def measure(self, model: Model, pictures: Sequence[Picture], seed: int) -> list[Row]:
        """The profile but for where it was found, which is no content."""
        assert model.profile is not None
        facts = model.profile.to_dict()
        del facts["source"]
        if isinstance(facts["mean"], dict):
            del facts["mean"]["path"]
        return [facts]

    def summarise(self, rows: Sequence[Row], pictures: Sequence[Picture], confidence: float) -> Outcome:
        """How much of it is assumed, and on which grounds."""
        (facts,) = rows
        found = []
        if facts["assumed"]:
            grounds = "; ".join(map(str, facts["reasons"])) or "no grounds are known"
            found.append(Finding(
                level="error" if self.require_stated else "warning",
                message=f"the profile {short(facts['name'])} is assumed: {grounds}",
            ))  # fmt: skip
        if facts.get("labels_assumed") is not None:
            said = f"the names of the classes are assumed: {facts['labels_assumed']}"
            found.append(Finding(level="warning", message=said))
        height, width = facts["size"]
        size = f"{facts['channels']} {height}x{width}, {facts['resize']}, {facts['layout']}"
        return Outcome(
            figures=(Figure.exact("assumed profiles", int(facts["assumed"]), unit="profiles", better="lower"),),
            findings=tuple(found), notes=(f"{facts['name']}: {size}",),
        )  # fmt: skip

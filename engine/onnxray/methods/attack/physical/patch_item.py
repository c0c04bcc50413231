"""An adversarial patch, and how often it does what it was made for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from onnxray.arrays import Image8
from onnxray.methods.attack.rates import rate_text
from onnxray.notebooks.displayed import one_line
from onnxray.results.item import Item

STEM = "patch"
_SAME = (
    "goal", "shape", "share", "side", "shown_of", "left_out", "queries", "print_mm", "dpi", "reason",
)  # fmt: skip
_RATES = ("fitted", "held_out", "random_fitted", "random_held_out")


@dataclass(frozen=True, kw_only=True, eq=False)
class PatchItem(Item):
    """One patch for all pictures; ``images["patch"]``: 8 bits (channels, side, side), white outside of a disc.

    goal: what is asked of each picture, in words. shape, share, side: its outline, the share of a picture that it
    covers at scale 1, and its pixels there. transformations: what the placements were drawn from. rates: over fresh
    placements on ``fitted`` (the pictures that it was made of) and ``held_out`` (None where there are none), and
    ``random_...`` of a patch of random pixels at the same places: count, how many reached the goal by the judge on the
    8-bit picture, share, Wilson's 95 % interval. classes: what those of ``shown_of`` that reached it are called now,
    the most frequent first; examples: the first trials. pictures: how many there are of each. left_out: those that were
    of the wanted class already. queries: passes of all. print_mm, dpi: of ``print.png`` and ``print.pdf``, A4.
    """

    goal: str
    shape: str
    share: float
    side: int
    transformations: tuple[str, ...]
    rates: Mapping[str, Mapping[str, Any] | None]
    classes: tuple[Mapping[str, Any], ...]
    shown_of: str
    examples: tuple[Mapping[str, Any], ...]
    pictures_: Mapping[str, int]
    left_out: Mapping[str, int]
    queries: Mapping[str, int]
    print_mm: float
    dpi: int
    reason: str | None
    images: Mapping[str, Image8] = field(repr=False)

    def __repr__(self) -> str:
        said = [
            f"{name.replace('_', ' ')} {rate_text(rate)}"
            for name in _RATES
            if (rate := self.rates.get(name)) is not None
        ]
        return one_line(self, f"{self.shape}, {100 * self.share:g} % of a picture, {self.goal}: {', '.join(said)}")

    def numbers(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "goal": self.goal, "shape": self.shape, "share": self.share, "side": self.side,
            **{name: self.rates.get(name) for name in _RATES}, "transformations": list(self.transformations),
            "shown_of": self.shown_of, "classes": list(self.classes), "examples": list(self.examples),
            "pictures": dict(self.pictures_), "left_out": dict(self.left_out), "queries": dict(self.queries),
            "print_mm": self.print_mm, "dpi": self.dpi, "reason": self.reason,
        }  # fmt: skip

    def pictures(self) -> dict[str, tuple[str, Image8]]:
        """``patch``, and pictures with it."""
        return {role: (STEM if role == "patch" else f"{STEM}/{role}", picture) for role, picture in self.images.items()}

    @classmethod
    def restore(cls, document: Mapping[str, Any], pictures: Mapping[str, Any]) -> Self:
        """Build the item again from its part of result.json and its files."""
        return cls(
            **{name: document[name] for name in _SAME}, transformations=tuple(document["transformations"]),
            rates={name: document[name] for name in _RATES}, classes=tuple(document["classes"]),
            examples=tuple(document["examples"]), pictures_=document["pictures"], images=dict(pictures),
        )  # fmt: skip

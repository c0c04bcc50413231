"""A universal perturbation, and how many pictures it fools."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Image8
from onnxray.methods.attack.rates import rate_text
from onnxray.methods.attack.threat import norms_of
from onnxray.notebooks.displayed import one_line
from onnxray.results.item import Item

STEM = "universal"
_PLAIN = ("goal", "norm", "eps", "by", "stop_at", "shown_of", "left_out", "queries", "reason")
_RATES = ("fitted", "held_out", "random_fitted", "random_held_out")


@dataclass(frozen=True, kw_only=True, eq=False)
class UniversalItem(Item):
    """One perturbation for all pictures. perturbation: float32 (channels, height, width) in grey levels.

    goal: what is asked of each picture, in words. rates: by set of pictures, ``fitted`` (what it was made of) and
    ``held_out`` (None where there are none), and ``random_...`` of random signs of the same norm: count, how many
    reached the goal by the judge on the saved 8-bit picture, share, Wilson's 95 % interval. stop_at: the share at which
    it was done; history: the rate on what it was made of after each epoch. norms: of the perturbation in floats.
    classes: what the fooled pictures of ``shown_of`` are called now, the most frequent first; examples: some of them.
    left_out: pictures that were of the wanted class already. queries: passes of all pictures. gain: what the drawn
    perturbation is multiplied by.
    """

    goal: str
    norm: str
    eps: float
    by: str
    rates: Mapping[str, Mapping[str, Any] | None]
    history: tuple[Mapping[str, float], ...]
    stop_at: float
    norms: Mapping[str, float]
    classes: tuple[Mapping[str, Any], ...]
    shown_of: str
    left_out: Mapping[str, int]
    examples: tuple[Mapping[str, Any], ...]
    queries: Mapping[str, int]
    gain: float
    reason: str | None
    perturbation: NDArray[np.float32] = field(repr=False)
    images: Mapping[str, Image8] = field(repr=False)

    def __repr__(self) -> str:
        parts = [f"{name.replace('_', ' ')} {rate_text(rate)}" for name, rate in self.rates.items() if rate is not None]
        return one_line(self, f"{self.norm} {self.eps:g}, {self.goal}: {', '.join(sorted(parts))}")

    def measured_again(self) -> dict[str, Any]:
        """What the array tells: its norms."""
        return norms_of(self.perturbation, ("linf", "l2"))

    def numbers(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "goal": self.goal, "norm": self.norm, "eps": self.eps, "by": self.by, "stop_at": self.stop_at,
            **{name: self.rates.get(name) for name in _RATES}, "history": list(self.history), **self.norms,
            "shown_of": self.shown_of, "classes": list(self.classes), "examples": list(self.examples),
            "left_out": dict(self.left_out), "queries": dict(self.queries), "perturbation_gain": self.gain,
            "reason": self.reason,
        }  # fmt: skip

    def pictures(self) -> dict[str, tuple[str, Image8]]:
        """The perturbation around grey 128, and examples as they came and as they are saved."""
        return {role: (f"{STEM}/{role}", picture) for role, picture in self.images.items()}

    def arrays(self) -> dict[str, tuple[str, NDArray[Any]]]:
        """``values``: the perturbation itself."""
        return {"values": (STEM, self.perturbation)}

    @classmethod
    def restore(cls, document: Mapping[str, Any], pictures: Mapping[str, NDArray[Any]]) -> Self:
        """Build the item again from its part of result.json and its files."""
        return cls(
            **{name: document[name] for name in _PLAIN}, gain=document["perturbation_gain"],
            rates={name: document[name] for name in _RATES}, history=tuple(document["history"]),
            norms={name: document[name] for name in ("linf", "l2")}, classes=tuple(document["classes"]),
            examples=tuple(document["examples"]), perturbation=pictures["values"],
            images={role: picture for role, picture in pictures.items() if role != "values"},
        )  # fmt: skip

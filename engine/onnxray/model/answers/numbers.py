"""Answers that are numbers as the file gives them: a regression, an embedding, a label, or what nothing is known of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Array
from onnxray.graph.outputs.facts import OutputKind
from onnxray.model.answers.answer import NoClasses

_SHOWN = 6


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Numbers(NoClasses):
    """What an output holds, (N, ...), the samples along its first axis, as the file gives it. No class is made of it.

    kind: regression, feature map or unknown; output: its name; notes: what should be said of it.
    """

    kind: OutputKind
    output: str
    values: Array
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.values)

    def describe(self, index: int) -> str:
        """One line for a sample."""
        own = self.values[index]
        if own.size > _SHOWN:
            return f"{self.kind} of shape {list(own.shape)}"
        return ", ".join(f"{number:.6g}" for number in own.reshape(-1).tolist())

    def numbers(self, index: int) -> dict[str, Any]:
        """Plain values for JSON."""
        own = self.values[index]
        found: dict[str, Any] = {"shape": list(own.shape)}
        return found | {"values": own.tolist()} if own.size <= _MOST_NUMBERS else found


_MOST_NUMBERS = 100_000


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Embedding(NoClasses):
    """A vector a sample, ``values`` (N, D), as the file gives it; ``norms`` (N,): its length."""

    output: str
    values: Array
    notes: tuple[str, ...] = ()
    kind: OutputKind = "embedding"

    def __len__(self) -> int:
        return len(self.values)

    @property
    def norms(self) -> NDArray[np.float64]:
        """|v|, (N,)."""
        return np.asarray(np.linalg.norm(self.values.reshape(len(self.values), -1).astype(np.float64), axis=1))

    def cosine(self, one: int, other: int) -> float:
        """<a, b> / (|a| |b|) of two samples' vectors; 0 where one of them is 0."""
        a, b = (self.values[k].reshape(-1).astype(np.float64) for k in (one, other))
        length = float(np.linalg.norm(a) * np.linalg.norm(b))
        return float(a @ b) / length if length else 0.0

    def describe(self, index: int) -> str:
        """One line for a sample."""
        return f"{self.values[index].size} numbers of length {self.norms[index]:.6g}"

    def numbers(self, index: int) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"norm": float(self.norms[index]), "values": self.values[index].reshape(-1).tolist()}


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Labels(NoClasses):
    """A label a sample, a number or text, as the file gives it, without a score."""

    output: str
    values: Array
    notes: tuple[str, ...] = ()
    kind: OutputKind = "labels"

    def __len__(self) -> int:
        return len(self.values)

    def describe(self, index: int) -> str:
        """One line for a sample."""
        return str(self.values[index])

    def numbers(self, index: int) -> dict[str, Any]:
        """Plain values for JSON."""
        label = self.values[index]
        return {"label": label if isinstance(label, str) else label.item()}

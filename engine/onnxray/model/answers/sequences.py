"""The best class at each step, and what CTC makes of it.

best path   c_t = argmax_k s_tk
CTC         repeated classes become one, then the blank is left out (Graves et al. 2006)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Array
from onnxray.errors import InputError
from onnxray.graph.outputs.facts import OutputFacts, OutputKind
from onnxray.model.answers.answer import NoClasses

_BLANKS: Final = frozenset({"blank", "<blank>", "[blank]", "<blk>", "<b>", "<pad>", "[pad]", "<ctc>", "ε", "∅"})
_SHOWN = 40


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Sequence(NoClasses):
    """``steps`` (N, T): the best class at each step. Where CTC may be meant, ``blank`` is its class for nothing.

    labels: a word for each class, the blank's included; None where they do not fit.
    """

    output: str
    steps: NDArray[np.int64]
    blank: int | None = None
    labels: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    kind: OutputKind = "sequence"

    def __len__(self) -> int:
        return len(self.steps)

    def collapsed(self, index: int) -> tuple[int, ...]:
        """The classes of a sample after CTC; every step's where no blank is known."""
        own = self.steps[index].tolist()
        if self.blank is None:
            return tuple(own)
        kept = [one for k, one in enumerate(own) if k == 0 or one != own[k - 1]]
        return tuple(one for one in kept if one != self.blank)

    def text(self, index: int) -> str:
        """The same in words: letters are joined as they are, longer words by blanks; numbers where no labels fit."""
        found = self.collapsed(index)
        if self.labels is None:
            return " ".join(map(str, found))
        parts = [self.labels[one] for one in found]
        return ("" if all(len(part) <= 1 for part in self.labels if part.lower() not in _BLANKS) else " ").join(parts)

    def describe(self, index: int) -> str:
        """One line for a sample."""
        text = self.text(index)
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
        return f"{shown!r}, of {self.steps.shape[1]} steps"

    def numbers(self, index: int) -> dict[str, Any]:
        """Plain values for JSON."""
        found = {"steps": self.steps[index].tolist(), "collapsed": list(self.collapsed(index))}
        return found | {"text": self.text(index), "blank": self.blank}


def sequence(
    facts: OutputFacts, array: Array, labels: tuple[str, ...] | None, *, ctc: bool, last: bool,
    notes: tuple[str, ...] = (),
) -> Sequence:  # fmt: skip
    """Read the best path from an output of three axes: steps on ``facts.time``, classes on ``facts.axis``.

    ctc: the input is no text, so that CTC may be meant; last: its producer puts the blank last. Errors: InputError for
    an array of another shape.
    """
    axis, time = (2 if facts.axis is None else facts.axis), (1 if facts.time is None else facts.time)
    if array.ndim != 3 or axis == time:
        raise InputError(f"output {facts.name!r} has the shape {list(array.shape)}; steps of scores have three axes")
    scores = np.moveaxis(array, (3 - axis - time, time, axis), (0, 1, 2))
    count, said = scores.shape[2], list(notes)
    blank: int | None = (count - 1 if last else 0) if ctc else None
    words = labels if labels is not None and len(labels) == count else None
    if words is not None and blank is not None:
        named = [k for k, word in enumerate(words) if word.strip().lower() in _BLANKS]
        blank = named[0] if named else blank
    elif labels is not None and blank is not None and len(labels) == count - 1:
        words = (*labels[:blank], "", *labels[blank:])
    elif labels is not None:
        said.append(f"{len(labels)} labels are stated and a step has {count} classes: steps are given as numbers")
    if blank is not None:
        said.append(f"class {blank} is taken for CTC's blank: repeated classes become one, then it is left out")
    return Sequence(
        output=facts.name, steps=np.asarray(scores.argmax(2), np.int64), blank=blank, labels=words, notes=tuple(said)
    )

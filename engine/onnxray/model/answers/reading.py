"""An answer of the kind that an output is, read from what ONNX Runtime gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from onnxray.arrays import Array
from onnxray.errors import InputError
from onnxray.graph.facts import Graph
from onnxray.graph.outputs.facts import BOX_KINDS, OutputFacts
from onnxray.graph.outputs.origins import SIGMOIDS, SOFTMAXES, closing_node
from onnxray.graph.outputs.output_kinds import outputs_of
from onnxray.graph.outputs.rows_alone import chooses_rows
from onnxray.model.answers.answer import Answer
from onnxray.model.answers.detections import Detections, detections
from onnxray.model.answers.masks import mask
from onnxray.model.answers.numbers import Embedding, Labels, Numbers
from onnxray.model.answers.sequences import sequence

Run = Callable[[int | None, Sequence[str]], Mapping[str, Array]]
"""Which sample (None: all) and which outputs -> what ONNX Runtime gives for them."""

_AXES_OF_A_PICTURE = 3
_BLANK_LAST = ("keras", "tf2onnx", "tensorflow")


@dataclass(frozen=True, kw_only=True)
class AnswerReader:
    """How one output is answered with, of whatever kind but classes. threshold: a box is listed above it."""

    graph: Graph
    facts: OutputFacts
    labels: tuple[str, ...] | None
    threshold: float | None = None

    @property
    def together(self) -> tuple[OutputFacts, ...]:
        """The outputs that are read: of a detector all that belong to its boxes."""
        if self.facts.kind != "boxes":
            return (self.facts,)
        beside = (one for one in outputs_of(self.graph) if one.kind in BOX_KINDS and one.name != self.facts.name)
        return (self.facts, *beside)

    @property
    def one_by_one(self) -> bool:
        """Whether each sample is fed by itself: rows that are chosen are as many as there are in each, and may not say
        whose they are. A picture without an axis of samples is one sample as it is.
        """
        shape = self.graph.inputs[0].shape or ()
        picture = len(shape) == _AXES_OF_A_PICTURE and bool({shape[0], shape[-1]} & {1, 3})
        return chooses_rows(self.graph) and not picture

    def read(self, run: Run, samples: int, notes: tuple[str, ...] = ()) -> Answer:
        """The answer for so many samples. Errors: InputError where an array is not what its output was taken for."""
        if self.facts.assumed:
            said = f"output {self.facts.name!r} is taken for {self.facts.said()}; state it: --output NAME=KIND"
            notes = (*notes, said)
        names = [one.name for one in self.together]
        if self.facts.kind != "boxes":
            return self._read(run(None, names)[names[0]], samples, notes)
        if not self.one_by_one:
            return self._boxes(run(None, names), notes)
        alone = [self._boxes(run(k, names), notes) for k in range(samples)]
        return alone[0].joined(alone[1:])

    def _boxes(self, raw: Mapping[str, Array], notes: tuple[str, ...]) -> Detections:
        scores = next((one.name for one in self.together if one.kind == "box scores"), None)
        exclusive = scores is not None and self._closing(scores) in SOFTMAXES
        return detections(self.together, raw, self.labels, exclusive=exclusive, threshold=self.threshold, notes=notes)

    def _read(self, array: Array, samples: int, notes: tuple[str, ...]) -> Answer:
        name, kind, labels = self.facts.name, self.facts.kind, self.labels
        if array.dtype == object and array.size and isinstance(array.flat[0], Mapping):
            raise InputError(f"output {name!r} holds dictionaries; read it with `onnxray values`")
        if not array.ndim or (len(array) != samples and kind != "sequence"):
            raise InputError(
                f"output {name!r} has the shape {list(array.shape)} for {samples} samples, not one row for each; read "
                "it with `onnxray values`"
            )
        if kind == "mask":
            return mask(self.facts, array, labels, sigmoid=self._closing(name) in SIGMOIDS, notes=notes)
        if kind == "sequence":
            ctc = all(value.is_float for value in self.graph.inputs[:1])
            last = any(word in self.graph.producer.lower() for word in _BLANK_LAST)
            return sequence(self.facts, array, labels, ctc=ctc, last=last, notes=notes)
        if kind == "labels":
            return Labels(output=name, values=array.reshape(len(array), -1)[:, 0], notes=notes)
        if array.dtype.kind in "fiub" and not np.isfinite(array).all():
            notes = (*notes, f"output {name!r} holds NaN or infinity")
        if kind == "embedding":
            return Embedding(output=name, values=array, notes=notes)
        return Numbers(kind=kind, output=name, values=array, notes=notes)

    def _closing(self, name: str) -> str:
        node = closing_node(self.graph, name)
        return "" if node is None else node.operator

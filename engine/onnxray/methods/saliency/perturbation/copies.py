"""Perturbed copies of one image, as many as memory allows at once, and what the judge says of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Array, Arrays
from onnxray.engines.chunks import chunk_size
from onnxray.errors import InputError
from onnxray.graph.classifier.readings import Head
from onnxray.graph.classifier.scores import per_class
from onnxray.graph.fixed_batch import fixed_batch_of
from onnxray.graph.receptive_field import pad_constants
from onnxray.graph.value_shapes import live_bytes, shapes_at
from onnxray.images.pixels import Pixels
from onnxray.model.model import Model
from onnxray.objectives.class_score import ClassScore, LabelKept
from onnxray.objectives.gradients import widened
from onnxray.objectives.objective import Objective

MIB = 2**20


class Copies:
    """What is read of copies of images: the objective and, of a classifier, the class and its scores.

    memory: the MiB that a batch of copies may take, by the sizes of the values that live at once. Errors: InputError
    where one copy (or the batch that the file fixes) takes more.
    """

    def __init__(self, model: Model, pixels: Pixels, objective: Objective, memory: int) -> None:
        self.model, self.objective = model, objective
        one = model.feeds(pixels.rows(slice(0, 1)))
        if pixels.input is None and len(one) != 1:
            raise InputError("copies are made of one input; this model reads several")
        self.input = pixels.input or next(iter(one))
        array = one[self.input]
        self.head = None if isinstance(objective, LabelKept) else _head(model, pixels)
        if self.head is not None and isinstance(objective, ClassScore):
            self.head = objective.head or self.head
        read = [] if self.head is None else [self.head.logits.value, self.head.probabilities.value]
        self.names = tuple(dict.fromkeys([*objective.values, *read]))
        self.constants = _computed_constants(model, one, self.names)
        self.shapes = shapes_at(model.graph, {name: fed.shape for name, fed in one.items()}, self.constants)
        # The copies themselves: as pixels, as what is fed, and both as one batch.
        self.copy_bytes = live_bytes(model.graph, self.shapes, self.names) + 3 * array.nbytes
        fixed = fixed_batch_of(model.graph)
        room = memory * MIB // self.copy_bytes
        if room < (fixed or 1):
            what = "one copy of the image" if fixed in {None, 1} else f"the file's batch of {fixed}"
            taken = -(-self.copy_bytes * (fixed or 1) // MIB)
            raise InputError(f"batch_memory is {memory} MiB; {what} takes {taken} MiB in this network")
        self.batch = fixed or (1 if objective.one_by_one else int(min(room, chunk_size(model.graph, one))))

    @property
    def facts(self) -> dict[str, Any]:
        """What is stated in the result."""
        return {"batch": self.batch, "copy_mib": round(self.copy_bytes / MIB, 2)}

    def forward(self, feeds: Arrays) -> dict[str, Array]:
        """The values that are read, by the session on the file where they are its outputs."""
        outputs = {output.name for output in self.model.graph.outputs}
        return self.model.judge.outputs(feeds, self.names) if outputs.issuperset(self.names) else self._inner(feeds)

    @cached_property
    def _inner(self) -> Any:
        return self.model.judge.segment(self.names)

    def read(self, values: Arrays, count: int, row: int) -> dict[str, NDArray[Any]]:
        """``score`` (M,) of copies of image ``row``; for a class ``logit``, ``probability``; of a classifier ``class``.

        The values are those that ``forward`` gives; ``count`` copies were fed.
        """
        objective = self.objective.rows(np.full(count, row))
        wide, place = widened(values), slice(0, count)
        try:
            found = {"score": np.asarray(objective.score(wide, place), np.float64)}
        except IndexError:
            raise InputError(f"{objective.describe(0)} is not there in every copy; explain another number") from None
        if found["score"].shape != (count,):
            raise InputError(f"{objective.describe(0)} gives no one number for each of {count} copies")
        if not np.isfinite(found["score"]).all():
            raise InputError(f"{objective.describe(0)} is not finite for some of the copies; explain another number")
        if isinstance(objective, LabelKept) and values[objective.value].dtype.kind in "iu":
            found["class"] = values[objective.value].reshape(-1).astype(np.int64)
        if self.head is None:
            return found
        probabilities, logits = self.head.probabilities, self.head.logits
        per_class(self.model.graph, probabilities.value, values[probabilities.value].reshape(count, -1))
        numbers = probabilities.real(wide[probabilities.value])
        found["class"] = probabilities.ranking(numbers).reshape(count, -1).argmax(1)
        if isinstance(objective, ClassScore) and objective.value == logits.value:
            own = np.arange(count), objective.of_samples(count)
            found["logit"] = logits.real(wide[logits.value]).reshape(count, -1)[own]
            if not probabilities.unknown:
                found["probability"] = probabilities.probabilities(numbers, np).reshape(count, -1)[own]
        return found


def _head(model: Model, pixels: Pixels) -> Head | None:
    """How a classifier's class and scores are read; None where the model is none, or knows of one class alone."""
    verdict = model.verdict(pixels.rows(slice(0, 1)))
    return None if verdict is None or verdict.probabilities.shape[1] == 1 else verdict.head


def _computed_constants(model: Model, feeds: Arrays, names: Sequence[str]) -> dict[str, Array]:
    """What Pad nodes read and nodes compute from weights alone."""
    wanted = [name for name in pad_constants(model.graph, names) if name not in model.graph.initializers]
    return model.judge.values(feeds, wanted, once=True) if wanted else {}


def slices(index: NDArray[np.int64], size: int) -> Sequence[NDArray[np.int64]]:
    """The index in parts of ``size`` at most."""
    return [index[start : start + size] for start in range(0, len(index), size)]

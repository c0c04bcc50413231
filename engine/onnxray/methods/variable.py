"""What a method changes, and how that is saved, fed and judged; here pixels, in array_variable.py arrays.

pixels   x in [0, 255], saved as round(clip(x, 0, 255)); a step is one grey level
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.graph.classifier.predictions import Predictions
from onnxray.images.eight_bits import to_uint8
from onnxray.images.pixels import Pixels
from onnxray.model.model import Model
from onnxray.notebooks.glimpses import offer
from onnxray.objectives.gradients import scored_gradient
from onnxray.objectives.objective import Objective

Rows = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Variable(ABC):
    """Samples x_0 and how they are changed. ``rows`` say which sample each of some x began as.

    whole: the model that was opened, which knows classes in words. model: what is judged and differentiated: the same,
    or the one that begins at a value inside. samples: as ``model`` takes them. names: the inputs or the value that are
    changed; none of the pixels of a model of one picture.
    """

    whole: Model
    model: Model
    samples: Pixels
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.samples)

    @property
    @abstractmethod
    def start(self) -> NDArray[Any]:
        """(N, ...): x_0, as it is saved."""

    @abstractmethod
    def saved(self, x: NDArray[Any]) -> NDArray[Any]:
        """What is saved of x (..., numbers of a sample)."""

    @abstractmethod
    def bounded(self, x: NDArray[Any]) -> NDArray[Any]:
        """x within what it may hold."""

    def limits(self, rows: Rows) -> tuple[NDArray[Any], NDArray[Any]]:
        """(n, ...): the least and the greatest change in steps; infinite where no bounds are known."""
        origin, steps = self.floats(rows), self.steps(rows)
        low, high = (self.bounded(np.full_like(origin, end)) - origin for end in (-np.inf, np.inf))
        return low / steps, high / steps

    @abstractmethod
    def steps(self, rows: Rows) -> NDArray[np.float64]:
        """(n, ...): how much a step adds to each number of these samples, or to all of each."""

    @abstractmethod
    def furthest(self, x: NDArray[Any], rows: Rows) -> NDArray[np.float64]:
        """(n,): max |x - x_0| in steps."""

    @abstractmethod
    def fed(self, x: NDArray[Any], rows: Rows) -> Pixels:
        """x with what is held, as ``model`` takes it."""

    @abstractmethod
    def gradient(self, x: NDArray[Any], rows: Rows, cotangents: Mapping[str, Any]) -> NDArray[Any]:
        """J^T c, a step: what ``Model.pullback`` gives times ``steps``."""

    @abstractmethod
    def slopes(
        self, x: NDArray[Any], rows: Rows, objective: Objective, also: Sequence[Objective]
    ) -> tuple[tuple[NDArray[np.float64], ...], NDArray[Any]]:
        """The numbers (n,) of ``also`` by the twin, and the gradient of the objective, a step: one pass for both."""

    @abstractmethod
    def of(self, samples: Pixels) -> Variable:
        """The same of other samples, as the whole model takes them."""

    @property
    def fed_numbers(self) -> int:
        """How many numbers a sample is fed as, what is held among them."""
        return int(self.start[0].size)

    @property
    def whole_steps(self) -> bool:
        """Whether what is saved is x_0 and a whole number of steps."""
        return False

    def notes(self, norms: str = "L2 and Linf are in their own units") -> tuple[str, ...]:
        """What results say of it. norms: in what units they measure arrays."""
        return ()

    def floats(self, rows: Rows) -> NDArray[Any]:
        """x_0 of these samples, to be changed in place."""
        return self.start[rows].astype(np.float64)

    def values(self, x: NDArray[Any], rows: Rows, names: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Named values of x, by ONNX Runtime."""
        return self.model.values(self.fed(x, rows), names)

    def verdict(self, samples: Pixels) -> Predictions | None:
        """What the judge says of samples; None where the model is no classifier."""
        return self.model.verdict(samples, scores=True)

    def shapes(self, names: Sequence[str]) -> dict[str, tuple[int, ...]]:
        """Value -> its shape of one sample, without the axis of samples. Errors: InputError where it has none."""
        found = self._measured(names)
        for name, shape in found.items():
            if shape[:1] != (1,):
                raise InputError(
                    f"{name!r} has the shape {list(shape)} for one image, not one representation an image; "
                    "choose another layer"
                )
        return {name: shape[1:] for name, shape in found.items()}

    @abstractmethod
    def _measured(self, names: Sequence[str]) -> dict[str, tuple[int, ...]]:
        """Value -> its shape of one sample."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PixelVariable(Variable):
    """The pixels of a model of one picture."""

    @cached_property
    def start(self) -> NDArray[Any]:
        """In 8 bits."""
        return to_uint8(self.samples.array)

    def saved(self, x: NDArray[Any]) -> NDArray[Any]:
        """In 8 bits."""
        return to_uint8(x)

    def bounded(self, x: NDArray[Any]) -> NDArray[Any]:
        """Within [0, 255]."""
        return np.asarray(np.clip(x, 0, 255))

    def limits(self, rows: Rows) -> tuple[NDArray[Any], NDArray[Any]]:
        """Black and white, in grey levels: asked at every step of an attack."""
        origin = self.floats(rows)
        return 0 - origin, 255 - origin

    @property
    def whole_steps(self) -> bool:
        """8 bits are whole grey levels."""
        return True

    def steps(self, rows: Rows) -> NDArray[np.float64]:
        """One grey level."""
        return np.ones((len(rows), *[1] * (self.start.ndim - 1)))

    def floats(self, rows: Rows) -> NDArray[Any]:
        """In float32."""
        return self.start[rows].astype(np.float32)

    def furthest(self, x: NDArray[Any], rows: Rows) -> NDArray[np.float64]:
        """In grey levels."""
        moved = np.abs(x.astype(np.int64) - self.start[rows])
        return np.asarray(moved.reshape(len(x), -1).max(1), np.float64)

    def fed(self, x: NDArray[Any], rows: Rows) -> Pixels:
        """As they are. What an engine is asked of pictures on their way is fed here, so here one may look on."""
        offer(lambda: to_uint8(x[np.unique(rows, return_index=True)[1]]))
        return Pixels.of(x)

    def gradient(self, x: NDArray[Any], rows: Rows, cotangents: Mapping[str, Any]) -> NDArray[Any]:
        """A grey level."""
        return np.asarray(self.model.pullback(self.fed(x, rows), cotangents))

    def slopes(
        self, x: NDArray[Any], rows: Rows, objective: Objective, also: Sequence[Objective]
    ) -> tuple[tuple[NDArray[np.float64], ...], NDArray[Any]]:
        """A grey level."""
        scores, found = scored_gradient(self.model, self.fed(x, rows), objective, also)
        return scores, next(iter(found.values()))

    def _measured(self, names: Sequence[str]) -> dict[str, tuple[int, ...]]:
        return self.model.shapes(names)

    def of(self, samples: Pixels) -> PixelVariable:
        """Of other pictures."""
        return replace(self, samples=samples)

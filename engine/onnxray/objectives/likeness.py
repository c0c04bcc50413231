"""How alike a value is to a given one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.objectives.objective import Index, Objective, namespace


@dataclass(frozen=True, eq=False)
class Similarity(Objective):
    """The cosine between an embedding and a given one: <a, r> / (|a| |r|), all of a value taken as one vector.

    0 where a is 0: it is like nothing; its slope is then r / |r|, the way out.
    """

    value: str
    references: NDArray[np.float64]
    source: str = "a given embedding"

    @property
    def values(self) -> tuple[str, ...]:
        """The embedding."""
        return (self.value,)

    def score(self, values: Mapping[str, Any], place: slice) -> Any:
        """The cosine."""
        vectors = values[self.value]
        vectors = vectors.reshape(place.stop - place.start, -1)
        xp = namespace(vectors)
        unit = self.references[place] / np.linalg.norm(self.references[place], axis=1, keepdims=True)
        if unit.shape[1] != vectors.shape[1]:
            raise InputError(
                f"the given embedding has {unit.shape[1]} numbers, {self.value!r} has {vectors.shape[1]} a sample"
            )
        given = unit.astype(vectors.dtype) if xp is np else xp.as_tensor(unit).to(vectors)
        squares = (vectors * vectors).sum(1)
        return (vectors * given).sum(1) / xp.sqrt(xp.where(squares > 0, squares, xp.ones_like(squares)))

    def rows(self, index: Index) -> Objective:
        """The references of these rows."""
        return replace(self, references=self.references[index])

    def describe(self, row: int) -> str:
        """What it is near to."""
        return f"cosine of {self.value} with {self.source}"


@dataclass(frozen=True, eq=False)
class Distance(Objective):
    """||a - r||_2 between a value and a given one, all of a value taken as one vector."""

    value: str
    references: NDArray[np.float64]

    @property
    def values(self) -> tuple[str, ...]:
        """The value."""
        return (self.value,)

    def score(self, values: Mapping[str, Any], place: slice) -> Any:
        """The distance."""
        vectors = values[self.value]
        vectors = vectors.reshape(place.stop - place.start, -1)
        xp, given = namespace(vectors), self.references[place]
        missing = vectors - (given.astype(vectors.dtype) if xp is np else xp.as_tensor(given).to(vectors))
        return xp.sqrt((missing * missing).sum(1))

    def rows(self, index: Index) -> Objective:
        """The references of these rows."""
        return replace(self, references=self.references[index])

    def describe(self, row: int) -> str:
        """From what."""
        return f"distance of {self.value} from its own"


@dataclass(frozen=True, eq=False)
class Direction(Objective):
    """mean_p <a_p, v>, or mean_p <a_p, v> / (|a_p| |v|): how far a value goes in a direction v.

    v has a number a channel, p the positions; or as many numbers as a sample of the value has, then p is one.
    """

    value: str
    vector: NDArray[np.float64]
    measure: Literal["dot", "cosine"] = "dot"
    source: str = "a given direction"

    @property
    def values(self) -> tuple[str, ...]:
        """The one value."""
        return (self.value,)

    def score(self, values: Mapping[str, Any], place: slice) -> Any:
        """The mean over the positions."""
        array, count = values[self.value], place.stop - place.start
        numbers = int(np.prod(array.shape)) // count
        if self.vector.size == numbers:
            array = array.reshape(count, numbers, 1)
        elif array.ndim > 2 and len(array) == count and array.shape[1] == self.vector.size:
            array = array.reshape(count, self.vector.size, -1)
        else:
            raise InputError(
                f"{self.source} has {self.vector.size} numbers; {self.value!r} has the shape {list(array.shape)}: a "
                "number for each channel, or one for each of a sample's, was expected"
            )
        xp = namespace(array)
        given = self.vector.reshape(1, -1, 1)
        vector = given.astype(array.dtype) if xp is np else xp.as_tensor(given).to(array)
        dots = (array * vector).sum(1)
        if self.measure == "cosine":
            dots = dots / (xp.sqrt((array * array).sum(1) + 1e-20) * float(np.linalg.norm(self.vector)))
        return dots.mean(1)

    def rows(self, index: Index) -> Objective:
        """Itself: it is the same for every sample."""
        return self

    def describe(self, row: int) -> str:
        """The measure, the value and where the direction comes from."""
        return f"{self.measure} of {self.value} with {self.source}"

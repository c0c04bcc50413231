"""Objectives that image synthesis alone needs: another target in each row, channels, directions, diversity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.objectives import Index, Objective, namespace


@dataclass(frozen=True, eq=False)
class Each(Objective):
    """o_n for sample n: several targets in one batch. Each of ``objectives`` is for a batch of one."""

    objectives: tuple[Objective, ...]

    @property
    def values(self) -> tuple[str, ...]:
        """All that they read."""
        return tuple(dict.fromkeys(name for objective in self.objectives for name in objective.values))

    def score(self, values: Mapping[str, Any], place: slice) -> Any:
        """Each sample's own."""
        count = place.stop - place.start
        parts = {name: _samples(values[name], count) for name in self.values}
        scores = [
            objective.score({name: parts[name][k] for name in objective.values}, slice(0, 1))
            for k, objective in enumerate(self.objectives[place])
        ]
        return namespace(next(iter(values.values()))).concatenate(scores)

    def rows(self, index: Index) -> Objective:
        """Those of these rows."""
        return Each(tuple(self.objectives[k] for k in index))

    def describe(self, row: int) -> str:
        """The row's own words."""
        return self.objectives[row].describe(0)


@dataclass(frozen=True, eq=False)
class Channels(Objective):
    """mean a[n, c_n], or a[n, c_n, y, x] with one position (y, x) for all: a channel for each sample.

    Where a value has several rows a sample (windows), they are averaged over too.
    """

    value: str
    channels: Index
    position: tuple[int, int] | None = None

    @property
    def values(self) -> tuple[str, ...]:
        """The one value."""
        return (self.value,)

    def score(self, values: Mapping[str, Any], place: slice) -> Any:
        """The channel's mean, or its neuron."""
        array, count = values[self.value], place.stop - place.start
        channels = np.repeat(self.channels[place], len(array) // count)
        own = array[np.arange(len(array)), channels]
        if self.position is not None:
            own = own[:, self.position[0], self.position[1]]
        return own.reshape(count, -1).mean(1)

    def rows(self, index: Index) -> Objective:
        """The channels of these rows."""
        return replace(self, channels=self.channels[index])

    def describe(self, row: int) -> str:
        """The name as a user types it."""
        name = f"{self.value}:{self.channels[row]}"
        return f"mean of {name}" if self.position is None else f"{name},{self.position[0]},{self.position[1]}"


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


@dataclass(frozen=True, eq=False)
class Diversity(Objective):
    """sum_{m != n, same group} <G_n, G_m>, G the Gram matrix of channels over its Frobenius norm (lucid).

    How alike in style a sample is to the others of its group; subtracted, it makes them differ. A group has to be
    scored at once.
    """

    value: str
    groups: Index

    @property
    def values(self) -> tuple[str, ...]:
        """The one value."""
        return (self.value,)

    def score(self, values: Mapping[str, Any], place: slice) -> Any:
        """The sum of the cosines."""
        array = values[self.value]
        xp = namespace(array)
        groups = self.groups[place]
        if len(array) != len(groups) or array.ndim < 3:
            raise InputError(
                f"{self.value!r} has the shape {list(array.shape)} for {len(groups)} images; a value with channels and "
                "positions for each image was expected to compare styles at"
            )
        flat = array.reshape(len(array), array.shape[1], -1)
        grams = (flat @ (flat.transpose(0, 2, 1) if xp is np else flat.transpose(1, 2))).reshape(len(flat), -1)
        grams = grams / xp.sqrt((grams * grams).sum(1) + 1e-20)[:, None]
        others = (groups[:, None] == groups[None]) & ~np.eye(len(groups), dtype=bool)
        return ((grams @ grams.T) * (others if xp is np else xp.as_tensor(others).to(grams))).sum(1)

    def rows(self, index: Index) -> Objective:
        """The groups of these rows."""
        return replace(self, groups=self.groups[index])

    def describe(self, row: int) -> str:
        """What is alike."""
        return f"likeness in style at {self.value}"


def _samples(value: Any, count: int) -> Any:
    """The rows of each sample of a value, which may have several a sample (windows)."""
    rows = len(value) // count
    return np.split(value, count) if isinstance(value, np.ndarray) else value.split(rows)

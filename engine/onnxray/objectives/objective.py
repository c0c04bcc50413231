"""What is differentiated or scored: a real number for each sample, computed from named values.

Objectives are frozen values that compose: ``a + b``, ``a - b``, ``2 * a``. They take numpy arrays (the judge) and torch
tensors (the twin) alike, so that what a map explains and what an occlusion measures is written once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.errors.short_values import short

Index = NDArray[np.int64]


class Objective(ABC):
    """A real number for each sample of a batch. Parameters that differ from sample to sample have one row for each."""

    @property
    @abstractmethod
    def values(self) -> tuple[str, ...]:
        """The values that it reads, by their ONNX names."""

    @abstractmethod
    def score(self, values: Mapping[str, Any], place: slice) -> Any:
        """(n,) from values of n samples, which stand at ``place`` in the batch; numpy or torch, as it was given."""

    @property
    def one_by_one(self) -> bool:
        """Whether it reads values that do not say which rows are whose, so that samples go one by one."""
        return False

    @property
    def count(self) -> int | None:
        """How many samples it is for; None where it is the same for any number."""
        return None

    @abstractmethod
    def rows(self, index: Index) -> Objective:
        """The same objective for a batch made of these rows of this one's batch, repetitions allowed."""

    @abstractmethod
    def describe(self, row: int) -> str:
        """What it is for one sample, in words."""

    def __add__(self, other: Objective) -> Objective:
        return Sum(((1.0, self), (1.0, _objective(other))))

    def __radd__(self, other: object) -> Objective:
        """``sum([a, b])`` begins with 0."""
        return self if other == 0 else self + _objective(other)

    def __sub__(self, other: Objective) -> Objective:
        return Sum(((1.0, self), (-1.0, _objective(other))))

    def __mul__(self, factor: float) -> Objective:
        number = isinstance(factor, int | float | np.integer | np.floating) and not isinstance(factor, bool)
        if not number or not np.isfinite(factor):
            raise InputError(f"an objective is multiplied by a finite number, not by {short(factor)}")
        return Sum(((float(factor), self),))

    __rmul__ = __mul__

    def __neg__(self) -> Objective:
        return self * -1.0


@dataclass(frozen=True, eq=False)
class Sum(Objective):
    """sum_k w_k o_k. A weight is one number for all samples, or (N,), one for each."""

    terms: tuple[tuple[float | NDArray[np.float64], Objective], ...]

    @property
    def values(self) -> tuple[str, ...]:
        """All that its terms read."""
        return tuple(dict.fromkeys(name for _, term in self.terms for name in term.values))

    @property
    def one_by_one(self) -> bool:
        """Where one of its terms does."""
        return any(term.one_by_one for _, term in self.terms)

    @property
    def count(self) -> int | None:
        """That of the first term that has one."""
        return next((term.count for _, term in self.terms if term.count is not None), None)

    def score(self, values: Mapping[str, Any], place: slice) -> Any:
        """The weighted sum."""
        parts = [_weighted(weight, term.score(values, place), place) for weight, term in self.terms]
        return sum(parts[1:], start=parts[0])

    def rows(self, index: Index) -> Objective:
        """Each term's rows."""
        return Sum(tuple((w[index] if isinstance(w, np.ndarray) else w, term.rows(index)) for w, term in self.terms))

    def describe(self, row: int) -> str:
        """Each term with its weight."""
        own = [(weight[row] if isinstance(weight, np.ndarray) else weight, term) for weight, term in self.terms]
        return " + ".join(f"{weight:g} * {term.describe(row)}" for weight, term in own)


def _weighted(weight: float | NDArray[np.float64], score: Any, place: slice) -> Any:
    if not isinstance(weight, np.ndarray):
        return weight * score
    own, xp = weight[place], namespace(score)
    return (own if xp is np else xp.as_tensor(own).to(score)) * score


def _objective(other: object) -> Objective:
    if not isinstance(other, Objective):
        raise InputError(f"an objective is added to another, not to {short(other)}")
    return other


def numbers_from_0(name: str, numbers: object) -> Index:
    """(N,) whole numbers from 0, or () for one that is the same for all. Errors: InputError."""
    found = np.asarray(numbers)
    if found.dtype.kind not in "iu" or found.ndim > 1 or (found < 0).any():
        raise InputError(f"{name} are {short(numbers)}; a whole number from 0 was expected, or one for each image")
    return found.astype(np.int64)


def one_for_each(name: str, numbers: Index | int, index: Index) -> Index:
    """Those of these rows; where there is one for all, that. Errors: InputError where there are too few."""
    found = np.asarray(numbers)
    if found.ndim == 0:
        return np.full(len(index), found)
    if len(index) and index.max() >= len(found):
        raise InputError(f"{len(found)} {name} numbers were given for {index.max() + 1} images; give one for each")
    return found[index]


def namespace(array: Any) -> Any:
    """The library whose functions take ``array``: numpy, or torch."""
    if isinstance(array, np.ndarray):
        return np
    import torch

    return torch


@dataclass(frozen=True, eq=False)
class Each(Objective):
    """o_n for sample n: several targets in one batch. Each of ``objectives`` is for a batch of one."""

    objectives: tuple[Objective, ...]

    @property
    def values(self) -> tuple[str, ...]:
        """All that they read."""
        return tuple(dict.fromkeys(name for objective in self.objectives for name in objective.values))

    @property
    def count(self) -> int:
        """One sample an objective."""
        return len(self.objectives)

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


def _samples(value: Any, count: int) -> Any:
    """The rows of each sample of a value, which may have several a sample (windows)."""
    rows = len(value) // count
    return np.split(value, count) if isinstance(value, np.ndarray) else value.split(rows)

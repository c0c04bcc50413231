"""Objectives that hold a value against what another picture gives there: itself, its moments, a direction.

    content   L_c = 1/2 sum (F - P)^2
    style     E_l = sum (G - A)^2 / (4 N^2 M^2),   G = F F^T,   F (N channels, M places)     (Gatys et al. 2015)
    direction <r, phi>

A and P stand for the reference's Gram matrix and value. All take numpy (the judge) and torch (the twin) alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Floats
from onnxray.errors import InputError
from onnxray.model.layers.grid import Grid
from onnxray.objectives.objective import Index, Objective, namespace


def flat_maps(value: Any, grid: Grid) -> Any:
    """(n, channels, places) of a value whose rows and columns stand on two axes."""
    moved = namespace(value).moveaxis(value, (grid.rows, grid.columns), (-2, -1))
    return moved.reshape(len(moved), -1, grid.height * grid.width)


def gram(value: Any, grid: Grid) -> Any:
    """G = F F^T, (n, channels, channels)."""
    maps = flat_maps(value, grid)
    return namespace(maps).einsum("ncm,ndm->ncd", maps, maps)


@dataclass(frozen=True, eq=False)
class Content(Objective):
    """-L_c, its distance to ``references`` (N, ...), the value's own shape, taken as a whole."""

    value: str
    references: NDArray[np.float32]

    @property
    def values(self) -> tuple[str, ...]:
        """The one value."""
        return (self.value,)

    def score(self, values: Mapping[str, Any], place: slice) -> Any:
        """-1/2 sum (F - P)^2."""
        off = values[self.value] - _like(self.references[place], values[self.value])
        return -(off * off).reshape(place.stop - place.start, -1).sum(1) / 2

    def rows(self, index: Index) -> Objective:
        """The references of these rows."""
        return replace(self, references=self.references[index])

    def describe(self, row: int) -> str:
        """What is kept."""
        return f"content at {self.value}"


@dataclass(frozen=True, eq=False)
class Style(Objective):
    """-E_l, the distance of Gram matrices to ``references`` (N, channels, channels) at a value laid out by ``grid``."""

    grid: Grid
    references: Floats

    @property
    def values(self) -> tuple[str, ...]:
        """The one value."""
        return (self.grid.value,)

    def score(self, values: Mapping[str, Any], place: slice) -> Any:
        """-sum (G - A)^2 / (4 N^2 M^2)."""
        own = gram(values[self.grid.value], self.grid)
        # Divided before the square: that of a sum over a picture's places leaves single precision.
        off = (own - _like(self.references[place], own)) / (2 * own.shape[1] * self.grid.height * self.grid.width)
        return -(off * off).sum((1, 2))

    def rows(self, index: Index) -> Objective:
        """The references of these rows."""
        return replace(self, references=self.references[index])

    def describe(self, row: int) -> str:
        """What is matched."""
        return f"style at {self.grid.value}"


@dataclass(frozen=True, eq=False)
class Direction(Objective):
    """<r, phi>, a value taken as one vector along ``references`` (N, D)."""

    value: str
    references: Floats

    @property
    def values(self) -> tuple[str, ...]:
        """The one value."""
        return (self.value,)

    def score(self, values: Mapping[str, Any], place: slice) -> Any:
        """The inner product."""
        vectors = values[self.value].reshape(place.stop - place.start, -1)
        return (vectors * _like(self.references[place], vectors)).sum(1)

    def rows(self, index: Index) -> Objective:
        """The references of these rows."""
        return replace(self, references=self.references[index])

    def describe(self, row: int) -> str:
        """What grows."""
        return f"<ref, {self.value}>"


def _like(array: NDArray[Any], other: Any) -> Any:
    """A numpy array in the library and type of another."""
    xp = namespace(other)
    return array.astype(other.dtype) if xp is np else xp.as_tensor(array).to(other)


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

"""The channels of a layer over many pictures: how active each is, how selective, and how alike they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from onnxray.notebooks.displayed import one_line
from onnxray.results.file_names import extended
from onnxray.results.item import Item

_PLAIN = ("layer", "pictures_seen", "channels", "dead", "constant", "classes", "labelled_by", "reason")


@dataclass(frozen=True, kw_only=True, eq=False)
class UnitsItem(Item):
    """A layer. channels: of each ``channel``, ``mean``, ``deviation`` (over pictures), ``largest``, ``zeros`` (the
    share of its numbers that are 0), ``dead`` (all are), ``selectivity`` and ``class``, and ``correlated_with`` and
    ``correlation``: the other channel that goes with it most; what could not be had is null, with a ``reason``.

    dead: how many are; constant: how many others never change. classes: how many; labelled_by: labels or predictions.
    correlations: (channels, channels).
    """

    layer: str
    pictures_seen: int
    channels: Sequence[Mapping[str, Any]]
    dead: int
    constant: int
    classes: int
    labelled_by: str | None
    reason: str | None
    stem: str = field(repr=False)
    correlations: NDArray[np.float32] = field(repr=False)

    def __repr__(self) -> str:
        facts = f"{len(self.channels)} channels, {self.dead} dead, over {self.pictures_seen} pictures"
        return one_line(self, f"{self.layer}: {facts}")

    def numbers(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {name: getattr(self, name) for name in _PLAIN}

    def pictures(self) -> dict[str, tuple[str, NDArray[Any]]]:
        """None: all of it is one picture of the run."""
        return {}

    def arrays(self) -> dict[str, tuple[str, NDArray[Any]]]:
        """``correlations``."""
        return {"correlations": (extended(self.stem, "correlations"), self.correlations)}

    @classmethod
    def restore(cls, document: Mapping[str, Any], pictures: Mapping[str, NDArray[Any]]) -> Self:
        """Build the item again from its part of result.json and its files."""
        stem = str(document["files"]["correlations"]).removesuffix("-correlations.npy")
        return cls(
            **{name: document[name] for name in _PLAIN}, stem=stem,
            correlations=np.asarray(pictures["correlations"], np.float32),
        )  # fmt: skip

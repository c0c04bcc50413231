"""How near a value comes to a given representation, as an objective: what an inversion climbs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.objectives.objective import Index, Objective, namespace

RepresentationPart = Literal["all", "centre", "half-channels"]

_NEIGHBOURHOOD = 5


@dataclass(frozen=True, eq=False)
class Match(Objective):
    """-||m (a - r)||^2 / ||m r||^2: the negative normalised representation error (Mahendran & Vedaldi 2015, eq. 2).

    references r: (N, ...), one a sample; mask m: (...), which numbers of a sample count, None for all.
    Errors: InputError where m r is zero throughout, holds NaN or infinity, or where shapes do not fit.
    """

    value: str
    references: NDArray[np.float32]
    mask: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if self.mask is not None and self.mask.shape != self.references.shape[1:]:
            raise InputError(
                f"the mask has the shape {list(self.mask.shape)}; {list(self.references.shape[1:])} was expected"
            )
        if not np.isfinite(self.references).all():
            raise InputError(
                f"the representation at {self.value!r} holds NaN or infinity; finite numbers were expected"
            )
        for row in np.flatnonzero(self._squares == 0):
            raise InputError(
                f"the representation {row} at {self.value!r} is zero throughout, so no error can be normalised by it; "
                "choose another layer or part"
            )

    @property
    def values(self) -> tuple[str, ...]:
        """The one value."""
        return (self.value,)

    @cached_property
    def _squares(self) -> NDArray[np.float64]:
        kept = self.references if self.mask is None else self.references[:, self.mask]
        return np.asarray(np.square(kept.reshape(len(kept), -1).astype(np.float64)).sum(1))

    def score(self, values: Mapping[str, Any], place: slice) -> Any:
        """The negative error."""
        given, count = values[self.value], place.stop - place.start
        if given.ndim == 0 or len(given) % count or given[0].shape != self.references.shape[1:]:
            raise InputError(
                f"{self.value!r} has the shape {list(given.shape)}; the representation has "
                f"{[count, *self.references.shape[1:]]}"
            )
        xp = namespace(given)
        references, squares = self.references[place], self._squares[place]
        mask = self.mask
        if xp is not np:
            references, squares = xp.as_tensor(references).to(given), xp.as_tensor(squares).to(given)
            mask = None if mask is None else xp.as_tensor(mask).to(given)
        missing = given - references
        if mask is not None:
            missing = missing * mask
        return -(missing * missing).reshape(count, -1).sum(1) / squares

    def rows(self, index: Index) -> Objective:
        """The references of these rows."""
        return replace(self, references=self.references[index])

    def describe(self, row: int) -> str:
        """Where it is matched."""
        return f"match at {self.value}"


def mask_of(part: RepresentationPart, value: str, shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
    """Which numbers of a representation of ``shape`` count (Mahendran & Vedaldi 2016, partial representations).

    centre: the 5 x 5 positions in the middle, all channels; half-channels: the first half of the channels, which stand
    first in the shape. Errors: InputError where the shape has no such part.
    """
    if part == "all":
        return None
    mask = np.zeros(shape, np.bool_)
    if part == "half-channels":
        if len(shape) not in (1, 3) or shape[0] < 2:
            raise InputError(f"{value!r} has the shape {list(shape)} an image; half of the channels cannot be taken")
        mask[: shape[0] // 2] = True
        return mask
    if len(shape) != 3 or min(shape[1:]) < _NEIGHBOURHOOD:
        raise InputError(
            f"{value!r} has the shape {list(shape)} an image; a 5 x 5 neighbourhood needs channels of at least 5 x 5"
        )
    top, left = (side // 2 - _NEIGHBOURHOOD // 2 for side in shape[1:])
    mask[:, top : top + _NEIGHBOURHOOD, left : left + _NEIGHBOURHOOD] = True
    return mask

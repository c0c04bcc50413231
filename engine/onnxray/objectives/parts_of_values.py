"""A channel, a place or a number of a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.errors.type_checks import check_kind
from onnxray.graph.value_names import Selection
from onnxray.objectives.objective import Index, Objective, namespace, numbers_from_0, one_for_each


@dataclass(frozen=True, eq=False)
class Part(Objective):
    """The mean of a value, of one channel of it, or one neuron: mean a[n], mean a[n, c], a[n, c, y, x].

    Channels stand on axis 1. Where a value has several rows a sample (windows), they are averaged over too. single:
    whether what is selected is known to be one number a sample, so that no mean is spoken of.
    """

    selection: Selection
    single: bool = False

    @property
    def values(self) -> tuple[str, ...]:
        """The one value."""
        return (self.selection.value,)

    def score(self, values: Mapping[str, Any], place: slice) -> Any:
        """The mean."""
        array = values[self.selection.value]
        count = place.stop - place.start
        if self.selection.channel is not None:
            if array.ndim < 2 or self.selection.channel >= array.shape[1]:
                raise InputError(
                    f"{self.selection.value!r} has the shape {list(array.shape)}; there is no channel "
                    f"{self.selection.channel}"
                )
            array = array[:, self.selection.channel]
        if self.selection.position is not None:
            row, column = self.selection.position
            if array.ndim != 3 or row >= array.shape[1] or column >= array.shape[2]:
                raise InputError(
                    f"{self.selection.value!r} has no position {row},{column} in a channel of the shape "
                    f"{list(array.shape[1:])}"
                )
            array = array[:, row, column]
        return array.reshape(count, -1).mean(1)

    def rows(self, index: Index) -> Objective:
        """Itself: it is the same for every sample."""
        return self

    def describe(self, row: int) -> str:
        """The name as a user types it."""
        s = self.selection
        at = "" if s.position is None else f",{s.position[0]},{s.position[1]}"
        name = s.value if s.channel is None else f"{s.value}:{s.channel}{at}"
        return name if self.single or s.position is not None else f"mean of {name}"


@dataclass(frozen=True, eq=False)
class Element(Objective):
    """One number of a value: ``a[n][i_n]``, the index i_n after the batch axis; ``index`` is (N, rank - 1).

    A detector's score or box coordinate is such a number. alone: the value has no axis of samples, and the index all of
    its axes: ``a[i_n]``, (N, rank); samples then go one by one.
    """

    value: str
    index: Index
    alone: bool = False

    @property
    def values(self) -> tuple[str, ...]:
        """The one value."""
        return (self.value,)

    @property
    def one_by_one(self) -> bool:
        """Where the value has no axis of samples."""
        return self.alone

    def score(self, values: Mapping[str, Any], place: slice) -> Any:
        """The number. Errors: InputError for several samples where the value has no axis of samples."""
        array, index = values[self.value], self.index[place]
        if not self.alone:
            return array[(np.arange(len(array)), *index.T)]
        own = self.describe(place.start)
        if len(index) != 1:
            raise InputError(
                f"the rows of {self.value!r} are those of {len(index)} samples together, so {own} is not known of "
                "each; give one image at a time"
            )
        if (index[0] >= np.array(array.shape)).any():
            raise InputError(
                f"{self.value!r} has the shape {list(array.shape)} for a changed image, and no {own}: its rows "
                "are chosen anew; explain a number of a value before the choice"
            )
        return array[tuple(index.T)]

    def rows(self, index: Index) -> Objective:
        """The indices of these rows."""
        return replace(self, index=self.index[index])

    def describe(self, row: int) -> str:
        """The name and the index."""
        return f"{self.value}[{','.join(map(str, self.index[row]))}]"


@dataclass(frozen=True, eq=False)
class Product(Objective):
    """o_n u_n: a detector's score where the file holds it as two numbers, whether there is anything and which class."""

    one: Objective
    other: Objective

    @property
    def values(self) -> tuple[str, ...]:
        """Those of both."""
        return tuple(dict.fromkeys((*self.one.values, *self.other.values)))

    @property
    def one_by_one(self) -> bool:
        """Where one of them does."""
        return self.one.one_by_one or self.other.one_by_one

    def score(self, values: Mapping[str, Any], place: slice) -> Any:
        """The product."""
        return self.one.score(values, place) * self.other.score(values, place)

    def rows(self, index: Index) -> Objective:
        """The product of their rows."""
        return Product(self.one.rows(index), self.other.rows(index))

    def describe(self, row: int) -> str:
        """Both."""
        return f"{self.one.describe(row)} * {self.other.describe(row)}"


@dataclass(frozen=True, eq=False)
class RegionScore(Objective):
    """mean over p in R_n of s a[n, c, p]: the score of a class over the region R_n that it wins, which is held fixed.

    axis: where the classes of the value stand. regions: (N, ...) the places, in the value's order without that axis.
    s = -1 where the value has one number a place and the class is what is outside.
    """

    value: str
    axis: int
    channel: int
    regions: NDArray[np.bool_]
    name: str
    sign: float = 1.0

    @property
    def values(self) -> tuple[str, ...]:
        """The one value."""
        return (self.value,)

    def score(self, values: Mapping[str, Any], place: slice) -> Any:
        """The mean. Errors: InputError for a value of other places."""
        array, own = values[self.value], self.regions[place]
        scores = array[(*[slice(None)] * self.axis, self.channel)]
        if tuple(scores.shape) != own.shape:
            raise InputError(
                f"{self.value!r} has the places {list(scores.shape)}, the mask {list(own.shape)}; name a number of it"
            )
        xp = namespace(array)
        inside = own.astype(array.dtype) if xp is np else xp.as_tensor(own, device=array.device).to(array.dtype)
        sums = (scores * inside).reshape(len(own), -1).sum(1)
        return self.sign * sums / inside.reshape(len(own), -1).sum(1)

    def rows(self, index: Index) -> Objective:
        """The regions of these rows."""
        return replace(self, regions=self.regions[index])

    def describe(self, row: int) -> str:
        """The class and how much it wins."""
        share = float(self.regions[row].mean())
        return f"mean of {self.name} in {self.value} over the {share:.1%} of the places that it wins"


@dataclass(frozen=True, eq=False)
class Channels(Objective):
    """mean a[n, c_n], or a[n, c_n, y, x] with one position (y, x) for all: a channel for each sample, or one for all.

    Where a value has several rows a sample (windows), they are averaged over too.
    """

    value: str
    channels: Index | int
    position: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        check_kind("the value of Channels", self.value, str)
        object.__setattr__(self, "channels", numbers_from_0("the channels of Channels", self.channels))

    @property
    def values(self) -> tuple[str, ...]:
        """The one value."""
        return (self.value,)

    @property
    def count(self) -> int | None:
        """One sample a channel."""
        return len(self.channels) if isinstance(self.channels, np.ndarray) and self.channels.ndim else None

    def score(self, values: Mapping[str, Any], place: slice) -> Any:
        """The channel's mean, or its neuron."""
        array, count = values[self.value], place.stop - place.start
        stated = one_for_each("channel", self.channels, np.arange(place.start, place.stop))
        if array.ndim < 2 or stated.max(initial=0) >= array.shape[1]:
            raise InputError(f"{self.value!r} has the shape {list(array.shape)}; there is no channel {stated.max()}")
        channels = np.repeat(stated, len(array) // count)
        own = array[np.arange(len(array)), channels]
        if self.position is not None:
            own = own[:, self.position[0], self.position[1]]
        return own.reshape(count, -1).mean(1)

    def rows(self, index: Index) -> Objective:
        """The channels of these rows."""
        return replace(self, channels=one_for_each("channel", self.channels, index))

    def describe(self, row: int) -> str:
        """The name as a user types it."""
        name = f"{self.value}:{one_for_each('channel', self.channels, np.array([row]))[0]}"
        return f"mean of {name}" if self.position is None else f"{name},{self.position[0]},{self.position[1]}"

"""What the judge says of images that differ from one in a window: only what the window reaches is computed again.

The network is cut at values through which everything passes. From each cut to the next, a patch is computed: the part
of the next value that the window reaches, from the part of this one which that part reads; the rest is the unchanged
image's. From the last cut on, the network is run whole. Where to cut is chosen by counting multiplications.

A patch begins at a multiple of the strides and, where it reads up to the border, ends there, so that what is padded is
what is padded in the whole image; numbers that saw the padding of a patch's inner side are not used.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Array, Arrays
from onnxray.engines.judge import Judge
from onnxray.graph.receptive_field import Field, Point, Reach
from onnxray.graph.value_shapes import Shapes

Interval = tuple[int, int]
Box = tuple[Interval, Interval]
Forward = Callable[[Arrays], dict[str, Array]]

# In multiplications: what a number that is copied into a patch costs, and what one more session costs an image.
_COPIED, _CALLED = 150.0, 3e6
# With a smaller share of the work spared, whole forwards are as good.
_WORTH = 0.1
_SIDES = np.array([[1, 0], [1, 0], [0, 1], [0, 1]])


class Patches:
    """The values ``names`` of an image with windows of it changed. ``planned`` makes one where it is worth it.

    windows: (M, 4), of each first and last row, first and last column, the last ones excluded. spared: the share of the
    local work that is not done, as planned.
    """

    def __init__(
        self, judge: Judge, cuts: Sequence[Point], names: Sequence[str], shapes: Shapes, windows: NDArray[np.int64],
        spared: float,
    ) -> None:  # fmt: skip
        self.spared = spared
        self.names = [point.name for point in cuts]
        pairs = list(itertools.pairwise(cuts))
        self._steps: list[Forward] = [judge.segment([after.name], [before.name]) for before, after in pairs]
        self._tail: Forward = judge.segment(names, self.names[-1:])
        self._strides = [(b.rows.stride // a.rows.stride, b.columns.stride // a.columns.stride) for a, b in pairs]
        planes = [shapes[name][2:] for name in self.names]
        rows, columns = (
            _axis_paths([(p.rows, p.columns)[k] for p in cuts], [plane[k] for plane in planes], windows[:, 2 * k :])
            for k in (0, 1)
        )
        self._paths = [list(zip(r, c)) for r, c in zip(rows, columns)]
        self._windows = windows
        self._inputs = {value.name for value in judge.graph.inputs}

    def groups(self) -> list[NDArray[np.int64]]:
        """The windows' indices, by the shapes of their patches: those of a group can be run in one batch."""
        order: dict[tuple[int, ...], list[int]] = {}
        for index, path in enumerate(self._paths):
            shape = tuple(axis.crop[1] - axis.crop[0] for step in path for axis in step)
            order.setdefault(shape, []).append(index)
        return [np.array(group, np.int64) for group in order.values()]

    def run(self, group: NDArray[np.int64], unchanged: Arrays, filled: Array) -> dict[str, Array]:
        """What is read, for windows of one group, in which the start is as in ``filled`` (C, height, width).

        unchanged: the model's inputs and the cuts' values (``names``) for the image itself, a batch of one.
        """
        paths = [self._paths[k] for k in group]
        places = [((int(t), int(b)), (int(left), int(right))) for t, b, left, right in self._windows[group]]
        changed = [filled[:, rows[0] : rows[1], columns[0] : columns[1]] for rows, columns in places]
        for stage, (step, stride) in enumerate(zip(self._steps, self._strides)):
            clean = unchanged[self.names[stage]][0]
            crops = [(path[stage][0].crop, path[stage][1].crop) for path in paths]
            batch = np.stack([_pasted(clean, *one) for one in zip(crops, places, changed)])
            found = step({self.names[stage]: batch})[self.names[stage + 1]]
            places = [(path[stage][0].reached, path[stage][1].reached) for path in paths]
            changed = [
                value[
                    :,
                    rows[0] - crop[0][0] // stride[0] : rows[1] - crop[0][0] // stride[0],
                    columns[0] - crop[1][0] // stride[1] : columns[1] - crop[1][0] // stride[1],
                ]
                for value, crop, (rows, columns) in zip(found, crops, places)
            ]
        clean = unchanged[self.names[-1]][0]
        whole = ((0, clean.shape[1]), (0, clean.shape[2]))
        batch = np.stack([_pasted(clean, whole, *one) for one in zip(places, changed)])
        beside = {name: np.repeat(unchanged[name], len(batch), axis=0) for name in self._inputs}
        return self._tail({**beside, self.names[-1]: batch})


def planned(
    judge: Judge, field: Field, names: Sequence[str], shapes: Shapes, windows: NDArray[np.int64]
) -> Patches | None:
    """Patches for the windows (M, 4) of images; None where whole forwards are as good.

    field: what is local between the image and ``names``.
    """
    points = [point for point in field.points if point.name in shapes]
    sizes = [shapes[point.name] for point in points]
    # Patches are as large as those in the middle of the image, which end at no border.
    middle = windows[np.abs(windows @ _SIDES - np.array(sizes[0][2:])).sum(1).argmin()]
    touched = [
        [reach.touched(int(low), int(high), size) for reach, low, high, size in zip(
            (point.rows, point.columns), middle[[0, 2]], middle[[1, 3]], shape[2:]
        )]
        for point, shape in zip(points, sizes)
    ]  # fmt: skip
    plane = sizes[0][2] * sizes[0][3]
    best: list[tuple[float, tuple[int, ...]]] = [(0.0, (0,))]
    for j in range(1, len(points)):
        options = []
        for i in range(j):
            cost, cuts = best[i]
            rows, columns = (
                reach.beyond(before).read(*interval, size)
                for reach, before, interval, size in zip(
                    (points[j].rows, points[j].columns), (points[i].rows, points[i].columns), touched[j], sizes[i][2:]
                )
            )
            area = (rows[1] - rows[0]) * (columns[1] - columns[0])
            scale = points[i].rows.stride * points[i].columns.stride
            work = (points[j].work - points[i].work) * area * scale
            options.append((cost + work + _COPIED * area * sizes[i][1] + _CALLED, (*cuts, j)))
        best.append(min(options))
    whole = field.work * plane
    totals = [
        (cost + whole - points[cuts[-1]].work * plane + _COPIED * float(np.prod(sizes[cuts[-1]])), cuts)
        for cost, cuts in best
    ]
    total, cuts = min(totals)
    # Work after the last local node is the same for both, so the true share is smaller than this one.
    spared = 1 - total / whole if whole else 0.0
    if len(cuts) == 1 or spared < _WORTH or _reads_back(judge, points[cuts[-1]].name, names):
        return None
    return Patches(judge, [points[k] for k in cuts], names, shapes, windows, spared)


def _reads_back(judge: Judge, last: str, names: Sequence[str]) -> bool:
    """Whether the part after the last cut computes convolutions before it again, to learn a shape."""
    graph = judge.graph
    end = graph.producer_of[last].index
    return any(node.operator == "Conv" and node.index < end for node in graph.needed_for(names, [last]))


@dataclass(frozen=True, slots=True)
class _Step:
    """One axis of one patch: what is read of this cut's value, and what is reached of the next one's."""

    crop: Interval
    reached: Interval


def _axis_paths(reaches: Sequence[Reach], lengths: Sequence[int], intervals: NDArray[np.int64]) -> list[list[_Step]]:
    """Of each window, along one axis, its steps from cut to cut."""
    pairs = [(int(low), int(high)) for low, high in intervals[:, :2]]
    found: dict[Interval, list[_Step]] = {pair: [] for pair in pairs}
    places = list(found)
    for stage in range(len(reaches) - 1):
        steps = _steps(reaches[stage + 1].beyond(reaches[stage]), lengths[stage], lengths[stage + 1], places)
        for path, step in zip(found.values(), steps):
            path.append(step)
        places = [step.reached for step in steps]
    return [found[pair] for pair in pairs]


def _steps(reach: Reach, length: int, next_length: int, places: Sequence[Interval]) -> list[_Step]:
    """Crops of one length, but for those that end at the border."""
    reached = [reach.touched(*place, next_length) for place in places]
    reached = [(min(low, next_length - 1), max(high, min(low, next_length - 1) + 1)) for low, high in reached]
    read = [reach.read(*one, length) for one in reached]
    starts = [low // reach.stride * reach.stride for low, _ in read]
    longest = max(high - start for start, (_, high) in zip(starts, read))
    steps = []
    for start, one in zip(starts, reached):
        crop = start, start + longest
        if crop[1] > length:
            crop = max(0, (length - longest) // reach.stride * reach.stride), length
        steps.append(_Step(crop, one))
    return steps


def _pasted(clean: Array, crop: Box, place: Box, changed: Array) -> Array:
    """The crop of ``clean``, with ``changed`` at ``place`` as far as that lies in the crop."""
    patch = clean[:, crop[0][0] : crop[0][1], crop[1][0] : crop[1][1]].copy()
    (top, bottom), (left, right) = ((max(at[0], within[0]), min(at[1], within[1])) for at, within in zip(place, crop))
    if top < bottom and left < right:
        (row, _), (column, _) = place
        patch[:, top - crop[0][0] : bottom - crop[0][0], left - crop[1][0] : right - crop[1][0]] = changed[
            :, top - row : bottom - row, left - column : right - column
        ]
    return patch

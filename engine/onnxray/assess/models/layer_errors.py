"""How far the values of two models lie apart, layer by layer and picture by picture, all by ONNX Runtime.

    largest = max |a - b|     mean = mean |a - b|     relative = |a - b|_2 / |a|_2     cosine = <a, b> / (|a|_2 |b|_2)

a: a value of the first model for one picture, b: that of the other, in float64. Models are read a few layers and
pictures at a time, so that no more than 64 MiB of values are held.

The layer where they part is the first whose error jumps: the first, in the order of the first model, of which the
largest relative error over the pictures is at least 0.001 and ten times that of every layer before it (which counts as
1e-6 where it is less). Where there is none they do not part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from onnxray.assess.models.alignment import Pair
from onnxray.images.pixels import Pixels
from onnxray.model.model import Model

HELD: Final = 64 * 2**20
"""Bytes of values of both models that are held at a time."""
PART_ABOVE: Final = 1e-3
JUMP: Final = 10.0
_FLOOR: Final = 1e-6
_BYTES: Final = 4 * 2


def layer_errors(
    a: Model, b: Model, of_a: Pixels, of_b: Pixels, pairs: Sequence[Pair]
) -> list[list[dict[str, Any] | None]]:
    """For each picture the errors of each pair; None where a value has no axis of samples. Errors: RuntimeRefusal."""
    count = len(of_a)
    found: list[list[dict[str, Any] | None]] = [[] for _ in range(count)]
    for some in _chunks(pairs, count):
        values = a.values(of_a, list(dict.fromkeys(pair.a for pair in some)))
        others = b.values(of_b, list(dict.fromkeys(pair.b for pair in some)))
        for pair in some:
            one, other = values[pair.a], others[pair.b]
            alike = one.shape[:1] == other.shape[:1] == (count,) and one.size == other.size
            for place in range(count):
                found[place].append(errors(one[place], other[place]) if alike else None)
    return found


def errors(a: NDArray[Any], b: NDArray[Any]) -> dict[str, Any]:
    """The four numbers at the top of the file; ``relative`` and ``cosine`` are None where a, or either, is zero."""
    one, other = (np.asarray(each, np.float64).reshape(-1) for each in (a, b))
    apart = np.abs(one - other)
    norm, norms = float(np.linalg.norm(one)), float(np.linalg.norm(other))
    return {
        "largest": float(apart.max(initial=0.0)),
        "mean": float(apart.mean()) if apart.size else 0.0,
        "relative": float(np.linalg.norm(apart)) / norm if norm else None,
        "cosine": float((one * other).sum()) / (norm * norms) if norm and norms else None,
    }


def worst(of_pictures: Sequence[Mapping[str, Any] | None]) -> dict[str, Any]:
    """Over the pictures: the largest of the differences and relative errors, the smallest cosine, and mean ``mean``."""
    known = [one for one in of_pictures if one is not None]

    def all_of(name: str) -> list[float]:
        return [one[name] for one in known if one[name] is not None]

    return {
        "largest": max(all_of("largest"), default=None),
        "mean": float(np.mean(all_of("mean"))) if known else None,
        "relative": max(all_of("relative"), default=None),
        "cosine": min(all_of("cosine"), default=None),
    }


def parting(relative: Sequence[float | None]) -> int | None:
    """The place of the first layer whose error jumps (see the top of the file); None where none does."""
    before = _FLOOR
    for place, error in enumerate(relative):
        if error is None:
            continue
        if error >= PART_ABOVE and error >= JUMP * before:
            return place
        before = max(before, error)
    return None


def _chunks(pairs: Sequence[Pair], count: int) -> Iterator[list[Pair]]:
    """Pairs one after the other, so many at a time as may be held; at least one."""
    some: list[Pair] = []
    held = 0
    for pair in pairs:
        size = pair.size * count * _BYTES
        if some and held + size > HELD:
            yield some
            some, held = [], 0
        some.append(pair)
        held += size
    if some:
        yield some

"""Pictures that one perturbation or one patch is made of, and those kept apart to try it on: never one in both.

They are taken in the order of their bytes' hashes, and the generator is seeded with all of these: the order in which
pictures are given changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.images.eight_bits import to_uint8
from onnxray.images.pixels import Pixels
from onnxray.methods.array_variable import variable_of
from onnxray.methods.attack.base import group_size
from onnxray.methods.attack.oracle import Oracle, Queries
from onnxray.methods.attack.success import OtherClass, criterion_of
from onnxray.methods.attack.threat import Floats, Norm
from onnxray.methods.shots import Shots
from onnxray.methods.variable import Rows
from onnxray.model.model import Model
from onnxray.objectives.conditions import is_comparison
from onnxray.objectives.targets import class_index

_FEWEST = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class PictureSet:
    """Pictures, what is asked of them, and what the judge says of them as they came.

    left_out: how many were, because they are of the class that is wanted already.
    """

    oracle: Oracle
    shots: Shots
    left_out: int

    def __len__(self) -> int:
        return len(self.shots.images)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one picture: channels, height, width."""
        return self.shots.images.shape[1:]

    @property
    def goal(self) -> str:
        """What is asked of them, in words: of all, where it is one thing."""
        criterion = self.oracle.criterion
        if isinstance(criterion, OtherClass) and criterion.wanted is None:
            return "another class"
        return criterion.describe(0)

    def groups(self) -> Iterator[Rows]:
        """All of them, as many at once as share their passes."""
        size = group_size(self.oracle.numbers)
        for start in range(0, len(self), size):
            yield np.arange(start, min(start + size, len(self)))

    def saved(self, v: Floats, rows: Rows, norm: Norm, eps: float) -> Floats:
        """(n, numbers): what one perturbation v (numbers,) becomes of these as they are saved, within the budget."""
        d = np.broadcast_to(v, (len(rows), v.size))
        return self.oracle.rounded(d, rows, norm, np.full(len(rows), eps))

    def reached(self, v: Floats, norm: Norm, eps: float) -> NDArray[np.bool_]:
        """(N,): whether the judge takes it on the saved picture of each."""
        return np.concatenate([self.oracle.met(self.saved(v, rows, norm, eps), rows) for rows in self.groups()])


def picture_set(model: Model, pixels: Pixels, goal: Any, maker: str) -> PictureSet:
    """Pictures and what is asked of them; those that are of the class that is wanted are left out.

    maker: what asks, for errors. Errors: InputError; those of ``criterion_of``.
    """
    kept = _without_those_there(model, pixels, goal, maker)
    variable = variable_of(model, kept, None, [model.head.name])
    criterion, shots = criterion_of(variable, goal)
    oracle = Oracle(variable=variable, criterion=criterion, queries=Queries.none(len(kept)))
    return PictureSet(oracle=oracle, shots=shots, left_out=len(pixels) - len(kept))


def _without_those_there(model: Model, pixels: Pixels, goal: Any, maker: str) -> Pixels:
    if goal is not None and not isinstance(goal, str | int):
        raise InputError(f"{maker} was given {short(goal)} as its target; one class or comparison was expected")
    said = model.verdict(pixels)
    text = str(goal).strip()
    if said is None or goal is None or text.lower() == "untargeted" or is_comparison(text):
        return pixels
    left = np.flatnonzero(said.classes != class_index(model, text, said.probabilities.shape[1]))
    if not left.size:
        raise InputError(
            f"all of the {len(pixels)} pictures are of class {text} already; give others, or another class"
        )
    return pixels if len(left) == len(pixels) else pixels.rows(left)


def parted(model: Model, pixels: Pixels, held_out: str | tuple[str, ...] | None, maker: str) -> tuple[Pixels, Any]:
    """Pictures to make something of, and those that are kept apart, None where none are; both in order of their hashes.

    held_out: pictures or folders of them; or a share of ``pixels``, as text. maker: what asks, for errors.
    Errors: InputError for too few of either, and for a picture that would be in both.
    """
    stated = (held_out,) if isinstance(held_out, str) else tuple(held_out or ())
    share = _share(stated)
    if share is not None:
        return _by_share(pixels, share, maker)
    fitted = pixels.rows(_order(pixels))
    if len(fitted) < _FEWEST:
        raise InputError(f"{maker} was given {len(pixels)} picture; it is made of many: give at least {_FEWEST}")
    if not stated:
        return fitted, None
    others = model.pixels(list(stated))
    both = set(digests(fitted)) & set(digests(others))
    if both:
        name = next(n or f"picture {k}" for k, (n, d) in enumerate(zip(others.names, digests(others))) if d in both)
        raise InputError(
            f"{short(name)} is held out, and {maker} is made of the same picture; hold out others ({len(both)} are in "
            "both)"
        )
    return fitted, others.rows(_order(others))


def _by_share(pixels: Pixels, share: float, maker: str) -> tuple[Pixels, Pixels]:
    """Equal pictures stay together."""
    each = digests(pixels)
    apart = set(sorted(set(each))[: max(1, round(share * len(set(each))))])
    order = _order(pixels)
    held = np.array([k for k in order.tolist() if each[k] in apart], np.int64)
    left = np.array([k for k in order.tolist() if each[k] not in apart], np.int64)
    if len(left) < _FEWEST:
        raise InputError(
            f"{maker} was given {len(pixels)} pictures, and a share of {share:g} of them held out leaves {len(left)}; "
            f"it is made of at least {_FEWEST}"
        )
    return pixels.rows(left), pixels.rows(held)


def _share(stated: tuple[str, ...]) -> float | None:
    """A single number above 0 and below 1."""
    try:
        found = float(stated[0]) if len(stated) == 1 else None
    except ValueError:
        return None
    if found is not None and not 0 < found < 1:
        raise InputError(f"held_out is {short(stated[0])}; a folder, or a share above 0 and below 1, was expected")
    return found


def digests(pixels: Pixels) -> list[bytes]:
    """Of each picture, as it is saved."""
    return [hashlib.sha256(np.ascontiguousarray(one).tobytes()).digest() for one in to_uint8(pixels.array)]


def _order(pixels: Pixels) -> NDArray[np.int64]:
    each = digests(pixels)
    return np.array(sorted(range(len(each)), key=lambda k: (each[k], k)), np.int64)


def generator_of_all(pixels: Pixels, seed: int) -> np.random.Generator:
    """By the seed and all pictures, whatever their order."""
    whole = hashlib.sha256(b"".join(sorted(digests(pixels)))).digest()
    return np.random.default_rng([seed, int.from_bytes(whole[:16], "big")])


def moved_to(model: Model, pictures: PictureSet, d: Floats, rows: Rows) -> list[dict[str, Any]]:
    """What the judge calls saved pictures, the most frequent first: label and how many; nothing without classes."""
    said = pictures.oracle.variable.verdict(pictures.oracle.fed(d, rows))
    if said is None:
        return []
    classes, counts = np.unique(said.classes, return_counts=True)
    ordered = sorted(zip(counts.tolist(), classes.tolist()), key=lambda pair: (-pair[0], pair[1]))
    return [{"class": one, "label": model.label(one), "pictures": count} for count, one in ordered]

"""Samples put together: what was given for each input, counted against the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from onnxray.arrays import Array
from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.graph.facts import Dim
from onnxray.images.pixels import Pixels
from onnxray.images.profile.profile import Profile
from onnxray.model.inputs.stated import Input, Inputs


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """What one thing that was given holds: arrays by input, with an axis of samples; name: its path. words: labels of
    the places of each sample: tokens, columns. profile: how the pictures that they were enter.
    """

    arrays: Mapping[str, Array]
    name: str | None = None
    notes: tuple[str, ...] = ()
    words: tuple[tuple[str, ...], ...] = ()
    profile: Profile | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Parts:
    """Several: those for whole samples, one after the other, and those for one input by name."""

    whole: Sequence[Part] = ()
    named: Sequence[Part] = field(default_factory=list)


def joined(inputs: Inputs, parts: Parts, *, alone: bool = False) -> Pixels:
    """All that was given as samples: parts for the same input one after the other, other inputs beside.

    alone: the file has no axis of samples, so each array is one.
    Errors: InputError for an input that nothing was given for, and for different numbers of samples.
    """
    arrays: dict[str, list[Array]] = {}
    for part in (*parts.whole, *parts.named):
        for name, array in part.arrays.items():
            arrays.setdefault(name, []).append(array[None] if alone else array)
    whole = {name: _concatenated(name, pieces) for name, pieces in arrays.items()}
    for one in inputs.each:
        if one.name not in whole:
            raise InputError(
                f"nothing was given for the input {short(one.name)}, which takes {one.takes} ({one.kind}); give it as "
                f"{short(one.name)[1:-1]}=FILE, or all inputs in one .npz by their names"
            )
    main = varied(inputs, whole)
    labelled = [part for part in (*parts.whole, *parts.named) if main in part.arrays]
    count = len(whole[main])
    names = [part.name for part in labelled for _ in range(_length(part))]
    words = [word for part in labelled for word in part.words]
    return beside(
        inputs, whole, main,
        names=names if len(names) == count else [None] * count,
        notes=[note for part in (*parts.whole, *parts.named) for note in part.notes],
        words=words if len(words) == count else [],
    ).changed(profiles=_profiles(parts))  # fmt: skip


def _profiles(parts: Parts) -> dict[str, Profile]:
    """How pictures enter the inputs for which nothing but pictures was given."""
    found: dict[str, list[Profile | None]] = {}
    for part in (*parts.whole, *parts.named):
        for name in part.arrays:
            found.setdefault(name, []).append(part.profile)
    return {name: given[0] for name, given in found.items() if given[0] is not None and None not in given}


def beside(
    inputs: Inputs, arrays: Mapping[str, Array], main: str, *, names: Sequence[str | None] = (),
    notes: Sequence[str] = (), words: Sequence[tuple[str, ...]] = (),
) -> Pixels:  # fmt: skip
    """Samples of the input ``main`` with the others beside it. Errors: InputError for different numbers of them."""
    array = arrays[main]
    if not array.ndim or not len(array):
        raise InputError("the model's input is no image; give arrays as the model takes them")
    count, own = len(array), inputs.named(main).value.shape
    others: dict[str, Array] = {}
    axes: dict[str, int] = {}
    for one in inputs.each:
        if one.name == main:
            continue
        other = arrays[one.name]
        axis = _sample_axis(one.value.shape, other, count, own[0] if own else None)
        if axis is not None:
            axes[one.name] = axis
            if other.shape[axis] == 1 != count:
                other = np.repeat(other, count, axis)
            elif other.shape[axis] != count:
                raise InputError(
                    f"{short(main)} holds {count} samples and {short(one.name)} {other.shape[axis]}; give as many, or "
                    "one for all"
                )
        others[one.name] = other
    return Pixels(
        array, tuple(names) or (None,) * count, tuple(notes), plain=True, input=main, beside=others, axes=axes,
        words=tuple(words), kind=inputs.named(main).kind,
    )  # fmt: skip


def _sample_axis(shape: tuple[Dim, ...] | None, array: Array, count: int, batch: Dim) -> int | None:
    """The axis of an input along which samples lie: that of the same symbol as the first of the main input, else a free
    one as long as there are samples; None where it is the same for all.
    """
    if not array.ndim:
        return None
    if shape is None:
        return 0 if len(array) == count else None
    if isinstance(batch, str) and batch in shape:
        return shape.index(batch)
    free = [axis for axis, size in enumerate(shape) if not isinstance(size, int) and array.shape[axis] == count]
    if len(array) == count and (0 in free or shape[0] == count):
        return 0
    return free[0] if len(free) == 1 else None


def varied(inputs: Inputs, arrays: Mapping[str, Array]) -> str:
    """The input that is looked at where nobody says which: the one of real numbers that holds most of them.

    One whose first axis is free comes before one whose first axis is fixed, as that of a state is.
    """
    axes = [one for one in inputs.each if arrays[one.name].ndim]
    free = [one for one in axes if one.value.shape is None or not isinstance(one.value.shape[0], int)]
    real = [[one for one in some if one.value.is_float] for some in (free, axes)]
    among: Sequence[Input] = next(filter(None, (*real, free, axes)), inputs.each)
    return max(among, key=lambda one: arrays[one.name].size).name


def _concatenated(name: str, pieces: Sequence[Array]) -> Array:
    if len(pieces) == 1:
        return pieces[0]
    if len({piece.shape[1:] for piece in pieces}) > 1 or not pieces[0].ndim:
        shapes = " and ".join(str(list(piece.shape[1:])) for piece in pieces[:3])
        raise InputError(f"samples of {short(name)} have the shapes {shapes}; all of one run need the same")
    return np.concatenate(pieces)


def _length(part: Part) -> int:
    return max((len(array) for array in part.arrays.values() if array.ndim), default=1)

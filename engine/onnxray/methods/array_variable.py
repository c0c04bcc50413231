"""Arrays that a method changes in place of pixels, in their own units.

    x of one or several inputs, or of a value inside the network, saved in their own type, neither rounded nor clipped;
    a step is u = (max x_0 - min x_0) / 255, of each sample and input by itself

All other inputs are held. What is inside the network is judged by ONNX Runtime on the file cut there. An array of one
number throughout has no range; its u is |x_0| / 255, or 1 / 255 of zeros.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.graph.classifier.predictions import Predictions
from onnxray.graph.fixed_batch import has_no_batch
from onnxray.images.pixels import Pixels
from onnxray.methods.subjects import names_of_subjects
from onnxray.methods.variable import PixelVariable, Rows, Variable
from onnxray.model.beginning import beginning_at, computed_from, samples_at
from onnxray.model.model import Model
from onnxray.objectives.gradients import refuse_whole_numbers

_LEVELS = 255


@dataclass(frozen=True, kw_only=True, eq=False)
class ArrayVariable(Variable):
    """Arrays of inputs, or of a value inside the network, each sample's in one row behind each other: (N, numbers).

    names_: whose. read: what ``model`` takes of samples as the whole model takes them.
    """

    names_: tuple[str, ...]
    read: Callable[[Pixels], Pixels]

    @property
    def names(self) -> tuple[str, ...]:
        """Whose arrays they are."""
        return self.names_

    @cached_property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """x_0 by name, (N, ...) each."""
        fed = self.samples.arrays(self.model.inputs.each[0].name)
        return {name: fed[name] for name in self.names_}

    @cached_property
    def start(self) -> NDArray[Any]:
        """Side by side."""
        return self._flat(self.arrays)

    @cached_property
    def _ends(self) -> list[int]:
        return [*itertools.accumulate(array[0].size for array in self.arrays.values())]

    def kind(self, name: str) -> str:
        """What an input is read as; of a value inside the network what its numbers are."""
        return self.samples.kind if name == self.samples.input else self.model.inputs.named(name).kind

    def _flat(self, arrays: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        flat = [arrays[name].reshape(len(arrays[name]), -1) for name in self.names_]
        return np.concatenate([part.astype(np.result_type(np.float32, *flat)) for part in flat], axis=1)

    def parts(self, x: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """x (n, numbers) by name, in the shape and type of each input."""
        pieces = np.split(x, self._ends[:-1], axis=1)
        return {
            name: piece.reshape(len(x), *self.arrays[name].shape[1:]).astype(self.arrays[name].dtype)
            for name, piece in zip(self.names_, pieces)
        }

    @cached_property
    def units(self) -> dict[str, NDArray[np.float64]]:
        """u of each sample by name."""
        found = {}
        for name, array in self.arrays.items():
            flat = array.reshape(len(array), -1).astype(np.float64)
            if not np.isfinite(flat).all():
                raise InputError(f"{short(name)} holds NaN or infinity; finite numbers were expected")
            span, largest = np.ptp(flat, axis=1), np.abs(flat).max(1)
            found[name] = np.where(span > 0, span, np.where(largest > 0, largest, 1.0)) / _LEVELS
        return found

    def saved(self, x: NDArray[Any]) -> NDArray[Any]:
        """Each in its input's own type."""
        rows = self._flat(self.parts(x.reshape(-1, x.shape[-1])))
        return rows.reshape(x.shape)

    def bounded(self, x: NDArray[Any]) -> NDArray[Any]:
        """As it is: an array has no bounds that are known."""
        return x

    def steps(self, rows: Rows) -> NDArray[np.float64]:
        """u of each number."""
        return self._each(self.units, rows)

    def means(self, rows: Rows) -> NDArray[np.float64]:
        """The mean of each sample's array in place of each of its numbers."""
        return self._each(
            {name: a.reshape(len(a), -1).mean(1, dtype=np.float64) for name, a in self.arrays.items()}, rows
        )

    def _each(self, numbers: Mapping[str, NDArray[np.float64]], rows: Rows) -> NDArray[np.float64]:
        """One number a sample and name, in place of each of its numbers."""
        sizes = [array[0].size for array in self.arrays.values()]
        return np.concatenate([np.repeat(n[rows, None], size, 1) for n, size in zip(numbers.values(), sizes)], axis=1)

    def furthest(self, x: NDArray[Any], rows: Rows) -> NDArray[np.float64]:
        """In steps; what a number of the array's type cannot tell apart counts as gone."""
        before = self.start[rows]
        gone = np.abs(x.astype(np.float64) - before) + np.spacing(np.abs(before))
        return np.asarray((gone / self.steps(rows)).max(1))

    def fed(self, x: NDArray[Any], rows: Rows) -> Pixels:
        """Beside what is held, of the samples that they began as."""
        held, parts = self.samples.rows(rows), self.parts(x)
        array = parts.pop(held.input or self.names_[0], held.array)
        return held.changed(array=array, beside={**held.beside, **parts})

    def gradient(self, x: NDArray[Any], rows: Rows, cotangents: Mapping[str, Any]) -> NDArray[Any]:
        """For each number u times its slope."""
        found = self.model.pullback(self.fed(x, rows), cotangents, wrt=self.names_)
        return np.asarray(self._flat(found) * self.steps(rows))

    def _measured(self, names: Sequence[str]) -> dict[str, tuple[int, ...]]:
        one = np.zeros(1, np.int64)
        return {name: array.shape for name, array in self.values(self.start[one], one, names).items()}

    def of(self, samples: Pixels) -> ArrayVariable:
        """Of other samples, with their own of what is held."""
        own = replace(self, samples=self.read(samples))
        for name, array in own.arrays.items():
            if array.shape[1:] != self.arrays[name].shape[1:]:
                raise InputError(
                    f"{short(name)} has the shape {list(array.shape[1:])} of a target and "
                    f"{list(self.arrays[name].shape[1:])} of the origins; give both of one shape"
                )
        return own

    def verdict(self, samples: Pixels) -> Predictions | None:
        """In the words of the whole model; None where its output does not depend on what is changed."""
        if self.whole is self.model:
            return self.model.verdict(samples, scores=True)
        if self.whole.head.name not in {output.name for output in self.model.graph.outputs}:
            return None
        said = self.model.verdict(samples, scores=True)
        words = () if said is None else tuple(self.whole.label(int(number)) for number in said.classes)
        return None if said is None else replace(said, labels=words)

    def notes(self) -> tuple[str, ...]:
        """Whose arrays are changed, and what their numbers mean."""
        held = [one.name for one in self.model.inputs.each if one.name not in self.names_]
        beside = f"; held: {', '.join(held)}" if held else ""
        if self.whole is not self.model:
            beside = f", a value inside the network, judged by ONNX Runtime on the file from there on{beside}"
        return (
            f"changed: {', '.join(self.names_)}{beside}",
            "arrays are neither rounded nor clipped; L2 and Linf are in their own units, and where an option counts "
            "grey levels a 255th of the range of a sample's array is meant: unit",
        )


def variable_of(model: Model, pixels: Pixels, wrt: str | Sequence[str] | None, names: Sequence[str]) -> Variable:
    """What is changed: pixels of a model of one picture; else the arrays of the inputs, or of the value, of ``wrt``.

    names: the values that are looked at, all of which have to depend on it.
    Errors: NotDifferentiable for whole numbers; InputError for several values, a value of which ``names`` do not depend
    on, and a file without an axis of samples; UnknownValue.
    """
    subjects = names_of_subjects(model, wrt)
    if subjects == (None,) and model.profile is not None:
        return PixelVariable(whole=model, model=model, samples=pixels)
    inputs = [value.name for value in model.graph.inputs]
    named = [inputs[0] if name is None else name for name in subjects]
    if has_no_batch(model.graph):
        raise InputError(
            "the file has no axis of samples, and arrays are changed many at a time; export it with a free first axis"
        )
    for name in names:
        if name not in computed_from(model.graph, named):
            raise InputError(
                f"{short(name)} does not depend on {', '.join(map(short, named))}; name a layer behind it (--layer)"
            )
    inner = [name for name in named if name not in inputs]
    if not inner:
        return _of_inputs(model, pixels, named, stated=wrt is not None)
    if len(named) > 1:
        raise InputError(
            f"{', '.join(map(short, named))} cannot be changed together: name inputs alone, several if you like, or "
            "one value inside the network"
        )
    cut, samples = beginning_at(model, inner[0], names, pixels)
    given = [one.name for one in cut.inputs.each]

    def read(others: Pixels) -> Pixels:
        return samples_at(model, cut, inner[0], model.judge.values(model.feeds(others), given), others)

    return ArrayVariable(whole=model, model=cut, samples=samples, names_=(inner[0],), read=read)


def _of_inputs(model: Model, pixels: Pixels, named: Sequence[str], *, stated: bool) -> ArrayVariable:
    """The arrays of inputs. stated: by the user; else a state or a size, whose rows are no samples, is held."""
    changed = [name for name in named if stated or name == pixels.input or pixels.axes.get(name) == 0]
    for name in changed or named:
        refuse_whole_numbers(model, pixels.looking_at(name))
    return ArrayVariable(
        whole=model, model=model, samples=pixels, names_=tuple(changed or named), read=lambda others: others
    )

"""Arrays that a method changes in place of pixels: of one or several inputs, or of a value inside the network.

Each in numbers of its own (spaces.py): a picture given for one of several inputs in grey levels and 8 bits, any other
array as it is. All other inputs are held. What is inside the network is judged by ONNX Runtime on the file cut there.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from onnxray.images.profile.profile import Profile
from onnxray.methods.spaces import ArraySpace, PictureSpace, Space
from onnxray.methods.subjects import names_of_subjects
from onnxray.methods.variable import PixelVariable, Rows, Variable
from onnxray.model.beginning import beginning_at, computed_from, samples_at
from onnxray.model.model import Model
from onnxray.objectives.gradients import refuse_whole_numbers, scored_gradient
from onnxray.objectives.objective import Objective


@dataclass(frozen=True, kw_only=True, eq=False)
class ArrayVariable(Variable):
    """The numbers of inputs, or of a value inside the network, each sample's in one row, one behind the other.

    profiles: how the pictures enter that were given for some of them. read: what ``model`` takes of samples as the
    whole model takes them.
    """

    profiles: Mapping[str, Profile]
    read: Callable[[Pixels], Pixels]

    @cached_property
    def spaces(self) -> dict[str, Space]:
        """The numbers of each, by name."""
        fed = self.samples.arrays(self.model.inputs.each[0].name)
        return {
            name: PictureSpace(name=name, array=fed[name], profile=self.profiles[name])
            if name in self.profiles
            else ArraySpace(name=name, array=fed[name])
            for name in self.names
        }

    @cached_property
    def start(self) -> NDArray[Any]:
        """Side by side."""
        return self._joined([space.start for space in self.spaces.values()])

    @property
    def fed_numbers(self) -> int:
        """Those of all inputs."""
        return sum(array.size for array in self.samples.rows(slice(0, 1)).arrays(self.names[0]).values())

    @property
    def whole_steps(self) -> bool:
        """Where all are pictures."""
        return all(name in self.profiles for name in self.names)

    def kind(self, name: str) -> str:
        """What an input is read as; of a value inside the network what its numbers are."""
        return self.samples.kind if name == self.samples.input else self.model.inputs.named(name).kind

    def _joined(self, parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
        return np.concatenate([part.astype(np.result_type(np.float32, *parts)) for part in parts], axis=-1)

    def _pieces(self, x: NDArray[Any]) -> Iterator[tuple[Space, NDArray[Any]]]:
        """x (..., numbers) by space."""
        ends = [*itertools.accumulate(space.start.shape[1] for space in self.spaces.values())]
        yield from zip(self.spaces.values(), np.split(x, ends[:-1], axis=-1))

    def parts(self, x: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """What is saved of x (n, numbers), by name: arrays in the shape and type of each input, pictures in 8 bits."""
        return {space.name: space.shown(piece) for space, piece in self._pieces(x)}

    def saved(self, x: NDArray[Any]) -> NDArray[Any]:
        """Each as its space has it."""
        return self._joined([space.saved(piece) for space, piece in self._pieces(x)])

    def bounded(self, x: NDArray[Any]) -> NDArray[Any]:
        """Each as its space has it."""
        return self._joined([space.bounded(piece) for space, piece in self._pieces(x)])

    def steps(self, rows: Rows) -> NDArray[np.float64]:
        """u of each number."""
        return self._each([space.units for space in self.spaces.values()], rows)

    def means(self, rows: Rows) -> NDArray[np.float64]:
        """About which noise is drawn, for each number."""
        return self._each([space.mean for space in self.spaces.values()], rows)

    def _each(self, numbers: Sequence[NDArray[np.float64]], rows: Rows) -> NDArray[np.float64]:
        """One number a sample and space, in place of each of its numbers."""
        sizes = [space.start.shape[1] for space in self.spaces.values()]
        return np.concatenate([np.repeat(n[rows, None], size, 1) for n, size in zip(numbers, sizes)], axis=1)

    def furthest(self, x: NDArray[Any], rows: Rows) -> NDArray[np.float64]:
        """In steps; what a number of the array's type cannot tell apart counts as gone."""
        before = self.start[rows]
        gone = np.abs(x.astype(np.float64) - before) + np.spacing(np.abs(before))
        return np.asarray((gone / self.steps(rows)).max(1))

    def fed(self, x: NDArray[Any], rows: Rows) -> Pixels:
        """Beside what is held, of the samples that they began as."""
        held = self.samples.rows(rows)
        parts = {space.name: space.fed(piece) for space, piece in self._pieces(x)}
        array = parts.pop(held.input or self.names[0], held.array)
        return held.changed(array=array, beside={**held.beside, **parts})

    def gradient(self, x: NDArray[Any], rows: Rows, cotangents: Mapping[str, Any]) -> NDArray[Any]:
        """For each number u times its slope."""
        found = self.model.pullback(self.fed(x, rows), cotangents, wrt=self.names)
        return self._joined([space.slopes(found[space.name]) for space in self.spaces.values()]) * self.steps(rows)

    def slopes(
        self, x: NDArray[Any], rows: Rows, objective: Objective, also: Sequence[Objective]
    ) -> tuple[tuple[NDArray[np.float64], ...], NDArray[Any]]:
        """For each number u times its slope."""
        scores, found = scored_gradient(self.model, self.fed(x, rows), objective, also, self.names)
        slopes = self._joined([space.slopes(found[space.name]) for space in self.spaces.values()])
        return scores, slopes * self.steps(rows)

    def _measured(self, names: Sequence[str]) -> dict[str, tuple[int, ...]]:
        one = np.zeros(1, np.int64)
        return {name: array.shape for name, array in self.values(self.start[one], one, names).items()}

    def of(self, samples: Pixels) -> ArrayVariable:
        """Of other samples, with their own of what is held."""
        own = replace(self, samples=self.read(samples))
        for name, space in own.spaces.items():
            shapes = [list(one.array.shape[1:]) for one in (space, self.spaces[name])]
            if shapes[0] != shapes[1]:
                raise InputError(
                    f"{short(name)} has the shape {shapes[0]} of a target and {shapes[1]} of the origins; give both of "
                    "one shape"
                )
        return own

    def verdict(self, samples: Pixels) -> Predictions | None:
        """None, too, where the whole model's answer does not depend on what is changed."""
        outputs = {output.name for output in self.model.graph.outputs}
        return self.model.verdict(samples, scores=True) if self.whole.head.name in outputs else None

    def notes(self, norms: str = "L2 and Linf are in their own units") -> tuple[str, ...]:
        """Whose arrays are changed, and what their numbers mean."""
        held = [one.name for one in self.model.inputs.each if one.name not in self.names]
        beside = f"; held: {', '.join(held)}" if held else ""
        if self.whole is not self.model:
            beside = f", a value inside the network, judged by ONNX Runtime on the file from there on{beside}"
        said = f"changed: {', '.join(self.names)}{beside}"
        if all(name in self.profiles for name in self.names):
            return (f"{said}; pictures in grey levels and 8 bits",)
        return (
            said,
            f"arrays are neither rounded nor clipped; {norms}, and where an option counts grey levels a 255th of the "
            "range of a sample's array is meant: unit",
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

    return ArrayVariable(whole=model, model=cut, samples=samples, names=(inner[0],), profiles={}, read=read)


def _of_inputs(model: Model, pixels: Pixels, named: Sequence[str], *, stated: bool) -> ArrayVariable:
    """The arrays of inputs. stated: by the user; else a state or a size, whose rows are no samples, is held."""
    changed = [name for name in named if stated or name == pixels.input or pixels.axes.get(name) == 0]
    for name in changed or named:
        refuse_whole_numbers(model, pixels.looking_at(name))
    return ArrayVariable(
        whole=model, model=model, samples=pixels, names=tuple(changed or named), profiles=pixels.profiles,
        read=lambda others: others,
    )  # fmt: skip

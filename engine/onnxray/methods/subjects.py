"""What a method is made with respect to: the pixels, one of several inputs, or a named value inside the network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.images.pixels import Pixels
from onnxray.methods.run import Run
from onnxray.model.beginning import beginning_at, samples_at
from onnxray.model.model import Model
from onnxray.objectives.objective import Objective


@dataclass(frozen=True, eq=False)
class Subject:
    """A model and its samples: the model itself, or the one that begins at a value. name: None where there is one."""

    name: str | None
    model: Model
    pixels: Pixels


class Subjects:
    """The subjects of a run, each group of images in turn; a model that begins at a value is made once."""

    def __init__(self, model: Model, wrt: str | Sequence[str] | None) -> None:
        self._model = model
        self._names = names_of_subjects(model, wrt)
        self._stated = wrt is not None
        self._inner: dict[str, Model] = {}

    def in_turn(self, pixels: Pixels, objective: Objective, run: Run) -> Iterator[tuple[Subject, Run]]:
        """Each subject with its part of the run: of several, each is a unit of its own."""
        if len(self._names) > 1:
            yield from run.units(self.of(pixels, objective))
        else:
            yield from ((subject, run) for subject in self.of(pixels, objective))

    def of(self, pixels: Pixels, objective: Objective) -> Iterator[Subject]:
        """Each subject for a group of images. Errors: NotDifferentiable where the objective does not depend on one."""
        inputs = {value.name for value in self._model.graph.inputs}
        for name in self._names:
            if name is None:
                yield Subject(None, self._model, pixels)
            elif name in inputs and not self._stated and name != pixels.input and pixels.axes.get(name) != 0:
                continue  # a state or a size: its rows are no samples
            elif name in inputs:
                samples = pixels.looking_at(name).of_kind(self._model.inputs.named(name).kind)
                yield Subject(name if len(inputs) > 1 else None, self._model, samples)
            else:
                yield self._begun(name, pixels, objective)

    def _begun(self, value: str, pixels: Pixels, objective: Objective) -> Subject:
        inner = self._inner.get(value)
        if inner is None:
            inner, samples = beginning_at(self._model, value, objective.values, pixels)
            self._inner[value] = inner
        else:
            given = [one.name for one in inner.inputs.each]
            arrays = self._model.judge.values(self._model.feeds(pixels), given)
            samples = samples_at(self._model, inner, value, arrays, pixels)
        return Subject(value, inner, samples)


def refuse_several(model: Model, wrt: str | Sequence[str] | None) -> None:
    """Refuse maps of several inputs, or of a value inside, where figures are measured at the one input.

    Errors: InputError.
    """
    names = names_of_subjects(model, wrt)
    only = tuple(one.name for one in model.inputs.each if one.value.is_float)
    if names == (None,) or (names == only and len(only) == 1):
        return
    raise InputError(
        f"insertion, deletion and noise are measured at one input, and the maps are of {', '.join(map(short, names))}; "
        "look at the maps themselves: onnxray saliency METHOD"
    )


def names_of_subjects(model: Model, wrt: str | Sequence[str] | None) -> tuple[str | None, ...]:
    """Names of inputs and values; None for the pixels of a model of one picture. Errors: UnknownValue, InputError."""
    if wrt:
        names = model.select_values((wrt,) if isinstance(wrt, str) else wrt)
        own = [value.name for value in model.graph.inputs]
        if model.profile is not None:
            return tuple(None if name in own else name for name in names)
        missing = [name for name in names if name not in model.graph.depends_on_input]
        if missing:
            raise InputError(f"{short(missing[0])} is a constant; name an input or a value that depends on one")
        return names
    if model.profile is not None:
        return (None,)
    real = tuple(one.name for one in model.inputs.each if one.value.is_float and one.value.shape != ())
    gathered = tuple(one.gathered for one in model.inputs.each if one.gathered is not None)
    return real or gathered or (None,)

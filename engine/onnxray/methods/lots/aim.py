"""What a LOTS run aims at, prepared once: pairs of origin and target, their classes and representations, the stop."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError, ZeroGradient
from onnxray.images.pixels import Pixels
from onnxray.methods.shots import Shots
from onnxray.methods.variable import Variable
from onnxray.model.model import Model
from onnxray.objectives.conditions import Condition, box_gone, is_comparison, read_condition
from onnxray.objectives.goals import Goal, Own, TargetImages, TargetValues
from onnxray.objectives.representations import given_representations
from onnxray.objectives.targets import class_index
from onnxray.results.file_names import stem_of

Representations = Mapping[str, NDArray[Any]]

_SAME = 1e-6
"""Representations closer than this share of their norms are one: float32 tells no direction between them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """When a pair has arrived: see the options of LOTS. ``until`` is resolved, never auto."""

    until: str
    target_class: str | None = None
    linf: float = 128.0
    metric: str = "euclidean"
    distance: float = 0.5
    relative: bool = True

    def resolved_for(self, goal: Goal, *, classes: bool) -> str:
        """The stop that ``auto`` means for a goal. classes: whether the model has any."""
        if self.until != "auto":
            return self.until
        if not classes and self.target_class is None:
            return "linf" if isinstance(goal, Own) else "distance"
        if isinstance(goal, TargetImages) or self.target_class is not None:
            return "target-class"
        if isinstance(goal, Own):
            return "other-class" if goal.mode == "inhibit" else "linf"
        return "distance"


@dataclass(frozen=True, kw_only=True, eq=False)
class Aim:
    """Pairs (origin, target) and when each has arrived. What is by pair counts all pairs of the run."""

    mode: str
    sign: float
    until: str
    stop: Stop
    variable: Variable
    origins: Shots
    targets: Shots | None
    target_variable: Variable | None
    given: Representations | None
    """Representations that were given alone, by layer."""
    source: str | None
    origin_of: NDArray[np.int64]
    target_of: NDArray[np.int64]
    wanted_class: NDArray[np.int64] | None
    condition: Condition | None
    """What has to hold, in place of the other stops."""
    condition_before: NDArray[np.float64] | None
    """The condition's number of each origin."""
    notes: tuple[str, ...]
    elements: int
    """How many numbers a pair takes while it is worked on: its image, and its representations at all layers."""

    def __len__(self) -> int:
        return len(self.origin_of)

    def origin(self, pairs: int | NDArray[np.int64]) -> NDArray[Any]:
        """The origins of pairs."""
        return np.asarray(self.origins.images[self.origin_of[pairs]])

    def origin_name(self, pair: int) -> str:
        """How an origin is called in messages."""
        index = int(self.origin_of[pair])
        return self.origins.names[index] or f"origin {index}"

    def stem(self, pair: int, layer: str, role: str) -> str:
        """What the file of a role is called; an origin and a target have one each for all that is made of them."""
        row, other = int(self.origin_of[pair]), int(self.target_of[pair])
        if role == "target":
            return stem_of(None if self.targets is None else self.targets.names[other], other, role)
        name = self.origins.names[row]
        if role == "origin":
            return stem_of(name, row, role)
        target: tuple[str | int, ...] = ()
        if len(self) > len(self.origins.names):  # an origin goes to several targets
            known = None if self.targets is None else self.targets.names[other]
            target = ("to", PurePath(known).stem if known else "target", other)
        return stem_of(name, row, *target, layer, "lots", role)

    def group(self, layers: Sequence[str], pairs: NDArray[np.int64]) -> Group:
        """Read the representations of a few neighbouring pairs, and check that each has something to do.

        Errors: InputError where an origin is as near as is wanted already, ZeroGradient where it is the target itself.
        """
        before = _read(self.variable, self.origin_of[pairs], layers)
        wanted: Representations | None = None
        if self.given is not None:
            wanted = {layer: self.given[layer][self.target_of[pairs]] for layer in layers}
        elif self.target_variable is not None:
            wanted = _read(self.target_variable, self.target_of[pairs], layers)
        group = Group(aim=self, pairs=pairs, before=before, wanted=wanted)
        for layer in layers:
            group.check(layer)
        return group


@dataclass(frozen=True, kw_only=True, eq=False)
class Group:
    """Some pairs of a run with their representations, which are aligned with ``pairs``."""

    aim: Aim
    pairs: NDArray[np.int64]
    before: Representations
    """What each origin's representation is, by layer."""
    wanted: Representations | None
    """What each pair aims at, by layer; None where the own representation is moved."""

    def rows(self, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where pairs stand in this group."""
        return np.asarray(pairs - self.pairs[0])

    def goals(self, layer: str, pairs: NDArray[np.int64]) -> NDArray[Any] | None:
        """The representations that pairs aim at; None where the own one is moved."""
        return None if self.wanted is None else self.wanted[layer][self.rows(pairs)]

    def distances(
        self, layer: str, values: NDArray[Any], pairs: NDArray[np.int64], metric: str | None = None
    ) -> NDArray[np.float64]:
        """Distance of representations to what each pair aims at; to zero where the own one is moved."""
        flat = values.reshape(len(values), -1).astype(np.float64)
        goals = self.goals(layer, pairs)
        wanted = np.zeros_like(flat) if goals is None else goals.reshape(len(goals), -1).astype(np.float64)
        if (metric or self.aim.stop.metric) == "euclidean" or goals is None:
            return np.asarray(np.linalg.norm(flat - wanted, axis=1))
        norms = np.linalg.norm(flat, axis=1) * np.linalg.norm(wanted, axis=1)
        return np.asarray(1 - (flat * wanted).sum(1) / np.maximum(norms, 1e-300))

    def met(self, layer: str, images: NDArray[Any], pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether each image, as it is saved, has arrived where its pair aims, by the judge."""
        aim = self.aim
        if aim.until == "linf":
            return self.far(images, pairs)
        fed = aim.variable.fed(images, aim.origin_of[pairs])
        if aim.condition is not None:
            return aim.condition.met(aim.condition.scores(aim.variable.model, fed, aim.origin_of[pairs]))
        if aim.until == "distance":
            return self.near(layer, aim.variable.model.values(fed, [layer])[layer], pairs)
        return self.classed(aim.variable.model.classify(fed), pairs)

    def far(self, images: NDArray[Any], pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether images, as they are saved, are as far from their origins as is wanted."""
        return np.asarray(self.aim.variable.furthest(images, self.aim.origin_of[pairs]) >= self.aim.stop.linf)

    def near(self, layer: str, values: NDArray[Any], pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether representations are as near to what their pairs aim at as is wanted."""
        return np.asarray(self.distances(layer, values, pairs) <= self._threshold(layer, pairs))

    def classed(self, classes: NDArray[np.int64], pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether classes are those that are wanted, or any but the origins'."""
        aim = self.aim
        if aim.wanted_class is not None:
            return np.asarray(classes == aim.wanted_class[pairs])
        return np.asarray(classes != aim.origins.said.classes[aim.origin_of[pairs]])

    def check(self, layer: str) -> None:
        """Refuse pairs that have nothing to do at a layer."""
        if self.wanted is None:
            return
        if self.aim.stop.metric == "cosine" and not all(goal.any() for goal in self.wanted[layer]):
            raise InputError(
                f"a target's representation at {layer!r} is all zeros, so it has no direction for a cosine"
            )
        both = (self.before[layer], self.wanted[layer])
        own, its = (array.reshape(len(self.pairs), -1).astype(np.float64) for array in both)
        size, norm = np.linalg.norm(own, axis=1), np.linalg.norm(its, axis=1)
        if self.aim.stop.metric == "cosine":
            its = its * (np.where(size > 0, size, norm) / norm)[:, None]
        for pair in self.pairs[np.linalg.norm(own - its, axis=1) <= _SAME * size]:
            raise ZeroGradient(
                f"{self.aim.origin_name(int(pair))} has the target's representation at {layer!r} already, so the "
                "gradient is zero; give another target"
            )
        if self.aim.until == "distance":
            start = self.distances(layer, self.before[layer], self.pairs)
            for row in np.flatnonzero(start <= self._threshold(layer, self.pairs)):
                name = self.aim.origin_name(int(self.pairs[row]))
                raise InputError(
                    f"{name} is as near to the target at {layer!r} as is wanted already ({start[row]:.4g}); give a "
                    "smaller distance"
                )

    def zero_gradient(self, pair: int, layer: str, gradient: NDArray[Any]) -> ZeroGradient:
        """The error that says so."""
        origin = self.aim.origin_name(pair)
        if not np.isfinite(gradient).all():
            return ZeroGradient(f"{origin}: the gradient at {layer!r} holds NaN or infinity; are the weights finite?")
        return ZeroGradient(
            f"{origin}: the gradient at {layer!r} is zero everywhere (dead or saturated units), so no direction can be "
            "taken from it; choose another layer"
        )

    def _threshold(self, layer: str, pairs: NDArray[np.int64]) -> NDArray[np.float64]:
        stop = self.aim.stop
        if not stop.relative:
            return np.full(len(pairs), stop.distance)
        return stop.distance * self.distances(layer, self.before[layer][self.rows(pairs)], pairs)


def prepare(variable: Variable, goal: Goal, layers: Sequence[str], stop: Stop) -> Aim:
    """Read targets and representations, and check that every pair has something to do.

    Errors: InputError where an origin is of the target's class already, a target does not fit, or nothing says which
    class to reach.
    """
    whole, origins = variable.whole, Shots.of(variable)
    others: Variable | None = None
    given: Representations | None = None
    source: str | None = None
    notes: tuple[str, ...] = ()
    count, mode = 1, "targeted"
    shapes = variable.shapes(layers)
    if isinstance(goal, TargetImages):
        pictures = whole.pixels(goal.images)
        others, notes = variable.of(pictures), tuple(f"target {note}" for note in pictures.notes)
        count = len(others)
        _refuse_shifted_pairs(variable.samples, pictures, goal)
    elif isinstance(goal, TargetValues):
        given, count = given_representations(whole, goal, shapes)
        source = goal.source or "array"
    else:
        mode = goal.mode
    targets = None if others is None else Shots.of(others)
    origin_of, target_of = _pairs(len(variable), count, goal)
    until = stop.resolved_for(goal, classes=origins.predictions is not None)
    if stop.until == "auto" and mode == "inhibit" and stop.target_class is None:
        until = box_gone(variable.model, _as_they_came(variable)) or until
    condition = read_condition(variable.model, _as_they_came(variable), until) if is_comparison(until) else None
    if until in {"target-class", "other-class"} and origins.predictions is None:
        raise InputError(
            f"until {until!r} needs classes, and output {whole.head.name!r} is {whole.head.said()}; use 'distance' or "
            "'linf'"
        )
    if until == "distance" and targets is None and given is None:
        raise InputError(f"until 'distance' needs a target, {mode} has none; use 'other-class' or 'linf'")
    wanted = None
    if until == "target-class":
        wanted = _wanted_class(whole, stop, targets, target_of, origins)
        _refuse_arrived(whole, wanted, origin_of, origins)
    before = None
    if condition is not None:
        before = condition.scores(variable.model, _as_they_came(variable), np.arange(len(variable)))
        condition.refuse_met(before, until, origins.names, "origin")
    return Aim(
        mode=mode, sign=-1.0 if mode == "inhibit" else 1.0, until=until, stop=stop, variable=variable, origins=origins,
        targets=targets, target_variable=others, given=given, source=source, origin_of=origin_of, target_of=target_of,
        wanted_class=wanted, condition=condition, condition_before=before, notes=notes,
        elements=4 * variable.fed_numbers + 2 * sum(map(math.prod, shapes.values())),
    )  # fmt: skip


def _as_they_came(variable: Variable) -> Pixels:
    """The origins as they are fed."""
    return variable.fed(variable.start, np.arange(len(variable)))


def _read(variable: Variable, rows: NDArray[np.int64], layers: Sequence[str]) -> Representations:
    """Representations of some of the samples, each read once."""
    unique, place = np.unique(rows, return_inverse=True)
    values = variable.values(variable.start[unique], unique, layers)
    return {layer: values[layer] if len(unique) == len(rows) else values[layer][place] for layer in layers}


def _pairs(origins: int, targets: int, goal: Goal) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    every = np.arange(origins)
    if targets == 1:
        return every, np.zeros(origins, np.int64)
    if isinstance(goal, TargetImages) and goal.pairing == "all":
        return np.repeat(every, targets), np.tile(np.arange(targets), origins)
    if targets == origins:
        return every, every
    if origins == 1:
        return np.zeros(targets, np.int64), np.arange(targets)
    raise InputError(f"{origins} origins and {targets} targets; give one target, one for each origin, or --pairs all")


def _refuse_shifted_pairs(origins: Pixels, targets: Pixels, goal: TargetImages) -> None:
    """Refuse one target for each origin in turn where pictures were left out, and which belongs to which is lost."""
    left_out = origins.left_out + targets.left_out
    if left_out and goal.pairing == "zip" and len(targets) > 1:
        raise InputError(
            f"{left_out} pictures of folders cannot be read, so which target belongs to which origin is not known; "
            "mend or take away both pictures of such a pair, or use --pairs all"
        )


def _wanted_class(
    model: Model, stop: Stop, targets: Shots | None, target_of: NDArray[np.int64], origins: Shots
) -> NDArray[np.int64]:
    if stop.target_class is None:
        if targets is None:
            raise InputError("until 'target-class' needs a class: give a target image, or --target-class")
        return np.asarray(targets.said.classes[target_of])
    count = origins.said.probabilities.shape[1]
    return np.full(len(target_of), class_index(model, str(stop.target_class), count))


def _refuse_arrived(model: Model, wanted: NDArray[np.int64], origin_of: NDArray[np.int64], origins: Shots) -> None:
    classes = origins.said.classes[origin_of]
    for pair in np.flatnonzero(classes == wanted):
        index = int(origin_of[pair])
        raise InputError(
            f"{origins.names[index] or f'origin {index}'} is of the target's class {model.label(int(wanted[pair]))!r} "
            "already; give an origin or a target of another class"
        )

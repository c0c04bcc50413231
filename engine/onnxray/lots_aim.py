"""What a LOTS run aims at, prepared once: pairs of origin and target, their classes and representations, the stop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError, ZeroGradient
from onnxray.goals import Goal, Own, TargetImages, TargetValues
from onnxray.images import Pixels
from onnxray.model import Model, Predictions

Image8 = NDArray[np.uint8]
Representations = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """When a pair has arrived: see the options of LOTS. ``until`` is resolved, never auto."""

    until: str
    target_class: str | None = None
    linf: float = 128.0
    metric: str = "euclidean"
    distance: float = 0.5
    relative: bool = True

    def resolved_for(self, goal: Goal) -> str:
        """The stop that ``auto`` means for a goal."""
        if self.until != "auto":
            return self.until
        if isinstance(goal, Own):
            return "other-class" if goal.mode == "inhibit" else "linf"
        return "target-class" if isinstance(goal, TargetImages) or self.target_class is not None else "distance"


@dataclass(frozen=True, kw_only=True)
class Shots:
    """Images as the judge sees them: 8-bit NCHW, where they came from, and its predictions."""

    images: Image8
    names: tuple[str | None, ...]
    predictions: Predictions

    @classmethod
    def of(cls, model: Model, pixels: Pixels) -> Shots:
        """Round to 8 bits and classify."""
        images = np.rint(pixels.array).astype(np.uint8)
        return cls(images=images, names=pixels.names, predictions=model.predict(as_pixels(images)))


@dataclass(frozen=True, kw_only=True)
class Aim:
    """Pairs (origin, target) and when each has arrived. ``representations`` is None where the own one is moved."""

    mode: str
    sign: float
    until: str
    stop: Stop
    origins: Shots
    targets: Shots | None
    representations: Representations | None
    source: str | None
    origin_of: NDArray[np.int64]
    target_of: NDArray[np.int64]
    wanted_class: NDArray[np.int64] | None
    before: Representations
    """What each origin's representation is, by layer."""

    def __len__(self) -> int:
        return len(self.origin_of)

    def origin(self, pairs: int | NDArray[np.int64]) -> Image8:
        """The origins of pairs."""
        return np.asarray(self.origins.images[self.origin_of[pairs]])

    def goal_of(self, layer: str, pairs: int | NDArray[np.int64]) -> NDArray[Any] | None:
        """The representations that pairs aim at; None where the own one is moved."""
        return None if self.representations is None else self.representations[layer][self.target_of[pairs]]

    def distances(
        self, layer: str, values: NDArray[Any], pairs: NDArray[np.int64], metric: str | None = None
    ) -> NDArray[np.float64]:
        """Distance of representations to what each pair aims at; to zero where the own one is moved."""
        flat = values.reshape(len(values), -1).astype(np.float64)
        goals = self.goal_of(layer, pairs)
        wanted = np.zeros_like(flat) if goals is None else goals.reshape(len(goals), -1).astype(np.float64)
        if (metric or self.stop.metric) == "euclidean" or goals is None:
            return np.asarray(np.linalg.norm(flat - wanted, axis=1))
        norms = np.linalg.norm(flat, axis=1) * np.linalg.norm(wanted, axis=1)
        return np.asarray(1 - (flat * wanted).sum(1) / np.maximum(norms, 1e-300))

    def met(self, model: Model, layer: str, images: Image8, pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether each 8-bit image has arrived where its pair aims, by the judge."""
        if self.until == "linf":
            moved = images.astype(np.int64) - self.origin(pairs)
            return np.asarray(np.abs(moved).reshape(len(images), -1).max(1) >= self.stop.linf)
        if self.until == "distance":
            values = model.values(as_pixels(images), [layer])[layer]
            return np.asarray(self.distances(layer, values, pairs) <= self._threshold(layer, pairs))
        classes = model.classify(as_pixels(images))
        if self.wanted_class is not None:
            return np.asarray(classes == self.wanted_class[pairs])
        return np.asarray(classes != self.origins.predictions.classes[self.origin_of[pairs]])

    def zero_gradient(self, pair: int, layer: str, gradient: NDArray[Any]) -> ZeroGradient:
        """The error that says so."""
        origin = self.origin_name(pair)
        if not np.isfinite(gradient).all():
            return ZeroGradient(f"{origin}: the gradient at {layer!r} holds NaN or infinity; are the weights finite?")
        goals = self.goal_of(layer, pair)
        if goals is not None and np.array_equal(goals, self.before[layer][self.origin_of[pair]]):
            return ZeroGradient(f"{origin} has the target's representation at {layer!r} already; give another target")
        return ZeroGradient(
            f"{origin}: the gradient at {layer!r} is zero everywhere (dead or saturated units), so no direction can be "
            "taken from it; choose another layer"
        )

    def origin_name(self, pair: int) -> str:
        """How an origin is called in messages."""
        index = int(self.origin_of[pair])
        return self.origins.names[index] or f"origin {index}"

    def _threshold(self, layer: str, pairs: NDArray[np.int64]) -> NDArray[np.float64]:
        if not self.stop.relative:
            return np.full(len(pairs), self.stop.distance)
        start = self.before[layer][self.origin_of[pairs]]
        return self.stop.distance * self.distances(layer, start, pairs)


def prepare(model: Model, pixels: Pixels, goal: Goal, layers: Sequence[str], stop: Stop) -> Aim:
    """Read targets and representations, and check that every pair has something to do.

    Errors: InputError where an origin is of the target's class already, a target does not fit, or nothing says which
    class to reach.
    """
    origins = Shots.of(model, pixels)
    targets: Shots | None = None
    representations: Representations | None = None
    source: str | None = None
    count, mode = 1, "targeted"
    if isinstance(goal, TargetImages):
        targets = Shots.of(model, model.pixels(goal.images))
        representations = model.values(as_pixels(targets.images), layers)
        count = len(targets.images)
    elif isinstance(goal, TargetValues):
        representations, count = _given(model, goal, layers)
        source = goal.source or "array"
    else:
        mode = goal.mode
    origin_of, target_of = _pairs(len(origins.images), count, goal)
    until = stop.resolved_for(goal)
    if until == "distance" and representations is None:
        raise InputError(f"until 'distance' needs a target, {mode} has none; use 'other-class' or 'linf'")
    wanted = None
    if until == "target-class":
        wanted = _wanted_class(model, stop, targets, target_of, origins)
        _refuse_arrived(model, wanted, origin_of, origins)
    return Aim(
        mode=mode, sign=-1.0 if mode == "inhibit" else 1.0, until=until, stop=stop, origins=origins, targets=targets,
        representations=representations, source=source, origin_of=origin_of, target_of=target_of, wanted_class=wanted,
        before=model.values(as_pixels(origins.images), layers),
    )  # fmt: skip


def as_pixels(images: NDArray[Any]) -> Pixels:
    """Images that are at the model's size already."""
    return Pixels(images.astype(np.float32), (None,) * len(images))


def _given(model: Model, goal: TargetValues, layers: Sequence[str]) -> tuple[Representations, int]:
    """Representations that are given alone, one or several for each layer, checked against the graph's shapes."""
    if isinstance(goal.values, Mapping):
        arrays = {model.select_values([name])[0]: np.asarray(array) for name, array in goal.values.items()}
    elif len(layers) == 1:
        arrays = {layers[0]: np.asarray(goal.values)}
    else:
        raise InputError(f"one representation was given for {len(layers)} layers; name its layer, or give an .npz file")
    found: dict[str, NDArray[Any]] = {}
    for layer in layers:
        if layer not in arrays:
            raise InputError(f"no target representation was given for {layer!r}; there are some for {sorted(arrays)}")
        array = arrays[layer]
        shape = model.values(_blank(model), [layer])[layer].shape[1:]
        if array.shape == shape:
            array = array[None]
        if array.shape[1:] != shape or len(array) == 0:
            raise InputError(
                f"the target's representation has the shape {list(array.shape)}; {layer!r} has {list(shape)} an image"
            )
        if not np.issubdtype(array.dtype, np.number) or not np.isfinite(array).all():
            raise InputError(f"the target's representation for {layer!r} must hold finite numbers alone")
        found[layer] = array.astype(np.float32)
    counts = {len(array) for array in found.values()}
    if len(counts) != 1:
        raise InputError(f"the layers have different numbers of target representations: {sorted(counts)}")
    return found, counts.pop()


def _blank(model: Model) -> Pixels:
    """A black image, to learn shapes by."""
    if model.profile is None:
        raise InputError("LOTS moves images, and this model's input is no image; state one with --profile")
    return as_pixels(np.zeros((1, *model.profile.shape)))


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


def _wanted_class(
    model: Model, stop: Stop, targets: Shots | None, target_of: NDArray[np.int64], origins: Shots
) -> NDArray[np.int64]:
    if stop.target_class is None:
        if targets is None:
            raise InputError("until 'target-class' needs a class: give a target image, or --target-class")
        return np.asarray(targets.predictions.classes[target_of])
    count = origins.predictions.probabilities.shape[1]
    labels = [model.label(index) for index in range(count)]
    text = stop.target_class.removeprefix("class:")
    index = labels.index(text) if text in labels else int(text) if text.isdecimal() else -1
    if not 0 <= index < count:
        raise InputError(f"there is no class {text!r}; give 0 to {count - 1}, or a label of the profile")
    return np.full(len(target_of), index)


def _refuse_arrived(model: Model, wanted: NDArray[np.int64], origin_of: NDArray[np.int64], origins: Shots) -> None:
    classes = origins.predictions.classes[origin_of]
    for pair in np.flatnonzero(classes == wanted):
        index = int(origin_of[pair])
        raise InputError(
            f"{origins.names[index] or f'origin {index}'} is of the target's class {model.label(int(wanted[pair]))!r} "
            "already; give an origin or a target of another class"
        )

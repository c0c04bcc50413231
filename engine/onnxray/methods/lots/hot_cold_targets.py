"""Targets that are the origins themselves, made another class by hot/cold (Rozsa, Guenther, Boult 2016, section 4).

    x <- clip(x + d / max|d|, 0, 255),   d = J^T w,   w_hot = |h_hot(x)|, w_cold = -|h_cold(x)|, 0 else

until the judge says the hot class of the picture as it is saved, in 8 bits, at most 500 steps; cold is the class that
it says instead. The direction is taken anew at each step, for one alone seldom leads to a class that is stated.

A target of another picture is far away at the lower layers, and LOTS changes much to get there; an adversarial example
of the origin is near at every layer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.images.pixels import Pixels
from onnxray.methods.array_variable import variable_of
from onnxray.methods.attack.base import group_size
from onnxray.methods.attack.gradient.hot_cold import heated
from onnxray.methods.attack.oracle import Oracle, Queries
from onnxray.methods.attack.success import OtherClass, criterion_of
from onnxray.methods.variable import Rows
from onnxray.model.model import Model
from onnxray.objectives.goals import HotColdTargets, TargetImages

_STEPS = 500


def made_targets(model: Model, pixels: Pixels, goal: HotColdTargets) -> TargetImages:
    """A target for each origin. Errors: InputError where there are no pictures, an origin is of the class already, or
    hot/cold does not bring it there.
    """
    if model.profile is None or pixels.plain:
        raise InputError("hot/cold makes targets of pictures, and this model takes none; give targets")
    variable = variable_of(model, pixels, None, [model.head.name])
    criterion, shots = criterion_of(variable, goal.class_)
    if not isinstance(criterion, OtherClass) or criterion.wanted is None:
        raise InputError(f"hot/cold makes targets of a class, and {goal.class_} is none of this model; give targets")
    oracle = Oracle(variable=variable, criterion=criterion, queries=Queries.none(len(variable)))
    size, images = group_size(oracle.numbers), variable.start.copy()
    for first in range(0, len(variable), size):
        rows = np.arange(first, min(first + size, len(variable)))
        images[rows], missed = _made(oracle, criterion, rows)
        if missed.size:
            name: Any = shots.names[missed[0]] or f"origin {missed[0]}"
            raise InputError(
                f"hot/cold does not bring {name} to {criterion.describe(int(missed[0]))}; leave it out, or give a "
                "target image"
            )
    return TargetImages(images=images)


def _made(oracle: Oracle, criterion: OtherClass, rows: Rows) -> tuple[NDArray[Any], Rows]:
    """The pictures of a group, 8-bit, and which of it were not brought to their class."""
    assert criterion.wanted is not None
    variable, head = oracle.variable, criterion.said.said.head
    d = np.zeros((len(rows), oracle.numbers), np.float32)
    left = np.arange(len(rows))
    for _ in range(_STEPS):
        saved = variable.saved(oracle.samples(d[left], rows[left]))
        said = variable.verdict(variable.fed(saved, rows[left]))
        assert said is not None  # it has classes
        away = said.classes != criterion.wanted[rows[left]]
        scores, cold, left = said.scores[away], said.classes[away], left[away]
        if not left.size:
            break
        own = rows[left]
        objective = heated(head, scores, criterion.wanted[own], cold)
        gradient = oracle.slopes_of(d[left], own, objective).gradient
        longest = np.abs(gradient).max(1, keepdims=True)
        d[left] = oracle.within(d[left] + gradient / np.where(longest > 0, longest, 1), own)
    return variable.saved(oracle.samples(d, rows)), rows[left]

"""Ascents one after the other, each from what the last one came to: schedules of several phases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from onnxray.methods.run import Run
from onnxray.methods.synthesis.ascent.loop import Ascent, Climbed, climb
from onnxray.methods.synthesis.ascent.parametrizations import Windowed
from onnxray.model.model import Model
from onnxray.objectives.objective import Objective


def climb_in_turn(
    model: Model,
    objectives: Sequence[Objective],
    stages: Sequence[Ascent],
    run: Run,
    *,
    count: int = 1,
    start: NDArray[np.float32] | None = None,
    every: int = 0,
) -> Climbed:
    """Climb the stages one after the other, each its objective, from the last one's images; the traces joined.

    A stage that varies a window of a canvas goes on from the last one's whole canvas. A stage that ends early ends the
    run. Errors: as ``climb``.
    """
    total, done = sum(stage.steps for stage in stages), 0
    so_far: Climbed | None = None
    for stage, objective in zip(stages, objectives, strict=True):

        def progress(step: int, _: int, what: str, before: int = done) -> None:
            run.progress(before + step, total, what)

        if so_far is not None:
            start = so_far.whole if isinstance(stage.parametrization, Windowed) else so_far.images
        alone = run.telling(progress)
        try:
            found = climb(model, objective, stage, alone, count=count, start=start, every=every, before=done)
        except KeyboardInterrupt:
            if so_far is None:
                raise
            return replace(so_far, interrupted=True)
        so_far = found if so_far is None else _joined(so_far, found)
        if found.reason is not None or found.interrupted:
            break
        done += stage.steps
    assert so_far is not None
    return so_far


def _joined(first: Climbed, second: Climbed) -> Climbed:
    return replace(
        second,
        trace={name: np.concatenate([first.trace[name], second.trace[name]]) for name in second.trace},
        snapshots={**first.snapshots, **second.snapshots},
        steps=first.steps + second.steps,
    )

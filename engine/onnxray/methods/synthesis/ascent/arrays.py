"""The climb of arrays: what they are changed to, so that an objective at one value grows.

    x = x_0 + u z,   z <- Adam(z, d/dz J(f(x))),   the rate in steps u, falling along half a cosine to a twentieth

No transforms and no regularisers, which are of models of one picture; x stays within what it may hold. u, and what it
may hold: see spaces.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from onnxray.errors import ZeroGradient
from onnxray.methods.array_variable import ArrayVariable
from onnxray.methods.run import Run
from onnxray.methods.synthesis.ascent.optimizers import Adam
from onnxray.objectives.gradients import cotangents
from onnxray.objectives.objective import Objective

_FINAL = 1 / 20


@dataclass(frozen=True, kw_only=True, eq=False)
class ClimbedArrays:
    """What came of it. x: (n, numbers), the best of each sample, as it is saved; scores: (steps, n), of all of them.

    reason: why it ended early, where it did. interrupted: by Ctrl-C.
    """

    x: NDArray[Any]
    scores: NDArray[np.float64] = field(repr=False)
    reason: str | None = None
    interrupted: bool = False


def climb_arrays(
    variable: ArrayVariable, rows: NDArray[np.int64], start: NDArray[np.float64], objective: Objective, run: Run, *,
    steps: int, rate: float,
) -> ClimbedArrays:  # fmt: skip
    """Climb an objective of one value from ``start`` (n, numbers), each of which began as one of ``rows``.

    Errors: ZeroGradient where the first gradient of a sample is zero throughout; NotDifferentiable.
    """
    (layer,) = objective.values
    give, optimizer = cotangents(objective), Adam(learning_rate=rate, final=rate * _FINAL)
    unit = variable.steps(rows)
    z = torch.zeros(start.shape, dtype=torch.float64)
    stepping = optimizer.build([z])
    history = list[NDArray[np.float64]]()
    best, most = start.copy(), np.full(len(start), -np.inf)

    def evaluate() -> float:
        x, scores = variable.bounded(start + unit * z.numpy()), np.zeros(len(start))
        z.copy_(torch.from_numpy((x - start) / unit))

        def cotangent(value: torch.Tensor, place: slice) -> torch.Tensor:
            scores[place] = objective.score({layer: value.detach()}, place).cpu().numpy()
            slope: torch.Tensor = give({layer: value}, place)[layer]
            return slope

        slopes = variable.gradient(x, rows, {layer: cotangent})
        if not history:
            _refuse_flat(slopes, objective)
        history.append(scores)
        better = scores > most
        best[better], most[better] = x[better], scores[better]
        z.grad = -torch.from_numpy(np.asarray(slopes, np.float64))
        return float(-scores.sum())

    def finish(reason: str | None = None, *, interrupted: bool = False) -> ClimbedArrays:
        return ClimbedArrays(x=variable.saved(best), scores=np.array(history), reason=reason, interrupted=interrupted)

    try:
        for step in range(steps):
            for group in stepping.param_groups:
                group["lr"] = optimizer.rate(step, steps)
            stepping.step(evaluate)
            if not np.isfinite(history[-1]).all():
                history.pop()
                return finish(f"the run diverged at step {step + 1} of {steps}; the best arrays before are kept")
            run.progress(step + 1, steps, f"objective {history[-1].mean():.4g}")
    except KeyboardInterrupt:
        if not history:
            raise
        return finish(interrupted=True)
    return finish()


def _refuse_flat(slopes: NDArray[Any], objective: Objective) -> None:
    dead = np.flatnonzero(~slopes.any(1))
    if dead.size:
        raise ZeroGradient(
            f"the gradient of {objective.describe(int(dead[0]))} is zero everywhere at the start, so there is no "
            "direction to climb; try another seed, or a value before the saturated one"
        )

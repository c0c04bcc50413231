"""The one loop that every image synthesis shares: parametrise, transform, score, penalise, step, project.

    x_0 = image(z_0);   z <- optimiser(z, d/dz [ J(f(T(x))) - sum_k w_k R_k(x) ] + drift(z));   x <- projections(x)

J an objective at named values, T random transforms, R regularisers; drift: of parametrisations that have one. Images
of a batch do not see each other, but for the line search of L-BFGS, which they share.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from onnxray.arrays import Image8
from onnxray.errors import InputError, NotDifferentiable, ZeroGradient
from onnxray.images.eight_bits import to_uint8
from onnxray.importer.backward_rules import REDIRECTED
from onnxray.methods.run import Run
from onnxray.methods.synthesis.ascent.optimizers import Adam, Optimizer
from onnxray.methods.synthesis.ascent.parametrizations import Fourier, Parametrization, Pixels
from onnxray.methods.synthesis.ascent.projections import Projection
from onnxray.methods.synthesis.ascent.regularizers import Regularizer
from onnxray.methods.synthesis.ascent.transforms import Transform
from onnxray.model.model import Model
from onnxray.objectives.objective import Objective

_RUNAWAY = 1e30


@dataclass(frozen=True, kw_only=True)
class Ascent:
    """How to climb; everything but what is climbed. ``keep``: the last image, or the one of the best total.

    redirected: for so many steps, a rectifier dead throughout a sample lets the gradient through that revives it.
    """

    steps: int
    parametrization: Parametrization = field(default_factory=Fourier)
    transforms: tuple[Transform, ...] = ()
    regularizers: tuple[Regularizer, ...] = ()
    projections: tuple[Projection, ...] = ()
    optimizer: Optimizer = field(default_factory=Adam)
    keep: str = "last"
    redirected: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.steps, bool) or not isinstance(self.steps, int) or not 1 <= self.steps <= 1_000_000:
            raise InputError(f"steps is {self.steps!r}; a whole number from 1 to 1000000 was expected")
        if self.projections and not isinstance(self.parametrization, Pixels):
            raise InputError("projections act on pixels; use the pixel parametrisation with them")

    @property
    def margin(self) -> int:
        """How many more rows and columns than the model's the canvas has, for its transforms."""
        return sum(transform.margin for transform in self.transforms)


@dataclass(frozen=True, kw_only=True, eq=False)
class Climbed:
    """What came of it. images: float32 (N, C, H, W) in [0, 255], at the model's size: the middle of ``whole``.

    trace: name -> (steps, N): the objective, the total, and each regulariser times its weight. snapshots: step ->
    8-bit images. reason: why the run ended early, where it did. interrupted: by Ctrl-C.
    """

    images: NDArray[np.float32]
    whole: NDArray[np.float32] = field(repr=False)
    trace: Mapping[str, NDArray[np.float64]]
    snapshots: Mapping[int, Image8]
    steps: int
    reason: str | None = None
    interrupted: bool = False


def climb(
    model: Model,
    objective: Objective,
    plan: Ascent,
    run: Run,
    *,
    count: int = 1,
    start: NDArray[np.float32] | None = None,
    every: int = 0,
    before: int = 0,
) -> Climbed:
    """Climb ``objective`` from noise (``count`` images) or from ``start``, (N, C, H, W) in grey levels.

    every: keep a snapshot at each multiple of it; before: steps taken earlier, which it counts in. A run whose numbers
    run away is stopped, said, and its best image kept; so is one that Ctrl-C interrupts. Errors: ZeroGradient where the
    objective's first gradient of an image is zero throughout, whatever the regularisers say; InputError;
    NotDifferentiable.
    """
    if model.profile is None:
        raise InputError("image synthesis needs a model whose input is an image; state how pixels enter: --profile")
    channels, height, width = model.profile.shape
    shape = (count if start is None else len(start), channels, height + plan.margin, width + plan.margin)
    random = torch.Generator().manual_seed(int(run.random.integers(2**63)))
    given = None if start is None else torch.from_numpy(np.array(start, np.float32))
    parameters = plan.parametrization.start(shape, random, given)
    moving = [p.requires_grad_() for p in plan.parametrization.moving(parameters)]
    optimizer = plan.optimizer.build(moving)
    blank = np.zeros((shape[0], *model.profile.shape), np.float32)
    twin = model.batched_twin({"images": blank})
    function = twin.differentiable(objective.values)
    revived = twin.differentiable(objective.values, rules=REDIRECTED) if plan.redirected else function
    whole = slice(0, shape[0])
    history: list[dict[str, torch.Tensor]] = []
    best, most = torch.empty(shape), [-math.inf] * shape[0]
    snapshots: dict[int, Image8] = {}
    reason, interrupted, step = None, False, 0
    seen: dict[str, Any] = {}

    def evaluate() -> float:
        x = plan.parametrization.image(parameters)
        shown = x
        for transform in plan.transforms:
            shown = transform(shown, random)
        forward = revived if step < plan.redirected else function
        score = objective.score(forward(shown), whole).to(x)
        if not seen and not history:
            _refuse_flat(score, moving, objective)
        total = score
        parts = {"objective": score.detach()}
        for regularizer in plan.regularizers:
            part = regularizer.weight * regularizer.penalty(x)
            parts[regularizer.name] = parts.get(regularizer.name, 0) + part.detach()
            total = total - part
        loss = -total.sum()
        for parameter, gradient in zip(moving, torch.autograd.grad(loss, moving)):
            parameter.grad = gradient.contiguous()  # L-BFGS takes flat views
        drift = plan.parametrization.drift(parameters, x.detach(), random)
        if drift is not None and moving[0].grad is not None:
            moving[0].grad = moving[0].grad - drift
        if not seen:
            totals = total.detach().tolist()
            seen.update(parts={**parts, "total": total.detach()}, totals=totals)
            _keep(best, most, x.detach(), totals, first=not history)
        return float(loss.detach())

    try:
        for step in range(plan.steps):
            rate = plan.optimizer.rate(step, plan.steps)
            if rate is not None:
                for group in optimizer.param_groups:
                    group["lr"] = rate
            seen.clear()
            optimizer.step(evaluate)
            if not all(abs(number) <= _RUNAWAY for number in seen["totals"]):  # NaN is not
                reason = f"the run diverged at step {step + 1} of {plan.steps}; the best image before is kept"
                break
            history.append(seen["parts"])
            if plan.projections:
                with torch.no_grad():
                    pixels = parameters[0]
                    gradient = pixels.grad if pixels.grad is not None else torch.zeros_like(pixels)
                    projected = pixels.detach()
                    for projection in plan.projections:
                        projected = projection(projected, gradient, step)
                    pixels.copy_(projected)
            plan.parametrization.settle(parameters, random)
            if every and (before + step + 1) % every == 0:
                snapshots[before + step + 1] = _rounded(plan.parametrization.whole(parameters), height, width)
            objectives = seen["parts"]["objective"].tolist()
            run.progress(step + 1, plan.steps, f"objective {sum(objectives) / len(objectives):.4g}")
    except KeyboardInterrupt:
        if not history:
            raise
        interrupted = True
    kept = plan.keep == "best" or reason or interrupted
    chosen = best if kept else plan.parametrization.whole(parameters).detach()
    chosen = chosen.clamp(0, 255).float()
    names = history[0] if history else ()
    trace = {name: torch.stack([parts[name] for parts in history]).double().numpy() for name in names}
    return Climbed(
        images=_cropped(chosen, height, width).contiguous().numpy(), whole=chosen.numpy(), trace=trace,
        snapshots=snapshots, steps=len(history), reason=reason, interrupted=interrupted,
    )  # fmt: skip


def _refuse_flat(score: torch.Tensor, moving: list[torch.Tensor], objective: Objective) -> None:
    """Refuse an objective that no gradient climbs; a regulariser's own gradient would hide that."""
    if not score.requires_grad:
        raise NotDifferentiable(f"{objective.describe(0)} is a step function of the input; no gradient reaches it")
    gradient = torch.autograd.grad(-score.sum(), moving, retain_graph=True)[0]
    dead = torch.nonzero(~gradient.flatten(1).any(1)).flatten().tolist()
    if dead:
        raise ZeroGradient(
            f"the gradient of {objective.describe(dead[0])} is zero everywhere at the start, so there is no direction "
            "to climb; try another seed, another start, or a value before the saturated one"
        )


def _keep(best: torch.Tensor, most: list[float], x: torch.Tensor, totals: list[float], *, first: bool) -> None:
    """Take over the images of the largest total so far, in place: a copy, for the optimiser is about to change x."""
    better = [first or most[row] < now <= _RUNAWAY for row, now in enumerate(totals)]
    if all(better):
        best.copy_(x)
    elif any(better):
        best[better] = x[better]
    most[:] = [now if found else before for now, found, before in zip(totals, better, most)]


def _cropped(x: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """The middle of the canvas, at the model's size."""
    top, left = (x.shape[2] - height) // 2, (x.shape[3] - width) // 2
    return x[:, :, top : top + height, left : left + width]


def _rounded(x: torch.Tensor, height: int, width: int) -> Image8:
    return to_uint8(_cropped(x.detach(), height, width).numpy())

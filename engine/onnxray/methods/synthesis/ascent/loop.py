"""The one loop that every image synthesis shares: parametrise, transform, score, penalise, step, project.

    x_0 = image(z_0);   z <- optimiser(z, d/dz [ J(f(T(x))) - sum_k w_k R_k(x) ] + drift(z));   x <- projections(x)

J an objective at named values, T random transforms, R regularisers; drift: of parametrisations that have one. Images
of a batch do not see each other, but for the line search of L-BFGS, which they share.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from onnxray.arrays import Image8
from onnxray.engines.cotangents import Tensors
from onnxray.errors import InputError, NotDifferentiable, ZeroGradient
from onnxray.images.eight_bits import to_uint8
from onnxray.importer.backward_rules import REDIRECTED
from onnxray.methods.option_checks import Range, check_choices
from onnxray.methods.run import Run
from onnxray.methods.synthesis.ascent.optimizers import Adam, Optimizer, Steps
from onnxray.methods.synthesis.ascent.parametrizations import Fourier, Parametrization, Pixels
from onnxray.methods.synthesis.ascent.projections import Projection
from onnxray.methods.synthesis.ascent.regularizers import Regularizer
from onnxray.methods.synthesis.ascent.transforms import Transform
from onnxray.model.model import Model
from onnxray.notebooks.glimpses import offer
from onnxray.objectives.objective import Objective

_RUNAWAY = 1e30


@dataclass(frozen=True, kw_only=True)
class Ascent:
    """How to climb; everything but what is climbed. ``keep``: the last image, or the one of the best total.

    redirected: for so many steps, a rectifier dead throughout a sample lets the gradient through that revives it.
    """

    steps: Annotated[int, "steps of the optimiser", Range(1, 1_000_000)]
    parametrization: Parametrization = field(default_factory=Fourier)
    transforms: tuple[Transform, ...] = ()
    regularizers: tuple[Regularizer, ...] = ()
    projections: tuple[Projection, ...] = ()
    optimizer: Optimizer = field(default_factory=Adam)
    keep: Literal["last", "best"] = "last"
    redirected: int = 0

    def __post_init__(self) -> None:
        check_choices(self)
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
    way = _begun(model, objective, plan, run, count=count, start=start, every=every, before=before)
    try:
        while way.reason is None and len(way.history) < plan.steps:
            way.advance()
    except KeyboardInterrupt:
        if not way.history:
            raise
        return way.finish(interrupted=True)
    return way.finish()


@dataclass(frozen=True)
class _Evaluation:
    """The first evaluation of a step, where the optimiser stood before it moved: the trace's row."""

    parts: Mapping[str, torch.Tensor]
    totals: list[float]


@dataclass(kw_only=True, eq=False)
class Climb:
    """A climb on its way: what it is made of, and after that what it has come to.

    size: the model's height and width. best, most: the images of the largest total so far, and these totals. history:
    the parts of each finished step. first: the first evaluation of the step that is being taken. reason: why the run
    has to end early.
    """

    objective: Objective
    plan: Ascent
    run: Run
    random: torch.Generator
    size: tuple[int, int]
    parameters: tuple[torch.Tensor, ...]
    moving: list[torch.Tensor]
    optimizer: Steps
    values: Callable[[torch.Tensor], Tensors]
    redirected_values: Callable[[torch.Tensor], Tensors]
    every: int
    before: int
    best: torch.Tensor
    most: list[float]
    history: list[Mapping[str, torch.Tensor]] = field(default_factory=list)
    snapshots: dict[int, Image8] = field(default_factory=dict)
    first: _Evaluation | None = None
    reason: str | None = None

    def evaluate(self) -> float:
        """-sum of the totals where the parameters stand, and its gradient in them: what the optimiser asks for."""
        plan = self.plan
        x = plan.parametrization.image(self.parameters)
        shown = x
        for transform in plan.transforms:
            shown = transform(shown, self.random)
        values = self.redirected_values if len(self.history) < plan.redirected else self.values
        score = self.objective.score(values(shown), slice(0, len(self.most))).to(x)
        if self.first is None and not self.history:
            _refuse_flat(score, self.moving, self.objective)
        total = score
        parts = {"objective": score.detach()}
        for regularizer in plan.regularizers:
            part = regularizer.weight * regularizer.penalty(x)
            parts[regularizer.name] = parts.get(regularizer.name, 0) + part.detach()
            total = total - part
        loss = -total.sum()
        for parameter, gradient in zip(self.moving, torch.autograd.grad(loss, self.moving)):
            parameter.grad = gradient.contiguous()  # L-BFGS takes flat views
        drift = plan.parametrization.drift(self.parameters, x.detach(), self.random)
        if drift is not None and self.moving[0].grad is not None:
            self.moving[0].grad = self.moving[0].grad - drift
        if self.first is None:
            self.first = _Evaluation({**parts, "total": total.detach()}, total.detach().tolist())
            _keep(self.best, self.most, x.detach(), self.first.totals, first=not self.history)
        return float(loss.detach())

    def advance(self) -> None:
        """One step of the optimiser, then projections; where the numbers run away, ``reason`` says so instead."""
        plan, step = self.plan, len(self.history)
        rate = plan.optimizer.rate(step, plan.steps)
        if rate is not None:
            for group in self.optimizer.param_groups:
                group["lr"] = rate
        self.first = None
        self.optimizer.step(self.evaluate)
        assert self.first is not None  # every optimiser evaluates
        if not all(abs(number) <= _RUNAWAY for number in self.first.totals):  # NaN is not
            self.reason = f"the run diverged at step {step + 1} of {plan.steps}; the best image before is kept"
            return
        self.history.append(self.first.parts)
        self._project(step)
        plan.parametrization.settle(self.parameters, self.random)
        done = self.before + step + 1
        if self.every and done % self.every == 0:
            self.snapshots[done] = _rounded(plan.parametrization.whole(self.parameters), *self.size)
        offer(lambda: _rounded(plan.parametrization.whole(self.parameters), *self.size))
        objectives = self.first.parts["objective"].tolist()
        self.run.progress(step + 1, plan.steps, f"objective {sum(objectives) / len(objectives):.4g}")

    def finish(self, *, interrupted: bool = False) -> Climbed:
        """What came of it; the best images where the plan says so, or the run ended early."""
        keep_best = self.plan.keep == "best" or self.reason is not None or interrupted
        chosen = self.best if keep_best else self.plan.parametrization.whole(self.parameters).detach()
        chosen = chosen.clamp(0, 255).float()
        names = self.history[0] if self.history else ()
        trace = {name: torch.stack([parts[name] for parts in self.history]).double().numpy() for name in names}
        return Climbed(
            images=_cropped(chosen, *self.size).contiguous().numpy(), whole=chosen.numpy(), trace=trace,
            snapshots=self.snapshots, steps=len(self.history), reason=self.reason, interrupted=interrupted,
        )  # fmt: skip

    def _project(self, step: int) -> None:
        if not self.plan.projections:
            return
        with torch.no_grad():
            pixels = self.parameters[0]
            gradient = pixels.grad if pixels.grad is not None else torch.zeros_like(pixels)
            projected = pixels.detach()
            for projection in self.plan.projections:
                projected = projection(projected, gradient, step)
            pixels.copy_(projected)


def _begun(
    model: Model, objective: Objective, plan: Ascent, run: Run, *, count: int, start: NDArray[np.float32] | None,
    every: int, before: int,
) -> Climb:  # fmt: skip
    """A climb before its first step; arguments as for ``climb``."""
    if model.profile is None:
        raise InputError("image synthesis needs a model whose input is an image; state how pixels enter: --profile")
    channels, height, width = model.profile.shape
    shape = (count if start is None else len(start), channels, height + plan.margin, width + plan.margin)
    random = torch.Generator().manual_seed(int(run.random.integers(2**63)))
    image = None if start is None else torch.from_numpy(np.array(start, np.float32))
    parameters = plan.parametrization.start(shape, random, image)
    moving = [p.requires_grad_() for p in plan.parametrization.moving(parameters)]
    twin = model.twin_for(shape[0])
    values = twin.differentiable(objective.values)
    return Climb(
        objective=objective, plan=plan, run=run, random=random, size=(height, width), parameters=parameters,
        moving=moving, optimizer=plan.optimizer.build(moving), values=values,
        redirected_values=twin.differentiable(objective.values, rules=REDIRECTED) if plan.redirected else values,
        every=every, before=before, best=torch.empty(shape), most=[-math.inf] * shape[0],
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

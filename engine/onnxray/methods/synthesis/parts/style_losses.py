"""What style transfer and texture synthesis share: layers, weights, the losses at the end, one picture's ascent.

    total = - (alpha L_c + sum_l beta_l E_l)

L_c and E_l are Gatys' (objectives/style.py). His weights belong to one network, VGG-19 with activations of mean 1, for
L_c grows as the square of the activations and E_l as their fourth power. Here each loss is weighed against the size of
what it is a distance to, so that weights mean the same on any network:

    alpha = content / (1/2 ||P||^2),   beta_l = style / L / (||A_l||^2 / (4 N_l^2 M_l^2)),

L the number of style layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from onnxray.errors import InputError, ZeroGradient
from onnxray.images.pixels import Pixels
from onnxray.methods.synthesis.ascent.loop import Ascent
from onnxray.methods.synthesis.ascent.optimizers import LBFGS, Adam
from onnxray.methods.synthesis.ascent.parametrizations import Pixels as PixelImage
from onnxray.methods.synthesis.ascent.projections import Bounds
from onnxray.model.layers.grid import Grid, Space
from onnxray.model.layers.scales import scales
from onnxray.model.model import Model
from onnxray.objectives.gradients import gradient
from onnxray.objectives.objective import Objective
from onnxray.objectives.style import Content, Style, gram

_EVALUATIONS = 20


@dataclass(frozen=True, kw_only=True, eq=False)
class Loss:
    """A term: its objective, which is the loss negated, and the weight that stands before it."""

    name: str
    weight: float
    objective: Objective


def style_layers(model: Model, space: Space, asked: str | Sequence[str] | None) -> list[Grid]:
    """The values asked for, or one a halving of the input, five at most. Errors: InputError, UnknownValue."""
    if asked is not None:
        return [space.grid(name) for name in model.select_values((asked,) if isinstance(asked, str) else asked)]
    found = list(scales(space)[:5])
    if not found:
        raise InputError("no value of this network is known to keep rows and columns; name layers: --layer")
    return found


def style_losses(space: Space, picture: Pixels, layers: Sequence[Grid], style: float) -> list[Loss]:
    """E_l towards one picture. Errors: InputError where a layer answers to nothing in it."""
    values = space.model.values(picture, [grid.value for grid in layers])
    found = []
    for grid in layers:
        if grid.rows == grid.columns:
            raise InputError(f"{grid.value!r} holds tokens; style needs values with rows and columns of their own")
        reference = np.asarray(gram(values[grid.value].astype(np.float64), grid))
        size = float((reference**2).sum()) / (2 * grid.channels * grid.height * grid.width) ** 2
        if size == 0:
            raise InputError(f"{grid.value!r} is zero throughout for the style picture; take another layer")
        found.append(Loss(name=f"E {grid.value}", weight=style / len(layers) / size, objective=Style(grid, reference)))
    return found


def content_loss(model: Model, picture: Pixels, layer: str, content: float) -> Loss:
    """L_c towards one picture. Errors: InputError where the layer answers to nothing in it."""
    reference = model.values(picture, [layer])[layer]
    size = float((reference.astype(np.float64) ** 2).sum()) / 2
    if size == 0:
        raise InputError(f"{layer!r} is zero throughout for the content picture; take another layer")
    return Loss(name=f"L {layer}", weight=content / size, objective=Content(layer, reference))


def refuse_flat(model: Model, losses: Sequence[Loss]) -> None:
    """Refuse a loss whose gradient is zero on noise, which another's would hide. Errors: ZeroGradient."""
    assert model.profile is not None
    noise = Pixels.of(np.random.default_rng(0).uniform(0, 255, (1, *model.profile.shape)))
    for loss in losses:
        if not gradient(model, noise, loss.objective).any():
            raise ZeroGradient(
                f"the loss {loss.name!r} gives no direction: its gradient is zero everywhere on a picture of noise, as "
                "that of a step function is; take another layer"
            )


def total_of(losses: Sequence[Loss], scale: float) -> Objective:
    """The weighted sum, times ``scale``, which moves no optimum but lets L-BFGS begin with a step that is seen."""
    terms = [scale * loss.weight * loss.objective for loss in losses]
    total: Objective = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def measured(model: Model, losses: Sequence[Loss], picture: Pixels) -> dict[str, float]:
    """Each loss of one picture, unweighted, by the judge."""
    names = list(dict.fromkeys(name for loss in losses for name in loss.objective.values))
    values = model.values(picture, names)
    exact = {name: value.astype(np.float64) for name, value in values.items()}
    return {loss.name: -float(loss.objective.score(exact, slice(0, 1))[0]) for loss in losses}


def style_plan(optimizer: str, steps: int) -> Ascent:
    """Pixels by Adam at 4 grey levels, clipped at each step, or by L-BFGS, clipped at the end; the best is kept."""
    if optimizer == "lbfgs":
        evaluations = min(_EVALUATIONS, steps)
        return Ascent(
            steps=-(-steps // evaluations), parametrization=PixelImage(noise=40.0),
            optimizer=LBFGS(evaluations=evaluations), keep="last",
        )  # fmt: skip
    return Ascent(
        steps=steps, parametrization=PixelImage(noise=40.0), projections=(Bounds(),),
        optimizer=Adam(learning_rate=4.0), keep="best",
    )  # fmt: skip

"""FullGrad (Srinivas, Fleuret 2019, arXiv 1905.00780): the input's gradient, and those of all biases.

    S = u . dS/du + sum_l b_l . dS/da_l                         (completeness, of networks that are piecewise linear)
    M = psi(u dS/du) + sum_l sum_c psi(b_l,c dS/da_l,c),        psi(m) = upsample(rescale(|m|)),   m -> from 0 to 1

u: the network's own input; b_l: what a node adds to its value a_l (biases.py: convolutions and linear layers, batch
normalisation's shift, constants that are added, what Clip cuts off at). Biases of values without rows and columns count
in the sum, not in the map. rescale: each channel by itself, as in the paper and in pytorch-grad-cam; or all channels of
a layer together, as in the authors' code. Of one number everywhere it makes 0. How far the terms are from adding up to
ONNX Runtime's score is the gap: what activations that are not piecewise linear hold (Sigmoid, Gelu, Softmax).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, final

import numpy as np
from numpy.typing import NDArray

from onnxray.graph.fixed_batch import fixed_batch_of
from onnxray.images.interpolation import bilinear
from onnxray.images.pixels import Pixels
from onnxray.methods.run import Run
from onnxray.methods.saliency.activation.base import pictures_seen
from onnxray.methods.saliency.activation.biases import Arrays, Bias, biases_before
from onnxray.methods.saliency.base import Map, Saliency
from onnxray.methods.saliency.gradient.lost_gradient import refuse_zero_gradient
from onnxray.model.layers.grid import Grid, picture_size, read_space
from onnxray.model.model import Model
from onnxray.objectives.gradients import cotangents, judged, refuse_whole_numbers
from onnxray.objectives.objective import Objective

Floats = NDArray[np.float64]
Rescale = Literal["channel", "layer"]

_GAP = 0.05
"""Above which the gap is worth a word."""


@final
@dataclass(frozen=True, kw_only=True)
class FullGrad(Saliency):
    """FullGrad: what the input and every bias of the network add to the score, laid over each other."""

    name: ClassVar[str] = "full-grad"
    images_only: ClassVar[bool] = False

    rescale: Annotated[Rescale, "what is brought to [0, 1] by itself: each channel, or each layer"] = "channel"
    clipped: Annotated[bool, "whether what Clip (Relu6 is one) cuts off at counts as a bias"] = True

    def subjects(self, model: Model) -> str | tuple[str, ...] | None:
        """Of several inputs those that hold a picture."""
        return self.wrt if self.wrt is not None else pictures_seen(model, None)

    def maps(self, model: Model, pixels: Pixels, objective: Objective, run: Run) -> Iterator[tuple[int, Map]]:
        """One backward pass an image."""
        refuse_whole_numbers(model, pixels)
        size, space = picture_size(model, pixels), read_space(model, pixels)
        found = biases_before(model.graph, objective.values, clipped=self.clipped)
        grids = {**space.grids([one.value for one in found]), space.input: space.grid(space.input)}
        constants = _constants(model, pixels, found)
        scores = judged(model, pixels, objective)
        run.note(_said(found, grids))
        for row, _ in run.units(range(len(pixels))):
            values, slopes = _backward(model, pixels, row, objective, found)
            inputs = {one.name: values[one.name] * slopes[one.name] for one in model.graph.inputs if one.name in slopes}
            share, added = sum(float(term.sum()) for term in inputs.values()), 0.0
            heat = self._shown(inputs[space.input], grids[space.input], size)
            for bias in (one for one in found if slopes.keys() >= {one.data, one.value}):
                term = bias.array(constants, values) * slopes[bias.value]
                added += float(term.sum())
                if bias.value in grids:
                    heat += self._shown(term, grids[bias.value], size)
            if not heat.any():
                refuse_zero_gradient(model, pixels, row, objective)
            copies = fixed_batch_of(model.graph) or 1
            run.progress(row + 1, len(pixels), "biases")
            yield row, _map(heat, share / copies, added / copies, float(scores[row]), len(found))

    def _shown(self, term: Floats, grid: Grid, size: tuple[int, int]) -> Floats:
        """The sum of psi over the channels of the first sample of a value."""
        maps = np.abs(grid.maps(term[:1])[0])
        axes = (1, 2) if self.rescale == "channel" else (0, 1, 2)
        low, high = maps.min(axes, keepdims=True), maps.max(axes, keepdims=True)
        span = np.where(high > low, high - low, 1)
        return np.asarray(bilinear(((maps - low) / span).sum(0), size))


def _map(heat: Floats, share: float, added: float, score: float, count: int) -> Map:
    gap = abs(share + added - score) / abs(score) if score else None
    numbers = {"input_part": share, "bias_part": added, "gap": gap, "biases": count}
    reason = None
    if gap is not None and gap > _GAP:
        reason = (
            f"the terms add up to {share + added:.4g}, and the score is {score:.4g}: activations that are not "
            "piecewise linear hold the rest"
        )
    drawn = heat.astype(np.float32)
    return Map(heat=drawn, shown_from=float(drawn.min()), numbers=numbers, reason=reason)


def _backward(
    model: Model, pixels: Pixels, row: int, objective: Objective, found: Sequence[Bias]
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Values and dS/dvalue of the inputs, and of what the biases are added to; of as many copies as the file takes."""
    rows = np.full(fixed_batch_of(model.graph) or 1, row)
    alike, aim = pixels.rows(rows), objective.rows(rows)
    inputs = [value.name for value in model.graph.inputs]
    at = dict.fromkeys([*inputs, *(name for one in found for name in (one.data, one.value))])
    both = model.twin.slopes(model.variables(alike), aim.values, cotangents(aim), tuple(at))
    values = {name: value.astype(np.float64) for name, (value, _) in both.items()}
    return values, {name: slope.astype(np.float64) for name, (_, slope) in both.items()}


def _constants(model: Model, pixels: Pixels, found: Sequence[Bias]) -> Arrays:
    """What the biases are made of: weights, and what is computed from them."""
    names = dict.fromkeys(name for one in found for name in one.constants)
    weights = {name: model.graph.weight(name) for name in names if name in model.graph.initializers}
    computed = [name for name in names if name not in weights]
    if computed:
        weights.update(model.judge.values(model.feeds(pixels.rows(slice(0, 1))), computed, once=True))
    return weights


def _said(found: Sequence[Bias], grids: Mapping[str, Grid]) -> str:
    """Which biases were used, in words."""

    counts = Counter(one.node.operator for one in found)
    unseen = sum(one.value not in grids for one in found)
    said = ", ".join(f"{count} {operator}" for operator, count in sorted(counts.items())) or "no node"
    return f"biases of {said}" + (f"; {unseen} of them without rows and columns, in the sum alone" if unseen else "")

"""The base of class activation maps: a layer's feature maps, weighed, summed, rectified, brought to the picture's size.

    M = upsample(ReLU(L)),   L_ij = sum_k a_k,ij A_k,ij

A (channels k, rows i, columns j) is a layer's value, a what a method weighs it with. L as it is, of the layer's own
size and before the rectifier, is the map's attribution. Nothing is scaled to [0, 1], so that images can be compared;
but for ``augment``, where the maps of several views of the picture are, before their mean (views.py).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError, ZeroGradient
from onnxray.images.interpolation import bilinear
from onnxray.images.pixels import Pixels
from onnxray.methods.run import Run
from onnxray.methods.saliency.activation.principal_component import first_component
from onnxray.methods.saliency.activation.views import VIEWS, View, scaled
from onnxray.methods.saliency.base import Map, Saliency
from onnxray.model.beginning import computed_from
from onnxray.model.layers.grid import Grid, holds_picture, picture_size, read_space
from onnxray.model.layers.map_layers import choose_layers
from onnxray.model.model import Model
from onnxray.objectives.gradients import layer_gradient
from onnxray.objectives.objective import Objective

Maps = NDArray[np.float64]

_FEWEST = 4
"""Rows and columns below which a map says little of where."""
NO_EVIDENCE = "no positive evidence: the map is negative everywhere"


@dataclass(frozen=True, kw_only=True)
class ClassActivation(Saliency):
    """A class activation map at one layer or several, one map each.

    Arrays of any number of channels are explained as well, where the graph tells their rows and columns.
    """

    images_only: ClassVar[bool] = False

    layer: Annotated[
        str | tuple[str, ...] | None,
        "value or values the maps are made at; default: the last with rows and columns before the pooling",
    ] = None
    augment: Annotated[
        bool, "the mean over six views: flipped or not, the input times 0.9, 1 and 1.1; each map from 0 to 1"
    ] = False

    def map_unit(self, score: str, step: str) -> str:
        """What L is in; of several views each has its own largest."""
        return "mean share of the largest" if self.augment else self.unit_of(score)

    def unit_of(self, score: str) -> str:
        """What L is in: where the weights have no unit, that of the layer's value."""
        return "value of the layer"

    def subjects(self, model: Model) -> str | tuple[str, ...] | None:
        """Of several inputs those that hold a picture which the layers see."""
        return self.wrt if self.wrt is not None else pictures_seen(model, self.layer)

    def maps(self, model: Model, pixels: Pixels, objective: Objective, run: Run) -> Iterator[tuple[int, Map]]:
        """A map for every image and layer, images outermost."""
        size = picture_size(model, pixels)
        grids = layers_of(self, model, pixels, objective, run)
        views = VIEWS if self.augment else (View(),)
        count = len(grids) * len(views)
        found: list[list[Maps]] = []
        for layer, grid in enumerate(grids):
            found.append([])
            for place, view in enumerate(views, layer * len(views)):
                run.progress(1000 * place, 1000 * count, f"at {grid.value}")

                def progress(done: int, total: int, what: str, place: int = place) -> None:
                    run.progress(int(1000 * (place + done / max(1, total))), 1000 * count, what)

                own = run.telling(progress)
                seen = view.of(model, pixels) if self.augment else pixels
                found[-1].append(view.undone(self.attributions(model, seen, objective, grid, own)))
        for row in range(len(pixels)):
            for grid, each in zip(grids, found):
                if self.augment:
                    yield row, _mean_map([one[row] for one in each], grid, size)
                else:
                    yield row, rectified_map(each[0][row], grid, size)

    @abstractmethod
    def attributions(self, model: Model, pixels: Pixels, objective: Objective, grid: Grid, run: Run) -> Maps:
        """L of every image at a layer: (N, h, w)."""


@dataclass(frozen=True, kw_only=True)
class GradientActivation(ClassActivation):
    """A class activation map whose weights come from the gradient of the score at the layer.

    ``eigen_smooth``, as in pytorch-grad-cam: the first principal component over the places of a_k A_k in place of their
    sum, for what the channels have in common; of its two signs the one that goes along with the sum.
    """

    eigen_smooth: Annotated[
        bool, "the first principal component of the weighed channels in place of their sum: what they have in common"
    ] = False

    def unit_of(self, score: str) -> str:
        """Of a score: a derivative times what it is taken by."""
        return score

    def attributions(self, model: Model, pixels: Pixels, objective: Objective, grid: Grid, run: Run) -> Maps:
        """From the layer's value and the gradient there."""
        weighed = self.weighed(*layer_maps(model, pixels, objective, grid))
        return _components(weighed) if self.eigen_smooth else np.asarray(weighed.sum(1))

    @abstractmethod
    def weighed(self, values: Maps, slopes: Maps) -> Maps:
        """a_k A_k from A and g = dS/dA, all of them (N, channels, h, w)."""


def _components(weighed: Maps) -> Maps:
    """The first principal component of each image's channels, (N, h, w), signed as their sum goes."""
    found = np.stack([first_component(image) for image in weighed])
    total = weighed.sum(1)
    along = (found * (total - total.mean((1, 2), keepdims=True))).sum((1, 2))
    return np.where((along < 0)[:, None, None], -found, found)


def pictures_seen(model: Model, layer: str | Sequence[str] | None) -> tuple[str, ...] | None:
    """Of several inputs those that hold a picture which all the layers see; None of a model of one input.

    Errors: InputError where there is none.
    """
    inputs = [value.name for value in model.graph.inputs]
    if len(inputs) == 1:
        return None
    layers = model.select_values((layer,) if isinstance(layer, str) else layer or ())
    behind = (name for name in inputs if set(layers) <= computed_from(model.graph, [name]))
    seen = tuple(name for name in behind if holds_picture(model, name))
    if not seen:
        raise InputError(
            f"no input of {', '.join(inputs)} holds a picture that the layer sees, as far as the graph tells: a "
            "convolution or pooling right behind it; take a gradient method"
        )
    return seen


def layers_of(method: Any, model: Model, pixels: Pixels, objective: Objective, run: Run) -> tuple[Grid, ...]:
    """The layers of a method with the option ``layer``; that it was chosen by itself is noted.

    Errors: InputError for a layer without rows and columns, or not before the target; UnknownValue.
    """
    given = method.layer or ()
    space = read_space(model, pixels)
    grids = choose_layers(space, objective.values, (given,) if isinstance(given, str) else given)
    for grid in grids:
        if min(grid.height, grid.width) < _FEWEST:
            run.note(
                f"layer {grid.value!r} has {grid.height} x {grid.width} places; a map of so few says little of where; "
                "onnxray saliency layers MODEL lists larger ones"
            )
    if not given:
        run.note(f"layer {grids[0].value!r} ({grids[0].kind}) was chosen; others: onnxray saliency layers MODEL")
    return grids


def layer_maps(model: Model, pixels: Pixels, objective: Objective, grid: Grid) -> tuple[Maps, Maps]:
    """A and dS/dA, (N, channels, h, w) each. Errors: ZeroGradient naming the layer; as ``layer_gradient``."""
    values, slopes = layer_gradient(model, pixels, grid.value, objective)
    found, slope = (grid.maps(array).astype(np.float64) for array in (values, slopes))
    for row in np.flatnonzero(~slope.any(axis=(1, 2, 3))):
        raise ZeroGradient(
            f"the {objective.describe(int(row))} of {pixels.names[row] or f'image {row}'} does not change with "
            f"{grid.value!r}: its gradient is zero at every place of the picture, so the map says nothing; "
            "name an earlier layer"
        )
    return found, slope


def rectified_map(attribution: Maps, grid: Grid, size: tuple[int, int]) -> Map:
    """The map of one image of this size from L (h, w)."""
    heat = bilinear(np.maximum(attribution, 0), size)
    reason = None if heat.any() else NO_EVIDENCE
    return Map(
        heat=heat.astype(np.float32), attribution=attribution.astype(np.float32), layer=grid.value, reason=reason
    )


def _mean_map(attributions: Sequence[Maps], grid: Grid, size: tuple[int, int]) -> Map:
    """The map of one image of this size from L (h, w) of several views of it."""
    made = [rectified_map(attribution, grid, size) for attribution in attributions]
    heat = np.mean([scaled(one.heat.astype(np.float64)) for one in made], axis=0)
    return Map(
        heat=heat.astype(np.float32), attribution=np.mean(attributions, axis=0).astype(np.float32), layer=grid.value,
        reason=None if heat.any() else NO_EVIDENCE, numbers={"views": len(made)},
    )  # fmt: skip

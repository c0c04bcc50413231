"""LOTS: move an image until its representation at a layer meets a target's (Rozsa, Guenther, Boult 2016).

    eta_l(x, t) = J_l(x)^T (t - f_l(x)),   x' = round(clip(x + s * eta / max|eta|, 0, 255))              (eq. 3)
    eta_l(x)    = J_l(x)^T (+f_l(x)) to magnify, J_l(x)^T (-f_l(x)) to inhibit the own representation    (eq. 4)

t is the representation of a target image, or given alone. steps=1 takes the gradient once and searches the smallest
s (the paper); steps > 1 takes it anew at each step of ``step_size`` grey levels (the paper's step-and-adjust), keeping
the iterate in floats. Success is tested on the 8-bit image, after rounding and after the last step, by ONNX Runtime.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, final

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.goals import as_goal
from onnxray.images import Pixels
from onnxray.line_search import Found, Image8, candidate, direction_of, resolve_search, search_scale
from onnxray.lots_aim import Aim, Stop, as_pixels, prepare
from onnxray.lots_item import LotsItem
from onnxray.lots_measure import Ended, measure
from onnxray.method import Method, Run, check_range
from onnxray.model import Model
from onnxray.structure import weight_layers

_GROUP_ELEMENTS = 20_000_000


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class LOTS(Method[LotsItem]):
    """Move images until their representation at a layer meets a target's, fades, or grows."""

    name: ClassVar[str] = "lots"
    item_type: ClassVar[type[Any]] = LotsItem

    layer: Annotated[
        str | tuple[str, ...] | None, "value or values attacked, one after the other; default: the layers with weights"
    ] = None
    steps: Annotated[int, "gradients taken; 1 is the paper's line search, more is step-and-adjust"] = 1
    step_size: Annotated[float, "grey levels a step, of the pixel that moves most (steps > 1)"] = 1.0
    until: Annotated[
        Literal["auto", "target-class", "other-class", "linf", "distance"],
        "when to stop; auto: target-class for target images, distance for target values, other-class to inhibit, "
        "linf to magnify",
    ] = "auto"
    linf: Annotated[
        float, "the L_inf to go to, in grey levels (until linf; the paper: 128 on LeNet, 64 on VGG Face)"
    ] = 128.0
    target_class: Annotated[str | None, "class to reach, by number or label, where no target image states it"] = None
    metric: Annotated[Literal["euclidean", "cosine"], "distance of representations; cosine is 1 - similarity"] = (
        "euclidean"
    )
    distance: Annotated[float, "distance to the target's representation to go to (until distance)"] = 0.5
    relative: Annotated[bool, "whether the distance is a share of the distance at the origin"] = True
    max_scale: Annotated[int, "largest scale of the line search; pixels saturate, so more than 255 can matter"] = 1024
    search: Annotated[
        Literal["auto", "exhaustive", "bisection"],
        "line search over all integer scales, or by growth and bisection; auto: by the size of the image",
    ] = "auto"

    def __post_init__(self) -> None:
        check_range("steps", self.steps, 1, 100_000)
        check_range("step_size", self.step_size, 1e-3, 255)
        check_range("linf", self.linf, 1e-3, 255)
        check_range("max_scale", self.max_scale, 1, 65_536)
        check_range("distance", self.distance, 0, 1e30)

    def run(self, model: Model, pixels: Pixels, goal: Any, run: Run) -> Iterator[LotsItem]:
        """Give an item for every origin (and target) and layer, origins outermost."""
        layers = self._layers(model)
        stop = Stop(
            until=self.until, target_class=self.target_class, linf=self.linf,
            metric=self.metric, distance=self.distance, relative=self.relative,
        )  # fmt: skip
        aim = prepare(model, pixels, as_goal(goal), layers, stop)
        elements = aim.origins.images[0].size
        if self.steps == 1 and aim.until != "linf":
            run.note(f"line search: {resolve_search(self.search, elements)}, scales 1 to {self.max_scale}")
        size = max(1, _GROUP_ELEMENTS // (elements * len(layers)))
        for start in range(0, len(aim), size):
            pairs = np.arange(start, min(start + size, len(aim)))
            by_layer = []
            for index, layer in enumerate(layers):
                done = start * len(layers) + index * len(pairs)
                ended = list(self._ended(model, aim, layer, pairs, run, (done, len(aim) * len(layers))))
                by_layer.append(measure(model, aim, layer, pairs.tolist(), ended))
            for items in zip(*by_layer):
                yield from items
        run.progress(len(aim) * len(layers), len(aim) * len(layers), "done")

    def _layers(self, model: Model) -> tuple[str, ...]:
        if self.layer is None:
            layers = weight_layers(model.graph)
            if not layers:
                raise InputError(
                    "the graph has no layers with weights to take by default; name the values: --layer NAME"
                )
            return layers
        return model.select_values((self.layer,) if isinstance(self.layer, str) else self.layer)

    def _ended(
        self, model: Model, aim: Aim, layer: str, pairs: NDArray[np.int64], run: Run, place: tuple[int, int]
    ) -> Iterator[Ended]:
        """Where each pair ends at one layer."""
        if self.steps > 1:
            yield from self._adjusted(model, aim, layer, pairs, run, place)
            return
        gradients = self._gradient(model, aim, layer, pairs, aim.origin(pairs))
        for index, (pair, gradient) in enumerate(zip(pairs.tolist(), gradients)):
            run.progress(place[0] + index, place[1], layer)
            direction = direction_of(gradient)
            if direction is None:
                raise aim.zero_gradient(pair, layer, gradient)
            yield self._searched(model, aim, layer, pair, direction), 1

    def _gradient(
        self, model: Model, aim: Aim, layer: str, pairs: NDArray[np.int64], x: NDArray[Any]
    ) -> NDArray[np.float32]:
        """eta for a batch: the pullback of the change that is wanted at ``layer``."""
        goals = aim.goal_of(layer, pairs)

        def change(value: Any, place: slice) -> Any:
            if goals is None:
                return aim.sign * value
            wanted = goals[place]
            if len(wanted) < len(value):  # a chunk that was filled up to the file's own batch
                wanted = np.concatenate([wanted, *[wanted[-1:]] * (len(value) - len(wanted))])
            return value.new_tensor(wanted) - value

        return np.asarray(model.pullback(as_pixels(x), {layer: change}))

    def _searched(self, model: Model, aim: Aim, layer: str, pair: int, direction: NDArray[np.float64]) -> Found:
        """One gradient, and the smallest scale along it."""
        origin = aim.origin(pair)
        if aim.until == "linf":
            return Found(candidate(origin, direction, self.linf), self.linf, reached=True, search="none")

        def hits(images: Image8) -> NDArray[np.bool_]:
            return aim.met(model, layer, images, np.full(len(images), pair))

        search = resolve_search(self.search, origin.size)
        return search_scale(origin, direction, hits, max_scale=self.max_scale, search=search)

    def _adjusted(
        self, model: Model, aim: Aim, layer: str, pairs: NDArray[np.int64], run: Run, place: tuple[int, int]
    ) -> list[Ended]:
        """A gradient a step, for all pairs at once; each stops when its own goal is met, or where none is left."""
        x = aim.origin(pairs).astype(np.float32)
        taken, reached = np.zeros(len(pairs), np.int64), np.zeros(len(pairs), np.bool_)
        active = np.arange(len(pairs))
        for step in range(1, self.steps + 1):
            gradients = self._gradient(model, aim, layer, pairs[active], x[active])
            for position, gradient in zip(active.tolist(), gradients):
                direction = direction_of(gradient)
                if direction is None and step == 1:
                    raise aim.zero_gradient(int(pairs[position]), layer, gradient)
                if direction is not None:
                    x[position] = np.clip(x[position] + self.step_size * direction, 0, 255)
                    taken[position] = step
            active = active[taken[active] == step]
            if active.size:
                met = aim.met(model, layer, np.rint(x[active]).astype(np.uint8), pairs[active])
                reached[active] = met
                active = active[~met]
            run.progress(place[0] + int(reached.sum()), place[1], f"{layer}, step {step}: {active.size} on the way")
            if not active.size:
                break
        return [
            (Found(np.rint(image).astype(np.uint8), self.step_size, bool(hit), "step-and-adjust"), int(count))
            for image, hit, count in zip(x, reached, taken)
        ]

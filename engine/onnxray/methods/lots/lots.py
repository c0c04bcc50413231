"""LOTS: move an image until its representation at a layer meets a target's (Rozsa, Guenther, Boult 2016).

    eta_l(x, t) = J_l(x)^T (t - f_l(x)),   x' = round(clip(x + s * eta / max|eta|, 0, 255))              (eq. 3)
    eta_l(x)    = J_l(x)^T (+f_l(x)) to magnify, J_l(x)^T (-f_l(x)) to inhibit the own representation    (eq. 4)

t is the representation of a target image, or given alone; under the cosine metric only its direction counts, and it is
taken at the norm of f_l(x) (our choice: it reaches the direction with less). steps=1 takes the gradient once and
searches the smallest s (the paper); steps > 1 takes it anew at each step of ``step_size`` grey levels (the paper's
step-and-adjust), keeping the iterate in floats. Success is tested on the 8-bit image, after rounding and after the last
step, by ONNX Runtime.

Arrays of inputs, or a value inside the network (``wrt``), are moved in place of pixels:

    x' = x + s u eta / max|eta|,   eta the gradient with respect to x / u,   u = (max x - min x) / 255 of a sample

neither rounded nor clipped. Options count u where they count grey levels; distances are in the array's own units.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal, final

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.graph.weight_layers import weight_layers
from onnxray.graph.whole_numbers import holds_reals
from onnxray.images.pixels import Pixels
from onnxray.methods.array_variable import variable_of
from onnxray.methods.as_typed import Unstated, path_texts, plain_fields, target_text
from onnxray.methods.attack.line_search import Found, Line, direction_of, resolve_search, search_scale
from onnxray.methods.lots.aim import Group, Stop, prepare
from onnxray.methods.lots.hot_cold_targets import made_targets
from onnxray.methods.lots.item import LotsItem
from onnxray.methods.lots.measurement import measure
from onnxray.methods.method import Method
from onnxray.methods.option_checks import Range, check_choices
from onnxray.methods.run import Run
from onnxray.methods.subjects import names_of_subjects
from onnxray.model.beginning import computed_from
from onnxray.model.model import Model
from onnxray.objectives.conditions import is_comparison
from onnxray.objectives.goals import HotColdTargets, Own, TargetImages, as_goal

INHIBITS = (
    "inhibit fades what the layer holds, all of it; it does not look for the smallest change that flips the class, and "
    "what it does not reach is no sign of robustness; `onnxray attack` looks for small changes"
)
UNTIL = ("auto", "target-class", "other-class", "linf", "distance")
# Pairs share their gradients in groups: large enough to be fast, small enough to come out, and to fit in memory.
_GROUP = 64
_GROUP_ELEMENTS = 64_000_000


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class LOTS(Method[LotsItem]):
    """Move images until their representation at a layer meets a target's, fades, or grows."""

    name: ClassVar[str] = "lots"
    item_type: ClassVar[type[Any]] = LotsItem
    images_only: ClassVar[bool] = False

    layer: Annotated[
        str | tuple[str, ...] | None, "value or values attacked, one after the other; default: the layers with weights"
    ] = None
    wrt: Annotated[
        str | tuple[str, ...] | None,
        "what is moved: inputs by name, repeatable, the others held, or one value inside the network; default: the "
        "picture, else every input of real numbers, or what token ids gather",
    ] = None
    steps: Annotated[
        int, "gradients taken; 1 is the paper's line search, more is step-and-adjust", Range(1, 100_000)
    ] = 1
    step_size: Annotated[
        float,
        "grey levels a step, of the pixel that moves most (steps > 1); of arrays 255ths of their range",
        Range(1e-3, 255.0),
    ] = 1.0
    until: Annotated[
        str,
        "when to stop: target-class, other-class, linf, distance, or a comparison of a target with a number: "
        "'boxes[0].score < 0.3', 'output > 3', 'distance > 0.5' (of the answer from what it was), 'cosine < 0.8'; "
        "auto: target-class for target images, distance for target values, linf to magnify, and to inhibit "
        "other-class, of a detector until its best box is not listed any more",
    ] = "auto"
    linf: Annotated[
        float,
        "the L_inf to go to, in grey levels, of arrays in 255ths of their range (until linf; the paper: 128 on LeNet, "
        "64 on VGG Face)",
        Range(1.0, 255.0),
    ] = 128.0
    target_class: Annotated[str | None, "class to reach, by number or label, where no target image states it"] = None
    metric: Annotated[Literal["euclidean", "cosine"], "distance of representations; cosine is 1 - similarity"] = (
        "euclidean"
    )
    distance: Annotated[
        float, "distance to the target's representation to go to (until distance)", Range(0.0, 1e30)
    ] = 0.5
    relative: Annotated[bool, "whether the distance is a share of the distance at the origin"] = True
    max_scale: Annotated[
        int, "largest scale of the line search; pixels saturate, so more than 255 can matter", Range(1, 65_536)
    ] = 1024
    search: Annotated[
        Literal["auto", "exhaustive", "integers", "bisection"],
        "line search over every sixteenth of a grey level (exhaustive), over all whole numbers and every sixteenth of "
        "the last 32 (integers), or by growth and bisection; auto: integers or bisection, by the size of the image",
    ] = "auto"

    def __post_init__(self) -> None:
        check_choices(self)
        if self.until not in UNTIL and not is_comparison(self.until):
            raise InputError(
                f"until is {short(self.until)}; expected one of {', '.join(UNTIL)}, or a comparison such as "
                "'boxes[0].score < 0.3', 'output > 3' or 'distance > 0.5'"
            )

    def command(self) -> tuple[str, ...]:
        """What is typed behind ``onnxray`` for this method."""
        return ("lots",)

    def as_typed(self, images: object, goal: object) -> dict[str, Any]:
        """The command's options: the goal as one of three."""
        stated = as_goal(goal)
        if isinstance(stated, Own):
            options: dict[str, Any] = {"own": stated.mode}
        elif isinstance(stated, TargetImages):
            options = {"target": path_texts("the target images", stated.images), "pairs": stated.pairing}
        elif isinstance(stated, HotColdTargets):
            options = {"hot_cold": target_text(stated.class_)}
        elif stated.source is not None:
            options = {"target_values": stated.source}
        else:
            raise Unstated("its goal was given as arrays, which no command line states; save them and read_values")
        return {"origins": path_texts("the origins", images), **options, **plain_fields(self)}

    def run(self, model: Model, pixels: Pixels, goal: Any, run: Run) -> Iterator[LotsItem]:
        """Give an item for every origin (and target) and layer, origins outermost."""
        layers = self._layers(model)
        variable = variable_of(model, pixels, self.wrt, layers)
        stated = as_goal(goal)
        if isinstance(stated, HotColdTargets):
            stated = made_targets(model, pixels, stated)
            run.note(f"targets: the origins themselves, made class {goal.class_} by hot/cold")
        aim = prepare(variable, stated, layers, self._stop())
        for note in (*aim.notes, *((INHIBITS,) if aim.mode == "inhibit" else ()), *variable.notes()):
            run.note(note)
        if self.steps == 1 and aim.until != "linf":
            search = resolve_search(self.search, variable.fed_numbers)
            run.note(f"line search: {search}, scales 1 to {self.max_scale}")
        size = max(1, min(_GROUP, _GROUP_ELEMENTS // aim.elements))
        for start, own in run.units(range(0, len(aim), size)):
            group = aim.group(layers, np.arange(start, min(start + size, len(aim))))
            yield from (self._search if self.steps == 1 else self._adjust)(group, layers, own)
        run.progress(len(aim) * len(layers), len(aim) * len(layers), "done")

    def line(self, model: Model, images: object, goal: Any) -> Line:
        """The line along which the first origin moves at the first layer, whatever stops it. Errors: as for a run."""
        layers = self._layers(model)[:1]
        pixels, stated = model.pixels(images), as_goal(goal)
        if isinstance(stated, HotColdTargets):
            stated = made_targets(model, pixels, stated)
        variable = variable_of(model, pixels, self.wrt, layers)
        aim = prepare(variable, stated, layers, replace(self._stop(), until="linf"))
        group = aim.group(layers, np.arange(1))
        return self._line(group, 0, self._directions(group, layers[0])[0])

    def _stop(self) -> Stop:
        return Stop(
            until=self.until, target_class=self.target_class, linf=self.linf,
            metric=self.metric, distance=self.distance, relative=self.relative,
        )  # fmt: skip

    def _layers(self, model: Model) -> tuple[str, ...]:
        if self.layer is None:
            weighted = weight_layers(model.graph)
            moved = [name for name in names_of_subjects(model, self.wrt) if name is not None]
            behind = computed_from(model.graph, moved) if moved else set(weighted)
            weighted = tuple(name for name in weighted if name in behind)
            layers = tuple(name for name in weighted if holds_reals(model.graph, name))
            if not layers:
                whole = f", for {weighted[0]!r} and its like hold whole numbers" if weighted else ""
                raise InputError(
                    f"the graph has no layers with weights to take by default{whole}; name the values: --layer NAME"
                )
            return layers
        layers = model.select_values((self.layer,) if isinstance(self.layer, str) else self.layer)
        if not layers:
            raise InputError("no layer was named; name one or several, or leave it to the layers with weights")
        return layers

    def _search(self, group: Group, layers: tuple[str, ...], run: Run) -> Iterator[LotsItem]:
        """One gradient a pair and layer, and the smallest scale along it; pairs come out one by one."""
        directions = {layer: self._directions(group, layer) for layer in layers}
        total = len(group.aim) * len(layers)
        for (row, pair), own in run.units(enumerate(group.pairs.tolist())):
            for index, layer in enumerate(layers):
                own.progress(pair * len(layers) + index, total, layer)
                found = self._searched(group, layer, pair, directions[layer][row])
                yield measure(group, layer, pair, found, 1)

    def _directions(self, group: Group, layer: str) -> list[NDArray[np.float64]]:
        found = []
        gradients = self._gradient(group, layer, group.pairs, group.aim.origin(group.pairs))
        for pair, gradient in zip(group.pairs.tolist(), gradients):
            direction = direction_of(gradient)
            if direction is None:
                raise group.zero_gradient(pair, layer, gradient)
            found.append(direction)
        return found

    def _gradient(self, group: Group, layer: str, pairs: NDArray[np.int64], x: NDArray[Any]) -> NDArray[np.float32]:
        """eta for a batch: the pullback of the change that is wanted at ``layer``."""
        goals = group.goals(layer, pairs)

        def change(value: Any, place: slice) -> Any:
            if goals is None:
                return group.aim.sign * value
            target = value.new_tensor(goals[place])
            if self.metric == "cosine":
                own, its = (array.reshape(len(array), -1).norm(dim=1) for array in (value, target))
                target = target * (own / its).reshape(-1, *[1] * (value.ndim - 1))
            return target - value

        return group.aim.variable.gradient(x, group.aim.origin_of[pairs], {layer: change})

    def _searched(self, group: Group, layer: str, pair: int, direction: NDArray[np.float64]) -> Found:
        """The smallest scale along one direction."""
        line = self._line(group, pair, direction)
        if group.aim.until == "linf":
            return Found(line.at(self.linf), self.linf, reached=True, search="none")

        def hits(images: NDArray[Any]) -> NDArray[np.bool_]:
            return group.met(layer, images, np.full(len(images), pair))

        search = resolve_search(self.search, group.aim.variable.fed_numbers)
        return search_scale(line, hits, max_scale=self.max_scale, search=search)

    def _line(self, group: Group, pair: int, direction: NDArray[np.float64]) -> Line:
        """From the origin of a pair along a direction of largest number 1, in steps."""
        variable = group.aim.variable
        steps = variable.steps(group.aim.origin_of[[pair]])[0]
        return Line(group.aim.origin(pair), direction * steps, variable.saved)

    def _adjust(self, group: Group, layers: tuple[str, ...], run: Run) -> Iterator[LotsItem]:
        """Step-and-adjust for all pairs of a group at once, layer after layer; interrupted, the pairs that arrived."""
        ended: dict[tuple[int, int], tuple[Found, int]] = {}

        def finished() -> Iterator[LotsItem]:
            for (pair, index), (found, steps) in sorted(ended.items(), key=lambda entry: entry[0]):
                yield measure(group, layers[index], pair, found, steps)

        try:
            for index, layer in enumerate(layers):
                for pair, found, steps in self._adjusted(group, layer, run, index, len(layers)):
                    ended[pair, index] = found, steps
        except KeyboardInterrupt:
            yield from finished()
            raise
        yield from finished()

    def _adjusted(
        self, group: Group, layer: str, run: Run, index: int, layers: int
    ) -> Iterator[tuple[int, Found, int]]:
        """A gradient a step; each pair comes out when its goal is met, the others at the end.

        A pair whose gradient vanishes on the way stays where it is.
        """
        pairs, variable = group.pairs, group.aim.variable
        x, steps = variable.floats(group.aim.origin_of[pairs]), variable.steps(group.aim.origin_of[pairs])
        place = int(pairs[0]) * layers + index * len(pairs)
        taken = np.zeros(len(pairs), np.int64)
        active, stuck = np.arange(len(pairs)), list[int]()

        def end(row: int, *, reached: bool) -> tuple[int, Found, int]:
            image = variable.saved(x[row])
            return int(pairs[row]), Found(image, self.step_size, reached, "step-and-adjust"), int(taken[row])

        for step in range(1, self.steps + 1):
            gradients = self._gradient(group, layer, pairs[active], x[active])
            for row, gradient in zip(active.tolist(), gradients):
                direction = direction_of(gradient)
                if direction is None and step == 1:
                    raise group.zero_gradient(int(pairs[row]), layer, gradient)
                if direction is not None:
                    x[row] = variable.bounded(x[row] + self.step_size * direction * steps[row])
                    taken[row] = step
            stuck += active[taken[active] < step].tolist()
            active = active[taken[active] == step]
            if active.size:
                met = group.met(layer, variable.saved(x[active]), pairs[active])
                for row in active[met]:
                    yield end(int(row), reached=True)
                active = active[~met]
            left = active.size + len(stuck)
            run.progress(
                place + len(pairs) - left, len(group.aim) * layers, f"{layer}, step {step}: {active.size} on the way"
            )
            if not active.size:
                break
        for row in (*active.tolist(), *stuck):
            yield end(row, reached=False)

"""Feature adversaries (Sabour, Cao, Faghri, Fleet 2016, arXiv 1511.05122).

    min_x ||f(x) - f(g)||^2   s.t. max |x - x_0| <= eps, 0 <= x <= 255

by L-BFGS-B (SciPy's, in float64) from x_0: the image keeps its looks and takes the guide g's representation f at a
layer. Given: the distance to the guide at the layer before and after, and their ratio; the paper calls a ratio below
0.5 nearer to the guide than to the source; ``source_ratio``, the distance to the source over the same. With
``neighbours``, also whose neighbour the picture has become (neighbourhood.py). Success: the ratio of the saved picture,
by the judge, is below ``ratio``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.images.pixels import Pixels
from onnxray.methods.attack.base import Attacked, Perturbations, WithinBudget
from onnxray.methods.attack.gradient.neighbourhood import NEAREST, Neighbourhood
from onnxray.methods.attack.oracle import Oracle, Spent
from onnxray.methods.attack.success import Beyond, Criterion
from onnxray.methods.attack.threat import Floats, NormName
from onnxray.methods.option_checks import Range
from onnxray.methods.shots import Shots
from onnxray.methods.variable import Rows, Variable
from onnxray.model.model import Model
from onnxray.objectives.class_losses import LossName
from onnxray.objectives.gradients import judged
from onnxray.objectives.objective import Index, Objective, namespace

_SAME = 1e-6
_MEASURED = ("distance_after", "distance_ratio", "source_ratio")


@final
@dataclass(frozen=True, kw_only=True)
class FeatureAdversary(WithinBudget):
    """A feature adversary: an image that a layer takes for another image, within a budget."""

    name: ClassVar[str] = "feature-adversary"

    layer: Annotated[str, "the value whose representation is taken over"] = "features"
    steps: Annotated[int, "gradients taken, at most", Range(1, 100_000)] = 300
    ratio: Annotated[
        float, "how much of the distance to the guide may be left", Range(1e-6, 1.0)
    ] = 0.5  # fmt: skip
    neighbours: Annotated[
        str | tuple[str, ...] | None,
        "other pictures, or folders of them, among which the nearest at the layer are looked for; repeatable",
    ] = None
    norm: Annotated[NormName, "the norm of the budget: linf alone, whose ball is a box"] = "linf"
    eps: Annotated[float, "the budget, in grey levels; the paper's is 10", Range(1e-3, 255.0)] = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.norm != "linf":
            raise InputError(f"norm is {self.norm!r}; feature-adversary is bounded by linf, whose ball is a box")

    def looked_at(self, model: Model) -> Sequence[str]:
        """The layer."""
        return (model.select_value(self.layer),)

    def asked(self, variable: Variable, goal: Any) -> tuple[Criterion, Shots]:
        """That the layer sees the guide. goal: one picture for all, or one for each. Errors: InputError."""
        if goal is None or (isinstance(goal, str) and goal == "untargeted"):
            raise InputError("feature-adversary needs a guide; give its picture: --target guide.jpg")
        model = variable.whole
        value = model.select_value(self.layer)
        guides = model.pixels(list(goal) if isinstance(goal, tuple) else goal)
        if len(guides) not in {1, len(variable)}:
            raise InputError(f"{len(guides)} guides for {len(variable)} images; give one for all, or one for each")
        own, others = (
            model.values(pixels, [value])[value].astype(np.float64).reshape(len(pixels), -1)
            for pixels in (variable.fed(variable.start, np.arange(len(variable))), guides)
        )
        others = np.resize(others, own.shape)
        apart = np.linalg.norm(own - others, axis=1)
        shots = Shots.of(variable)
        for row in np.flatnonzero(apart <= _SAME * np.linalg.norm(own, axis=1)):
            name = shots.names[row] or f"image {row}"
            raise InputError(f"{name} has the guide's representation at {value!r} already; give another guide")
        names = [str(name or f"guide {k}") for k, name in enumerate(guides.names)]
        names = names * len(variable) if len(names) == 1 else names
        distance = RelativeDistance(value, others, apart, tuple(names))
        return FeatureReached(
            distance=distance, ratio=self.ratio, sources=own, neighbourhood=self._neighbourhood(model, value)
        ), shots

    def _neighbourhood(self, model: Model, value: str) -> Neighbourhood | None:
        """Of the pictures that were stated. Errors: InputError where they are too few."""
        if self.neighbours is None:
            return None
        stated = [self.neighbours] if isinstance(self.neighbours, str) else list(self.neighbours)
        pixels = model.pixels(stated)
        if len(pixels) < NEAREST:
            raise InputError(f"{len(pixels)} pictures are among the neighbours; at least {NEAREST} are needed")
        found = model.values(pixels, [value])[value].astype(np.float64)
        return Neighbourhood(beside=found.reshape(len(pixels), -1))

    def perturb(self, attacked: Attacked) -> Perturbations:
        """The formula at the top of the file, sample by sample."""
        from scipy.optimize import Bounds, minimize

        oracle, criterion = attacked.oracle, attacked.oracle.criterion
        assert isinstance(criterion, FeatureReached)
        d = np.zeros((len(attacked), oracle.numbers), np.float32)
        low, high = oracle.bounds(attacked.rows)
        for place, row in enumerate(attacked.rows.tolist()):
            one = np.array([row])
            square = replace(criterion.distance, squared=True).rows(one)

            def loss(x: NDArray[np.float64], one: Rows = one, square: Objective = square) -> tuple[float, Floats]:
                slopes = oracle.slopes_while_left(x[None].astype(np.float32), one, square)
                return float(slopes.loss[0]), slopes.gradient[0].astype(np.float64)

            last = [d[place]]

            def keep(x: NDArray[np.float64], last: list[Floats] = last, place: int = place) -> None:
                last[0] = x.astype(np.float32)
                attacked.tell(place, len(attacked), f"image {place + 1} of {len(attacked)}")

            eps = attacked.eps[place]
            bounds = Bounds(np.maximum(low[place], -eps), np.minimum(high[place], eps))
            with contextlib.suppress(Spent):
                minimize(
                    loss, np.zeros(oracle.numbers), jac=True, method="L-BFGS-B", bounds=bounds, callback=keep,
                    options={"maxiter": self.steps, "maxfun": self.steps, "ftol": 1e-12, "gtol": 1e-12},
                )  # fmt: skip
            d[place] = last[0]
        whole = oracle.rounded(d, attacked.rows, self.measure, attacked.eps)
        return Perturbations(d=d, whole=whole, numbers=_distances(oracle, criterion, whole, attacked.rows))


def _distances(oracle: Oracle, criterion: FeatureReached, whole: Floats, rows: Rows) -> dict[str, Sequence[Any]]:
    """Where what is saved lies at the layer, by the judge, for one pass each; None where none is left."""
    before, guides = criterion.distance.scales[rows], criterion.distance.references[rows]
    left = oracle.left(rows)
    each: list[dict[str, Any]] = [{} for _ in rows]
    if left.any():
        np.add.at(oracle.queries.judge, rows[left], 1)
        name, fed = criterion.distance.value, oracle.fed(whole[left], rows[left])
        found = oracle.variable.model.values(fed, [name])[name].astype(np.float64).reshape(int(left.sum()), -1)
        for place, own in zip(np.flatnonzero(left).tolist(), found):
            source = criterion.sources[rows[place]]
            after, apart = float(np.linalg.norm(own - guides[place])), float(before[place])
            each[place] = {
                "distance_after": after, "distance_ratio": after / apart,
                "source_ratio": float(np.linalg.norm(own - source)) / apart,
            }  # fmt: skip
            if criterion.neighbourhood is not None:
                each[place] |= criterion.neighbourhood.numbers(own, source, guides[place])
    names = list(dict.fromkeys(name for numbers in each for name in numbers)) or list(_MEASURED)
    return {"distance_before": before.tolist(), **{name: [one.get(name) for one in each] for name in names}}


@dataclass(frozen=True, eq=False)
class RelativeDistance(Objective):
    """||f - g_n|| / s_n, or its square."""

    value: str
    references: NDArray[np.float64]
    scales: NDArray[np.float64]
    names: tuple[str, ...] = ()
    squared: bool = False

    @property
    def values(self) -> tuple[str, ...]:
        """The layer."""
        return (self.value,)

    def score(self, values: Mapping[str, Any], place: slice) -> Any:
        """(n,)."""
        f = values[self.value]
        f, xp = f.reshape(place.stop - place.start, -1), namespace(f)
        given, scales = self.references[place], self.scales[place]
        if xp is not np:
            given, scales = xp.as_tensor(given).to(f), xp.as_tensor(scales).to(f)
        square = ((f - given) ** 2).sum(1) / scales**2
        return square if self.squared else xp.sqrt(square)

    def rows(self, index: Index) -> RelativeDistance:
        """Those of these rows."""
        names = tuple(self.names[k] for k in index) if self.names else ()
        return replace(self, references=self.references[index], scales=self.scales[index], names=names)

    def describe(self, row: int) -> str:
        """From whom, and where."""
        return f"distance from {self.names[row] if self.names else 'the guide'} at {self.value}"


@dataclass(frozen=True, kw_only=True, eq=False)
class FeatureReached(Criterion):
    """The distance to the guide is below a share of what it was. sources: (N, numbers), of the images as they came."""

    distance: RelativeDistance
    ratio: float
    sources: NDArray[np.float64]
    neighbourhood: Neighbourhood | None = None

    def loss(self, kind: LossName, rows: Rows) -> Objective:
        """The distance."""
        return self.margin(rows)

    def margin(self, rows: Rows) -> Objective:
        """The ratio less the one that is wanted."""
        return Beyond(self.distance.rows(rows), self.ratio, less=True)

    def met(self, model: Model, samples: Pixels, rows: Rows) -> NDArray[np.bool_]:
        """By the judge."""
        return np.asarray(judged(model, samples, self.distance.rows(rows)) < self.ratio)

    def describe(self, row: int) -> str:
        """How much of which distance."""
        return f"{self.distance.describe(row)} below {self.ratio:g} of what it was"

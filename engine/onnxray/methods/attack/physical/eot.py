"""EOT, expectation over transformations (Athalye, Engstrom, Ilyas, Kwok 2018, arXiv 1707.07397): PGD on their mean.

    d_{k+1} = within(project_eps(d_k - a steepest(1/n sum_i grad L(T_i(x_0 + d_k)))))

T_i: ``draws`` transformations a step (transformations.py has them, and their order). All but JPEG are differentiated;
that one is passed straight through. Measured on the saved picture, by the judge, over ``trials`` fresh draws, each
rounded to 8 bits as a photograph is: ``rate``, how often the goal is reached; ``rate_before``, how often the picture
as it came reaches it under the same draws, which no attack has to be thanked for. ``success`` is that of the saved
picture without any transformation, as of all attacks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, final

import numpy as np

from onnxray.errors import InputError
from onnxray.images.eight_bits import to_uint8
from onnxray.methods.attack.base import Attacked, Perturbations, WithinBudget
from onnxray.methods.attack.physical.transformations import Transformation, draw, read_transformations
from onnxray.methods.attack.physical.views import Views, viewed
from onnxray.methods.attack.rates import rate_of
from onnxray.methods.attack.threat import Floats
from onnxray.methods.option_checks import Range
from onnxray.methods.variable import PixelVariable, Rows, Variable
from onnxray.objectives.class_losses import LossName


@final
@dataclass(frozen=True, kw_only=True)
class EOT(WithinBudget):
    """Expectation over transformations: a perturbation that still works when the picture is turned, scaled or noisy."""

    name: ClassVar[str] = "eot"

    transform: Annotated[
        str | tuple[str, ...],
        "a transformation and its range, rotation=-20..20; may be repeated: scale, rotation, translation, blur, "
        "contrast, brightness, noise, jpeg",
    ] = ("scale=0.9..1.1", "rotation=-20..20", "translation=-0.05..0.05", "brightness=-20..20", "noise=0..8")
    draws: Annotated[int, "transformations that a step is the mean of", Range(1, 100_000)] = 10
    steps: Annotated[int, "steps down the loss", Range(1, 100_000)] = 40
    step_size: Annotated[
        float | None, "a, in grey levels (of l2 and l1 the norm of a step); default: 2.5 eps / steps", Range(1e-6, 1e9)
    ] = None
    loss: Annotated[LossName, "what is gone down"] = "cross-entropy"
    trials: Annotated[int, "fresh draws that it is measured over", Range(1, 1_000_000)] = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.kinds():
            raise InputError("eot was given no transformation; state one: --transform rotation=-20..20")

    def kinds(self) -> tuple[Transformation, ...]:
        """The transformations. Errors: InputError."""
        return read_transformations(self.transform)

    def check_variable(self, variable: Variable) -> None:
        """Of pictures alone. Errors: InputError."""
        if not isinstance(variable, PixelVariable):
            raise InputError("eot turns and scales pictures, and what is changed here is none; take pgd")

    def perturb(self, attacked: Attacked) -> Perturbations:
        """The formula at the top of the file."""
        oracle, norm, rows, kinds = attacked.oracle, self.measure, attacked.rows, self.kinds()
        size = (self.step_size * np.ones(len(rows)) if self.step_size else 2.5 / self.steps * attacked.eps)[:, None]
        d = np.zeros((len(attacked), oracle.numbers), np.float32)
        for step in range(self.steps):
            total = np.zeros_like(d)
            stepped = np.zeros(len(attacked), bool)
            for _ in range(self.draws):
                places = np.flatnonzero(oracle.left(rows, 3))
                if not places.size:
                    break
                views = self._seen(attacked, oracle.samples(d[places], rows[places]), places, kinds)
                slopes = oracle.slopes_at(views.array, rows[places], oracle.criterion.loss(self.loss, rows[places]))
                shape = views.array.shape
                total[places] += views.back(slopes.gradient.reshape(shape)).reshape(len(places), -1)
                stepped[places] = True
            moved = d - size.astype(np.float32) * norm.steepest(total)
            d = np.where(stepped[:, None], oracle.within(norm.project(moved, attacked.eps), rows), d)
            attacked.tell(step + 1, self.steps + 1, f"step {step + 1}")
        return Perturbations(d=d)

    def _seen(self, attacked: Attacked, x: Floats, places: Rows, kinds: tuple[Transformation, ...]) -> Views:
        """Pictures x under a draw of each sample's own."""
        return viewed(x, [draw(kinds, x.shape[1:], attacked.random[place]) for place in places.tolist()])

    def beside(self, attacked: Attacked, whole: Floats) -> Mapping[str, Sequence[Any]]:
        """The rates over fresh draws, before and after."""
        oracle, kinds, count = attacked.oracle, self.kinds(), len(attacked)
        reached, tried = np.zeros((2, count), np.int64), np.zeros(count, np.int64)
        for trial in range(self.trials):
            places = np.flatnonzero(oracle.left(attacked.rows, 3))
            if not places.size:
                break
            rows = attacked.rows[places]
            origin = oracle.samples(np.zeros_like(whole[places]), rows)
            draws = [draw(kinds, origin.shape[1:], attacked.random[place]) for place in places.tolist()]
            for k, x in enumerate((origin, oracle.samples(whole[places], rows))):
                seen = to_uint8(viewed(x, draws).array)
                reached[k, places] += oracle.met_at(seen, rows)
            tried[places] += 1
            attacked.tell(self.steps, self.steps + 1, f"fresh draw {trial + 1} of {self.trials}")
        return {
            "rate": [rate_of(*pair) for pair in zip(reached[1].tolist(), tried.tolist())],
            "rate_before": [rate_of(*pair) for pair in zip(reached[0].tolist(), tried.tolist())],
            "transformations": [[str(kind) for kind in kinds]] * count,
        }

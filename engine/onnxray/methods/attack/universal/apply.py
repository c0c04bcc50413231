"""A perturbation that was made before, added to other pictures: round(clip(x + v)), within the norm that v has.

v is a .npy file of real numbers in grey levels, (channels, height, width) at the model's size, as ``attack universal``
saves it. The fooling rate, the share of pictures that reach the goal, stands beside the items with its 95 % interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, final

import numpy as np

from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.images.array_files import read_npy
from onnxray.methods.attack.base import Attack, Attacked, Perturbations
from onnxray.methods.attack.item import AttackItem
from onnxray.methods.attack.rates import rate_of
from onnxray.methods.attack.threat import NORMS, Floats, Norm
from onnxray.methods.option_checks import check_choices
from onnxray.methods.variable import PixelVariable, Variable
from onnxray.results.finished_items import Tape


@final
@dataclass(frozen=True, kw_only=True)
class Apply(Attack):
    """Add a saved perturbation to pictures, and count how many it fools."""

    name: ClassVar[str] = "apply"
    needs_gradients: ClassVar[bool] = False

    perturbation: Annotated[str | None, "the .npy file of the perturbation, in grey levels, which is needed"] = None
    norm: Annotated[
        Literal["linf", "l2"], "the norm that rounding keeps within what the perturbation has: the one it was made with"
    ] = "linf"

    def __post_init__(self) -> None:
        check_choices(self)
        if self.perturbation is None:
            raise InputError("apply was given no perturbation; state its file: --perturbation universal.npy")

    @property
    def measure(self) -> Norm:
        """That of the option."""
        return NORMS[self.norm]

    @property
    def budget(self) -> float | None:
        """The norm of the perturbation; of linf in float32, as the budget was when it was made."""
        return float(np.float32(self.measure.size(self.values.reshape(1, -1))[0]))

    @cached_property
    def values(self) -> Floats:
        """The perturbation. Errors: InputError."""
        assert self.perturbation is not None
        found = read_npy(Path(self.perturbation))
        if found.dtype.kind != "f" or not np.isfinite(found).all():
            what = f"an array of {found.dtype}" if found.dtype.kind != "f" else "not all finite"
            raise InputError(f"{short(self.perturbation)} is {what}; real numbers in grey levels were expected")
        if not found.any():
            raise InputError(f"{short(self.perturbation)} holds nothing but 0; a perturbation was expected")
        return np.asarray(found, np.float32)

    def check_variable(self, variable: Variable) -> None:
        """Of pictures of the perturbation's shape. Errors: InputError."""
        if not isinstance(variable, PixelVariable):
            raise InputError("apply adds to pictures, and this model's input is none")
        shape = variable.start.shape[1:]
        if self.values.shape != shape:
            raise InputError(
                f"{short(self.perturbation)} has the shape {list(self.values.shape)}, and pictures of this model "
                f"{list(shape)}: channels, height, width; give one that was made for it"
            )

    def perturb(self, attacked: Attacked) -> Perturbations:
        """v, of each."""
        d = np.repeat(self.values.reshape(1, -1), len(attacked), 0)
        return Perturbations(d=attacked.oracle.within(d, attacked.rows))

    def extra(self, tape: Tape[AttackItem]) -> dict[str, Any]:
        """The fooling rate over the pictures that are finished."""
        return {"fooling_rate": rate_of(sum(item.success for item in tape.items), len(tape.items))}

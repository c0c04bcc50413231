"""Transfer (Papernot, McDaniel, Goodfellow 2016, arXiv 1605.07277): what fools another file, tried on this one.

How the other file is attacked, and what is said of it: elsewhere.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar, final

from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.methods.attack.base import Attacked
from onnxray.methods.attack.decision.elsewhere import FromElsewhere, OtherModel
from onnxray.model.model import Model
from onnxray.model.opening import open_model


@final
@dataclass(frozen=True, kw_only=True)
class Transfer(FromElsewhere):
    """Transfer: perturbations made on another ONNX file, judged on this one."""

    name: ClassVar[str] = "transfer"
    needs_gradients: ClassVar[bool] = False

    from_: Annotated[str | None, "the other ONNX file, which is needed"] = None
    from_profile: Annotated[str | None, "how pixels enter that file, where it does not say"] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.from_ is None:
            raise InputError("transfer was given no other model to make perturbations on; state it: --from other.onnx")

    @cached_property
    def other(self) -> Model:
        """The other file, opened once."""
        assert self.from_ is not None
        return open_model(self.from_, self.from_profile)

    def elsewhere(self, attacked: Attacked) -> OtherModel:
        """The other file."""
        return OtherModel(model=self.other, name=short(self.from_), told={})

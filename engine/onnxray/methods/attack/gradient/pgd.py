"""PGD, projected gradient descent (Madry et al. 2018, arXiv 1706.06083); without a random start BIM (Kurakin 2017).

    d_0 in the ball of eps,   d_{k+1} = within(project_eps(d_k - a steepest(grad L(x_0 + d_k))))

steepest and project are the norm's (threat.py), within keeps x_0 + d in [0, 255]; the iterate stays in floats.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, final

from onnxray.methods.attack.gradient.descent import Descent
from onnxray.methods.attack.threat import Floats


@final
@dataclass(frozen=True, kw_only=True)
class PGD(Descent):
    """Projected gradient descent: many small steps down the loss, each brought back into the budget."""

    name: ClassVar[str] = "pgd"

    random_start: Annotated[bool, "whether to begin anywhere in the ball (PGD), or at the image itself (BIM)"] = True

    @property
    def share(self) -> float:
        """2.5 eps / steps."""
        return 2.5 / self.steps

    def direction(self, gradient: Floats, before: Floats) -> Floats:
        """The gradient."""
        return gradient

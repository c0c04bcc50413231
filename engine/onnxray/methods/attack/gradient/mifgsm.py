"""MI-FGSM, the momentum iterative method (Dong et al. 2018, arXiv 1710.06081).

    v_k = m v_{k-1} + g_k / ||g_k||_1,   g_k = grad L(x_0 + d_k)
    d_{k+1} = within(project_eps(d_k - a steepest(v_k))),   d_0 = 0,   a = eps / steps

steepest is the sign under linf. The direction that is kept carries over to other models better than PGD's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, final

import numpy as np

from onnxray.methods.attack.gradient.descent import Descent
from onnxray.methods.attack.threat import NORMS, Floats
from onnxray.methods.option_checks import Range


@final
@dataclass(frozen=True, kw_only=True)
class MIFGSM(Descent):
    """The momentum iterative method: steps along a running sum of normed gradients; carries over to other models."""

    name: ClassVar[str] = "mifgsm"

    steps: Annotated[int, "gradients taken", Range(1, 100_000)] = 10
    step_size: Annotated[
        float | None, "a, in grey levels (of l2 and l1 the norm of a step); default: eps / steps", Range(1e-6, 1e9)
    ] = None
    momentum: Annotated[float, "m, the share of the sum that is kept", Range(0.0, 1.0)] = 1.0

    @property
    def share(self) -> float:
        """eps / steps."""
        return 1 / self.steps

    def direction(self, gradient: Floats, before: Floats) -> Floats:
        """The sum so far."""
        size = np.maximum(NORMS["l1"].size(gradient), 1e-30)
        return np.asarray(np.float32(self.momentum) * before + gradient / size[:, None].astype(np.float32))

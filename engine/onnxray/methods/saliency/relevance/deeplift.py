"""DeepLIFT (Shrikumar, Greenside, Kundaje 2017, arXiv 1704.02685), by its rescale rule.

    C = (x - b) * m,      sum C = S(x) - S(b)   (summation to delta)

x in grey levels, b the baseline, m the multipliers of the score at the input: the chain rule with D y / D x, taken from
the baseline to the image, in place of the derivative of each node that is not linear; the rule of each kind stands in
``importer/relevance/multipliers.py``. Products, quotients, maxima, softmax and layer normalisation are shared out
exactly, and what has no rule is refused by name. Of several random baselines the mean is given (DeepLIFT-SHAP, Lundberg
and Lee 2017).

Units: of the score. The gap is |sum C - (S(x) - S(b))| / |S(x) - S(b)|, S by ONNX Runtime: rounding alone, where the
score is a value or a difference of values. A score that is not linear in them (a probability) is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, final

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import InputError
from onnxray.images.pixels import Pixels
from onnxray.methods.option_checks import Range
from onnxray.methods.run import Run
from onnxray.methods.saliency.gradient.base import Attribution
from onnxray.methods.saliency.gradient.baselines import Baseline, baselines
from onnxray.methods.saliency.relevance.base import SharedScore, at_the_pixels
from onnxray.model.model import Model
from onnxray.objectives.gradients import judged
from onnxray.objectives.objective import Objective

_GAP: Final = 1e-2
"""A gap above which a result says so; rounding in float32 stays far below where the score changes at all."""


@final
@dataclass(frozen=True, kw_only=True)
class DeepLIFT(SharedScore):
    """What each pixel adds to the score in place of the baseline's, by the differences that it makes on the way."""

    name: ClassVar[str] = "deeplift"

    baseline: Annotated[Baseline, "image to count from; mean: the profile's colour; random: several, averaged"] = (
        "black"
    )
    blur: Annotated[float, "standard deviation of the blurred baseline's Gaussian, in pixels", Range(0.1, 1000.0)] = (
        10.0
    )
    trials: Annotated[int, "how many random baselines", Range(1, 10_000)] = 10

    def attributions(
        self, model: Model, pixels: Pixels, objective: Objective, run: Run
    ) -> Iterator[tuple[int, Attribution]]:
        """Two passes forward and one back an image and baseline."""
        reached = judged(model, pixels, objective)
        for row, own in run.units(range(len(pixels))):
            starts = baselines(self.baseline, model, pixels, row, blur=self.blur, trials=self.trials, random=own.random)
            if (starts == pixels.array[row]).all():
                raise InputError(
                    f"{pixels.names[row] or f'image {row}'} is its own {self.baseline} baseline, so there is nothing "
                    "to count; choose another with --baseline"
                )
            one, aim = pixels.rows(np.array([row])), objective.rows(np.array([row]))
            begun = [float(judged(model, one.replaced(start[None]), aim)[0]) for start in starts]
            parts, total = [], 0.0
            for place, start in enumerate(starts):
                run.progress(row * len(starts) + place, len(pixels) * len(starts), "image by image")
                found, share = self._contributions(model, one, one.replaced(start[None]), aim)
                parts.append(found)
                total += share / len(starts)
            change = float(reached[row]) - float(np.mean(begun))
            gap = abs(total - change) / abs(change) if change else None
            reason = None
            if gap is None:
                reason = "the score is the same at the baseline, so the gap has no measure"
            elif gap > _GAP:
                reason = f"the contributions sum to {total:.4g} where the score changes by {change:.4g}"
            numbers = {"gap": gap, "score_change": change, "baseline": self.baseline}
            yield row, Attribution(array=np.mean(parts, axis=0), numbers=numbers, reason=reason)

    def _contributions(
        self, model: Model, one: Pixels, start: Pixels, aim: Objective
    ) -> tuple[NDArray[np.float32], float]:
        """One sample's, and the sum over all inputs. Errors: InputError for a score that is not linear in values."""
        from onnxray.engines.relevance.pulled_by_rules import pulled_by_rules
        from onnxray.importer.relevance.reference_walk import reference_cut
        from onnxray.objectives.shares import factors_of_sum

        names, reference = aim.values, model.variables(start)
        given = pulled_by_rules(
            model.twin, model.variables(one), names, factors_of_sum(aim), lambda i: reference_cut(i, names), reference
        )
        found = {name: given.differences[name] * m.astype(np.float64) for name, m in given.found.items()}
        return at_the_pixels(model, one, found), float(sum(part.sum() for part in found.values()))

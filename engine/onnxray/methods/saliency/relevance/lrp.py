"""Layer-wise relevance propagation (Bach et al. 2015, PLOS ONE 10(7); Montavon et al. 2019, "LRP: an overview").

    R_j = sum_k  a_j w_jk / (sum_i a_i w_ik + b_k + e)  R_k        at a linear layer, by the rule of its place
    R at the values of the target: their summands of the score S, whose sum is S

A composite says which rule a layer has: epsilon at dense layers; at convolutions z-plus, gamma or alpha2-beta1; flat
or z-box at the first (no other linear layer between it and the input). ``importer/relevance/rules.py`` states all. A
scale or a shift behind a layer (batch normalisation) is part of it. Activations and normalisations pass relevance on, a
maximum gives it to its winner, sums and averages in proportion, a gate leaves it to the signal; of products of two
computed matrices and of softmax by AttnLRP (Achtibat et al. 2024, arXiv 2402.05602). Every other operator is refused by
name.

Units: of the score. The conservation gap is (S - sum R) / |S|: what biases and stabilisers kept, of which
``kept_by_biases`` is the biases' share (of constants that are added, too). Where batch normalisation is merged, z-plus
can leave nearly everything to them: ``biases="ignored"`` shares that out among the inputs instead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal, final

import numpy as np

from onnxray.errors import InputError
from onnxray.images.pixels import Pixels
from onnxray.methods.option_checks import Range
from onnxray.methods.run import Run
from onnxray.methods.saliency.gradient.base import Attribution
from onnxray.methods.saliency.relevance.base import SharedScore, at_the_pixels, share_of
from onnxray.model.model import Model
from onnxray.objectives.objective import Objective

if TYPE_CHECKING:
    from onnxray.importer.relevance.linear_layers import LinearLayer
    from onnxray.importer.relevance.rules import LinearRule, Plan

Rule = Literal["epsilon", "gamma", "alpha2-beta1", "alpha1-beta0", "z-plus", "w-square", "flat"]
FirstRule = Literal["epsilon", "gamma", "alpha2-beta1", "alpha1-beta0", "z-plus", "w-square", "flat", "z-box"]
Composite = Literal[
    "epsilon-plus", "epsilon-plus-flat", "epsilon-gamma-box", "epsilon-alpha2-beta1", "epsilon-alpha2-beta1-flat"
]

_CONVOLUTIONS: Final[dict[str, Rule]] = {
    "epsilon-plus": "z-plus", "epsilon-plus-flat": "z-plus", "epsilon-gamma-box": "gamma",
    "epsilon-alpha2-beta1": "alpha2-beta1", "epsilon-alpha2-beta1-flat": "alpha2-beta1",
}  # fmt: skip
_FIRST: Final[dict[str, FirstRule]] = {
    "epsilon-plus-flat": "flat", "epsilon-gamma-box": "z-box", "epsilon-alpha2-beta1-flat": "flat",
}  # fmt: skip


@final
@dataclass(frozen=True, kw_only=True)
class LRP(SharedScore):
    """How much of the score each pixel is given when it is shared out backwards, layer by layer."""

    name: ClassVar[str] = "lrp"

    composite: Annotated[Composite, "which rule stands where: dense layers, convolutions, the first layer"] = (
        "epsilon-plus"
    )
    rule: Annotated[Rule | None, "rule of convolutions, in place of the composite's; z-plus is alpha1-beta0"] = None
    dense_rule: Annotated[Rule | None, "rule of dense layers, in place of epsilon"] = None
    first_rule: Annotated[FirstRule | None, "rule of the first layers, in place of the composite's"] = None
    biases: Annotated[
        Literal["summands", "ignored"], "biases as summands, which keep their share, or left out of the rules"
    ] = "summands"
    epsilon: Annotated[float, "what the epsilon rule adds to sums", Range(0.0, 1e6)] = 1e-6
    gamma: Annotated[float, "how much the gamma rule favours what agrees with the sum", Range(0.0, 1e6)] = 0.25

    def attributions(
        self, model: Model, pixels: Pixels, objective: Objective, run: Run
    ) -> Iterator[tuple[int, Attribution]]:
        """One pass forward and one back, sample by sample: sums are a sample's own."""
        from onnxray.engines.relevance.pulled_by_rules import pulled_by_rules
        from onnxray.importer.relevance.relevance_walk import relevance_cut
        from onnxray.objectives.shares import shares

        twin, names = model.twin, objective.values
        plan = self.plan(model, pixels, objective)
        run.note(_told(plan))
        for row in range(len(pixels)):
            run.progress(row, len(pixels), "image by image")
            one, aim = pixels.rows(slice(row, row + 1)), objective.rows(np.array([row]))
            start = shares(aim)
            given = pulled_by_rules(
                twin, model.variables(one), names, start, lambda importer: relevance_cut(importer, names, plan)
            )
            score = given.begun
            total = float(sum(array.sum(dtype=np.float64) for array in given.found.values()))
            numbers = {
                "relevance": total, "conservation_gap": share_of(score - total, score),
                "kept_by_biases": share_of(given.kept, score), "composite": self.composite,
            }  # fmt: skip
            reason = None if score else "the score is 0, so the conservation gap has no measure"
            if score and abs(score - total) > abs(score):
                reason = (
                    f"the relevances sum to {total:.4g} where the score is {score:.4g}, and biases kept "
                    f"{given.kept:.4g}: --biases ignored leaves those out; a larger --epsilon, or --dense-rule gamma, "
                    "holds sums near 0"
                )
            yield row, Attribution(array=at_the_pixels(model, one, given.found), numbers=numbers, reason=reason)

    def plan(self, model: Model, pixels: Pixels, objective: Objective) -> Plan:
        """The rule of every node between the input and the target. Errors: UnsupportedOperator, InputError."""
        from onnxray.importer.relevance.assignment import assign

        boxes = _Boxes(model, pixels)

        def choose(layer: LinearLayer, first: bool) -> LinearRule:
            return self._rule(layer, first, boxes)

        return assign(model.twin.importer, objective.values, choose, biases=self.biases == "summands")

    def _rule(self, layer: LinearLayer, first: bool, boxes: _Boxes) -> LinearRule:
        """The rule of a layer's place."""
        from onnxray.importer.relevance.rules import AlphaBeta, Epsilon, Flat, Gamma, WSquare

        name: FirstRule = self.dense_rule or "epsilon"
        if layer.convolution:
            name = self.rule or _CONVOLUTIONS[self.composite]
        at_first = self.first_rule or _FIRST.get(self.composite)
        if first and at_first is not None and (at_first != "z-box" or layer.convolution or self.first_rule):
            name = at_first
        if name == "z-box":
            return boxes.rule(layer)
        if name in {"z-plus", "alpha1-beta0"}:
            return AlphaBeta(1.0, 0.0)
        made: dict[str, LinearRule] = {
            "epsilon": Epsilon(self.epsilon), "gamma": Gamma(self.gamma), "alpha2-beta1": AlphaBeta(2.0, 1.0),
            "w-square": WSquare(), "flat": Flat(),
        }  # fmt: skip
        return made[name]


@dataclass(frozen=True, eq=False)
class _Boxes:
    """Between what numbers the input of a first layer lies, for pixels between 0 and 255."""

    model: Model
    pixels: Pixels

    def rule(self, layer: LinearLayer) -> LinearRule:
        """The z-box rule. Errors: InputError where the bounds are not known."""
        from onnxray.importer.relevance.assignment import first_read
        from onnxray.importer.relevance.rules import Fixed, ZBox

        graph, profile = self.model.graph, self.model.profile
        if profile is None or self.pixels.plain:
            raise InputError(
                "the z-box rule goes by the least and the largest pixel, and this input is no image; take "
                "--first-rule w-square or flat"
            )
        between = first_read(graph, layer.read)
        if between is not None:
            raise InputError(
                f"the z-box rule goes by the bounds of what the first layer reads, and {between.operator} "
                f"{between.name!r} stands between it and the input; take --first-rule w-square or flat"
            )
        black, white = (
            self.model.twin.values({graph.inputs[0].name: np.full((1, *profile.shape), grey, np.float32)}, [layer.read])
            for grey in (0, 255)
        )
        ends = black[layer.read], white[layer.read]
        return ZBox(Fixed.of(np.minimum(*ends)), Fixed.of(np.maximum(*ends)))


def _told(plan: Plan) -> str:
    """How many layers have which rule, in words."""
    counts = Counter(rule.name for _, rule in plan.layers)
    said = ", ".join(f"{name} on {count}" for name, count in counts.most_common())
    return f"rules of the linear layers: {said}" if said else "no linear layer between the input and the target"

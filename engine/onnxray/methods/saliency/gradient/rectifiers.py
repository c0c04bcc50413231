"""The rectifiers between input and target that a backward rule takes hold of, and those that it leaves alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, final

import onnx

from onnxray.errors import InputError
from onnxray.images.pixels import Pixels
from onnxray.methods.run import Run
from onnxray.methods.saliency.gradient.base import Attribution, PixelAttribution
from onnxray.model.model import Model
from onnxray.objectives.gradients import gradient
from onnxray.objectives.objective import Objective

if TYPE_CHECKING:
    from onnxray.importer.backward_rules import BackwardRules

_OTHERS = frozenset(
    {
        "Celu", "Clip", "Elu", "Erf", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish", "PRelu", "QuickGelu",
        "Relu", "Selu", "Sigmoid", "Softplus", "Softsign", "Swish", "Tanh", "ThresholdedRelu",
    }
)  # fmt: skip
"""Activations worth a word where their own derivative is kept."""


@dataclass(frozen=True, kw_only=True)
class RectifierAttribution(PixelAttribution):
    """A gradient under another backward rule of the rectifiers."""

    rule: ClassVar[Literal["guided", "deconvnet"]]

    rectifiers: Annotated[
        str | tuple[str, ...],
        "operator whose derivative is replaced: Relu, Clip (Relu6 is one), LeakyRelu, PRelu; may be repeated",
    ] = ("Relu",)

    @final
    def rules(self, model: Model, objective: Objective) -> BackwardRules:
        """The rule on the operators asked for. Errors: InputError where there are none of them."""
        return rectifier_rules(model, objective, self.rule, self.rectifiers)[0]

    @final
    def attributions(
        self, model: Model, pixels: Pixels, objective: Objective, run: Run
    ) -> Iterator[tuple[int, Attribution]]:
        """One gradient an image."""
        rules, note = rectifier_rules(model, objective, self.rule, self.rectifiers)
        run.note(note)
        for row, slope in enumerate(gradient(model, pixels, objective, rules)):
            yield row, Attribution(array=slope)


def rectifier_rules(
    model: Model, objective: Objective, rule: Literal["guided", "deconvnet"], operators: str | Iterable[str]
) -> tuple[BackwardRules, str]:
    """The rules, and what they take hold of in words. Errors: InputError where there is nothing to take hold of."""
    from onnxray.importer.backward_rules import RECTIFIERS, BackwardRules

    given = operators.split(",") if isinstance(operators, str) else tuple(operators)
    asked = frozenset("Clip" if name == "Relu6" else name for name in given)
    unknown = sorted(asked.difference(RECTIFIERS))
    if unknown or not asked:
        raise InputError(f"rectifiers is {', '.join(unknown) or 'empty'}; {', '.join(RECTIFIERS)} were expected")
    ruled, others, inside = found_rectifiers(model, objective, asked)
    kept = _counted(others)
    if not ruled:
        hint = sorted(set(others) & set(RECTIFIERS))
        if hint:
            advice = f"name those with --rectifiers {hint[0]}"
        elif inside:
            advice = f"those inside {_counted(inside)} are not reached by the rule"
        else:
            advice = "quantised and fused networks keep none; take a network that has them, or another method"
        there = f" (there: {kept})" if kept else ""
        raise InputError(
            f"the {rule} rule needs {' or '.join(sorted(asked))} between the input and "
            f"{', '.join(map(repr, objective.values))}, and there is none{there}; {advice}"
        )
    note = f"{rule} rule on {_counted(ruled)}"
    note += f"; {kept} with their own derivative" if kept else ""
    note += f"; those inside {_counted(inside)} with their own derivative" if inside else ""
    return BackwardRules(rule, asked), note


def found_rectifiers(
    model: Model, objective: Objective, asked: frozenset[str]
) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """Counts by operator: rectifiers asked for, other activations, and nodes that hold such rectifiers inside.

    Inside: in the bodies of If, Loop and Scan, and as the activation of a fused node.
    """
    ruled, others, inside = Counter[str](), Counter[str](), Counter[str]()
    for node in model.graph.needed_for(objective.values):
        if not model.graph.depends_on_input.intersection(node.outputs):
            continue
        if node.operator in asked and not node.domain:
            ruled[node.operator] += 1
        elif node.operator in _OTHERS:
            others[node.operator] += 1
        elif _holds(node.proto, asked):
            inside[node.operator] += 1
    return ruled, others, inside


def _holds(node: onnx.NodeProto, operators: frozenset[str]) -> bool:
    """Whether a node applies one of the operators in a body of its own, or as its fused activation."""
    for attribute in node.attribute:
        if attribute.name == "activation" and attribute.s.decode(errors="replace") in operators:
            return True
        for body in (attribute.g, *attribute.graphs):
            if any(inner.op_type in operators or _holds(inner, operators) for inner in body.node):
                return True
    return False


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {operator}" for operator, count in sorted(counts.items()))

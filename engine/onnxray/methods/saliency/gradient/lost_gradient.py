"""Where a gradient is lost: the values between target and input at which it becomes zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from onnxray.errors import ZeroGradient
from onnxray.graph.fixed_batch import fixed_batch_of
from onnxray.images.pixels import Pixels
from onnxray.model.model import Model
from onnxray.objectives.gradients import cotangents
from onnxray.objectives.objective import Objective

if TYPE_CHECKING:
    from onnxray.importer.backward_rules import BackwardRules

_NAMED = 3


def refuse_zero_gradient(
    model: Model, pixels: Pixels, row: int, objective: Objective, rules: BackwardRules | None = None
) -> None:
    """Raise ZeroGradient where d objective / d input is zero everywhere for the image ``row``; else do nothing.

    The error names the values, nearest to the target first, at which the gradient becomes zero: it is not zero at what
    their node gives, and zero at all that the node reads. Costs one forward and one backward pass.
    """
    from onnxray.importer.backward_rules import PLAIN

    graph = model.graph
    rows = np.full(fixed_batch_of(graph) or 1, row)
    alike, aim = pixels.rows(rows), objective.rows(rows)
    nodes = graph.needed_for(aim.values)
    real = {name for name, value in graph.values.items() if value.is_float or not value.dtype}
    real &= graph.depends_on_input
    path = {name for node in nodes for name in (*node.reads, *node.outputs) if name in real}
    at = tuple(name for name in graph.values if name in path)
    found = model.twin.slopes(model.variables(alike), aim.values, cotangents(aim), at, rules=rules or PLAIN)
    alive = {name for name, (_, slope) in found.items() if slope.any()}
    if any(value.name in alive for value in graph.inputs):
        return
    about = f"{pixels.names[row] or f'image {row}'}: the gradient of {aim.describe(0)} is zero everywhere"
    if rules is not None and rules.rectifier != "plain":
        about += f" under the {rules.rectifier} rule"
    if not alive:
        raise ZeroGradient(
            f"{about}: the score itself no longer changes with {', '.join(map(repr, aim.values))}; explain another "
            "score (--score logit) or another target"
        )
    lost = []
    for node in reversed(nodes):
        reads = [name for name in node.reads if name in found]
        if reads and not alive.intersection(reads) and alive.intersection(node.outputs):
            value = found[reads[0]][0]
            extent = f"from {value.min():.4g} to {value.max():.4g}"
            lost.append(f"{reads[0]!r} ({extent}), read by {node.operator} {node.name!r}")
    more = f", and at {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
    raise ZeroGradient(
        f"{about}: it becomes zero at {'; at '.join(lost[:_NAMED])}{more}, which saturates there; "
        "choose another target, image or value"
    )

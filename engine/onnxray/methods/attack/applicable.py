"""Of which samples nothing can be asked: pictures in which a detector lists no such box. They are listed, no more."""

from __future__ import annotations

import numpy as np

from onnxray.graph.outputs.facts import BOX_KINDS
from onnxray.methods.variable import Variable
from onnxray.model.answers.detections import Detections
from onnxray.objectives.conditions import box_asked_for


def left_out(variable: Variable, goal: object) -> dict[int, str]:
    """Sample -> why it is left out; nothing where all are, which is refused where the goal is read."""
    model = variable.whole
    place = box_asked_for(goal) if model.head.kind in BOX_KINDS else None
    if place is None:
        return {}
    answer = model.predict(variable.fed(variable.start, np.arange(len(variable))))
    if not isinstance(answer, Detections):
        return {}
    counts = [len(one) for one in answer.samples]
    found = {
        row: f"not applicable: {count or 'no'} box{'' if count == 1 else 'es'} listed, and boxes[{place}] was asked for"
        for row, count in enumerate(counts)
        if not -count <= place < count
    }
    return {} if len(found) == len(counts) else found

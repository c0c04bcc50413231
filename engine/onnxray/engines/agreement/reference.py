"""onnx's own reference implementation as the judge, of models that ONNX Runtime does not take.

What it gives is a model's meaning by the standard, in numpy, operator by operator, and slow. It gives no verdicts:
those are ONNX Runtime's on the file that ships.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx

from onnxray.arrays import Array, Arrays
from onnxray.engines.casting import as_given
from onnxray.engines.judge import Judge
from onnxray.errors import RuntimeRefusal
from onnxray.errors.library_warnings import warned
from onnxray.graph.facts import Graph


def reference_values(graph: Graph, feeds: Arrays, names: Sequence[str]) -> dict[str, Array]:
    """The values ``names`` for one batch, as the standard's reference implementation computes them.

    Errors: RuntimeRefusal where it cannot.
    """
    from onnx.reference import ReferenceEvaluator

    cut = graph.cut(names)
    for tensor in cut.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            tensor.CopyFrom(onnx.numpy_helper.from_array(graph.weight(tensor.name), tensor.name))
    try:
        with warned("ignore", Warning), np.errstate(all="ignore"):
            read = {info.name for info in cut.graph.input}
            found: Any = ReferenceEvaluator(cut).run(None, {n: a for n, a in feeds.items() if n in read})
    except Exception as error:  # whatever numpy and onnx say in words of their own
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise RuntimeRefusal(f"onnx's reference implementation cannot run the model: {first[:300]}") from None
    return {name: as_given(value) for name, value in zip(names, found)}


def outputs_or_reference(judge: Judge, feeds: Arrays) -> dict[str, Array]:
    """The outputs by the judge, by the reference where the judge does not take the model. Errors: RuntimeRefusal."""
    try:
        return judge.outputs(feeds, once=True)
    except RuntimeRefusal:
        if judge.refusal is None:
            raise
    return reference_values(judge.graph, feeds, [output.name for output in judge.graph.outputs])

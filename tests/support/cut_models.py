"""A file cut at a value, run by ONNX Runtime alone, and central differences of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime


def from_value_on(model: Any, value: str, output: str, feeds: dict[str, Any]) -> tuple[Any, Callable[[Any], Any]]:
    """The value, and the output as a function of it, by ONNX Runtime in float64 sums."""
    given = (value, *model.graph.beside(value, [output]))
    whole = onnx.ModelProto()
    whole.CopyFrom(onnx.load_from_string(model.graph.cut([*given, output]).SerializeToString()))
    held = dict(zip(given, onnxruntime.InferenceSession(whole.SerializeToString()).run(list(given), feeds)))
    session = onnxruntime.InferenceSession(model.graph.cut([output], given=given).SerializeToString())

    def run(array: Any) -> Any:
        return session.run([output], {**held, value: array.astype(np.float32)})[0].astype(np.float64)

    return held[value], run


def differences(run: Callable[[Any], Any], at: Any, cotangent: Any, places: Any, step: float = 1e-2) -> Any:
    """d <c, f> / d at, by central differences, at some places of the flattened value."""
    found = []
    for place in places:
        moved = [at.astype(np.float64).copy() for _ in range(2)]
        for one, sign in zip(moved, (1, -1)):
            one.reshape(-1)[place] += sign * step
        found.append(((run(moved[0]) - run(moved[1])) * cotangent).sum() / (2 * step))
    return np.array(found)

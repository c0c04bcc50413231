"""What a case is differentiated by: the converted module, and the evaluations that it is held against."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

import onnxray
from conformance import excuses
from conformance.cases import Case
from conformance.compare import tensors
from conformance.doubled import as_double, doubled, is_real
from conformance.outcome import is_random
from onnxray.importer.imported_module import forward_all

Real = NDArray[np.float64]
Function = Callable[[list[Any]], list[Any]]
"""Inputs (a list of arrays and lists of arrays) to outputs, flattened."""


@dataclass(frozen=True)
class Reference:
    """A function to differentiate numerically, and how well that can be done."""

    name: str
    function: Function
    step: float
    relative: float
    floor: float


class Twin:
    """The converted module in the widest precision that it takes, and the wanted outputs' shapes."""

    def __init__(self, case: Case, precisions: tuple[str, ...] = ("double", "rewritten")) -> None:
        self.case = case
        inputs = as_double(list(case.data[0][0]))
        for self.precision in precisions:
            model = case.model if self.precision == "double" else doubled(case.model)
            try:
                self.module = onnxray.to_torch(model, verify=False).double()
                self(inputs)
            except Exception:  # tried, and the next one is tried
                continue
            return
        self.precision, self.module = "case's own", onnxray.to_torch(case.model, verify=False)

    def __call__(self, inputs: list[Any], moved: frozenset[int] = frozenset()) -> tuple[list[Any], list[torch.Tensor]]:
        """Outputs, flattened, and the inputs ``moved`` (positions among the flattened ones) to differentiate by."""
        if self.precision == "case's own":
            inputs = like(inputs, list(self.case.data[0][0]))
        given = [tensors(value) for value in inputs]
        every = flat(given)
        leaves = [every[k].requires_grad_() for k in sorted(moved)]
        torch.manual_seed(0)
        return flat(list(forward_all(self.module, tuple(given)))), leaves


def references(case: Case, twin: Twin) -> Iterator[Reference]:
    fine = (1e-5, 2e-2 if excuses.short(case) else 2e-5, 1e-8)
    coarse = (1e-2, 2e-2, 1e-4)
    own = list(case.data[0][0])
    names = input_names(case)
    if not is_random(case.model):
        evaluate, judge = _evaluator(doubled(case.model), names), _judge(case, names)
        if evaluate is not None:
            yield Reference("right", evaluate, *fine)
        for single in (judge, _evaluator(case.model, names)):
            if single is not None:
                yield Reference("single", partial(_in_own_types, single, own), *coarse)

    def itself(inputs: list[Any]) -> list[Any]:
        with torch.no_grad():
            return [array(value) for value in twin(inputs)[0]]

    if excuses.short(case):
        twin = Twin(case, ("rewritten",))
    yield Reference("own", itself, *(fine if twin.precision != "case's own" else coarse))


def _in_own_types(function: Function, own: list[Any], inputs: list[Any]) -> list[Any]:
    return function(like(inputs, own))


def _evaluator(model: onnx.ModelProto, names: list[str]) -> Function | None:
    """onnx's own evaluation; None for operators that it lacks."""
    try:
        evaluator = ReferenceEvaluator(model)
    except Exception:  # whatever it lacks
        return None
    return lambda inputs: flat(evaluator.run(None, dict(zip(names, inputs))))


def _judge(case: Case, names: list[str]) -> Function | None:
    """ONNX Runtime, which lacks a third of the cases."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(case.model.SerializeToString(), options, ["CPUExecutionProvider"])
    except Exception:  # whatever it lacks
        return None
    read = [info.name for info in session.get_inputs()]

    def run(inputs: list[Any]) -> list[Any]:
        feeds = dict(zip(names, inputs))
        return flat(session.run(None, {name: feeds[name] for name in read if feeds[name] is not None}))

    return run


def input_names(case: Case) -> list[str]:
    """The graph inputs that are no weights."""
    weights = {tensor.name for tensor in case.model.graph.initializer}
    return [info.name for info in case.model.graph.input if info.name not in weights]


def array(value: Any) -> Any:
    if not isinstance(value, torch.Tensor):
        return value
    value = value.detach()
    return (value.double() if value.is_floating_point() or value.dtype == torch.bfloat16 else value).numpy()


def like(inputs: list[Any], own: list[Any]) -> list[Any]:
    """Inputs in the types of the case's own."""
    leaves = [a.astype(b.dtype) if is_real(b) else a for a, b in zip(flat(inputs), flat(own))]
    return list(rebuild(inputs, iter(leaves)))


def flat(value: Any) -> list[Any]:
    """The arrays of nested lists, in order."""
    return [leaf for part in value for leaf in flat(part)] if isinstance(value, list | tuple) else [value]


def rebuild(shape: Any, leaves: Iterator[Any]) -> Any:
    """Nested lists like ``shape`` of the given leaves."""
    return [rebuild(part, leaves) for part in shape] if isinstance(shape, list) else next(leaves)

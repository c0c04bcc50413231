"""onnx2torch's converter of one operator and version, tried against ours through all that ours is held to.

In this order, and the first that fails is the finding: answers on the wheel's cases, types, shapes and refusals; inputs
and modules left as they were; gradients; several of the file's own batches; the class of the module; weights; copies,
pickles and traces; time. A case counts where ours passes it: cases that were rewritten for an older version are compared
with what ours gives. Of an operator that is onnx2torch's in every version there is nothing of ours to compare with: its
cases are compared with the wheel alone.
"""

from __future__ import annotations

import copy
import pickle
import re
import statistics
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

import ml_dtypes
import numpy as np
import torch
from onnx import numpy_helper
from torch import fx, nn

from conformance import gradients, outcome
from conformance.cases import Case
from conformance.compare import difference, tensors
from conformance.converter_cases import Judge, cases_of
from conformance.converter_times import Tensors, enlarged, pulled_back, ratio
from onnxray.errors import OnnxrayError
from onnxray.graph.fixed_batch import fixed_batch_of
from onnxray.graph.reading import read_graph
from onnxray.importer import walk
from onnxray.importer.batches.any_batch import FreeCuts
from onnxray.importer.batches.ways import by_loop, by_rewrite, by_vmap
from onnxray.importer.imported_module import ImportedModule, forward_all, register_weights
from onnxray.importer.nodes.scope import Converter
from onnxray.importer.ops import CONVERTERS

SLOWER = 1.05
_DIFFERENTIATED, _COPIED = 2, 8
"""How many cases are differentiated numerically, and how many are batched, copied and traced."""
_GOOD = {"right", "zero", "single", "own", "straight-through"}
_TRIES = 3


@dataclass(frozen=True)
class Finding:
    """What speaks against onnx2torch's converter: a ``kind`` of a closed list, and where it was seen."""

    kind: str
    where: str


KINDS = (
    "wrong", "lacks a type", "refuses", "fails", "does not refuse", "writes into its input", "keeps state", "other gradient",
    "one batch only", "no torch.nn module", "copies weights", "does not copy", "cannot be traced", "slower",
)  # fmt: skip
"""The kinds of findings, in the order in which they are looked for."""


def own_converter(operator: str, version: int) -> Converter | None:
    """Our converter of the version, or of the nearest one that is ours."""
    ours = [v for domain, name, v in CONVERTERS if (domain, name) == ("", operator)]
    nearest = min(ours, key=lambda other: (abs(other - version), other), default=None)
    return None if nearest is None else CONVERTERS["", operator, nearest]


@contextmanager
def converted_by(who: str, operator: str, version: int) -> Iterator[None]:
    """``ours`` or ``theirs`` alone for this operator and version; everything else as it is."""
    key, own = ("", operator, version), own_converter(operator, version)
    others = {k: converter for k, converter in CONVERTERS.items() if k != key}
    if who == "theirs":
        served = {**walk.SERVED, operator: (version,)}
        with mock.patch.object(walk, "CONVERTERS", others), mock.patch.object(walk, "SERVED", served):
            yield
    else:
        mine = others if own is None else {**others, key: own}
        with mock.patch.object(walk, "CONVERTERS", mine):
            yield


@dataclass(frozen=True)
class _Pair:
    """A case that ours passes, by both."""

    case: Case
    ours: ImportedModule
    theirs: ImportedModule

    def inputs(self) -> Tensors:
        return tuple(tensors(value) for value in self.case.data[0][0])


def tried(operator: str, version: int, *, timed: bool = True) -> Finding | None:
    """What speaks against onnx2torch's converter, or None: it may serve. ``timed``: look at the time too."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pairs: list[_Pair] = []
        for case, judge in cases_of(operator, version):
            found = _answered(case, judge, operator, version)
            if isinstance(found, Finding):
                return found
            if found is not None:
                pairs.append(found)
        if not pairs:
            return Finding("fails", "no case")
        for look in (_untouched, _gradients, _differences(operator, version), _batches(operator, version), _module,
                     _weights, _copied, _traced):  # fmt: skip
            for pair in pairs[:_COPIED] if look in {_copied, _traced} else pairs:
                try:
                    words = look(pair)
                except Exception as error:  # of theirs: ours went through all of this before
                    words = "fails", f"{type(error).__name__}: {error}"[:120]
                if words is not None:
                    return Finding(words[0], f"{pair.case.name}: {words[1]}")
        return _slower(pairs) if timed else None


def _answered(case: Case, judge: Judge, operator: str, version: int) -> _Pair | Finding | None:
    """Both converters' modules; None where ours does not pass the case either."""
    with converted_by("ours", operator, version):
        expected = case if judge == "wheel" else _expected(case)
        if not isinstance(expected, Exception) and outcome.run(expected).kind != "pass":
            return None
        ours = None if isinstance(expected, Exception) else _cut(case)
    with converted_by("theirs", operator, version):
        if isinstance(expected, Exception):
            said = type(expected) if isinstance(expected, OnnxrayError) else Exception
            fits = judge != "refusal" or isinstance(_expected(case), said)
            return None if fits else Finding("does not refuse", f"{case.name}: {str(expected)[:120]}")
        assert ours is not None
        result = outcome.run(expected)
        if result.kind != "pass":
            return Finding(_kind(result), f"{case.name}: {result.why[:160]}")
        return _Pair(expected, ours, _cut(case))


def _cut(case: Case) -> ImportedModule:
    """The trainable module of one batch of the file's own, with nothing around it that feeds it batch by batch."""
    graph = read_graph(case.model)
    importer = walk.Importer(graph, trainable=True)
    module = importer.cut(tuple(output.name for output in graph.outputs))
    register_weights(module, importer.weights)
    return module


def _expected(case: Case) -> Case | Exception:
    """The case with the outputs that are given now, or why there are none."""
    inputs = case.data[0][0]
    try:
        module = _cut(case)
        with torch.no_grad():
            given = [_array(t) for t in forward_all(module, tuple(tensors(v) for v in inputs))]
    except Exception as error:  # this version cannot state the case, or refuses it
        return error
    halves = [a.astype(np.float32) for a in given if str(a.dtype) in {"float16", "bfloat16"}]
    largest = max((float(np.abs(a[np.isfinite(a)]).max(initial=0)) for a in halves), default=0.0)
    return replace(case, data=((inputs, given),), rtol=1e-5, atol=max(1e-6, 2**-8 * largest))


def _array(tensor: torch.Tensor) -> Any:
    """An array of the same numbers; numpy knows bfloat16 by another package."""
    return np.asarray(tensor) if tensor.dtype != torch.bfloat16 else tensor.float().numpy().astype(ml_dtypes.bfloat16)


def _kind(result: outcome.Outcome) -> str:
    if result.kind == "wrong":
        return "wrong"
    if re.search(r"not implemented for|Promotion for|dtype|ScalarType|DType|torch does not hold", result.why):
        return "lacks a type"
    return "refuses" if result.kind.startswith("refused") else "fails"


Words = tuple[str, str] | None
"""A finding's kind, and what was seen."""


def _untouched(pair: _Pair) -> Words:
    """Neither inputs nor modules may be changed by a forward pass."""
    inputs, module = pair.inputs(), pair.theirs
    before, held = [t.clone() for t in inputs], _held(module)
    with torch.no_grad():
        forward_all(module, inputs)
        training = list(forward_all(copy.deepcopy(module).train(), inputs))
        evaluated = list(forward_all(module, inputs))
        ours = [list(forward_all(m, inputs)) for m in (pair.ours, copy.deepcopy(pair.ours).train())]
    if any(difference(t, b, 0, 0) for t, b in zip(inputs, before)):
        return "writes into its input", "after a forward pass"
    if difference(training, evaluated, 0, 0) and not difference(*ours, 0, 0):
        return "keeps state", "whether it is in training"
    return None if _held(module) == held else ("keeps state", "after a forward pass")


def _held(module: nn.Module) -> list[str]:
    own = vars(nn.Module()).keys()
    return [repr({name: value for name, value in vars(part).items() if name not in own}) for part in module.modules()]


def _gradients(pair: _Pair) -> Words:
    """At the inputs of the case, ties and bounds and all, and by its weights."""
    ours = pulled_back(pair.ours, pair.inputs())
    try:
        theirs = pulled_back(pair.theirs, pair.inputs())
    except Exception as error:  # whatever it cannot differentiate
        return "other gradient", f"{type(error).__name__}: {error}"[:120]
    words = difference(theirs, ours, 1e-4, 1e-5)
    return None if words is None else ("other gradient", words[:120])


def _differences(operator: str, version: int) -> Callable[[_Pair], Words]:
    """Central differences, of a few cases."""
    left = iter(range(_DIFFERENTIATED))

    def look(pair: _Pair) -> Words:
        if not gradients.has_gradient(pair.case) or next(left, None) is None:
            return None
        with converted_by("ours", operator, version):
            ours = gradients.run(pair.case)
        with converted_by("theirs", operator, version):
            theirs = gradients.run(pair.case)
        good = [result.kind.partition(":")[0] in _GOOD for result in (ours, theirs)]
        return ("other gradient", theirs.why[:120]) if good == [True, False] else None

    return look


def _batches(operator: str, version: int) -> Callable[[_Pair], Words]:
    """Three of the file's own batches at once, by the rewrite and by vmap, wherever ours can."""

    def several(who: str, pair: _Pair, how: str) -> list[torch.Tensor] | None:
        with converted_by(who, operator, version), torch.no_grad():
            graph = read_graph(pair.case.model)
            own, names = fixed_batch_of(graph), tuple(output.name for output in graph.outputs)
            inputs = pair.inputs()
            if not isinstance(own, int) or not all(t.ndim and t.shape[0] == own for t in inputs):
                return None
            many = tuple(torch.cat([t, t.flip(-1) if t.is_floating_point() else t, t]) for t in inputs)
            importer = walk.Importer(graph)
            try:
                if how == "rewrite":
                    return list(by_rewrite(FreeCuts(importer), names, many, own))
                if how == "vmap":
                    return list(by_vmap(importer.cut(names), many, own))
                return list(by_loop(importer.cut(names), names, many, own))
            except Exception:  # this way is not open
                return None

    left = iter(range(_COPIED))

    def look(pair: _Pair) -> Words:
        wanted = several("ours", pair, "loop") if next(left, None) is not None else None
        for how in ("rewrite", "vmap"):
            ours = None if wanted is None else several("ours", pair, how)
            if ours is None or difference(ours, wanted, 1e-5, 1e-6):
                continue
            theirs = several("theirs", pair, how)
            if theirs is None or difference(theirs, wanted, 1e-5, 1e-6):
                return "one batch only", how
        return None

    return look


def _module(pair: _Pair) -> Words:
    """Tools that hook modules look for torch's own classes."""
    missing = _torch_classes(pair.ours) - _torch_classes(pair.theirs)
    return ("no torch.nn module", ", ".join(sorted(missing))) if missing else None


def _torch_classes(module: nn.Module) -> set[str]:
    return {type(part).__name__ for part in module.modules() if type(part).__module__.startswith("torch.nn.modules")}


def _weights(pair: _Pair) -> Words:
    """The same Parameters under the same names, and no memory beside theirs and the file's own weights."""
    names = [sorted(name for name, _ in module.named_parameters()) for module in (pair.ours, pair.theirs)]
    graph = pair.case.model.graph
    constants = [attribute.t for node in graph.node for attribute in node.attribute if node.op_type == "Constant"]
    own = sum(numpy_helper.to_array(tensor).nbytes for tensor in (*graph.initializer, *constants))
    held, allowed = _bytes(pair.theirs), max(own, _bytes(pair.ours))
    return ("copies weights", f"{held} bytes for {allowed}") if held > allowed or names[0] != names[1] else None


def _bytes(module: nn.Module) -> int:
    held = [t.untyped_storage() for t in (*module.parameters(), *module.buffers())]
    return sum({storage.data_ptr(): storage.nbytes() for storage in held}.values())


def _copied(pair: _Pair) -> Words:
    """Copies and pickles give what the module gives, wherever those of ours do (torch pickles no unsigned weights)."""
    ours, theirs = (_copies(module, pair.inputs()) for module in (pair.ours, pair.theirs))
    return ("does not copy", theirs) if theirs and not ours else None


def _copies(module: ImportedModule, inputs: Tensors) -> str:
    """What goes wrong with a copy or a pickle, in words."""
    with torch.no_grad():
        wanted = list(forward_all(module, inputs))
        for how in (copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))):
            try:
                words = difference(list(forward_all(how(module), inputs)), wanted, 0, 0)
            except Exception as error:  # it cannot be copied
                words = f"{type(error).__name__}: {error}"
            if words:
                return words[:120]
    return ""


def _traced(pair: _Pair) -> Words:
    """torch.fx reads the module's own source wherever it reads ours."""
    return None if _traces(pair.theirs) or not _traces(pair.ours) else ("cannot be traced", "torch.fx")


def _traces(module: nn.Module) -> bool:
    try:
        fx.symbolic_trace(module)
    except Exception:  # whatever stands in its way
        return False
    return True


def _slower(pairs: Sequence[_Pair]) -> Finding | None:
    """Forward and backward, of more samples where a case takes them; interleaved medians.

    Of the first float case, the first of those with weights, and the last: sizes and shapes differ among them.
    """
    real = [pair for pair in pairs if any(t.dtype == torch.float32 for t in pair.inputs())] or list(pairs)
    weights = [pair for pair in real if pair.case.name.endswith(", weights")]
    for pair in {id(pair): pair for pair in (real[0], *weights[:1], real[-1])}.values():
        inputs = enlarged(pair.ours, pair.theirs, pair.inputs())
        times = statistics.median(ratio(pair.ours, pair.theirs, inputs) for _ in range(_TRIES))
        if times > SLOWER:
            return Finding("slower", f"{pair.case.name}: {times:.2f} times")
    return None

"""The check before the first gradient: twin against judge, and how a processor that saturates is met."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from onnxray.arrays import Arrays
from onnxray.engines.agreement.comparison import compare
from onnxray.engines.agreement.outputs_check import Values, check_outputs
from onnxray.engines.agreement.reference import reference_values
from onnxray.engines.check_memory import Memory
from onnxray.engines.integer_products import products, saturates
from onnxray.engines.judge import Judge, return_freed_memory
from onnxray.engines.processor import NAMED
from onnxray.errors import MismatchError, RuntimeRefusal
from onnxray.graph.facts import Graph
from onnxray.graph.fixed_batch import fixed_batch_of, found_fixed

if TYPE_CHECKING:
    from onnxray.engines.agreement.verification import Verification

_log = logging.getLogger("onnxray")

Against = Literal["this processor", "exact products", "onnx.reference", "nothing"]

_REMEMBERED: tuple[Against, ...] = ("this processor", "exact products", "onnx.reference")
"""No approximation: whoever did not ask for one would be given it."""

_MADE_EXACT = "ONNX Runtime made exact (session.x64quantprecision, or int8 weights shifted to uint8)"
_OWN = f"{NAMED}, so predictions and values of this file are this processor's own"
_STATED: dict[Against, str] = {
    "this processor": "gradients are those of exact products, which agreed with ONNX Runtime here on seeded inputs",
    "exact products": "gradients are those of exact products, which agreed with "
    f"{_MADE_EXACT}; its own outputs here are further off",
    "onnx.reference": "gradients are those of exact products, which agreed with onnx's reference implementation",
    "nothing": "APPROXIMATE gradients, as asked for: those of exact products, which ONNX Runtime cannot be made to "
    "compute for this file; every other node agreed alone, and its outputs here are {worst:.3g} relative off on "
    "seeded inputs",
}


@dataclass(frozen=True, slots=True)
class Agreement:
    """That the twin was found to be the judge's network: ``worst`` is max |twin - judge| / max |judge| of an output.

    ``against``: ONNX Runtime as it is; where the processor saturates, ONNX Runtime made exact; or neither, where that
    cannot be and an approximation was asked for.
    """

    worst: float
    against: Against


def remembered(graph: Graph, described: Mapping[str, Any], run: Callable[[], Agreement]) -> Agreement:
    """What was found for this file before, else what ``run`` finds, which is then remembered.

    So is the batch that the file was found to fix, 0 where it is free.
    """
    memory = Memory(graph, described)
    known = memory.recall({"worst_relative": float, "against": str, "batch": int})
    for against in _REMEMBERED:
        if known is not None and known["against"] == against:
            if known["batch"]:
                found_fixed(graph, known["batch"])
            return Agreement(known["worst_relative"], against)
    begun = time.perf_counter()
    found = run()
    seconds = time.perf_counter() - begun
    _log.info("the twin was compared with %s: %.2g relative off, %.2f s", found.against, found.worst, seconds)
    if found.against in _REMEMBERED:
        batch = fixed_batch_of(graph) or 0
        memory.remember({"worst_relative": found.worst, "against": found.against, "batch": batch})
    return_freed_memory()
    return found


def note(agreement: Agreement | None) -> str:
    """What a result says where the processor saturates; ``agreement`` is None where no gradient was taken."""
    return _OWN if agreement is None else f"{_OWN}; {_STATED[agreement.against].format(worst=agreement.worst)}"


def reference_note(agreement: Agreement | None) -> str | None:
    """What a result says where ONNX Runtime was not what gradients were checked against; None where it was."""
    if agreement is None or agreement.against != "onnx.reference":
        return None
    return (
        "ONNX Runtime does not take this model, so gradients were checked against onnx's reference implementation, "
        "which is no verdict on what ships"
    )


def check(
    judge: Judge,
    feeds: Arrays,
    twin: Values,
    full: Callable[[Judge], Verification],
    *,
    prepare: Callable[[Sequence[str]], None] | None = None,
    approximate: bool = False,
    ordered: bool = False,
) -> Agreement:
    """Compare the outputs on ``feeds``: with the judge as it is, and where that saturates and differs, made exact.

    full: verifies value by value against a judge. approximate: let pass what cannot be compared exactly, if every node
    but the saturating products is right by itself. ordered: the twin takes the judge's order where that is its own.
    Where ONNX Runtime does not take the model, whatever it is fed, onnx's reference implementation stands in for it.
    Errors: MismatchError, RuntimeRefusal.
    """
    try:
        return _by_the_judge(judge, feeds, twin, full, prepare, approximate=approximate, ordered=ordered)
    except RuntimeRefusal:
        if judge.refusal is None:
            raise
    worst = check_outputs(judge.graph, lambda names: reference_values(judge.graph, feeds, names), twin)
    return Agreement(worst, "onnx.reference")


def _by_the_judge(
    judge: Judge,
    feeds: Arrays,
    twin: Values,
    full: Callable[[Judge], Verification],
    prepare: Callable[[Sequence[str]], None] | None,
    *,
    approximate: bool,
    ordered: bool,
) -> Agreement:
    """The comparison with ONNX Runtime."""

    def outputs(judge: Judge, *, settle: bool) -> float:
        return check_outputs(
            judge.graph,
            lambda names: judge.values(feeds, names, once=True),
            twin,
            plain=lambda names: judge.plain_outputs(feeds, names),
            full=(lambda: full(judge)) if settle else None,
            prepare=prepare,
            ordered=ordered,
        )

    graph = judge.graph
    if not saturates(graph):
        return Agreement(outputs(judge, settle=True), "this processor")
    try:
        return Agreement(outputs(judge, settle=False), "this processor")
    except MismatchError as error:
        differs = error
    try:
        return Agreement(outputs(judge.where_exact(), settle=True), "exact products")
    except RuntimeRefusal as error:
        refusal = str(error)
    found = full(judge)
    worst = max((output.relative for output in found.outputs), default=0.0)
    if found.agrees:
        return Agreement(worst, "this processor")
    if not _saturation_alone(graph, found):
        raise differs
    if approximate:
        return Agreement(worst, "nothing")
    raise MismatchError(
        f"{NAMED}, which moves the outputs of this file by {worst:.3g} relative, and exact products cannot be had to "
        f"check gradients against ({refusal[:160]}); no gradient is given. What needs none works: predictions, values, "
        "occlusion, RISE. For gradients of exact products, unchecked: --approximate, onnxray.open(approximate=True), "
        "to_torch(verify=False)"
    )


def in_exact_products(judge: Judge, feeds: Arrays, verified: Callable[[Judge], Verification]) -> Verification:
    """Verify where the processor saturates u8 x s8 products: against the judge made exact, if that can be."""
    exact = judge.where_exact()
    try:
        found = verified(exact)
    except RuntimeRefusal as error:
        return replace(verified(judge), arithmetic=f"{NAMED}; ONNX Runtime was not made exact: {error}")
    names = [output.name for output in found.outputs]
    own, exact_ones = judge.outputs(feeds, names), exact.outputs(feeds, names)
    moved = max((compare(judge.graph, name, exact_ones[name], own[name]).relative for name in names), default=0.0)
    said = f"its outputs here are {moved:.3g} relative off those of {_MADE_EXACT}, which the twin was compared with"
    return replace(found, arithmetic=f"{NAMED}; {said}")


def _saturation_alone(graph: Graph, found: Verification) -> bool:
    """Whether the nodes that are wrong by themselves are u8 x s8 products, all of them."""
    held = products(graph)
    names = {node.name for node in (*(node for node, _ in held.direct), *held.inside)}
    wrong = {row.node for row in found.comparisons if row.verdict in {"at fault", "not settled"}}
    return found.fault is not None and found.fault.node in names and wrong <= names

"""The outputs of the twin against the judge's, before the first gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from onnxray.arrays import Array
from onnxray.engines.agreement.comparison import FLOOR, Comparison, compare, is_comparable, is_quantised, short_floats
from onnxray.engines.check_memory import Memory as Memory  # where scripts know it from
from onnxray.errors import MismatchError, RuntimeRefusal
from onnxray.graph.classifier.output import closing_of
from onnxray.graph.facts import Graph
from onnxray.graph.unordered import unordered

Values = Callable[[Sequence[str]], Mapping[str, Array]]


class FullCheck(Protocol):
    """What a verification value by value says in the end."""

    @property
    def agrees(self) -> bool:
        """Whether twin and judge agree."""


_SMALL = 2**26


_LOG_FLOOR = 1e-20


def check_outputs(
    graph: Graph,
    judge: Values,
    twin: Values,
    *,
    plain: Values | None = None,
    full: Callable[[], FullCheck] | None = None,
    prepare: Callable[[Sequence[str]], None] | None = None,
    ordered: bool = False,
) -> float:
    """Compare the outputs once before the first gradient; probabilities also by what the softmax was given.

    ``judge`` and ``twin`` give the named values on the same input; ``plain`` the judge's outputs without its own
    optimisations, which a mismatch is explained by; ``full`` verifies value by value, and has the last word on a
    quantised file, whose outputs may be off by what one step of quantisation makes of them.
    A saturated softmax hides a wrong network behind ones and zeros; log p shows it where every p is above 1e-20,
    elsewhere the logits are read. A graph whose outputs are all whole numbers is compared at the last real value before
    them, at those numbers where there is none; what stands behind a TopK in an order of its own, at that TopK where the
    twin does not take the judge's order (``ordered``). Gives the largest relative difference. prepare: what the twin
    does beforehand, done while the judge starts where the weights are small (while it starts, the judge holds them
    twice).
    Errors: MismatchError naming the first value that differs, or that is NaN throughout and so was not compared.
    """
    names = _compared(graph, ordered=ordered)
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as beside:
        prepared = beside.submit(prepare, names) if prepare is not None and graph.parameters < _SMALL else None
        expected = {name: _numbers(value) for name, value in judge(names).items()}
        softmax = _softmax(graph, names)
        hides = softmax is not None and not expected[softmax.output].min(initial=1) > _LOG_FLOOR  # NaN hides too
        if softmax is not None and hides:  # all of the judge before any of the twin: less is held at a time
            expected |= judge([softmax.given])
            names = list(dict.fromkeys([*names, softmax.given]))
        if prepared is not None:
            prepared.result()
    found = {name: _numbers(value) for name, value in twin(names).items()}
    short = short_floats(graph)
    comparisons = [compare(graph, name, expected[name], found[name], short=short.get(name, "")) for name in names]
    if softmax is not None and not hides and comparisons[names.index(softmax.output)].agrees:
        p, q = (np.asarray(side[softmax.output], np.float64) for side in (expected, found))
        log_q = np.log(np.maximum(q, _LOG_FLOOR))
        comparisons.append(compare(graph, softmax.output, np.log(p), log_q, short=short.get(softmax.output, "")))
    off = [comparison for comparison in comparisons if not comparison.agrees]
    if off and not (full is not None and is_quantised(graph) and full().agrees):
        raise _mismatch(graph, off[0], expected, found, plain)
    return max((c.relative for c in comparisons if c.absolute > FLOOR), default=0.0)


def _compared(graph: Graph, *, ordered: bool) -> list[str]:
    """The outputs that hold real numbers, or of which that is not known; the last real value where there is none, else
    the whole numbers; for what stands behind a TopK in an order that only the judge knows, that TopK.
    """
    names = [output.name for output in graph.outputs if output.is_float or not output.dtype] or _last_real(graph)
    names = names or [output.name for output in graph.outputs if output.dtype not in {"object", "map"}]
    told = (name if is_comparable(graph, name, asked=ordered) else unordered(graph)[name].outputs[0] for name in names)
    return list(dict.fromkeys(told))


class _Softmax(NamedTuple):
    """A softmax that closes an output which is compared, and the value that it was given."""

    output: str
    given: str


def _softmax(graph: Graph, names: list[str]) -> _Softmax | None:
    closing = closing_of(graph)
    if closing.node is None or closing.node.operator != "Softmax" or closing.output not in names:
        return None
    return _Softmax(closing.output, closing.node.inputs[0])


def _numbers(value: Any) -> Array:
    """A value's numbers: those of all parts of a sequence one after the other, none of an optional that is empty."""
    if value is None or isinstance(value, list | tuple):
        parts = [np.ravel(_numbers(part)) for part in value or ()]
        return np.concatenate(parts) if parts else np.zeros(0)
    return np.asarray(value)


def _mismatch(
    graph: Graph, off: Comparison, expected: Mapping[str, Array], found: Mapping[str, Array], plain: Values | None
) -> MismatchError:
    """The error that names a value, and what is known of why."""
    if np.isnan(off.absolute):
        return MismatchError(
            f"value {off.name!r} is NaN throughout, so twin and ONNX Runtime cannot be compared and no gradient of "
            "this file is given; are there NaN in the weights?"
        )
    why = ""
    if plain is not None and off.name in {output.name for output in graph.outputs}:
        why = moved_by_optimisations(graph, off.name, expected[off.name], found[off.name], plain)
    return MismatchError(
        f"the torch twin and ONNX Runtime disagree on value {off.name!r}: {off.absolute:.3g} absolute, "
        f"{off.relative:.3g} relative, {off.rule} allowed{why}; no gradient of this file is given. "
        f"Find the node: onnxray verify {graph.path or 'MODEL'}"
    )


def moved_by_optimisations(graph: Graph, name: str, judge: Array, twin: Array, plain: Values) -> str:
    """What to add on an output that disagrees, where ONNX Runtime's own optimisations move it; "" where they do not."""
    try:
        unoptimised = plain([name])[name]
    except RuntimeRefusal:
        return ""
    moved = compare(graph, name, unoptimised, judge)
    if moved.agrees:
        return ""
    rest = compare(graph, name, unoptimised, twin)
    said = "the twin agrees with it" if rest.agrees else f"the twin is {rest.relative:.3g} off"
    return f". ONNX Runtime's own optimisations move it by {moved.relative:.3g} relative; without them {said}"


def _last_real(graph: Graph) -> list[str]:
    """The last value in graph order that holds real numbers and depends on the input."""
    real = [value.name for value in graph.values.values() if value.kind == "node" and value.is_float]
    return [name for name in real if name in graph.depends_on_input][-1:]

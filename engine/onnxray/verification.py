"""Twin against judge: how far two engines are apart on the same input, value by value."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np

from onnxray.batching import Array
from onnxray.check_memory import Memory as Memory  # where scripts know it from
from onnxray.errors import InputError, MismatchError, RuntimeRefusal
from onnxray.graph import Graph
from onnxray.structure import closing_softmax, verdict_output

Values = Callable[[Sequence[str]], Mapping[str, Array]]


class FullCheck(Protocol):
    """What a verification value by value says in the end."""

    @property
    def agrees(self) -> bool:
        """Whether twin and judge agree."""


TOLERANCE = 1e-3
"""The largest difference let pass, relative to the largest absolute number that the judge gives for the value."""

ROUNDINGS = 10
"""How many roundings of a short float are let pass on top where a value is, or comes from, one. An engine that fuses
rounds less often than one that does not; what that leaves grows like the square root of the depth."""

_SPACING = {"float16": 2.0**-10, "bfloat16": 2.0**-7}
_FLOOR = 1e-6
_SMALL = 2**26
_LOG_FLOOR = 1e-20
_LARGEST_SEEDED = 50_000_000

Verdict = Literal["agrees", "empty", "one step", "inherited", "at fault", "not settled", "differs"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One value in both engines: ``absolute`` is max |twin - judge|, ``relative`` is that over max |judge|.

    ``allowed``: the largest absolute difference let pass, and ``rule`` why so much. ``steps``: the difference in steps
    of quantisation, where the value has one. ``own``: the same of the value's node alone, fed with what the judge gave
    for its inputs; where that was asked for. ``verdict``: ``agrees``; ``empty``: it has
    no numbers, so there was nothing to compare; ``one step``: off by no more than one step of
    quantisation, by what it inherits; ``inherited``: further off, while its node alone is right; ``at fault``: its
    node alone is wrong; ``not settled``: its node could not be run alone; ``differs``: nothing of that was looked at.
    """

    name: str
    node: str | None
    operator: str | None
    shape: tuple[int, ...]
    absolute: float
    relative: float
    allowed: float
    rule: str
    verdict: Verdict
    steps: float | None = None
    own: Comparison | None = None

    @property
    def agrees(self) -> bool:
        """Whether the difference is let pass."""
        return self.verdict in {"agrees", "empty", "one step"}


def compare(
    graph: Graph, name: str, judge: Array, twin: Array, tolerance: float = TOLERANCE, *, short: str = ""
) -> Comparison:
    """Compare one value: agrees where max|twin - judge| <= tolerance * max|judge| + 1e-6, shapes and NaN alike.

    A value that the judge gives as NaN throughout does not agree: nothing could be compared. Where the judge gives
    float16, or the value comes from it or from bfloat16 (``short`` says from which), ten spacings of that type
    (2^-10, 2^-7) are added to the tolerance.
    """
    short = short or str(judge.dtype)
    rule = f"{tolerance:g} of the largest number"
    if short in _SPACING:
        tolerance += ROUNDINGS * _SPACING[short]
        rule += f" and {ROUNDINGS} roundings of {short}"
    value = graph.values.get(name)
    node, operator = (value.node, value.operator) if value is not None else (None, None)

    def found(absolute: float, relative: float, allowed: float) -> Comparison:
        verdict: Verdict = "agrees" if absolute <= allowed else "differs"
        return Comparison(name, node, operator, judge.shape, absolute, relative, allowed, rule, verdict)

    if judge.shape != twin.shape:
        return found(float("inf"), float("inf"), 0.0)
    if judge.size == 0:
        return replace(found(0.0, 0.0, 0.0), verdict="empty")
    expected, got = judge.astype(np.float64), twin.astype(np.float64)
    if np.isnan(expected).all():
        return found(float("nan"), float("nan"), 0.0)
    difference = differences(expected, got)
    absolute = float(difference.max())
    finite = np.abs(expected[np.isfinite(expected)])
    scale = float(finite.max()) if finite.size else 0.0
    relative = absolute / scale if scale else (0.0 if absolute == 0 else float("inf"))
    return found(absolute, relative, tolerance * scale + _FLOOR)


def differences(judge: Array, twin: Array) -> Array:
    """|twin - judge| element by element; 0 where both are the same infinity or NaN, infinity where one alone is."""
    expected, got = judge.astype(np.float64), twin.astype(np.float64)
    same = (expected == got) | (np.isnan(expected) & np.isnan(got))
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.where(same, 0.0, np.abs(got - expected))
    return np.where(np.isnan(difference), np.inf, difference)


def described(comparison: Comparison) -> str:
    """A difference in words."""
    steps = "" if comparison.steps is None else f", {comparison.steps:.3g} steps"
    return f"{comparison.absolute:.3g} absolute, {comparison.relative:.3g} relative{steps} ({comparison.rule} allowed)"


def check_outputs(
    graph: Graph,
    judge: Values,
    twin: Values,
    *,
    plain: Values | None = None,
    full: Callable[[], FullCheck] | None = None,
    prepare: Callable[[Sequence[str]], None] | None = None,
) -> float:
    """Compare the outputs once before the first gradient; probabilities also by what the softmax was given.

    ``judge`` and ``twin`` give the named values on the same input; ``plain`` the judge's outputs without its own
    optimisations, which a mismatch is explained by; ``full`` verifies value by value, and has the last word on a
    quantised file, whose outputs may be off by what one step of quantisation makes of them.
    A saturated softmax hides a wrong network behind ones and zeros; log p shows it where every p is above 1e-20,
    elsewhere the logits are read. A graph whose outputs are all whole numbers is compared at the last real value before
    them. Gives the largest relative difference. prepare: what the twin does beforehand, done while the judge starts
    where the weights are small (while it starts, the judge holds them twice).
    Errors: MismatchError naming the first value that differs, or that is NaN throughout and so was not compared.
    """
    names = [output.name for output in graph.outputs if output.is_float or not output.dtype] or _last_real(graph)
    names = list(dict.fromkeys(names))
    short = short_floats(graph)
    with ThreadPoolExecutor(1) as beside:
        prepared = beside.submit(prepare, names) if prepare is not None and graph.parameters < _SMALL else None
        expected = dict(judge(names))
        output = verdict_output(graph)
        closed = closing_softmax(graph, output)
        softmax = closed if closed is not None and closed.operator == "Softmax" and output in expected else None
        visible = softmax is not None and expected[output].min(initial=1) > _LOG_FLOOR
        if softmax is not None and not visible:  # all of the judge before any of the twin: less is held at a time
            expected |= judge([softmax.inputs[0]])
            names = list(dict.fromkeys([*names, softmax.inputs[0]]))
        if prepared is not None:
            prepared.result()
    found = twin(names)
    comparisons = [compare(graph, name, expected[name], found[name], short=short.get(name, "")) for name in names]
    if visible and comparisons[names.index(output)].agrees:
        p, q = (np.asarray(side[output], np.float64) for side in (expected, found))
        log_q = np.log(np.maximum(q, _LOG_FLOOR))
        comparisons.append(compare(graph, output, np.log(p), log_q, short=short.get(output, "")))
    off = [comparison for comparison in comparisons if not comparison.agrees]
    if off and not (full is not None and is_quantised(graph) and full().agrees):
        raise _mismatch(graph, off[0], expected, found, plain)
    return max((c.relative for c in comparisons if c.absolute > _FLOOR), default=0.0)


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


def short_floats(graph: Graph) -> Mapping[str, str]:
    """Values that are, or are computed from, float16 or bfloat16 -> the shorter of them."""
    found: dict[str, str] = {}
    for value in graph.inputs:
        if value.dtype in _SPACING:
            found[value.name] = value.dtype
    for node in graph.nodes:
        for name in filter(None, node.outputs):
            inherited = {found[read] for read in node.reads if read in found}
            if name in graph.depends_on_input:
                inherited |= {graph.values[name].dtype} & _SPACING.keys()
            if inherited:
                found[name] = max(inherited, key=lambda dtype: _SPACING[dtype])
    return found


def is_quantised(graph: Graph) -> bool:
    """Whether some node rounds values to few steps: QuantizeLinear, QLinearConv, ConvInteger, ..."""
    marks = ("Quantize", "QLinear", "QGemm", "Integer")
    return any(mark in node.operator for node in graph.nodes for mark in marks)


def _last_real(graph: Graph) -> list[str]:
    """The last value in graph order that holds real numbers and depends on the input."""
    real = [value.name for value in graph.values.values() if value.kind == "node" and value.is_float]
    return [name for name in real if name in graph.depends_on_input][-1:]


def seeded_inputs(graph: Graph, *, batch: int = 2, free: int = 2, seed: int = 0) -> dict[str, Array]:
    """Random inputs of a model whose input is no image: normal, or 0 and 1 for whole numbers; see ``seeded_shapes``.

    Errors: InputError where an input holds no numbers, or more than fit into memory.
    """
    generator = np.random.default_rng(seed)
    shapes = seeded_shapes(graph, batch=batch, free=free)
    feeds: dict[str, Array] = {}
    for value in graph.inputs:
        shape = shapes[value.name]
        if math.prod(shape) > _LARGEST_SEEDED:
            raise InputError(
                f"the input {value.name!r} has the shape {list(shape)}, too large for seeded numbers; give inputs"
            )
        try:
            if value.is_float:
                feeds[value.name] = generator.standard_normal(shape).astype(value.dtype)
            else:
                feeds[value.name] = generator.integers(0, 2, shape).astype(value.dtype or np.int64)
        except TypeError:
            raise InputError(
                f"the input {value.name!r} is of {value.dtype}, for which there are no seeded numbers; give inputs"
            ) from None
    return feeds


def seeded_shapes(graph: Graph, *, batch: int = 2, free: int = 2) -> dict[str, tuple[int, ...]]:
    """The inputs' shapes: a free first dimension, and each of the same name, is ``batch``; every other is ``free``.

    Where the graph fixes a batch that its inputs leave free, that is the batch.
    """
    first = graph.fixed_batch or batch
    shapes = {value.name: value.shape if value.shape is not None else (None,) for value in graph.inputs}
    batches = {dims[0] for dims in shapes.values() if dims and isinstance(dims[0], str)}
    return {
        name: tuple(
            dim if isinstance(dim, int) else first if place == 0 or dim in batches else free
            for place, dim in enumerate(dims)
        )
        for name, dims in shapes.items()
    }


def seeded_pixels(shape: tuple[int, int, int], *, seed: int = 0) -> Array:
    """Two images of whole numbers in [0, 255]: noise, and smooth waves, which reach deeper into a network."""
    channels, height, width = shape
    generator = np.random.default_rng(seed)
    noise = generator.uniform(0, 255, shape)
    rows, columns = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    waves = np.zeros(shape)
    for channel in range(channels):
        for _ in range(6):
            across, down, phase = generator.uniform(-4, 4, 3)
            waves[channel] += np.sin(2 * np.pi * (across * columns + down * rows) + phase)
    span = np.ptp(waves) or 1.0
    images = np.stack([noise, (waves - waves.min()) / span * 255])
    return np.asarray(np.rint(images), np.float32)


def number(value: float) -> float | None:
    """A float for JSON: None in place of infinity and NaN."""
    return float(value) if np.isfinite(value) else None

"""Twin against judge: how far two engines are apart on the same input, value by value."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from onnxray.batching import Array
from onnxray.errors import MismatchError
from onnxray.graph import Graph
from onnxray.structure import closing_softmax, verdict_output

Values = Callable[[Sequence[str]], Mapping[str, Array]]

TOLERANCE = 1e-3
"""The largest difference let pass, relative to the largest absolute number that the judge gives for the value."""

_HALF = 10.0
"""How much more is let pass where the judge gives float16, whose own rounding is 1e-3 and adds up layer by layer."""

_FLOOR = 1e-6
_SMALL = 2**26
_LOG_FLOOR = 1e-20


@dataclass(frozen=True, slots=True)
class Comparison:
    """One value in both engines: ``absolute`` is max |twin - judge|, ``relative`` is that over max |judge|."""

    name: str
    node: str | None
    operator: str | None
    shape: tuple[int, ...]
    absolute: float
    relative: float
    agrees: bool


@dataclass(frozen=True, slots=True)
class Verification:
    """What ``Model.verify`` found, in graph order.

    ``outputs_moved``: max |output of the whole copy that gives every inner value - output of the file itself| by the
    judge: how far reading moves what is read. ``skipped``: values that hold no real numbers, or that one engine
    cannot give.
    """

    comparisons: tuple[Comparison, ...]
    skipped: tuple[str, ...]
    tolerance: float
    outputs_moved: float
    inputs: str

    @property
    def agrees(self) -> bool:
        """Whether every value agrees within the tolerance."""
        return all(comparison.agrees for comparison in self.comparisons)

    @property
    def first_divergence(self) -> Comparison | None:
        """The first value in graph order that does not agree: its node is at fault, or was fed by one that is."""
        return next((comparison for comparison in self.comparisons if not comparison.agrees), None)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        first = self.first_divergence
        return {
            "agrees": self.agrees,
            "tolerance": self.tolerance,
            "inputs": self.inputs,
            "outputs_moved_by_reading": number(self.outputs_moved),
            "first_divergence": None if first is None else _row(first),
            "values": [_row(comparison) for comparison in self.comparisons],
            "skipped": list(self.skipped),
        }


def compare(graph: Graph, name: str, judge: Array, twin: Array, tolerance: float = TOLERANCE) -> Comparison:
    """Compare one value: agrees where max|twin - judge| <= tolerance * max|judge| + 1e-6, shapes and NaN alike.

    A value that the judge gives as NaN throughout does not agree: nothing could be compared. For float16 the tolerance
    is ten times as large.
    """
    tolerance *= _HALF if judge.dtype == np.float16 else 1
    value = graph.values.get(name)
    node, operator = (value.node, value.operator) if value is not None else (None, None)
    if judge.shape != twin.shape:
        return Comparison(name, node, operator, judge.shape, float("inf"), float("inf"), agrees=False)
    if judge.size == 0:
        return Comparison(name, node, operator, judge.shape, 0.0, 0.0, agrees=True)
    expected, got = judge.astype(np.float64), twin.astype(np.float64)
    if np.isnan(expected).all():
        return Comparison(name, node, operator, judge.shape, float("nan"), float("nan"), agrees=False)
    same = (expected == got) | (np.isnan(expected) & np.isnan(got))
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.where(same, 0.0, np.abs(got - expected))
    absolute = float(np.nanmax(np.where(np.isnan(difference), np.inf, difference)))
    finite = np.abs(expected[np.isfinite(expected)])
    scale = float(finite.max()) if finite.size else 0.0
    relative = absolute / scale if scale else (0.0 if absolute == 0 else float("inf"))
    return Comparison(name, node, operator, judge.shape, absolute, relative, absolute <= tolerance * scale + _FLOOR)


def check_outputs(
    graph: Graph, judge: Values, twin: Values, prepare: Callable[[Sequence[str]], None] | None = None
) -> float:
    """Compare the outputs once before the first gradient; probabilities also by what the softmax was given.

    ``judge`` and ``twin`` give the named values on the same input. A saturated softmax hides a wrong network behind
    ones and zeros; log p shows it where every p is above 1e-20, elsewhere the logits are read. A graph whose outputs
    are all whole numbers is compared at the last real value before them. Gives the largest relative difference.
    prepare: what the twin does beforehand, done while the judge starts where the weights are small (while it starts,
    the judge holds them twice).
    Errors: MismatchError naming the first value that differs, or that is NaN throughout and so was not compared.
    """
    names = [output.name for output in graph.outputs if output.is_float or not output.dtype] or _last_real(graph)
    names = list(dict.fromkeys(names))
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
    comparisons = [compare(graph, name, expected[name], found[name]) for name in names]
    if visible and comparisons[names.index(output)].agrees:
        p, q = (np.asarray(side[output], np.float64) for side in (expected, found))
        comparisons.append(compare(graph, output, np.log(p), np.log(np.maximum(q, _LOG_FLOOR))))
    for comparison in comparisons:
        if comparison.agrees:
            continue
        if np.isnan(comparison.absolute):
            raise MismatchError(
                f"value {comparison.name!r} is NaN throughout, so twin and ONNX Runtime cannot be compared and no "
                "gradient of this file is given; are there NaN in the weights?"
            )
        raise MismatchError(
            f"the torch twin and ONNX Runtime disagree on value {comparison.name!r}: {comparison.absolute:.3g} "
            f"absolute, {comparison.relative:.3g} relative, {TOLERANCE:g} allowed; no gradient of this file is given. "
            f"Find the node: onnxray verify {graph.path or 'MODEL'}"
        )
    return max((c.relative for c in comparisons if c.absolute > _FLOOR), default=0.0)


def _last_real(graph: Graph) -> list[str]:
    """The last value in graph order that holds real numbers and depends on the input."""
    real = [value.name for value in graph.values.values() if value.kind == "node" and value.is_float]
    return [name for name in real if name in graph.depends_on_input][-1:]


def seeded_inputs(graph: Graph, *, batch: int = 2, seed: int = 0) -> dict[str, Array]:
    """Random inputs of a model whose input is no image: normal, or 0 and 1 for whole numbers; free dimensions are 2."""
    generator = np.random.default_rng(seed)
    feeds: dict[str, Array] = {}
    for value in graph.inputs:
        dims = value.shape if value.shape is not None else (batch,)
        shape = [dim if isinstance(dim, int) else batch for dim in dims]
        if value.is_float:
            feeds[value.name] = generator.standard_normal(shape).astype(value.dtype)
        else:
            feeds[value.name] = generator.integers(0, 2, shape).astype(value.dtype or np.int64)
    return feeds


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


class Memory:
    """What was checked already, remembered in the user's cache folder (``ONNXRAY_CACHE`` moves it)."""

    def __init__(self, graph: Graph, described: Mapping[str, Any]) -> None:
        outside = [
            (str(region.path), os.stat(region.path).st_size, os.stat(region.path).st_mtime_ns)  # noqa: PTH116
            for region in graph.container.regions.values()
            if region.path is not None and graph.path is not None and region.path != graph.path.resolve()
        ]
        known = {"sha256": graph.sha256, "external": sorted(set(outside)), **described}
        digest = hashlib.sha256(json.dumps(known, sort_keys=True, default=str).encode()).hexdigest()
        self._file = cache_folder() / "verified" / f"{digest}.json"
        self._known = known

    def recall(self) -> bool:
        """Whether this very file passed this very check before."""
        return self._file.is_file()

    def remember(self, worst: float) -> None:
        """Note that the check passed. A cache that cannot be written costs time, not truth."""
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            beside = self._file.with_suffix(f".{os.getpid()}")
            beside.write_text(json.dumps({**self._known, "worst_relative": worst}, default=str))
            beside.replace(self._file)
        except OSError as error:
            logging.getLogger("onnxray").info("the check is not remembered: %s", error)


def cache_folder() -> Path:
    """``ONNXRAY_CACHE``, else the platform's own place for caches."""
    own = os.environ.get("ONNXRAY_CACHE")
    if own:
        return Path(own)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "onnxray"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "onnxray"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "onnxray"


def number(value: float) -> float | None:
    """A float for JSON: None in place of infinity and NaN."""
    return float(value) if np.isfinite(value) else None


def _row(comparison: Comparison) -> dict[str, Any]:
    row = asdict(comparison)
    return row | {"absolute": number(comparison.absolute), "relative": number(comparison.relative)}
